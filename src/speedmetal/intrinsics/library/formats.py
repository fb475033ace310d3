"""The two float formats that the library is written for: one text serves both."""

from __future__ import annotations

from typing import Any

from speedmetal.common.records import record
from speedmetal.dtypes import DType, float32, float64, int32, int64
from speedmetal.intrinsics.constructs import bitcast, select
from speedmetal.intrinsics.exact import fma
from speedmetal.intrinsics.library import coefficients
from speedmetal.intrinsics.library.coefficients import Coefficients


@record
class Format:
    """Numbers of an IEEE 754 binary format.

    Args:
        floating, integer: The type and the integer type of its size.
        fraction: Bits of the fraction.
        bias: Of the exponent.
        sign: Number of the sign bit.
        shifter: ``1.5 * 2**fraction``: added to x, it leaves rint(x) in the sum's low bits.
        least_normal: ``2**(1 - bias)``.
        fit: Polynomials.
    """

    floating: DType
    integer: DType
    fraction: int
    bias: int
    sign: int
    shifter: float
    least_normal: float
    fit: Coefficients


SINGLE = Format(float32, int32, 23, 127, 31, 12582912.0, 2.0**-126, coefficients.SINGLE)
DOUBLE = Format(float64, int64, 52, 1023, 63, 6755399441055744.0, 2.0**-1022, coefficients.DOUBLE)


def horner(x: Any, terms: tuple[float, ...]) -> Any:
    """The polynomial with these coefficients, highest power first."""
    total = fma(terms[0], x, terms[1])
    for term in terms[2:]:
        total = fma(total, x, term)
    return total


def flip_sign(value: Any, parity: Any, f: Format) -> Any:
    """The value, negated where the lowest bit of the integer is set."""
    return bitcast(bitcast(value, f.integer) ^ (parity << f.sign), f.floating)


def times_sign(value: Any, x: Any, f: Format) -> Any:
    """The value, negated where the sign bit of x is set."""
    return bitcast(bitcast(value, f.integer) ^ (bitcast(x, f.integer) & (-1 << f.sign)), f.floating)


def at_most(x: Any, limit: float) -> Any:
    """The smaller of x and the limit; NaN stays. One instruction, which minimum is not."""
    return select(x > limit, limit, x)


def at_least(x: Any, limit: float) -> Any:
    """The greater of x and the limit; NaN stays."""
    return select(x < limit, limit, x)
