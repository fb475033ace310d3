"""Places in memory, in words: which element of which buffer or array."""

from __future__ import annotations

import re

from speedmetal.metal_simulator.runtime.records import Region

_ARRAY_TYPE = re.compile(r"'([^']*)'")
_DIRECTIVE = re.compile(r"#line (\d+)")
_NAME = re.compile(r"[A-Za-z_]\w*")
_LENGTH = re.compile(r"\[(\d+)\]")


def describe_region(title: str, region: Region | None) -> str:
    """A buffer or array with its name and length.

    Example:
        >>> describe_region("buffer 0", Region(0, 400, "x", "float", 4))
        "buffer 0 ('x', 100 elements of float)"
        >>> describe_region("buffer 0", Region(0, 20, "x"))
        "buffer 0 ('x')"
    """
    if region is None or not region.name:
        return title
    length = f", {_length(region)}" if region.element_bytes else ""
    return f"{title} ({region.name!r}{length})"


def _length(region: Region) -> str:
    count, rest = divmod(region.size_bytes, region.element_bytes)
    elements = "1 element" if count == 1 else f"{count} elements"
    return f"{elements} of {region.element}{f' and {rest} bytes' if rest else ''}"


def describe_outside(title: str, region: Region, offset: int) -> str:
    """A place beside a buffer or array.

    Example:
        >>> describe_outside("buffer 0", Region(0, 400, "x", "float", 4), 400)
        "element 100 of buffer 0 ('x', 100 elements of float), 0 bytes behind its end"
        >>> describe_outside("buffer 0", Region(0, 20, "x"), -4)
        "buffer 0 ('x') at byte offset -4, 4 bytes before its begin"
        >>> describe_outside("buffer 0", Region(0, 392, "x", "float", 4, bytes_before=8), -12)
        "element -3 of buffer 0 ('x', 98 elements of float), 4 bytes before its begin"
    """
    distance = _describe_distance(region, offset)
    if region.element_bytes:
        return f"{_element(title, region, offset)}, {distance}"
    size = f" (it has {region.size_bytes} bytes)" if offset >= region.size_bytes else ""
    return f"{describe_region(title, region)} at byte offset {offset}, {distance}{size}"


def _element(title: str, region: Region, offset: int) -> str:
    return f"element {offset // region.element_bytes} of {describe_region(title, region)}"


def describe_byte_beside(title: str, region: Region, offset: int) -> str:
    """A place beside a buffer or array where only one written byte, perhaps of an element, is
    known.

    Example:
        >>> describe_byte_beside("buffer 0", Region(0, 400, "x", "float", 4), 402)
        "element 100 of buffer 0 ('x', 100 elements of float)"
    """
    if region.element_bytes:
        return _element(title, region, offset)
    return describe_outside(title, region, offset)


def _describe_distance(region: Region, offset: int) -> str:
    if offset < -region.bytes_before:
        return f"{-offset - region.bytes_before} bytes before its begin"
    if offset < region.size_bytes:
        return f"inside its {region.size_bytes} bytes, which are not there any more"
    return f"{offset - region.size_bytes} bytes behind its end"


def array_title(site: int) -> str:
    """What an array of threadgroup memory is called: by its number, or ``[[threadgroup(n)]]``."""
    if site < 0:
        return f"[[threadgroup({-1 - site})]]"
    return f"threadgroup array number {site + 1} of the text"


def name_at(text: str, line: int, column: int) -> str:
    r"""The name at a place of a compiled text; empty where there is none.

    Args:
        text: With ``#line`` directives.
        line: As the directives count.
        column: From 1.

    Example:
        >>> name_at('#line 7 "program_source"\nauto y = x[8];\n', 7, 10)
        'x'
    """
    number = 0
    for shown in text.split("\n"):
        directive = _DIRECTIVE.match(shown)
        number = int(directive[1]) - 1 if directive else number + 1
        if number == line and not directive and (found := _NAME.match(shown, column - 1)):
            return found[0]
    return ""


def describe_index(index: int, type_text: str, name: str) -> str:
    """An element that an array does not have.

    Args:
        index: Of the element.
        type_text: The array's type in the compiler's words.
        name: The array's; empty: unknown.

    Example:
        >>> describe_index(8, "'float[8]'", "x")
        "element 8 of 'x', an array of 8 (float[8])"
    """
    quoted = _ARRAY_TYPE.search(type_text)
    shown = (quoted[1] if quoted else type_text).replace("metal::", "")
    length = _LENGTH.search(shown)
    owner = f"{name!r}, " if name else ""
    if length is None:
        return f"component {index} of {owner}a vector that has less"
    return f"element {index} of {owner}an array of {length[1]} ({shown})"
