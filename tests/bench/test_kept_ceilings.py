"""What the machine reaches: measured once a day, within a share of the budget."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from small_run import Silent, case_of, measure

from speedmetal.bench import compare
from speedmetal.bench.frameworks.base import Settings
from speedmetal.bench.record import CeilingRecord, Status
from speedmetal.bench.runner import device_ceilings, kept_rates
from speedmetal.bench.runner.plan import Budget
from speedmetal.bench.store import Records

RELU = case_of("relu", shape=[32, 32])


class Listening(Silent):
    """Keeps the steps of a run as well."""

    def __init__(self) -> None:
        super().__init__()
        self.phases: list[str] = []

    def phase(self, case: str, text: str) -> None:
        self.phases.append(text)

    @property
    def measured(self) -> list[str]:
        """Whose rates were measured."""
        start = "measuring this machine's ceilings (kept for a day): "
        return [text.removeprefix(start) for text in self.phases if text.startswith(start)]


Measure = Callable[..., tuple[list[str], Records]]


def use_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have runs keep their rates in the folder."""
    monkeypatch.setenv("SPEEDMETAL_CACHE", "1")
    monkeypatch.setenv("SPEEDMETAL_CACHE_DIR", str(folder))


def measure_in(folder: Path) -> Measure:
    """Measures one case on NumPy, in a file of its own; who was measured, and the records."""
    runs = iter(range(100))

    def make(**options: object) -> tuple[list[str], Records]:
        observer = Listening()
        options = {"sessions": 1} | options
        names = options.pop("names", ["HONEST"])
        records = measure(folder / f"{next(runs)}.jsonl", [RELU], names, observer, **options)
        return observer.measured, records

    return make


@pytest.fixture
def run(tmp_path: Path) -> Measure:
    return measure_in(tmp_path)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    folder = tmp_path / "cache"
    use_cache(folder, monkeypatch)
    return folder


class First(NamedTuple):
    """A run that found nothing in the cache, and what it left there."""

    measured: list[str]
    records: Records
    cache: Path


@pytest.fixture(scope="module")
def only_first(tmp_path_factory: pytest.TempPathFactory) -> First:
    """The first run, made once for all that begin with it."""
    folder = tmp_path_factory.mktemp("first")
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_cache(folder / "cache", monkeypatch)
        return First(*measure_in(folder)(), folder / "cache")


@pytest.fixture
def first(only_first: First, cache: Path) -> First:
    """The first run, with a copy of its rates in the test's own cache."""
    return only_first._replace(cache=shutil.copytree(only_first.cache, cache, dirs_exist_ok=True))


HONEST, PLAIN = "planted:HONEST:cpu:eager", device_ceilings.PLAIN


def ceilings(records: Records) -> dict[str, object]:
    (record,) = records.ceilings
    return {
        name: getattr(record, name)
        for name in CeilingRecord.__struct_fields__
        if name not in ("run_id", "environment")
    }


def told(records: Records) -> list[str]:
    return [finding.message for finding in records.findings if finding.kind == "ceilings"]


def test_another_run_measures_nothing_again(run: Measure, first: First) -> None:
    """Proves that a second run takes over every rate and the time at which it was measured."""
    assert first.measured == [HONEST, PLAIN]
    measured, second = run()
    assert measured == []
    assert ceilings(second) == ceilings(first.records)
    assert len(first.records.ceilings[0].copy) == 3


@pytest.mark.usefixtures("first")
def test_who_is_new_is_measured(run: Measure) -> None:
    """Proves that rates are kept by contender: one more costs only its own."""
    measured, _ = run(names=["HONEST", "SLOW_CELL"])
    assert measured == ["planted:SLOW_CELL:cpu:eager"]


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize(
    "options",
    [
        {"fresh_ceilings": True},
        {"settings": Settings(1, "ieee", "kept")},
    ],
    ids=["fresh", "memory"],
)
def test_kept_rates_are_of_the_same_terms(run: Measure, options: dict[str, object]) -> None:
    """Proves that another memory policy has rates of its own, and that fresh ones can be had."""
    assert run(**options)[0] == [HONEST, PLAIN]


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize(
    ("function", "value"), [("platform.node", "another"), ("sys.prefix", "/another")]
)
def test_rates_of_another_place_are_not_trusted(
    run: Measure, monkeypatch: pytest.MonkeyPatch, function: str, value: str
) -> None:
    """Proves that neither another machine with the same home folder nor another Python
    environment takes them over."""
    replacement = (lambda: value) if function == "platform.node" else value
    monkeypatch.setattr(f"speedmetal.bench.runner.kept_rates.{function}", replacement)
    assert run()[0] == [HONEST, PLAIN]


@pytest.mark.usefixtures("first")
def test_rates_are_kept_for_a_day(run: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that old rates are measured anew, and those from the future as well."""
    now = kept_rates.time.time()
    for moment in (now + kept_rates.KEPT_SECONDS + 1, now - 3600):
        monkeypatch.setattr(kept_rates.time, "time", lambda moment=moment: moment)
        assert run()[0] == [HONEST, PLAIN]


def test_damaged_rates_are_measured_anew(run: Measure, first: First) -> None:
    """Proves that a cache file that was altered is no fault."""
    for path in first.cache.iterdir():
        path.write_bytes(path.read_bytes()[:-3])
    assert run()[0] == [HONEST, PLAIN]


def test_no_cache_is_no_fault(run: Measure, first: First, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that a run without the cache measures its rates, and neither reads nor keeps any."""
    kept = {path.name: path.read_bytes() for path in first.cache.iterdir()}
    monkeypatch.setenv("SPEEDMETAL_CACHE", "0")
    assert run()[0] == [HONEST, PLAIN]
    assert {path.name: path.read_bytes() for path in first.cache.iterdir()} == kept != {}


def test_ceilings_shrink_with_the_budget(run: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves that a budget which pays for little leaves the rates of large arrays out and says
    which, and that the next run measures them alone."""
    with monkeypatch.context() as patch:
        patch.setattr(Budget, "CEILING_SHARE", 0.0)
        measured, short = run(budget_seconds=60.0)
    assert measured == [HONEST, PLAIN]
    assert [len(record.copy) for record in short.ceilings] == [1]
    (message,) = told(short)
    assert message == (
        "the budget of 60 s leaves 0 s (0%) for this machine's ceilings; not measured:"
        f" {HONEST}: 1 MiB, 16 MiB, products of float32; {PLAIN}: 1 MiB, 16 MiB. Shares of ceilings"
        " lack them; the next run goes on with them, a longer --budget measures all at once"
    )
    measured, whole = run()
    assert measured == [HONEST, PLAIN]
    assert [len(record.copy) for record in whole.ceilings] == [3]
    assert not told(whole)


def test_rates_that_a_result_beats_are_not_kept(
    run: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves that what was measured on a busy machine does not spoil a whole day."""
    with monkeypatch.context() as patch:
        patch.setattr(compare, "CEILING_SLACK", 0.0)  # every result is beyond the ceilings
        _, beaten = run()
    assert beaten.cases[0].status is Status.IMPLAUSIBLE
    assert "are faster than the rates measured here" in told(beaten)[-1]
    assert run()[0] == [HONEST, PLAIN]
