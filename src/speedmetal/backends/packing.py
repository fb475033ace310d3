"""Arguments as bytes: what a launch passes to compiled code, packed the same way for every device.

A backend lists what its code expects, in order: bytes that stay the same between launches of like
sizes and shapes (:func:`pack_numbers`), and numbers that each launch gives (:class:`Number`). What
:func:`packer` makes of the list joins the constant bytes once, and fills in the numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from speedmetal.common.records import record
from speedmetal.dtypes import (
    DType,
    bfloat16,
    float16,
    float32,
    uint64,
)

CODES = {
    "bool_": "?", "int8": "b", "int16": "h", "int32": "i", "int64": "q",
    "uint8": "B", "uint16": "H", "uint32": "I", "uint64": "Q",
    "float16": "e", "bfloat16": "H", "float32": "f", "float64": "d",
}  # fmt: skip
"""How :mod:`struct` packs a number of each dtype; a bfloat16 is given as its 16 bits."""

ADDRESS = uint64
"""The type of an address that is a number."""


@record
class Number:
    """A number that each launch gives.

    Args:
        place: Its place among a launch's values: 0 is the mailbox, then come the parameters.
        dtype: Its type in the bytes.
        padding: Zeros behind it, in bytes.
    """

    place: int
    dtype: DType
    padding: int = 0


def bfloat16_bits(number: Any) -> int:
    """A bfloat16 of NumPy's as :data:`CODES` wants it.

    >>> hex(bfloat16_bits(bfloat16.numpy.type(1)))
    '0x3f80'
    """
    return int(number.view(np.uint16))


def bfloat16_of_bits(bits: int) -> Any:
    """The inverse of :func:`bfloat16_bits`."""
    return np.uint16(bits).view(bfloat16.numpy)


Pack = Callable[[list[Any]], bytes]
"""The bytes of a launch, from its values."""


def pack_numbers(dtype: DType, *numbers: Any) -> bytes:
    """Numbers of one type, without gaps, in the machine's byte order.

    >>> from speedmetal.dtypes import int32
    >>> pack_numbers(int32, 1, -1).hex()
    '01000000ffffffff'
    """
    return struct.pack(f"={len(numbers)}{CODES[dtype.name]}", *numbers)


def size_of(pieces: Iterable[bytes | Number]) -> int:
    """How many bytes a launch's values take, packed.

    >>> size_of([Number(1, uint64), b"ab"])
    10
    """
    return sum(
        len(piece) if isinstance(piece, bytes) else piece.dtype.itemsize + piece.padding
        for piece in pieces
    )


def packer(pieces: Iterable[bytes | Number]) -> Pack:
    """What packs a launch's values, without gaps, in the machine's byte order.

    Args:
        pieces: The bytes and numbers, in order. A float too large for its type is an infinity.
    """
    constants: list[Any] = []
    formats: list[str] = ["="]
    numbers: list[Number] = []
    pending = b""
    for piece in pieces:
        if isinstance(piece, bytes):
            pending += piece
            continue
        constants += (pending, 0)
        formats += (f"{len(pending)}s", CODES[piece.dtype.name] + f"{piece.padding}x")
        numbers.append(piece)
        pending = b""
    if not numbers:
        return lambda _values: pending
    constants.append(pending)
    if not any(constants[:-1]) and all(n.dtype is ADDRESS for n in numbers):
        places = [n.place for n in numbers]
        if places == list(range(places[0], places[0] + len(places))):
            return _address_packer(places[0], len(places), formats[2::2], pending)
    pack = struct.Struct("".join([*formats, f"{len(pending)}s"])).pack
    return _packer(constants, pack, [n.place for n in numbers], [n.dtype for n in numbers])


def _address_packer(first: int, count: int, formats: list[str], constant: bytes) -> Pack:
    """Of addresses one after the other, and what stays the same behind them: most launches."""
    pack = struct.Struct(f"={''.join(formats)}{len(constant)}s").pack
    last = first + count

    def pack_slice(values: list[Any]) -> bytes:
        return pack(*values[first:last], constant)

    return pack_slice


def _packer(
    constants: list[Any], pack: Callable[..., bytes], places: list[int], dtypes: list[DType]
) -> Pack:
    """Constants are at even places, with zeros between them for the numbers."""

    def pack_fitted(slots: list[Any]) -> bytes:
        slots[1::2] = map(fit_number, slots[1::2], dtypes)
        return pack(*slots)

    def pack_all(values: list[Any]) -> bytes:
        slots = constants.copy()
        slots[1::2] = values
        try:
            return pack(*slots)
        except OverflowError:  # a float beyond its type
            return pack_fitted(slots)

    def pack_some(values: list[Any]) -> bytes:
        return pack_all([values[place] for place in places])

    return pack_all if places == list(range(len(places))) else pack_some


def fit_number(value: Any, dtype: DType) -> Any:
    """A number that :mod:`struct` can pack: a float too large for its type is an infinity."""
    if dtype is not float32 and dtype is not float16:
        return value
    with np.errstate(over="ignore"):
        return float(dtype.numpy.type(value))
