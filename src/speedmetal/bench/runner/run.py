"""A whole run: workers, ceilings, cases in order, records into the store."""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from msgspec.structs import replace as replace_record

from speedmetal import __version__
from speedmetal.bench import advice, environment
from speedmetal.bench.frameworks.base import Settings
from speedmetal.bench.operations import words
from speedmetal.bench.record import (
    CaseRecord,
    CaseSpec,
    CeilingRecord,
    Contender,
    EnvironmentRecord,
    FindingRecord,
    RunRecord,
    Status,
)
from speedmetal.bench.runner import unrest
from speedmetal.bench.runner.cards import Cards
from speedmetal.bench.runner.case import CaseMeasurement, Measuring, skipped, utc_now, utc_of
from speedmetal.bench.runner.datasets import KeptDatasets
from speedmetal.bench.runner.device_ceilings import CeilingMeter, working_sets
from speedmetal.bench.runner.kept_rates import KeptRates
from speedmetal.bench.runner.placement import Placement
from speedmetal.bench.runner.plan import (
    PROOFS_AT_ONCE,
    Budget,
    crews,
    expected_seconds,
    fitting,
    shares_of,
)
from speedmetal.bench.runner.process import (
    WorkerFailedError,
    WorkerProcess,
    worker_environment,
)
from speedmetal.bench.runner.protocol import Hello
from speedmetal.bench.runner.resume import CASES, Earlier, find_earlier, refuse_existing
from speedmetal.bench.runner.rounds import Precision
from speedmetal.bench.runner.scratch import scratch_folder
from speedmetal.bench.store import Records, RecordWriter, read_records

STARTS_AT_ONCE = 2  # at least; each imports a large library
CORES_PER_START = 2
MEMORY_FILE_SYSTEM = "/dev/shm"  # noqa: S108 - a private folder is made in it


@dataclass(frozen=True)
class RunOptions:
    """All that a run needs to know.

    Args:
        suite: Its name, for the record.
        cases: What to compute, in order.
        contenders: Who computes.
        settings: Threads and precision.
        out: The record file.
        budget_seconds: Of the whole run; None for no limit.
        case_timeout_seconds: Of one contender in one case.
        timing_mode: ``"latency"`` or ``"throughput"``.
        cache: ``"warm"`` or ``"cold"``.
        sessions: How often every contender is started anew, each time for all cases.
        precision: When a case is sampled enough.
        seed: Of inputs and orders.
        resume: Continue the file's last run: cases that have a result or a status are left out.
        append: Add another run to a file that has one.
        command: As the user typed it, for the record.
        arguments: The options that the user gave, from which a continuation takes its own.
        unavailable: Framework -> why it does not take part.
        fresh_ceilings: Measure what the machine reaches, whatever was measured in the last day.
        cards: Which devices are one card, and what is known of each.
        l2: ``"warm"`` or ``"cold"``: the cache of a card before each call.
        energy_seconds: For how long each case is repeated to see what it takes; 0.0 for not.
        crews: How many cases are prepared at once; None for what suits the machine.
    """

    suite: str
    cases: Sequence[CaseSpec]
    contenders: Sequence[Contender]
    settings: Settings
    out: Path
    budget_seconds: float | None = None
    case_timeout_seconds: float = 240.0
    timing_mode: str = "latency"
    cache: str = "warm"
    sessions: int = 3
    precision: Precision = field(default_factory=Precision)
    seed: int = 0
    resume: bool = False
    append: bool = False
    command: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    unavailable: Mapping[str, str] = field(default_factory=dict)
    fresh_ceilings: bool = False
    cards: Cards = field(default_factory=Cards)
    l2: str = "warm"
    energy_seconds: float = 0.0
    crews: int | None = None


class Observer(Protocol):
    """Is told how a run goes; the command line draws from it."""

    def start_run(self, cases: int, done: int) -> None: ...

    def phase(self, case: str, text: str) -> None: ...

    def finish_case(self, records: Sequence[CaseRecord]) -> None: ...

    def message(self, text: str) -> None: ...


def run(options: RunOptions, observer: Observer) -> Records:
    """Measure, append every record to ``options.out``, and return what it has of this run.

    Raises:
        StoreError: The file cannot be written, or another run writes it.
        UserInputError: ``resume`` names a file of a run of other terms, or the file exists.
        KeyboardInterrupt: The user stopped it; the file is whole.
    """
    machine = environment.read_machine()
    terms = _terms(options, machine)
    earlier = _earlier(options, terms)
    with (
        RecordWriter(options.out) as writer,
        scratch_folder(tempfile.gettempdir()) as scratch,
        _memory_folder() as memory_scratch,
    ):
        settings = replace(options.settings, scratch=str(scratch))
        execution = _Execution(
            replace(options, settings=settings),
            observer,
            writer,
            scratch,
            memory_scratch,
            machine,
            terms,
            earlier,
        )
        execution.run()
    return read_records(options.out).of_run(earlier.run_id)


@contextlib.contextmanager
def _memory_folder() -> Iterator[Path | None]:
    """A temporary folder in memory where the system has one (Linux), else None."""
    if not os.access(MEMORY_FILE_SYSTEM, os.W_OK):
        yield None
        return
    with scratch_folder(MEMORY_FILE_SYSTEM) as folder:
        yield folder


def _earlier(options: RunOptions, terms: Mapping[str, object]) -> Earlier:
    if options.resume:
        precision = options.precision.half_width
        return find_earlier(options.out, terms, precision, options.case_timeout_seconds)
    if not options.append:
        refuse_existing(options.out)
    elif options.out.exists() and options.out.stat().st_size > 0:
        read_records(options.out)  # whatever else it is, nothing is added to it
    return Earlier.nothing()


def _commit_here() -> str:
    """The commit of the folder that the run is started in; "" where it is no checkout."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _terms(options: RunOptions, machine: environment.Machine) -> dict[str, object]:
    """What a run and its continuation must share."""
    return {
        "threads": options.settings.threads,
        "precision": options.settings.precision,
        "timing_mode": options.timing_mode,
        "cache": options.cache,
        "memory": options.settings.memory,
        "l2": options.l2,
        "seed": options.seed,
        "contenders": [contender.key for contender in options.contenders],
        "version": {contender.framework: contender.version for contender in options.contenders},
        "machine": f"{machine.chip} with {machine.cores} cores",
        CASES: [case.key for case in options.cases],
    }


_NumberedCase = tuple[int, CaseSpec]


@dataclass(frozen=True)
class Crew:
    """Workers that prepare one case while other crews prepare others.

    Args:
        workers: By contender key.
        reference: The worker that makes data.
        control: A second worker of the contender of that key: the A/A control.
    """

    workers: Mapping[str, WorkerProcess]
    reference: WorkerProcess
    control: tuple[str, WorkerProcess] | None

    @property
    def everybody(self) -> list[WorkerProcess]:
        control = [self.control[1]] if self.control is not None else []
        return [*self.workers.values(), self.reference, *control]


@dataclass
class _Execution:
    """The state of a run."""

    options: RunOptions
    observer: Observer
    writer: RecordWriter
    scratch: Path
    memory_scratch: Path | None
    machine: environment.Machine
    terms: Mapping[str, object]
    earlier: Earlier
    ceilings: dict[str, CeilingRecord] = field(default_factory=dict)  # by place
    kept: KeptDatasets = field(default_factory=KeptDatasets)
    measured: list[CaseRecord] = field(default_factory=list)

    def run(self) -> None:
        options = self.options
        self.budget = Budget(options.budget_seconds, options.case_timeout_seconds, time.monotonic())
        available = environment.available_memory_bytes()
        self.crews = options.crews or crews(options.contenders, self.machine.cores, available)
        self.proofs = threading.Semaphore(PROOFS_AT_ONCE) if self.crews > 1 else None
        self.plan = self._pending_cases() or self._further_cases()
        planned = {*range(1, options.sessions + 1), *self.plan}
        total = sum(
            len(self.plan[s]) if s > options.sessions else len(options.cases) for s in planned
        )
        self.observer.start_run(total, total - sum(map(len, self.plan.values())))
        self.writer.append([self._run_record()])
        for framework, reason in options.unavailable.items():
            self._find("unavailable", f"{framework}: {reason}", 0)
        self._tell_machine(unrest.at_start())
        for place, session in enumerate(tuple(self.plan)):
            self._run_session(session, self.budget.end_of_part(len(self.plan) - place))
        # What would have taken other cases' sessions from them comes last.
        for session in tuple(self.plan):
            if self.plan[session] and not self.budget.is_spent:
                self._run_session(session, math.inf)
            if self.plan[session]:
                self._skip_rest(session)
        self._tell_machine(unrest.at_end(self.measured))

    def _tell_machine(self, message: str) -> None:
        if message:
            self._find("machine", message, 0)

    def _run_record(self) -> RunRecord:
        options = self.options
        return RunRecord(
            run_id=self.earlier.run_id,
            time_utc=utc_now(),
            suite=options.suite,
            command=options.command or " ".join(sys.argv),
            settings={
                **self.terms,
                "budget_seconds": options.budget_seconds,
                "case_timeout_seconds": options.case_timeout_seconds,
                "sessions": options.sessions,
                "crews": self.crews,
                "half_width": options.precision.half_width,
                "cases": len(options.cases),
                "arguments": dict(options.arguments),
                "commit": _commit_here(),
            },
            speedmetal_version=__version__,
            resumed=options.resume,
        )

    def _is_done(self, session: int, case: CaseSpec) -> bool:
        return all(
            (session, case.key, contender.key) in self.earlier.done
            for contender in self.options.contenders
        )

    def _pending_cases(self) -> dict[int, list[_NumberedCase]]:
        """The cases that each session has yet to do.

        A case of which one contender is missing is done again for all: ratios need common rounds.
        """
        numbered = list(enumerate(self.options.cases))
        sessions = {
            session: [(i, case) for i, case in numbered if not self._is_done(session, case)]
            for session in range(1, self.options.sessions + 1)
        }
        return {session: cases for session, cases in sessions.items() if cases}

    def _further_cases(self) -> dict[int, list[_NumberedCase]]:
        """A further session, where one that was continued has all of its own.

        It has the cases of which a ratio is not known as well as wanted.
        """
        numbered = enumerate(self.options.cases)
        unclear = [(i, case) for i, case in numbered if case.key in self.earlier.unclear]
        if not unclear:
            return {}
        session = max(self.options.sessions, self.earlier.sessions) + 1
        self.observer.message(
            f"every case has its sessions; session {session} adds samples to {len(unclear)} of"
            f" {len(self.options.cases)} cases, of which a ratio is not known to within"
            f" {self.options.precision.half_width:.0%}"
        )
        return {session: unclear}

    def _find(self, kind: str, message: str, session: int, contender: str = "") -> None:
        self.observer.message(f"{kind}: {message}")
        self.writer.append(
            [
                FindingRecord(
                    run_id=self.earlier.run_id,
                    session=session,
                    time_utc=utc_now(),
                    kind=kind,
                    message=message,
                    contender=contender,
                )
            ]
        )

    # -- a session ---------------------------------------------------------------------------

    def _run_session(self, session: int, until: float) -> None:
        """Do the cases of a session that are left in the plan, as long as it is before ``until``.

        The last ones, which take longest, stay in the plan where its part of the budget ends.
        """
        with self._session_crews(session) as session_crews:
            first = session_crews[0]
            started = self._start(session_crews, session)
            record = self._environment_record(started)
            self.writer.append([record])
            # Of the machine, not of a session: they are measured once.
            if not self.ceilings:
                self.ceilings = self._measure_ceilings(first.workers, started, session, record)
            self.measuring = measuring = Measuring(
                run_id=self.earlier.run_id,
                session=session,
                environment=record.key,
                timing_mode=self.options.timing_mode,
                cache=self.options.cache,
                memory=self.options.settings.memory,
                precision=self.options.precision.of_session(self.options.sessions),
                placement=Placement.here(self.options.settings.threads),
                scratch=self.scratch,
                memory_scratch=self.memory_scratch,
                cache_bytes=self.machine.last_level_cache_bytes,
                kept=self.kept,
                seed=self.options.seed,
                l2=self.options.l2,
                cards=self.options.cards,
                energy_seconds=self.options.energy_seconds,
            )
            records = self._run_cases(measuring, session_crews, started, until)
            self.measured += records
            self._check_sizes(records, self.ceilings, session)
            self._forget_beaten_rates(records, session)

    @contextlib.contextmanager
    def _session_crews(self, session: int) -> Iterator[list[Crew]]:
        """Crews of a session; all of their workers are gone afterwards, come what may."""
        made = [self._crew(session, number) for number in range(self.crews)]
        try:
            yield made
        finally:
            for crew in made:
                for worker in crew.everybody:
                    worker.kill()

    def _crew(self, session: int, number: int) -> Crew:
        """Workers, and a second process of one contender, another one's in each session."""
        contenders, settings = self.options.contenders, self.options.settings
        label = f"-{number + 1}" if number else ""
        twice = contenders[(session - 1) % len(contenders)]
        control = WorkerProcess.of(twice, settings, self.scratch, f"-control{label}")
        return Crew(
            {c.key: WorkerProcess.of(c, settings, self.scratch, label) for c in contenders},
            WorkerProcess.reference(settings, self.scratch),
            (twice.key, control),
        )

    def _start(self, session_crews: Sequence[Crew], session: int) -> dict[Contender, Hello]:
        """Start the workers; who cannot start gets a finding now and a record in every case."""
        self.observer.phase("", "starting workers")
        contenders = self.options.contenders
        at_once = max(STARTS_AT_ONCE, self.machine.cores // CORES_PER_START)
        first, *others = session_crews
        with ThreadPoolExecutor(at_once) as pool:
            starts = [pool.submit(first.workers[contender.key].start) for contender in contenders]
            for worker in (*first.everybody, *(w for crew in others for w in crew.everybody)):
                if worker not in first.workers.values():
                    pool.submit(worker.start)  # who cannot is started again when it is asked
        started = {}
        for contender, start in zip(contenders, starts, strict=True):
            try:
                started[contender] = start.result()
            except WorkerFailedError as error:
                self._find("unavailable", f"{contender.key}: {error.reason}", session)
        return started

    def _environment_record(self, started: dict[Contender, Hello]) -> EnvironmentRecord:
        facts = self.options.cards.facts()
        settings = dict(worker_environment(self.options.settings))
        for contender, hello in started.items():
            settings |= {f"{contender.key} {k}": v for k, v in hello.settings.items()}
        return environment.environment_record(
            self.machine,
            self.options.settings.threads,
            {f"{c.framework}:{c.device}": c.device_name for c in self.options.contenders},
            settings,
            {c.card: facts[c.card] for c in self.options.contenders if c.card in facts},
        )

    def _run_cases(
        self,
        measuring: Measuring,
        session_crews: Sequence[Crew],
        started: Collection[Contender],
        until: float,
    ) -> list[CaseRecord]:
        # The cheap ones first: where the budget ends, it cuts the few that take longest, and what
        # the others left is theirs.
        pending = sorted(self.plan[measuring.session], key=lambda item: expected_seconds(item[1]))
        everything: list[CaseRecord] = []
        self.plan[measuring.session] = pending
        while pending and not self.budget.is_spent and time.monotonic() < until:
            available = environment.available_memory_bytes()
            cases = [case for _, case in pending]
            count = fitting(cases, len(started), len(session_crews), available)
            shares_left = sum(shares_of(case) for rest in self.plan.values() for _, case in rest)
            chosen, pending[:count] = pending[:count], []
            seconds = sum(
                self.budget.case_seconds(shares_of(case), shares_left) for _, case in chosen
            )
            for records in self._run_batch(
                measuring, session_crews, chosen, started, time.monotonic() + seconds
            ):
                everything += records
        return everything

    def _run_batch(
        self,
        measuring: Measuring,
        session_crews: Sequence[Crew],
        chosen: Sequence[_NumberedCase],
        started: Collection[Contender],
        until: float,
    ) -> Iterator[list[CaseRecord]]:
        """Prepare some cases at once, and measure one after the other: the records of each."""
        contenders = self.options.contenders
        absent = [c for c in contenders if c not in started]
        present = [c for c in contenders if c in started]
        measurements = [
            CaseMeasurement(
                measuring=measuring,
                case=case,
                number=number,
                workers=crew.workers,
                control=crew.control,
                reference=crew.reference,
                ceilings=self.ceilings,
                budget=self.budget,
                proofs=self.proofs,
                on_phase=partial(self.observer.phase, words.case_in_words(case)),
            )
            for crew, (number, case) in zip(session_crews, chosen, strict=False)
        ]
        if present:
            self._prepare(measurements, session_crews, present)
        shares = [shares_of(case) for _, case in chosen]
        for place, measurement in enumerate(measurements):
            case, number = measurement.case, measurement.number
            records = skipped(measuring, case, number, absent, "the worker could not be started")
            if present:
                now = time.monotonic()
                part = shares[place] / sum(shares[place:])
                records += measurement.measure(now + part * (until - now))
            self._keep(records)
            yield records
            if measurement.is_interrupted:
                raise KeyboardInterrupt

    def _prepare(
        self,
        measurements: Sequence[CaseMeasurement],
        session_crews: Sequence[Crew],
        contenders: Sequence[Contender],
    ) -> None:
        """Prepare cases: one in this thread, several in threads of their own."""
        if self.crews == 1:
            for measurement in measurements:
                measurement.prepare(contenders)
            return
        self.observer.phase("", f"preparing {len(measurements)} cases")
        with ThreadPoolExecutor(len(measurements)) as pool:
            preparing = [pool.submit(one.prepare, contenders) for one in measurements]
            try:
                for one in preparing:
                    one.result()
            except BaseException:  # the threads wait for workers, which may take minutes
                for crew in session_crews:
                    for worker in crew.everybody:
                        worker.abandon()
                raise

    def _keep(self, records: Sequence[CaseRecord]) -> None:
        self.writer.append(records)
        self.observer.finish_case(records)

    def _skip_rest(self, session: int) -> None:
        """Say of what is left of a session that the budget did not reach it."""
        measuring = replace(self.measuring, session=session)
        reason = (
            f"the budget of {self.options.budget_seconds:.0f} s was used up; continue with --resume"
        )
        for number, case in self.plan[session]:
            self._keep(skipped(measuring, case, number, self.options.contenders, reason))

    def _check_sizes(
        self, records: Sequence[CaseRecord], ceilings: dict[str, CeilingRecord], session: int
    ) -> None:
        """A time that does not grow with the work is withdrawn: a later record supersedes it."""
        for found in advice.size_independent(records, ceilings):
            self._find("size", found.message, session, found.larger.contender.key)
            withdrawn = replace_record(
                found.larger, status=Status.IMPLAUSIBLE, reason=found.message
            )
            self.writer.append([withdrawn])

    def _measure_ceilings(
        self,
        workers: Mapping[str, WorkerProcess],
        started: Collection[Contender],
        session: int,
        record: EnvironmentRecord,
    ) -> dict[str, CeilingRecord]:
        self.meter = CeilingMeter(
            workers=workers,
            sizes=working_sets(self.machine.last_level_cache_bytes),
            card_sizes={
                card: working_sets(self.options.cards.cache_bytes(card))
                for card in {c.card for c in self.options.contenders if c.card}
            },
            dtypes=sorted({case.dtype for case in self.options.cases}),
            settings=self.options.settings,
            environment=record,
            kept=KeptRates(fresh=self.options.fresh_ceilings),
            limit_seconds=self.budget.ceiling_seconds,
            on_phase=partial(self.observer.phase, ""),
            on_failure=lambda contender, reason: self._find(
                "ceilings", f"{contender.key}: {reason}", session, contender.key
            ),
        )
        contenders = [c for c in self.options.contenders if c in started]
        measured = self.meter.measure(contenders)
        if self.meter.missing:
            self._find("ceilings", self._shortage(self.meter), session)
        ceilings = {
            place: CeilingRecord(
                run_id=self.earlier.run_id,
                session=session,
                time_utc=utc_of(found.measured_at),
                environment=record.key,
                device=", ".join(sorted({c.device for c in contenders if c.place == place})),
                card=next(c.card for c in contenders if c.place == place),
                copy=found.copy,
                read=found.read,
                flops_per_second=found.flops_per_second,
                call_floor_seconds=found.call_floor_seconds,
            )
            for place, found in measured.items()
        }
        self.writer.append(ceilings.values())
        return ceilings

    def _shortage(self, meter: CeilingMeter) -> str:
        return (
            f"the budget of {self.options.budget_seconds:.3g} s leaves {meter.limit_seconds:.3g} s"
            f" ({self.budget.CEILING_SHARE:.0%}) for this machine's ceilings; not measured:"
            f" {'; '.join(meter.missing)}. Shares of ceilings lack them; the next run goes on with"
            " them, a longer --budget measures all at once"
        )

    def _forget_beaten_rates(self, records: Sequence[CaseRecord], session: int) -> None:
        """Rates that a result beats may have been measured on a busier machine, a while ago."""
        if any(r.status is Status.IMPLAUSIBLE and r.timing is not None for r in records):
            for key in self.meter.used:
                self.meter.kept.forget(key)
            self._find(
                "ceilings",
                "results are faster than the rates measured here; these are not kept: if the"
                " machine was busy then, the next run measures better ones",
                session,
            )
