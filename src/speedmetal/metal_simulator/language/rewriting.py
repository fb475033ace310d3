"""Changed tokens of a text, and the way back from the changed text to the user's."""

from __future__ import annotations

import re
from bisect import bisect_right

from speedmetal.msl.tokens import Tokens


class Rewriter:
    """The text of tokens with words before, behind or instead of them.

    What stands between tokens stays, so that lines and columns change as little as may be.
    """

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self._words: dict[int, str] = {}
        self._before: dict[int, str] = {}
        self._after: dict[int, str] = {}
        self._left_out: set[int] = set()  # tokens in front of which nothing is to stay
        self._head: list[tuple[str, int]] = []
        self._tail: list[tuple[str, int]] = []

    def replace(self, index: int, text: str) -> None:
        self._words[index] = text

    def drop(self, begin: int, end: int) -> None:
        """Leave out tokens; their lines stay."""
        for index in range(begin, end):
            self._words[index] = ""

    def leave_out(self, begin: int, end: int) -> None:
        """Drop tokens with all that was put before, behind or instead of them, and directives."""
        self.drop(begin, end)
        self._left_out.update(range(begin + 1, end))
        for index in range(begin, end):
            self._before.pop(index, None)
            self._after.pop(index, None)

    def insert_before(self, index: int, text: str) -> None:
        self._before[index] = self._before.get(index, "") + text

    def insert_after(self, index: int, text: str) -> None:
        self._after[index] = text + self._after.get(index, "")

    def prepend(self, text: str) -> None:
        """A line before the text."""
        self._head.append((text, 0))

    def append(self, text: str, origin: int) -> None:
        """A line behind the text, for whose faults token ``origin`` is shown."""
        self._tail.append((text, origin))

    def is_dropped(self, index: int) -> bool:
        return self._words.get(index) == ""

    def render_tokens(self, begin: int, end: int) -> str:
        """Tokens as they are now, on one line."""
        words = (
            self._before.get(i, "")
            + self._words.get(i, self.tokens.words[i])
            + self._after.get(i, "")
            for i in range(begin, end)
        )
        return " ".join(word for word in words if word)

    def render(self) -> Rewritten:
        """The whole text."""
        pieces: list[str] = []
        starts: list[int] = []
        origins: list[tuple[int, bool]] = []
        length = 0

        def put(text: str, origin: int, *, is_own: bool) -> None:
            nonlocal length
            if text:
                pieces.append(text)
                starts.append(length)
                origins.append((origin, is_own))
                length += len(text)

        for text, _ in self._head:
            put(text + "\n", 0, is_own=False)
        source = self.tokens.text
        done = 0
        changed = sorted({*self._words, *self._before, *self._after})
        for index in changed:
            token = self.tokens.list[index]
            between = source[done : token.start]
            if index in self._left_out:
                between = re.sub(r"[^\n]", " ", between)
            put(between, done, is_own=True)
            put(self._before.get(index, ""), token.start, is_own=False)
            word = self._words.get(index)
            put(token.text if word is None else word, token.start, is_own=word is None)
            put(self._after.get(index, ""), token.start, is_own=False)
            done = token.end
        put(source[done:] + "\n", done, is_own=True)
        for text, origin in self._tail:
            put(
                text + "\n", self.tokens.list[origin].start if self.tokens.list else 0, is_own=False
            )
        return Rewritten("".join(pieces), self.tokens, starts, origins)


class Rewritten:
    """A changed text that knows where each of its characters comes from."""

    def __init__(
        self, text: str, tokens: Tokens, starts: list[int], origins: list[tuple[int, bool]]
    ) -> None:
        self.text = text
        self._tokens = tokens
        self._starts = starts
        self._origins = origins
        self._lines: list[int] | None = None

    def place(self, line: int, column: int) -> tuple[int, int]:
        """Line and column in the tokens' text of a place in this one; counted from 1."""
        offset = self._offset(line, column)
        piece = max(bisect_right(self._starts, offset) - 1, 0)
        origin, is_own = self._origins[piece]
        if is_own:
            origin += offset - self._starts[piece]
        return self._tokens.place_of_offset(min(origin, max(len(self._tokens.text) - 1, 0)))

    def _offset(self, line: int, column: int) -> int:
        if self._lines is None:
            self._lines = [0]
            for index, character in enumerate(self.text):
                if character == "\n":
                    self._lines.append(index + 1)
        if line > len(self._lines):
            return len(self.text)
        begin = self._lines[line - 1]
        # The compiler counts columns in bytes.
        shown = self.text[begin : begin + column - 1].encode()[: column - 1]
        return begin + len(shown.decode(errors="ignore"))
