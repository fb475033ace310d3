"""Python numbers that only the running program knows are at least 32 bits wide.

The functions under test run in a kernel and, on Python's own integers, here: both must agree.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pytest

import speedmetal as sm
from speedmetal import dtypes

NARROW_INTEGERS = [dtype for dtype in dtypes.INTEGERS if dtype.bits < 32]
NARROW_FLOATS = [dtype for dtype in dtypes.FLOATS if dtype.bits < 32]
NUMBERS = (-30_000, -129, -128, -1, 1, 2, 127, 128, 255, 256, 300, 30_000)
"""All fit into int32 when they are multiplied by any 16-bit integer."""
TAPS = NUMBERS


def edges(dtype) -> list[int]:
    return sorted({dtype.minimum, dtype.minimum + 1, 0, 3, dtype.maximum - 1, dtype.maximum})


def results(x, n):
    """What operators and functions make of an element and a running number."""
    return (
        x + n,
        x - n,
        n - x,
        x * n,
        x // n,
        x % n,
        x & n,
        x | n,
        x ^ n,
        int(x < n),
        int(x <= n),
        int(x == n),
        int(n > x),
        int(n != x),
        min(x, n),
        max(n, x),
        min(max(x + n, 0), 255),
        abs(x - n),
        n if x > 5 else x,
    )


@sm.kernel
def with_argument(values, numbers, out, n):
    i = sm.thread_position_in_grid().x
    for k, result in enumerate(results(values[i], n)):
        out[i, k] = result


@sm.kernel
def with_item(values, numbers, out, j):
    i = sm.thread_position_in_grid().x
    for k, result in enumerate(results(values[i], TAPS[j])):
        out[i, k] = result


@sm.kernel
def with_loop(values, numbers, out, n):
    i = sm.thread_position_in_grid().x
    for running in range(n, n + 1):
        for k, result in enumerate(results(values[i], running)):
            out[i, k] = result


@sm.kernel
def with_counter(values, numbers, out, n):
    i = sm.thread_position_in_grid().x
    counter = 7
    while counter != n:
        counter = n
    for k, result in enumerate(results(values[i], counter)):
        out[i, k] = result


@sm.kernel
def with_name(values, numbers, out, j):
    i = sm.thread_position_in_grid().x
    name = 0
    if i >= 0:
        name = numbers[j]
    for k, result in enumerate(results(values[i], name)):
        out[i, k] = result


@pytest.mark.parametrize("dtype", NARROW_INTEGERS, ids=str)
@pytest.mark.parametrize("kernel", [with_argument, with_loop, with_counter], ids=str)
def test_a_narrow_integer_beside_a_running_number(launch, kernel, dtype):
    values = np.array(edges(dtype), dtype.numpy)
    for n in NUMBERS:
        out = np.zeros((len(values), len(results(1, 1))), np.int64)
        launch(kernel, values, values, out, n, grid=len(values))
        assert out.tolist() == [list(map(int, results(int(x), n))) for x in values], n


@pytest.mark.parametrize("dtype", NARROW_INTEGERS, ids=str)
def test_items_of_a_constant_tuple_are_running_numbers(launch, dtype):
    values = np.array(edges(dtype), dtype.numpy)
    for j, n in enumerate(TAPS):
        out = np.zeros((len(values), len(results(1, 1))), np.int64)
        launch(with_item, values, values, out, j, grid=len(values))
        assert out.tolist() == [list(map(int, results(int(x), n))) for x in values], n


@pytest.mark.parametrize("dtype", [dtypes.int8, dtypes.uint8], ids=str)
def test_a_name_that_starts_as_a_literal_stays_wide(launch, dtype):
    values = np.array(edges(dtype), dtype.numpy)
    numbers = values[values != 0]
    for j, n in enumerate(numbers.tolist()):
        out = np.zeros((len(values), len(results(1, 1))), np.int64)
        launch(with_name, values, numbers, out, j, grid=len(values))
        assert out.tolist() == [list(map(int, results(int(x), n))) for x in values], n


@sm.kernel
def whole(a, b, out):
    i = sm.thread_position_in_grid().x
    x, y = int(a[i]), int(b[i])
    out[i, 0] = x + y
    out[i, 1] = x - y
    out[i, 2] = abs(x - y)
    out[i, 3] = x * y
    out[i, 4] = -x


@pytest.mark.parametrize("dtype", [d for d in dtypes.INTEGERS if d.bits <= 16], ids=str)
def test_int_of_a_narrow_integer_is_wide(launch, dtype):
    pairs = np.array(list(itertools.product(edges(dtype), repeat=2)), dtype.numpy)
    out = np.zeros((len(pairs), 5), np.int64)
    a, b = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
    launch(whole, a, b, out, grid=len(pairs))
    want = [(x + y, x - y, abs(x - y), x * y, -x) for x, y in pairs.tolist()]
    assert out.tolist() == list(map(list, want))


def test_int_of_a_bool_and_of_uint32(launch):
    out = np.zeros((4, 5), np.int64)
    flags = np.array([False, False, True, True])
    launch(whole, flags, flags[::2].repeat(2)[::-1].copy(), out, grid=4)
    assert out[:, 1].tolist() == [-1, -1, 1, 1]
    top = np.array([2**32 - 1, 0], np.uint32)
    out = np.zeros((2, 5), np.int64)
    launch(whole, top, top[::-1].copy(), out, grid=2)
    assert out[:, 1].tolist() == [2**32 - 1, 1 - 2**32]


@sm.kernel
def sums(a, out):
    s = 0
    for k in range(a.size):
        s += a[k]
    out[0] = s
    weighted = 0
    for k in range(a.size):
        weighted += a[k] * k
    out[1] = weighted
    least = 1000
    for k in range(a.size):
        if a[k] == 3:
            least = a[k]
    out[2] = least
    out[3] = sum((a[0], a[1], a[2]))


@pytest.mark.parametrize("dtype", NARROW_INTEGERS, ids=str)
def test_accumulators_of_narrow_integers(launch, dtype):
    a = np.full(200, dtype.maximum, dtype.numpy)
    a[7] = 3
    out = np.zeros(4, np.int64)
    launch(sums, a, out, grid=1)
    wide = a.astype(np.int64)
    assert out.tolist() == [wide.sum(), (wide * np.arange(200)).sum(), 3, wide[:3].sum()]


@sm.kernel
def float_sums(a, b, out):
    total = 0.0
    for k in range(a.size):
        total += a[k] * b[k]
    out[0] = total
    count = 0
    for k in range(a.size):
        count += a[k]
    out[1] = count
    largest = 0.0
    for k in range(a.size):
        largest = max(largest, a[k])
    out[2] = largest + 2048.0


@pytest.mark.parametrize("dtype", NARROW_FLOATS, ids=str)
def test_accumulators_of_narrow_floats_are_float32(launch, dtype):
    a = np.ones(5000, dtype.numpy)
    out = np.zeros(3, np.float32)
    launch(float_sums, a, a, out, grid=1)
    assert out.tolist() == [5000.0, 5000.0, 2049.0]


@sm.kernel
def scaled(a, out, factor):
    i = sm.thread_position_in_grid().x
    out[i, 0] = float(a[i]) * float(a[i])
    out[i, 1] = a[i] * factor
    out[i, 2] = 2.0 * a[i]  # a literal in an expression: rounded to the type of a


@pytest.mark.parametrize("dtype", NARROW_FLOATS, ids=str)
def test_floats_of_the_running_program_are_float32(launch, dtype):
    a = np.array([300.0, 3.0], dtype.numpy)
    out = np.zeros((2, 3), np.float32)
    launch(scaled, a, out, 1.0 + 2**-20, grid=2)
    exact = a.astype(np.float32)
    assert out[:, 0].tolist() == (exact * exact).tolist()
    assert out[:, 1].tolist() == (exact * np.float32(1.0 + 2**-20)).tolist()
    assert out[:, 2].tolist() == (2 * a).astype(np.float32).tolist()


@sm.kernel
def either(a, out, n, w, like):
    name = w
    for i in range(n):
        name = a[i] if i % 2 == 0 else w
        out[i] = name


@pytest.mark.parametrize("dtype", [d for d in dtypes.FLOATS if d.bits <= 32], ids=str)
def test_a_name_holds_narrow_floats_and_a_wide_number(launch, dtype):
    """Beside a float64, Python's floats are one."""
    out = np.zeros(4, np.float32)
    launch(either, np.arange(4).astype(dtype.numpy), out, 4, 0.5, np.float64(1), grid=1)
    assert out.tolist() == [0, 0.5, 2, 0.5]


def test_a_name_has_the_type_of_none_of_three():
    """int8 and a number are a number, that and uint32 are uint32, which int8 may not become."""

    @sm.kernel
    def three(a, b, out, n):
        name = a[0]
        for i in range(3):
            if i == 1:
                name = n
            elif i == 2:
                name = b[0]
            out[i] = name

    found = "expected uint32 for 'name', as in line \\d+, found int8"
    with pytest.raises(sm.CompileError, match=found):
        sm.code(three, sm.zeros(1, "i8"), sm.zeros(1, "u32"), sm.zeros(3), 1)


@sm.kernel
def beside_large(a, out, n):
    i = sm.thread_position_in_grid().x
    out[i, 0] = a[i] + n
    out[i, 1] = a[i] < n
    out[i, 2] = n - a[i]
    out[i, 3] = min(a[i], n)


@pytest.mark.parametrize("n", [2**40, -(2**40), 2**31, -(2**31) - 1])
@pytest.mark.parametrize("dtype", [d for d in dtypes.INTEGERS if d.bits <= 32], ids=str)
def test_a_number_beyond_32_bits_is_int64(launch, dtype, n):
    a = np.array(edges(dtype), dtype.numpy)
    out = np.zeros((len(a), 4), np.int64)
    launch(beside_large, a, out, n, grid=len(a))
    assert out.tolist() == [[x + n, x < n, n - x, min(x, n)] for x in a.tolist()]


@sm.kernel
def kept(a, out, n):
    i = sm.thread_position_in_grid().x
    out[i, 0] = a[i] + n
    out[i, 1] = a[i] * 2


@pytest.mark.parametrize("dtype", [dtypes.uint32, dtypes.uint64, dtypes.int64], ids=str)
def test_a_running_number_takes_types_of_32_bits_and_more(launch, dtype):
    a = np.array(edges(dtype), dtype.numpy)
    out = np.zeros((len(a), 2), dtype.numpy)
    launch(kept, a, out, 5, grid=len(a))
    wrapped = [[(x + 5) % 2**dtype.bits, (2 * x) % 2**dtype.bits] for x in a.tolist()]
    assert (out.astype(np.uint64) % np.uint64(2 ** (dtype.bits - 1))).tolist() == [
        [p % 2 ** (dtype.bits - 1), q % 2 ** (dtype.bits - 1)] for p, q in wrapped
    ]


@sm.kernel
def of_numpy(a, out, n):
    i = sm.thread_position_in_grid().x
    out[i] = a[i] + n


def test_numpy_scalars_keep_their_type(launch):
    out = np.zeros(1, np.int64)
    launch(of_numpy, np.array([255], np.uint8), out, np.uint8(3), grid=1)
    assert out.tolist() == [2]


def clipped(x, low):
    if x < low:
        return 0.0
    return x


@sm.kernel
def of_results(a, out):
    i = sm.thread_position_in_grid().x
    out[i] = clipped(a[i], 0) + (a[i] if a[i] > 1 else 0.0)


def test_a_literal_among_results_takes_their_type():
    text = sm.code(of_results, "f16[:] f32[:]", stage="ir")
    assert "function clipped(x: f16) -> f16:" in text
    assert "chosen: f16 = a[i]" in text


def hashed(n):
    h = 2166136261
    for k in range(4):
        h ^= (n >> (8 * k)) & 255
        h = (h * 16777619) & 0xFFFFFFFF
    return h


def smaller(p, q):
    if p < q:
        return p
    return q


@dataclass(frozen=True)
class Limits:
    low: int
    high: int

    def with_number(self, number):
        return Limits(min(self.low, number), max(self.high, number))


@sm.kernel
def of_wide_beginnings_in_calls(a, out):
    low = 1000
    limits = Limits(1000, -1000)
    for k in range(a.size):
        low = smaller(low, a[k])
        limits = limits.with_number(a[k])
    out[0], out[1], out[2] = low, limits.low, limits.high


def test_so_may_one_that_a_called_function_meets(launch):
    out = np.zeros(3, np.int64)
    launch(of_wide_beginnings_in_calls, np.array([9, 4, 200], np.uint8), out, grid=1)
    assert out.tolist() == [4, 4, 200]


@sm.kernel
def of_wide_beginnings(a, out):
    i = sm.thread_position_in_grid().x
    low, high = 256, -1
    limits = (300, -300)
    for k in range(a.size):
        low, high = min(low, a[k]), max(high, a[k])
        limits = min(limits[0], a[k]), max(limits[1], a[k])
    left = 1000
    while left > a[0]:
        left = left // a[1]
    rest = 1000
    rest -= a[0]
    out[0], out[1], out[2], out[3], out[4], out[5] = low, high, left, rest, *limits
    out[6] = hashed(i + 3)


def test_a_constant_wider_than_what_it_meets_may_begin_a_name_that_changes(launch):
    out = np.zeros(7, np.int64)
    launch(of_wide_beginnings, np.array([9, 4, 200], np.uint8), out, grid=1)
    assert out.tolist() == [4, 200, 3, 991, 4, 200, hashed(3)]


def test_one_that_does_not_change_is_an_error():
    @sm.kernel
    def kernel(a, out):
        base = 1000
        same = 1
        same = same - a[0] * base
        out[0] = base - a[0]
        out[1] = same

    with pytest.raises(sm.CompileError) as caught:
        sm.code(kernel, "u8[:] i32[:]", stage="ir")
    message = "the constant 1000 does not fit into uint8, which holds 0 to 255"
    assert str(caught.value).count(message) == str(caught.value).count("error: ") == 2
