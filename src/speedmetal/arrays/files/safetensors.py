"""The safetensors format: eight bytes of a header's length, the header in JSON, the elements.

The header has, for each name, a dtype, a shape, and where the elements begin and end, counted from
the header's end (https://github.com/huggingface/safetensors, section "Format"). Elements are in C
order, little-endian, and lie one behind the other without gaps. What is read is not trusted: each
length, name and offset is checked before it is used.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from speedmetal.dtypes import ALL, DType
from speedmetal.errors import FileFormatError, UserInputError

LENGTH_BYTES = 8
LONGEST_HEADER = 100_000_000  # bytes; the format's own limit
METADATA = "__metadata__"

_NAMES = {
    "bool_": "BOOL",
    "int8": "I8",
    "int16": "I16",
    "int32": "I32",
    "int64": "I64",
    "uint8": "U8",
    "uint16": "U16",
    "uint32": "U32",
    "uint64": "U64",
    "float16": "F16",
    "bfloat16": "BF16",
    "float32": "F32",
    "float64": "F64",
    "complex64": "C64",
}
"""What the format calls our dtypes; it has no word for complex128."""
_DTYPES = {_NAMES[dtype.name]: dtype for dtype in ALL if dtype.name in _NAMES}


class Entry(NamedTuple):
    """One array in a file: the bytes ``begin`` to ``end``, counted from the header's end."""

    name: str
    dtype: DType
    shape: tuple[int, ...]
    begin: int
    end: int


# --- Writing -------------------------------------------------------------------------------------


def header_of(arrays: Mapping[str, Any], metadata: Mapping[str, str]) -> tuple[bytes, list[str]]:
    """The bytes before the elements, and the names in the order in which elements must follow.

    Wide elements come first, so that each array is aligned to its elements' size.

    Raises:
        UserInputError: A name or a note is no text, a name is reserved, or the format has no word
            for a dtype.
    """
    for name, array in arrays.items():
        _check_name(name)
        if array.layout.dtype.name not in _NAMES:
            raise UserInputError(
                f"safetensors has no {array.layout.dtype.name}, the dtype of {name!r}; convert it"
                " with x.astype, or save it by sm.save or sm.savez"
            )
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    header: dict[str, Any] = {METADATA: _checked_metadata(metadata)} if metadata else {}
    begin = 0
    for name in order:
        array = arrays[name]
        end = begin + array.nbytes
        dtype = _NAMES[array.layout.dtype.name]
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": (begin, end)}
        begin = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % LENGTH_BYTES)
    return len(text).to_bytes(LENGTH_BYTES, "little") + text, order


def _check_name(name: Any) -> None:
    if not isinstance(name, str):
        raise UserInputError(f"save_safetensors: names must be str, got {name!r}")
    if name == METADATA:
        raise UserInputError(f"save_safetensors: the name {METADATA!r} is the format's own")


def _checked_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    for key, value in metadata.items():
        if not (isinstance(key, str) and isinstance(value, str)):
            raise UserInputError(
                f"save_safetensors: metadata must map str to str, got {key!r}: {value!r}"
            )
    return dict(metadata)


# --- Reading -------------------------------------------------------------------------------------


def header_length(first: bytes, size: int) -> int:
    """The header's length, of the first bytes of a file of this size.

    Raises:
        FileFormatError: The file is too short for it.
    """
    if len(first) < LENGTH_BYTES:
        raise FileFormatError(
            f"has {size} bytes, but a safetensors file begins with {LENGTH_BYTES} bytes that tell"
            " the length of its header"
        )
    length = int.from_bytes(first, "little")
    if length > LONGEST_HEADER or length > size - LENGTH_BYTES:
        raise FileFormatError(
            f"says that its header has {length} bytes, but {size - LENGTH_BYTES} follow, and the"
            f" format allows {LONGEST_HEADER}"
        )
    return length


def parse_header(text: bytes, data_bytes: int) -> tuple[list[Entry], dict[str, str]]:
    """The arrays of a file, in the order of their places, and its metadata.

    Args:
        text: The header.
        data_bytes: How many bytes follow it.

    Raises:
        FileFormatError: The header is damaged, or does not fit what follows.
    """
    header = _parse_json(text)
    metadata = header.pop(METADATA, {})
    is_text = isinstance(metadata, dict) and all(isinstance(x, str) for x in metadata.values())
    if not is_text:
        raise FileFormatError(f"has metadata that is no object of texts: {_short(metadata)}")
    entries = sorted(
        (_entry_of(name, facts) for name, facts in header.items()),
        key=lambda entry: (entry.begin, entry.end),
    )
    _check_places(entries, data_bytes)
    return entries, metadata


def _parse_json(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text.decode(), object_pairs_hook=_without_repetitions)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise FileFormatError(f"has a header that is no JSON: {error}") from None
    if not isinstance(header, dict):
        raise FileFormatError(f"has a header that is no JSON object: {_short(header)}")
    return header


def _without_repetitions(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise FileFormatError(f"has the name {name!r} twice in its header")
        found[name] = value
    return found


def _entry_of(name: str, facts: Any) -> Entry:
    if not isinstance(facts, dict) or not {"dtype", "shape", "data_offsets"} <= facts.keys():
        raise FileFormatError(
            f"says of {name!r} {_short(facts)}; expected dtype, shape and data_offsets"
        )
    dtype = _DTYPES.get(facts["dtype"]) if isinstance(facts["dtype"], str) else None
    if dtype is None:
        raise FileFormatError(
            f"says that {name!r} has dtype {_short(facts['dtype'])}; known are {', '.join(_DTYPES)}"
        )
    shape, offsets = facts["shape"], facts["data_offsets"]
    if not _are_counts(shape):
        raise FileFormatError(f"says that {name!r} has shape {_short(shape)}")
    if not _are_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise FileFormatError(
            f"says that {name!r} has data_offsets {_short(offsets)}; expected [begin, end]"
        )
    begin, end = offsets
    needed = math.prod(shape) * dtype.itemsize
    if end - begin != needed:
        raise FileFormatError(
            f"gives {name!r} the {end - begin} bytes {begin} to {end}, but {facts['dtype']} of"
            f" shape {tuple(shape)} takes {needed}"
        )
    return Entry(name, dtype, tuple(shape), begin, end)


def _check_places(entries: Iterable[Entry], data_bytes: int) -> None:
    """Raise FileFormatError unless arrays lie one behind the other and fill the file."""
    expected, before = 0, "the header"
    for entry in entries:
        if entry.end > data_bytes:
            raise FileFormatError(
                f"says that {entry.name!r} ends at byte {entry.end} of the elements, but has only"
                f" {data_bytes} of them: it was cut short, or the offsets are wrong"
            )
        if entry.begin != expected:
            kind = "overlaps" if entry.begin < expected else "leaves a gap behind"
            raise FileFormatError(
                f"says that {entry.name!r} begins at byte {entry.begin} of the elements, which"
                f" {kind} {before}; expected {expected}"
            )
        expected, before = entry.end, repr(entry.name)
    if expected != data_bytes:
        raise FileFormatError(
            f"has {data_bytes - expected} bytes behind its last array, which belong to nothing"
        )


def _are_counts(numbers: Any) -> bool:
    """Whether it is a list of integers that sizes can be."""
    return isinstance(numbers, list) and all(
        type(number) is int and 0 <= number < 1 << 63 for number in numbers
    )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."
