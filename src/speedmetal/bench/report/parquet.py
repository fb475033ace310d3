"""The rows as a typed Parquet table, with every raw sample in list columns."""

from __future__ import annotations

import typing

import pyarrow as pa
import pyarrow.parquet as pq

from speedmetal.bench.report.figures import COLUMNS, Row, figures_of
from speedmetal.bench.report.options import Options
from speedmetal.bench.store import Records

_TYPES = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}

# One element a sample; samples of several sessions follow one another.
_SAMPLE_COLUMNS = (
    ("sample_nanoseconds", "samples_nanoseconds"),
    ("sample_round", "rounds"),
    ("sample_position", "positions"),
)


def render(records: Records, options: Options) -> bytes:
    """The rows as a Parquet file (zstd).

    Beside the columns of the CSV it has, as lists with one element a sample,
    ``sample_nanoseconds`` (wall time of the whole sample), ``sample_calls`` (calls in it),
    ``sample_session``, ``sample_round`` and ``sample_position`` (place within its round).
    """
    rows = [row for run in figures_of(records, options) for row in run.rows]
    columns = {name: [getattr(row, name) for row in rows] for name in COLUMNS}
    columns["sample_calls"] = [_repeat_per_sample(row, "calls") for row in rows]
    columns["sample_session"] = [_repeat_per_sample(row, "session") for row in rows]
    for column, attribute in _SAMPLE_COLUMNS:
        columns[column] = [_samples(row, attribute) for row in rows]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns, schema=schema()), sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def schema() -> pa.Schema:
    """The columns with their types; what is not known is null."""
    hints = typing.get_type_hints(Row)
    fields = [pa.field(name, _arrow_type(hints[name])) for name in COLUMNS]
    lists = ["sample_calls", "sample_session", *(column for column, _ in _SAMPLE_COLUMNS)]
    return pa.schema([*fields, *(pa.field(name, pa.list_(pa.int64())) for name in lists)])


def _arrow_type(hint: typing.Any) -> pa.DataType:
    kinds = [kind for kind in typing.get_args(hint) or (hint,) if kind is not type(None)]
    return _TYPES[kinds[0]]


def _samples(row: Row, attribute: str) -> list[int]:
    timings = [r.timing for r in row.records if r.timing is not None]
    return [value for timing in timings for value in getattr(timing, attribute)]


def _repeat_per_sample(row: Row, what: str) -> list[int]:
    values: list[int] = []
    for record in row.records:
        if record.timing is not None:
            value = record.timing.calls_per_sample if what == "calls" else record.session
            values += [value] * len(record.timing.samples_nanoseconds)
    return values
