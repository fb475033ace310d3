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


def both(a, b):
    return a & b


def either(a, b):
    return a | b


def one_of(a, b):
    return a ^ b


def left_shift(a, b):
    return a << b


def right_shift(a, b):
    return a >> b


def power(a, b):
    return a**b


def quotient_and_rest(a, b):
    quotient, rest = divmod(a, b)
    return quotient * 1000 + rest


COMPARISONS = {
    operator.lt: lambda a, b: a < b,
    operator.le: lambda a, b: a <= b,
    operator.gt: lambda a, b: a > b,
    operator.ge: lambda a, b: a >= b,
    operator.eq: lambda a, b: a == b,
    operator.ne: lambda a, b: a != b,
}


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


@pytest.mark.parametrize("dtype", dtypes.INTEGERS, ids=str)
@pytest.mark.parametrize(
    ("ours", "exact"),
    [(add, operator.add), (subtract, operator.sub), (multiply, operator.mul),
     (both, operator.and_), (either, operator.or_), (one_of, operator.xor)],
    ids=lambda f: f.__name__,
)  # fmt: skip
def test_integers_wrap(launch, ours, exact, dtype):
    a, b = pairs(integers_of(dtype), dtype)
    wanted = [wrapped(exact(int(x), int(y)), dtype) for x, y in zip(a, b, strict=True)]
    assert apply(launch, ours, a, b, result=dtype).tolist() == wanted


@pytest.mark.parametrize("dtype", dtypes.INTEGERS, ids=str)
@pytest.mark.parametrize(
    ("ours", "exact"), [(floor_divide, operator.floordiv), (remainder, operator.mod)]
)
def test_integer_division_has_pythons_signs_and_gives_0_by_0(launch, ours, exact, dtype):
    a, b = pairs(integers_of(dtype), dtype)
    wanted = [wrapped(exact(int(x), int(y)), dtype) if y else 0 for x, y in zip(a, b, strict=True)]
    assert apply(launch, ours, a, b, result=dtype).tolist() == wanted


@pytest.mark.parametrize("divisor", [1, 2, 3, 7, 8, 10, -1, -2, -3, -8, 1000, 2**31 - 1, -(2**31)])
def test_division_by_constants_has_pythons_signs(launch, divisor):
    values = np.array([*integers_of(sm.int32), *range(-40, 40)], np.int32)

    def quotient(a):
        return a // divisor

    def rest(a):
        return a % divisor

    for function, exact in ((quotient, operator.floordiv), (rest, operator.mod)):
        wanted = [wrapped(exact(int(x), divisor), sm.int32) for x in values]
        assert apply(launch, function, values, result=sm.int32).tolist() == wanted


@pytest.mark.parametrize("dtype", dtypes.INTEGERS, ids=str)
def test_shifts_by_the_width_or_more_leave_zeros_or_signs(launch, dtype):
    counts = [0, 1, 2, dtype.bits - 1, dtype.bits, min(dtype.bits + 5, 127), 127]
    grid = list(itertools.product(integers_of(dtype), counts))
    a = np.array([x for x, _ in grid], dtype.numpy)
    b = np.array([y for _, y in grid], dtype.numpy)
    left = [wrapped(x << y, dtype) for x, y in grid]
    assert apply(launch, left_shift, a, b, result=dtype).tolist() == left
    right = [x >> y for x, y in grid]
    assert apply(launch, right_shift, a, b, result=dtype).tolist() == right


@pytest.mark.parametrize("count", [0, 1, 31, 32, 40])
def test_shifts_by_constants(launch, count):
    values = np.array(integers_of(sm.int32), np.int32)

    def left(a):
        return a << count

    def right(a):
        return a >> count

    wanted = [wrapped(int(x) << count, sm.int32) for x in values]
    assert apply(launch, left, values, result=sm.int32).tolist() == wanted
    wanted = [int(x) >> count for x in values]
    assert apply(launch, right, values, result=sm.int32).tolist() == wanted


def test_divmod_is_both(launch):
    a, b = pairs([-7, -6, -1, 0, 1, 6, 7], sm.int32)
    b[b == 0] = 3
    wanted = (a // b) * 1000 + a % b
    assert apply(launch, quotient_and_rest, a, b, result=sm.int32).tolist() == wanted.tolist()


@pytest.mark.parametrize("dtype", dtypes.INTEGERS, ids=str)
def test_unary_operators_of_integers(launch, dtype):
    values = np.array(integers_of(dtype), dtype.numpy)
    operators = [(lambda a: -a, operator.neg), (lambda a: ~a, operator.invert),
                 (lambda a: +a, operator.pos), (abs, abs)]  # fmt: skip
    for ours, exact in operators:
        wanted = [wrapped(exact(int(x)), dtype) for x in values]
        assert apply(launch, ours, values, result=dtype).tolist() == wanted


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


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
@pytest.mark.parametrize("relation", COMPARISONS, ids=lambda f: f.__name__)
def test_comparisons(launch, relation, dtype):
    values = floats_of(dtype) if dtype.is_float else integers_of(dtype)
    a, b = pairs(values, dtype)
    found = apply(launch, COMPARISONS[relation], a, b, result=sm.bool_)
    with np.errstate(invalid="ignore"):
        wanted = relation(a, b)
    np.testing.assert_array_equal(found, wanted)


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

CONVERSIONS = [
    pytest.param(source, target, id=f"{source.name}-{target.name}")
    for source, target in itertools.product(dtypes.ALL, dtypes.ALL)
    if not (source.is_complex or target.is_complex)
]


def converted(values: np.ndarray, target) -> np.ndarray:
    """The documented meaning: floats saturate and lose their fraction, integers wrap."""
    if values.dtype.kind in "iub" or target.is_float or target.is_bool:
        with np.errstate(all="ignore"):
            return values.astype(target.numpy)
    wide = [float(v) for v in values]
    whole = [
        0 if math.isnan(v) else max(target.minimum, min(target.maximum, int(v)))
        if math.isfinite(v) else target.maximum if v > 0 else target.minimum
        for v in wide
    ]  # fmt: skip
    return np.array(whole, target.numpy)


@pytest.mark.parametrize(("source", "target"), CONVERSIONS)
def test_conversions(launch, source, target):
    if source.is_float:
        special = [*floats_of(source), 127.9, -128.9, 255.5, 40000.0, -3e9, 5e9, 1e19, -1e19, 0.99]
        with np.errstate(over="ignore"):
            values = np.array(special).astype(source.numpy)
    else:
        edges = [False, True] if source.is_bool else integers_of(source)
        values = np.array(edges, source.numpy)

    def by_method(a):
        return a.astype(target)

    def by_call(a):
        return target(a)

    wanted = converted(values, target)
    for function in (by_method, by_call):
        assert_same(apply(launch, function, values, result=target), wanted)


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
        test_integers_wrap(launch, add, operator.sub, sm.int32)
