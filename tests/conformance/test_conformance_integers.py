"""Operators of integers and all conversions, against Python's own numbers.

Each is written for operands that vary over threads, that all threads share, and that are constants:
targets have code of their own for each. One kernel has all operators of a type.
"""

from __future__ import annotations

import functools
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

import speedmetal as sm
from speedmetal import dtypes

INTEGERS = pytest.mark.parametrize("dtype", dtypes.INTEGERS, ids=str)


def wrapped(value: int, dtype) -> int:
    return (value - dtype.minimum) % (1 << dtype.bits) + dtype.minimum


# --- Operators -------------------------------------------------------------------------------


def results(a, b):
    return (
        a + b,
        a - b,
        a * b,
        a // b,
        a % b,
        a & b,
        a | b,
        a ^ b,
        a << b,
        a >> b,
        -a,
        ~a,
        +a,
        abs(a),
    )


def meanings(a: int, b: int, bits: int) -> tuple[int, ...]:
    """Of `results`, before they wrap: 0 for what is divided by 0 or shifted too far."""
    is_far = not 0 <= b < bits
    return (
        *(a + b, a - b, a * b, a // b if b else 0, a % b if b else 0, a & b, a | b, a ^ b),
        *(0 if is_far else a << b, a >> (bits if is_far else b), -a, ~a, a, abs(a)),
    )


@functools.cache
def expected(a: int, b: int, dtype) -> list[int]:
    return [wrapped(value, dtype) for value in meanings(a, b, dtype.bits)]


def edges(dtype) -> list[int]:
    near = [0, 1, 2, 3, 5, 7, 8, dtype.bits - 1, dtype.bits, dtype.bits + 1, 100]
    far = [dtype.maximum, dtype.maximum - 1, dtype.maximum // 2 + 1, dtype.minimum]
    values = (v * sign for v in (*near, *far, dtype.minimum + 1) for sign in (1, -1))
    return sorted({wrapped(value, dtype) for value in values})


@sm.kernel
def of_threads(a, b, out):
    i = sm.thread_position_in_grid().x
    for k, result in enumerate(results(a[i], b[i])):
        out[i, k] = result


@sm.kernel
def of_a_shared_right(a, b, out):
    i = sm.thread_position_in_grid().x
    for k, result in enumerate(results(a[i], b)):
        out[i, k] = result


@sm.kernel
def of_a_shared_left(a, b, out):
    i = sm.thread_position_in_grid().x
    for k, result in enumerate(results(a, b[i])):
        out[i, k] = result


@sm.kernel
def of_one_thread(a, b, out):
    for i in range(a.size):
        for k, result in enumerate(results(a[i], b[i])):
            out[i, k] = result


@INTEGERS
@pytest.mark.parametrize("kernel", [of_threads, of_one_thread], ids=str)
def test_operators(launch, kernel, dtype):
    """Of every pair of edges, and of others."""
    pairs = list(itertools.product(edges(dtype), repeat=2))
    random = np.random.default_rng(1)
    others = random.integers(dtype.minimum, dtype.maximum, (300, 2), dtype.numpy, endpoint=True)
    pairs += others.tolist()
    a, b = np.array(pairs, dtype.numpy).T
    out = np.zeros((len(pairs), len(expected(0, 0, dtype))), dtype.numpy)
    launch(kernel, a, b, out, grid=1 if kernel is of_one_thread else len(pairs))
    for pair, row in zip(pairs, out.tolist(), strict=True):
        assert row == expected(*pair, dtype), pair


@INTEGERS
def test_operators_with_an_operand_that_all_threads_share(launch, dtype):
    values = edges(dtype)
    array = np.array(values, dtype.numpy)
    for shared in values[:: 1 if dtype.bits == 32 else 3]:
        scalar = dtype.numpy.type(shared)
        out = np.zeros((2, len(values), len(expected(0, 0, dtype))), dtype.numpy)
        launch(of_a_shared_right, array, scalar, out[0], grid=len(values))
        launch(of_a_shared_left, scalar, array, out[1], grid=len(values))
        assert out[0].tolist() == [expected(value, shared, dtype) for value in values], shared
        assert out[1].tolist() == [expected(shared, value, dtype) for value in values], shared


@INTEGERS
def test_operators_with_constants(launch, dtype):
    """Compilers divide by them without a division; by the least, too."""
    some = (1, -1, 2, -2, 3, 7, -7, 8, 10, 16, -64, 100, dtype.minimum, dtype.maximum)
    divisors = tuple(sorted({wrapped(value, dtype) for value in some} - {0}))
    counts = (0, 1, dtype.bits - 1, dtype.bits, dtype.bits + 8)

    @sm.kernel
    def by_constants(a, quotients, left, right):
        i = sm.thread_position_in_grid().x
        for k, divisor in enumerate(divisors):
            quotients[i, k, 0] = a[i] // divisor
            quotients[i, k, 1] = a[i] % divisor
        for k, count in enumerate(counts):
            left[i, k] = a[i] << count
            right[i, k] = a[i] >> count

    values = [*edges(dtype), *range(40)]
    quotients = np.zeros((len(values), len(divisors), 2), dtype.numpy)
    left, right = np.zeros((2, len(values), len(counts)), dtype.numpy)
    a = np.array(values, dtype.numpy)
    launch(by_constants, a, quotients, left, right, grid=len(values))
    for k, divisor in enumerate(divisors):
        wanted = [[wrapped(v // divisor, dtype), wrapped(v % divisor, dtype)] for v in values]
        assert quotients[:, k].tolist() == wanted, divisor
    for k, count in enumerate(counts):
        is_far = count >= dtype.bits
        assert left[:, k].tolist() == [0 if is_far else wrapped(v << count, dtype) for v in values]
        assert right[:, k].tolist() == [v >> count for v in values], count


# --- Conversions -----------------------------------------------------------------------------

# Bits of the significand, least and greatest exponent (IEEE 754-2008, table 3.2; bfloat16 has
# float32's exponents).
FORMATS = {
    sm.float16: (11, -14, 15),
    sm.bfloat16: (8, -126, 127),
    sm.float32: (24, -126, 127),
    sm.float64: (53, -1022, 1023),
}
SCALARS = (sm.bool_, *dtypes.INTEGERS, *dtypes.FLOATS)
TARGETS = {"float64": (sm.float64,), "others": tuple(d for d in SCALARS if d is not sm.float64)}
"""Metal has all but one."""


def nearest(value: float, dtype) -> float:
    """A number in a float type, rounded once, half to even."""
    if isinstance(value, float) and (not math.isfinite(value) or not value):
        return value
    if not value:
        return 0.0
    precision, least, greatest = FORMATS[dtype]
    exact = Fraction(value)
    exponent = math.frexp(float(abs(exact)))[1] - 1
    exponent -= Fraction(2) ** exponent > abs(exact)  # float() may have rounded up
    quantum = Fraction(2) ** (max(exponent, least) - precision + 1)
    rounded = round(exact / quantum) * quantum
    if abs(rounded) >= Fraction(2) ** (greatest + 1):
        return math.copysign(math.inf, value)
    return math.copysign(float(rounded), value)


def converted(value: float, target, device) -> float:
    """The documented meaning: floats saturate and lose their fraction, integers wrap."""
    if target.is_bool:
        return value != 0
    if target is sm.bfloat16 and not isinstance(value, float) and device.kind != "cpu":
        return nearest(nearest(value, sm.float32), target)  # GPUs go through float32
    if target.is_float:
        return nearest(value, target)
    if not isinstance(value, float):
        return wrapped(int(value), target)
    if math.isnan(value):
        return 0
    return int(min(max(value, target.minimum), target.maximum))


def integers_of(dtype) -> list[int]:
    powers = [1 << n for n in (8, 11, 24, 25, 53, 54, 62)]
    halves = [p + e for p in powers for e in (-1, 0, 1, p >> 8, (p >> 8) + 1, p >> 11)]
    random = np.random.default_rng(2)
    others = random.integers(dtype.minimum, dtype.maximum, 100, dtype.numpy, endpoint=True)
    return [*edges(dtype), *(v for v in halves if v <= dtype.maximum), *others.tolist()]


def floats_of(dtype) -> list[float]:
    """Edges of all types, what lies halfway between two, and any bits: all sizes are as likely."""
    bounds = [float(bound) for t in dtypes.INTEGERS for bound in (t.minimum, t.maximum)]
    near = [0.0, 0.5, 1.5, 2.5, 0.999, 1e-8, 3e-41, 65504.0, 65519.9, 65520.0, 3.4e38, 1e300]
    # Halfway between two bfloat16, and a bit more than float32 can tell.
    near += [1 + 2**-8, 1 + 2**-8 + 2**-40, 1 + 3 * 2**-8, 1 + 2**-11 + 2**-45, 1 + 2**-24]
    beside = [bound + e for bound in bounds for e in (-1, -0.5, 0, 0.5, 1)]
    values = [sign * value for value in (*near, *beside) for sign in (1, -1)]
    unsigned = np.dtype(f"uint{dtype.bits}")
    bits = np.random.default_rng(3).integers(0, 2**dtype.bits - 1, 200, unsigned, endpoint=True)
    with np.errstate(over="ignore"):
        kept = np.array([*values, math.inf, -math.inf, math.nan]).astype(dtype.numpy)
    return [*kept.astype(np.float64).tolist(), *bits.view(dtype.numpy).astype(float).tolist()]


def is_subnormal(value: float, dtype) -> bool:
    return dtype.is_float and 0 < abs(value) < 2.0 ** FORMATS[dtype][1]


@functools.cache
def conversions(targets):
    """Kernels that convert to every type, by both spellings: in each thread, and in one alone."""

    @sm.kernel
    def of_threads(x, outs):
        i = sm.thread_position_in_grid().x
        for target, out in zip(targets, outs, strict=True):
            out[i, 0] = x[i].astype(target)
            out[i, 1] = target(x[i])

    @sm.kernel
    def of_one_thread(x, outs):
        for i in range(x.size):
            for target, out in zip(targets, outs, strict=True):
                out[i, 0] = x[i].astype(target)
                out[i, 1] = target(x[i])

    return of_threads, of_one_thread


@pytest.mark.parametrize("targets", TARGETS)
@pytest.mark.parametrize("source", SCALARS, ids=str)
def test_conversions(launch, device, source, targets):
    """From every type to every type: wrapped, saturated, rounded once, NaN to 0."""
    values = (
        [False, True] if source.is_bool
        else integers_of(source) if source.is_integer
        else floats_of(source)
    )  # fmt: skip
    x = np.array(values, source.numpy)
    for kernel, grid in zip(conversions(TARGETS[targets]), (x.size, 1), strict=True):
        outs = [np.zeros((x.size, 2), target.numpy) for target in TARGETS[targets]]
        launch(kernel, x, tuple(outs), grid=grid)
        for target, out in zip(TARGETS[targets], outs, strict=True):
            found = out.astype(np.float64).tolist() if target.is_float else out.tolist()
            for value, both in zip(values, found, strict=True):
                wanted = converted(value, target, device)
                if device.kind == "metal" and (
                    is_subnormal(value, source) or is_subnormal(wanted, target)
                ):
                    continue  # it may take them for 0
                assert all(same(one, wanted) for one in both), (value, target, both, wanted)


@sm.kernel
def clamped_conversions(x, out):
    """Of floats that are known to fit, or known on one side; then a branch on one of them."""
    i = sm.thread_position_in_grid().x
    value = x[i]
    near = min(max(value, -100.5), 100.5)
    out[0, i] = np.rint(near * 1.25).astype(sm.int8)
    out[1, i] = near.astype(sm.int32)
    out[2, i] = np.clip(value, 0, 255).astype(sm.uint8)
    out[3, i] = max(value, -7.5).astype(sm.int32)
    out[4, i] = min(value, 7.5).astype(sm.int64)
    out[5, i] = (near * 2.0).astype(sm.int8)
    if value > 50.0:
        part = min(value, 90.0).astype(sm.int16)
        if part > 60:
            out[6, i] = part


def test_conversions_of_clamped_floats(launch):
    ends = [-100.5, 100.5, -7.5, 7.5, 0.0, -0.0, 255.0, 255.9, 256.0, 50.0, 63.5, 90.0, 1e30, -1e30]
    x = np.array([*ends, math.nan, math.inf, -math.inf, *range(-130, 131, 7)], np.float32)
    found = np.zeros((7, x.size), np.int64)
    launch(clamped_conversions, x, found, grid=x.size)

    def cut(values, dtype):
        kept = np.clip(np.trunc(values.astype(np.float64)), dtype.minimum, dtype.maximum)
        return [0 if v != v else int(v) for v in kept]  # noqa: PLR0124

    near = np.clip(x, np.float32(-100.5), np.float32(100.5))
    part = np.array(cut(np.minimum(x, 90), sm.int16))
    np.testing.assert_array_equal(found[0], cut(np.rint(near * np.float32(1.25)), sm.int8))
    np.testing.assert_array_equal(found[1], cut(near, sm.int32))
    np.testing.assert_array_equal(found[2], cut(np.clip(x, 0, 255), sm.uint8))
    np.testing.assert_array_equal(found[3], cut(np.maximum(x, -7.5), sm.int32))
    small = np.abs(np.nan_to_num(x, posinf=0)) < 1e18  # beyond, float64 tells no int64
    np.testing.assert_array_equal(
        found[4][small], np.array(cut(np.minimum(x, 7.5), sm.int64))[small]
    )
    np.testing.assert_array_equal(found[5], cut(near * 2, sm.int8))
    np.testing.assert_array_equal(found[6], np.where((x > 50) & (part > 60), part, 0))


def same(found: float, wanted: float) -> bool:
    """Equal with the sign of a zero; NaN is equal to NaN."""
    if found != found:  # noqa: PLR0124 - true of NaN alone
        return wanted != wanted  # noqa: PLR0124
    return found == wanted and math.copysign(1, found) == math.copysign(1, wanted)
