"""One line per run, case and contender, with every figure, for spreadsheets and scripts."""

from __future__ import annotations

import csv
import io

from speedmetal.bench.report.figures import COLUMNS, Row, figures_of
from speedmetal.bench.report.options import Options
from speedmetal.bench.store import Records

# A spreadsheet runs a text cell that starts so as a formula (OWASP, "CSV Injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def render(records: Records, options: Options) -> str:
    """The rows as CSV (RFC 4180) with a heading; what is not known is an empty cell."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for run in figures_of(records, options):
        writer.writerows(_cells(row) for row in run.rows)
    return text.getvalue()


def _cells(row: Row) -> list[str]:
    return [cell(getattr(row, column)) for column in COLUMNS]


def cell(value: str | float | None) -> str:
    """A value as the text of a cell; text that would be a formula is defused by an apostrophe.

    Floats have 12 digits: nothing is measured to more, and the last few of all differ between
    processors.

    Example:
        >>> cell("=cmd()"), cell(-1.5), cell(None), cell(True), cell(0.1 + 0.2)
        ("'=cmd()", '-1.5', '', 'true', '0.3')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
    return repr(float(f"{value:.12g}")) if isinstance(value, float) else repr(value)
