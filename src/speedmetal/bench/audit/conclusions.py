"""What a reader concludes from published speed-ups, and whether it holds where we measured.

A conclusion is the sign of a ratio of times: "on MPS, torch is slower than MLX for this case". It
is collected over all device tables of a file and held against paired ratios measured here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from statistics import median

from speedmetal.bench import compare
from speedmetal.bench.audit.published import PublishedCell
from speedmetal.bench.audit.tables import ROUNDING
from speedmetal.bench.compare import Comparison, Verdict
from speedmetal.bench.measure.statistics import Ratio
from speedmetal.bench.record import CaseRecord
from speedmetal.bench.store import Records

# First over second; the published tables print the speed-up of the first.
PAIRS = (
    ("mlx_gpu_compile", "mlx_gpu"),
    ("mlx_gpu", "mps"),
    ("mlx_gpu", "mlx_cpu"),
    ("mlx_cpu", "cpu"),
    ("cuda", "cpu"),
)
ROUNDS_FOR_TEST = 6  # 2 / 2^n, the least p-value of the signed-rank test, is above 5 % below it
SAME = compare.EQUIVALENCE  # a published ratio within 2 % of 1 says nothing
ON_OTHER_DEVICE = "on another device: shows the sign for this software, not for that hardware"


class Claim(StrEnum):
    """The sign that most tables print for the first backend of a pair."""

    FASTER = "faster"
    SLOWER = "slower"
    NONE = "no common sign"


class Outcome(StrEnum):
    """How a conclusion fares on this machine, in the order in which reports show them."""

    FLIPS = "flips"  # the opposite sign
    VANISHES = "vanishes"  # a sign was printed; here both are equal within 2 %
    HOLDS = "holds"
    UNDECIDED = "undecided here"
    NOT_MEASURABLE = "not measurable here"
    NO_CLAIM = "no claim"  # the published tables have no common sign


@dataclass(frozen=True)
class Conclusion:
    """The sign of one case and pair of backends over all detailed tables of a file.

    ``ratio`` is the median over tables of time over time, first over second: below 1 the first is
    faster. A table is undecided within 2 %, or where two printed decimals leave the sign open.
    """

    operation: str
    arguments: str
    first: str
    second: str
    ratio: float
    faster: int  # tables
    slower: int
    undecided: int

    @property
    def claim(self) -> Claim:
        """The sign of more than half of the tables, if there is one."""
        half = (self.faster + self.slower + self.undecided) / 2
        if self.faster > half:
            return Claim.FASTER
        return Claim.SLOWER if self.slower > half else Claim.NONE


@dataclass(frozen=True)
class ConclusionCheck:
    """A conclusion beside what was measured: ``first`` and ``second`` are contenders' keys.

    ``ratio`` is the median of the sessions' paired ratios, its interval spans theirs all.
    """

    conclusion: Conclusion
    outcome: Outcome
    reason: str = ""
    first: str = ""
    second: str = ""
    ratio: Ratio | None = None
    on_other_device: bool = False


def conclusions(cells: Iterable[PublishedCell]) -> tuple[Conclusion, ...]:
    """The conclusions of the detailed tables, in file order; cells without a time say nothing."""
    times: dict[tuple[str, str], dict[tuple[str, str], dict[str, float]]] = {}
    for cell in cells:
        if cell.table == "detailed" and cell.milliseconds is not None:
            tables = times.setdefault((cell.operation, cell.arguments), {})
            tables.setdefault((cell.device, cell.config), {})[cell.backend] = cell.milliseconds
    found = []
    for (operation, arguments), tables in times.items():
        for first, second in PAIRS:
            pairs = [(t[first], t[second]) for t in tables.values() if first in t and second in t]
            if pairs:
                found.append(_conclude(operation, arguments, first, second, pairs))
    return tuple(found)


def _conclude(
    operation: str,
    arguments: str,
    first: str,
    second: str,
    pairs: Sequence[tuple[float, float]],
) -> Conclusion:
    signs = [_published_sign(top, bottom) for top, bottom in pairs]
    return Conclusion(
        operation,
        arguments,
        first,
        second,
        # 0.00 is printed for anything below 0.005 ms: that bound keeps the ratio finite.
        ratio=median(max(top, ROUNDING) / max(bottom, ROUNDING) for top, bottom in pairs),
        faster=signs.count(Claim.FASTER),
        slower=signs.count(Claim.SLOWER),
        undecided=signs.count(Claim.NONE),
    )


def _published_sign(top: float, bottom: float) -> Claim:
    if (top + ROUNDING) * (1 + SAME) < bottom - ROUNDING:
        return Claim.FASTER
    return Claim.SLOWER if (bottom + ROUNDING) * (1 + SAME) < top - ROUNDING else Claim.NONE


# ---- The comparison with measured records ----


@dataclass(frozen=True)
class _Column:
    """A published backend as a contender of ours; ``fallback`` is another device to use."""

    framework: str
    device: str
    mode: str
    fallback: str = ""

    @property
    def key(self) -> str:
        return f"{self.framework}:{self.device}:{self.mode}"

    @property
    def fallback_key(self) -> str:
        return f"{self.framework}:{self.fallback or self.device}:{self.mode}"


_COLUMNS = {
    "mlx_gpu": _Column("mlx", "gpu", "eager", "cpu"),
    "mlx_gpu_compile": _Column("mlx", "gpu", "compiled", "cpu"),
    "mlx_cpu": _Column("mlx", "cpu", "eager"),
    "mps": _Column("torch", "mps", "eager", "cpu"),
    "cpu": _Column("torch", "cpu", "eager"),
    "cuda": _Column("torch", "cuda", "eager", "cpu"),
}


@dataclass(frozen=True)
class _Measured:
    """What was measured of one conclusion, before any verdict."""

    conclusion: Conclusion
    first: str
    second: str
    on_other_device: bool
    pairs: tuple[tuple[CaseRecord, CaseRecord], ...] = ()  # one of each session
    obstacle: str = ""


_Index = Mapping[tuple[str, str], Mapping[str, Sequence[CaseRecord]]]


def check(published: Iterable[Conclusion], records: Records) -> tuple[ConclusionCheck, ...]:
    """Hold conclusions against measured records of the same cases.

    Sides of a pair that this machine's records lack are replaced by the same framework and mode
    on the CPU, both sides together, so that no GPU is ever compared with a CPU in its place.
    A verdict needs the interval over all sessions, the run's noise floor, and a test adjusted over
    the whole table.
    """
    cases = records.cases
    floors = compare.noise_floors(cases)
    index = _published_cases(cases)
    # A contender that never gave a time is not here, whatever its records say.
    here = {record.contender.key for record in cases if record.status.has_time}
    measured = [_measure(conclusion, index, here) for conclusion in published]
    compared = iter(compare.compare_pairs([m.pairs for m in measured if m.pairs], floors))
    return tuple(_outcome(m, next(compared) if m.pairs else None) for m in measured)


def _published_cases(cases: Iterable[CaseRecord]) -> _Index:
    index: dict[tuple[str, str], dict[str, list[CaseRecord]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for record in cases:
        case = record.case
        same_work = (case.dtype, case.precision, case.direction) == ("float32", "ieee", "forward")
        if case.published and same_work:
            index[case.title, case.arguments][record.contender.key].append(record)
    return index


def _measure(conclusion: Conclusion, index: _Index, here: set[str]) -> _Measured:
    columns = (_COLUMNS[conclusion.first], _COLUMNS[conclusion.second])
    other = not all(column.key in here for column in columns)
    first, second = (column.fallback_key if other else column.key for column in columns)
    other = other and (first, second) != (columns[0].key, columns[1].key)
    blank = _Measured(conclusion, first, second, other)
    if first == second:
        return _with_obstacle(blank, f"no GPU here: both columns would be {first}")
    by_contender = index.get((conclusion.operation, conclusion.arguments), {})
    sides = [by_contender.get(key, ()) for key in (first, second)]
    for key, side in zip((first, second), sides, strict=True):
        if not any(record.status.has_time for record in side):
            return _with_obstacle(blank, _why_no_time(key, side))
    pairs = tuple(
        pair for pair in _most_alike(product(*sides)) if compare.common_rounds(*pair) is not None
    )
    if not pairs:
        return _with_obstacle(blank, f"{first} and {second} were not sampled in common rounds")
    return _Measured(conclusion, first, second, other, pairs)


def _with_obstacle(measured: _Measured, obstacle: str) -> _Measured:
    return _Measured(
        measured.conclusion,
        measured.first,
        measured.second,
        measured.on_other_device,
        obstacle=obstacle,
    )


def _why_no_time(key: str, records: Sequence[CaseRecord]) -> str:
    if not records:
        return f"no record of this case on {key}"
    last = records[-1]
    return f"{key}: {last.status.value}" + (f", {last.reason}" if last.reason else "")


def _most_alike(
    pairs: Iterable[tuple[CaseRecord, ...]],
) -> list[tuple[CaseRecord, CaseRecord]]:
    """Pairs of one group; where there are any, those timed as the published program times.

    It forces and waits for each call and reuses one set of inputs: latency, warm.
    """
    common = [(a, b) for a, b in pairs if a.group == b.group]
    alike = [pair for pair in common if all(_times_like_published(record) for record in pair)]
    return alike or common


def _times_like_published(record: CaseRecord) -> bool:
    timing = record.timing
    return timing is not None and (timing.mode, timing.cache) == ("latency", "warm")


def _outcome(measured: _Measured, comparison: Comparison | None) -> ConclusionCheck:
    claim = measured.conclusion.claim
    reason = measured.obstacle
    if comparison is None:
        outcome = Outcome.NOT_MEASURABLE
    else:
        outcome = _compare_claim(claim, comparison.verdict)
        reason = f"{measured.first} is {_in_words(comparison.verdict)} {measured.second}"
    if measured.on_other_device and not measured.obstacle:
        reason = f"{reason}; {ON_OTHER_DEVICE}"
    return ConclusionCheck(
        measured.conclusion,
        outcome,
        reason,
        measured.first,
        measured.second,
        comparison.ratio if comparison else None,
        measured.on_other_device,
    )


def _in_words(verdict: Verdict) -> str:
    return {
        Verdict.FASTER: "faster than",
        Verdict.SLOWER: "slower than",
        Verdict.EQUIVALENT: "within 2 % of",
        Verdict.UNDECIDED: "not told apart from",
    }[verdict]


def _compare_claim(claim: Claim, verdict: Verdict) -> Outcome:
    if claim is Claim.NONE:
        return Outcome.NO_CLAIM
    if verdict is Verdict.UNDECIDED:
        return Outcome.UNDECIDED
    if verdict is Verdict.EQUIVALENT:
        return Outcome.VANISHES
    return Outcome.HOLDS if verdict.value == claim.value else Outcome.FLIPS
