"""Metal's names of numbers and vectors."""

from __future__ import annotations

import re
from dataclasses import dataclass

from speedmetal import dtypes as d
from speedmetal.dtypes import DType

TYPES: dict[DType, str] = {
    d.bool_: "bool",
    d.int8: "char",
    d.int16: "short",
    d.int32: "int",
    d.int64: "long",
    d.uint8: "uchar",
    d.uint16: "ushort",
    d.uint32: "uint",
    d.uint64: "ulong",
    d.float16: "half",
    d.bfloat16: "bfloat",
    d.float32: "float",
}
"""What each type that Metal has is called there."""

_OTHER_NAMES = {
    "size_t": d.uint64,
    "ptrdiff_t": d.int64,
    "unsigned": d.uint32,
    "unsigned int": d.uint32,
    "unsigned char": d.uint8,
    "unsigned short": d.uint16,
    "unsigned long": d.uint64,
}
_SCALARS = (
    {text: dtype for dtype, text in TYPES.items()}
    | {f"{dtype.name}_t": dtype for dtype in TYPES if dtype.is_integer}
    | _OTHER_NAMES
)
# float4, packed_float3, atomic_uint; groups: what is before, the scalar type, the components.
_NAMED = re.compile(r"(?:metal::)?(packed_|atomic_)?([a-z]\w*?|unsigned \w+)([234])?")
_TEMPLATE = re.compile(r"(?:metal::)?(vec|packed_vec|atomic)<(\w[\w ]*?)(?:, ?([234]))?>")


@dataclass(frozen=True, slots=True)
class Element:
    """What memory consists of: a number, or a vector of them.

    Args:
        dtype: Of the number.
        components: Of the vector; 1: no vector.
        is_packed: Whether three components take no more than their own bytes.
    """

    dtype: DType
    components: int = 1
    is_packed: bool = False

    @property
    def size_bytes(self) -> int:
        """With the gap behind a vector of three."""
        count = 4 if self.components == 3 and not self.is_packed else self.components
        return count * self.dtype.itemsize


def parse_element(text: str) -> Element | None:
    """The number or vector that a type's text means; None: something else, a structure perhaps.

    >>> parse_element("packed_float3").size_bytes, parse_element("float3").size_bytes
    (12, 16)
    >>> parse_element("vec<half, 2>") == Element(d.float16, 2), parse_element("Params")
    (True, None)
    """
    if match := _TEMPLATE.fullmatch(text):
        kind, scalar, count = match.groups()
        is_packed = kind == "packed_vec"
    elif match := _NAMED.fullmatch(text):
        before, scalar, count = match.groups()
        is_packed = before == "packed_"
    else:
        return None
    dtype = _SCALARS.get(scalar)
    return None if dtype is None else Element(dtype, int(count or 1), is_packed)
