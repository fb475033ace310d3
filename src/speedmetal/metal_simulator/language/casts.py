"""Casts to vectors for the checked reading, whose own keep the bits: ``(int4)v`` of a float4.

They become ``smr::make<int4>(v)``, as constructors do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from speedmetal.msl.tokens import Kind, Tokens

_PREFIXES = frozenset({"-", "+", "!", "~", "*", "&", "++", "--"})
_POSTFIXES = frozenset({"++", "--"})
_NO_OPERANDS = frozenset(
    ["const", "volatile", "device", "thread", "threadgroup", "constant", "coherent"]
)
_BEFORE_A_VALUE = frozenset({"return", "else", "case", "do"})


@dataclass(frozen=True, slots=True)
class Cast:
    """A cast to a vector.

    Args:
        open: The parenthesis before the type.
        close: The one behind it.
        end: Behind the operand.
    """

    open: int
    close: int
    end: int

    def takes_the_last(self, tokens: Tokens) -> bool:
        """Whether the operand is a list in parentheses, of which C++ takes the last."""
        begin, depth = self.close + 1, 0
        if tokens.word(begin) != "(" or tokens.partner[begin] != self.end - 1:
            return False
        for word in tokens.words[begin + 1 : self.end - 1]:
            depth += (word in "([{") - (word in ")]}")
            if word == "," and depth == 0:
                return True
        return False


def vector_casts(tokens: Tokens, names: frozenset[str]) -> Iterator[Cast]:
    """The casts of a text to vectors of these names, or to ``vec<...>``."""
    closing: set[int] = set()  # of casts: behind them another may stand
    for index, word in enumerate(tokens.words):
        if word != "(" or not _may_begin(tokens, index, closing):
            continue
        close = tokens.partner[index]
        if not _is_vector(tokens, index + 1, close, names):
            continue
        end = _operand_end(tokens, close + 1)
        if end is not None:
            closing.add(close)
            yield Cast(index, close, end)


def _may_begin(tokens: Tokens, index: int, closing: set[int]) -> bool:
    before = tokens.word(index - 1)
    if tokens.is_name(index - 1):
        return before in _BEFORE_A_VALUE
    return index - 1 in closing or before not in (")", "]", ">")


def _is_vector(tokens: Tokens, begin: int, end: int, names: frozenset[str]) -> bool:
    if tokens.words[begin : begin + 2] == ["metal", "::"]:
        begin += 2
    if tokens.word(begin) == "vec" and tokens.word(begin + 1) == "<":
        return tokens.angle_partner(begin + 1) == end - 1
    return end == begin + 1 and tokens.word(begin) in names


def _operand_end(tokens: Tokens, index: int) -> int | None:
    """Behind the operand of a cast that begins there; None: there is none."""
    while tokens.word(index) in _PREFIXES:
        index += 1
    word = tokens.word(index)
    if word == "(":
        index = tokens.partner[index] + 1
        inner = _operand_end(tokens, index) if tokens.is_name(index) else None
        index = inner or index  # another cast's operand
    elif tokens.is_name(index) and word not in _NO_OPERANDS:
        index = _name_end(tokens, index)
    elif 0 <= index < len(tokens) and tokens.list[index].kind is Kind.NUMBER:
        index += 1
    else:
        return None
    return _postfix_end(tokens, index)


def _name_end(tokens: Tokens, index: int) -> int:
    """The index of the token behind a qualified name with its template arguments."""
    index += 1
    while True:
        if tokens.word(index) == "::" and tokens.is_name(index + 1):
            index += 2
        elif tokens.word(index) == "<":
            close = tokens.angle_partner(index)
            if close is None or tokens.word(close + 1) not in ("(", "::"):
                return index
            index = close + 1
        else:
            return index


def _postfix_end(tokens: Tokens, index: int) -> int:
    while True:
        word = tokens.word(index)
        if word in ("(", "["):
            index = tokens.partner[index] + 1
        elif word in (".", "->") and tokens.is_name(index + 1):
            index += 2
        elif word in _POSTFIXES:
            index += 1
        else:
            return index
