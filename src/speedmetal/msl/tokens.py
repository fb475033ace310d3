"""Tokens of Metal Shading Language text, and the brackets among them."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from enum import Enum

from speedmetal.msl.diagnostics import MslDiagnostic, MslError


class Kind(Enum):
    NAME = "name"
    NUMBER = "number"
    TEXT = "text"
    SIGN = "sign"


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number, string or sign, with its place in the text."""

    kind: Kind
    text: str
    start: int
    end: int


# `>` is always a token of its own, so that `>>` may close two template lists.
_PATTERN = re.compile(
    r"""
    (?P<skip>\s+|//(?:\\\n|[^\n])*|/\*.*?\*/)
  | (?P<directive>\#(?:\\\n|[^\n])*)
  | (?P<name>[A-Za-z_$][\w$]*)
  | (?P<number>\.?[0-9](?:[eEpP][+-]|[\w.'])*)
  | (?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
  | (?P<sign>\.\.\.|<<=|<=>|->\*|::|->|\+\+|--|<<|<=|==|!=|&&|\|\||[-+*/%&|^]=|[^\s\w])
    """,
    re.VERBOSE | re.DOTALL,
)
_KINDS = {"name": Kind.NAME, "number": Kind.NUMBER, "text": Kind.TEXT, "sign": Kind.SIGN}
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_OPENING = {closing: opening for opening, closing in _CLOSING.items()}


class Tokens:
    """The tokens of a text, without comments and directives; ``partner`` joins brackets.

    Raises:
        MslError: A bracket has no partner.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.list = _tokenise(text)
        self.words = [token.text for token in self.list]
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self.partner = self._partners()

    def __len__(self) -> int:
        return len(self.list)

    def word(self, index: int) -> str:
        """The token's text; empty outside."""
        return self.words[index] if 0 <= index < len(self.words) else ""

    def is_name(self, index: int) -> bool:
        return 0 <= index < len(self.list) and self.list[index].kind is Kind.NAME

    def place(self, index: int) -> tuple[int, int]:
        """Line and column, from 1, of a token; of the text's end behind the last."""
        offset = self.list[index].start if index < len(self.list) else len(self.text)
        return self.place_of_offset(offset)

    def place_of_offset(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def offset(self, line: int, column: int) -> int:
        """The offset of a place, counted from 1."""
        if line > len(self._lines):
            return len(self.text)
        return min(self._lines[line - 1] + column - 1, len(self.text))

    def angle_partner(self, index: int, *, certain: bool = False) -> int | None:
        """The ``>`` of a ``<`` that opens template parameters or arguments; None: it does not.

        Args:
            index: The ``<``.
            certain: Whether it cannot be a comparison.
        """
        depth = 0
        ends = (";", ")", "]", "}") if certain else (";", ")", "]", "}", "&&", "||")
        while index < len(self.words):
            word = self.words[index]
            if word == "<":
                # `sizeof(T) < 8` among the arguments compares.
                depth += depth == 0 or self.is_name(index - 1)
            elif word == ">":
                depth -= 1
                if depth == 0:
                    return index
            elif word in _CLOSING:
                index = self.partner[index]
            elif word in ends:
                return None
            index += 1
        return None

    def source(self, begin: int, end: int) -> str:
        """The text of the tokens from ``begin`` up to ``end``."""
        if begin >= end:
            return ""
        return self.text[self.list[begin].start : self.list[end - 1].end]

    def _partners(self) -> dict[int, int]:
        partners: dict[int, int] = {}
        opened: list[int] = []
        for index, word in enumerate(self.words):
            if word in _CLOSING:
                opened.append(index)
            elif word in _OPENING:
                if not opened or self.words[opened[-1]] != _OPENING[word]:
                    self._fail(index, f"this '{word}' closes nothing")
                partner = opened.pop()
                partners[partner], partners[index] = index, partner
        if opened:
            word = self.words[opened[-1]]
            self._fail(opened[-1], f"this '{word}' is not closed; add '{_CLOSING[word]}'")
        return partners

    def _fail(self, index: int, message: str) -> None:
        line, column = self.place(index)
        raise MslError([MslDiagnostic(line, column, "error", message)], self.text)


def _tokenise(text: str) -> list[Token]:
    tokens = []
    for found in _PATTERN.finditer(text):
        group = found.lastgroup
        assert group is not None
        if group in _KINDS:
            tokens.append(Token(_KINDS[group], found[0], found.start(), found.end()))
    return tokens
