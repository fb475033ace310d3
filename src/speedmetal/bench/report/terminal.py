"""Tables for the terminal, the summary below them, and the small table of a run that goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from speedmetal.bench import compare
from speedmetal.bench.compare import Verdict
from speedmetal.bench.operations import words
from speedmetal.bench.record import CaseRecord
from speedmetal.bench.report import notation, screen
from speedmetal.bench.report.console import STYLES, capture, plain_text
from speedmetal.bench.report.figures import figures_of, latest
from speedmetal.bench.report.options import Options
from speedmetal.bench.report.sections import (
    Cell,
    Section,
    bad_lines,
    description,
    sections_of,
)
from speedmetal.bench.report.summary import contender_titles
from speedmetal.bench.store import Records

RUNNING_CASES = 6


def render(records: Records, options: Options) -> str:
    """The report as text, with colours where the options ask for them."""
    return capture(renderable(records, options), options)


def renderable(records: Records, options: Options) -> RenderableType:
    """The report for a console of one's own."""
    return Group(*_parts(records, options))


def _parts(records: Records, options: Options) -> Iterator[RenderableType]:
    yield plain_text(options.title, "bold")
    runs = figures_of(records, options)
    for run in runs:
        for line in description(records, run):
            yield plain_text(line, "dim")
        for section in sections_of(records, run):
            yield Text()
            yield from _section(section)
    if not runs:
        yield Text("no case was measured")
    for line in bad_lines(records):
        yield plain_text(line, "yellow")
    if runs:
        yield Text()
        yield screen.renderable(records, options)


def _section(section: Section) -> Iterator[RenderableType]:
    yield plain_text(section.heading, "bold")
    if not section.rows:
        yield plain_text(section.empty)
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
        yield plain_text(section.remark, "dim")


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
    return plain_text(cell.text, STYLES.get(cell.tone, ""))


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
    for title in contender_titles(contenders).values():
        table.add_column(plain_text(title), justify="right", overflow="fold")
    for members in shown:
        label = words.case_in_words(next(iter(members.values())).case)
        table.add_row(plain_text(label), *_running_cells(members, contenders))
    return table


def _running_cells(members: dict[str, CaseRecord], contenders: Sequence[str]) -> Iterator[Text]:
    summaries = {key: compare.summary_of(record) for key, record in members.items()}
    medians = {key: summary.median for key, summary in summaries.items() if summary}
    fastest = min(medians, key=lambda key: medians[key], default=None)
    for key in contenders:
        summary = summaries.get(key)
        if summary is not None:
            style = STYLES[Verdict.FASTER] if key == fastest else ""
            yield Text(notation.seconds(summary.median), style=style)
        elif key in members:
            status = members[key].status
            yield Text(status.value, style=STYLES[status])
        else:
            yield Text(notation.MISSING, style="dim")
