"""The page's data: words, texts as the terminal writes them, sizes, samples, the machine."""

import json

import msgspec
import pytest
import synthetic
from synthetic import CASES, CONTENDERS

from speedmetal.bench import compare
from speedmetal.bench.report import Options, page_data, sections
from speedmetal.bench.report.figures import RunFigures, figures_of
from speedmetal.bench.store import Records


@pytest.fixture(scope="module")
def records() -> Records:
    return synthetic.with_machine(synthetic.records(extra=(synthetic.in_words(),)))


@pytest.fixture(scope="module")
def run(records: Records) -> RunFigures:
    (only,) = figures_of(records, Options())
    return only


@pytest.fixture(scope="module")
def data(records: Records, run: RunFigures) -> dict:
    return page_data.page_data(records, [run])


def texts_of(data: dict, name: str) -> list[str]:
    place = data["figures"].index(name)
    return [written[place] for _, _, written, _ in data["rows"]]


def test_cases_are_in_words(data: dict) -> None:
    """With the published label beside them, by which a case can still be searched."""
    case = data["cases"][-1]
    assert case["name"] == "GroupNorm 8 x 32 x 64, groups 8"
    assert case["variant"] == "8 x 32 x 64, groups 8"
    assert case["label"] == "GroupNorm / dim=8x32x64 grp=8"
    assert case["bytesText"] == "128 KiB"


def test_figures_are_written_as_the_terminal_writes_them(
    records: Records, run: RunFigures, data: dict
) -> None:
    """Median, interval, ratio, share of the ceiling and first call of every row, to the digit."""
    tables = [s for s in sections.sections_of(records, run) if s.grouped]
    wanted = {}
    for table in tables:
        for row in table.rows:
            cells = {name: cell.text for name, cell in zip(table.columns, row, strict=True)}
            if cells["median"] and cells["n"]:
                key = (cells["contender"], cells["median"], cells["±"], cells["ratio"])
                wanted[key] = (cells["95 % interval"], cells["share of ceiling"], cells["n"])
    names = ("median", "spread", "ratio", "interval", "share", "samples")
    columns = [texts_of(data, name) for name in names]
    found = {}
    for row, (median, spread, ratio, *rest) in zip(
        run.rows, zip(*columns, strict=True), strict=True
    ):
        if row.has_time:
            found[row.contender, median, spread, ratio] = tuple(rest)
    assert found == wanted
    assert len(found) > 20


def test_sizes_are_several_only_where_they_differ(run: RunFigures) -> None:
    """Argmax has two cases of one size, GroupNorm one case, the backward Softmax too."""
    assert page_data.sized_series(run.rows, "bytes") == ["MatMul", "Softmax"]
    assert page_data.sized_series(run.rows, "flops") == ["MatMul", "Softmax"]


@pytest.mark.parametrize(("factor", "found"), [(1.9, []), (2, ["Argmax"])])
def test_a_result_a_little_smaller_is_no_other_size(factor: float, found: list[str]) -> None:
    """Sizes must differ twofold; and a case without a time gives no size."""
    larger = msgspec.structs.replace(CASES[1], bytes_minimum=int(CASES[0].bytes_minimum * factor))
    contender = CONTENDERS[0][0]
    cases = [synthetic.case_record(case, contender, 1e-3) for case in (CASES[0], larger)]
    (run,) = figures_of(Records(tuple(cases)), Options())
    assert page_data.sized_series(run.rows, "bytes") == found
    assert page_data.sized_series(run.rows[:1], "bytes") == []


def test_samples_are_those_of_the_records(run: RunFigures, data: dict) -> None:
    """To a ten thousandth of the median, session by session."""
    compared = 0
    for row, series in zip(run.rows, data["samples"], strict=True):
        for record, one in zip(row.records, series, strict=bool(series)):
            assert record.timing is not None
            assert row.median is not None
            times = [(1 + d / data["sampleScale"]) * row.median for d in one["distances"]]
            allowed = row.median / data["sampleScale"]
            assert times == pytest.approx(
                list(compare.seconds_per_call(record.timing)), rel=0, abs=allowed
            )
            assert one["session"] == record.session
            compared += len(times)
    assert compared > 1000


def test_the_machine_is_known_in_every_round(data: dict) -> None:
    """Once for all contenders of a case's round, in each session."""
    visits = {(visit["case"], visit["session"]): visit for visit in data["machine"]}
    assert len(visits) == len(data["machine"]) == 2 * len(CASES) + 1
    assert visits[0, 1]["load"] == [[number, number] for number in range(24)]
    assert visits[0, 1]["clock"] == [[number, 3200 - 10 * number] for number in range(24)]
    assert visits[0, 1]["minute"] == 0


def test_rows_tell_processors_faults_and_interruptions(data: dict) -> None:
    """CPU time over wall time, faults of one call, switches of one sample."""
    assert texts_of(data, "processors")[0] == "1.50"
    assert texts_of(data, "pageFaults")[0] == "2"
    assert texts_of(data, "interruptions")[0] == "0.500"


def test_a_run_that_recorded_no_state_shows_none() -> None:
    """Neither a load nor a clock of nought."""
    records = synthetic.records()
    found = page_data.page_data(records, figures_of(records, Options()))
    assert found["machine"] == []
    assert set(texts_of(found, "processors")) == {"\N{EN DASH}"}
    json.dumps(found, allow_nan=False)
