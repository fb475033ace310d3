"""One case on all contenders: data, cohorts, proofs, rounds, records."""

from __future__ import annotations

import contextlib
import shutil
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from speedmetal.bench import environment
from speedmetal.bench.compare import ceiling_share, seconds_per_call
from speedmetal.bench.measure import statistics
from speedmetal.bench.operations import OPERATIONS
from speedmetal.bench.operations.base import Operation
from speedmetal.bench.record import (
    CaseRecord,
    CaseSpec,
    CeilingRecord,
    Conditions,
    Contender,
    Status,
    Timing,
)
from speedmetal.bench.runner import plan
from speedmetal.bench.runner.process import WorkerFailedError, WorkerProcess
from speedmetal.bench.runner.protocol import (
    Dataset,
    DatasetMade,
    Finish,
    Finished,
    MakeDataset,
    Prepare,
    Prepared,
)
from speedmetal.bench.runner.rounds import (
    Precision,
    Series,
    choose_control,
    fail_hopeless,
    is_precise,
    plan_quotas,
    sample_rounds,
)
from speedmetal.bench.suites import ITEMSIZE, reason_against

FIRST_SEED, SECOND_SEED = 1, 2
# Where the reference costs more than this, the second seed's result is only required to differ.
REFERENCE_FLOPS, REFERENCE_ELEMENTS = 2e10, 1 << 27
DATA_SECONDS = 600.0
FINISH_SECONDS = 60.0
SAMPLE_NANOSECONDS = {"cpu": 1_000_000}
GPU_SAMPLE_NANOSECONDS = 5_000_000


@dataclass(frozen=True)
class Measuring:
    """How every case of a run is measured."""

    run_id: str
    session: int
    environment: str
    timing_mode: str
    cache: str
    precision: Precision
    scratch: Path
    memory_scratch: Path | None  # a folder in memory, where the system has such
    cache_bytes: int
    seed: int = 0


@dataclass
class CaseMeasurement:
    """Measures one case; :meth:`run` returns one record per contender.

    Args:
        measuring: The run's settings.
        case: What to compute.
        number: The case's number in the run; the A/A control moves on with it.
        workers: By contender key.
        reference: The worker that makes data.
        ceilings: By device; empty before they are known.
        budget: The run's time.
        cases_left: How many cases share it, this one included.
        on_phase: Told what is going on, for the progress display.
    """

    measuring: Measuring
    case: CaseSpec
    number: int
    workers: Mapping[str, WorkerProcess]
    reference: WorkerProcess
    ceilings: Mapping[str, CeilingRecord]
    budget: plan.Budget
    cases_left: int
    on_phase: Callable[[str], None] = lambda _: None
    _records: list[CaseRecord] = field(default_factory=list)

    def run(self, contenders: Sequence[Contender]) -> list[CaseRecord]:
        """Measure the case on the contenders."""
        self._until = time.monotonic() + self.budget.case_seconds(self.cases_left)
        undefined = reason_against(self.case)
        if undefined:
            return [self._record(c, Status.UNSUPPORTED, undefined) for c in contenders]
        self.on_phase("making inputs and reference")
        try:
            data, second = self._make_data()
        except WorkerFailedError as error:
            reason = f"inputs and reference could not be made: {error.reason}"
            return [self._record(c, error.status, reason) for c in contenders]
        try:
            return self._run_cohorts(contenders, data, second)
        finally:
            _remove_files([data, second])

    def skip(self, contenders: Sequence[Contender], reason: str) -> list[CaseRecord]:
        """Records of a case that is not attempted."""
        return [self._record(c, Status.SKIPPED, reason) for c in contenders]

    # -- data --------------------------------------------------------------------------------

    def _make_data(self) -> tuple[Dataset, Dataset]:
        operation = OPERATIONS[self.case.operation]
        self._data_folder = self._choose_data_folder()
        try:
            return self._make_both_datasets(operation)
        except WorkerFailedError:
            if self._data_folder == self.measuring.scratch:
                raise
            self._data_folder = self.measuring.scratch  # memory was less plentiful than it seemed
            return self._make_both_datasets(operation)

    def _make_both_datasets(self, operation: Operation) -> tuple[Dataset, Dataset]:
        data = self._make_dataset(FIRST_SEED, reference=True, plant_nan=False)
        outputs = sum(int(np.prod(f.shape)) for f in data.outputs)
        cheap = self.case.flops < REFERENCE_FLOPS and outputs < REFERENCE_ELEMENTS
        # A NaN that swallows the whole result would leave nothing to compare.
        plant_nan = operation.nan_propagates and outputs > 1 and cheap
        second = self._make_dataset(
            SECOND_SEED,
            reference=cheap,
            plant_nan=plant_nan and self.case.direction == "forward",
        )
        return data, second

    def _make_dataset(self, seed: int, *, reference: bool, plant_nan: bool) -> Dataset:
        request = MakeDataset(
            self.case,
            self.measuring.seed * 1000 + seed,
            str(self._data_folder),
            reference,
            plant_nan,
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

    def _run_cohorts(
        self, contenders: Sequence[Contender], data: Dataset, second: Dataset
    ) -> list[CaseRecord]:
        size = ITEMSIZE[self.case.dtype]
        inputs, outputs = plan.input_bytes(data, size), plan.output_bytes(data, size)
        available = environment.available_memory_bytes()
        groups = plan.cohorts(contenders, inputs, outputs, available)
        notes = []
        if len(groups) > 1:
            notes.append(
                f"memory: {available / 2**30:.1f} GiB available did not hold all"
                f" {len(contenders)} workers ({inputs / 2**30:.2f} GiB of inputs each,"
                f" {outputs / 2**30:.2f} GiB of outputs); {len(groups)} groups stood in turn"
            )
        records = []
        for index, group in enumerate(groups):
            share = (self._until - time.monotonic()) / (len(groups) - index)
            records += self._run_group(group, data, second, share, notes)
        return records

    def _run_group(
        self,
        contenders: Sequence[Contender],
        data: Dataset,
        second: Dataset,
        share_seconds: float,
        notes: list[str],
    ) -> list[CaseRecord]:
        start = time.monotonic()
        before = environment.read_conditions()
        group = uuid.uuid4().hex[:12]
        series, records = [], []
        for contender in contenders:
            self.on_phase(f"proving {contender.key}")
            one, record = self._prepare(contender, data, second, group)
            if one is not None:
                one.notes += notes
                series.append(one)
            if record is not None:
                records.append(record)
        allowance = max(0.0, share_seconds - (time.monotonic() - start))
        fail_hopeless(series)
        plan_quotas([s for s in series if s.failure is None], allowance, self.measuring.precision)
        generator = np.random.default_rng([self.measuring.seed, self.number])
        sample_rounds(
            series,
            self.measuring.precision,
            allowance,
            generator,
            choose_control(series, self.number),
            lambda n: self.on_phase(f"round {n}"),
        )
        conditions = environment.conditions_between(before, environment.read_conditions())
        records += [self._finish(one, series, group, conditions) for one in series]
        order = {c.key: i for i, c in enumerate(contenders)}
        return sorted(records, key=lambda record: order[record.contender.key])

    # -- one contender -----------------------------------------------------------------------

    def _prepare(
        self, contender: Contender, data: Dataset, second: Dataset, group: str
    ) -> tuple[Series | None, CaseRecord | None]:
        worker = self.workers[contender.key]
        account = self.budget.account()
        request = Prepare(
            case=self.case,
            data=data,
            second=second,
            timing_mode=self.measuring.timing_mode,
            cache=self.measuring.cache,
            target_nanoseconds=SAMPLE_NANOSECONDS.get(contender.device, GPU_SAMPLE_NANOSECONDS),
            cache_bytes=self.measuring.cache_bytes,
        )
        start = time.monotonic()
        try:
            worker.start()  # not charged to the case: it is the last failure's cost
            start = time.monotonic()
            prepared = worker.ask(request, Prepared, account.limit_seconds)
        except WorkerFailedError as error:
            status = account.status if error.status is Status.TIMEOUT else error.status
            return None, self._record(contender, status, error.reason, group=group)
        account.used_seconds = time.monotonic() - start
        if prepared.status != Status.OK:
            status = Status(prepared.status)
            record = self._record(contender, status, prepared.reason, group=group)
            return None, replace(record, check=prepared.check)
        return Series(contender, worker, account, prepared), None

    def _finish(
        self, one: Series, series: Sequence[Series], group: str, conditions: Conditions
    ) -> CaseRecord:
        memory = None
        if one.failure is None or one.failure.is_alive:
            request = Finish(verify=one.failure is None and one.wakes)
            with contextlib.suppress(WorkerFailedError):  # its samples are good all the same
                finished = one.worker.ask(request, Finished, FINISH_SECONDS)
                memory = finished.memory
                if not finished.verified:
                    one.fail_verification()
        status, reason = self._status(one, series)
        record = self._record(one.contender, status, reason, group=group)
        timing = self._timing(one, converged=status is Status.OK) if status.has_time else None
        record = replace(
            record,
            check=one.prepared.check,
            timing=timing,
            memory=memory,
            conditions=conditions,
            notes=[*one.notes, *one.prepared.notes],
        )
        return self._gate(record)

    def _status(self, one: Series, series: Sequence[Series]) -> tuple[Status, str]:
        enough = len(one.nanoseconds) >= 3
        if one.failure is not None and not (one.failure.status is Status.TIMEOUT and enough):
            return one.failure.status, one.failure.reason
        if not enough:
            return Status.SKIPPED, f"only {len(one.nanoseconds)} samples fitted into the budget"
        wanted = self.measuring.precision.half_width
        if len(one.nanoseconds) >= statistics.BOOTSTRAP_MINIMUM:
            if is_precise(one, series, self.measuring.precision):
                return Status.OK, ""
            return Status.UNCONVERGED, (
                f"after {len(one.nanoseconds)} samples the interval is wider than"
                f" {wanted:.0%} either way"
            )
        return Status.UNCONVERGED, (
            f"{len(one.nanoseconds)} samples: one takes {one.turn_seconds:.3g} s, more did not fit"
            " into its share of the time"
        )

    def _timing(self, one: Series, *, converged: bool) -> Timing:
        return Timing(
            mode=self.measuring.timing_mode,
            cache=self.measuring.cache,
            calls_per_sample=one.prepared.calls_per_sample,
            samples_nanoseconds=one.nanoseconds,
            rounds=one.rounds,
            positions=one.positions,
            first_call_nanoseconds=one.prepared.first_call_nanoseconds,
            input_sets=one.prepared.input_sets,
            device_nanoseconds=one.device_nanoseconds,
            control_nanoseconds=one.control_nanoseconds,
            control_rounds=one.control_rounds,
            converged=converged,
            wake_call=one.wakes,
        )

    def _gate(self, record: CaseRecord) -> CaseRecord:
        """A time that the machine cannot reach is no result."""
        ceilings = self.ceilings.get(record.contender.device)
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
        return CaseRecord(
            run_id=self.measuring.run_id,
            session=self.measuring.session,
            time_utc=utc_now(),
            case=self.case,
            contender=contender,
            environment=self.measuring.environment,
            group=group or uuid.uuid4().hex[:12],
            number=self.number,
            status=status,
            reason=reason,
        )


def utc_now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _remove_files(datasets: Sequence[Dataset]) -> None:
    for dataset in datasets:
        for file in (*dataset.inputs, *dataset.outputs, *dataset.cotangents):
            Path(file.path).unlink(missing_ok=True)
