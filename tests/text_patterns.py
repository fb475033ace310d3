"""Patterns that a long printed text must follow, written so that a person can review them.

A pattern has one line for each line of the text that matters, in the text's order; between them
the text may have any other lines. In a line of a pattern

- ``{name}`` is a word: any where the name is new, the same word wherever it comes again,
- ``...`` is anything within the line,
- ``not: fragment`` says that no line from the line before it to the one after it has the fragment,
- what follows ``;;`` is for the reader.

A line is found where the pattern's line stands anywhere in it. The first line that fits is taken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_PIECES = re.compile(r"(\{\w+\}| ?\.\.\. ?)")
_WORD = r"[%@\w.\-]+"
_ABSENT = "not: "


def assert_follows(text: str, pattern: str) -> None:
    """Fail where the text does not follow the pattern, with the line of it that found nothing."""
    lines = text.splitlines()
    words: dict[str, str] = {}
    at, absent = 0, []
    wanted = [line for full in pattern.splitlines() if (line := full.partition(";;")[0].strip())]
    assert any(not line.startswith(_ABSENT) for line in wanted), "the pattern expects nothing"
    for line in wanted:
        if line.startswith(_ABSENT):
            absent.append(line.removeprefix(_ABSENT))
            continue
        found = _find(line, lines, at, words)
        assert found is not None, (
            f"expected {line!r} after line {at}, with {words}, in\n" + "\n".join(lines[at:])
        )
        _assert_absent(absent, lines[at:found], words)
        at, absent = found + 1, []
    _assert_absent(absent, lines[at:], words)


def _find(line: str, lines: list[str], first: int, words: dict[str, str]) -> int | None:
    """The number of the first line that fits; its words are known from then on."""
    expression = _expression(line, words)
    for number in range(first, len(lines)):
        match = expression.search(lines[number])
        if match:
            words.update(match.groupdict())
            return number
    return None


def _assert_absent(fragments: list[str], lines: list[str], words: Mapping[str, str]) -> None:
    for fragment in fragments:
        expression = _expression(fragment, words)
        found = [line for line in lines if expression.search(line)]
        assert not found, f"expected no {fragment!r}, got {found[0].strip()!r}"


def _expression(line: str, words: Mapping[str, str]) -> re.Pattern[str]:
    known = set(words)
    parts = []
    for piece in _PIECES.split(line):
        name = piece[1:-1]
        if piece.strip() == "...":
            parts.append(".*?")
        elif not piece.startswith("{"):
            parts.append(re.escape(piece))
        elif name in words:
            parts.append(rf"{re.escape(words[name])}(?![\w.\-])")
        elif name in known:
            parts.append(f"(?P={name})")
        else:
            known.add(name)
            parts.append(f"(?P<{name}>{_WORD})")
    return re.compile("".join(parts))
