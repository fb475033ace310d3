"""The error function and the gamma function, with what belongs to them."""

from __future__ import annotations

import math
from typing import Any

from speedmetal.dtypes import float32, float64
from speedmetal.intrinsics.constructs import bitcast, select
from speedmetal.intrinsics.exact import copysign, fabs, floor, fma, sqrt
from speedmetal.intrinsics.library.exponential import (
    EXP_DOUBLE,
    EXP_SINGLE,
    Range,
    exp_double,
    exp_near_zero,
    exp_of_sum,
    reduce_argument,
    split_argument,
)
from speedmetal.intrinsics.library.formats import (
    DOUBLE,
    SINGLE,
    Format,
    at_least,
    at_most,
    horner,
)
from speedmetal.intrinsics.library.logarithm import (
    LN2_DOUBLE,
    LN2_SINGLE,
    ROOT_DOUBLE,
    ROOT_SINGLE,
    log,
    log1p_near_zero,
    log_double,
    parts,
)
from speedmetal.intrinsics.library.trigonometry import sinpi, sinpi_double

# Of the variables in which erfc's polynomials are written; see benchmarks/fit_polynomials.py.
ERFC_SLOPE = 0.6875
ERFC_CENTER = 3.2265625


def _erf_near_zero(x: Any, f: Format) -> Any:
    """erf(x) for |x| up to 1."""
    return fma(horner(x * x, f.fit.erf), x, x)


def _exp_of_negative(x: Any, limits: Range, f: Format) -> Any:
    """``exp(x)`` where it is a normal number below 2."""
    shifted, n = split_argument(x, limits, f)
    bits = bitcast(exp_near_zero(reduce_argument(x, n, limits), f), f.integer)
    return bitcast(bits + (bitcast(shifted, f.integer) << f.fraction), f.floating)


def erf(x: Any) -> Any:
    """float32 error function; from 4 on it is 1."""
    a = fabs(x)
    logarithm = horner(at_most(a, 4.0) - 2.5, SINGLE.fit.erf_tail)
    tail = 1.0 - _exp_of_negative(-logarithm, EXP_SINGLE, SINGLE)
    far = select(a >= 4.0, 1.0, select(a >= 1.0, tail, a))
    return select(a < 1.0, _erf_near_zero(x, SINGLE), copysign(far, x))


def _exp_of_negative_square(a: Any, limits: Range, f: Format) -> Any:
    """``exp(-a**2)``, whose argument needs both halves."""
    square = a * a
    return exp_of_sum(-square, fma(-a, a, square), limits, f)


def _erfc_tail(a: Any) -> Any:
    """float64 erfc(a) for a from 1/2 on: ``exp(-a**2)`` and a factor."""
    exponential = _exp_of_negative_square(a, EXP_DOUBLE, DOUBLE)
    place = (a - ERFC_CENTER) / (a + ERFC_CENTER)
    return exponential * (horner(place, DOUBLE.fit.erfc_tail) / fma(a, 2.0, 1.0))


def erf_double(x: Any) -> Any:
    """float64 error function."""
    a = at_most(fabs(x), 6.0)
    tail = 1.0 - _erfc_tail(a)
    return select(a < 1.0, _erf_near_zero(x, DOUBLE), copysign(tail, x))


def erfc(x: Any) -> Any:
    """float32 complement of the error function; from 10.06 on it is 0.

    One polynomial for all: of several, every lane of a vector would compute each.
    """
    a = at_most(fabs(x), 11.0)
    whole = fma(a, ERFC_SLOPE, 1.0)
    share = 1.0 / whole
    ratio = horner(share - 0.5, SINGLE.fit.erfc)
    factor = ratio * share
    # What the division and the product lost by rounding.
    lost = fma(fma(-share, whole, 1.0), factor, fma(ratio, share, -factor))
    exponential = _exp_of_negative_square(a, EXP_SINGLE, SINGLE)
    tail = fma(exponential, factor, exponential * lost)
    return select(x < 0.0, 2.0 - tail, tail)


def erfc_double(x: Any) -> Any:
    """float64 complement of the error function; from 27.3 on it is 0."""
    a = at_most(fabs(x), 28.0)
    tail = _erfc_tail(a)
    far = select(x < 0.0, 2.0 - tail, tail)
    return select(a < 0.5, 1.0 - _erf_near_zero(x, DOUBLE), far)


def erfinv(x: Any) -> Any:
    """float32 inverse of the error function: x times a function of ``log(1 - x**2)``.

    M. Giles, "Approximating the erfinv function", GPU Computing Gems, Jade edition (2011).
    """
    a = fabs(x)
    w = -log((1.0 - a) * (1.0 + a))
    near = horner(w - 2.5, SINGLE.fit.erfinv)
    far = horner(sqrt(at_least(w, 5.0)) - 3.0, SINGLE.fit.erfinv_tail)
    value = select(w < 5.0, near, far) * x
    return select(a == 1.0, copysign(math.inf, x), value)


def erfinv_double(x: Any) -> Any:
    """float64 inverse of the error function: float32's polynomials, then steps of Halley's."""
    a = fabs(x)
    w = -log_double((1.0 - a) * (1.0 + a))
    near = horner(w - 2.5, SINGLE.fit.erfinv)
    far = horner(at_most(sqrt(at_least(w, 5.0)), 4.2) - 3.0, SINGLE.fit.erfinv_tail)
    # Beyond float32's range erfinv grows as the root of w.
    y = select(w < 5.0, near, select(w < 17.0, far, sqrt(w) * 0.945)) * a
    for _ in range(4):
        from_zero = erf_double(y) - a
        from_one = (1.0 - a) - erfc_double(y)
        error = select(a < 0.5, from_zero, from_one)
        step = error * (0.5 * math.sqrt(math.pi)) * exp_double(y * y)
        y = y - step / fma(y, step, 1.0)
    value = select(a > 1e-150, copysign(y, x), x * (0.5 * math.sqrt(math.pi)))
    return select(a < 1.0, value, select(a == 1.0, copysign(math.inf, x), math.nan))


def _times_falling(value: Any, a: Any) -> tuple[Any, Any]:
    """``p = value * (a - 1) * (a - 2) * ... * (a - n + 1)``, n = floor(a); and ``p * a``.

    Both are found with twice the digits, and rounded once.

    The factors are exact. The products' rounding errors are carried along (T. J. Dekker, "A
    floating-point technique for extending the available precision", 1971).
    """
    high = value
    low = value * 0.0
    factor = a - 1.0
    while factor >= 1.0:
        product = high * factor
        low = fma(low, factor, fma(high, factor, -product))
        high = product
        factor = factor - 1.0
    product = high * a
    return high + low, fma(low, a, fma(high, a, -product)) + product


def _gamma(x: Any, sine: Any, limit: float, scale: float, f: Format) -> Any:
    """``gamma(1 + fraction)`` by a polynomial, times the whole numbers' factors above it.

    Left of 0 by reflection: ``gamma(-a) = -pi / (a * sin(pi * a) * gamma(a))``. All is scaled down
    on the way, as gamma(a) may be beyond the format where gamma(-a) is not.
    """
    magnitude = fabs(x)
    a = at_most(magnitude, limit)
    whole = floor(a)
    base = horner((a - whole) - 0.5, f.fit.gamma)
    below_one = a < 1.0
    product, product_with_a = _times_falling(base * scale, a)
    scaled = select(below_one, base, product)
    right = select(below_one, scaled / x, scaled * (1.0 / scale))
    numerator = select(below_one, f.floating(-math.pi), f.floating(-math.pi * scale))
    left = numerator / (sine * select(below_one, base, product_with_a))
    pole = (magnitude == math.inf) | (magnitude == floor(magnitude))
    # Next to 0, where a sine may be subnormal and short of digits, gamma(x) is 1 / x.
    return select((x < 0.0) & (a > 2.0**-60), select(pole, math.nan, left), right)


def gamma(x: Any) -> Any:
    """float32 gamma function."""
    return _gamma(x, sinpi(fabs(x)), 43.0, 2.0**-64, SINGLE)


def gamma_by_double(x: Any) -> Any:
    """float32 gamma function, in float64: its error is that of the last rounding."""
    wide = float64(x)
    return float32(_gamma(wide, sinpi_double(fabs(wide)), 43.0, 2.0**-64, DOUBLE))


def gamma_double(x: Any) -> Any:
    """float64 gamma function."""
    return _gamma(x, sinpi_double(fabs(x)), 180.0, 2.0**-512, DOUBLE)


def _stirling(x: Any, root: int, ln2: tuple[float, float], f: Format) -> Any:
    """log(gamma(x)) for x from 3 on: ``(x - 1/2) * (log(x) - 1)`` and a series in 1 / x.

    ``log(x) - 1`` is summed from the logarithm's parts: near e it is small, and rounding the
    logarithm first would spoil it.
    """
    exponent, fraction = parts(x, root, f)
    tail = fma(exponent, ln2[1], log1p_near_zero(fraction, f))
    logarithm = (fma(exponent, ln2[0], -1.0) + fraction) + tail
    inverse = 1.0 / x
    series = fma(horner(inverse * inverse, f.fit.stirling), inverse, 0.4189385332046727)
    return fma(x - 0.5, logarithm, series)


def _lgamma(
    x: Any, logarithm: Any, sine: Any, sine_logarithm: Any, stirling: Any, f: Format
) -> Any:
    """log(|gamma(x)|): around 1 and 2 by the factors of its zeros, above 3 by Stirling's formula.

    Left of 0 by reflection: ``gamma(a) * gamma(-a) = -pi / (a * sin(pi * a))``.
    """
    a = fabs(x)
    low = a < 1.0
    distance = select(low, a - 1.0, a - 2.0)
    factor = select(low, a, a - 1.0)
    middle = distance * factor * horner(distance, f.fit.lgamma) + 0.0  # no -0.0 at 1 and 2
    right = select(a < 3.0, middle - select(low, logarithm, f.floating(0)), stirling)
    left = (math.log(math.pi) - sine_logarithm) - select(low, middle, right + logarithm)
    # A subnormal sine has too few digits; next to 0, gamma(x) is 1 / x.
    reflected = select(sine == 0.0, math.inf, select(a < 2.0**-60, -logarithm, left))
    return select(a < math.inf, select(x < 0.0, reflected, right), a)


def lgamma(x: Any) -> Any:
    """float32 logarithm of the gamma function's absolute value."""
    a = fabs(x)
    sine = fabs(sinpi(a))
    stirling = _stirling(a, ROOT_SINGLE, LN2_SINGLE, SINGLE)
    return _lgamma(x, log(a), sine, log(sine), stirling, SINGLE)


def lgamma_double(x: Any) -> Any:
    """float64 logarithm of the gamma function's absolute value."""
    a = fabs(x)
    sine = fabs(sinpi_double(a))
    stirling = _stirling(a, ROOT_DOUBLE, LN2_DOUBLE, DOUBLE)
    return _lgamma(x, log_double(a), sine, log_double(sine), stirling, DOUBLE)
