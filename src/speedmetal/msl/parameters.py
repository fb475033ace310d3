"""The parameters of a kernel in Metal source, as a caller sees them."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Literal

from speedmetal.msl.types import Element, parse_element

Role = Literal["buffer", "threadgroup", "position", "texture", "sampler"]

_AROUND_TYPE = re.compile(
    r"\b(?:const|volatile|restrict|__restrict|device|constant|threadgroup)\b|[&*\s]+"
)


@functools.lru_cache
def _pointee(type_text: str) -> str:
    return _AROUND_TYPE.sub(" ", type_text).strip()


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a kernel.

    Args:
        name: Its name.
        role: What it gets: a buffer, threadgroup memory, a position of the thread, a texture or a
            sampler.
        index: Of the buffer, threadgroup memory, texture or sampler; -1 for positions.
        type_text: Its type as the text has it.
        space: ``device``, ``constant``, ``threadgroup``, or nothing for positions.
        is_const: Whether the kernel cannot write through it.
        is_reference: Whether it is a reference: its argument has ``size_bytes`` at least.
        alignment: Of what it points to, in bytes; 1 where that is unknown.
        size_bytes: Of what it points to; 0 where that is unknown.
        is_optional: Whether a function constant decides if it is there.
        elements: Of a texture: the type of its numbers, where that is known.
        access: To a texture: ``sample``, ``read``, ``write`` or ``read_write``.
    """

    name: str
    role: Role
    index: int
    type_text: str
    space: str
    is_const: bool
    is_reference: bool
    alignment: int = 1
    size_bytes: int = 0
    is_optional: bool = False
    elements: str = ""
    access: str = ""

    @property
    def pointee(self) -> str:
        """The type that it points or refers to: ``uint`` of ``constant uint&``."""
        return _pointee(self.type_text)

    @property
    def element(self) -> Element | None:
        """The number or vector that it points to; None: a structure, or a name of the text's."""
        return parse_element(self.pointee)

    @property
    def is_writable(self) -> bool:
        """Whether the kernel may write there."""
        return self.space == "device" and not self.is_const

    @property
    def declaration(self) -> str:
        """The parameter's type and name, as the text declares them, without the attribute."""
        return f"{self.type_text} {self.name}"
