"""From records to figures: times, paired ratios, verdicts, shares of ceilings, noise floors.

Every figure of every report is computed here, from raw samples alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np

from speedmetal.bench.measure import statistics
from speedmetal.bench.measure.statistics import Ratio, Summary
from speedmetal.bench.record import CaseRecord, CeilingRecord, CopyPoint, Timing
from speedmetal.bench.store import Records

EQUIVALENCE = 0.02  # an interval inside +-2 % means "equivalent"
SIGNIFICANCE = 0.05
# A result may exceed a ceiling by this factor before it is called implausible: the ceilings are
# measured on the same noisy machine as the results.
CEILING_SLACK = 1.5


class Verdict(StrEnum):
    """What the interval of a ratio says of the first contender against the second."""

    FASTER = "faster"
    SLOWER = "slower"
    EQUIVALENT = "equivalent"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class NoiseFloor:
    """The A/A control of a session: one contender compared with itself in every case.

    ``relative`` is the deviation from 1 that 95 % of the control ratios stay within; no verdict
    smaller than it is given. ``called_different`` counts controls whose 95 % interval leaves out 1
    and is not inside the equivalence band.
    """

    relative: float
    pairs: int
    called_different: int


@dataclass(frozen=True)
class Comparison:
    """One case, one contender against another."""

    case: CaseRecord
    against: CaseRecord
    ratio: Ratio
    verdict: Verdict


@dataclass(frozen=True)
class CeilingShare:
    """How close a result comes to what the machine can do.

    ``bound`` is what limits the work at best: ``"bandwidth"``, ``"flops"`` or ``"call"``;
    ``seconds`` is the time that the ceiling allows at least; ``share`` = seconds / measured.
    ``plausible`` says whether the work itself (without the call) could be done in that time.
    """

    bound: str
    seconds: float
    share: float
    plausible: bool


def seconds_per_call(timing: Timing) -> statistics.Floats:
    """Samples in seconds per call, in the order in which they were taken."""
    return np.asarray(timing.samples_nanoseconds, np.float64) / (1e9 * timing.calls_per_sample)


def summary_of(record: CaseRecord) -> Summary | None:
    """Summary of a record's samples in seconds per call; None where no time may be given."""
    if not record.status.has_time or record.timing is None:
        return None
    timing = record.timing
    return _summary(tuple(timing.samples_nanoseconds), timing.calls_per_sample)


@lru_cache(maxsize=8192)
def _summary(samples: tuple[int, ...], calls: int) -> Summary:
    return statistics.summarise(np.asarray(samples, np.float64) / (1e9 * calls))


def ratio_of(record: CaseRecord, against: CaseRecord) -> Ratio | None:
    """Paired ratio of times, ``record`` over ``against``, over their common rounds.

    None where either has no time, or where they were not sampled in common rounds.
    """
    if record.group != against.group or record.timing is None or against.timing is None:
        return None
    if not (record.status.has_time and against.status.has_time):
        return None
    top = dict(zip(record.timing.rounds, seconds_per_call(record.timing), strict=True))
    bottom = dict(zip(against.timing.rounds, seconds_per_call(against.timing), strict=True))
    common = tuple(sorted(top.keys() & bottom.keys()))
    if not common:
        return None
    return _paired_ratio(tuple(top[r] for r in common), tuple(bottom[r] for r in common))


@lru_cache(maxsize=8192)
def _paired_ratio(top: tuple[float, ...], bottom: tuple[float, ...]) -> Ratio:
    return statistics.paired_ratio(top, bottom)


def verdict_of(ratio: Ratio, noise: float = 0.0, *, significant: bool = True) -> Verdict:
    """Verdict on the numerator of a ratio of times.

    Args:
        ratio: Time over time, with its interval.
        noise: The session's noise floor (relative); a smaller deviation is undecided.
        significant: Whether the check test agrees (after adjustment over the table).

    Example:
        >>> verdict_of(Ratio(ratio=0.5, low=0.45, high=0.55, rounds=20, p_value=1e-4)).value
        'faster'
        >>> verdict_of(Ratio(ratio=1.0, low=0.99, high=1.01, rounds=20, p_value=0.5)).value
        'equivalent'
    """
    if ratio.low >= 1 / (1 + EQUIVALENCE) and ratio.high <= 1 + EQUIVALENCE:
        return Verdict.EQUIVALENT if noise <= EQUIVALENCE else Verdict.UNDECIDED
    excludes_one = ratio.high < 1 or ratio.low > 1
    beyond_noise = abs(np.log(ratio.ratio)) > np.log1p(noise)
    if not (excludes_one and beyond_noise and significant):
        return Verdict.UNDECIDED
    return Verdict.FASTER if ratio.ratio < 1 else Verdict.SLOWER


def control_ratio(record: CaseRecord) -> Ratio | None:
    """The A/A control of a case: the record's contender against itself in the same rounds."""
    timing = record.timing
    if timing is None or not timing.control_nanoseconds:
        return None
    first = dict(zip(timing.rounds, timing.samples_nanoseconds, strict=True))
    second = dict(zip(timing.control_rounds, timing.control_nanoseconds, strict=True))
    common = tuple(sorted(first.keys() & second.keys()))
    if len(common) < statistics.BOOTSTRAP_MINIMUM:
        return None
    return _paired_ratio(
        tuple(float(first[r]) for r in common), tuple(float(second[r]) for r in common)
    )


def noise_floor(records: Iterable[CaseRecord]) -> NoiseFloor:
    """The noise floor of the given records' A/A controls; 0 with no pairs where there is none."""
    ratios = [ratio for record in records if (ratio := control_ratio(record)) is not None]
    if not ratios:
        return NoiseFloor(0.0, 0, 0)
    deviations = [abs(float(np.log(ratio.ratio))) for ratio in ratios]
    different = sum(verdict_of(r) in (Verdict.FASTER, Verdict.SLOWER) for r in ratios)
    return NoiseFloor(float(np.expm1(np.quantile(deviations, 0.95))), len(ratios), different)


def compare_with_baseline(records: Sequence[CaseRecord], baseline: str) -> list[Comparison]:
    """Every contender against the baseline contender, case by case, over common rounds.

    Verdicts respect the noise floor of each session and a Benjamini-Hochberg adjustment over the
    whole table. Cases with fewer than 6 common rounds rest on their interval alone.

    Args:
        records: Cases of one run.
        baseline: A contender's key, ``"numpy:cpu:eager"``.
    """
    floors = noise_floors(records)
    bases = {_place(record): record for record in records if record.contender.key == baseline}
    pairs = [
        (record, bases[_place(record)], ratio)
        for record in records
        if _place(record) in bases and record.contender.key != baseline
        for ratio in [ratio_of(record, bases[_place(record)])]
        if ratio is not None
    ]
    return _judge(pairs, floors)


def _place(record: CaseRecord) -> tuple[str, str, str]:
    """What two records must share to have been sampled in common rounds."""
    return record.run_id, record.case.key, record.group


def noise_floors(records: Iterable[CaseRecord]) -> dict[tuple[str, int], NoiseFloor]:
    """Noise floors by run and session."""
    sessions: dict[tuple[str, int], list[CaseRecord]] = defaultdict(list)
    for record in records:
        sessions[record.run_id, record.session].append(record)
    return {key: noise_floor(members) for key, members in sessions.items()}


def _judge(
    pairs: Sequence[tuple[CaseRecord, CaseRecord, Ratio]],
    floors: Mapping[tuple[str, int], NoiseFloor],
) -> list[Comparison]:
    tested = [ratio.p_value if ratio.rounds >= 6 else None for _, _, ratio in pairs]
    adjusted = iter(statistics.adjust_p_values([p for p in tested if p is not None]))
    comparisons = []
    for (record, against, ratio), p_value in zip(pairs, tested, strict=True):
        # Too few rounds for the test: the (wide) Student interval decides alone.
        significant = p_value is None or next(adjusted) < SIGNIFICANCE
        noise = max(
            (
                floors[key].relative
                for key in ((r.run_id, r.session) for r in (record, against))
                if key in floors
            ),
            default=0.0,
        )
        verdict = verdict_of(ratio, noise, significant=bool(significant))
        comparisons.append(Comparison(record, against, ratio, verdict))
    return comparisons


def compare_runs(before: Records, after: Records) -> list[Comparison]:
    """The same cases and contenders in two runs; ratios are after over before.

    The runs shared no rounds, so intervals are of independent samples, and the larger noise floor
    of the two sessions bounds the verdicts.
    """
    floors = {**noise_floors(before.cases), **noise_floors(after.cases)}
    earlier = {(r.case.key, r.contender.key): r for r in before.cases if r.status.has_time}
    pairs = []
    for record in after.cases:
        base = earlier.get((record.case.key, record.contender.key))
        if base is None or not record.status.has_time:
            continue
        assert record.timing is not None  # has_time says so
        assert base.timing is not None
        ratio = statistics.unpaired_ratio(
            seconds_per_call(record.timing), seconds_per_call(base.timing)
        )
        pairs.append((record, base, ratio))
    return _judge(pairs, floors)


def best_bandwidth(points: Sequence[CopyPoint], working_set: int) -> float:
    """The highest bandwidth measured at a working set of about this size or larger.

    Smaller working sets sit in nearer caches and reach more; so the ceiling for a size is the
    largest rate among the sizes from a quarter of it upwards.
    """
    rates = [p.bytes_per_second for p in points if p.working_set_bytes >= working_set / 4]
    if not rates and points:
        largest = max(p.working_set_bytes for p in points)
        rates = [p.bytes_per_second for p in points if p.working_set_bytes == largest]
    return max(rates, default=0.0)


def share_of_ceiling(record: CaseRecord, ceilings: CeilingRecord) -> CeilingShare | None:
    """Share of the measured ceiling that a timed record reaches; None where it has no time."""
    if record.timing is None or not record.status.has_time:
        return None
    measured = float(np.median(seconds_per_call(record.timing)))
    return ceiling_share(record, ceilings, measured)


def ceiling_share(record: CaseRecord, ceilings: CeilingRecord, seconds: float) -> CeilingShare:
    """Share of the measured ceiling that a time of the record's case, in seconds, reaches."""
    case = record.case
    bandwidth = best_bandwidth([*ceilings.copy, *ceilings.read], case.bytes_minimum)
    rate = ceilings.flops_per_second.get(f"{case.dtype}/{case.precision}", 0.0)
    bounds = {
        "bandwidth": case.bytes_minimum / bandwidth if bandwidth else 0.0,
        "flops": case.flops / rate if rate else 0.0,
    }
    bound = max(bounds, key=lambda name: bounds[name])
    least = bounds[bound]
    plausible = least <= CEILING_SLACK * seconds
    floor = ceilings.call_floor_seconds.get(record.contender.key, 0.0)
    if floor > least:  # a call costs more than the work
        return CeilingShare("call", floor, min(1.0, floor / seconds), plausible)
    return CeilingShare(bound, least, least / seconds, plausible)


def ceilings_by_session(records: Records) -> dict[tuple[str, int, str], CeilingRecord]:
    """Ceilings by run, session and device."""
    return {(c.run_id, c.session, c.device): c for c in records.ceilings}
