"""Other work on the machine: told before and after a run where it can decide something."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from speedmetal.bench import environment
from speedmetal.bench.record import CaseRecord, CaseSpec, Contender, Status, Timing
from speedmetal.bench.runner import unrest

SPEC = CaseSpec(
    operation="relu",
    title="ReLU",
    family="elementwise",
    arguments="dim=4",
    parameters={},
    published=False,
    bytes_minimum=32,
    flops=4,
)


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch):
    """A machine of so many processors to choose from, that waits for nothing between two looks."""
    monkeypatch.setattr(unrest, "PAUSE_SECONDS", 0.0)

    def set_to(count: int) -> None:
        monkeypatch.setattr(environment, "equal_processors", lambda _: list(range(count)))

    return set_to


def loads(monkeypatch: pytest.MonkeyPatch, values: Sequence[float | None]) -> None:
    """What is told of other processes, over and over."""
    told = itertools.cycle(values)
    monkeypatch.setattr(environment, "waiting_processes", lambda: next(told))


def case(load: Sequence[float] | None, status: Status = Status.OK) -> CaseRecord:
    """A case's record with the load beside each of its samples; without samples where None."""
    timing = None
    if load is not None:
        timing = Timing(
            mode="latency",
            cache="warm",
            calls_per_sample=1,
            samples_nanoseconds=[1000] * 2,
            rounds=[0, 1],
            positions=[0, 0],
            first_call_nanoseconds=1000,
            load=list(load),
        )
    return CaseRecord(
        run_id="r",
        session=1,
        time_utc="2026-01-02T03:04:05Z",
        environment="e",
        group="g",
        case=SPEC,
        contender=Contender(framework="numpy", device="cpu", mode="eager"),
        status=status,
        timing=timing,
    )


@pytest.mark.parametrize("told", [[0.0], [0.0, 0.0, 1.0], [None]], ids=str)
def test_nothing_is_told_of_a_quiet_machine(
    monkeypatch: pytest.MonkeyPatch, cores, told: list[float | None]
) -> None:
    """Proves it for no load, for a load that comes and goes, and for one that cannot be read."""
    cores(8)
    loads(monkeypatch, told)
    assert unrest.at_start() == ""


@pytest.mark.parametrize(
    ("count", "told", "message"),
    [
        (
            1,
            [1.0],
            "load 1.0 from other processes on 1 core: ratios below 1.3 will hardly be decided",
        ),
        (
            4,
            [2.0, 6.0],
            "load 4.0 from other processes on 4 cores: ratios below 1.3 will hardly be decided",
        ),
        (
            4,
            [0.0, 1.0],
            "load 0.5 from other processes on 4 cores: ratios below 1.1 will hardly be decided",
        ),
        (
            4,
            [18.0],
            "load 18.0 from other processes on 4 cores: ratios below 2.0 will hardly be decided",
        ),
    ],
)
def test_a_loaded_machine_is_told_before_the_run(
    monkeypatch: pytest.MonkeyPatch, cores, count: int, told: list[float | None], message: str
) -> None:
    """Proves the full text: the mean over the looks, the cores, and the ratio that grows with
    their quotient."""
    cores(count)
    loads(monkeypatch, told)
    assert unrest.at_start() == message


def test_cores_are_counted_where_none_can_be_chosen(monkeypatch: pytest.MonkeyPatch, cores) -> None:
    """Proves that a system without affinity has its physical cores, not none."""
    cores(0)
    loads(monkeypatch, [2.0])
    count = environment.read_machine().cores
    assert f" on {count} core" in unrest.at_start()


def test_the_load_of_a_run_is_the_mean_over_its_samples(cores) -> None:
    """Proves the full text from samples of all cases alike, where a case without samples and one
    whose load is not told count for nothing."""
    cores(4)
    records = [case([3.0, 3.0]), case([0.0]), case([]), case(None, Status.CRASH)]
    assert unrest.at_end(records) == (
        "load 2.0 from other processes on 4 cores during the run; its intervals are the wider for"
        " it"
    )


@pytest.mark.parametrize(
    "records", [[], [case(None, Status.CRASH)], [case([])], [case([0.0, 0.9])]]
)
def test_nothing_is_told_after_a_quiet_run(cores, records: list[CaseRecord]) -> None:
    """Proves it for no samples, for no readings, and for a load below the edge."""
    cores(4)
    assert unrest.at_end(records) == ""
