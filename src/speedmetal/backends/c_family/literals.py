"""Constants as literals."""

from __future__ import annotations

import math

import numpy as np

from speedmetal.backends.c_family.device_prelude import least_literal
from speedmetal.backends.c_family.dialect import Dialect
from speedmetal.dtypes import DType, Kind, bfloat16, float16, float32, float64


def literal(value: float, dtype: DType, dialect: Dialect) -> str:
    """A constant of a type; narrow types by a conversion, since C++ has no literal for them.

    The text begins with a minus sign where the value is negative, and needs the parentheses of
    a unary operator then.
    """
    if dtype.is_bool:
        return "true" if value else "false"
    if dtype.is_float:
        return _float_literal(float(value), dtype, dialect)
    plain = plain_integer(int(value), dtype, dialect)
    return plain if dtype.bits >= 32 else f"{dialect.types[dtype]}({plain})"


def plain_integer(value: int, dtype: DType, dialect: Dialect) -> str:
    """An integer's digits, without a conversion to a type narrower than int."""
    if dtype.kind is Kind.SIGNED and dtype.bits >= 32 and value == -(2 ** (dtype.bits - 1)):
        return least_literal(dtype, dialect)
    return f"{value}{dialect.suffixes[dtype]}"


def _float_literal(value: float, dtype: DType, dialect: Dialect) -> str:
    if dtype in (float16, bfloat16):
        # The value is rounded here, so that no compiler has to round it twice.
        rounded = float(dtype(value))
        return f"{dialect.types[dtype]}({_float_literal(rounded, float32, dialect)})"
    if dtype is float32:
        with np.errstate(over="ignore"):
            value = float(np.float32(value))
    if math.isnan(value):
        return dialect.double_nan if dtype is float64 else dialect.nan
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    if math.isinf(value):
        return sign + (dialect.double_infinity if dtype is float64 else dialect.infinity)
    digits = repr(abs(value)) if dtype is float64 else str(np.float32(abs(value)))
    if "e" not in digits and "." not in digits:
        digits += ".0"
    return f"{sign}{digits}{dialect.suffixes[dtype]}"
