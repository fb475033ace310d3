"""``speedmetal audit``: published numbers against their labels, and against this machine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from speedmetal.bench.audit import (
    Audit,
    audit_cells,
    cases_to_rerun,
    load_published_cells,
    render_json,
    render_markdown,
    render_text,
)
from speedmetal.bench.audit.published import PublishedCell
from speedmetal.bench.commands import bench, output
from speedmetal.bench.commands.arguments import names
from speedmetal.bench.operations import OPERATIONS, find_operation
from speedmetal.bench.store import Records, read_records
from speedmetal.errors import UnknownNameError, UserInputError

FORMATS = ("terminal", "markdown", "json")


def execute(
    *,
    file: str,
    records: str | None,
    rerun: bool,
    ops: str | None,
    budget: str | None,
    format_name: str,
    out: str | None,
) -> int:
    """Audit a file; the published shapes are run here unless records are given."""
    if format_name not in FORMATS:
        raise UnknownNameError("format", format_name, FORMATS)
    cells = load_published_cells(file)
    measured = _load_or_measure(cells, records, rerun=rerun, ops=ops, budget=budget)
    audit = audit_cells(cells, source=Path(file).name, records=measured)
    if format_name == "terminal" and out is None:
        Console(width=None if sys.stdout.isatty() else 140).print(render_text(audit))
        return 0
    output.write(_renderer(format_name)(audit), out)
    return 0


def _renderer(format_name: str) -> Callable[[Audit], str | bytes]:
    return render_json if format_name == "json" else render_markdown


def _load_or_measure(
    cells: tuple[PublishedCell, ...],
    records: str | None,
    *,
    rerun: bool,
    ops: str | None,
    budget: str | None,
) -> Records | None:
    if records is not None:
        return read_records(records)
    if not rerun:
        return None
    operations = _operations(cells, names(ops))
    request = bench.make_request(
        {"suite": "mlx-benchmark", "ops": ",".join(operations), "budget": budget},
        None,
        resume=False,
    )
    return bench.measure(request)


def _operations(cells: tuple[PublishedCell, ...], wanted: list[str]) -> list[str]:
    """The benchmark's operations that the file has numbers of, and that are wanted."""
    titles = {title for title, _ in cases_to_rerun(cells)}
    present = {op.name for op in OPERATIONS.values() if op.title in titles}
    chosen = {find_operation(name).name for name in wanted} or present
    if not chosen & present:
        raise UserInputError(
            f"the file has no numbers of {', '.join(sorted(chosen)) or 'a known operation'};"
            f" it has {', '.join(sorted(titles)) or 'none'}"
        )
    return [name for name in OPERATIONS if name in chosen & present]
