"""Two runs against each other: a table for the terminal, Markdown for a pull request, JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
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
_DEVICE_COLUMN = "on the device"  # stands where any case has it


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

    @cached_property
    def has_device_times(self) -> bool:
        """Whether any case has times by the card's own clock in both runs."""
        return any(device_ratio(c) is not None for c in self.comparisons)

    @property
    def devices(self) -> str:
        """The cards that both runs were on, each once; "" where there is none."""
        names = {c.case.contender.device_name for c in self.comparisons if c.case.contender.card}
        return ", ".join(sorted(names))

    @property
    def notes(self) -> list[str]:
        """Why cases are undecided that no more samples would decide."""
        notes = Counter(c.note for c in self.comparisons if c.note)
        held = sum(bool(throttled(c)) for c in self.comparisons)
        marks = [f"{words.count(held, 'case')} at held-down clocks (marked *)"] if held else []
        return marks + [
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
        extra = [_DEVICE_COLUMN] if changes.has_device_times else []
        table = Table(*_COLUMNS, *extra, box=box.SIMPLE_HEAD, show_edge=False, header_style="dim")
        for c in shown:
            case, contender, ratio, interval, verdict = _cells(c)
            table.add_row(
                plain_text(case),
                plain_text(contender),
                ratio,
                interval,
                Text(verdict, STYLES[c.verdict]),
                *[notation.ratio(device_ratio(c)) for _ in extra],
            )
        yield table
        yield Text()
    yield Text(changes.counts)
    if changes.devices:
        yield plain_text(f"device: {changes.devices}")
    for note in changes.notes:
        yield plain_text(note, "yellow")
    yield Text(changes.headline, "bold red" if changes.regressions else "bold")


def _cells(c: Comparison) -> tuple[str, str, str, str, str]:
    return (
        words.case_in_words(c.case.case),
        c.case.contender.key,
        notation.ratio(c.ratio.ratio),
        notation.interval(c.ratio.low, c.ratio.high),
        c.verdict.value + ("*" if throttled(c) else ""),
    )


def throttled(c: Comparison) -> str:
    """What held the card's clocks down in either run; "" where nothing did."""
    runs = (("A", c.against.throttled), ("B", c.case.throttled))
    return "; ".join(f"{run}: {text}" for run, text in runs if text)


def device_ratio(c: Comparison) -> float | None:
    """Time over time by the card's own clock, of the last sessions; None where one has none."""
    medians = []
    for record in (c.case, c.against):
        timing = record.timing
        if timing is None or not timing.device_nanoseconds or timing.device_calls < 1:
            return None
        medians.append(float(np.median(timing.device_nanoseconds)) / timing.device_calls)
    return medians[0] / medians[1] if medians[1] > 0 else None


def render_markdown(changes: Changes) -> str:
    """For a pull request: what changed in a table, what did not folded away."""
    return "\n".join(_markdown(changes)) + "\n"


def _markdown(changes: Changes) -> Iterator[str]:
    yield f"## speedmetal: {changes.headline}"
    yield ""
    device = f" Device: {escape_markdown(changes.devices)}." if changes.devices else ""
    yield (
        f"{changes.counts}. Ratios are times after over times before; below 1 is faster.{device}"
    )
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
    extra = [_DEVICE_COLUMN] if changes.has_device_times else []
    yield table_row(("verdict", "ratio", "95 % interval", "case", "contender", *extra))
    yield table_row((":--", "--:", ":--", ":--", ":--", *["--:" for _ in extra]), "")
    ranked = sorted(comparisons, key=lambda c: (_ORDER.index(c.verdict), -c.ratio.ratio))
    for c in ranked:
        case, contender, ratio, interval, verdict = (escape_markdown(cell) for cell in _cells(c))
        if c in changes.regressions:
            verdict = f"**{verdict}**"
        on_device = [notation.ratio(device_ratio(c)) for _ in extra]
        yield table_row((verdict, ratio, interval, case, contender, *on_device))


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
                    "device_ratio": device_ratio(c),
                    "throttled": throttled(c),
                    "regression": id(c) in regressions,
                }
                for c in changes.comparisons
            ]
        )
    )
