"""Multiplication by powers of 2: how exponentials end. An intrinsic without a public name."""

from __future__ import annotations

from typing import Any

import numpy as np

from speedmetal.dtypes import float64
from speedmetal.intrinsics.constructs import bitcast
from speedmetal.intrinsics.define import elementwise, spell_per_target
from speedmetal.intrinsics.library.formats import DOUBLE, SINGLE, Format
from speedmetal.intrinsics.reference import without_warnings


def _by_two_factors(x: Any, shifted: Any, f: Format) -> Any:
    """The first product is exact, the second is rounded once, below the normal numbers too."""
    exponent = bitcast(shifted, f.integer) - bitcast(f.floating(f.shifter), f.integer)
    half = exponent >> 1
    first = bitcast((half + f.bias) << f.fraction, f.floating)
    second = bitcast((exponent - half + f.bias) << f.fraction, f.floating)
    return x * first * second


def by_two_factors(x: Any, shifted: Any) -> Any:
    """float32 ``x * 2**(shifted - shifter)``."""
    return _by_two_factors(x, shifted, SINGLE)


def by_two_factors_double(x: Any, shifted: Any) -> Any:
    """float64 ``x * 2**(shifted - shifter)``."""
    return _by_two_factors(x, shifted, DOUBLE)


@without_warnings
def _reference(x: Any, shifted: Any) -> Any:
    significand, given = np.asarray(x), np.asarray(shifted)
    shifter = (DOUBLE if given.dtype == np.float64 else SINGLE).shifter
    whole = np.nan_to_num(given - given.dtype.type(shifter)).astype(np.int32)
    return np.ldexp(significand, whole)[()]


scale = elementwise(
    "scale_by_shifted",
    ("x", "shifted"),
    "x times 2 to the power of the whole number that was added to the format's shifter. The number"
    " lies within the exponents of the format and its subnormal numbers, and a little beyond.",
    _reference,
    spell_per_target("@scale", by_two_factors, by_two_factors),
    by_type={
        ("cuda", float64.name): by_two_factors_double,
        ("metal", float64.name): by_two_factors_double,
    },
)
