"""A case's contenders, timed in rounds of random order, and their ratios."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from side_by_side.cases import Case
from side_by_side.contender import Contender, Kind, contender_of
from side_by_side.worker import Worker, WorkerFailedError, store
from speedmetal.bench.measure.calibrate import calls_for
from speedmetal.bench.measure.statistics import Ratio, Summary, paired_ratio, summarise

SAMPLE_NANOSECONDS = 10_000_000
LEAST_SAMPLES = 3
SEED = 20240531
WAKE_BELOW_SECONDS = 0.1  # a longer call wakes threads and fills caches by itself
REST_SECONDS = 2e-3  # other frameworks' threads fall asleep


@dataclass(frozen=True)
class Effort:
    """Rounds of a case at most, and seconds of sampling."""

    rounds: int = 40
    seconds: float = 9.0


@dataclass
class Entry:
    """A contender of a case, with its samples as they come in."""

    contender: Contender
    worker: Worker
    first_seconds: float = 0.0
    call_seconds: float = 0.0
    seconds: dict[int, float] = field(default_factory=dict)  # round -> seconds of a call
    failure: str = ""

    @property
    def calls(self) -> int:
        return calls_for(SAMPLE_NANOSECONDS, self.call_seconds)

    @property
    def turn_seconds(self) -> float:
        return (self.calls + self.wake_calls) * self.call_seconds + REST_SECONDS

    @property
    def wake_calls(self) -> int:
        """Calls before a sample that are not timed."""
        return 1 if self.call_seconds < WAKE_BELOW_SECONDS else 0

    @property
    def is_measured(self) -> bool:
        return not self.failure and bool(self.seconds)

    def summary(self) -> Summary:
        """Median and interval of the samples, in seconds a call."""
        return summarise(list(self.seconds.values()))


def prepare(entry: Entry) -> None:
    """Build and prove a contender; a failure is noted."""
    try:
        times = entry.worker.ask("prepare", entry.contender.variant_key)
    except WorkerFailedError as error:
        entry.failure = str(error)
    else:
        entry.first_seconds, entry.call_seconds = times


def measure_case(
    case: Case, workers: Sequence[Worker], effort: Effort, scratch: Path
) -> list[Entry]:
    """Prepare, prove and time all contenders of a case.

    Args:
        case: Which one.
        workers: The frameworks' processes.
        effort: Of the sampling.
        scratch: An empty folder, for the inputs and the reference.
    """
    print(f"{case.name}:", end=" ", flush=True, file=sys.stderr)
    start = time.perf_counter()
    generator = np.random.default_rng(SEED)
    inputs = case.inputs(generator)
    store(scratch, inputs, case.reference(inputs))
    entries = [entry for worker in workers for entry in entries_of(case, worker, scratch)]
    prepared = time.perf_counter()
    sample(entries, effort, generator)
    print(
        f"{prepared - start:.0f} s to prepare, {time.perf_counter() - prepared:.0f} s of samples",
        file=sys.stderr,
    )
    return entries


def entries_of(case: Case, worker: Worker, scratch: Path) -> list[Entry]:
    """A framework's contenders of a case, prepared; or one that says why there are none."""
    try:
        variants = worker.ask("variants", case.name)
        worker.ask("begin", case.name, str(scratch))
    except WorkerFailedError as error:
        return [Entry(contender_of(worker.framework, ""), worker, failure=str(error))]
    entries = []
    for variant, missing in variants.items():
        entry = Entry(contender_of(worker.framework, variant), worker, failure=missing)
        if not missing:
            prepare(entry)
        entries.append(entry)
        if not worker.is_running:
            _begin_again(worker, case, scratch, entries)
    return entries


def _begin_again(worker: Worker, case: Case, scratch: Path, entries: Sequence[Entry]) -> None:
    """After the process has ended a new one takes over, which knows nothing yet."""
    try:
        worker.ask("begin", case.name, str(scratch))
    except WorkerFailedError:
        return
    for entry in entries:
        if not entry.failure:
            prepare(entry)


def sample(entries: Sequence[Entry], effort: Effort, generator: np.random.Generator) -> None:
    """Time all entries that have not failed, then prove their results once more.

    Each round has a random order. A slow contender leaves when its share of the time is used up.
    """
    alive = [entry for entry in entries if not entry.failure]
    share = effort.seconds / max(len(alive), 1)
    quota = {
        id(entry): min(effort.rounds, max(LEAST_SAMPLES, int(share / entry.turn_seconds)))
        for entry in alive
    }
    for number in range(effort.rounds):
        turns = [e for e in alive if not e.failure and number < quota[id(e)]]
        for index in generator.permutation(len(turns)):
            _take(turns[index], number)
    for entry in alive:
        if not entry.failure:
            _ask(entry, "prove")


def _take(entry: Entry, number: int) -> None:
    time.sleep(REST_SECONDS)
    nanoseconds = _ask(entry, "sample", entry.calls, entry.wake_calls)
    if nanoseconds is not None:
        entry.seconds[number] = nanoseconds * 1e-9 / entry.calls


def _ask(entry: Entry, request: str, *arguments: object) -> int | None:
    try:
        answer: int | None = entry.worker.ask(request, entry.contender.variant_key, *arguments)
    except WorkerFailedError as error:
        entry.failure = str(error)
        return None
    return answer


def best(entries: Sequence[Entry], kind: Kind) -> Entry | None:
    """The one of a kind with the least median time."""
    measured = [e for e in entries if e.is_measured and e.contender.kind is kind]
    return min(measured, key=lambda e: e.summary().median, default=None)


def speed_ratio(ours: Entry, other: Entry) -> Ratio:
    """How many times as fast ours is, over the rounds that both took part in."""
    common = sorted(ours.seconds.keys() & other.seconds.keys())
    return paired_ratio([other.seconds[n] for n in common], [ours.seconds[n] for n in common])
