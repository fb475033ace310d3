"""One case on all contenders: data, groups, proofs, rounds, records.

A case is prepared first, and then measured. While it is prepared nothing is timed, so that other
cases may be prepared at the same time, by other workers; it is measured alone.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from speedmetal.bench import environment
from speedmetal.bench.compare import ceiling_share, seconds_per_call
from speedmetal.bench.measure.statistics import LEAST_ROUNDS
from speedmetal.bench.operations import OPERATIONS
from speedmetal.bench.record import (
    CaseRecord,
    CaseSpec,
    CeilingRecord,
    Check,
    Conditions,
    Contender,
    Energy,
    Memory,
    Status,
    Timing,
)
from speedmetal.bench.runner import plan, terms
from speedmetal.bench.runner.card_watch import CardWatch
from speedmetal.bench.runner.cards import Cards
from speedmetal.bench.runner.datasets import KeptDatasets
from speedmetal.bench.runner.placement import Placement
from speedmetal.bench.runner.process import WorkerFailedError, WorkerProcess
from speedmetal.bench.runner.protocol import (
    Dataset,
    DatasetMade,
    Finish,
    Finished,
    MakeDataset,
    Prepare,
    Prepared,
    Settle,
)
from speedmetal.bench.runner.rounds import (
    CONTROL_BELOW_SECONDS,
    LEAST_SAMPLES,
    MOST_CALLS,
    Precision,
    Sampling,
    Series,
)
from speedmetal.bench.runner.timing import timing_of, waits
from speedmetal.bench.suites import ITEMSIZE, reason_against

FIRST_SEED, SECOND_SEED, STRESS_SEED = 1, 2, 3
# Where the reference costs more than this, the second seed's result is only required to differ.
REFERENCE_FLOPS, REFERENCE_ELEMENTS = 2e10, 1 << 27
INPUT_SETS = 2  # of each contender, where there is memory for them
# Hard inputs are one more reference, and one more result to compare.
STRESS_FLOPS, STRESS_ELEMENTS = 1e9, 1 << 24
DATA_SECONDS = 600.0
FINISH_SECONDS = 60.0
LEAST_PROOF_SECONDS = 20.0  # beside others, however little of the budget is left
SAMPLE_NANOSECONDS = {"cpu": 1_000_000}
GPU_SAMPLE_NANOSECONDS = 5_000_000
MOST_COLD_CALLS = 16  # of a sample, where the card's cache is written over before each


@dataclass(frozen=True)
class Measuring:
    """How every case of a run is measured."""

    run_id: str
    session: int
    environment: str
    timing_mode: str
    cache: str
    memory: str
    precision: Precision
    placement: Placement
    scratch: Path
    memory_scratch: Path | None  # a folder in memory, where the system has such
    cache_bytes: int
    kept: KeptDatasets
    seed: int = 0
    l2: str = "warm"  # of cards; of processors there is none to choose
    cards: Cards = field(default_factory=Cards)
    energy_seconds: float = 0.0


@dataclass
class _Proved:
    """A group whose values were proved: who goes on, and the records of those who do not."""

    group: str
    series: list[Series] = field(default_factory=list)
    records: list[CaseRecord] = field(default_factory=list)
    failed: list[Series] = field(default_factory=list)

    def add(self, series: Sequence[Series], record: CaseRecord | None) -> None:
        self.series += series
        self.records += [record] if record is not None else []


@dataclass
class CaseMeasurement:
    """Prepares one case and measures it; :meth:`measure` returns one record per contender.

    Args:
        measuring: The run's settings.
        case: What to compute.
        number: The case's number in the run.
        workers: By contender key.
        control: A second worker of the contender of that key: the A/A control. None without.
        reference: The worker that makes data.
        ceilings: By place; empty before they are known.
        budget: The run's time.
        proofs: Holds how many workers may prove values at once, of this case and of others; None
            where they do so one after the other.
        on_phase: Told what is going on, for the progress display.
    """

    measuring: Measuring
    case: CaseSpec
    number: int
    workers: Mapping[str, WorkerProcess]
    control: tuple[str, WorkerProcess] | None
    reference: WorkerProcess
    ceilings: Mapping[str, CeilingRecord]
    budget: plan.Budget
    proofs: threading.Semaphore | None = None
    on_phase: Callable[[str], None] = lambda _: None
    is_interrupted: bool = False  # the records are whole, and the run ends with them

    def prepare(self, contenders: Sequence[Contender]) -> None:
        """Make the data and prove the values; other cases may be prepared meanwhile."""
        self._contenders = contenders
        self._datasets: tuple[Dataset, ...] = ()
        self._groups: list[list[Contender]] = []
        self._records: list[CaseRecord] = []
        undefined = reason_against(self.case)
        if undefined:
            self._records = [self._record(c, Status.UNSUPPORTED, undefined) for c in contenders]
            return
        self._tell_alone("making inputs and reference")
        try:
            self._datasets = self._make_data()
        except WorkerFailedError as error:
            reason = f"inputs and reference could not be made: {error.reason}"
            self._records = [self._record(c, error.status, reason) for c in contenders]
            return
        self._plan_groups()
        if self._groups:
            self._proved = self._prove(self._groups[0])

    def _tell_alone(self, text: str) -> None:
        """Tell a step of the preparation, unless others are told of at the same time."""
        if self.proofs is None:
            self.on_phase(text)

    def measure(self, until: float) -> list[CaseRecord]:
        """Take the samples of the prepared case, alone on the machine; a record per contender.

        Args:
            until: When its share of the budget ends, by the monotonic clock.
        """
        try:
            for index, group in enumerate(self._groups):
                self._records += self._measure_group(index, group, until)
        finally:
            if self._datasets:
                self.measuring.kept.keep_or_remove(self.case.key, self._datasets)
        order = {c.key: i for i, c in enumerate(self._contenders)}
        return sorted(self._records, key=lambda record: order[record.contender.key])

    def _measure_group(
        self, index: int, group: Sequence[Contender], until: float
    ) -> list[CaseRecord]:
        if self.is_interrupted:
            reason = "stopped by the user"
            return skipped(self.measuring, self.case, self.number, group, reason)
        share = (until - time.monotonic()) / (len(self._groups) - index)
        start = time.monotonic()
        proved = self._proved if index == 0 else self._prove(group)
        return self._run_group(group, proved, start + share)

    # -- data --------------------------------------------------------------------------------

    def _make_data(self) -> tuple[Dataset, ...]:
        """The two datasets of the samples, and a third of hard inputs where it is worth it."""
        kept = self.measuring.kept.find(self.case.key)
        if kept is not None:
            return kept
        self._data_folder = self._choose_data_folder()
        try:
            return self._make_datasets()
        except WorkerFailedError:
            if self._data_folder == self.measuring.scratch:
                raise
            self._data_folder = self.measuring.scratch  # memory was less plentiful than it seemed
            return self._make_datasets()

    def _make_datasets(self) -> tuple[Dataset, ...]:
        data = self._make_dataset(FIRST_SEED, reference=True)
        outputs = sum(int(np.prod(f.shape)) for f in data.outputs)
        cheap = self.case.flops < REFERENCE_FLOPS and outputs < REFERENCE_ELEMENTS
        second = self._make_dataset(SECOND_SEED, reference=cheap)
        if not deserves_stress(self.case, outputs):
            return data, second
        return data, second, self._make_dataset(STRESS_SEED, reference=True, stress=True)

    def _make_dataset(self, seed: int, *, reference: bool, stress: bool = False) -> Dataset:
        request = MakeDataset(
            self.case,
            self.measuring.seed * 1000 + seed,
            str(self._data_folder),
            reference,
            stress,
        )
        return self.reference.ask(request, DatasetMade, DATA_SECONDS).dataset

    def _choose_data_folder(self) -> Path:
        """Memory where it is plentiful, else the disk.

        Writing a large reference to a disk can take longer than computing it.
        """
        memory = self.measuring.memory_scratch
        needed = self.case.bytes_minimum
        if (
            memory is not None
            and shutil.disk_usage(memory).free > 2 * needed
            and environment.available_memory_bytes() > 4 * needed
        ):
            return memory
        return self.measuring.scratch

    # -- cohorts -----------------------------------------------------------------------------

    def _plan_groups(self) -> None:
        """Who is sampled in common rounds, by the memory that there is."""
        contenders, size = self._contenders, ITEMSIZE[self.case.dtype]
        data = self._datasets[0]
        inputs, outputs = plan.input_bytes(data, size), plan.output_bytes(data, size)
        available = environment.available_memory_bytes()
        self._input_sets = INPUT_SETS
        self._groups = plan.cohorts(contenders, INPUT_SETS * inputs, outputs, available)
        if len(self._groups) > 1:  # rounds in common are worth more than a second set of inputs
            self._input_sets = 1
            self._groups = plan.cohorts(contenders, inputs, outputs, available)
        self._notes: list[str] = []
        if len(self._groups) > 1:
            self._notes.append(
                f"memory: {available / 2**30:.1f} GiB available did not hold all"
                f" {len(contenders)} workers ({inputs / 2**30:.2f} GiB of inputs each,"
                f" {outputs / 2**30:.2f} GiB of outputs); {len(self._groups)} groups stood in turn"
            )

    # -- proofs ------------------------------------------------------------------------------

    def _prove(self, contenders: Sequence[Contender]) -> _Proved:
        """Prove the values of a group: one contender after the other, or all at once."""
        proved = _Proved(uuid.uuid4().hex[:12])
        if self.proofs is None:
            for contender in contenders:
                self._tell_alone(f"proving {contender.key}")
                proved.add(*self._prepare_contender(contender, proved.group))
        else:
            with ThreadPoolExecutor(max(1, len(contenders))) as pool:
                for found in pool.map(
                    lambda one: self._prepare_contender(one, proved.group), contenders
                ):
                    proved.add(*found)
        return proved

    def _prepare_contender(
        self, contender: Contender, group: str
    ) -> tuple[list[Series], CaseRecord | None]:
        """A contender and, where it is the one of whom there are two, its second process."""
        one, record = self._prepare_worker(self.workers[contender.key], contender, group)
        if one is None:
            return [], record
        one.notes += self._notes
        is_slow = one.turn_seconds > CONTROL_BELOW_SECONDS
        if self.control is None or contender.key != self.control[0] or is_slow:
            return [one], record
        self._tell_alone(f"proving a second process of {contender.key}")
        twin, _ = self._prepare_worker(self.control[1], contender, group)
        if twin is None:
            return [one], record
        twin.control_of = one
        return [one, twin], record

    def _settle(self, proved: _Proved) -> None:
        """End the proofs with what is told by time; who fails has a record, and no series."""
        for one in proved.series:
            self.on_phase(f"warming up {one.contender.key}")
            start = time.monotonic()
            try:
                prepared = one.worker.ask(Settle(), Prepared, max(1.0, one.account.left_seconds))
            except WorkerFailedError as error:
                self._drop(proved, one, self._status_of(error, one.account), error.reason)
                continue
            one.account.used_seconds += time.monotonic() - start
            if prepared.status != Status.OK:
                self._drop(proved, one, Status(prepared.status), prepared.reason, prepared.check)
            one.prepared = prepared
        gone = {id(one) for one in proved.failed}
        for twin in [s for s in proved.series if id(s.control_of) in gone and id(s) not in gone]:
            gone.add(id(twin))
            with contextlib.suppress(WorkerFailedError):
                twin.worker.ask(Finish(), Finished, FINISH_SECONDS)
        proved.series = [one for one in proved.series if id(one) not in gone]

    def _drop(
        self,
        proved: _Proved,
        one: Series,
        status: Status,
        reason: str,
        check: Check | None = None,
    ) -> None:
        proved.failed.append(one)
        if one.control_of is None:
            record = self._record(one.contender, status, reason, group=proved.group)
            proved.records.append(replace(record, check=check))

    @staticmethod
    def _status_of(error: WorkerFailedError, account: plan.TimeAccount) -> Status:
        return account.status if error.status is Status.TIMEOUT else error.status

    # -- rounds ------------------------------------------------------------------------------

    def _run_group(
        self, contenders: Sequence[Contender], proved: _Proved, until: float
    ) -> list[CaseRecord]:
        before = environment.read_conditions()
        watches = {c.key: self._watch(c) for c in contenders}
        cards_before = {c.key: watches[c.key].state() for c in contenders}
        self._settle(proved)
        group, series, records = proved.group, proved.series, proved.records
        for one in series:
            if one.control_of is None:
                one.watch = watches[one.contender.key]
        target = max((_sample_nanoseconds(c.device) for c in contenders), default=0)
        sampling = Sampling(
            series=series,
            precision=self.measuring.precision,
            placement=self.measuring.placement,
            target_nanoseconds=target,
            generator=np.random.default_rng(
                [self.measuring.seed, self.number, self.measuring.session]
            ),
            on_round=lambda n: self.on_phase(f"round {n}"),
            most_calls=MOST_COLD_CALLS if self.measuring.l2 == "cold" else MOST_CALLS,
        )
        try:
            sampling.run(max(0.0, until - time.monotonic()))
        except KeyboardInterrupt:
            if not self._stop_with_enough(series):
                raise
        conditions = environment.conditions_between(
            before, environment.read_conditions(), environment.yardsticks()
        )
        controls = {id(one.control_of): one for one in series if one.control_of is not None}
        records += [
            self._finish(
                one,
                controls.get(id(one)),
                group,
                replace(
                    conditions,
                    card_before=cards_before[one.contender.key],
                    card_after=one.watch.state(),
                ),
            )
            for one in series
            if one.control_of is None
        ]
        return records

    def _watch(self, contender: Contender) -> CardWatch:
        return CardWatch(self.measuring.cards.managed_card(contender.card))

    def _stop_with_enough(self, series: Sequence[Series]) -> bool:
        """Whether an interrupted case keeps its samples: there are enough for a verdict.

        Workers are in the middle of a turn then, and are asked for nothing more.
        """
        standing = [one for one in series if one.failure is None]
        if any(one.wants_more() and len(one.rounds) < LEAST_ROUNDS for one in standing):
            return False
        self.is_interrupted = True
        for one in standing:
            one.end_with_whole_rounds()
            one.notes.append(f"stopped by the user after {len(one.rounds)} rounds")
        return True

    # -- one contender -----------------------------------------------------------------------

    def _prepare_worker(
        self,
        worker: WorkerProcess,
        contender: Contender,
        group: str,
    ) -> tuple[Series | None, CaseRecord | None]:
        account = self.budget.account(1.0 if self.proofs is None else LEAST_PROOF_SECONDS)
        data, second, *stress = self._datasets
        request = Prepare(
            case=self.case,
            data=data,
            second=second,
            stress=stress[0] if stress else None,
            input_sets=self._input_sets,
            timing_mode=self.measuring.timing_mode,
            cache=self.measuring.cache,
            cache_bytes=self._cache_bytes(contender),
            l2=self._l2(contender),
        )
        start = time.monotonic()
        try:
            worker.start()  # not charged to the case: it is the last failure's cost
            with self.proofs or contextlib.nullcontext():
                start = time.monotonic()
                prepared = worker.ask(request, Prepared, account.limit_seconds)
        except WorkerFailedError as error:
            status = self._status_of(error, account)
            return None, self._record(contender, status, error.reason, group=group)
        account.used_seconds = time.monotonic() - start
        if prepared.status != Status.OK:
            status = Status(prepared.status)
            record = self._record(contender, status, prepared.reason, group=group)
            return None, replace(record, check=prepared.check)
        return Series(contender, worker, account, prepared), None

    def _cache_bytes(self, contender: Contender) -> int:
        """Of the card where there is one, and of the machine where there is none."""
        if contender.card:
            return self.measuring.cards.cache_bytes(contender.card)
        return self.measuring.cache_bytes

    def _l2(self, contender: Contender) -> str:
        return self.measuring.l2 if contender.card else ""

    def _finish(
        self, one: Series, control: Series | None, group: str, conditions: Conditions
    ) -> CaseRecord:
        energy = self._energy(one)
        memory = self._end(one)
        if control is not None:
            self._end(control)
        status, reason = self._status(one)
        record = self._record(one.contender, status, reason, group=group)
        timing = self._timing(one, control) if status.has_time else None
        record = replace(
            record,
            check=one.prepared.check,
            timing=timing,
            memory=memory,
            conditions=conditions,
            energy=energy,
            throttling=one.watch.throttling,
            notes=[*one.notes, *one.prepared.notes, *self._remarks(one)],
        )
        return self._gate(record)

    def _energy(self, one: Series) -> Energy | None:
        """What its calls take of the card's energy, where that is asked for and told."""
        seconds = self.measuring.energy_seconds
        if not seconds or self.is_interrupted or one.failure is not None:
            return None
        self.on_phase(f"reading the energy of {one.contender.key}")
        try:
            return one.watch.energy_of(one.worker, seconds)
        except WorkerFailedError as error:
            one.notes.append(f"its energy is not known: {error.reason}")
            return None

    def _end(self, one: Series) -> Memory | None:
        """Let the worker forget the case, after a last look at its results."""
        if not self.is_interrupted and (one.failure is None or one.failure.is_alive):
            request = Finish(verify=one.failure is None and one.wakes)
            with contextlib.suppress(WorkerFailedError):  # its samples are good all the same
                finished = one.worker.ask(request, Finished, FINISH_SECONDS)
                if finished.failure:
                    one.fail(Status.WRONG, finished.failure)
                return finished.memory
        return None

    def _status(self, one: Series) -> tuple[Status, str]:
        enough = len(one.samples) >= LEAST_SAMPLES
        if one.failure is not None and not (one.failure.status is Status.TIMEOUT and enough):
            return one.failure.status, one.failure.reason
        if not enough:
            return Status.SKIPPED, f"only {len(one.samples)} samples fitted into the budget"
        clock = terms.wrong_clock(one.turns)
        if clock:
            return Status.IMPLAUSIBLE, clock
        breach = terms.breach(one.turns)
        if breach:
            return Status.UNFAIR, breach
        return Status.OK, ""

    def _remarks(self, one: Series) -> list[str]:
        """What a reader should know of how it was sampled."""
        remarks = [terms.lateness(one.turns), waits(one.samples)]
        # The caller waits for its pool, and is not counted where it does nothing else.
        if one.prepared.busy_threads > self.measuring.placement.threads + 1:
            remarks.append(
                f"{one.prepared.busy_threads} of its threads compute, where"
                f" {self.measuring.placement.threads} are allowed"
            )
        return [remark for remark in remarks if remark]

    def _timing(self, one: Series, control: Series | None) -> Timing:
        measuring = self.measuring
        return timing_of(
            one,
            control,
            mode=measuring.timing_mode,
            cache=measuring.cache,
            memory=measuring.memory,
            l2=self._l2(one.contender),
        )

    def _gate(self, record: CaseRecord) -> CaseRecord:
        """A time that the machine cannot reach is no result."""
        ceilings = self.ceilings.get(record.contender.place)
        if record.timing is None or ceilings is None:
            return record
        measured = float(np.median(seconds_per_call(record.timing)))
        share = ceiling_share(record, ceilings, measured)
        if share.plausible:
            return record
        return replace(
            record,
            status=Status.IMPLAUSIBLE,
            reason=f"{measured:.3g} s is less than this work takes at the highest rates measured"
            f" here ({share.seconds:.3g} s, bound by {share.bound})",
        )

    def _record(
        self, contender: Contender, status: Status, reason: str, *, group: str = ""
    ) -> CaseRecord:
        record = _bare_record(self.measuring, self.case, self.number, contender, status, reason)
        return replace(record, group=group) if group else record


def skipped(
    measuring: Measuring,
    case: CaseSpec,
    number: int,
    contenders: Iterable[Contender],
    reason: str,
) -> list[CaseRecord]:
    """Records of a case that is not attempted."""
    return [_bare_record(measuring, case, number, c, Status.SKIPPED, reason) for c in contenders]


def _bare_record(
    measuring: Measuring,
    case: CaseSpec,
    number: int,
    contender: Contender,
    status: Status,
    reason: str,
) -> CaseRecord:
    """A record with nothing but its status, in a group of its own."""
    return CaseRecord(
        run_id=measuring.run_id,
        session=measuring.session,
        time_utc=utc_now(),
        case=case,
        contender=contender,
        environment=measuring.environment,
        group=uuid.uuid4().hex[:12],
        number=number,
        status=status,
        reason=reason,
    )


def deserves_stress(case: CaseSpec, outputs: int) -> bool:
    """Whether the case is proved on hard inputs too: its operation has such, and they are cheap."""
    operation = OPERATIONS[case.operation]
    return (
        case.direction == "forward"
        and (operation.stress is not None or operation.nan_propagates)
        and case.flops < STRESS_FLOPS
        and outputs < STRESS_ELEMENTS
    )


def _sample_nanoseconds(device: str) -> int:
    return SAMPLE_NANOSECONDS.get(device, GPU_SAMPLE_NANOSECONDS)


def utc_now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return utc_of(time.time())


def utc_of(seconds: float) -> str:
    """A time in seconds since 1970 in UTC, ISO 8601, to the second."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
