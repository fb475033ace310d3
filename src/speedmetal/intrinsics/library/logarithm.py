"""Logarithms.

All split the argument as ``x = 2**e * (1 + f)`` with ``1 + f`` between sqrt(1/2) and sqrt(2), so
that near 1, where the logarithm vanishes, e is 0 and nothing cancels.
"""

from __future__ import annotations

import math
from typing import Any

from speedmetal.intrinsics.constructs import bitcast, select
from speedmetal.intrinsics.exact import copysign, fabs, fma, sqrt
from speedmetal.intrinsics.library.formats import DOUBLE, SINGLE, Format, horner

LN2_SINGLE = (0.6931471824645996, -1.9046542121259336e-09)
LN2_DOUBLE = (0.6931471805599453, 2.3190468138462996e-17)
LG2_SINGLE = (0.3010300099849701, -1.432098883924482e-08)
LG2_DOUBLE = (0.3010299956639812, -2.8037281277851704e-18)
# 1 / log(10)
LG_E_SINGLE = (0.4342944920063019, -1.0103049952192578e-08)
LG_E_DOUBLE = (0.4342944819032518, 1.098319650216765e-17)

# Bits of sqrt(1/2): subtracted from a number's bits, they leave e in the exponent's place.
ROOT_SINGLE = 0x3F3504F3
ROOT_DOUBLE = 0x3FE6A09E667F3BCD


def parts(x: Any, root: int, f: Format) -> Any:
    """e, as a float, and f of a positive x, be it subnormal."""
    small = x < f.least_normal
    normal = select(small, x * 2.0**f.fraction, x)
    offset = bitcast(normal, f.integer) - root
    fraction = bitcast((offset & ((1 << f.fraction) - 1)) + root, f.floating)
    exponent = f.floating(offset >> f.fraction) - select(
        small, f.floating(f.fraction), f.floating(0)
    )
    return exponent, fraction - 1.0


def _unless_special(x: Any, value: Any) -> Any:
    """The value where x is positive and finite; else what a logarithm gives there."""
    special = select(x == 0.0, -math.inf, select(x < 0.0, math.nan, x))
    return select((x > 0.0) & (x < math.inf), value, special)


def log1p_near_zero(x: Any, f: Format) -> Any:
    """``log(1 + x) - x`` for ``1 + x`` between sqrt(1/2) and sqrt(2)."""
    square = x * x
    return fma(square * x, horner(x, f.fit.log), -0.5 * square)


def _log(x: Any, root: int, ln2: tuple[float, float], f: Format) -> Any:
    exponent, fraction = parts(x, root, f)
    tail = fma(exponent, ln2[1], log1p_near_zero(fraction, f))
    return _unless_special(x, fma(exponent, ln2[0], fraction + tail))


def log(x: Any) -> Any:
    """float32 natural logarithm."""
    return _log(x, ROOT_SINGLE, LN2_SINGLE, SINGLE)


def log_double(x: Any) -> Any:
    """float64 natural logarithm."""
    return _log(x, ROOT_DOUBLE, LN2_DOUBLE, DOUBLE)


def _log2(x: Any, root: int, f: Format) -> Any:
    exponent, fraction = parts(x, root, f)
    return _unless_special(x, exponent + fma(horner(fraction, f.fit.log2), fraction, fraction))


def log2(x: Any) -> Any:
    """float32 logarithm of base 2."""
    return _log2(x, ROOT_SINGLE, SINGLE)


def log2_double(x: Any) -> Any:
    """float64 logarithm of base 2."""
    return _log2(x, ROOT_DOUBLE, DOUBLE)


def _log10(
    x: Any, root: int, lg2: tuple[float, float], lg_e: tuple[float, float], f: Format
) -> Any:
    exponent, fraction = parts(x, root, f)
    tail = fma(horner(fraction, f.fit.log10), fraction * fraction, fraction * lg_e[1])
    tail = fma(exponent, lg2[1], tail)
    return _unless_special(x, fma(exponent, lg2[0], fma(fraction, lg_e[0], tail)))


def log10(x: Any) -> Any:
    """float32 logarithm of base 10."""
    return _log10(x, ROOT_SINGLE, LG2_SINGLE, LG_E_SINGLE, SINGLE)


def log10_double(x: Any) -> Any:
    """float64 logarithm of base 10."""
    return _log10(x, ROOT_DOUBLE, LG2_DOUBLE, LG_E_DOUBLE, DOUBLE)


def log1p_above(x: Any, root: int, ln2: tuple[float, float], f: Format) -> Any:
    """``log(1 + x)`` for finite x above -1.

    ``1 + x = 2**e * (1 + f)`` gives ``f = x * 2**-e + (2**-e - 1)``, of which only the sum is
    rounded, and nothing where e is 0.
    """
    offset = bitcast(1.0 + x, f.integer) - root
    whole = (offset >> f.fraction) << f.fraction
    one = f.bias << f.fraction
    # Where 2**-e would be subnormal it is beyond the sum's last place.
    inverse = bitcast(select(whole > one, f.integer(0), one - whole), f.floating)
    shrunk = bitcast(bitcast(x, f.integer) - whole, f.floating)
    fraction = select(whole == 0, x, shrunk + (inverse - 1.0))
    exponent = f.floating(whole >> f.fraction)
    tail = fma(exponent, ln2[1], log1p_near_zero(fraction, f))
    return fma(exponent, ln2[0], fraction + tail)


def _log1p(x: Any, root: int, ln2: tuple[float, float], f: Format) -> Any:
    value = log1p_above(x, root, ln2, f)
    special = select(x == -1.0, -math.inf, select(x < -1.0, math.nan, x))
    return select((x > -1.0) & (x < math.inf) & (x != 0.0), value, special)


def log1p(x: Any) -> Any:
    """float32 ``log(1 + x)``."""
    return _log1p(x, ROOT_SINGLE, LN2_SINGLE, SINGLE)


def log1p_double(x: Any) -> Any:
    """float64 ``log(1 + x)``."""
    return _log1p(x, ROOT_DOUBLE, LN2_DOUBLE, DOUBLE)


def _asinh(x: Any, root: int, ln2: tuple[float, float], f: Format) -> Any:
    """``log1p(a + a**2 / (1 + sqrt(1 + a**2)))``; for great a, ``log(a) + log(2)``."""
    a = fabs(x)
    great = a > 2.0**60
    square = a * a
    argument = select(great, a, a + square / (1.0 + sqrt(1.0 + square)))
    finite = select(a < math.inf, argument, 0.0)
    value = log1p_above(finite, root, ln2, f) + select(great, f.floating(ln2[0]), f.floating(0))
    return select((a > 0.0) & (a < math.inf), copysign(value, x), x)


def asinh(x: Any) -> Any:
    """float32 inverse of sinh."""
    return _asinh(x, ROOT_SINGLE, LN2_SINGLE, SINGLE)


def asinh_double(x: Any) -> Any:
    """float64 inverse of sinh."""
    return _asinh(x, ROOT_DOUBLE, LN2_DOUBLE, DOUBLE)


def _acosh(x: Any, root: int, ln2: tuple[float, float], f: Format) -> Any:
    """``log1p(t + sqrt(t * (t + 2)))`` with t = x - 1; for great x, ``log(x) + log(2)``."""
    great = x > 2.0**60
    t = select(great, 0.0, x - 1.0)
    argument = select(great, x, t + sqrt(fma(t, t, t + t)))
    value = log1p_above(argument, root, ln2, f) + select(great, f.floating(ln2[0]), f.floating(0))
    special = select(x == 1.0, 0.0, select(x < 1.0, math.nan, x))
    return select((x > 1.0) & (x < math.inf), value, special)


def acosh(x: Any) -> Any:
    """float32 inverse of cosh."""
    return _acosh(x, ROOT_SINGLE, LN2_SINGLE, SINGLE)


def acosh_double(x: Any) -> Any:
    """float64 inverse of cosh."""
    return _acosh(x, ROOT_DOUBLE, LN2_DOUBLE, DOUBLE)


def _atanh(x: Any, root: int, ln2: tuple[float, float], f: Format) -> Any:
    """``log1p(2a / (1 - a)) / 2``."""
    a = fabs(x)
    inside = select(a < 1.0, a, 0.0)
    value = 0.5 * log1p_above((inside + inside) / (1.0 - inside), root, ln2, f)
    special = select(a == 1.0, copysign(math.inf, x), select(a > 1.0, math.nan, x))
    return select((a < 1.0) & (a > f.least_normal), copysign(value, x), special)


def atanh(x: Any) -> Any:
    """float32 inverse of tanh."""
    return _atanh(x, ROOT_SINGLE, LN2_SINGLE, SINGLE)


def atanh_double(x: Any) -> Any:
    """float64 inverse of tanh."""
    return _atanh(x, ROOT_DOUBLE, LN2_DOUBLE, DOUBLE)
