"""Two runs against each other: a table for the terminal, Markdown for a pull request, JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from speedmetal.bench.compare import (
    Comparison,
    Verdict,
    compare_runs,
    highest_floor,
    noise_floors,
)
from speedmetal.bench.operations import words
from speedmetal.bench.report import notation
from speedmetal.bench.report.console import STYLES, capture, plain_text
from speedmetal.bench.report.markdown import escape_markdown, table_row
from speedmetal.bench.report.options import Options
from speedmetal.bench.store import Records

# What a reader came for first.
_ORDER = (Verdict.SLOWER, Verdict.FASTER, Verdict.UNDECIDED, Verdict.EQUIVALENT)
_COLUMNS = ("case", "contender", "time B / A", "95 % interval", "verdict")


@dataclass(frozen=True)
class Changes:
    """What changed from one run to another.

    Args:
        comparisons: Case by case.
        threshold: Percents; a case that is slower by more is a regression.
        noise: The larger noise floor of both runs; None where one is not known.
    """

    comparisons: Sequence[Comparison]
    threshold: float
    noise: float | None

    @classmethod
    def between(cls, before: Records, after: Records, threshold: float) -> Changes:
        """Compare two runs."""
        floors = [*noise_floors(before.cases).values(), *noise_floors(after.cases).values()]
        return cls(compare_runs(before, after), threshold, highest_floor(floors))

    @cached_property
    def regressions(self) -> list[Comparison]:
        """Cases that are slower, significantly, and by more than the threshold."""
        limit = 1 + self.threshold / 100
        slower = [c for c in self.comparisons if c.verdict is Verdict.SLOWER]
        return [c for c in slower if c.ratio.ratio > limit]

    @property
    def headline(self) -> str:
        """Whether there is a regression, in a sentence."""
        limit = f"beyond {self.threshold:g} %"
        if self.regressions:
            return f"{words.count(len(self.regressions), 'regression')} {limit}"
        return f"no regression {limit}"

    @property
    def counts(self) -> str:
        """Verdicts and the noise that bounds them."""
        counts = Counter(c.verdict for c in self.comparisons)
        told = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict)
        return f"{told}; noise floor {notation.noise_floor(self.noise)}"

    @property
    def notes(self) -> list[str]:
        """Why cases are undecided that no more samples would decide."""
        notes = Counter(c.note for c in self.comparisons if c.note)
        return [
            f"{words.count(count, 'case')} undecided: {note}" for note, count in notes.most_common()
        ]


def render_text(changes: Changes, options: Options, *, decided_only: bool = False) -> str:
    """For the terminal; the cases that did not change can be left out."""
    return capture(Group(*_parts(changes, decided_only=decided_only)), options)


def _parts(changes: Changes, *, decided_only: bool) -> Iterator[RenderableType]:
    shown = [
        c
        for c in changes.comparisons
        if not decided_only or c.verdict in (Verdict.FASTER, Verdict.SLOWER)
    ]
    if shown:
        table = Table(*_COLUMNS, box=box.SIMPLE_HEAD, show_edge=False, header_style="dim")
        for c in shown:
            case, contender, ratio, interval, verdict = _cells(c)
            tone = STYLES[c.verdict]
            table.add_row(
                plain_text(case), plain_text(contender), ratio, interval, Text(verdict, tone)
            )
        yield table
        yield Text()
    yield Text(changes.counts)
    for note in changes.notes:
        yield plain_text(note, "yellow")
    yield Text(changes.headline, "bold red" if changes.regressions else "bold")


def _cells(c: Comparison) -> tuple[str, str, str, str, str]:
    return (
        words.case_in_words(c.case.case),
        c.case.contender.key,
        notation.ratio(c.ratio.ratio),
        notation.interval(c.ratio.low, c.ratio.high),
        c.verdict.value,
    )


def render_markdown(changes: Changes) -> str:
    """For a pull request: what changed in a table, what did not folded away."""
    return "\n".join(_markdown(changes)) + "\n"


def _markdown(changes: Changes) -> Iterator[str]:
    yield f"## speedmetal: {changes.headline}"
    yield ""
    yield f"{changes.counts}. Ratios are times after over times before; below 1 is faster."
    for note in changes.notes:
        yield ""
        yield f"> {escape_markdown(note)}"
    changed = [c for c in changes.comparisons if c.verdict in (Verdict.SLOWER, Verdict.FASTER)]
    others = [c for c in changes.comparisons if c not in changed]
    if changed:
        yield ""
        yield from _markdown_table(changed, changes)
    if others:
        yield ""
        unchanged = f"{words.count(len(others), 'case')} without a decided change"
        yield f"<details><summary>{unchanged}</summary>"
        yield ""
        yield from _markdown_table(others, changes)
        yield ""
        yield "</details>"


def _markdown_table(comparisons: Sequence[Comparison], changes: Changes) -> Iterator[str]:
    yield table_row(("verdict", "ratio", "95 % interval", "case", "contender"))
    yield table_row((":--", "--:", ":--", ":--", ":--"), "")
    ranked = sorted(comparisons, key=lambda c: (_ORDER.index(c.verdict), -c.ratio.ratio))
    for c in ranked:
        case, contender, ratio, interval, verdict = (escape_markdown(cell) for cell in _cells(c))
        if c in changes.regressions:
            verdict = f"**{verdict}**"
        yield table_row((verdict, ratio, interval, case, contender))


def render_json(changes: Changes) -> bytes:
    """For programs: a list with an object for each case."""
    regressions = {id(c) for c in changes.regressions}
    return msgspec.json.format(
        msgspec.json.encode(
            [
                {
                    "case": c.case.case.label,
                    "key": c.case.case.key,
                    "contender": c.case.contender.key,
                    "ratio": c.ratio.ratio,
                    "low": c.ratio.low,
                    "high": c.ratio.high,
                    "p_value": c.ratio.p_value,
                    "verdict": c.verdict.value,
                    "note": c.note,
                    "regression": id(c) in regressions,
                }
                for c in changes.comparisons
            ]
        )
    )
