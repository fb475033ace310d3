"""Tables for GitHub: the terminal report's sections in GitHub Flavored Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from speedmetal.bench.report.figures import figures_of
from speedmetal.bench.report.options import Options
from speedmetal.bench.report.sections import Section, bad_lines, description, sections_of
from speedmetal.bench.report.summary import sentences
from speedmetal.bench.store import Records

# Everything that can start a tag, a link, an emphasis, a mention's code span or a new cell.
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~&])")


def render(records: Records, options: Options) -> str:
    """The report as Markdown."""
    return "\n".join(_lines(records, options)) + "\n"


def escape_markdown(text: str) -> str:
    r"""Text that Markdown shows as it is, on one line.

    Example:
        >>> escape_markdown("a|b <script> [x](y)")
        'a\\|b \\<script\\> \\[x\\](y)'
    """
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _lines(records: Records, options: Options) -> Iterator[str]:
    yield f"# {escape_markdown(options.title)}"
    runs = figures_of(records, options)
    for run in runs:
        for sentence in sentences(run):
            yield ""
            yield escape_markdown(sentence)
        yield ""
        for line in description(records, run):
            yield f"- {escape_markdown(line)}"
        for section in sections_of(records, run):
            yield ""
            yield from _section(section)
    if not runs:
        yield ""
        yield "No case was measured."
    if records.bad_lines:
        yield ""
        yield from (f"- {escape_markdown(line)}" for line in bad_lines(records))


def _section(section: Section) -> Iterator[str]:
    yield f"## {escape_markdown(section.heading)}"
    yield ""
    if not section.rows:
        yield escape_markdown(section.empty)
        return
    yield table_row(section.columns)
    rulers = ["--:" if column in section.numeric else ":--" for column in section.columns]
    yield table_row(rulers, "")
    for row in section.rows:
        yield table_row([escape_markdown(cell.text) for cell in row])
    if section.remark:
        yield ""
        yield escape_markdown(section.remark)


def table_row(cells: Sequence[str], blank: str = " ") -> str:
    """A row of a table, of cells that are escaped already."""
    return f"|{blank}" + f"{blank}|{blank}".join(cells) + f"{blank}|"
