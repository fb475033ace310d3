"""Intrinsics on the bits of integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from speedmetal.dtypes import int8, int16, int32, int64, uint8, uint16, uint32, uint64
from speedmetal.intrinsics.define import INTEGERS, elementwise, spell_per_target
from speedmetal.intrinsics.record import Intrinsic, Spelling
from speedmetal.intrinsics.reference import without_warnings

_SIGNED = (int8, int16, int32, int64)
_UNSIGNED = (uint8, uint16, uint32, uint64)


def _integer(x: Any) -> np.ndarray[Any, Any]:
    """As an array of a type that kernels have; Python's ints are int32 where they fit."""
    array = np.asarray(x)
    if isinstance(x, int) and -(1 << 31) <= x < 1 << 31:
        return array.astype(np.int32)
    return array


def _view_as_unsigned(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(array).reshape(array.shape).view(f"u{array.itemsize}")


def _bits(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Bits along a new last axis, the least significant first."""
    width = array.itemsize * 8
    shifts = np.arange(width, dtype=f"u{array.itemsize}")
    bits: np.ndarray[Any, Any] = (
        _view_as_unsigned(array)[..., None] >> shifts
    ) & shifts.dtype.type(1)
    return bits


def _as_type_of(x: np.ndarray[Any, Any], result: np.ndarray[Any, Any]) -> Any:
    converted = result.astype(x.dtype)
    return converted if converted.ndim else converted[()]


def _popcount(x: Any) -> Any:
    array = _integer(x)
    return _as_type_of(array, _bits(array).sum(axis=-1))


def _clz(x: Any) -> Any:
    array = _integer(x)
    from_top = _bits(array)[..., ::-1]
    return _as_type_of(array, np.where(from_top.any(-1), from_top.argmax(-1), array.itemsize * 8))


def _ctz(x: Any) -> Any:
    array = _integer(x)
    bits = _bits(array)
    return _as_type_of(array, np.where(bits.any(-1), bits.argmax(-1), array.itemsize * 8))


def _reverse_bits(x: Any) -> Any:
    array = _integer(x)
    weights = np.arange(array.itemsize * 8, dtype=f"u{array.itemsize}")
    reversed_bits = _bits(array)[..., ::-1]
    joined = np.bitwise_or.reduce(reversed_bits << weights, axis=-1)
    result = np.asarray(joined).view(array.dtype)
    return result if result.ndim else result[()]


def _mulhi(a: Any, b: Any) -> Any:
    left, right = np.broadcast_arrays(_integer(a), _integer(b))
    dtype = np.result_type(left.dtype, right.dtype)
    if dtype.itemsize <= 4:  # the product fits a longer type
        wide = np.dtype(f"{dtype.kind}8")
        high = (left.astype(wide) * right.astype(wide)) >> wide.type(dtype.itemsize * 8)
        return _as_type_of(np.empty(0, dtype), high)
    product = left.astype(object) * right.astype(object)
    result = np.asarray(product // (1 << (dtype.itemsize * 8)), dtype=object).astype(dtype)
    return result if result.ndim else result[()]


_MULHI_CUDA: dict[Any, Spelling] = {
    int8: "static_cast<signed char>(({0} * {1}) >> 8)",
    int16: "static_cast<short>(({0} * {1}) >> 16)",
    int64: "__mul64hi",
    uint8: "static_cast<unsigned char>(({0} * {1}) >> 8)",
    uint16: "static_cast<unsigned short>((static_cast<unsigned int>({0}) * {1}) >> 16)",
    uint32: "__umulhi",
    uint64: "__umul64hi",
}
_NARROW = (int8, int16, uint8, uint16)
_LONG = (int64, uint64)


def _record(
    name: str,
    operands: tuple[str, ...],
    meaning: str,
    reference: Callable[..., Any],
    spellings: tuple[Spelling, Spelling, Spelling],
    **more: Any,
) -> Intrinsic:
    return elementwise(
        name,
        operands,
        meaning,
        without_warnings(reference),
        spell_per_target(*spellings),
        accepts=INTEGERS,
        wide=False,
        **more,
    )


def _zero_extend(call: str, width: int) -> str:
    """A CUDA function of 32 bits applied to the bits of a narrower integer."""
    mask = (1 << width) - 1
    return call.replace("{0}", f"(static_cast<unsigned int>({{0}}) & 0x{mask:x}u)")


def _by_width(narrow: str, long: str) -> dict[tuple[str, str], Spelling]:
    spellings: dict[tuple[str, str], Spelling] = {("cuda", d.name): long for d in _LONG}
    for dtype in _NARROW:
        call = _zero_extend(narrow, dtype.bits).replace("{width}", str(dtype.bits))
        call = call.replace("{spare}", str(32 - dtype.bits))
        spellings["cuda", dtype.name] = "static_cast<{type}>(" + call + ")"
    return spellings


RECORDS = (
    _record(
        "popcount",
        ("x",),
        "How many bits of ``x`` are 1.",
        _popcount,
        ("llvm.ctpop", "__popc", "popcount"),
        aliases=tuple(f for f in (getattr(np, "bitwise_count", None),) if f is not None),
        by_type=_by_width("__popc({0})", "__popcll"),
    ),
    _record(
        "clz",
        ("x",),
        "How many zeros stand above the highest 1; the width of the type for 0.",
        _clz,
        ("@clz", "__clz", "clz"),
        by_type=_by_width("__clz({0}) - {spare}", "__clzll"),
    ),
    _record(
        "ctz",
        ("x",),
        "How many zeros stand below the lowest 1; the width of the type for 0.",
        _ctz,
        ("@ctz", "__clz(__brev({0}))", "ctz"),
        by_type=_by_width(
            "min(__clz(__brev({0})), {width})", "static_cast<{type}>(__clzll(__brevll({0})))"
        ),
    ),
    _record(
        "reverse_bits",
        ("x",),
        "The bits of ``x`` in the opposite order.",
        _reverse_bits,
        ("llvm.bitreverse", "static_cast<{type}>(__brev({0}))", "reverse_bits"),
        by_type=_by_width("__brev({0}) >> {spare}", "static_cast<{type}>(__brevll({0}))"),
    ),
    _record(
        "mulhi",
        ("a", "b"),
        "The high half of the exact product: ``(a * b) >> width`` without overflow.",
        _mulhi,
        ("@mulhi", "__mulhi", "mulhi"),
        by_type={("cuda", dtype.name): spelling for dtype, spelling in _MULHI_CUDA.items()},
    ),
)

mulhi = next(record for record in RECORDS if record.name == "mulhi")
