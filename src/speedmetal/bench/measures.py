"""One measure of records that have several: latency, throughput, or a device's own time.

A record's samples are those of its run's ``--timing``; beside them it may have calls in flight and
the card's time by its events. Seen by one of these, a record has its samples in the place of the
run's, so that every figure, ratio and verdict of a report or comparison is of that measure.
"""

from __future__ import annotations

from dataclasses import replace as replace_fields
from typing import NamedTuple

from msgspec.structs import replace

from speedmetal.bench.record import CaseRecord, Record, Status, Timing
from speedmetal.bench.store import Records
from speedmetal.errors import UnknownNameError

MEASURES = ("latency", "throughput", "device")


class _Samples(NamedTuple):
    nanoseconds: list[int]
    calls: int
    control: list[int]


def by_measure(records: Records, measure: str | None) -> Records:
    """The records by one measure; those that lack it have no time, and say so.

    Args:
        records: Of any runs.
        measure: One of :data:`MEASURES`; None: as each run was timed.

    Raises:
        UnknownNameError: There is no such measure.
    """
    if measure is None:
        return records
    if measure not in MEASURES:
        raise UnknownNameError("measure", measure, MEASURES)
    seen: list[Record] = [
        _seen_by(record, measure) if isinstance(record, CaseRecord) else record
        for record in records.records
    ]
    return replace_fields(records, records=tuple(seen))


def _seen_by(record: CaseRecord, measure: str) -> CaseRecord:
    timing = record.timing
    if timing is None or not record.status.has_time or timing.mode == measure:
        return record
    samples = _samples_of(timing, measure)
    if samples is None:
        reason = f"it has no {measure}: {_WHY_NOT[measure]}"
        return replace(record, status=Status.UNSUPPORTED, reason=reason)
    has_control = len(samples.control) == len(timing.control_rounds)
    seen = replace(
        timing,
        mode=measure,
        calls_per_sample=samples.calls,
        samples_nanoseconds=samples.nanoseconds,
        control_nanoseconds=samples.control if has_control else [],
        control_rounds=timing.control_rounds if has_control else [],
        cpu_nanoseconds=[],  # what was read beside the samples speaks of the run's own
        page_faults=[],
        context_switches=[],
    )
    return replace(record, timing=seen)


_WHY_NOT = {
    "latency": "the run was one with --timing throughput",
    "throughput": "it was not on a GPU, its calls were long, or the cache was cold",
    "device": "the framework has no marks in a device's queue, or its calls were long",
}


def _samples_of(timing: Timing, measure: str) -> _Samples | None:
    """The samples of another measure than the run's own; None where there are none."""
    if measure == "throughput":
        found = _Samples(
            timing.queued_nanoseconds, timing.queued_calls, timing.control_queued_nanoseconds
        )
    elif measure == "device":
        found = _Samples(
            timing.device_nanoseconds, timing.device_calls, timing.control_device_nanoseconds
        )
    else:
        return None
    is_whole = len(found.nanoseconds) == len(timing.samples_nanoseconds) and found.calls > 0
    return found if is_whole and min(found.nanoseconds) > 0 else None
