"""Sizes that are deduced from a vector or matrix, whatever integer type the text gives them.

Metal's compiler deduces the N of ``template <uint N> void f(vec<float, N> v)``; here vectors are
classes, whose size is an int, and the argument of a class is deduced for its own type alone. So N
becomes an int under another name as an argument of a vector, and keeps its type elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from speedmetal.metal_simulator.language.rewriting import Rewriter
from speedmetal.msl.structure import Declaration, split_arguments
from speedmetal.msl.tokens import Tokens

_SIZED = frozenset({"vec", "packed_vec", "matrix", "simdgroup_matrix"})
_INTEGERS = frozenset(
    f"{sign}{word}" for sign in ("", "u") for word in ("char", "short", "int", "long")
) | {f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_SIZE_TYPES = (_INTEGERS | {"size_t", "unsigned", "bool"}) - {"int", "int32_t"}


def retype_sizes(tokens: Tokens, rewriter: Rewriter, found: Sequence[Declaration]) -> None:
    """Let the sizes of vectors be deduced."""
    for declaration in found:
        retype_sizes(tokens, rewriter, declaration.members)
        if declaration.template is None:
            continue
        head_end = declaration.body[0] if declaration.body else declaration.end
        for first, last in split_arguments(tokens, *declaration.template):
            name = _size_name(tokens, first, last)
            word = tokens.word(name)
            if name >= 0 and any(_as_argument(tokens, declaration.head, head_end, word)):
                _retype(tokens, rewriter, declaration, first, name)


def _size_name(tokens: Tokens, first: int, last: int) -> int:
    """The name in a template's parameter ``uint N``; -1 where it is another one."""
    name = first
    while name < last and tokens.words[name] in (*_SIZE_TYPES, "int"):
        name += 1
    is_size = first < name and tokens.is_name(name) and tokens.words[first:name] != ["int"]
    is_whole = name + 1 == last or tokens.word(name + 1) == "="
    return name if is_size and is_whole else -1


def _as_argument(tokens: Tokens, begin: int, end: int, name: str) -> Iterator[int]:
    """Where a name is an argument of a vector."""
    for index in range(begin, end):
        if tokens.words[index] not in _SIZED or tokens.word(index + 1) != "<":
            continue
        close = tokens.angle_partner(index + 1)
        parts = split_arguments(tokens, index + 2, close) if close is not None else []
        yield from (first for first, last in parts if tokens.words[first:last] == [name])


def _retype(
    tokens: Tokens, rewriter: Rewriter, declaration: Declaration, first: int, name: int
) -> None:
    word = tokens.words[name]
    type_text = " ".join(tokens.words[first:name])
    rewriter.drop(first, name)
    rewriter.replace(name, f"int smr_{word}")
    sizes = set(_as_argument(tokens, declaration.head, declaration.end, word))
    for index in range(name + 1, declaration.end):
        if tokens.words[index] == word and tokens.word(index - 1) not in (".", "->", "::"):
            text = f"smr_{word}" if index in sizes else f"(({type_text})smr_{word})"
            rewriter.replace(index, text)
