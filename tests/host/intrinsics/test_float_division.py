"""fmod, %, // and math.remainder of floats are what Python and NumPy compute, bit for bit."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from speedmetal.intrinsics import TABLE
from speedmetal.intrinsics.accuracy import make_stratified_floats

NAMES = ("fmod", "remainder", "floor_divide", "ieee_remainder")
EDGES = [0.0, -0.0, 1.0, -1.0, 1.5, -2.5, 7.0, 1e-45, -3e-45, 1e-38, 3e38, -3e38]
EDGES += [math.inf, -math.inf, math.nan]


def _same(result, expected):
    both_nan = np.isnan(result) & np.isnan(expected)
    equal = (result == expected) & (np.signbit(result) == np.signbit(expected))
    wrong = ~(equal | both_nan)
    assert not wrong.any(), (result[wrong][:4], expected[wrong][:4])


def _expected(name, a, b):
    """Exact in Python's floats; what is rounded is rounded in the operands' type."""
    with np.errstate(all="ignore"):
        return TABLE[name].reference(a, b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_special_values(name, dtype, compiled):
    a, b = (grid.ravel() for grid in np.meshgrid(np.array(EDGES, dtype), np.array(EDGES, dtype)))
    _same(compiled(name, a, b), _expected(name, a, b))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_operands_of_all_sizes(name, dtype, compiled):
    """Quotients up to 2**277 and 2**2098: the loops run, and take several turns."""
    pool = make_stratified_floats(dtype, 3)
    random = np.random.default_rng(1)
    a, b = random.choice(pool, 20000), random.choice(pool, 20000)
    _same(compiled(name, a, b), _expected(name, a, b))


@pytest.mark.parametrize("name", NAMES)
def test_operands_of_like_size(name, compiled):
    random = np.random.default_rng(2)
    a = random.uniform(-1000, 1000, 200000).astype(np.float32)
    b = random.uniform(-10, 10, 200000).astype(np.float32)
    whole = random.integers(-50, 50, 200000).astype(np.float32)
    _same(compiled(name, a, b), _expected(name, a, b))
    _same(compiled(name, whole * b, b), _expected(name, whole * b, b))
    _same(compiled(name, whole, np.float32(4)), _expected(name, whole, np.float32(4)))


finite = st.floats(-(2.0**100), 2.0**100, width=32)


@given(finite, finite.filter(bool))
def test_quotient_and_remainder_belong_together(a, b):
    """``a = b * q + r`` with r on b's side of 0, as Python has it; Fraction tells exactly."""
    rest = TABLE["remainder"](np.float32(a), np.float32(b))
    assert rest == 0 or (rest < 0) == (b < 0)
    assert abs(float(rest)) <= abs(b)
    assert float(TABLE["fmod"](np.float32(a), np.float32(b))) == math.fmod(a, b)


@given(finite, finite.filter(bool))
def test_the_reference_of_floor_division_is_pythons_within_a_rounding(a, b):
    quotient = float(TABLE["floor_divide"](np.float32(a), np.float32(b)))
    assume(math.isfinite(quotient))
    assert quotient == pytest.approx(a // b, rel=3e-7, abs=1.0 if abs(a / b) > 2**23 else 0)
