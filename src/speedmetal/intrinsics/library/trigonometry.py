"""Trigonometric functions and their inverses.

sin and cos subtract the nearest multiple (for cos: the nearest odd half) of pi, given in three
parts: the first subtraction is exact where |x| >= 1, and where x is smaller its error is harmless.
The parts are all positive, so that zeros keep their signs.

From :data:`FAR_SINGLE` on, the quotient's error grows too large. There x / pi is found modulo 2 in
float64 from pieces of 1 / pi short enough for exact products, after M. Payne and R. Hanek,
"Radian reduction for trigonometric functions" (1983). That is a function of its own, under a
condition: no other text is as long, few threads need it, and the CPU's code generator leaves what
is long and under a condition where it is, for all calls of a kernel.
"""

from __future__ import annotations

import math
from typing import Any

from speedmetal.common.records import record
from speedmetal.dtypes import float32, float64, int32
from speedmetal.intrinsics.constructs import bitcast, select
from speedmetal.intrinsics.exact import copysign, fabs, fma, isnan, maximum, minimum, rint, sqrt
from speedmetal.intrinsics.library import libm
from speedmetal.intrinsics.library.formats import (
    DOUBLE,
    SINGLE,
    Format,
    at_least,
    at_most,
    flip_sign,
    horner,
    times_sign,
)


@record
class Turn:
    """A quarter or half turn, in three parts rounded down, and its inverse."""

    inverse: float
    first: float
    second: float
    third: float


HALF_TURN_SINGLE = Turn(
    0.3183098861837907, 3.141592502593994, 1.5099578831723193e-07, 1.078060505991553e-14
)
HALF_TURN_DOUBLE = Turn(
    0.3183098861837907, 3.141592653589793, 1.224646799147353e-16, 2.1657133478438278e-32
)
QUARTER_TURN_SINGLE = Turn(
    0.6366197723675814, 1.570796251296997, 7.549789415861596e-08, 5.390302529957765e-15
)
QUARTER_TURN_DOUBLE = Turn(
    0.6366197723675814, 1.5707963267948966, 6.123233995736765e-17, 1.0828566739219139e-32
)
PI_SINGLE = (3.1415927410125732, -8.742277657347586e-08)
PI_DOUBLE = (3.141592653589793, 1.2246467991473532e-16)

FAR_SINGLE = 262144.0
FAR_DOUBLE = 35184372088832.0  # 2**45; beyond it the C library is asked, one thread at a time

# 1 / pi in pieces of 28 bits, up to 2**-196.
INVERSE_PI = (
    0.31830988451838493,
    1.665405729989189e-09,
    8.076898901962902e-18,
    3.8483524236783526e-26,
    8.341433828509763e-35,
    5.794356641444275e-44,
    3.5269795374180254e-52,
)


def _minus_multiple(x: Any, n: Any, turn: Turn) -> Any:
    return fma(n, -turn.third, fma(n, -turn.second, fma(n, -turn.first, x)))


def _half_turns(x: Any, start: Any, scale: float) -> tuple[Any, Any]:
    """``scale * x / pi + start``, for a float32 x: nearest whole number modulo 2, and the rest.

    Each product is exact, and so are the sums until what is left of the pieces is small beside the
    rest, however near x is to a multiple of pi: the rest has float32's relative accuracy.
    """
    wide = float64(x) * scale
    whole = wide * 0.0
    rest = whole + start
    for piece in INVERSE_PI:
        product = wide * piece
        turns = rint(product)
        rest = rest + (product - turns)
        carry = rint(rest)
        rest = rest - carry
        whole = whole + (turns - 2.0 * rint(0.5 * turns)) + carry
    return int32(whole), rest


def _sine(r: Any, f: Format) -> Any:
    """sin(r) for |r| up to pi / 2 and a little more."""
    square = r * r
    sine = fma(horner(square, f.fit.sin) * square, r, r)
    return at_least(at_most(sine, 1.0), -1.0)  # rounding may lead beyond 1


def _sin_reduction(a: Any, turn: Turn, f: Format) -> tuple[Any, Any]:
    """How many times a holds pi, in the low bits of an integer, and the rest."""
    shifted = fma(a, turn.inverse, f.shifter)
    return bitcast(shifted, f.integer), _minus_multiple(a, shifted - f.shifter, turn)


def sin(x: Any) -> Any:
    """float32 sine."""
    parity, r = _sin_reduction(fabs(x), HALF_TURN_SINGLE, SINGLE)
    value = times_sign(flip_sign(_sine(r, SINGLE), parity, SINGLE), x, SINGLE)
    if fabs(x) > FAR_SINGLE:
        value = times_sign(_far_sine(fabs(x), fabs(x) * 0.0), x, SINGLE)
    return value


def _far_sine(a: Any, start: Any) -> Any:
    """``sin(a + start * pi)``; the start is no constant, so that this is one function."""
    parity, rest = _half_turns(a, float64(start), 1.0)
    return flip_sign(_sine(float32(rest * math.pi), SINGLE), parity, SINGLE)


def _far_sin_double(x: Any) -> Any:  # a call, so that no thread pays for it that need not
    return libm.sin(x)


def sin_double(x: Any) -> Any:
    """float64 sine."""
    parity, r = _sin_reduction(fabs(x), HALF_TURN_DOUBLE, DOUBLE)
    value = times_sign(flip_sign(_sine(r, DOUBLE), parity, DOUBLE), x, DOUBLE)
    if fabs(x) > FAR_DOUBLE:
        value = _far_sin_double(x)
    return value


def _cos_reduction(a: Any, turn: Turn, f: Format) -> tuple[Any, Any]:
    """As :func:`_sin_reduction`, from ``a - pi / 2``."""
    shifted = fma(a, turn.inverse, -0.5) + f.shifter
    return bitcast(shifted, f.integer), _minus_multiple(a, (shifted - f.shifter) + 0.5, turn)


def cos(x: Any) -> Any:
    """float32 cosine: ``cos(n * pi + pi / 2 + r) = (-1)**(n + 1) * sin(r)``."""
    parity, r = _cos_reduction(fabs(x), HALF_TURN_SINGLE, SINGLE)
    value = flip_sign(_sine(r, SINGLE), parity + 1, SINGLE)
    if fabs(x) > FAR_SINGLE:
        value = -_far_sine(fabs(x), fabs(x) * 0.0 - 0.5)
    return value


def _far_cos_double(x: Any) -> Any:
    return libm.cos(x)


def cos_double(x: Any) -> Any:
    """float64 cosine."""
    parity, r = _cos_reduction(fabs(x), HALF_TURN_DOUBLE, DOUBLE)
    value = flip_sign(_sine(r, DOUBLE), parity + 1, DOUBLE)
    if fabs(x) > FAR_DOUBLE:
        value = _far_cos_double(x)
    return value


def _tangent(r: Any, parity: Any, f: Format) -> Any:
    """The tangent of r, or of r and a quarter turn where the parity is odd."""
    square = r * r
    tangent = fma(horner(square, f.fit.tan) * square, r, r)
    return select((parity & 1) == 1, -1.0 / tangent, tangent)


def tan(x: Any) -> Any:
    """float32 tangent."""
    parity, r = _sin_reduction(fabs(x), QUARTER_TURN_SINGLE, SINGLE)
    value = times_sign(_tangent(r, parity, SINGLE), x, SINGLE)
    if fabs(x) > FAR_SINGLE:
        value = _far_tan(x)
    return value


def _far_tan(x: Any) -> Any:
    parity, rest = _half_turns(fabs(x), 0.0, 2.0)
    return times_sign(_tangent(float32(rest * (0.5 * math.pi)), parity, SINGLE), x, SINGLE)


def _far_tan_double(x: Any) -> Any:
    return libm.tan(x)


def tan_double(x: Any) -> Any:
    """float64 tangent."""
    parity, r = _sin_reduction(fabs(x), QUARTER_TURN_DOUBLE, DOUBLE)
    value = times_sign(_tangent(r, parity, DOUBLE), x, DOUBLE)
    if fabs(x) > FAR_DOUBLE:
        value = _far_tan_double(x)
    return value


def sine_of_half_turns(r: Any, pi: tuple[float, float], f: Format) -> Any:
    """sin(pi * r) for r in [0, 1/2]."""
    square = r * r
    return at_most(fma(r, pi[0], r * fma(horner(square, f.fit.sinpi), square, pi[1])), 1.0)


def _whole_and_rest(x: Any) -> tuple[Any, Any]:
    """Whether the whole number nearest to x is odd, as 1.0 or 0.0, and the rest."""
    whole = rint(x)
    return fabs(whole - 2.0 * rint(0.5 * whole)), x - whole


def _sinpi(x: Any, pi: tuple[float, float], f: Format) -> Any:
    odd, rest = _whole_and_rest(fabs(x))
    sine = times_sign(sine_of_half_turns(fabs(rest), pi, f), rest, f)
    signed = times_sign(select(odd == 1.0, -sine, sine), x, f)
    return select(rest == 0.0, copysign(0.0, x), signed)


def sinpi(x: Any) -> Any:
    """float32 ``sin(pi * x)``."""
    return _sinpi(x, PI_SINGLE, SINGLE)


def sinpi_double(x: Any) -> Any:
    """float64 ``sin(pi * x)``."""
    return _sinpi(x, PI_DOUBLE, DOUBLE)


def _cospi(x: Any, pi: tuple[float, float], f: Format) -> Any:
    odd, rest = _whole_and_rest(fabs(x))
    cosine = sine_of_half_turns(0.5 - fabs(rest), pi, f)
    return select(odd == 1.0, -cosine, cosine) + 0.0  # the sum makes -0.0 a 0.0


def cospi(x: Any) -> Any:
    """float32 ``cos(pi * x)``."""
    return _cospi(x, PI_SINGLE, SINGLE)


def cospi_double(x: Any) -> Any:
    """float64 ``cos(pi * x)``."""
    return _cospi(x, PI_DOUBLE, DOUBLE)


def tanpi(x: Any) -> Any:
    """float32 ``tan(pi * x)``."""
    return sinpi(x) / cospi(x)


def tanpi_double(x: Any) -> Any:
    """float64 ``tan(pi * x)``."""
    return sinpi_double(x) / cospi_double(x)


def _arcsine(a: Any, f: Format) -> Any:
    """The arc of sine s, which is a up to 1/2 and ``sqrt((1 - a) / 2)`` above: half the rest."""
    square = select(a > 0.5, 0.5 - 0.5 * a, a * a)
    s = select(a > 0.5, sqrt(square), a)
    return fma(horner(square, f.fit.asin) * square, s, s)


def _asin(x: Any, quarter: tuple[float, float], f: Format) -> Any:
    a = fabs(x)
    angle = _arcsine(a, f)
    return copysign(select(a > 0.5, quarter[0] - (angle + angle - quarter[1]), angle), x)


def asin(x: Any) -> Any:
    """float32 inverse of the sine."""
    return _asin(x, (0.5 * PI_SINGLE[0], 0.5 * PI_SINGLE[1]), SINGLE)


def asin_double(x: Any) -> Any:
    """float64 inverse of the sine."""
    return _asin(x, (0.5 * PI_DOUBLE[0], 0.5 * PI_DOUBLE[1]), DOUBLE)


def _acos(x: Any, pi: tuple[float, float], f: Format) -> Any:
    angle = _arcsine(fabs(x), f)
    twice = angle + angle
    near = 0.5 * pi[0] - (times_sign(angle, x, f) - 0.5 * pi[1])
    ends = select(x > 0.5, twice, pi[0] - (twice - pi[1]))
    return select(fabs(x) > 0.5, ends, near)


def acos(x: Any) -> Any:
    """float32 inverse of the cosine."""
    return _acos(x, PI_SINGLE, SINGLE)


def acos_double(x: Any) -> Any:
    """float64 inverse of the cosine."""
    return _acos(x, PI_DOUBLE, DOUBLE)


def _arctangent(t: Any, f: Format) -> Any:
    """atan(t) for t in [0, 1]."""
    square = t * t
    return fma(horner(square, f.fit.atan) * square, t, t)


def _atan(x: Any, pi: tuple[float, float], f: Format) -> Any:
    a = fabs(x)
    steep = a > 1.0
    angle = _arctangent(select(steep, 1.0 / a, a), f)
    return copysign(select(steep, 0.5 * pi[0] - (angle - 0.5 * pi[1]), angle), x)


def atan(x: Any) -> Any:
    """float32 inverse of the tangent."""
    return _atan(x, PI_SINGLE, SINGLE)


def atan_double(x: Any) -> Any:
    """float64 inverse of the tangent."""
    return _atan(x, PI_DOUBLE, DOUBLE)


def _atan2(y: Any, x: Any, pi: tuple[float, float], f: Format) -> Any:
    """The angle in the first eighth of a turn, then unfolded."""
    short = minimum(fabs(x), fabs(y))
    long = maximum(fabs(x), fabs(y))
    on_diagonal = select(long == 0.0, f.floating(0), f.floating(1))
    angle = _arctangent(select(short == long, on_diagonal, short / long), f)
    quarter = select(fabs(y) > fabs(x), 0.5 * pi[0] - (angle - 0.5 * pi[1]), angle)
    left = bitcast(x, f.integer) < 0
    half = select(left, pi[0] - (quarter - pi[1]), quarter)
    return select(isnan(x) | isnan(y), x + y, copysign(half, y))


def atan2(y: Any, x: Any) -> Any:
    """float32 angle of the point (x, y)."""
    return _atan2(y, x, PI_SINGLE, SINGLE)


def atan2_double(y: Any, x: Any) -> Any:
    """float64 angle of the point (x, y)."""
    return _atan2(y, x, PI_DOUBLE, DOUBLE)
