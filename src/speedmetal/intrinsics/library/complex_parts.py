"""Functions of complex numbers, which are given and returned as pairs of float32 or of float64.

They are composed of the real functions. Where a factor overflows before the result does, it is
taken in two; signed zeros, infinities and NaN give what C's annex G wants, which is NumPy's result,
too, but for the signs that it leaves open, and that of tanh's and tan's zero at the infinities,
which is the array API standard's. Branches are cut along the negative real axis, whose side a
zero's sign tells (W. Kahan, "Branch cuts for complex elementary functions", 1987).
"""

from __future__ import annotations

import math
from typing import Any

from speedmetal.common.records import record
from speedmetal.dtypes import float64
from speedmetal.intrinsics import elementary
from speedmetal.intrinsics.constructs import select
from speedmetal.intrinsics.exact import copysign, fabs, fma, isnan, maximum, minimum
from speedmetal.intrinsics.exact import sqrt as _sqrt

_BY_NAME = {record.name: record for record in elementary.RECORDS}
_exp, _log, _log1p, _pow = (_BY_NAME[name] for name in ("exp", "log", "log1p", "pow"))
_sin, _cos, _sinh, _cosh = (_BY_NAME[name] for name in ("sin", "cos", "sinh", "cosh"))
_atan2, _hypot = _BY_NAME["atan2"], _BY_NAME["hypot"]

Parts = tuple[Any, Any]


@record
class Limits:
    """Where results of a float type end.

    Args:
        step: The greatest whole number of which exp is finite.
        tanh_is_one: Where tanh is 1, and the square of sinh is not yet infinite.
        large: A size above which the sum of two may be infinite.
        small: A size below which there may be subnormal numbers.
        growth: Half of the power of 2 that takes the least subnormal number to ``small``.
    """

    step: float
    tanh_is_one: float
    large: float
    small: float
    growth: int


_SINGLE = Limits(88.0, 11.0, 2.0**125, 2.0**-100, 24)
_DOUBLE = Limits(709.0, 22.0, 2.0**1021, 2.0**-960, 56)


def _limits(x: Any) -> Limits:
    return _DOUBLE if x.dtype == float64 else _SINGLE


def _choose(x: Any, condition: Any, when_true: float, when_false: float) -> Any:
    """One of two constants in the type of x: alone, a kernel of float32 would round them."""
    return select(condition, x.dtype(when_true), x.dtype(when_false))


def _is_odd(y: Any) -> Any:
    """Whether an angle is none: infinite or NaN."""
    return not fabs(y) < math.inf


def _cosine(x: Any, y: Any) -> Any:
    """cos(y) as the factor of something that x makes infinite or 0, which it stays for any y."""
    return select((fabs(x) == math.inf) & _is_odd(y), 1.0, _cos(y))


def exp(x: Any, y: Any) -> Parts:
    """``e**x (cos(y) + i sin(y))``."""
    step = _limits(x).step
    excess = _choose(x, x > step, step, 0.0)
    scale = _choose(x, x > step, math.exp(step), 1.0)
    size = _exp(x - excess)
    sine = select((x == -math.inf) & _is_odd(y), copysign(0.0, y), _sin(y))
    return size * _cosine(x, y) * scale, select(y == 0.0, y, size * sine * scale)


def _scale(x: Any, y: Any) -> Any:
    """A power of 4 that keeps the square of |x + iy| times it from overflow and underflow."""
    size, f = maximum(fabs(x), fabs(y)), _limits(x)
    grown = _choose(x, size < f.small, 2.0 ** (2 * f.growth), 1.0)
    return select(size > f.large, 2.0**-4, grown)


def _root_of_inverse(scale: Any, growth: int) -> Any:
    return select(scale < 1.0, 2.0**2, _choose(scale, scale > 1.0, 2.0**-growth, 1.0))


def _minus_log(scale: Any, growth: int) -> Any:
    shrunk, grown = 4 * math.log(2.0), -2 * growth * math.log(2.0)
    return select(scale < 1.0, shrunk, _choose(scale, scale > 1.0, grown, 0.0))


def sqrt(x: Any, y: Any) -> Parts:
    """The root with a real part of 0 or more; its imaginary part has the sign of y.

    With ``t**2 = (|x| + |z|) / 2`` the parts are t and y / 2t, without a difference that cancels.
    """
    scale = _scale(x, y)
    a, b = fabs(x) * scale, fabs(y) * scale
    t = _sqrt((a + _hypot(a, b)) * 0.5)
    unscale = _root_of_inverse(scale, _limits(x).growth)
    large, small = t * unscale, select(t == 0.0, 0.0, b / (2.0 * t)) * unscale
    infinite = fabs(y) == math.inf
    real = select(infinite, math.inf, select(x >= 0.0, large, small))
    imag = select(infinite, math.inf, select(x >= 0.0, small, large))
    return real, copysign(imag, y)


def log(x: Any, y: Any) -> Parts:
    """``log|z| + i angle(z)``; near |z| = 1, half of ``log1p(|z|**2 - 1)``, which cancels less."""
    scale = _scale(x, y)
    size = _hypot(x * scale, y * scale)
    a, b = maximum(fabs(x), fabs(y)), minimum(fabs(x), fabs(y))
    near = 0.5 * _log1p(fma(a - 1.0, a + 1.0, b * b))
    far = _log(size) + _minus_log(scale, _limits(x).growth)
    return select(size > 0.5 and size < 2.0 and scale == 1.0, near, far), _atan2(y, x)


def log2(x: Any, y: Any) -> Parts:
    """``log(z) / log(2)``."""
    real, imag = log(x, y)
    return real * (1 / math.log(2.0)), imag * (1 / math.log(2.0))


def log10(x: Any, y: Any) -> Parts:
    """``log(z) / log(10)``."""
    real, imag = log(x, y)
    return real * (1 / math.log(10.0)), imag * (1 / math.log(10.0))


def _hyperbolic(x: Any) -> tuple[Any, Any, Any]:
    """sinh(x) and cosh(x), without a factor that both have and that is last."""
    step = _limits(x).step
    far = fabs(x) > step
    half = _exp(fabs(x) - step) * 0.5
    sine = select(far, copysign(half, x), _sinh(x))
    return sine, select(far, half, _cosh(x)), _choose(x, far, math.exp(step), 1.0)


def sinh(x: Any, y: Any) -> Parts:
    """``sinh(x) cos(y) + i cosh(x) sin(y)``."""
    sine, cosine, scale = _hyperbolic(x)
    real = select((x == 0.0) & _is_odd(y), x, sine * _cosine(x, y) * scale)
    return real, select(y == 0.0, y, cosine * _sin(y) * scale)


def cosh(x: Any, y: Any) -> Parts:
    """``cosh(x) cos(y) + i sinh(x) sin(y)``."""
    sine, cosine, scale = _hyperbolic(x)
    zero = (y == 0.0) | ((x == 0.0) & _is_odd(y))
    imag = select(zero, copysign(0.0, y) * copysign(1.0, x), sine * _sin(y) * scale)
    return cosine * _cosine(x, y) * scale, imag


def tanh(x: Any, y: Any) -> Parts:
    """``(sinh(x) cosh(x) + i sin(y) cos(y)) / (sinh(x)**2 + cos(y)**2)``.

    Far out it is 1 with the sign of x, and ``4 sin(y) cos(y) e**-2|x|`` is what is left of y. At
    the infinities that is 0 with the sign of y, as the array API standard has it; in C's annex G it
    has the sign of ``sin(2y)``.
    """
    far = fabs(x) > _limits(x).tanh_is_one
    inner = select(far, 0.0, x)
    sine, cosine = _sinh(inner), _cos(y)
    product = _sin(y) * cosine
    below = sine * sine + cosine * cosine
    known = far & ((fabs(x) == math.inf) | (fabs(y) < math.inf))
    real = select(known, copysign(1.0, x), sine * _cosh(inner) / below)
    real = select((x == 0.0) & _is_odd(y), x, real)
    rest = select(far, 4.0 * product * _exp(-2.0 * fabs(x)), product / below)
    zero = y == 0.0 or fabs(x) == math.inf
    return real, select(zero, copysign(0.0, y), rest)


def sin(x: Any, y: Any) -> Parts:
    """``-i sinh(iz)``."""
    real, imag = sinh(-y, x)
    return imag, -real


def cos(x: Any, y: Any) -> Parts:
    """``cosh(iz)``."""
    return cosh(-y, x)


def tan(x: Any, y: Any) -> Parts:
    """``-i tanh(iz)``."""
    real, imag = tanh(-y, x)
    return imag, -real


def rect(size: Any, angle: Any) -> Parts:
    """``size (cos(angle) + i sin(angle))``; an infinite size with the angle 0 stays real."""
    straight = angle == 0.0 and fabs(size) == math.inf
    imag = select(straight, copysign(0.0, angle) * copysign(1.0, size), size * _sin(angle))
    return size * _cos(angle), imag


def polar(x: Any, y: Any) -> Parts:
    """``|z|`` and the angle, from -pi to pi."""
    return _hypot(x, y), _atan2(y, x)


def real_power(x: Any, y: Any, exponent: Any) -> Parts:
    """``|z|**e (cos(e angle) + i sin(e angle))`` of a real e; 1 for e = 0, NaN where 0 divides."""
    size, angle = polar(x, y)
    divides = size == 0.0 and exponent < 0.0
    turned = select(exponent == 0.0, 0.0, exponent * angle)
    return rect(select(divides, math.nan, _pow(size, exponent)), turned)


def power(x: Any, y: Any, u: Any, v: Any) -> Parts:
    """``e**(w log(z))`` of w = u + iv; 1 for w = 0."""
    real, imag = log(x, y)
    is_one = u == 0.0 and v == 0.0
    size = select(is_one, 0.0, u * real - select(v == 0.0, 0.0, v * imag))
    angle = select(is_one, 0.0, u * imag + select(v == 0.0, 0.0, v * real))
    return exp(size, angle)


def isnan_of_parts(x: Any, y: Any) -> Any:
    """Whether a part is NaN."""
    return isnan(x) | isnan(y)


def isinf_of_parts(x: Any, y: Any) -> Any:
    """Whether a part is infinite."""
    return fabs(x) == math.inf or fabs(y) == math.inf


def isfinite_of_parts(x: Any, y: Any) -> Any:
    """Whether both parts are finite."""
    return fabs(x) < math.inf and fabs(y) < math.inf
