"""Parts, neighbours and kinds of floats, and integer powers, are exact."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import speedmetal as sm
from speedmetal.intrinsics import TABLE
from speedmetal.intrinsics.accuracy import make_stratified_floats

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
SPECIAL = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan]


def _sample(dtype):
    return np.concatenate([np.array(SPECIAL, dtype), make_stratified_floats(dtype, 4)])


@DTYPES
@pytest.mark.parametrize("name", ["isnan", "isinf", "isfinite", "signbit"])
def test_kinds(name, dtype, compiled):
    x = _sample(dtype)
    np.testing.assert_array_equal(compiled(name, x), getattr(np, name)(x))


@DTYPES
@pytest.mark.parametrize("name", ["abs", "floor", "ceil", "trunc", "rint", "sqrt", "sign"])
def test_rounded_once(name, dtype, compiled):
    x = np.concatenate([_sample(dtype), np.arange(-5, 5, 0.25).astype(dtype)])
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(x)
    np.testing.assert_array_equal(compiled(name, x), expected)


@DTYPES
def test_frexp_takes_a_float_apart(dtype, compiled):
    x = _sample(dtype)
    finite = np.isfinite(x)
    mantissa, exponent = compiled("frexp_mantissa", x), compiled("frexp_exponent", x)
    expected_mantissa, expected_exponent = np.frexp(x[finite])
    np.testing.assert_array_equal(mantissa[finite], expected_mantissa)
    np.testing.assert_array_equal(exponent[finite], expected_exponent)
    np.testing.assert_array_equal(mantissa[~finite], x[~finite])
    assert not exponent[~finite].any()


@DTYPES
def test_ldexp_rounds_once(dtype, compiled):
    """Also where the result is subnormal; NumPy's float64 result is rounded once, too."""
    x = np.repeat(_sample(dtype), 12)
    random = np.random.default_rng(1)
    powers = random.integers(-2200, 2200, x.size).astype(np.int32)
    powers[::2] = random.integers(-160, 160, powers[::2].size)
    with np.errstate(all="ignore"):
        expected = np.ldexp(x, powers)
    np.testing.assert_array_equal(compiled("ldexp", x, powers), expected)


@DTYPES
def test_neighbours(dtype, compiled):
    x = _sample(dtype)
    for towards in SPECIAL:
        b = np.full_like(x, towards)
        with np.errstate(all="ignore"):
            expected = np.nextafter(x, b)
        result = compiled("nextafter", x, b)
        np.testing.assert_array_equal(result, expected)
        np.testing.assert_array_equal(
            np.signbit(result[result == 0]), np.signbit(expected[expected == 0])
        )


@pytest.mark.parametrize("dtype", [sm.float16, sm.bfloat16], ids=repr)
def test_neighbours_of_small_floats(dtype, compiled):
    x = np.arange(1 << 16, dtype=np.uint16).view(dtype.numpy)
    b = np.full_like(x, 1.0)
    with np.errstate(all="ignore"):
        expected = np.nextafter(x, b)
    result = compiled("nextafter", x, b)
    nan = np.isnan(expected.astype(np.float32))
    np.testing.assert_array_equal(result.view(np.uint16)[~nan], expected.view(np.uint16)[~nan])
    assert np.isnan(result.astype(np.float32)[nan]).all()


@DTYPES
@pytest.mark.parametrize("name", ["minimum", "maximum", "fmin", "fmax"])
def test_extremes_and_nan(name, dtype, compiled):
    pool = np.array([*SPECIAL, 2.5, -7.0], dtype)
    a, b = (grid.ravel() for grid in np.meshgrid(pool, pool))
    np.testing.assert_array_equal(compiled(name, a, b), getattr(np, name)(a, b))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.uint8, np.int64])
def test_clamp_and_sign(dtype, compiled):
    x = np.array([0, 1, 3, 5, 100], dtype)
    np.testing.assert_array_equal(compiled("clamp", x, dtype(1), dtype(5)), np.clip(x, 1, 5))
    np.testing.assert_array_equal(compiled("sign", x), np.sign(x))


def test_clamp_gives_nan_for_nan(compiled):
    nan, one = np.float32([math.nan]), np.float32([1])
    for operands in ((nan, one, one), (one, nan, one), (one, one, nan)):
        assert np.isnan(compiled("clamp", *operands)).all()


@DTYPES
def test_fma_rounds_once(dtype, compiled):
    random = np.random.default_rng(2)
    a, b = random.standard_normal((2, 3000)).astype(dtype)
    c = (-a * b).astype(dtype)  # what the fma leaves is the product's rounding error
    result = compiled("fma", a, b, c)
    exact = [
        float(Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z)))
        for x, y, z in zip(a, b, c, strict=True)
    ]
    np.testing.assert_array_equal(result, np.array(exact, dtype))
    np.testing.assert_array_equal(TABLE["fma"](a, b, c), result)


@given(*(st.floats(width=32),) * 3)
def test_the_reference_of_fma_rounds_once(a, b, c):
    result = TABLE["fma"](np.float32(a), np.float32(b), np.float32(c))
    if not all(map(math.isfinite, (a, b, c))):
        np.testing.assert_equal(float(result), a * b + c)  # NaN, or the right infinity
        return
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if result == 0 or not np.isfinite(result):
        assert exact == 0 or abs(exact) <= 2.0**-150 or abs(exact) > 3.4028e38
        return
    ends = [Fraction(float(np.nextafter(result, np.float32(s)))) for s in (-math.inf, math.inf)
            if np.isfinite(np.nextafter(result, np.float32(s)))]  # fmt: skip
    error = abs(Fraction(float(result)) - exact)
    assert all(error <= abs(end - exact) for end in ends)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64])
def test_integer_powers_wrap(dtype, compiled):
    limits = np.iinfo(dtype)
    bases = np.array([limits.min, 0, 1, 2, 3, 7, limits.max], dtype)
    powers = np.array([0, 1, 2, 3, 5, 31, 100], dtype)
    a, b = (grid.ravel() for grid in np.meshgrid(bases, powers))
    width = limits.bits
    expected = [pow(int(x), int(y), 1 << width) for x, y in zip(a, b, strict=True)]
    wrapped = np.array(expected, f"u{width // 8}").view(dtype)
    np.testing.assert_array_equal(compiled("int_pow", a, b), wrapped)
    np.testing.assert_array_equal(TABLE["int_pow"](a, b), wrapped)


def test_integer_powers_below_zero(compiled):
    a = np.array([-2, -1, -1, 0, 1, 2], np.int32)
    b = np.array([-1, -1, -2, -1, -5, -3], np.int32)
    np.testing.assert_array_equal(compiled("int_pow", a, b), [0, -1, 1, 0, 1, 0])
    np.testing.assert_array_equal(TABLE["int_pow"](a, b), [0, -1, 1, 0, 1, 0])
