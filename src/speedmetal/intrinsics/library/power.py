"""Powers and roots."""

from __future__ import annotations

import math
from typing import Any

from speedmetal.dtypes import float32, float64, int64, uint32, uint64
from speedmetal.intrinsics.constructs import bitcast, select
from speedmetal.intrinsics.exact import copysign, fabs, fma, isnan, maximum, minimum, rint, sqrt
from speedmetal.intrinsics.library.formats import DOUBLE, SINGLE, Format, at_least, at_most, horner
from speedmetal.intrinsics.library.logarithm import ROOT_DOUBLE


def _log2_in_double(x: Any) -> Any:
    """log2 of a positive float32, given in float64, where every float32 is a normal number."""
    offset = bitcast(x, int64) - ROOT_DOUBLE
    fraction = bitcast((offset & 0xFFFFFFFFFFFFF) + ROOT_DOUBLE, float64) - 1.0
    return float64(offset >> 52) + fraction * horner(fraction, DOUBLE.fit.pow_log2)


def _exp2_in_double(y: Any) -> Any:
    """2**y for |y| up to 200."""
    shifted = y + DOUBLE.shifter
    r = y - (shifted - DOUBLE.shifter)
    significand = horner(r, DOUBLE.fit.pow_exp2)
    return bitcast(bitcast(significand, int64) + (bitcast(shifted, int64) << 52), float64)


def pow(a: Any, b: Any) -> Any:  # noqa: A001 - the name that users know
    """float32 ``a**b``, in float64: its error is that of the last rounding."""
    x = fabs(a)
    finite = _log2_in_double(float64(select((x > 0.0) & (x < math.inf), x, 1.0)))
    ends = float64(select(x == 0.0, -math.inf, x))
    logarithm = select((x > 0.0) & (x < math.inf), finite, ends)
    exponent = select(x == 1.0, 0.0, float64(b) * logarithm)
    bounded = at_most(at_least(exponent, -200.0), 200.0)
    power = float32(_exp2_in_double(select(isnan(bounded), 0.0, bounded)))
    whole = rint(b) == b
    odd = whole & (2.0 * rint(0.5 * b) != b)
    signed = select(odd, copysign(power, a), power)
    invalid = isnan(exponent) | ((a < 0.0) & (a > -math.inf) & (rint(b) != b))
    return select((b == 0.0) | (a == 1.0), 1.0, select(invalid, math.nan, signed))


def _inverse_cube_root(a: Any, estimate: Any) -> Any:
    """Two steps of third order towards ``a**(-1/3)``; the estimate's cube may be off by a tenth."""
    error = fma(-a * estimate * estimate, estimate, 1.0)
    better = fma(estimate * error, fma(error, 2.0 / 9.0, 1.0 / 3.0), estimate)
    error = fma(-a * better * better, better, 1.0)
    return fma(better * error, fma(error, 2.0 / 9.0, 1.0 / 3.0), better)


def _cube_root(a: Any, inverse: Any) -> Any:
    """``a * inverse**2`` with a step of Newton's on ``y**3 = a``."""
    square = inverse * inverse
    y = a * square
    return fma(fma(-y * y, y, a), square * (1.0 / 3.0), y)


def cbrt(x: Any) -> Any:
    """float32 cube root."""
    magnitude = fabs(x)
    small = magnitude < SINGLE.least_normal
    a = select(small, magnitude * 16777216.0, magnitude)
    # A third of the exponent and of the logarithm of the fraction, as straight lines.
    estimate = bitcast(uint32(0x54A1F800) - bitcast(a, uint32) // 3, float32)
    y = _cube_root(a, _inverse_cube_root(a, estimate))
    root = select(small, y * 0.00390625, y)
    return select((magnitude > 0.0) & (magnitude < math.inf), copysign(root, x), x)


def cbrt_double(x: Any) -> Any:
    """float64 cube root."""
    magnitude = fabs(x)
    small = magnitude < DOUBLE.least_normal
    a = select(small, magnitude * 18014398509481984.0, magnitude)
    estimate = bitcast(uint64(0x553EE9AAAAAAAC00) - bitcast(a, uint64) // 3, float64)
    inverse = _inverse_cube_root(a, estimate)
    error = fma(-a * inverse * inverse, inverse, 1.0)
    inverse = fma(inverse * error, 1.0 / 3.0, inverse)
    y = _cube_root(a, inverse)
    root = select(small, y * 3.814697265625e-06, y)
    return select((magnitude > 0.0) & (magnitude < math.inf), copysign(root, x), x)


def _hypot(a: Any, b: Any, span: int, f: Format) -> Any:
    """The root of the sum of squares, scaled by ``2**(2 * span)`` where they leave the format."""
    long = maximum(fabs(a), fabs(b))
    short = minimum(fabs(a), fabs(b))
    down = select(long > 2.0**span, f.floating(2.0 ** (-2 * span)), f.floating(1))
    scale = select(long < 2.0**-span, f.floating(2.0 ** (2 * span)), down)
    x = long * scale
    y = short * scale
    root = sqrt(fma(x, x, y * y)) / scale
    infinite = (fabs(a) == math.inf) | (fabs(b) == math.inf)
    return select(infinite, math.inf, root)


def hypot(a: Any, b: Any) -> Any:
    """float32 ``sqrt(a * a + b * b)``."""
    return _hypot(a, b, 45, SINGLE)


def hypot_double(a: Any, b: Any) -> Any:
    """float64 ``sqrt(a * a + b * b)``."""
    return _hypot(a, b, 400, DOUBLE)
