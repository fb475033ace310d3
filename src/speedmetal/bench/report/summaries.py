"""What a run says as a whole: ratios per family, its noise floor, its ceilings, its failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from speedmetal.bench import compare
from speedmetal.bench.compare import NoiseFloor, Verdict
from speedmetal.bench.measure import statistics
from speedmetal.bench.measure.statistics import Ratio
from speedmetal.bench.record import CaseRecord, CeilingRecord, Status
from speedmetal.bench.report.figures import Row, RunFigures
from speedmetal.bench.store import Records

ALL_FAMILIES = "all"


@dataclass(frozen=True)
class FamilySummary:
    """One contender against the baseline over a family of operations.

    ``ratio`` is the geometric mean of the ratios of ``count`` cases that both have; the four
    counts of verdicts sum to ``count``.
    """

    family: str
    contender: str
    ratio: float
    count: int
    faster: int
    slower: int
    equivalent: int
    undecided: int


@dataclass(frozen=True)
class Control:
    """The A/A control of one case."""

    record: CaseRecord
    ratio: Ratio


def family_summaries(run: RunFigures) -> list[FamilySummary]:
    """Per family and contender, and over all families; never a mean of times."""
    compared = [row for row in run.rows if row.ratio is not None]
    families = list(dict.fromkeys(row.family for row in compared))
    summaries = []
    for family in [*families, ALL_FAMILIES]:
        for contender in run.contenders:
            rows = [
                row
                for row in compared
                if row.contender == contender and family in (row.family, ALL_FAMILIES)
            ]
            if rows:
                summaries.append(_family_summary(family, contender, rows))
    return summaries


def _family_summary(family: str, contender: str, rows: Sequence[Row]) -> FamilySummary:
    verdicts = Counter(row.verdict for row in rows)
    return FamilySummary(
        family=family,
        contender=contender,
        ratio=statistics.geometric_mean([row.ratio for row in rows]),  # type: ignore[arg-type]
        count=len(rows),
        faster=verdicts[Verdict.FASTER],
        slower=verdicts[Verdict.SLOWER],
        equivalent=verdicts[Verdict.EQUIVALENT],
        undecided=verdicts[Verdict.UNDECIDED],
    )


def run_floor(run: RunFigures) -> NoiseFloor:
    """The noise floor of a run."""
    return compare.noise_floor(run.cases)


def controls(run: RunFigures) -> list[Control]:
    """The A/A controls of a run, case by case."""
    pairs = ((record, compare.control_ratio(record)) for record in run.cases)
    return [Control(record, ratio) for record, ratio in pairs if ratio is not None]


def latest_ceilings(records: Records, run: RunFigures) -> list[CeilingRecord]:
    """The ceilings of a run's sessions, the last where a session measured a device twice."""
    by_session = compare.ceilings_by_session(records)
    return [c for (run_id, _, _), c in by_session.items() if run_id == run.run_id]


def main_memory_bandwidth(ceiling: CeilingRecord) -> float | None:
    """Bandwidth at the largest working set, which no cache holds, in bytes per second."""
    points = [*ceiling.copy, *ceiling.read]
    if not points:
        return None
    return compare.best_bandwidth(points, 4 * max(p.working_set_bytes for p in points))


def status_counts(run: RunFigures) -> dict[str, int]:
    """How many rows ended in each status, in the order of :class:`Status`."""
    counts = Counter(row.status for row in run.rows)
    return {status.value: counts[status.value] for status in Status if counts[status.value]}


def without_time(run: RunFigures) -> list[Row]:
    """The rows that give no time, or a time that is not precise enough."""
    return [row for row in run.rows if row.status != Status.OK]
