"""``speedmetal report``: records in one of the formats."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from speedmetal.bench.commands import output
from speedmetal.bench.measures import by_measure
from speedmetal.bench.report import FORMATS, Format, Options, find_format, format_of_suffix
from speedmetal.bench.store import Records, read_records
from speedmetal.errors import UnknownNameError, UserInputError


def execute(
    *,
    files: Sequence[str],
    format_name: str | None,
    out: str | None,
    baseline: str | None,
    measure: str | None = None,
) -> int:
    """Render the records of one or more files."""
    records = by_measure(merge_records([read_records(file) for file in files]), measure)
    for line in records.bad_lines:
        print(f"{records.source}: {line}; the rest is used", file=sys.stderr)  # noqa: T201
    _check_baseline(records, baseline)
    chosen = _choose_format(format_name, out)
    if chosen.name == "parquet" and out is None:
        raise UserInputError("parquet is not for the terminal; give --out FILE.parquet")
    options = Options(baseline=baseline) if out else output.terminal_options(140, baseline)
    output.write(chosen.render(records, options), out)
    return 0


def merge_records(several: Sequence[Records]) -> Records:
    """Records of several files as one: runs are told apart by their ids."""
    if len(several) == 1:
        return several[0]
    return Records(
        tuple(record for one in several for record in one.records),
        tuple(line for one in several for line in one.bad_lines),
        ", ".join(one.source for one in several),
    )


def _choose_format(name: str | None, out: str | None) -> Format:
    if name is not None:
        return find_format(name)
    if out is None:
        return FORMATS["terminal"]
    found = format_of_suffix(Path(out).suffix)
    if found is None:
        raise UserInputError(
            f"--out {out}: no format has the ending {Path(out).suffix!r};"
            f" give --format ({', '.join(FORMATS)})"
        )
    return found


def _check_baseline(records: Records, baseline: str | None) -> None:
    keys = sorted({record.contender.key for record in records.cases})
    if baseline is not None and baseline not in keys:
        raise UnknownNameError("baseline", baseline, keys)
