"""Contenders that break the terms of a run, in real runs: found, and no burden to the others."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_run import case_of, last_records, measure

from speedmetal.bench.record import CaseRecord, Status
from speedmetal.bench.runner.rounds import Precision

RELU = case_of("relu", shape=[512, 512])
WRONG_CLOCK = "the clock of its process is wrong"
NO_CLOCK = "the clock of its process stands still or runs backwards"

CLOCKS = {
    "HALF_SPEED_CLOCK": WRONG_CLOCK,
    "FAST_CLOCK": WRONG_CLOCK,
    "STOPPED_CLOCK": NO_CLOCK,
    "REVERSED_CLOCK": NO_CLOCK,
}


def records_of(folder: Path, *names: str, **options: object) -> dict[str, CaseRecord]:
    """One session of honest NumPy and the others, by name."""
    options = {"sessions": 1, **options}
    found = last_records(measure(folder / "records.jsonl", [RELU], ["HONEST", *names], **options))
    assert found[RELU.label, "HONEST"].status is Status.OK, found[RELU.label, "HONEST"].reason
    return {name: record for (_, name), record in found.items()}


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CaseRecord]:
    return records_of(tmp_path_factory.mktemp("clocks"), "PATCHED_TIME", "MANY_THREADS", *CLOCKS)


@pytest.mark.parametrize("name", CLOCKS)
def test_a_wrong_clock_gives_no_time(name: str, together: dict[str, CaseRecord]) -> None:
    """Proves that a contender that replaces the benchmark's clock is implausible, and why."""
    record = together[name]
    assert (record.status, record.timing) == (Status.IMPLAUSIBLE, None)
    assert record.reason.startswith(CLOCKS[name])


def test_another_clock_in_the_module_time_changes_nothing(together: dict[str, CaseRecord]) -> None:
    """Proves that samples are timed by functions that were bound before any framework came: half
    the speed of `time` is no half of a time."""
    patched, honest = together["PATCHED_TIME"].timing, together["HONEST"].timing
    assert together["PATCHED_TIME"].status is Status.OK, together["PATCHED_TIME"].reason
    assert patched is not None
    assert honest is not None
    assert len(patched.samples_nanoseconds) == len(honest.samples_nanoseconds)


def test_who_ends_its_turns_late_is_named_and_pays(tmp_path: Path) -> None:
    """Proves that sleeping after the calls costs the sleeper its own samples, with a note, and not
    those of the others."""
    records = records_of(
        tmp_path,
        "ENDS_LATE",
        budget_seconds=30.0,
        precision=Precision(least_rounds=60, most_rounds=60),
    )
    late, honest = records["ENDS_LATE"], records["HONEST"]
    assert late.status is Status.OK, late.reason
    assert late.timing is not None
    assert honest.timing is not None
    assert any("its turns end 0.2" in note for note in late.notes), late.notes
    assert not any("its turns end" in note for note in honest.notes)
    assert len(late.timing.samples_nanoseconds) < len(honest.timing.samples_nanoseconds)


def test_who_computes_between_its_turns_is_unfair(tmp_path: Path) -> None:
    """Proves that burning the others' cores costs the saboteur its own time."""
    precision = Precision(least_rounds=20, most_rounds=20)
    record = records_of(tmp_path, "SABOTEUR", precision=precision)["SABOTEUR"]
    assert (record.status, record.timing) == (Status.UNFAIR, None)
    assert record.reason.startswith("it computed between its turns, on ")


def test_more_threads_than_allowed_are_noted(together: dict[str, CaseRecord]) -> None:
    """Proves that four computing threads are told where one is allowed."""
    notes = together["MANY_THREADS"].notes
    assert any("of its threads compute, where 1 are allowed" in note for note in notes), notes
    assert not any("threads compute" in note for note in together["HONEST"].notes)
