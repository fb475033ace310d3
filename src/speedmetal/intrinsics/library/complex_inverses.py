"""Inverse functions of complex numbers, and those that do not cancel near 0 and 1.

Given and returned as pairs, as in :mod:`speedmetal.intrinsics.library.complex_parts`. Signed zeros,
infinities and NaN give what C's annex G wants.

The inverse sine and cosine are those of T. E. Hull, T. F. Fairgrieve and P. T. P. Tang,
"Implementing the complex arcsine and arccosine functions using exception handling", 1997; what they
do after an exception is done here where numbers are large or small. The inverse hyperbolic tangent
is that of W. Kahan, "Branch cuts for complex elementary functions", 1987.
"""

from __future__ import annotations

import math
from typing import Any

from speedmetal.common.records import record
from speedmetal.dtypes import float64
from speedmetal.intrinsics import elementary
from speedmetal.intrinsics.constructs import select
from speedmetal.intrinsics.exact import copysign, fabs, fma, isnan, maximum, minimum, sqrt
from speedmetal.intrinsics.library import complex_parts
from speedmetal.intrinsics.library.complex_parts import Parts

_BY_NAME = {record.name: record for record in elementary.RECORDS}
_exp, _expm1, _log, _log1p = (_BY_NAME[name] for name in ("exp", "expm1", "log", "log1p"))
_sin, _cos, _asin, _acos = (_BY_NAME[name] for name in ("sin", "cos", "asin", "acos"))
_atan2, _hypot = _BY_NAME["atan2"], _BY_NAME["hypot"]

_RATIO_OF_ASIN = 0.6417
"""Up to here the real part is the inverse sine itself; above, that would magnify errors."""
_SIZE_OF_LOG1P = 1.5
"""Up to here the imaginary part is computed by log1p."""


@record
class _Ends:
    """Where squares leave a float type: their roots, from far inside."""

    far: float
    tiny: float


_SINGLE, _DOUBLE = _Ends(2.0**60, 2.0**-50), _Ends(2.0**500, 2.0**-400)


def _ends(x: Any) -> _Ends:
    return _DOUBLE if x.dtype == float64 else _SINGLE


def _is_far(a: Any, b: Any) -> Any:
    """Whether a part is so large that 1 beside it is nothing; of NaN it is not."""
    limit = _ends(a).far
    return (a > limit) | (b > limit)


# --- Inverse sine and cosine ------------------------------------------------------------------


def _arcs(a: Any, b: Any) -> tuple[Any, Any, Any]:
    """Of a + ib with a, b >= 0: the real parts of asin and of acos, and their imaginary size."""
    far = _is_far(a, b)
    u, v = select(far, 1.0, a), select(far, 1.0, b)
    r, s = _hypot(u + 1.0, v), _hypot(u - 1.0, v)
    size = (r + s) * 0.5
    side = _side(u, v, r, s)
    by_ratio = u / size <= _RATIO_OF_ASIN
    ratio = select(by_ratio, u / size, 0.0)
    sine = select(by_ratio, _asin(ratio), _atan2(u, side))
    cosine = select(by_ratio, _acos(ratio), _atan2(side, u))
    large = complex_parts.log(a, b)[0] + math.log(2.0)
    height = select(far, large, _height(u, v, r, s))
    return select(far, _atan2(a, b), sine), select(far, _atan2(b, a), cosine), height


def _side(u: Any, v: Any, r: Any, s: Any) -> Any:
    """The root of ``size**2 - u**2``, where size = (r + s) / 2, without a difference."""
    total = (r + s) * 0.5 + u
    within = sqrt(0.5 * total * (v * v / (r + (u + 1.0)) + (s + (1.0 - u))))
    beyond = v * sqrt(0.5 * (total / (r + (u + 1.0)) + total / (s + (u - 1.0))))
    return select(u <= 1.0, within, beyond)


def _height(u: Any, v: Any, r: Any, s: Any) -> Any:
    """``log(size + sqrt(size**2 - 1))`` of size = (r + s) / 2, of which 1 is taken by parts."""
    size = (r + s) * 0.5
    slope = 1.0 / (r + (u + 1.0)) + 1.0 / (s + (1.0 - u))
    beyond = 0.5 * (v * v / (r + (u + 1.0)) + (s + (u - 1.0)))
    above = select(u < 1.0, 0.5 * v * (v * slope), beyond)
    # Of a small v the square is lost, not the root.
    root = select(u < 1.0, v * sqrt(0.5 * slope * (size + 1.0)), sqrt(beyond * (size + 1.0)))
    return select(
        size <= _SIZE_OF_LOG1P, _log1p(above + root), _log(size + sqrt(size * size - 1.0))
    )


def asin(x: Any, y: Any) -> Parts:
    """The inverse sine, whose branches are cut along the real axis beyond -1 and 1."""
    sine, _, height = _arcs(fabs(x), fabs(y))
    return select(x == 0.0, x, copysign(sine, x)), copysign(height, y)


def acos(x: Any, y: Any) -> Parts:
    """The inverse cosine, cut as the inverse sine."""
    _, cosine, height = _arcs(fabs(x), fabs(y))
    real = select(x < 0.0, math.pi - cosine, cosine)
    return select(x == 0.0, math.pi / 2, real), -copysign(height, y)


def asinh(x: Any, y: Any) -> Parts:
    """``-i asin(iz)``."""
    real, imag = asin(y, x)
    return imag, real


def acosh(x: Any, y: Any) -> Parts:
    """``i acos(z)`` or ``-i acos(z)``: the one with a real part of 0 or more."""
    real, imag = acos(x, y)
    return fabs(imag), copysign(real, y)


# --- Inverse tangent --------------------------------------------------------------------------


def _area(a: Any, b: Any) -> Parts:
    """Atanh of a + ib with a, b >= 0, both not far."""
    tiny = (a == 1.0) & (b < _ends(a).tiny)
    distance = (1.0 - a) * (1.0 - a) + b * b
    near_pole = 0.5 * (math.log(2.0) - _log(b))
    real = select(tiny, near_pole, 0.25 * _log1p(4.0 * a / distance))
    return real, 0.5 * _atan2(2.0 * b, (1.0 - a) * (1.0 + a) - b * b)


def _area_of_far(a: Any, b: Any) -> Parts:
    """Atanh of a + ib with a, b >= 0, one of them far: ``1 / z``, and a quarter of a turn."""
    large, small = maximum(a, b), minimum(a, b)
    ratio = small / large
    infinite = (a == math.inf) | (b == math.inf)
    real = select(infinite, 0.0, a / large / (1.0 + ratio * ratio) / large)
    unknown = isnan(b) | (isnan(a) & (b < math.inf))
    return real, select(unknown, math.nan, math.pi / 2)


def atanh(x: Any, y: Any) -> Parts:
    """The inverse hyperbolic tangent, cut as the inverse sine."""
    a, b = fabs(x), fabs(y)
    far = _is_far(a, b)
    real, imag = _area(select(far, 0.0, a), select(far, 0.0, b))
    far_real, far_imag = _area_of_far(a, b)
    real, imag = select(far, far_real, real), select(far, far_imag, imag)
    return select(x == 0.0, x, copysign(real, x)), copysign(imag, y)


def atan(x: Any, y: Any) -> Parts:
    """``-i atanh(iz)``."""
    real, imag = atanh(y, x)
    return imag, real


# --- Near 0 and 1 -----------------------------------------------------------------------------


def log1p(x: Any, y: Any) -> Parts:
    """``log(1 + z)``, which near 0 is half of ``log1p(|1 + z|**2 - 1)``."""
    near = (fabs(x) < 0.5) & (fabs(y) < 0.5)
    inner, outer = select(near, x, 0.0), select(near, y, 0.0)
    real, imag = complex_parts.log(1.0 + x, y)
    return select(near, 0.5 * _log1p(fma(inner, 2.0 + inner, outer * outer)), real), imag


def expm1(x: Any, y: Any) -> Parts:
    """``e**z - 1``: near 0 ``expm1(x) cos(y) - 2 sin(y / 2)**2 + i e**x sin(y)``."""
    near = fabs(x) <= 1.0
    inner, half = select(near, x, 0.0), _sin(y * 0.5)
    real, imag = complex_parts.exp(x, y)
    close = _expm1(inner) * _cos(y) - 2.0 * half * half
    # The array API wants the real part of 0 to be +0, whatever its sign was.
    return select(near, close + 0.0, real - 1.0), imag


def sign(x: Any, y: Any) -> Parts:
    """``z / |z|``; 0 for 0."""
    large = maximum(fabs(x), fabs(y))
    a, b = x / large, y / large
    size = _hypot(a, b)
    return select(large == 0.0, 0.0, a / size), select(large == 0.0, 0.0, b / size)
