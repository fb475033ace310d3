"""Parts and neighbours of floats, tests of their kind, and small formulas."""

from __future__ import annotations

import math
from typing import Any

from speedmetal.dtypes import bfloat16, float16, float32, float64, int16, int32, int64
from speedmetal.intrinsics.constructs import bitcast, select
from speedmetal.intrinsics.exact import fabs, isnan, maximum, minimum


def isinf(x: Any) -> Any:
    """Whether x is an infinity."""
    return fabs(x) == math.inf


def isfinite(x: Any) -> Any:
    """Whether x is neither infinite nor NaN."""
    return fabs(x) < math.inf


def signbit(x: Any) -> Any:
    """Whether the sign bit of a float32 is set."""
    return bitcast(x, int32) < 0


def signbit_double(x: Any) -> Any:
    """Whether the sign bit of a float64 is set."""
    return bitcast(x, int64) < 0


def sign(x: Any) -> Any:
    """1, -1, or x itself, where it is zero or NaN."""
    return select(x > 0, 1, select(x < 0, -1, x))


def sign_unsigned(x: Any) -> Any:
    """1, or 0 where x is 0."""
    return minimum(x, 1)


def clamp(x: Any, low: Any, high: Any) -> Any:
    """x, but not below low nor above high."""
    return minimum(maximum(x, low), high)


def degrees(x: Any) -> Any:
    """Radians to degrees."""
    return x * (180.0 / math.pi)


def radians(x: Any) -> Any:
    """Degrees to radians."""
    return x * (math.pi / 180.0)


def frexp_mantissa(x: Any) -> Any:
    """float32 x divided by a power of two, so that it lies in [0.5, 1)."""
    magnitude = fabs(x)
    normal = select(magnitude < 1.1754943508222875e-38, x * 16777216.0, x)
    mantissa = bitcast((bitcast(normal, int32) & -0x7F800001) | 0x3F000000, float32)
    return select((magnitude > 0.0) & (magnitude < math.inf), mantissa, x)


def frexp_mantissa_double(x: Any) -> Any:
    """float64 x divided by a power of two, so that it lies in [0.5, 1)."""
    magnitude = fabs(x)
    normal = select(magnitude < 2.2250738585072014e-308, x * 18014398509481984.0, x)
    mantissa = bitcast((bitcast(normal, int64) & -0x7FF0000000000001) | 0x3FE0000000000000, float64)
    return select((magnitude > 0.0) & (magnitude < math.inf), mantissa, x)


def frexp_exponent(x: Any) -> Any:
    """The exponent of the power of two that :func:`frexp_mantissa` divides by."""
    magnitude = fabs(x)
    small = magnitude < 1.1754943508222875e-38
    normal = select(small, magnitude * 16777216.0, magnitude)
    exponent = (bitcast(normal, int32) >> 23) - select(small, int32(150), int32(126))
    return select((magnitude > 0.0) & (magnitude < math.inf), exponent, 0)


def frexp_exponent_double(x: Any) -> Any:
    """The exponent of the power of two that :func:`frexp_mantissa_double` divides by."""
    magnitude = fabs(x)
    small = magnitude < 2.2250738585072014e-308
    normal = select(small, magnitude * 18014398509481984.0, magnitude)
    exponent = int32(bitcast(normal, int64) >> 52) - select(small, int32(1076), int32(1022))
    return select((magnitude > 0.0) & (magnitude < math.inf), exponent, 0)


def ldexp(x: Any, exponent: Any) -> Any:
    """float32 ``x * 2**exponent``, rounded once: of the products only the last is inexact."""
    wanted = frexp_exponent(x) + minimum(maximum(exponent, -400), 400)
    normal = minimum(maximum(wanted, -125), 127)
    rest = minimum(maximum(wanted - normal, -60), 60)
    first = bitcast((normal + 127) << 23, float32)
    second = bitcast((rest + 127) << 23, float32)
    return frexp_mantissa(x) * first * second


def ldexp_double(x: Any, exponent: Any) -> Any:
    """float64 ``x * 2**exponent``, rounded once."""
    wanted = frexp_exponent_double(x) + minimum(maximum(exponent, -3000), 3000)
    normal = minimum(maximum(wanted, -1021), 1023)
    rest = minimum(maximum(wanted - normal, -120), 120)
    first = bitcast(int64(normal + 1023) << 52, float64)
    second = bitcast(int64(rest + 1023) << 52, float64)
    return frexp_mantissa_double(x) * first * second


def _neighbour(a: Any, b: Any, bits: Any, least: Any) -> Any:
    """Bits of the float next to a in the direction of b: floats are ordered as their bits are."""
    away = (a < b) == (bits >= 0)
    return select(a == 0.0, least, select(away, bits + 1, bits - 1))


def _unless_special(a: Any, b: Any, neighbour: Any) -> Any:
    """C's rule: b where they are equal (zeros differ in sign), NaN where either is."""
    return select(a == b, b, select(isnan(a) | isnan(b), a + b, neighbour))


def nextafter(a: Any, b: Any) -> Any:
    """The float32 next to a in the direction of b."""
    least = select(b < 0.0, int32(-0x7FFFFFFF), int32(1))
    return _unless_special(a, b, bitcast(_neighbour(a, b, bitcast(a, int32), least), float32))


def nextafter_double(a: Any, b: Any) -> Any:
    """The float64 next to a in the direction of b."""
    least = select(b < 0.0, int64(-0x7FFFFFFFFFFFFFFF), int64(1))
    return _unless_special(a, b, bitcast(_neighbour(a, b, bitcast(a, int64), least), float64))


def nextafter_half(a: Any, b: Any) -> Any:
    """The float16 next to a in the direction of b."""
    least = select(b < 0.0, int16(-0x7FFF), int16(1))
    return _unless_special(a, b, bitcast(_neighbour(a, b, bitcast(a, int16), least), float16))


def nextafter_bfloat(a: Any, b: Any) -> Any:
    """The bfloat16 next to a in the direction of b."""
    least = select(b < 0.0, int16(-0x7FFF), int16(1))
    return _unless_special(a, b, bitcast(_neighbour(a, b, bitcast(a, int16), least), bfloat16))


def int_pow(base: Any, exponent: Any) -> Any:
    """``base ** exponent`` of integers by squaring; it wraps. Below 0 as by division to zero."""
    result = base * 0 + 1
    power = base
    left = exponent
    while left > 0:
        result = select((left & 1) == 1, result * power, result)
        power = power * power
        left = left >> 1
    return select(exponent < 0, _inverse_power(base, exponent), result)


def _inverse_power(base: Any, exponent: Any) -> Any:
    """``1 / base ** -exponent``, without its fraction: 0 unless base is 1 or -1; 0 at base 0."""
    unit = (base == 1) | (base == base * 0 - 1)
    odd = (exponent & 1) == 1
    return select(unit, select(odd, base, base * base), base * 0)


def gcd(a: Any, b: Any) -> Any:
    """The greatest number that divides both, by Euclid's algorithm."""
    first, second = fabs(a), fabs(b)
    while second != 0:
        # The size again: beside the least number a remainder may be negative.
        first, second = second, fabs(first % second)
    return first
