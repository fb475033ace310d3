"""The layout of the published MLX benchmark, for readers who set tables side by side.

The layout is that of https://github.com/TristanBilot/mlx-benchmark: names, order and padding of
the columns, milliseconds with two decimals, speed-ups as truncated percentages. The times are
ours: medians of proved results. Only experiments of that benchmark appear.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from speedmetal.bench.report.figures import Row, RunFigures, figures_of
from speedmetal.bench.report.options import Options
from speedmetal.bench.report.sections import environments_of
from speedmetal.bench.store import Records

NAN = float("nan")


@dataclass(frozen=True)
class Column:
    """A column of the published table and the contender that fills it."""

    name: str
    framework: str
    device: str
    mode: str


# In the published order.
COLUMNS = (
    Column("mlx_gpu", "mlx", "gpu", "eager"),
    Column("mlx_gpu_compile", "mlx", "gpu", "compiled"),
    Column("mlx_cpu", "mlx", "cpu", "eager"),
    Column("mps", "torch", "mps", "eager"),
    Column("cpu", "torch", "cpu", "eager"),
    Column("cuda", "torch", "cuda", "eager"),
)

# (subject, compared to): the speed-up of the first over the second, in the published order.
SPEEDUPS = (
    ("mlx_gpu_compile", "mlx_gpu"),
    ("mlx_gpu", "mps"),
    ("mlx_gpu", "mlx_cpu"),
    ("cuda", "cpu"),
)

_LEGEND = {
    "mlx_gpu": "MLX on its GPU device",
    "mlx_gpu_compile": "MLX on its GPU device, compiled",
    "mlx_cpu": "MLX on the CPU",
    "mps": "PyTorch on the Apple GPU (MPS)",
    "cpu": "PyTorch on the CPU",
    "cuda": "PyTorch on an NVIDIA GPU (CUDA)",
}

Times = Mapping[str, Mapping[str, float]]  # milliseconds by row name, by column name


def render(records: Records, options: Options) -> str:
    """The detailed and the average table of every run that has a column of them."""
    lines = ["# Detailed benchmark", "", "Medians of proved results, in `milliseconds`.", ""]
    runs = [(run, _cells(run)) for run in figures_of(records, options)]
    filled = [(run, cells) for run, cells in runs if cells]
    if not filled:
        return "\n".join([*lines, "No experiment of the published benchmark was run."]) + "\n"
    names = {column for _, cells in filled for column in _columns_of(cells)}
    lines += [f"* `{name}`: {text}" for name, text in _LEGEND.items() if name in names]
    for run, cells in filled:
        lines += ["", *_heading(records, run), "", *_render_details(cells)]
    lines += ["", "# Average benchmark", ""]
    lines.append(
        "Means of milliseconds over the shapes of an operation: the largest shape decides them."
        " They are kept for comparison with published tables only; geometric means of ratios are"
        " in the other reports."
    )
    for run, cells in filled:
        lines += ["", *_heading(records, run), "", *_averages(cells)]
    return "\n".join(lines) + "\n"


def _cells(run: RunFigures) -> dict[str, dict[str, Row]]:
    """Rows by the name of the table's row, then by column."""
    columns = {(c.framework, c.device, c.mode): c.name for c in COLUMNS}
    cells: dict[str, dict[str, Row]] = {}
    for row in run.rows:
        column = columns.get((row.framework, row.device, row.mode))
        if row.published and column:
            cells.setdefault(row.label, {})[column] = row
    return cells


def _columns_of(cells: Mapping[str, Mapping[str, Row]]) -> list[str]:
    present = {column for members in cells.values() for column in members}
    return [column.name for column in COLUMNS if column.name in present]


def _heading(records: Records, run: RunFigures) -> Iterator[str]:
    environments = environments_of(records, run)
    versions = {
        row.framework: row.version
        for row in run.rows
        if row.version and row.framework in {column.framework for column in COLUMNS}
    }
    tail = " ".join(f"{name}: {version}" for name, version in sorted(versions.items()))
    device, machine = "unknown device", ""
    if environments:
        machine_facts = environments[0]
        device = machine_facts.chip or device
        cores = machine_facts.core_split or f"{machine_facts.cores} cores"
        machine = f"{cores}+{round(machine_facts.memory_bytes / 2**30)}GB"
    accelerators = {r.device_name for r in run.rows if r.device == "cuda" and r.device_name}
    if accelerators:
        machine = f"{device}, {machine}"
        device = " + ".join(sorted(accelerators))
    ours = [r.speedmetal_version for r in records.runs if r.run_id == run.run_id]
    tail = f"speedmetal: {ours[-1]} {tail}" if ours else f"speedmetal {tail}"
    yield f"**{_escape_markup(device)} ({_escape_markup(machine)})** {_escape_markup(tail)}"


def _escape_markup(text: str) -> str:
    """Text without what Markdown or HTML would read as markup."""
    for mark in "\\`*_[]<>|":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


def _render_details(cells: Mapping[str, Mapping[str, Row]]) -> Iterator[str]:
    columns = _columns_of(cells)
    times = {
        _escape_markup(name): {column: _milliseconds(members.get(column)) for column in columns}
        for name, members in cells.items()
    }
    yield from _table(times, columns)
    remarks = [
        f"* `{_escape_markup(name)}` on `{column}`: {_fate(members.get(column))}"
        for name, members in cells.items()
        for column in columns
        if _milliseconds(members.get(column)) is NAN
    ]
    if remarks:
        yield from ("", "Cells with `nan`:", "", *remarks)


def _averages(cells: Mapping[str, Mapping[str, Row]]) -> Iterator[str]:
    columns = _columns_of(cells)
    operations: dict[str, list[Mapping[str, Row]]] = {}
    for members in cells.values():
        title = next(iter(members.values())).title
        operations.setdefault(f"{_escape_markup(title)} ", []).append(members)
    times = {
        name: {
            column: math.fsum(_milliseconds(m.get(column)) for m in shapes) / len(shapes)
            for column in columns
        }
        for name, shapes in operations.items()
    }
    yield from _table(times, columns)


def _milliseconds(row: Row | None) -> float:
    return NAN if row is None or row.median is None else row.median * 1e3


def _fate(row: Row | None) -> str:
    if row is None:
        return "not run"
    return f"{row.status}, {_escape_markup(row.reason)}" if row.reason else row.status


def _table(times: Times, columns: Sequence[str]) -> Iterator[str]:
    speedups = [(top, base) for top, base in SPEEDUPS if top in columns and base in columns]
    headings = [*columns, *(f"{top}/{base} speedup" for top, base in speedups)]
    width = max(len(name) for name in times)
    yield f"| Operation{' ' * (width - 5)} | {' | '.join(headings)} |"
    rules = ["-" * (width + 6), *("-" * max(6, len(heading)) for heading in headings)]
    yield f"|{'|'.join(rules)}|"
    for name, cells in times.items():
        texts = [f"{cells[column]:>6.2f}" for column in columns]
        texts += [_speedup(cells[top], cells[base]) for top, base in speedups]
        yield f"| {name.ljust(width)} | {' | '.join(texts)} |"


def _speedup(time: float, base: float) -> str:
    """How much faster than ``base``, in percent, truncated towards zero as the original does."""
    percentage = (base - time) / time * 100
    if math.isnan(percentage):
        return "   nan%"
    return f"{'+' if percentage > 0 else ''}{int(percentage)}".rjust(6) + "%"
