"""Intrinsics composed of exact operations in the kernel language, for every target alike."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from speedmetal.common.target_names import TARGETS
from speedmetal.dtypes import bfloat16, float16, float64, uint8, uint16, uint32, uint64
from speedmetal.intrinsics.define import (
    INTEGERS,
    NUMBERS,
    aliases,
    elementwise,
    numpy_type,
    spell_for_all_targets,
    spell_per_target,
)
from speedmetal.intrinsics.library import division, numbers
from speedmetal.intrinsics.record import Result
from speedmetal.intrinsics.reference import (
    common_type,
    of_floats,
    one_by_one,
    to_bool,
    to_int32,
    without_warnings,
)

_X = ("x",)
_AB = ("a", "b")
_BOTH = (math, np)
_CPU_DOUBLE = ("cpu", float64.name)
_CUDA_DOUBLE = ("cuda", float64.name)
_UNSIGNED = (uint8, uint16, uint32, uint64)


def _doubles(function: Any) -> dict[tuple[str, str], Any]:
    """The float64 function, for the targets that have float64."""
    return {_CPU_DOUBLE: function, _CUDA_DOUBLE: function}


def _in_own_type(function: Any) -> Any:
    """A reference evaluated in the operands' own type, in float32 where they are smaller."""

    def evaluate(*operands: Any) -> Any:
        dtype = common_type(*operands)
        inner = np.promote_types(dtype, np.float32)
        result = np.asarray(function(*(np.asarray(x).astype(inner) for x in operands)))
        rounded = result.astype(dtype)
        return rounded if rounded.ndim else rounded[()]

    return without_warnings(evaluate)


def _sign(x: Any) -> Any:
    result = np.asarray(np.where(np.equal(x, 0), x, np.sign(x)))
    return result if result.ndim else result[()]


def _ldexp(x: Any, exponent: Any) -> Any:
    scaled = np.ldexp(np.asarray(x).astype(np.float64), np.clip(exponent, -4000, 4000))
    result = np.asarray(scaled).astype(common_type(x))
    return result if result.ndim else result[()]


def _nextafter(a: Any, b: Any) -> Any:
    dtype = common_type(a, b)
    if dtype == bfloat16.numpy:
        result = np.asarray(_nextafter_bfloat(a, b))
    else:
        result = np.asarray(np.nextafter(np.asarray(a).astype(dtype), np.asarray(b).astype(dtype)))
    return result if result.ndim else result[()]


def _nextafter_bfloat(a: Any, b: Any) -> Any:
    """NumPy's nextafter for bfloat16, whose ufunc ``ml_dtypes`` registers."""
    dtype = bfloat16.numpy
    return np.nextafter(np.asarray(a).astype(dtype), np.asarray(b).astype(dtype))


def _int_pow(base: Any, exponent: Any) -> Any:
    dtype = np.promote_types(numpy_type(base), numpy_type(exponent))
    bases, exponents = np.broadcast_arrays(np.asarray(base), np.asarray(exponent))
    modulus = 1 << (dtype.itemsize * 8)
    powers = [
        pow(int(b), int(e), modulus) if e >= 0 else _inverse(int(b), int(e))
        for b, e in zip(bases.flat, exponents.flat, strict=True)
    ]
    wrapped = np.array([p % modulus for p in powers], dtype=f"u{dtype.itemsize}").view(dtype)
    result = wrapped.reshape(bases.shape)
    return result if result.ndim else result[()]


def _inverse(base: int, exponent: int) -> int:
    if base not in {1, -1}:
        return 0
    return base if exponent % 2 else 1


def _gcd(a: Any, b: Any) -> Any:
    dtype = np.promote_types(numpy_type(a), numpy_type(b))
    result = np.asarray(np.gcd(np.asarray(a).astype(dtype), np.asarray(b).astype(dtype)))
    return result if result.ndim else result[()]


RECORDS = (
    elementwise(
        "fmod",
        _AB,
        "``a - b * trunc(a / b)``, exact, with the sign of a. NaN for b = 0 and for infinite a;"
        " a for infinite b.",
        of_floats(np.fmod),
        spell_per_target(division.fmod, "fmod", division.fmod),
        aliases=aliases("fmod", modules=_BOTH),
        by_type={_CPU_DOUBLE: division.fmod_double},
    ),
    elementwise(
        "remainder",
        _AB,
        "Python's ``a % b``, with the sign of b. NaN for b = 0 and for infinite a.",
        _in_own_type(np.remainder),
        spell_for_all_targets(division.remainder),
        by_type=_doubles(division.remainder_double),
    ),
    elementwise(
        "floor_divide",
        _AB,
        "Python's ``a // b`` as NumPy computes it: ``(a - a % b) / b``, made whole. a / b for"
        " b = 0; NaN for infinite a.",
        _in_own_type(np.floor_divide),
        spell_for_all_targets(division.floor_divide),
        by_type=_doubles(division.floor_divide_double),
    ),
    elementwise(
        "ieee_remainder",
        _AB,
        "``a - b * n`` with the whole n nearest to a / b, the even one of two; exact. NaN for"
        " b = 0 and for infinite a.",
        one_by_one(math.remainder),
        spell_for_all_targets(division.ieee_remainder),
        aliases=(math.remainder,),
        by_type=_doubles(division.ieee_remainder_double),
    ),
    elementwise(
        "isinf",
        _X,
        "Whether x is an infinity; false for NaN.",
        to_bool(np.isinf),
        spell_for_all_targets(numbers.isinf),
        result=Result.BOOL,
        aliases=aliases("isinf", modules=_BOTH),
    ),
    elementwise(
        "isfinite",
        _X,
        "Whether x is neither infinite nor NaN.",
        to_bool(np.isfinite),
        spell_for_all_targets(numbers.isfinite),
        result=Result.BOOL,
        aliases=aliases("isfinite", modules=_BOTH),
    ),
    elementwise(
        "signbit",
        _X,
        "Whether the sign bit is set: for -0.0 and for negative NaN, too.",
        to_bool(np.signbit),
        spell_for_all_targets(numbers.signbit),
        result=Result.BOOL,
        aliases=(np.signbit,),
        by_type=_doubles(numbers.signbit_double),
    ),
    elementwise(
        "sign",
        _X,
        "-1, 0 or 1. NaN stays, and so does a zero's sign.",
        without_warnings(_sign),
        spell_for_all_targets(numbers.sign),
        accepts=NUMBERS,
        aliases=(np.sign,),
        by_type={
            (target, dtype.name): numbers.sign_unsigned for target in TARGETS for dtype in _UNSIGNED
        },
    ),
    elementwise(
        "clamp",
        ("x", "low", "high"),
        "``minimum(maximum(x, low), high)``. NaN where any operand is NaN.",
        without_warnings(lambda x, low, high: np.minimum(np.maximum(x, low), high)),
        spell_for_all_targets(numbers.clamp),
        accepts=NUMBERS,
        aliases=(np.clip,),
    ),
    elementwise(
        "degrees",
        _X,
        "Radians to degrees: ``x * (180 / pi)``. NaN and infinities stay.",
        of_floats(np.degrees),
        spell_for_all_targets(numbers.degrees),
        ulp=1,
        aliases=aliases("degrees", "rad2deg", modules=_BOTH),
    ),
    elementwise(
        "radians",
        _X,
        "Degrees to radians: ``x * (pi / 180)``. NaN and infinities stay.",
        of_floats(np.radians),
        spell_for_all_targets(numbers.radians),
        ulp=1,
        aliases=aliases("radians", "deg2rad", modules=_BOTH),
    ),
    elementwise(
        "frexp_mantissa",
        _X,
        "The m in [0.5, 1), with the sign of x, of ``x = m * 2**e``. Zeros, NaN, infinities stay.",
        of_floats(lambda x: np.frexp(x)[0]),
        spell_for_all_targets(numbers.frexp_mantissa),
        by_type=_doubles(numbers.frexp_mantissa_double),
    ),
    elementwise(
        "frexp_exponent",
        _X,
        "The e of ``x = m * 2**e`` with m in [0.5, 1). 0 for zeros, NaN and infinities.",
        to_int32(lambda x: np.where(np.isfinite(x), np.frexp(x)[1], 0)),
        spell_for_all_targets(numbers.frexp_exponent),
        result=Result.INT32,
        by_type=_doubles(numbers.frexp_exponent_double),
    ),
    elementwise(
        "ldexp",
        ("x", "exponent"),
        "``x * 2**exponent``, rounded once. NaN, infinities and zeros stay.",
        without_warnings(_ldexp),
        spell_for_all_targets(numbers.ldexp),
        scalar_operands=(1,),
        aliases=aliases("ldexp", modules=_BOTH),
        by_type=_doubles(numbers.ldexp_double),
    ),
    elementwise(
        "nextafter",
        _AB,
        "The neighbour of a, in a's type, in the direction of b; b where they are equal; NaN where"
        " either is NaN.",
        without_warnings(_nextafter),
        spell_for_all_targets(numbers.nextafter),
        aliases=aliases("nextafter", modules=_BOTH),
        wide=False,  # the neighbour depends on the type
        by_type=_doubles(numbers.nextafter_double)
        | {
            (target, dtype.name): function
            for target in TARGETS
            for dtype, function in (
                (float16, numbers.nextafter_half),
                (bfloat16, numbers.nextafter_bfloat),
            )
        },
    ),
    elementwise(
        "int_pow",
        ("base", "exponent"),
        "``base ** exponent`` of integers, which wraps. A negative exponent gives 0, and the exact"
        " power for the bases 1 and -1.",
        without_warnings(_int_pow),
        spell_for_all_targets(numbers.int_pow),
        accepts=INTEGERS,
        wide=False,
    ),
    elementwise(
        "gcd",
        _AB,
        "The greatest integer that divides both; the size of the other where one is 0. The least"
        " signed integer stays itself.",
        without_warnings(_gcd),
        spell_for_all_targets(numbers.gcd),
        accepts=INTEGERS,
        aliases=aliases("gcd", modules=_BOTH),
        wide=False,
    ),
)
