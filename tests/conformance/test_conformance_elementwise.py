"""Kernels of elementwise functions, on every device."""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm


def test_interpolation(device):
    """Proves places between, at and beyond points, and that x may be an expression."""
    places, heights = np.array([-1.0, 0.5, 4.0], "f4"), np.array([2.0, -3.0, 10.0], "f4")
    at = np.array([[-2.0, -1.0, 0.0], [0.5, 3.0, 9.0]], "f4")
    x = sm.array(at, device=device) * 2 - 1
    points = [sm.array(each, device=device) for each in (places, heights)]
    np.testing.assert_allclose(
        sm.interp(x, *points).numpy(), np.interp(at * 2 - 1, places, heights), rtol=1e-6
    )
    ends = sm.interp(x, *points, left=-7.0, right=7.0).numpy()
    np.testing.assert_allclose(ends, np.interp(at * 2 - 1, places, heights, -7.0, 7.0), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["i8", "i32", "u16", "i64"])
def test_shifts_and_divisors(device, dtype):
    """Proves what targets do differently left alone: shifts by the width, the least number."""
    limits = sm.iinfo(dtype)
    host = np.array([limits.min, limits.max, 6, 40, 1], sm.dtypes.as_dtype(dtype).numpy)
    x = sm.array(host, device=device)
    assert (x >> limits.bits).tolist() == [-1 if value < 0 else 0 for value in host.tolist()]
    assert (x << limits.bits).tolist() == [0] * 5
    found = sm.gcd(x, sm.array(host[[1, 0, 3, 2, 4]], device=device)).numpy()
    np.testing.assert_array_equal(found, np.gcd(host, host[[1, 0, 3, 2, 4]]))
