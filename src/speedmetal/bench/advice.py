"""What a reader of a run should be told that no single record says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from speedmetal.bench.compare import ceiling_share, summary_of
from speedmetal.bench.record import CaseRecord, CeilingRecord

# Between two cases of one operation, the work must differ by this factor...
WORK_FACTOR = 8.0
# ...and the larger must by its ceiling take this many call floors, before the times must differ...
FLOOR_FACTOR = 2.0
# ...by at least this factor.
TIME_FACTOR = 1.5


@dataclass(frozen=True)
class SizeIndependence:
    """A contender whose time does not grow with the work: lazy, cached, or not measured."""

    smaller: CaseRecord
    larger: CaseRecord
    smaller_seconds: float
    larger_seconds: float

    @property
    def message(self) -> str:
        return (
            f"{self.larger.contender.key}: {self.larger.case.label} takes"
            f" {self.larger_seconds:.3g} s, {self.smaller.case.label} {self.smaller_seconds:.3g} s,"
            " though it is"
            f" {self.larger.case.bytes_minimum / max(self.smaller.case.bytes_minimum, 1):.0f} times"
            " the bytes: the time does not grow with the work"
        )


def size_independent(
    records: Sequence[CaseRecord], ceilings: Mapping[str, CeilingRecord]
) -> list[SizeIndependence]:
    """Pairs of cases whose times should differ by their sizes and do not.

    Args:
        records: Of one session.
        ceilings: By place, of the same session.
    """
    families: dict[tuple[str, ...], list[tuple[CaseRecord, float]]] = defaultdict(list)
    for record in records:
        summary = summary_of(record)
        if summary is not None:
            case = record.case
            key = (record.contender.key, case.operation, case.dtype, case.direction)
            families[key].append((record, summary.median))
    found = []
    for members in families.values():
        members.sort(key=lambda member: member[0].case.bytes_minimum)
        for (smaller, little), (larger, much) in pairwise(members):
            if _must_differ(smaller, larger, ceilings) and much < TIME_FACTOR * little:
                found.append(SizeIndependence(smaller, larger, little, much))
    return found


def _must_differ(
    smaller: CaseRecord, larger: CaseRecord, ceilings: Mapping[str, CeilingRecord]
) -> bool:
    # Both: of two cases with the same operations, the one with fewer bytes may well be slower.
    if larger.case.bytes_minimum < WORK_FACTOR * smaller.case.bytes_minimum:
        return False
    if larger.case.flops < WORK_FACTOR * smaller.case.flops:
        return False
    ceiling = ceilings.get(larger.contender.place)
    if ceiling is None:
        return False
    floor = ceiling.call_floor_seconds.get(larger.contender.key, 0.0)
    # The bound by work alone: a time of zero makes the share's own floor irrelevant.
    share = ceiling_share(larger, ceiling, 1.0)
    return share.bound != "call" and share.seconds > FLOOR_FACTOR * floor
