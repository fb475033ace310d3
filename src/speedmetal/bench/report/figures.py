"""From records to the rows that every format prints: one row per run, case and contender.

Where a run has several sessions, a row combines them:

- A later record of one session, case and contender supersedes an earlier one (a resumed run).
- Times are geometric means over the sessions of the medians over rounds, ratios likewise; their
  intervals and verdicts are those of :mod:`speedmetal.bench.compare`.
- The status is the gravest of the sessions; a session that was skipped counts only where
  there is no other. A row whose status has no time gives none, though one session may have it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from speedmetal.bench import compare
from speedmetal.bench.compare import CeilingShare, Comparison
from speedmetal.bench.measure.statistics import Summary
from speedmetal.bench.record import (
    CaseRecord,
    CaseSpec,
    CeilingRecord,
    Status,
    describe_throttling,
)
from speedmetal.bench.report.options import Options
from speedmetal.bench.store import Records
from speedmetal.errors import UnknownNameError

BASELINE = "baseline"  # stands in the place of the verdict in the baseline's own rows

# Some of a row's fields by name, on their way into it.
Figures = dict[str, Any]

# From the gravest to the best.
_GRAVITY = (
    Status.WRONG,
    Status.IMPLAUSIBLE,
    Status.UNFAIR,
    Status.CRASH,
    Status.OUT_OF_MEMORY,
    Status.TIMEOUT,
    Status.UNSUPPORTED,
    Status.OK,
    Status.SKIPPED,
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One case on one contender: every figure that a report can show, None where there is none.

    Times are in seconds per call, memory in bytes, ratios are time over the baseline's time.
    """

    run_id: str
    case_key: str
    operation: str
    title: str
    arguments: str
    label: str
    family: str
    dtype: str
    precision: str
    direction: str
    published: bool
    bytes_minimum: int
    flops: int
    contender: str
    framework: str
    device: str
    mode: str
    version: str
    device_name: str
    card: str
    environment: str
    group: str
    sessions: int
    status: str
    reason: str
    timing_mode: str = ""
    cache: str = ""
    memory_policy: str = ""
    l2: str = ""
    calls_per_sample: int | None = None
    median: float | None = None
    low: float | None = None
    high: float | None = None
    minimum: float | None = None
    p10: float | None = None
    p90: float | None = None
    mad: float | None = None
    samples: int | None = None
    outliers: int | None = None
    autocorrelation: float | None = None
    first_call: float | None = None
    throughput: float | None = None  # seconds of a call among many in flight
    device_time: float | None = None  # seconds of a call by the card's own clock
    baseline: str = ""
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    ratio_rounds: int | None = None
    verdict: str = ""
    verdict_note: str = ""  # why there is none, where it is not the interval's width
    bound: str = ""
    ceiling_seconds: float | None = None
    ceiling_share: float | None = None
    bytes_per_second: float | None = None
    flops_per_second: float | None = None
    check_passed: bool | None = None
    max_absolute: float | None = None
    max_relative: float | None = None
    rms_relative: float | None = None
    tolerance_max: float | None = None
    tolerance_rms: float | None = None
    memory_host_resident: int | None = None
    memory_host_peak: int | None = None
    memory_device_peak: int | None = None
    joules: float | None = None  # of a call
    throttled: str = ""  # what held the card's clocks down, and how long
    notes: str = ""
    records: tuple[CaseRecord, ...] = field(repr=False, compare=False, default=())

    @property
    def has_time(self) -> bool:
        """Whether the row gives a time."""
        return self.median is not None


COLUMNS = tuple(f.name for f in dataclasses.fields(Row) if f.name != "records")


@dataclass(frozen=True)
class RunFigures:
    """The rows of one run, case by case in the order in which they were measured."""

    run_id: str
    baseline: str
    contenders: tuple[str, ...]
    rows: tuple[Row, ...]
    cases: tuple[CaseRecord, ...] = field(repr=False)  # the records that count

    def by_operation(self) -> dict[str, dict[str, list[Row]]]:
        """Rows by operation's title, then by case's label."""
        operations: dict[str, dict[str, list[Row]]] = {}
        for row in self.rows:
            operations.setdefault(row.title, {}).setdefault(row.label, []).append(row)
        return operations


def figures_of(records: Records, options: Options) -> tuple[RunFigures, ...]:
    """The figures of every run in a record file, in order.

    Raises:
        UnknownNameError: No run has the contender that ``options.baseline`` names.
    """
    runs: dict[str, list[CaseRecord]] = {}
    for record in latest(records.cases):
        runs.setdefault(record.run_id, []).append(record)
    contenders = {r.contender.key for cases in runs.values() for r in cases}
    if options.baseline is not None and options.baseline not in contenders:
        raise UnknownNameError("contender", options.baseline, contenders)
    ceilings = records.ceilings
    return tuple(
        _run_figures(run_id, cases, ceilings, options.baseline or default_baseline(cases))
        for run_id, cases in runs.items()
    )


def latest(cases: Iterable[CaseRecord]) -> list[CaseRecord]:
    """The records that count: the last of each run, session, case and contender.

    In the order of their runs and suites, whatever the order in which the cases were measured.
    """
    kept = {(r.run_id, r.session, r.case.key, r.contender.key): r for r in cases}
    runs = {run: place for place, run in enumerate(dict.fromkeys(key[0] for key in kept))}
    return sorted(kept.values(), key=lambda r: (runs[r.run_id], r.session, r.number))


def default_baseline(cases: Iterable[CaseRecord]) -> str:
    """The first contender among those with the most timed results; "" where there is none."""
    results: dict[str, int] = {}
    for record in cases:
        key = record.contender.key
        results[key] = results.get(key, 0) + record.status.has_time
    return max(results, key=lambda key: results[key], default="")


def ceilings_for(record: CaseRecord, ceilings: Iterable[CeilingRecord]) -> CeilingRecord | None:
    """The ceilings measured in a record's own session on its device, or else in its run.

    One card can have two names. Before schema 3 nobody said that they are one: where no ceilings
    carry the contender's name of it, those to which the contender itself contributed are taken.
    """
    run = [c for c in ceilings if c.run_id == record.run_id]
    own = [c for c in run if c.session == record.session]
    for known in (own, run):
        named = [c for c in known if c.place == record.contender.place]
        shared = [c for c in known if record.contender.key in c.call_floor_seconds]
        if named or shared:
            return (named or shared)[-1]
    return None


def _run_figures(
    run_id: str, cases: Sequence[CaseRecord], ceilings: Sequence[CeilingRecord], baseline: str
) -> RunFigures:
    comparisons = {
        (c.case.case.key, c.case.contender.key): c
        for c in compare.compare_with_baseline(cases, baseline)
    }
    contenders = tuple(dict.fromkeys(record.contender.key for record in cases))
    results: dict[str, dict[str, list[CaseRecord]]] = {}
    for record in cases:
        results.setdefault(record.case.key, {}).setdefault(record.contender.key, []).append(record)
    rows = []
    for case_key, by_contender in results.items():
        for contender in (key for key in contenders if key in by_contender):
            members = by_contender[contender]
            comparison = comparisons.get((case_key, contender))
            rows.append(_row(members, comparison, ceilings, baseline))
    return RunFigures(run_id, baseline, contenders, tuple(rows), tuple(cases))


def _row(
    members: Sequence[CaseRecord],
    comparison: Comparison | None,
    ceilings: Sequence[CeilingRecord],
    baseline: str,
) -> Row:
    tried = [r for r in members if r.status is not Status.SKIPPED] or list(members)
    status = min((r.status for r in tried), key=_GRAVITY.index)
    row = _identity(members[0].case, tried, status, baseline)
    row = dataclasses.replace(row, **_check(tried), **_memory(tried), **_card(tried))
    if not status.has_time:
        return row
    row = dataclasses.replace(row, **_time_figures(tried), **_shares(tried, ceilings))
    if row.contender == baseline:
        return dataclasses.replace(row, verdict=BASELINE)
    return dataclasses.replace(row, **_ratio(comparison)) if comparison else row


def _identity(case: CaseSpec, tried: Sequence[CaseRecord], status: Status, baseline: str) -> Row:
    last = tried[-1]
    contender = last.contender
    return Row(
        run_id=last.run_id,
        case_key=case.key,
        operation=case.operation,
        title=case.title,
        arguments=case.arguments,
        label=case.label,
        family=case.family,
        dtype=case.dtype,
        precision=case.precision,
        direction=case.direction,
        published=case.published,
        bytes_minimum=case.bytes_minimum,
        flops=case.flops,
        contender=contender.key,
        framework=contender.framework,
        device=contender.device,
        mode=contender.mode,
        version=contender.version,
        device_name=contender.device_name,
        card=contender.card,
        environment=last.environment,
        group=_join_texts(r.group for r in tried),
        sessions=len(tried),
        status=status.value,
        reason=_reason(tried, status),
        baseline=baseline,
        notes=_join_texts(note for r in tried for note in r.notes),
        records=tuple(tried),
    )


def _join_texts(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))


def _reason(tried: Sequence[CaseRecord], status: Status) -> str:
    guilty = [r for r in tried if r.status is status]
    reason = _join_texts(r.reason for r in guilty)
    if len(guilty) == len(tried) or status is Status.OK:
        return reason
    return f"in {len(guilty)} of {len(tried)} sessions: {reason or status.value}"


def _time_figures(tried: Sequence[CaseRecord]) -> Figures:
    summaries = [s for r in tried if (s := compare.summary_of(r)) is not None]
    timings = [r.timing for r in tried if r.timing is not None]
    if not summaries or not timings:
        return {}

    def middle(figure: Callable[[Summary], float]) -> float:
        return float(np.median([figure(summary) for summary in summaries]))

    return {
        "timing_mode": timings[-1].mode,
        "cache": timings[-1].cache,
        "calls_per_sample": timings[-1].calls_per_sample,
        **_time_interval(tried, summaries),
        "minimum": min(s.minimum for s in summaries),
        "p10": middle(lambda s: s.p10),
        "p90": middle(lambda s: s.p90),
        "mad": middle(lambda s: s.mad),
        "samples": sum(s.samples for s in summaries),
        "outliers": sum(s.outliers for s in summaries),
        "autocorrelation": middle(lambda s: s.autocorrelation),
        # Later sessions find what the framework has kept on the disk in the first.
        "first_call": timings[0].first_call_nanoseconds / 1e9,
        "memory_policy": timings[-1].memory,
        "l2": timings[-1].l2,
        "throughput": _middle_call(
            (t.queued_nanoseconds, t.queued_calls) for t in timings if t.queued_calls
        ),
        "device_time": _middle_call(
            (t.device_nanoseconds, t.device_calls) for t in timings if t.device_calls
        ),
    }


def _middle_call(sessions: Iterable[tuple[Sequence[int], int]]) -> float | None:
    """The median over sessions of the medians of samples, in seconds per call."""
    medians = [float(np.median(samples)) / calls for samples, calls in sessions if samples]
    return float(np.median(medians)) / 1e9 if medians else None


def _time_interval(tried: Sequence[CaseRecord], summaries: Sequence[Summary]) -> Figures:
    if len(summaries) == 1:
        only = summaries[0]
        return {"median": only.median, "low": only.low, "high": only.high}
    interval = compare.time_interval(tried)
    return {"median": interval.estimate, "low": interval.low, "high": interval.high}


def _shares(tried: Sequence[CaseRecord], ceilings: Sequence[CeilingRecord]) -> Figures:
    shares: list[CeilingShare] = []
    for record in tried:
        ceiling = ceilings_for(record, ceilings)
        share = compare.share_of_ceiling(record, ceiling) if ceiling else None
        shares += [share] if share else []
    medians = [s.median for r in tried if (s := compare.summary_of(r)) is not None]
    median = float(np.median(medians))
    case = tried[0].case
    result: Figures = {
        "bytes_per_second": case.bytes_minimum / median if case.bytes_minimum else None,
        "flops_per_second": case.flops / median if case.flops else None,
    }
    if shares:
        result["bound"] = shares[-1].bound
        result["ceiling_seconds"] = float(np.median([s.seconds for s in shares]))
        result["ceiling_share"] = float(np.median([s.share for s in shares]))
    return result


def _ratio(comparison: Comparison) -> Figures:
    ratio = comparison.ratio
    return {
        "ratio": ratio.ratio,
        "ratio_low": ratio.low,
        "ratio_high": ratio.high,
        "ratio_rounds": ratio.rounds,
        "verdict": comparison.verdict.value,
        "verdict_note": comparison.note,
    }


def _check(tried: Sequence[CaseRecord]) -> Figures:
    checks = [r.check for r in tried if r.check is not None]
    if not checks:
        return {}
    return {
        "check_passed": all(c.passed for c in checks),
        "max_absolute": _largest_error(c.max_absolute for c in checks),
        "max_relative": _largest_error(c.max_relative for c in checks),
        "rms_relative": _largest_error(c.rms_relative for c in checks),
        "tolerance_max": checks[-1].tolerance_max,
        "tolerance_rms": checks[-1].tolerance_rms,
    }


def _memory(tried: Sequence[CaseRecord]) -> Figures:
    memories = [r.memory for r in tried if r.memory is not None]

    def most(values: Iterable[int | None]) -> int | None:
        return max((value for value in values if value is not None), default=None)

    return {
        "memory_host_resident": most(m.host_resident for m in memories),
        "memory_host_peak": most(m.host_peak for m in memories),
        "memory_device_peak": most(m.device_peak for m in memories),
    }


def _card(tried: Sequence[CaseRecord]) -> Figures:
    """What the card said of it."""
    energies = [r.energy.joules / r.energy.calls for r in tried if r.energy is not None]
    reasons = {reason for r in tried for reason in r.throttling}
    shares = {
        reason: float(np.mean([r.throttling.get(reason, 0.0) for r in tried])) for reason in reasons
    }
    return {
        "joules": float(np.median(energies)) if energies else None,
        "throttled": describe_throttling(shares),
    }


def _largest_error(errors: Iterable[float | None]) -> float | None:
    """The largest error; None where one was not finite and could not be written."""
    values = list(errors)
    known = [value for value in values if value is not None]
    return max(known) if len(known) == len(values) else None
