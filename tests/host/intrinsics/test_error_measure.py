"""Errors in units in the last place are counted right, at all sizes and special values."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from speedmetal.intrinsics.accuracy import make_stratified_floats, ulp_errors


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), st.integers(-3, 3))
def test_neighbours_are_whole_units_apart(x, steps):
    """Within a binade; at a power of two the floats below lie twice as close."""
    value = np.float32(x)
    bits = np.array([value]).view(np.int32)
    assume(3 <= int(bits[0]) & 0x7FFFFF < 0x7FFFFC)
    moved = (bits + np.int32(steps)).view(np.float32)[0]
    assert ulp_errors(np.array([moved]), np.array([float(value)]))[0] == abs(steps)


@pytest.mark.parametrize(
    ("result", "exact", "expected"),
    [
        (1.0, 1.0 + 2.0**-24, 0.5),
        (1.0, 1.0 - 2.0**-24, 1.0),
        (0.0, 2.0**-150, 0.5),
        (math.inf, 3.5e38, 0.0),
        (math.nan, math.nan, 0.0),
        (math.nan, 1.0, math.inf),
        (1.0, math.nan, math.inf),
        (math.inf, 2.0**128 - 2.0**102, 0.0),
        (2.0**-100, 0.0, 2.0**49),
        (math.inf, 2.0**128 - 3 * 2.0**103, 1.5),
        (-math.inf, 2.0**128 - 2.0**104, 2.0**25 - 1),
        (2.0**128 - 2.0**104, 2.0**128 - 2.0**102, 0.75),
        (2.0**128 - 2.0**104, math.inf, math.inf),
        (math.inf, -math.inf, math.inf),
        (0.0, -0.0, math.inf),
        (-0.0, -1e-60, 1e-60 / 2.0**-149),
    ],
)
def test_known_errors(result, exact, expected):
    found = ulp_errors(np.float32([result]), np.float64([exact]))[0]
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_samples_have_every_exponent_and_sign(dtype):
    sample = make_stratified_floats(dtype, 4)
    limits = np.finfo(dtype)
    exponents = (sample.view(f"u{sample.itemsize}") >> limits.nmant) & ((1 << limits.nexp) - 1)
    assert np.array_equal(np.unique(exponents), np.arange(1 << limits.nexp))
    assert np.signbit(sample).sum() * 2 == sample.size
    for special in (0.0, math.inf, limits.max, limits.tiny, limits.smallest_subnormal):
        assert special in sample
    assert np.isnan(sample).any()
