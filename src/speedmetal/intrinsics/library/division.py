"""Division with remainder of floats, exact as far as floats can say it."""

from __future__ import annotations

import math
from typing import Any

from speedmetal.intrinsics.constructs import select
from speedmetal.intrinsics.exact import copysign, fabs, floor, fma, trunc

SINGLE_STEP = 8388608.0  # 2**23: a quotient below it has no rounding error of 1 or more
DOUBLE_STEP = 4503599627370496.0  # 2**52


def _reduce(rest: Any, divisor: Any) -> Any:
    """``rest`` modulo ``divisor``, both positive, where the quotient is below the step.

    The rounded quotient is at most 1 too large. Both fma and the correction are exact: their
    results are multiples of the divisor's last place and smaller than the divisor.
    """
    reduced = fma(-trunc(rest / divisor), divisor, rest)
    return select(reduced < 0.0, reduced + divisor, reduced)


def _magnitude(rest: Any, divisor: Any, step: float) -> Any:
    """|a| modulo |b|. The loops run for quotients from ``step`` on only, a step's bits a turn."""
    while (divisor * step <= rest) & (rest < math.inf) & (divisor > 0.0):
        multiple = divisor * step
        while multiple * step <= rest:
            multiple = multiple * step
        rest = _reduce(rest, multiple)
    return select(rest < divisor, rest, _reduce(rest, divisor))


def _fmod(a: Any, b: Any, step: float) -> Any:
    rest = fabs(a)
    divisor = fabs(b)
    valid = (rest < math.inf) & (divisor > 0.0)
    return select(valid, copysign(_magnitude(rest, divisor, step), a), (a * b) / (a * b))


def _on_other_side(rest: Any, b: Any) -> Any:
    """Whether 0 lies between C's remainder and the divisor, where Python's is another."""
    return (rest != 0.0) & ((rest < 0.0) != (b < 0.0))


def _with_divisors_sign(rest: Any, b: Any) -> Any:
    """Python's remainder from C's."""
    return select(_on_other_side(rest, b), rest + b, select(rest == 0.0, copysign(rest, b), rest))


def _floor_quotient(a: Any, b: Any, rest: Any) -> Any:
    """The whole number nearest to ``(a - rest) / b``, of which only the rounding is taken away."""
    truncated = (a - rest) / b
    quotient = select(_on_other_side(rest, b), truncated - 1.0, truncated)
    down = floor(quotient)
    nearest = select(quotient - down > 0.5, down + 1.0, down)
    finite = select(quotient == 0.0, copysign(0.0 * nearest, a / b), nearest)
    return select(b == 0.0, a / b, finite)


def _ieee(a: Any, b: Any, step: float) -> Any:
    """``a - b * n`` with n nearest to ``a / b``, the even one of two.

    |a| modulo 2|b|, less 0, 1 or 2 times |b|; where 2|b| overflows, |a| is not above it anyway.
    """
    divisor = fabs(b)
    twice = divisor + divisor
    whole = fabs(a)
    rest = select(twice < math.inf, _magnitude(whole, twice, step), whole)
    # Comparing rest / 2 and rest - divisor / 2 avoids both overflow and lost subnormal bits.
    above = rest - divisor > -rest
    once = select(above, rest - divisor, rest)
    twofold = select(above & (once - divisor >= -once), once - divisor, once)
    signed = select(twofold == 0.0, copysign(twofold, a), select(a < 0.0, -twofold, twofold))
    valid = (whole < math.inf) & (divisor > 0.0)
    finite = select(divisor < math.inf, signed, a)
    return select(valid, finite, (a * b) / (a * b))


def fmod(a: Any, b: Any) -> Any:
    """float32 ``a - b * trunc(a / b)``."""
    return _fmod(a, b, SINGLE_STEP)


def fmod_double(a: Any, b: Any) -> Any:
    """float64 ``a - b * trunc(a / b)``."""
    return _fmod(a, b, DOUBLE_STEP)


def remainder(a: Any, b: Any) -> Any:
    """float32 ``a % b``."""
    return _with_divisors_sign(_fmod(a, b, SINGLE_STEP), b)


def remainder_double(a: Any, b: Any) -> Any:
    """float64 ``a % b``."""
    return _with_divisors_sign(_fmod(a, b, DOUBLE_STEP), b)


def floor_divide(a: Any, b: Any) -> Any:
    """float32 ``a // b``."""
    return _floor_quotient(a, b, _fmod(a, b, SINGLE_STEP))


def floor_divide_double(a: Any, b: Any) -> Any:
    """float64 ``a // b``."""
    return _floor_quotient(a, b, _fmod(a, b, DOUBLE_STEP))


def ieee_remainder(a: Any, b: Any) -> Any:
    """float32 ``math.remainder(a, b)``."""
    return _ieee(a, b, SINGLE_STEP)


def ieee_remainder_double(a: Any, b: Any) -> Any:
    """float64 ``math.remainder(a, b)``."""
    return _ieee(a, b, DOUBLE_STEP)
