"""Exponentials.

All split the argument as ``x = n * log(2) + r`` with n whole and |r| at most log(2) / 2, so that
``exp(x) = 2**n * exp(r)``. log(2) is given in two parts, of which the higher one times n is exact
(W. J. Cody and W. Waite, "Software Manual for the Elementary Functions", 1980).
"""

from __future__ import annotations

import math
from typing import Any

from speedmetal.common.records import record
from speedmetal.intrinsics.constructs import bitcast, select
from speedmetal.intrinsics.exact import copysign, fabs, fma
from speedmetal.intrinsics.library.formats import (
    DOUBLE,
    SINGLE,
    Format,
    at_least,
    at_most,
    horner,
)
from speedmetal.intrinsics.library.scaling import scale


@record
class Range:
    """Limits and constants of an exponential of some base in some format.

    Args:
        inverse: ``log2(base)``.
        high, low: ``1 / log2(base)`` in two parts.
        overflow: The greatest argument with a finite result.
        ceiling: An argument with an infinite result, not far above.
        underflow: An argument from which downward the result is 0.
    """

    inverse: float
    high: float
    low: float
    overflow: float
    ceiling: float
    underflow: float


EXP_SINGLE = Range(
    1.4426950408889634,
    0.6931471824645996,
    -1.9046542121259336e-09,
    88.72283172607422,
    89.0,
    -104.5,
)
EXP_DOUBLE = Range(
    1.4426950408889634,
    0.6931471805599453,
    2.3190468138462996e-17,
    709.782712893384,
    710.0,
    -746.0,
)
EXP2_SINGLE = Range(1.0, 1.0, 0.0, 127.99999237060547, 128.0, -151.0)
EXP2_DOUBLE = Range(1.0, 1.0, 0.0, 1023.9999999999999, 1024.0, -1076.0)
EXP10_SINGLE = Range(
    3.321928094887362,
    0.3010300099849701,
    -1.432098883924482e-08,
    38.531837463378906,
    38.75,
    -45.5,
)
EXP10_DOUBLE = Range(
    3.321928094887362,
    0.3010299956639812,
    -2.8037281277851704e-18,
    308.2547155599167,
    308.5,
    -324.5,
)


def split_argument(x: Any, limits: Range, f: Format) -> Any:
    """The whole number nearest to ``x * inverse``: in the low bits of a float, and as a float."""
    shifted = fma(x, limits.inverse, f.shifter)
    return shifted, shifted - f.shifter


def reduce_argument(x: Any, n: Any, limits: Range) -> Any:
    """What is left of x without n times the logarithm of 2."""
    return fma(n, -limits.low, fma(n, -limits.high, x))


def _clamp_argument(x: Any, limits: Range) -> Any:
    """x, or where the result is 0 or infinite, a number that gives that; NaN stays."""
    return at_most(at_least(x, limits.underflow), limits.ceiling)


def exp_near_zero(r: Any, f: Format) -> Any:
    """``exp(r)`` for |r| up to log(2) / 2."""
    return fma(fma(horner(r, f.fit.exp), r, 1.0), r, 1.0)


def _exp(x: Any, limits: Range, f: Format) -> Any:
    bounded = _clamp_argument(x, limits)
    shifted, n = split_argument(bounded, limits, f)
    r = reduce_argument(bounded, n, limits)
    return scale(exp_near_zero(r, f), shifted)


def exp_of_sum(x: Any, rest: Any, limits: Range, f: Format) -> Any:
    """``exp(x + rest)`` where the rest is beyond the last place of x."""
    bounded = _clamp_argument(x, limits)
    shifted, n = split_argument(bounded, limits, f)
    r = reduce_argument(bounded, n, limits) + rest
    return scale(exp_near_zero(r, f), shifted)


def exp(x: Any) -> Any:
    """float32 ``e**x``."""
    return _exp(x, EXP_SINGLE, SINGLE)


def exp_double(x: Any) -> Any:
    """float64 ``e**x``."""
    return _exp(x, EXP_DOUBLE, DOUBLE)


def _exp2(x: Any, limits: Range, f: Format) -> Any:
    bounded = _clamp_argument(x, limits)
    shifted = bounded + f.shifter
    r = bounded - (shifted - f.shifter)
    return scale(fma(horner(r, f.fit.exp2), r, 1.0), shifted)


def exp2(x: Any) -> Any:
    """float32 ``2**x``."""
    return _exp2(x, EXP2_SINGLE, SINGLE)


def exp2_double(x: Any) -> Any:
    """float64 ``2**x``."""
    return _exp2(x, EXP2_DOUBLE, DOUBLE)


def _exp10(x: Any, limits: Range, f: Format) -> Any:
    bounded = _clamp_argument(x, limits)
    shifted, n = split_argument(bounded, limits, f)
    r = reduce_argument(bounded, n, limits)
    return scale(fma(horner(r, f.fit.exp10), r, 1.0), shifted)


def exp10(x: Any) -> Any:
    """float32 ``10**x``."""
    return _exp10(x, EXP10_SINGLE, SINGLE)


def exp10_double(x: Any) -> Any:
    """float64 ``10**x``."""
    return _exp10(x, EXP10_DOUBLE, DOUBLE)


def expm1_above(x: Any, limits: Range, f: Format) -> Any:
    """``exp(x) - 1`` where x is not below -40: ``2**n * (exp(r) - 1) + (2**n - 1)``.

    Half of it is computed, since 2**n may be beyond the format where the result is not.
    """
    shifted, n = split_argument(x, limits, f)
    r = reduce_argument(x, n, limits)
    small = fma(horner(r, f.fit.exp) * r, r, r)
    half = bitcast((bitcast(shifted, f.integer) + (f.bias - 1)) << f.fraction, f.floating)
    halved = fma(small, half, half - 0.5)
    return halved + halved


def _expm1(x: Any, limits: Range, f: Format) -> Any:
    bounded = at_most(at_least(x, -40.0), limits.overflow * 1.001)
    return select(x <= limits.overflow, expm1_above(bounded, limits, f), x * math.inf)


def expm1(x: Any) -> Any:
    """float32 ``e**x - 1``."""
    return select(x == 0.0, x, _expm1(x, EXP_SINGLE, SINGLE))


def expm1_double(x: Any) -> Any:
    """float64 ``e**x - 1``."""
    return select(x == 0.0, x, _expm1(x, EXP_DOUBLE, DOUBLE))


def even_and_odd(x: Any, limits: Range, f: Format) -> Any:
    """Half of cosh and of sinh of positive x, from those of r and two powers of 2."""
    shifted, n = split_argument(x, limits, f)
    r = reduce_argument(x, n, limits)
    whole = bitcast(shifted, f.integer) << f.fraction
    grows = bitcast(whole + ((f.bias - 2) << f.fraction), f.floating)
    bits = ((f.bias - 2) << f.fraction) - whole
    shrinks = bitcast(select(bits > 0, bits, f.integer(0)), f.floating)
    square = r * r
    cosine = horner(square, f.fit.cosh) * square  # less 1
    sine = fma(horner(square, f.fit.sinh) * square, r, r)
    total = grows + shrinks
    difference = grows - shrinks
    return (
        total + fma(total, cosine, difference * sine),
        difference + fma(difference, cosine, total * sine),
    )


def _sinh(x: Any, limits: Range, f: Format) -> Any:
    _, half = even_and_odd(at_most(fabs(x), limits.overflow + 0.75), limits, f)
    return copysign(half + half, x)


def sinh(x: Any) -> Any:
    """float32 ``(e**x - e**-x) / 2``."""
    return _sinh(x, EXP_SINGLE, SINGLE)


def sinh_double(x: Any) -> Any:
    """float64 ``(e**x - e**-x) / 2``."""
    return _sinh(x, EXP_DOUBLE, DOUBLE)


def _cosh(x: Any, limits: Range, f: Format) -> Any:
    half, _ = even_and_odd(at_most(fabs(x), limits.overflow + 0.75), limits, f)
    return half + half


def cosh(x: Any) -> Any:
    """float32 ``(e**x + e**-x) / 2``."""
    return _cosh(x, EXP_SINGLE, SINGLE)


def cosh_double(x: Any) -> Any:
    """float64 ``(e**x + e**-x) / 2``."""
    return _cosh(x, EXP_DOUBLE, DOUBLE)


def _tanh(x: Any, limits: Range, f: Format) -> Any:
    """``(exp(2x) - 1) / (exp(2x) + 1)``; beyond 20 it is 1 in both formats."""
    magnitude = at_most(fabs(x), 20.0)
    grown = expm1_above(magnitude + magnitude, limits, f)
    return copysign(grown / (grown + 2.0), x)


def tanh(x: Any) -> Any:
    """float32 ``sinh(x) / cosh(x)``."""
    return _tanh(x, EXP_SINGLE, SINGLE)


def tanh_double(x: Any) -> Any:
    """float64 ``sinh(x) / cosh(x)``."""
    return _tanh(x, EXP_DOUBLE, DOUBLE)
