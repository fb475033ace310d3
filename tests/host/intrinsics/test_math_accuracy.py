"""Compiled functions keep their error bounds, over all exponents and at every special value.

The references are NumPy's and Python's float64 functions, and mpmath where float64 is tested. The
exhaustive measurement, over all 2**32 floats, is ``python benchmarks/accuracy.py``.
"""

import math

import mpmath
import numpy as np
import pytest

import speedmetal as sm
from speedmetal.intrinsics import TABLE
from speedmetal.intrinsics.accuracy import make_stratified_floats, ulp_errors
from speedmetal.intrinsics.record import IntrinsicKind, Result

pytestmark = pytest.mark.tier("default")

FUNCTIONS = [r for r in TABLE.values() if r.kind is IntrinsicKind.MATH and r.ulp > 0]
UNARY = [r for r in FUNCTIONS if r.arity == 1]
BINARY = [r for r in FUNCTIONS if r.arity == 2]
ODD = (
    *("sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh"),
    *("expm1", "log1p", "cbrt", "erf", "erfinv", "sinpi", "tanpi"),
)
# Their references go through Python, one number at a time.
SLOW = {"sinpi", "cospi", "tanpi", "erf", "erfc", "erfinv", "gamma", "lgamma"}
EDGES = np.array(
    [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, math.inf, -math.inf, math.nan],
    np.float32,
)


def _identifier(record):
    return record.name


def _sample(per_exponent):
    random = np.random.default_rng(3)
    moderate = random.uniform(-12, 12, per_exponent * 64).astype(np.float32)
    return np.concatenate([EDGES, make_stratified_floats(np.float32, per_exponent), moderate])


def _worst(result, exact, *operands):
    errors = ulp_errors(result, exact)
    place = int(np.argmax(errors))
    return errors[place], [float(x[place]) for x in operands], result[place], exact[place]


@pytest.mark.parametrize("record", UNARY, ids=_identifier)
def test_float32_is_within_its_bound_at_every_exponent(record, compiled):
    x = _sample(96 if record.name in SLOW else 2048)
    with np.errstate(all="ignore"):
        exact = np.asarray(record.reference(x.astype(np.float64)))
    result = compiled(record.name, x)
    if record.name == "lgamma":  # tested for absolute errors left of 0 below
        exact, result, x = exact[~(x < 0)], result[~(x < 0)], x[~(x < 0)]
    worst = _worst(result, exact, x)
    assert worst[0] <= record.ulp, worst


@pytest.mark.parametrize("name", sorted(SLOW - {"lgamma"}))
def test_float32_is_within_its_bound_of_float64(name, compiled):
    """As many floats as of the others, against the float64 function, which has its own tests."""
    x = _sample(2048)
    with np.errstate(all="ignore"):
        wide = x.astype(np.float64)
    worst = _worst(compiled(name, x), compiled(name, wide), x)
    assert worst[0] <= TABLE[name].ulp, worst


@pytest.mark.parametrize("record", BINARY, ids=_identifier)
def test_float32_of_two_operands_is_within_its_bound(record, compiled):
    random = np.random.default_rng(4)
    pool = np.concatenate([_sample(64), np.repeat(EDGES, 300)])
    a, b = random.choice(pool, 1 << 20), random.choice(pool, 1 << 20)
    with np.errstate(all="ignore"):
        exact = np.asarray(record.reference(a.astype(np.float64), b.astype(np.float64)))
    worst = _worst(compiled(record.name, a, b), exact, a, b)
    assert worst[0] <= record.ulp, worst


@pytest.mark.parametrize("record", BINARY, ids=_identifier)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_special_values_of_two_operands(record, dtype, compiled):
    a, b = (grid.ravel().astype(dtype) for grid in np.meshgrid(EDGES, EDGES))
    with np.errstate(all="ignore"):
        expected = record.reference(a, b)
    result = compiled(record.name, a, b)
    np.testing.assert_allclose(result, expected, rtol=1e-6)
    zeros = expected == 0
    np.testing.assert_array_equal(np.signbit(result[zeros]), np.signbit(expected[zeros]))


def _mpmath(name):
    return {
        "log2": lambda x: mpmath.log(x) / mpmath.log(2),
        "exp2": lambda x: mpmath.mpf(2) ** x,
        "exp10": lambda x: mpmath.mpf(10) ** x,
        "tanpi": lambda x: mpmath.sinpi(x) / mpmath.cospi(x),
        "rsqrt": lambda x: 1 / mpmath.sqrt(x),
        "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
        "lgamma": lambda x: mpmath.log(abs(mpmath.gamma(x))),
    }.get(name) or getattr(mpmath, name)


_DOUBLE_INTERVALS = {
    "log": (0, 50), "log2": (0, 50), "log10": (0, 50), "log1p": (-1, 50), "acosh": (1, 50),
    "asin": (-1, 1), "acos": (-1, 1), "atanh": (-1, 1), "erfinv": (-1, 1), "rsqrt": (0, 50),
    "erf": (-6, 6), "erfc": (-6, 26), "lgamma": (0, 150), "gamma": (-150, 170),
}  # fmt: skip


@pytest.mark.parametrize(
    "record", [r for r in UNARY if r.name not in {"degrees", "radians"}], ids=_identifier
)
def test_float64_is_within_four_units(record, compiled):
    low, high = _DOUBLE_INTERVALS.get(record.name, (-50, 50))
    x = np.random.default_rng(5).uniform(low, high, 400)
    x = np.concatenate([x, x[:100] * 2.0**-40])
    x = x[x > low] if low >= 0 else x
    x = np.maximum(x, 1.0) if record.name == "acosh" else x
    function = _mpmath(record.name)
    with mpmath.workprec(140):
        exact = []
        for value in x:
            number = function(mpmath.mpf(float(value)))
            high_part = float(number)
            exact.append(np.longdouble(high_part) + np.longdouble(float(number - high_part)))
    result = compiled(record.name, x)
    worst = _worst(result, np.array(exact), x)
    assert worst[0] <= 4, worst


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_float64_of_huge_angles(name, compiled):
    x = np.random.default_rng(6).uniform(40, 1000, 200)
    x = np.ldexp(1.0 + x % 1, x.astype(int))
    with mpmath.workprec(1200):
        exact = [float(getattr(mpmath, name)(mpmath.mpf(float(value)))) for value in x]
    np.testing.assert_allclose(compiled(name, x), exact, rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lgamma_left_of_zero_is_as_good_as_its_terms(dtype, compiled):
    x = np.random.default_rng(7).uniform(-20, 0, 20000).astype(dtype)
    exact = np.array([math.lgamma(float(value)) for value in x])
    terms = np.array([math.lgamma(-float(value)) for value in x]) + 4
    assert np.all(np.abs(compiled("lgamma", x) - exact) <= 4 * np.spacing(terms.astype(dtype)))


@pytest.mark.parametrize("name", ["sin", "cos", "sinpi", "cospi", "tanh", "erf"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_bounded_by_one_never_exceeds_it(name, dtype, compiled):
    random = np.random.default_rng(8)
    small = 10.0 ** random.uniform(-12, 0, 1 << 18)
    x = np.concatenate([random.uniform(-20, 20, 1 << 18), small, small + math.pi]).astype(dtype)
    assert np.max(np.abs(compiled(name, x))) <= 1


@pytest.mark.parametrize("name", ODD)
def test_zeros_keep_their_signs(name, compiled):
    for dtype in (np.float32, np.float64):
        result = compiled(name, np.array([0.0, -0.0], dtype))
        assert result[0] == result[1] == 0
        assert list(np.signbit(result)) == [False, True]


@pytest.mark.parametrize(
    ("name", "operand", "expected"),
    [
        ("exp2", [-149.0, -1.0, 0.0, 10.0, 127.0], [2.0**-149, 0.5, 1.0, 1024.0, 2.0**127]),
        ("log2", [2.0**-149, 0.5, 1.0, 2.0**127], [-149.0, -1.0, 0.0, 127.0]),
        ("cospi", [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 1e10], [1.0, 0.0, -1.0, 0.0, 1.0, -1.0, 1.0]),
        ("sinpi", [0.5, 1.5, 2.5, 1.0, 1e10], [1.0, -1.0, 1.0, 0.0, 0.0]),
        ("cbrt", [27.0, -8.0, 2.0**-147], [3.0, -2.0, 2.0**-49]),
        ("gamma", [1.0, 2.0, 5.0, 10.0, -1.0], [1.0, 1.0, 24.0, 362880.0, math.nan]),
        ("lgamma", [1.0, 2.0, -3.0, -math.inf], [0.0, 0.0, math.inf, math.inf]),
    ],
)
def test_exact_results(name, operand, expected, compiled):
    result = compiled(name, np.array(operand, np.float32))
    np.testing.assert_array_equal(result, np.array(expected, np.float32))


def test_small_floats_go_through_float32(compiled):
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    for name in ("exp", "sin", "tanh", "erf", "log"):
        with np.errstate(all="ignore"):
            exact = np.asarray(TABLE[name].reference(every.astype(np.float64))).astype(np.float16)
        result = compiled(name, every)
        same = (result == exact) | (np.isnan(result) & np.isnan(exact))
        distance = np.abs(result.view(np.int16).astype(int) - exact.view(np.int16).astype(int))
        assert np.all(same | (distance <= 1))
        assert np.mean(same) > 0.999


def test_functions_have_the_results_of_their_python_text(compiled):
    """A kernel computes the bits that the same text gives on NumPy arrays."""
    x = make_stratified_floats(np.float32, 16)
    for name in ("exp", "log", "tanh", "atan", "cbrt", "erf"):
        text = TABLE[name].spelling("cpu", sm.float32)
        with np.errstate(all="ignore"):
            expected = text(x)
        result = compiled(name, x)
        same = (result.view(np.int32) == expected.view(np.int32)) | (
            np.isnan(result) & np.isnan(expected)
        )
        assert np.all(same), (name, x[~same][:4])


def test_results_of_measured_functions_have_their_operands_type():
    assert all(record.result is Result.SAME for record in FUNCTIONS)
