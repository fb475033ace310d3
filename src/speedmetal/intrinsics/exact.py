"""Intrinsics whose results are exact or rounded once: no error bound is needed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from speedmetal.intrinsics.define import NUMBERS, aliases, elementwise, spell_per_target
from speedmetal.intrinsics.record import Result
from speedmetal.intrinsics.reference import common_type, of_floats, to_bool, without_warnings

_X = ("x",)
_AB = ("a", "b")


def _round_to_odd(high: np.ndarray[Any, Any], low: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """float64 ``high + low`` rounded to odd, where |low| is at most half a unit of ``high``.

    A sum rounded to odd with 53 bits, then to nearest with 24, is the exact sum rounded to
    nearest once (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
    """
    bits = np.asarray(high, dtype=np.float64).view(np.int64)
    even = (bits & 1) == 0
    towards_low = np.where((low > 0) == (high > 0), 1, -1)
    odd = np.where(even & (low != 0) & np.isfinite(low), bits + towards_low, bits)
    return odd.view(np.float64)


def _fma_single(a: Any, b: Any, c: Any) -> np.ndarray[Any, Any]:
    product = np.asarray(a).astype(np.float64) * np.asarray(b).astype(np.float64)  # exact
    addend = np.asarray(c).astype(np.float64)
    total = np.asarray(product + addend)
    part = total - product
    rest = (product - (total - part)) + (addend - part)
    return _round_to_odd(total, rest)


def _fma_exactly(a: float, b: float, c: float) -> float:
    """float64's fma, by integers: NumPy has none."""
    if not (math.isfinite(a) and math.isfinite(b)) or a == 0 or b == 0:
        return a * b + c
    if not math.isfinite(c):
        return c  # a * b could overflow on the way
    from fractions import Fraction

    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if exact == 0:
        return a * b + c  # the sign of zero
    try:
        return exact.numerator / exact.denominator  # Python divides integers with one rounding
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


_fma_double = np.vectorize(_fma_exactly, otypes=[np.float64])


def _fma(a: Any, b: Any, c: Any) -> Any:
    dtype = common_type(a, b, c)
    if dtype == np.float64:
        result = np.asarray(_fma_double(a, b, c))
    else:  # smaller types are computed in float32
        result = np.asarray(_fma_single(a, b, c)).astype(np.float32).astype(dtype)
    return result if result.ndim else result[()]


def _nan_ignoring(function: Any) -> Any:
    return of_floats(function)


_BOTH = (math, np)

RECORDS = (
    elementwise(
        "abs",
        _X,
        "|x|. The least signed integer stays itself. NaN stays NaN.",
        without_warnings(np.absolute),
        spell_per_target("@abs", "@abs", "@abs"),
        accepts=NUMBERS,
        aliases=(*aliases("fabs", modules=_BOTH), np.absolute),
    ),
    elementwise(
        "minimum",
        _AB,
        "The smaller operand. NaN where either is NaN. minimum(-0.0, 0.0) is either zero.",
        without_warnings(np.minimum),
        spell_per_target("@minimum", "@minimum", "@minimum"),
        accepts=NUMBERS,
        aliases=(np.minimum,),
    ),
    elementwise(
        "maximum",
        _AB,
        "The greater operand. NaN where either is NaN. maximum(-0.0, 0.0) is either zero.",
        without_warnings(np.maximum),
        spell_per_target("@maximum", "@maximum", "@maximum"),
        accepts=NUMBERS,
        aliases=(np.maximum,),
    ),
    elementwise(
        "fmin",
        _AB,
        "The smaller operand; the other one where one is NaN.",
        _nan_ignoring(np.fmin),
        spell_per_target("llvm.minnum", "fmin", "precise::fmin"),
        aliases=(np.fmin,),
    ),
    elementwise(
        "fmax",
        _AB,
        "The greater operand; the other one where one is NaN.",
        _nan_ignoring(np.fmax),
        spell_per_target("llvm.maxnum", "fmax", "precise::fmax"),
        aliases=(np.fmax,),
    ),
    elementwise(
        "floor",
        _X,
        "The greatest whole number not above x, as a float. NaN and infinities stay.",
        of_floats(np.floor),
        spell_per_target("llvm.floor", "floor", "floor"),
        aliases=(np.floor,),
    ),
    elementwise(
        "ceil",
        _X,
        "The least whole number not below x, as a float. NaN and infinities stay.",
        of_floats(np.ceil),
        spell_per_target("llvm.ceil", "ceil", "ceil"),
        aliases=(np.ceil,),
    ),
    elementwise(
        "trunc",
        _X,
        "x without its fraction, as a float. NaN and infinities stay.",
        of_floats(np.trunc),
        spell_per_target("llvm.trunc", "trunc", "trunc"),
        aliases=(np.trunc, *aliases("fix", modules=(np,))),
    ),
    elementwise(
        "rint",
        _X,
        "The nearest whole number, halves to the even one, as a float. NaN and infinities stay.",
        of_floats(np.rint),
        spell_per_target("llvm.roundeven", "rint", "rint"),
        aliases=(np.rint,),
    ),
    elementwise(
        "sqrt",
        _X,
        "The square root, rounded to nearest. NaN below zero; -0.0 stays; inf gives inf.",
        of_floats(np.sqrt),
        spell_per_target("llvm.sqrt", "sqrt", "precise::sqrt"),
        aliases=aliases("sqrt", modules=_BOTH),
    ),
    elementwise(
        "fma",
        ("a", "b", "c"),
        "``a * b + c`` with one rounding, to float32 where the type is smaller. NaN for 0 * inf and"
        " for inf - inf.",
        without_warnings(_fma),
        spell_per_target("llvm.fma", "fma", "fma"),
        aliases=aliases("fma", modules=(math,)),
    ),
    elementwise(
        "copysign",
        _AB,
        "|a| with the sign bit of b. A NaN's sign counts, too.",
        of_floats(np.copysign),
        spell_per_target("llvm.copysign", "copysign", "copysign"),
        aliases=aliases("copysign", modules=_BOTH),
    ),
    elementwise(
        "isnan",
        _X,
        "Whether x is NaN.",
        to_bool(np.isnan),
        spell_per_target("@isnan", "isnan", "isnan"),
        result=Result.BOOL,
        aliases=aliases("isnan", modules=_BOTH),
    ),
)

_BY_NAME = {record.name: record for record in RECORDS}
fabs = _BY_NAME["abs"]
minimum = _BY_NAME["minimum"]
maximum = _BY_NAME["maximum"]
floor = _BY_NAME["floor"]
trunc = _BY_NAME["trunc"]
rint = _BY_NAME["rint"]
sqrt = _BY_NAME["sqrt"]
fma = _BY_NAME["fma"]
copysign = _BY_NAME["copysign"]
isnan = _BY_NAME["isnan"]
