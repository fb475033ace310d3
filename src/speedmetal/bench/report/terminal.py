"""Tables for the terminal, and the small table that is shown while a run goes on."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Literal

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from speedmetal.bench import compare
from speedmetal.bench.compare import Verdict
from speedmetal.bench.record import CaseRecord, Status
from speedmetal.bench.report import notation
from speedmetal.bench.report.figures import BASELINE, figures_of, latest
from speedmetal.bench.report.options import Options
from speedmetal.bench.report.sections import (
    Cell,
    Section,
    bad_lines,
    description,
    sections_of,
)
from speedmetal.bench.store import Records

# Blue and orange stay apart for every kind of colour vision; red is left to what is broken.
_STYLES: dict[str, str] = {
    "": "",
    "muted": "dim",
    BASELINE: "dim",
    Verdict.FASTER: "bold bright_blue",
    Verdict.SLOWER: "dark_orange",
    Verdict.EQUIVALENT: "cyan",
    Verdict.UNDECIDED: "dim",
    Status.OK: "",
    Status.WRONG: "bold red",
    Status.IMPLAUSIBLE: "bold magenta",
    Status.UNFAIR: "bold magenta",
    Status.UNSUPPORTED: "dim",
    Status.OUT_OF_MEMORY: "red",
    Status.TIMEOUT: "red",
    Status.CRASH: "bold red",
    Status.SKIPPED: "dim",
}

RUNNING_CASES = 6


def render(records: Records, options: Options) -> str:
    """The report as text, with colours where the options ask for them."""
    console = Console(
        file=io.StringIO(),
        width=options.width,
        force_terminal=options.ansi,
        color_system="256" if options.ansi else None,
        legacy_windows=False,
    )
    with console.capture() as capture:
        console.print(renderable(records, options))
    # Trailing blanks are padding: they only make a diff noisy.
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def renderable(records: Records, options: Options) -> RenderableType:
    """The report for a console of one's own."""
    return Group(*_parts(records, options))


def _parts(records: Records, options: Options) -> Iterator[RenderableType]:
    yield _plain_text(options.title, "bold")
    runs = figures_of(records, options)
    for run in runs:
        for line in description(records, run):
            yield _plain_text(line, "dim")
        for section in sections_of(records, run):
            yield Text()
            yield from _section(section)
    if not runs:
        yield Text("no case was measured")
    for line in bad_lines(records):
        yield _plain_text(line, "yellow")


def _section(section: Section) -> Iterator[RenderableType]:
    yield _plain_text(section.heading, "bold")
    if not section.rows:
        yield _plain_text(section.empty)
        return
    table = _table(section)
    for index, row in enumerate(section.rows):
        if index in section.rules:
            table.add_section()
        texts = [_text(cell) for cell in row]
        if section.grouped:
            # A long name has a line of its own, so that it takes no width from the figures.
            name, first, *texts = texts
            if name.plain:
                table.add_row(name)
            texts.insert(0, Text("  ").append_text(first))
        table.add_row(*texts)
    yield table
    if section.remark:
        yield _plain_text(section.remark, "dim")


def _table(section: Section) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    columns = section.columns
    if section.grouped:
        columns = (f"{columns[0]} / {columns[1]}", *columns[2:])
    for column in columns:
        numeric = column in section.numeric
        justify: Literal["left", "right"] = "right" if numeric else "left"
        table.add_column(Text(column), justify=justify, no_wrap=numeric, overflow="fold")
    return table


def _text(cell: Cell) -> Text:
    return _plain_text(cell.text, _STYLES.get(cell.tone, ""))


def _plain_text(text: str, style: str = "") -> Text:
    # Text, not a string: brackets in a record must not be read as markup, and control
    # characters must not reach the terminal.
    return Text(replace_controls(text), style=style)


def replace_controls(text: str) -> str:
    r"""The text with its control characters (of which escape sequences are made) replaced.

    Example:
        >>> replace_controls("a\x1b[31mb\nc") == "a\N{REPLACEMENT CHARACTER}[31mb c"
        True
    """
    plain = " ".join(text.split())
    return "".join(
        char if char.isprintable() or char == " " else "\N{REPLACEMENT CHARACTER}" for char in plain
    )


def running_table(case_records: Sequence[CaseRecord]) -> RenderableType:
    """A small table of the last finished cases, for live progress.

    Args:
        case_records: What is finished so far, in order; the last six cases are shown, the
            fastest contender of each marked.
    """
    records = latest(case_records)
    last: dict[str, dict[str, CaseRecord]] = {}
    for record in records:
        # A case that gets a new record moves to the end.
        members = last.pop(record.case.key, {})
        last[record.case.key] = {**members, record.contender.key: record}
    shown = list(last.values())[-RUNNING_CASES:]
    contenders = list(dict.fromkeys(key for members in shown for key in members))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column(Text("case"), overflow="ellipsis", no_wrap=True)
    for contender in contenders:
        table.add_column(_plain_text(contender), justify="right")
    for members in shown:
        label = next(iter(members.values())).case.label
        table.add_row(_plain_text(label), *_running_cells(members, contenders))
    return table


def _running_cells(members: dict[str, CaseRecord], contenders: Sequence[str]) -> Iterator[Text]:
    summaries = {key: compare.summary_of(record) for key, record in members.items()}
    medians = {key: summary.median for key, summary in summaries.items() if summary}
    fastest = min(medians, key=lambda key: medians[key], default=None)
    for key in contenders:
        summary = summaries.get(key)
        if summary is not None:
            spread = notation.plus_minus(summary.median, summary.low, summary.high)
            style = _STYLES[Verdict.FASTER] if key == fastest else ""
            yield Text(f"{notation.seconds(summary.median)} {spread}", style=style)
        elif key in members:
            status = members[key].status
            yield Text(status.value, style=_STYLES[status])
        else:
            yield Text(notation.MISSING, style="dim")
