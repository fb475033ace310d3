"""Published tables of times: a CSV file or the published benchmark's Markdown -> cells.

CSV: one time a row, columns ``device,config,table,operation,arguments,backend,milliseconds``.

Markdown: a heading line for each device, such as ``**M4 (6E+4P+10GPU+16GB)** mlx: 0.20.0``, then a
table whose first column is ``Operation``. A row named ``Sum / dim=64x128 axi=0`` is of a detailed
table, one named ``Sum`` of an average table. Speed-up columns are derived, so they are not read.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from speedmetal.errors import UserInputError

MLX_BACKENDS = ("mlx_gpu", "mlx_gpu_compile", "mlx_cpu")
TORCH_BACKENDS = ("mps", "cpu", "cuda")
BACKENDS = MLX_BACKENDS + TORCH_BACKENDS
GPU_BACKENDS = ("mlx_gpu", "mlx_gpu_compile", "mps", "cuda")
TABLES = ("detailed", "average")
COLUMNS = ("device", "config", "table", "operation", "arguments", "backend", "milliseconds")
PROBLEMS_SHOWN = 10

# The average file of the published benchmark writes one device of the detailed file differently.
_CONFIG_ALIASES = {
    "(32Go / Intel Xeon Gold 5120 14 cores / 28 threads @ 2.2GHz (Skylake), 60Go)": (
        "(32Go / Intel Xeon Gold 5120 14 cores, 28 threads @ 2.2GHz (Skylake), 60Go)"
    ),
}
# "M1 Pro (2E+8P+16GPU)" and "A100 80GB PCIe (...)": the name ends at a bracket or at a size.
_HEADING = re.compile(r"(?P<device>.+?)\s+(?P<config>(?:\d+GB\b|\().*)")
# Stricter than float(), which takes 1_0, infinity and the digits of all scripts.
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,2})?")
_RULER = re.compile(r"\|[\s:|-]+\|?")


@dataclass(frozen=True)
class PublishedCell:
    """One published time.

    ``device`` and ``config`` together name the table (a device may occur twice); ``milliseconds``
    is None where the table says nan; ``line`` is the line in the file.
    """

    device: str
    config: str
    table: str  # "detailed" | "average"
    operation: str
    arguments: str  # "" in an average table
    backend: str  # one of BACKENDS
    milliseconds: float | None
    line: int = 0

    @property
    def key(self) -> tuple[str, ...]:
        """What makes the cell unique in its file."""
        return (
            self.device,
            self.config,
            self.table,
            self.operation,
            self.arguments,
            self.backend,
        )


@dataclass(frozen=True)
class _Problem:
    """Something in the file that is not as expected."""

    line: int
    message: str


def load_published_cells(path: Path | str) -> tuple[PublishedCell, ...]:
    """Read the cells of a file in file order.

    Args:
        path: A CSV file (a name that ends in ``.csv``) or a Markdown file (any other).

    Raises:
        UserInputError: The file cannot be read, holds no table, or has lines that are not as
            expected; the message has one line ``FILE:LINE: what was expected`` for each of them.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserInputError(f"cannot read a published table from {path}: {error}") from error
    read = _read_csv if path.suffix.lower() == ".csv" else _read_markdown
    found = list(read(text))
    cells = [item for item in found if isinstance(item, PublishedCell)]
    problems = [item for item in found if isinstance(item, _Problem)] + _find_repetitions(cells)
    if not found:
        problems = [_Problem(1, "no table of times; expected a header line with 'Operation'")]
    if problems:
        raise UserInputError(_describe(path, problems))
    return tuple(cells)


def cases_to_rerun(cells: Iterable[PublishedCell]) -> tuple[tuple[str, str], ...]:
    """Operations with their arguments as the detailed tables print them, each once, in file order.

    Example:
        >>> cells = [PublishedCell("M1", "()", "detailed", "Sum", "dim=8 axi=0", "cpu", 1.0)]
        >>> cases_to_rerun(cells * 2)
        (('Sum', 'dim=8 axi=0'),)
    """
    detailed = (cell for cell in cells if cell.table == "detailed")
    return tuple(dict.fromkeys((cell.operation, cell.arguments) for cell in detailed))


def _describe(path: Path, problems: Sequence[_Problem]) -> str:
    ordered = sorted(problems, key=lambda problem: problem.line)
    lines = [f"{path}:{problem.line}: {problem.message}" for problem in ordered[:PROBLEMS_SHOWN]]
    if len(ordered) > PROBLEMS_SHOWN:
        lines.append(f"... and {len(ordered) - PROBLEMS_SHOWN} more lines like these")
    return "\n".join(lines)


def _find_repetitions(cells: Iterable[PublishedCell]) -> list[_Problem]:
    first: dict[tuple[str, ...], int] = {}
    problems = []
    for cell in cells:
        line = first.setdefault(cell.key, cell.line)
        if line != cell.line:
            label = " / ".join(part for part in (cell.operation, cell.arguments) if part)
            problems.append(
                _Problem(
                    cell.line,
                    f"{label} of {cell.device} {cell.config} on {cell.backend} is given again;"
                    f" expected one time, the first is at line {line}",
                )
            )
    return problems


def _milliseconds(text: str) -> float | None:
    """The time in milliseconds, None for nan or nothing.

    Raises:
        ValueError: It is no time.
    """
    if text.strip().lower() in ("", "nan"):
        return None
    if not _NUMBER.fullmatch(text.strip()):
        raise ValueError(text)
    return float(text)


def _cell(fields: Sequence[str], time: str, line: int) -> PublishedCell | _Problem:
    """A cell from the texts of its first six columns (see ``COLUMNS``) and its time."""
    device, config, table, operation, arguments, backend = (" ".join(f.split()) for f in fields)
    for kind, given, valid in (("backend", backend, BACKENDS), ("table", table, TABLES)):
        if given not in valid:
            return _Problem(line, f"expected a {kind} out of {', '.join(valid)}, got {given!r}")
    try:
        value = _milliseconds(time)
    except ValueError:
        return _Problem(
            line,
            f"expected milliseconds (a number of at least 0, or nan) for {backend},"
            f" got {time.strip()!r}",
        )
    config = _CONFIG_ALIASES.get(config, config)
    return PublishedCell(device, config, table, operation, arguments, backend, value, line)


def _read_csv(text: str) -> Iterator[PublishedCell | _Problem]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        yield from _csv_rows(reader)
    except csv.Error as error:
        yield _Problem(reader.line_num, f"expected a line of CSV, got something else: {error}")


def _csv_rows(reader: csv.DictReader[str]) -> Iterator[PublishedCell | _Problem]:
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        yield _Problem(
            1, f"missing columns: {', '.join(missing)}; expected the columns {','.join(COLUMNS)}"
        )
        return
    empty = True
    for row in reader:
        empty = False
        values = [row[name] for name in COLUMNS]
        if None in values:
            yield _Problem(reader.line_num, f"expected {len(COLUMNS)} columns, got fewer")
        else:
            yield _cell(values[:-1], values[-1], reader.line_num)
    if empty:
        yield _Problem(1, "no times after the header line; expected one time a row")


@dataclass(frozen=True)
class _Heading:
    device: str
    config: str


def _heading(line: str) -> _Heading | None:
    """The device that a line between tables names, None for any other text."""
    bold = line.startswith("**")
    plain = " ".join(line.replace("**", " ").split())
    match = _HEADING.fullmatch(plain)
    # One published device has no asterisks; prose is told apart by not ending in a bracket.
    if match and (bold or plain.endswith(")")):
        return _Heading(match["device"], match["config"])
    return _Heading(plain, "") if bold and plain else None


def _read_markdown(text: str) -> Iterator[PublishedCell | _Problem]:
    heading: _Heading | None = None
    header: list[str] | None = None
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if not line.startswith("|"):
            header = None
            # A chapter ends the device above it; prose does not.
            heading = None if line.startswith("#") else _heading(line) or heading
        elif header is None:
            header = [column.strip() for column in line.strip("|").split("|")]
            yield from _check_header(number, header, heading)
        elif heading and header[0] == "Operation" and not _RULER.fullmatch(line):
            yield from _row(number, line, header, heading)


def _check_header(
    number: int, header: Sequence[str], heading: _Heading | None
) -> Iterator[_Problem]:
    if header[0] != "Operation":
        return  # a table of something else
    if heading is None:
        yield _Problem(
            number, "expected a heading such as **M4 (6E+4P+10GPU)** before the table, got none"
        )
    times = [name for name in header[1:] if not name.endswith("speedup")]
    unknown = [name for name in times if name not in BACKENDS]
    if unknown or not times:
        got = ", ".join(repr(name) for name in unknown) or "none"
        yield _Problem(
            number, f"missing columns: expected times of {', '.join(BACKENDS)}, got {got}"
        )


def _row(
    number: int, line: str, header: Sequence[str], heading: _Heading
) -> Iterator[PublishedCell | _Problem]:
    values = [value.strip() for value in line.strip("|").split("|")]
    if len(values) != len(header):
        yield _Problem(number, f"expected {len(header)} columns, got {len(values)}")
        return
    operation, _, arguments = values[0].partition(" / ")
    table = "detailed" if arguments else "average"
    for name, value in zip(header[1:], values[1:], strict=True):
        if name in BACKENDS:
            fields = (heading.device, heading.config, table, operation, arguments, name)
            yield _cell(fields, value, number)
