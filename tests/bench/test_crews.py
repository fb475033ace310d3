"""Cases that are prepared at once, by crews of workers, and measured one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_run import Silent, case_of, last_records, measure

from speedmetal.bench.record import Status
from speedmetal.bench.runner import run as run_module
from speedmetal.bench.runner.process import WorkerFailedError, WorkerProcess
from speedmetal.bench.runner.protocol import (
    Finish,
    MakeDataset,
    MeasureCeilings,
    Prepare,
    Request,
    Sample,
    Settle,
)
from speedmetal.bench.runner.run import Crew

CASES = [case_of("relu", shape=[n, 64]) for n in (8, 16, 32, 64)]
TIMED = (Settle, Sample, MeasureCeilings)
BARRIER_SECONDS = 60.0


class Requests:
    """Everything that is asked of workers, in order, and how much is asked for at each moment."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[Request] = []
        self.beside_timed: list[Request] = []
        self.most_proofs = 0
        self.before: Callable[[Request], None] = lambda _: None
        self._lock = threading.Lock()
        self._open: list[Request] = []
        ask = WorkerProcess.ask

        def noted(worker: WorkerProcess, request: Any, *rest: Any) -> Any:
            with self._lock:
                self.asked.append(request)
                self._open.append(request)
                proofs = sum(isinstance(r, Prepare) for r in self._open)
                self.most_proofs = max(self.most_proofs, proofs)
                if len(self._open) > 1 and any(isinstance(r, TIMED) for r in self._open):
                    self.beside_timed.append(request)
            try:
                self.before(request)
                return ask(worker, request, *rest)
            finally:
                with self._lock:
                    self._open.remove(request)

        monkeypatch.setattr(WorkerProcess, "ask", noted)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Requests:
    return Requests(monkeypatch)


def test_two_cases_are_prepared_at_once_and_nothing_beside_a_timed_request(
    tmp_path: Path, requests: Requests
) -> None:
    """Proves that a crew's first request for data waits for the other crew's in vain only where
    cases are prepared one by one, and that no request is open beside one that is timed."""
    barrier = threading.Barrier(2)

    def before(request: Request) -> None:
        if isinstance(request, MakeDataset) and request.seed % 1000 == 1:
            barrier.wait(BARRIER_SECONDS)

    requests.before = before
    records = measure(tmp_path / "run.jsonl", CASES, ["HONEST", "numpy"], crews=2)
    assert [r.status for r in records.cases] == [Status.OK] * 8
    assert requests.beside_timed == []
    assert records.runs[0].settings["crews"] == 2


def test_the_cases_of_a_batch_are_measured_one_after_the_other(
    tmp_path: Path, requests: Requests
) -> None:
    """Proves that all of a batch is prepared before the first sample, and that each case is settled
    right before its own samples, by the same workers."""
    measure(tmp_path / "run.jsonl", CASES[:2], ["numpy"], crews=2)
    kinds = [type(r) for r in requests.asked if not isinstance(r, MeasureCeilings | MakeDataset)]
    order = [kind for i, kind in enumerate(kinds) if i == 0 or kinds[i - 1] is not kind]
    assert order == [Prepare, Settle, Sample, Finish, Settle, Sample, Finish]
    assert kinds.count(Prepare) == kinds.count(Settle) == 4  # each worker has its control


def test_workers_prove_at_once_as_many_as_a_card_serves_well(
    tmp_path: Path, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves that the limit is of all crews together: with a limit of one nobody proves beside
    anybody, and all cases are proved all the same."""
    monkeypatch.setattr(run_module, "PROOFS_AT_ONCE", 1)
    records = measure(tmp_path / "run.jsonl", CASES[:2], ["HONEST", "numpy"], crews=2)
    assert [r.status for r in records.cases] == [Status.OK] * 4
    assert requests.most_proofs == 1


def test_one_crew_prepares_one_case_at_a_time(tmp_path: Path, requests: Requests) -> None:
    """Proves that contenders on processors have them for themselves in their proofs too."""
    measure(tmp_path / "run.jsonl", CASES[:2], ["HONEST", "numpy"])
    kinds = [type(r) for r in requests.asked if isinstance(r, MakeDataset | Sample)]
    order = [kind for i, kind in enumerate(kinds) if i == 0 or kinds[i - 1] is not kind]
    assert order == [MakeDataset, Sample, MakeDataset, Sample]


def test_a_fault_in_one_case_leaves_those_beside_it(tmp_path: Path) -> None:
    """Proves that each of several cases has its own records where one contender is wrong."""
    records = measure(tmp_path / "run.jsonl", CASES, ["CONSTANT", "numpy"], crews=4)
    found = last_records(records)
    for case in CASES:
        assert found[case.label, "numpy"].status is Status.OK
        assert found[case.label, "CONSTANT"].status is Status.WRONG


def test_an_interruption_ends_the_workers_of_all_crews(
    tmp_path: Path, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proves that a run that is stopped while cases are prepared waits for no worker, starts none
    again, and passes the interruption on."""
    abandoned: list[WorkerProcess] = []
    abandon = WorkerProcess.abandon

    def noted(worker: WorkerProcess) -> None:
        abandoned.append(worker)
        abandon(worker)

    def interrupt(request: Request) -> None:
        if isinstance(request, Prepare):
            raise KeyboardInterrupt

    monkeypatch.setattr(WorkerProcess, "abandon", noted)
    requests.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        measure(tmp_path / "run.jsonl", CASES[:2], ["numpy"], observer=Silent(), crews=2)
    assert len(abandoned) == 2 * len(Crew.__dataclass_fields__)
    with pytest.raises(WorkerFailedError, match="stopped"):
        abandoned[0].start()
