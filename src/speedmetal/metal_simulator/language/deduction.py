"""Templates that find out how many components a vector has: ``template <uint N> f(vec<T, N>)``.

In Metal any integer may count them. The library's ``vec`` is a class with an ``int``, of which C++
would not deduce a ``uint``: so such parameters become ``int``.
"""

from __future__ import annotations

from collections.abc import Iterator

from speedmetal.metal_simulator.language.rewriting import Rewriter
from speedmetal.metal_simulator.language.structure import split_arguments
from speedmetal.metal_simulator.language.tokens import Tokens

_COUNTED = frozenset({"vec", "packed_vec", "matrix"})
_COUNTING = frozenset({"uint", "size_t", "ushort", "short", "uchar", "ulong", "long", "unsigned"})


def count_by_int(tokens: Tokens, rewriter: Rewriter) -> None:
    """Make parameters that count components ``int``."""
    for index, word in enumerate(tokens.words):
        if word != "template" or tokens.word(index + 1) != "<":
            continue
        close = tokens.angle_partner(index + 1, certain=True)
        if close is None:
            continue
        counting = set(_counting(tokens, close + 1))
        for begin, end in split_arguments(tokens, index + 2, close):
            words = tokens.words[begin:end]
            if len(words) >= 2 and words[0] in _COUNTING and words[1] in counting:
                rewriter.replace(begin, "int")


def _counting(tokens: Tokens, index: int) -> Iterator[str]:
    """Names that count components in the head of a template that goes on at ``index``."""
    while tokens.word(index) not in ("{", ";", ""):
        if tokens.word(index) in _COUNTED and tokens.word(index + 1) == "<":
            close = tokens.angle_partner(index + 1)
            if close is not None:
                arguments = split_arguments(tokens, index + 2, close)
                yield from (tokens.words[a] for a, b in arguments[1:] if b == a + 1)
        index += 1
