"""Which kernels a CUDA C++ source declares, and what each takes, as far as the text shows it.

Kernels are found outside of namespaces and classes, and templates are none. What macros make, or a
file that is included, is not looked into.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from speedmetal import dtypes
from speedmetal.common.records import record
from speedmetal.dtypes import DType

_HIDDEN = re.compile(r"//[^\n]*|/\*.*?\*/|^[ \t]*#(?:[^\n\\]|\\.)*", re.DOTALL | re.MULTILINE)
_WORD = re.compile(r'[A-Za-z_]\w*|"[^"]*"|::|\S')
_WITH_ARGUMENTS = ("__launch_bounds__", "__maxnreg__", "__cluster_dims__", "__block_size__")
_QUALIFIERS = ("const", "volatile", "__restrict__", "__restrict", "__grid_constant__", "struct")
_CLOSING = {"(": ")", "[": "]", "<": ">", "{": "}"}

_NUMBERS = {
    "bool": dtypes.bool_,
    "char": dtypes.int8, "signed char": dtypes.int8, "unsigned char": dtypes.uint8,
    "short": dtypes.int16, "unsigned short": dtypes.uint16,
    "int": dtypes.int32, "signed": dtypes.int32, "signed int": dtypes.int32,
    "unsigned": dtypes.uint32, "unsigned int": dtypes.uint32, "uint": dtypes.uint32,
    "long long": dtypes.int64, "long long int": dtypes.int64,
    "unsigned long long": dtypes.uint64, "unsigned long long int": dtypes.uint64,
    "size_t": dtypes.uint64, "ptrdiff_t": dtypes.int64,
    **{f"{name}_t": getattr(dtypes, name) for name in (
        "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")},
    "half": dtypes.float16, "__half": dtypes.float16,
    "nv_bfloat16": dtypes.bfloat16, "__nv_bfloat16": dtypes.bfloat16,
    "float": dtypes.float32, "double": dtypes.float64,
}  # fmt: skip
_ELEMENTS = {
    "float2": dtypes.complex64, "cuComplex": dtypes.complex64, "cuFloatComplex": dtypes.complex64,
    "double2": dtypes.complex128, "cuDoubleComplex": dtypes.complex128,
}  # fmt: skip


@record
class Parameter:
    """One parameter of a kernel.

    Args:
        name: Its name.
        text: As it is declared.
        is_pointer: Whether it takes an array.
        is_const: Whether the kernel cannot write through it.
        dtype: Of the number, or of the array's elements; None: the text does not show it.
    """

    name: str
    text: str
    is_pointer: bool
    is_const: bool
    dtype: DType | None


def declared_kernels(source: str) -> dict[str, tuple[Parameter, ...]]:
    """The kernels of a source, by their names.

    >>> found = declared_kernels('extern "C" __global__ void f(const float* x, int n) {}')
    >>> [(p.name, p.is_pointer, p.is_const, p.dtype) for p in found["f"]]
    [('x', True, True, float32), ('n', False, False, int32)]
    """
    words = _WORD.findall(_HIDDEN.sub(" ", source))
    return dict(_kernels(words))


def _kernels(words: list[str]) -> Iterator[tuple[str, tuple[Parameter, ...]]]:
    depth, place, is_template = 0, 0, False
    while place < len(words):
        word = words[place]
        if word == "{" and words[max(place - 2, 0) : place] != ["extern", '"C"']:
            depth, is_template = depth + 1, False
        elif word == "}":
            depth = max(depth - 1, 0)  # of `extern "C"` none was counted
        elif word == "template":
            is_template, place = True, _end(words, place + 1)
        elif word == ";":
            is_template = False
        elif word == "__global__" and depth == 0:
            head = _name(words, place)
            if head is not None:
                name, opening = head
                place = _end(words, opening)
                if not is_template:
                    yield name, tuple(_parameters(words[opening + 1 : place]))
            is_template = False
        place += 1


def _end(words: list[str], place: int) -> int:
    """Where the bracket that opens here is closed."""
    opening = words[place] if place < len(words) else ""
    closing, depth = _CLOSING.get(opening, ""), 0
    while place < len(words):
        depth += (words[place] == opening) - (words[place] == closing)
        if depth == 0:
            return place
        place += 1
    return place


def _name(words: list[str], place: int) -> tuple[str, int] | None:
    """The name of the function that is declared from here on, and where its parameters open."""
    while place < len(words) and words[place] not in (";", "{"):
        if words[place] in _WITH_ARGUMENTS:
            place = _end(words, place + 1)
        elif words[place] == "(":
            return words[place - 1], place
        place += 1
    return None


def _parameters(words: list[str]) -> Iterator[Parameter]:
    for part in _parted(words):
        stated = part[: part.index("=")] if "=" in part else part
        if not stated or stated == ["void"]:
            continue
        is_array = "[" in stated
        plain = stated[: stated.index("[")] if is_array else stated
        name = plain[-1]
        kind = [word for word in plain[:-1] if word not in _QUALIFIERS]
        is_pointer = is_array or "*" in kind
        base = " ".join(word for word in kind if word != "*")
        is_const = "const" in (stated[: stated.index("*")] if "*" in stated else stated)
        dtype = _element(base) if is_pointer else _NUMBERS.get(base)
        yield Parameter(name, _text(stated), is_pointer, is_const, dtype)


def _parted(words: list[str]) -> Iterator[list[str]]:
    """Parameters, separated by commas outside of brackets."""
    part: list[str] = []
    depth = 0
    for word in words:
        depth += (word in _CLOSING) - (word in _CLOSING.values())
        if word == "," and depth == 0:
            yield part
            part = []
        else:
            part.append(word)
    yield part


def _element(base: str) -> DType | None:
    """The dtype of an array's elements, of vectors that of their components."""
    vector = re.fullmatch(r"(u?(?:char|short|int|longlong)|float|double)([1-4])", base)
    if base in _ELEMENTS or vector is None:
        found: DType | None = _ELEMENTS.get(base) or _NUMBERS.get(base)
        return found
    scalar = vector[1].replace("longlong", "long long")
    number: DType = _NUMBERS[f"unsigned {scalar[1:]}" if scalar.startswith("u") else scalar]
    return number


def _text(words: list[str]) -> str:
    return re.sub(r" (?=[*&,>:\[\]])|(?<=[<:\[]) ", "", " ".join(words))
