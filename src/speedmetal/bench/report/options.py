"""What the reader of a report may choose."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Options:
    """Choices that hold for every format; each ignores what it has no use for.

    Attributes:
        baseline: Key of the contender that all others are compared with
            (``"numpy:cpu:eager"``); None takes the first of those with the most results.
        title: Heading of the report.
        width: Columns of the terminal, in characters.
        ansi: Whether the terminal report carries colours.
    """

    baseline: str | None = None
    title: str = "speedmetal benchmark"
    width: int = 140
    ansi: bool = False
