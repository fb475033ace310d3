"""What kernels in hand-written Metal source take, as far as their text says it plainly.

Metal checks nothing of what a launch binds: a buffer that is missing makes the GPU read at address
0. So launches are checked here first. Only plain declarations are understood; of a kernel with
macros, templates, textures or indices that are no numbers nothing is said, and nothing is checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from speedmetal.backends.metal.spellings import TYPES
from speedmetal.dtypes import DType, named

Signature = tuple["Parameter", ...]


class Role(Enum):
    """What a parameter of a kernel is."""

    BUFFER = "buffer"
    THREADGROUP = "threadgroup"
    POSITION = "position"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a kernel.

    Args:
        name: As the source has it.
        role: What it is.
        index: Of the buffer, or of the threadgroup memory; -1 for positions.
        declared: Its declaration, without the attribute.
        dtype: Of what it points to; None where that is no scalar.
        is_writable: Whether the kernel may write to it.
        is_reference: Whether it is one value, not an array.
    """

    name: str
    role: Role
    index: int
    declared: str
    dtype: DType | None
    is_writable: bool
    is_reference: bool


_OTHER_NAMES = {
    "size_t": "uint64",
    "unsigned": "uint32",
    "unsigned int": "uint32",
    "unsigned char": "uint8",
    "unsigned short": "uint16",
    "unsigned long": "uint64",
}
_SCALARS = {
    **{text: dtype for dtype, text in TYPES.items()},
    **{f"{dtype.name}_t": dtype for dtype in TYPES if dtype.is_integer},
    **{text: named(name) for text, name in _OTHER_NAMES.items()},
}

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\])*\"", re.DOTALL)
_KERNEL = re.compile(r"(?:\bkernel|\[\[\s*kernel\s*\]\])\s+void\s+(\w+)\s*\(")
_ATTRIBUTE = re.compile(r"\[\[\s*(\w+)\s*(?:\(\s*(\w+)\s*\))?\s*\]\]")
_POINTER = re.compile(
    r"(?P<before>[\w\s:<>,]+?)\s*(?P<mark>[*&])\s*(?:(?:restrict|__restrict|const)\s+)*(?P<name>\w+)"
)
_SPACES = frozenset({"device", "constant", "threadgroup"})


def signatures(source: str) -> dict[str, Signature]:
    """The parameters of the kernels in a source; those that are not understood are left out.

    Example:
        >>> text = "kernel void f(device float* a [[buffer(0)]], constant uint& n [[buffer(1)]]) {}"
        >>> [(p.name, p.index, p.dtype, p.is_writable) for p in signatures(text)["f"]]
        [('a', 0, float32, True), ('n', 1, uint32, False)]
    """
    text = _COMMENT.sub(" ", source)
    found: dict[str, Signature | None] = {}
    for match in _KERNEL.finditer(text):
        name = match[1]
        # Two of one name are variants behind `#if`, or instances of a template.
        is_plain = name not in found and not _is_template(text[: match.start()])
        found[name] = _parameters(text[match.end() :]) if is_plain else None
    return {name: known for name, known in found.items() if known is not None}


def _is_template(before: str) -> bool:
    """Whether what stands before a declaration, since the last one ended, makes it a template."""
    return "template" in re.split(r"[;}]", before)[-1]


def _parameters(text: str) -> Signature | None:
    pieces = _pieces(text)
    if pieces is None:
        return None
    parameters = []
    for piece in pieces:
        parameter = _parameter(" ".join(piece.split()))
        if parameter is None:
            return None
        parameters.append(parameter)
    places = [(p.role, p.index) for p in parameters if p.role is not Role.POSITION]
    return tuple(parameters) if len(set(places)) == len(places) else None


def _pieces(text: str) -> list[str] | None:
    """What stands between the commas up to the closing parenthesis; None where that is missing."""
    depth, pieces = 0, [""]
    for character in text:
        if character == ")" and depth == 0:
            return [piece for piece in pieces if piece.strip()]
        depth += (character in "([{<") - (character in ")]}>")
        if character == "," and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += character
    return None


def _parameter(text: str) -> Parameter | None:
    attributes = _ATTRIBUTE.findall(text)
    declared = _ATTRIBUTE.sub("", text).strip()
    if len(attributes) != 1 or "#" in text:
        return None
    word, index = attributes[0]
    if word in (Role.BUFFER.value, Role.THREADGROUP.value):
        return _memory(declared, Role(word), index)
    is_position = not index and not any(mark in declared for mark in "*&<")
    return _position(declared) if is_position else None


def _position(declared: str) -> Parameter | None:
    words = declared.split()
    if len(words) < 2:
        return None
    return Parameter(
        words[-1], Role.POSITION, -1, declared, None, is_writable=False, is_reference=False
    )


def _memory(declared: str, role: Role, index: str) -> Parameter | None:
    match = _POINTER.fullmatch(declared)
    if match is None or not index.isdecimal():
        return None
    words = list(_words(match["before"]))
    spaces = [word for word in words if word in _SPACES]
    if len(spaces) != 1 or (spaces[0] == "threadgroup") is not (role is Role.THREADGROUP):
        return None
    kind = " ".join(w for w in words if w not in _SPACES and w not in ("const", "volatile"))
    is_writable = spaces[0] != "constant" and "const" not in words
    return Parameter(
        match["name"],
        role,
        int(index),
        declared,
        _SCALARS.get(kind),
        is_writable,
        match["mark"] == "&",
    )


def _words(text: str) -> Iterator[str]:
    """The words of a type; a template with its arguments is one."""
    depth, word = 0, ""
    for character in text:
        depth += (character == "<") - (character == ">")
        if character.isspace() and depth == 0:
            if word:
                yield word
            word = ""
        else:
            word += character
    if word:
        yield word


__all__ = ["Parameter", "Role", "Signature", "signatures"]
