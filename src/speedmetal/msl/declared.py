"""What kernels take, as far as a text that no preprocessor has read says it plainly.

Metal checks nothing of what a launch binds: a buffer that is missing makes the GPU read at address
0. So calls are checked first. Of a kernel whose declaration has directives or templates in it, or
words that only a preprocessor or a compiler could explain, nothing is said.
"""

from __future__ import annotations

import re

from speedmetal.msl.diagnostics import MslError
from speedmetal.msl.kernels import KernelReader
from speedmetal.msl.parameters import Parameter
from speedmetal.msl.structure import declarations
from speedmetal.msl.tokens import Tokens

Parameters = tuple[Parameter, ...]

_PLAIN_ROLES = ("buffer", "threadgroup", "position")  # a launch binds no textures
_ASIDE = re.compile(r"//(?:\\\n|[^\n])*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"", re.DOTALL)
_KERNEL = re.compile(r"(?:\bkernel|\[\[\s*kernel\s*\]\])\s+void\s+(\w+)\s*\(")
_DEFINED = re.compile(r"^\s*#\s*define\s+(\w+)", re.MULTILINE)


def declared_parameters(source: str) -> dict[str, Parameters]:
    """The parameters of the kernels in a text; kernels that are not understood are left out.

    Example:
        >>> text = "kernel void f(device float* a [[buffer(0)]], constant uint& n [[buffer(1)]]) {}"
        >>> [(p.declaration, p.index, p.is_writable) for p in declared_parameters(text)["f"]]
        [('device float* a', 0, True), ('constant uint& n', 1, False)]
    """
    text = _ASIDE.sub(" ", source)
    macros = frozenset(_DEFINED.findall(text))
    found: dict[str, Parameters | None] = {}
    for match in _KERNEL.finditer(text):
        name = match[1]
        # Two of one name are variants behind `#if`, or instances of a template.
        is_plain = name not in found and not _is_template(text[: match.start()])
        found[name] = _read_parameters(text, match, macros) if is_plain else None
    return {name: known for name, known in found.items() if known is not None}


def _is_template(before: str) -> bool:
    """Whether what stands before a declaration, since the last one ended, makes it a template."""
    return "template" in re.split(r"[;}]", before)[-1]


def _read_parameters(text: str, match: re.Match[str], macros: frozenset[str]) -> Parameters | None:
    end = _closing(text, match.end())
    head = text[match.start() : end]
    if end < 0 or "#" in head or not macros.isdisjoint(re.findall(r"\w+", head)):
        return None
    try:
        tokens = Tokens(f"{head};")
        (kernel,) = declarations(tokens)
        reader = KernelReader(tokens)
        signature = reader.signature(kernel)
    except MslError:
        return None
    is_plain = not reader.faults and all(p.role in _PLAIN_ROLES for p in signature)
    return tuple(parameter.parameter for parameter in signature) if is_plain else None


def _closing(text: str, index: int) -> int:
    """The end of a parameter list that begins here; -1 where it has none."""
    depth = 1
    while depth and index < len(text):
        depth += (text[index] == "(") - (text[index] == ")")
        index += 1
    return -1 if depth else index
