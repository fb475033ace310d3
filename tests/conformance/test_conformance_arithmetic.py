"""Operators on numbers: Python's meaning, NumPy's results, the standard's types."""

from __future__ import annotations

import itertools
import math
import operator

import numpy as np
import pytest
from elementwise_kernels import elementwise

import speedmetal as sm
from speedmetal import dtypes

NUMBERS = (*dtypes.INTEGERS, *dtypes.FLOATS)
MIXED_PAIRS = [
    pytest.param(left, right, id=f"{left.name}-{right.name}")
    for left, right in itertools.product(dtypes.ALL, dtypes.ALL)
    if not (left.is_complex or right.is_complex)
]


def add(a, b):
    return a + b


def subtract(a, b):
    return a - b


def multiply(a, b):
    return a * b


def divide(a, b):
    return a / b


def floor_divide(a, b):
    return a // b


def remainder(a, b):
    return a % b


def quotient_and_rest(a, b):
    quotient, rest = divmod(a, b)
    return quotient * 1000 + rest


def pairs(values, dtype) -> tuple[np.ndarray, np.ndarray]:
    grid = np.array(list(itertools.product(values, repeat=2)), dtype=object)
    return grid[:, 0].astype(dtype.numpy), grid[:, 1].astype(dtype.numpy)


def integers_of(dtype) -> list[int]:
    values = [0, 1, 2, 3, 7, 100, dtype.maximum, dtype.maximum - 1, dtype.minimum]
    return values + ([-1, -2, -3, -7, -100, dtype.minimum + 1] if dtype.is_signed else [])


def floats_of(dtype) -> list[float]:
    return [0.0, -0.0, 1.0, -1.0, 0.1, 3.0, -2.5, 7.25, 1e4, math.inf, -math.inf, math.nan]


def wrapped(value: int, dtype) -> int:
    value &= (1 << dtype.bits) - 1
    return value - (1 << dtype.bits) if dtype.is_signed and value > dtype.maximum else value


def apply(launch, function, *columns, result) -> np.ndarray:
    out = np.zeros(columns[0].size, result.numpy)
    launch(elementwise(function, len(columns)), *columns, out, grid=out.size)
    return out


def assert_same(found: np.ndarray, wanted: np.ndarray) -> None:
    """Equal values, of one type; NaN is equal to NaN, of bfloat16 as well."""
    assert found.dtype == wanted.dtype
    if found.dtype == sm.bfloat16.numpy:
        found, wanted = found.astype(np.float32), wanted.astype(np.float32)
    np.testing.assert_array_equal(found, wanted)


# --- Integers --------------------------------------------------------------------------------


def test_divmod_is_both(launch):
    a, b = pairs([-7, -6, -1, 0, 1, 6, 7], sm.int32)
    b[b == 0] = 3
    wanted = (a // b) * 1000 + a % b
    assert apply(launch, quotient_and_rest, a, b, result=sm.int32).tolist() == wanted.tolist()


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 4, 5, 13])
def test_integer_powers_by_constants_wrap(launch, exponent):
    values = np.array([-3, -2, -1, 0, 1, 2, 3, 1000, -99999], np.int32)

    def raised(a):
        return a**exponent

    wanted = [wrapped(int(x) ** exponent, sm.int32) for x in values]
    assert apply(launch, raised, values, result=sm.int32).tolist() == wanted


# --- Floats ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", dtypes.FLOATS, ids=str)
@pytest.mark.parametrize(
    ("ours", "ufunc"),
    [(add, np.add), (subtract, np.subtract), (multiply, np.multiply), (divide, np.divide)],
    ids=lambda f: f.__name__,
)
def test_float_operations_are_rounded_once_to_their_type(launch, ours, ufunc, dtype):
    random = np.random.default_rng(3)
    values = [*floats_of(dtype), *random.normal(size=20), *random.normal(size=8) * 1e3]
    a, b = pairs(values, dtype)
    with np.errstate(all="ignore"):
        wanted = ufunc(a, b)
    found = apply(launch, ours, a, b, result=dtype)
    assert_same(found, wanted)
    np.testing.assert_array_equal(np.signbit(found[wanted == 0]), np.signbit(wanted[wanted == 0]))


@pytest.mark.parametrize("dtype", [sm.float32, sm.float64], ids=str)
@pytest.mark.parametrize(
    ("ours", "ufunc"), [(floor_divide, np.floor_divide), (remainder, np.remainder)]
)
def test_float_division_with_rest_is_numpys(launch, ours, ufunc, dtype):
    a, b = pairs(floats_of(dtype), dtype)
    with np.errstate(all="ignore"):
        wanted = ufunc(a, b)
    np.testing.assert_array_equal(apply(launch, ours, a, b, result=dtype), wanted)


def test_products_and_sums_are_contracted_the_same_everywhere(launch):
    random = np.random.default_rng(5)
    a, b, c = random.normal(size=(3, 200)).astype(np.float32)
    wanted = sm.fma(a, b, c)

    def multiply_add(x, y, z):
        return x * y + z

    def other_way(x, y, z):
        return z + x * y

    for function in (multiply_add, other_way):
        np.testing.assert_array_equal(apply(launch, function, a, b, c, result=sm.float32), wanted)

    def difference(x, y, z):
        return z - x * y

    found = apply(launch, difference, a, b, c, result=sm.float32)
    np.testing.assert_array_equal(found, sm.fma(-a, b, c))


@sm.kernel
def compared(a, b, out):
    i = sm.thread_position_in_grid().x
    out[0, i] = a[i] < b[i]
    out[1, i] = a[i] <= b[i]
    out[2, i] = a[i] > b[i]
    out[3, i] = a[i] >= b[i]
    out[4, i] = a[i] == b[i]
    out[5, i] = a[i] != b[i]


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
def test_comparisons(launch, dtype):
    values = floats_of(dtype) if dtype.is_float else integers_of(dtype)
    a, b = pairs(values, dtype)
    found = np.zeros((6, a.size), np.bool_)
    launch(compared, a, b, found, grid=a.size)
    relations = (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(found, [relation(a, b) for relation in relations])


# --- Types -----------------------------------------------------------------------------------


def name_of(a, b):
    """The number of the type of a sum."""
    c = a + b
    return (
        1 if c.dtype == sm.int8 else 2 if c.dtype == sm.int16 else 3 if c.dtype == sm.int32
        else 4 if c.dtype == sm.int64 else 5 if c.dtype == sm.uint8 else 6 if c.dtype == sm.uint16
        else 7 if c.dtype == sm.uint32 else 8 if c.dtype == sm.uint64
        else 9 if c.dtype == sm.float16 else 10 if c.dtype == sm.bfloat16
        else 11 if c.dtype == sm.float32 else 12
    )  # fmt: skip


@pytest.mark.parametrize(("left", "right"), MIXED_PAIRS)
def test_promotion_is_the_table(launch, left, right):
    a, b = np.ones(1, left.numpy), np.ones(1, right.numpy)
    common = dtypes.promote(left, right)
    if common is None:
        with pytest.raises(sm.CompileError, match=f"no common type for {left} and {right}"):
            apply(launch, name_of, a, b, result=sm.int32)
        return
    if common.is_bool:
        common = sm.int32  # a sum of truths counts
    number = dtypes.ALL.index(common)
    assert apply(launch, name_of, a, b, result=sm.int32).tolist() == [number]


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
def test_literals_take_the_type_of_the_others(launch, dtype):
    values = np.array([0, 1, 2, 5], dtype.numpy)

    def doubled(a):
        b = 2 * a + 1
        assert b.dtype == a.dtype  # both are constants here
        return b

    np.testing.assert_array_equal(apply(launch, doubled, values, result=dtype), 2 * values + 1)


@pytest.mark.parametrize("dtype", dtypes.INTEGERS, ids=str)
def test_a_float_literal_makes_an_integer_float32(launch, dtype):
    values = np.array([0, 1, 2, 5], dtype.numpy)

    def halved(a):
        return a * 0.5

    found = apply(launch, halved, values, result=sm.float32)
    np.testing.assert_array_equal(found, values.astype(np.float32) / 2)


def test_constants_are_computed_exactly_before_they_meet_a_type(launch):
    values = np.ones(3, np.float64)

    def scaled(a):
        return a * (2 * math.pi / 3)

    found = apply(launch, scaled, values, result=sm.float64)
    assert found.tolist() == [2 * math.pi / 3] * 3


def test_a_literal_that_does_not_fit_is_an_error(launch):
    with pytest.raises(sm.CompileError, match="the constant 300 does not fit into int8"):
        apply(launch, lambda a: a + 300, np.zeros(1, np.int8), result=sm.int8)


def test_true_division_of_integers_is_float32(launch):
    a, b = pairs([-7, -1, 0, 1, 3, 8], sm.int32)
    with np.errstate(all="ignore"):
        wanted = a.astype(np.float32) / b.astype(np.float32)
    np.testing.assert_array_equal(apply(launch, divide, a, b, result=sm.float32), wanted)


# --- Conversions -----------------------------------------------------------------------------


def test_rounding_to_integers(launch):
    values = np.array([-2.5, -1.5, -1.2, -0.5, 0.5, 1.5, 2.5, 2.7, 1e20, -1e20, np.nan], np.float32)
    top, bottom = 2**31 - 1, -(2**31)
    cases = {
        int: [-2, -1, -1, 0, 0, 1, 2, 2, top, bottom, 0],
        round: [-2, -2, -1, 0, 0, 2, 2, 3, top, bottom, 0],
        math.floor: [-3, -2, -2, -1, 0, 1, 2, 2, top, bottom, 0],
        math.ceil: [-2, -1, -1, 0, 1, 2, 3, 3, top, bottom, 0],
        math.trunc: [-2, -1, -1, 0, 0, 1, 2, 2, top, bottom, 0],
    }
    for function, wanted in cases.items():
        found = apply(launch, lambda a, f=function: f(a), values, result=sm.int32)
        assert found.tolist() == wanted, function


@pytest.mark.parametrize(
    ("source", "target"),
    [(sm.float32, sm.uint32), (sm.int64, sm.float64), (sm.uint16, sm.float16), (sm.int8, sm.uint8)],
    ids=str,
)
def test_bitcasts_keep_the_bits(launch, source, target):
    values = np.array([0, 1, 2, 100, 77], source.numpy)
    found = apply(launch, lambda a: sm.bitcast(a, target), values, result=target)
    np.testing.assert_array_equal(found.view(np.uint8), values.view(np.uint8))


ZERO, LARGE = 0.0, 1e200


def constants_beyond_numbers(x):
    """What Python has no value for, as IEEE has it."""
    return (
        LARGE * LARGE, LARGE**2, (-LARGE) ** 3, math.exp(1000), math.log(0), pow(10.0, 400),
        math.ldexp(1.0, 5000), x / ZERO, -x / ZERO, x / -ZERO, (x - x) / ZERO, x % ZERO,
    )  # fmt: skip


def test_constants_beyond_numbers(launch):
    inf, nan = np.inf, np.nan
    wanted = [inf, inf, -inf, inf, -inf, inf, inf, inf, -inf, -inf, nan, nan]

    @sm.kernel
    def store(out):
        for number, value in enumerate(constants_beyond_numbers(out[0])):
            out[number] = value

    out = np.ones(len(wanted), np.float32)
    with np.errstate(all="raise"):
        launch(store, out, grid=1)
    np.testing.assert_array_equal(out, wanted)


def test_an_assertion_that_cannot_hold_is_seen(launch):
    with pytest.raises(AssertionError):
        test_float_operations_are_rounded_once_to_their_type(launch, add, np.subtract, sm.float32)
