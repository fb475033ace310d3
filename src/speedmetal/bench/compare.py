"""From records to figures: times, paired ratios, verdicts, shares of ceilings, noise floors.

Every figure of every report is computed here, from raw samples alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

import numpy as np

from speedmetal.bench.measure import statistics
from speedmetal.bench.measure.statistics import Ratio, Summary
from speedmetal.bench.record import CaseRecord, CeilingRecord, CopyPoint, Timing
from speedmetal.bench.store import Records

EQUIVALENCE = 0.02  # an interval inside +-2 % means "equivalent"
# Of a verdict. Where most contenders do differ, the adjustment over the table leaves the few equal
# ones this share of false verdicts, not a part of it.
SIGNIFICANCE = 0.02
# Of a verdict on two runs, which may end a command with status 1.
RUN_SIGNIFICANCE = 0.01
CONTROL_ROUNDS = 3  # of a control in one session; what it deviates by chance counts as well
LEAST_CONTROLS = 3  # below it nobody knows how far equal contenders are apart
# A result may exceed a ceiling by this factor before it is called implausible: the ceilings are
# measured on the same noisy machine as the results.
CEILING_SLACK = 1.5
TWO_PROCESS_SCHEMA = 2  # before it both labels of a control shared a process


class Verdict(StrEnum):
    """What the interval of a ratio says of the first contender against the second."""

    FASTER = "faster"
    SLOWER = "slower"
    EQUIVALENT = "equivalent"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class NoiseFloor:
    """What the A/A controls of a run say: a contender compared with itself.

    ``relative`` is the deviation from 1 that 95 % of the ratios of equal contenders stay within,
    taken over as many sessions as the run has; no verdict smaller than it is given.
    ``called_different`` counts controls whose 95 % interval leaves out 1 and is not inside the
    equivalence band; ``pairs`` is the number of controls.
    """

    relative: float
    pairs: int
    called_different: int
    two_processes: bool = True

    @property
    def is_known(self) -> bool:
        """Whether there are enough controls, each in two processes, for any verdict."""
        return self.two_processes and self.pairs >= LEAST_CONTROLS

    @property
    def share(self) -> float | None:
        """``relative`` where it is known, else None."""
        return self.relative if self.is_known else None


@dataclass(frozen=True)
class Comparison:
    """One case, one contender against another, over all sessions of both.

    ``case`` and ``against`` are the last records of either; ``note`` says why there is no verdict,
    where it is not the interval's width.
    """

    case: CaseRecord
    against: CaseRecord
    ratio: Ratio
    verdict: Verdict
    note: str = ""


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


def common_rounds(
    record: CaseRecord, against: CaseRecord
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Times of two contenders in their common rounds.

    None where either has no time, or where they were not sampled in common rounds.
    """
    if record.group != against.group or record.timing is None or against.timing is None:
        return None
    if not (record.status.has_time and against.status.has_time):
        return None
    top = dict(zip(record.timing.rounds, seconds_per_call(record.timing), strict=True))
    bottom = dict(zip(against.timing.rounds, seconds_per_call(against.timing), strict=True))
    common = sorted(top.keys() & bottom.keys())
    if not common:
        return None
    return tuple(top[r] for r in common), tuple(bottom[r] for r in common)


def ratio_of(record: CaseRecord, against: CaseRecord) -> Ratio | None:
    """Paired ratio of times in one session, ``record`` over ``against``; None without rounds."""
    rounds = common_rounds(record, against)
    return None if rounds is None else _paired_ratio(*rounds)


@lru_cache(maxsize=8192)
def _paired_ratio(top: tuple[float, ...], bottom: tuple[float, ...]) -> Ratio:
    return statistics.paired_ratio(top, bottom)


def verdict_of(ratio: Ratio, noise: float | None = 0.0, *, significant: bool = True) -> Verdict:
    """Verdict on the numerator of a ratio of times.

    Args:
        ratio: Time over time, with its interval.
        noise: The run's noise floor (relative); a smaller deviation is undecided, and everything
            is where the floor is not known (None).
        significant: Whether the check test agrees (after adjustment over the table).

    Example:
        >>> verdict_of(Ratio(ratio=0.5, low=0.45, high=0.55, rounds=20, p_value=1e-4)).value
        'faster'
        >>> verdict_of(Ratio(ratio=1.0, low=0.99, high=1.01, rounds=20, p_value=0.5)).value
        'equivalent'
    """
    if noise is None or ratio.rounds < statistics.LEAST_ROUNDS:
        return Verdict.UNDECIDED
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
    if len(common) < CONTROL_ROUNDS:
        return None
    return _paired_ratio(
        tuple(float(first[r]) for r in common), tuple(float(second[r]) for r in common)
    )


def noise_floor(records: Iterable[CaseRecord]) -> NoiseFloor:
    """The noise floor of a run's A/A controls; 0 with no pairs where there is none.

    What two processes of one contender differ by, beyond what their rounds say, is taken for normal
    with a spread that is the same in all cases (:func:`~statistics.spread_beyond`); 95 % of it,
    averaged over the run's sessions, is the floor. A case whose own rounds scatter widely weighs
    little: its ratios have wide intervals anyway.
    """
    records = list(records)
    controls = [(r, ratio) for r in records if (ratio := control_ratio(r)) is not None]
    if not controls:
        return NoiseFloor(0.0, 0, 0)
    sessions = len({r.session for r in records})
    spread = statistics.spread_beyond(
        [float(np.log(ratio.ratio)) for _, ratio in controls],
        [ratio.log_half_width / statistics.NORMAL_QUANTILE for _, ratio in controls],
    )
    floor = statistics.NORMAL_QUANTILE * spread / float(np.sqrt(sessions))
    different = sum(verdict_of(r) in (Verdict.FASTER, Verdict.SLOWER) for _, r in controls)
    in_two = all(record.schema_version >= TWO_PROCESS_SCHEMA for record, _ in controls)
    return NoiseFloor(float(np.expm1(floor)), len(controls), different, in_two)


def highest_floor(floors: Sequence[NoiseFloor]) -> float | None:
    """The highest of some noise floors; None where one is not known, or there is none."""
    shares = [floor.share for floor in floors]
    known = [share for share in shares if share is not None]
    return max(known) if known and len(known) == len(shares) else None


def noise_floors(records: Iterable[CaseRecord]) -> dict[str, NoiseFloor]:
    """Noise floors by run."""
    runs: dict[str, list[CaseRecord]] = defaultdict(list)
    for record in records:
        runs[record.run_id].append(record)
    return {run: noise_floor(members) for run, members in runs.items()}


# -- Contenders of one run -------------------------------------------------------------------


_Key = tuple[str, str, str]  # run, case, contender


def compare_with_baseline(records: Sequence[CaseRecord], baseline: str) -> list[Comparison]:
    """Every contender against the baseline contender, case by case, over common rounds.

    Verdicts respect the noise floor of the run and a Benjamini-Hochberg adjustment over the whole
    table.

    Args:
        records: Cases of one run.
        baseline: A contender's key, ``"numpy:cpu:eager"``.
    """
    bases = {_place(r): r for r in records if r.contender.key == baseline}
    pairs: dict[_Key, list[tuple[CaseRecord, CaseRecord]]] = defaultdict(list)
    for record in records:
        base = bases.get(_place(record))
        if base is None or record.contender.key == baseline or common_rounds(record, base) is None:
            continue
        pairs[record.run_id, record.case.key, record.contender.key].append((record, base))
    return compare_pairs(list(pairs.values()), noise_floors(records))


def compare_pairs(
    pairs: Sequence[Sequence[tuple[CaseRecord, CaseRecord]]], floors: Mapping[str, NoiseFloor]
) -> list[Comparison]:
    """Compare the first of each pair with the second, over the sessions that a list of pairs has.

    Args:
        pairs: Per comparison one pair of each session, sampled in common rounds.
        floors: Noise floors by run.
    """
    ratios = _ratios(pairs)
    found = [(*members[-1], ratio) for members, ratio in zip(pairs, ratios, strict=True)]
    return _judge(found, floors, SIGNIFICANCE)


def _place(record: CaseRecord) -> tuple[str, str, str]:
    """What two records must share to have been sampled in common rounds."""
    return record.run_id, record.case.key, record.group


def _ratios(pairs: Sequence[Sequence[tuple[CaseRecord, CaseRecord]]]) -> list[Ratio]:
    """The ratio of each list of pairs, one of each session.

    What varies between sessions is estimated for all together, as three say little by themselves.
    """
    several = [members for members in pairs if len(members) > 1]
    logs = [tuple(_log_ratios(*pair) for pair in members) for members in several]
    centres = statistics.moderate([_centre(sessions) for sessions in logs])
    over_sessions = iter(
        statistics.ratio_of_centre(centre, sum(map(len, sessions)), len(sessions))
        for centre, sessions in zip(centres, logs, strict=True)
    )
    return [
        next(over_sessions) if len(members) > 1 else _paired_ratio(*_rounds_of(*members[0]))
        for members in pairs
    ]


_Logs = tuple[float, ...]


def _log_ratios(record: CaseRecord, against: CaseRecord) -> _Logs:
    rounds = _rounds_of(record, against)
    return tuple(float(value) for value in np.log(np.divide(*rounds)))


def _rounds_of(
    record: CaseRecord, against: CaseRecord
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    rounds = common_rounds(record, against)
    assert rounds is not None  # whoever asks has looked
    return rounds


@lru_cache(maxsize=8192)
def _centre(sessions: tuple[_Logs, ...]) -> statistics.Centre:
    return statistics.centre_of(sessions)


def _judge(
    pairs: Sequence[tuple[CaseRecord, CaseRecord, Ratio]],
    floors: Mapping[str, NoiseFloor],
    significance: float,
) -> list[Comparison]:
    enough = [ratio.rounds >= statistics.LEAST_ROUNDS for _, _, ratio in pairs]
    tested = [ratio.p_value for (_, _, ratio), ok in zip(pairs, enough, strict=True) if ok]
    adjusted = iter(statistics.adjust_p_values(tested))
    comparisons = []
    for (record, against, ratio), ok in zip(pairs, enough, strict=True):
        significant = bool(ok and next(adjusted) < significance)
        own = [floors[r.run_id] for r in (record, against) if r.run_id in floors]
        noise = highest_floor(own)
        note = ""
        if not ok:
            note = f"fewer than {statistics.LEAST_ROUNDS} rounds"
        elif noise is None:
            note = "the noise floor is not known: too few controls in two processes"
        verdict = verdict_of(ratio, noise, significant=significant)
        comparisons.append(Comparison(record, against, ratio, verdict, note))
    return comparisons


# -- Two runs --------------------------------------------------------------------------------


def compare_runs(before: Records, after: Records) -> list[Comparison]:
    """The same cases and contenders in two runs; ratios are after over before.

    The runs shared no rounds, so what varies between the sessions of each bounds the ratio: where
    both have one session, nothing is known of it, and every verdict is undecided. Where the machine
    itself was faster or slower in one of the runs, by its own yardsticks, intervals are wider by
    that much.
    """
    earlier, later = _sessions_of(before), _sessions_of(after)
    common = [key for key in later if key in earlier]
    centres = [
        statistics.difference(
            _centre(_session_logs(later[key])), _centre(_session_logs(earlier[key]))
        )
        for key in common
    ]
    drift = machine_drift(before.cases, after.cases)
    widened = [_widen(centre, drift) for centre in statistics.moderate(centres)]
    pairs = []
    for key, centre in zip(common, widened, strict=True):
        rounds = min(_rounds(later[key]), _rounds(earlier[key]))
        sessions = min(len(later[key]), len(earlier[key]))
        ratio = statistics.ratio_of_centre(centre, rounds, sessions)
        pairs.append((later[key][-1], earlier[key][-1], ratio))
    floors = {**noise_floors(before.cases), **noise_floors(after.cases)}
    found = _judge(pairs, floors, RUN_SIGNIFICANCE)
    return [
        replace(one, verdict=Verdict.UNDECIDED, note=ONE_SESSION) if centre.freedom <= 0 else one
        for one, centre in zip(found, widened, strict=True)
    ]


ONE_SESSION = (
    "each run started every contender once: what differs between processes cannot be told from a"
    " change; run with --sessions 3"
)


def _sessions_of(records: Records) -> dict[tuple[str, str], list[CaseRecord]]:
    """Timed records by case and contender, one of each session: the last."""
    kept = {
        (r.run_id, r.session, r.case.key, r.contender.key): r
        for r in records.cases
        if r.status.has_time and r.timing is not None
    }
    found: dict[tuple[str, str], list[CaseRecord]] = defaultdict(list)
    for (_, _, case, contender), record in kept.items():
        found[case, contender].append(record)
    return found


def _session_logs(records: Sequence[CaseRecord]) -> tuple[_Logs, ...]:
    return tuple(
        tuple(float(value) for value in np.log(seconds_per_call(record.timing)))
        for record in records
        if record.timing is not None
    )


def time_interval(records: Sequence[CaseRecord]) -> statistics.Interval:
    """Seconds per call over several sessions: the geometric mean of their medians, with 95 %.

    Args:
        records: One of each session, each with a time.
    """
    interval = _centre(_session_logs(records)).interval()
    edges = (np.exp(np.clip(edge, -700.0, 700.0)) for edge in (interval.low, interval.high))
    return statistics.Interval(float(np.exp(interval.estimate)), *(float(edge) for edge in edges))


def _rounds(records: Sequence[CaseRecord]) -> int:
    return sum(len(r.timing.samples_nanoseconds) for r in records if r.timing is not None)


def _widen(centre: statistics.Centre, drift: float) -> statistics.Centre:
    return replace(centre, variance=centre.variance + drift**2 * centre.sessions)


def machine_drift(before: Iterable[CaseRecord], after: Iterable[CaseRecord]) -> float:
    """How much slower the machine itself was in the second of two runs (a log-ratio).

    By the yardsticks beside each case: fixed work of the coordinator, which no framework changes.
    0.0 where either run has none.
    """
    first, second = _yardsticks(before), _yardsticks(after)
    common = first.keys() & second.keys()
    logs = [np.median(np.log(second[k])) - np.median(np.log(first[k])) for k in common]
    return float(np.mean(logs)) if logs else 0.0


def _yardsticks(records: Iterable[CaseRecord]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for record in records:
        if record.conditions is not None:
            for kind, nanoseconds in record.conditions.yardstick_nanoseconds.items():
                found[kind].append(max(nanoseconds, 1))
    return found


# -- Ceilings --------------------------------------------------------------------------------


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
    if record.timing is not None and record.timing.mode != "latency":
        floor = 0.0  # the floor is of calls that are waited for
    if floor > least:  # a call costs more than the work
        return CeilingShare("call", floor, min(1.0, floor / seconds), plausible)
    return CeilingShare(bound, least, least / seconds, plausible)


def ceilings_by_session(records: Records) -> dict[tuple[str, int, str], CeilingRecord]:
    """Ceilings by run, session and place."""
    return {(c.run_id, c.session, c.place): c for c in records.ceilings}
