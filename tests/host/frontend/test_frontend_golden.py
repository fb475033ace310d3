"""Kernels of one feature each, and the whole IR that the front end makes of them."""

# ruff: noqa: T201, RUF046, PLC2401, PLC3002
# The kernels here use the language's features as users may write them.

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pytest

import speedmetal as sm
from speedmetal import dtypes as d
from speedmetal.frontend.infer import infer_kernel
from speedmetal.frontend.signature import (
    ScalarArgument,
    StaticArgument,
    TupleArgument,
)
from speedmetal.frontend.signature_text import parse_signature
from speedmetal.ir.text import kernel_text
from speedmetal.ir.verify import broken_rules


class Point(NamedTuple):
    x: float
    y: float

    def scaled(self, factor):
        return self._replace(x=self.x * factor)


@dataclass(frozen=True)
class Settings:
    scale: float
    count: int = 3

    @property
    def double(self):
        return self.scale * 2

    def apply(self, x):
        return x * self.scale


DEFAULTS = Settings(0.1)
WEIGHTS = (0.25, 0.5, 0.25)
F16_STEP = np.float16(0.5)


def square(x):
    return x * x


def clipped(x, low=0.0, high=1.0):
    if x < low:
        return low
    if x > high:
        return high
    return x


def first_above(a, limit):
    for k in range(a.size):
        if a[k] > limit:
            return k
    return -1


def vector_add(a, b, c):
    i = sm.thread_position_in_grid().x
    c[i] = a[i] + b[i]


def guarded(a, n):
    i = sm.thread_position_in_grid().x
    if i >= n:
        return
    a[i] = 2 * math.pi * a[i]


def weak_literals(f16, f64, u8):
    i = sm.thread_position_in_grid().x
    step = 0.1
    f16[i] = f16[i] * step + F16_STEP
    f64[i] = f64[i] * step
    u8[i] = u8[i] + 1 << 2
    scale = 1.0
    if i > 3:
        scale = 0.1
    f64[i] += scale


def integers(a, u, out):
    i = sm.thread_position_in_grid().x
    out[i] = a[i] // 3 + a[i] % 4 - (a[i] >> 2)
    out[i] += u[i] ** 2 + abs(a[i]) - -a[i]
    out[i] = a[i] / 2 > 1.5
    out[i] = ~a[i] ^ (u[i] & 0xFF) | sm.cdiv(i, 3)
    out[i] = int(round(a[i] * 0.5)) + math.floor(a[i] / 3) + (a[i] > 3) + True
    quotient, rest = divmod(a[i], 7)
    out[i] = min(quotient, rest, 3) + max(a[i], u[i])


def control_flow(a, n):
    i = sm.thread_position_in_grid().x
    total = 0.0
    for k in range(1, n, 2):
        if a[k] < 0:
            continue
        total += a[k]
        if total > 100:
            break
    j = 0
    while j < n and a[j] > 0:
        j += 1
    for m in range(5, 0, -1):
        if a[m] > 0:
            break
    if i > 3 and a[i] > 0 and i < n - 1:
        a[i] = total if total > 1 else a[j]
    a[m] = 0 < total <= 3


def unrolled(a):
    i = sm.thread_position_in_grid().x
    total = 0.0
    for k, weight in enumerate(WEIGHTS):
        total += weight * a[i + k - 1]
    for k in sm.static_range(4):
        if k == 2:
            continue
        if total > k:
            break
        total *= 2
    for f in (math.sin, math.cos, square):
        total = f(total)
    a[i] = total


def calls(a, out):
    i = sm.thread_position_in_grid().x
    out[i] = square(a[i]) + square(3) + clipped(a[i], high=2.0) + clipped(a[i] * 2)
    out[i] += first_above(a, 0.5)

    def halved(x):
        return x * half

    half = 0.5
    out[i] = halved(out[i]) + (lambda x, y=2.0: x - y)(a[i])


def early_returns(a):
    i = sm.thread_position_in_grid().x

    def pick(x):
        if x > 0:
            if x > 10:
                return 10.0
            a[i] = x
        for k in range(3):
            if x < -k:
                return float(k)
        return x

    a[i] = pick(a[i]) + 1


def aggregates(a, p, settings, pair):
    i = sm.thread_position_in_grid().x
    q = Point(p.x + a[i], y=p.y).scaled(2)
    for _ in range(settings.count):
        q = Point(q.y, q.x)
    x, y = q
    x, y = y, x + y
    changed = replace(settings, scale=x)
    a[i] = settings.apply(x) + changed.double + DEFAULTS.double * y + DEFAULTS.count
    a[i] += (1.0, 2.0, 4.0)[i] + pair[0] + len(pair) + sum((x, y)) + (p == q)


def swaps(a):
    i = sm.thread_position_in_grid().x
    a[i], a[i + 1] = a[i + 1], a[i]
    x, y = 0, 1
    for _ in range(10):
        x, y = y, x + y
    a[0] = x


def complex_numbers(z, out, w):
    i = sm.thread_position_in_grid().x
    total = 0j
    for _ in range(3):
        total += z[i] * w
    z[i] = z[i] * z[i]
    z[i] = total.conjugate() / 2 - 1j
    out[i] = abs(total) + z[i].real if z[i] != 0 else total.imag


def memory(a, n):
    rows = a.shape[0] // 2
    tile = sm.threadgroup_array((8, 33), sm.float32)
    sized = sm.threadgroup_array((rows + n, 2), a.dtype)
    own = sm.thread_array(4, sm.int32)
    x, y, _ = sm.thread_position_in_threadgroup()
    tile[y, x] = a[y, -1]
    own[-1] = x
    row = sized[x]
    row[1] = tile[x, y]
    sm.threadgroup_barrier()
    sm.threadgroup_barrier(memory="all")
    sm.simdgroup_barrier(memory="device")
    a[y, x] = sized[x, 1] + own[3] + a.size + len(a) + a.ndim


def atomics(h, f):
    i = sm.thread_position_in_grid().x
    old = sm.atomic_add(h, i, 1)
    sm.atomic_max(h, (0,), old)
    sm.atomic_store(h, -1, sm.atomic_load(h, 0))
    seen = sm.atomic_compare_exchange(h, 0, old, old + 1)
    sm.atomic_update(f, seen, lambda x, y: x * y, 1.5)
    f[i] = sm.atomic_update(f, i, max, 0.5) + sm.atomic_exchange(f, 0, 2)


def collectives(a):
    lane = sm.thread_index_in_simdgroup()
    total = sm.simd_sum(a[lane]) + sm.simd_max(a[lane])
    other = sm.simd_shuffle_xor(total, 1)
    if sm.simd_any(other > 0) and sm.simd_all(total):
        a[lane] = sm.simd_prefix_exclusive_sum(a[lane])
    a[0] = sm.simd_ballot(total > 1).bit_count()
    a[1] = sm.simd_sum(a[lane], width=8) + sm.simd_min(total, width=4) + sm.simd_sum(1, width=32)


def evaluation_order(a, h):
    i = sm.thread_position_in_grid().x
    a[i] = a[0] + sm.atomic_add(h, 0, 1) * a[1]
    a[i] = h[0] + sm.atomic_add(h, 0, 1)
    a[h[i]] += sm.atomic_add(h, 0, 1)


def matrices(a, b, c):
    total = sm.simdgroup_matrix(0.0, sm.float32)
    for k in range(0, a.shape[1], 8):
        left = sm.simdgroup_load(a, (0, k))
        right = sm.simdgroup_load(b, (k, 0), transpose=True)
        total = sm.simdgroup_multiply_accumulate(left, right, total)
    sm.simdgroup_store(total, c, (0, 0))


def functions_of_numpy(a, h):
    i = sm.thread_position_in_grid().x
    a[i] = np.sin(a[i]) + np.where(a[i] > 0, a[i], 0.0) + np.floor(a[i]) + np.maximum(a[i], 1)
    h[i] = math.sqrt(h[i]) ** 0.5 + h[i] % 2 + h[i] // 3 + math.exp(1)
    fraction, whole = math.modf(a[i])
    s, c = sm.sincos(whole)
    mantissa, exponent = math.frexp(fraction)
    a[i] = s * c + mantissa + exponent
    a[i] = sm.bitcast(sm.bitcast(a[i], sm.uint32) & 0x7FFFFFFF, np.float32)
    a[i] = a[i].astype(sm.float16) + sm.int8(a[i]) + operator.add(1, a[i])


def printing(a, n):
    i = sm.thread_position_in_grid().x
    print("i =", i, (a[i], n), None)
    print(n, a[i], sep=";", end="")
    assert n > 0, "n is positive"
    assert a[i] == a[i]
    a[i] = n // i


def specialised(a, f, kind, text, nothing):
    i = sm.thread_position_in_grid().x
    if kind == np.float32 and text == "fast" and nothing is None:
        a[i] = f(a[i])
    else:
        a[i] = undefined(a[i])  # noqa: F821 - never compiled
    if a.dtype == sm.float64 or a.ndim == 2:
        a[i, i] = kind


def annotated(a, n):
    total: sm.float64 = 0
    count: sm.int64 = n
    for k in range(n):
        total += a[k]
        count += 1
    a[0] = total / count


def names(kernel, float_, α, __x):
    half = kernel[0]
    thread = half + float_ + α
    sm_floor = thread * __x
    kernel[1] = sm_floor


def flags(a):
    i = sm.thread_position_in_grid().x
    found = False
    for k in range(i):
        if a[k] > 0 or a[k] < -1:
            found = True
    x = None
    if found:
        x = 1.0
        a[i] = x
    if (y := a[i] * 2) > 1:
        a[i] = y


CASES = {
    vector_add: ("f32[:] f32[:]/strided f32[:]", 0),
    guarded: ("f32[:] i32", 0),
    weak_literals: ("f16[:] f64[:] u8[:]", 0),
    integers: ("i32[:] u16[:] i64[:]", 1),
    control_flow: ("f32[:] i32", 0),
    unrolled: ("f32[:]", 0),
    calls: ("f32[:] f32[:]", 0),
    early_returns: ("f32[:]", 0),
    swaps: ("i32[:]", 0),
    memory: ("f32[:,:] i32", 0),
    atomics: ("i32[:] f32[:]", 0),
    collectives: ("f32[:]", 0),
    evaluation_order: ("f32[:] i32[:]", 0),
    matrices: ("f32[:,:] f32[:,:] f32[:,:]", 1),
    functions_of_numpy: ("f32[:] f16[:]", 0),
    printing: ("f32[:] i32", 2),
    annotated: ("f32[:] i32", 0),
    names: ("f32[:] f32 f32 f32", 0),
    flags: ("f32[:]", 0),
}


def check(golden_ir, kernel, arguments, **options):
    made = infer_kernel(kernel, arguments, **options).kernel
    assert list(broken_rules(made)) == []
    golden_ir(made.name, kernel_text(made))
    return made


@pytest.mark.parametrize("kernel", CASES, ids=lambda kernel: kernel.__name__)
def test_kernel_has_this_ir(golden_ir, kernel):
    signature, debug = CASES[kernel]
    check(golden_ir, kernel, parse_signature(signature), debug=debug)


def test_records_become_scalars(golden_ir):
    number = ScalarArgument(d.float32)
    arguments = (
        *parse_signature("f32[:]"),
        TupleArgument((number, number), Point),
        TupleArgument((number, ScalarArgument(d.int32, weak=True)), Settings),
        *parse_signature("(f32,bool)"),
    )
    made = check(golden_ir, aggregates, arguments)
    assert [p.name for p in made.parameters] == [
        "a", "p_x", "p_y", "settings_scale", "settings_count", "pair_0", "pair_1",
    ]  # fmt: skip


def test_complex_numbers_become_pairs(golden_ir):
    arguments = (*parse_signature("c64[:] f32[:]"), ScalarArgument(d.complex64, weak=True))
    check(golden_ir, complex_numbers, arguments)


def test_static_arguments_choose_the_code(golden_ir):
    static = map(StaticArgument, (square, d.float32, "fast", None))
    check(golden_ir, specialised, (*parse_signature("f32[:]"), *static))


def test_index_type_is_that_of_positions_and_sizes(golden_ir):
    made = infer_kernel(
        memory, parse_signature("f32[:,:] i32"), index_type=d.int64, name="memory_wide"
    ).kernel
    assert list(broken_rules(made)) == []
    golden_ir("memory_wide", kernel_text(made))


def test_bounds_are_asserted_from_level_1_on(golden_ir):
    made = infer_kernel(
        vector_add, parse_signature("f32[:] f32[:] f32[:]"), debug=1, name="vector_add_checked"
    ).kernel
    golden_ir("vector_add_checked", kernel_text(made))


def test_written_arrays_are_noted():
    made = infer_kernel(vector_add, parse_signature("f32[:] f32[:] f32[:]")).kernel
    assert {array.name for array in made.written} == {"c"}
    made = infer_kernel(atomics, parse_signature("i32[:] f32[:]")).kernel
    assert {array.name for array in made.written} == {"h", "f"}
