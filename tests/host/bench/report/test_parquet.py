"""Parquet: the rows of the CSV with types, and every raw sample."""

import io

import pyarrow.parquet as pq
import synthetic

from speedmetal.bench.report import FORMATS, Options
from speedmetal.bench.report.figures import COLUMNS, figures_of
from speedmetal.bench.report.parquet import schema

RECORDS = synthetic.records()


def test_round_trip() -> None:
    """What is read back are the rows, value by value and null by null."""
    data = FORMATS["parquet"].render(RECORDS, Options())
    assert isinstance(data, bytes)
    table = pq.read_table(io.BytesIO(data))
    assert table.schema.equals(schema())
    (run,) = figures_of(RECORDS, Options())
    read = table.to_pylist()
    assert len(read) == len(run.rows)
    for found, row in zip(read, run.rows, strict=True):
        assert {name: found[name] for name in COLUMNS} == {n: getattr(row, n) for n in COLUMNS}


def test_every_sample_is_there() -> None:
    """Samples of all sessions, with their calls, rounds and sessions element by element."""
    data = FORMATS["parquet"].render(RECORDS, Options())
    assert isinstance(data, bytes)
    first = pq.read_table(io.BytesIO(data)).to_pylist()[0]
    (run,) = figures_of(RECORDS, Options())
    timings = [r.timing for r in run.rows[0].records if r.timing]
    assert first["sample_nanoseconds"] == [v for t in timings for v in t.samples_nanoseconds]
    assert first["sample_session"] == [0] * 24 + [1] * 24
    assert first["sample_round"] == [*range(24), *range(24)]
    assert len(first["sample_calls"]) == len(first["sample_position"]) == 48


def test_types_are_those_of_the_row() -> None:
    """Numbers are numbers and truth values truth values."""
    types = {field.name: str(field.type) for field in schema()}
    assert types["median"] == "double"
    assert types["flops"] == "int64"
    assert types["published"] == types["check_passed"] == "bool"
    assert types["status"] == "string"
    assert types["sample_nanoseconds"].startswith("list<")
