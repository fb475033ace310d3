"""What a run says in the end: who won by how much, how well it is known, and what is missing.

The sentences of :func:`sentences` are those of every format; :func:`summarise_run` gathers what the
last screen of a run shows.
"""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from speedmetal.bench.compare import Verdict
from speedmetal.bench.operations import words
from speedmetal.bench.record import Status
from speedmetal.bench.report import notation, summaries
from speedmetal.bench.report.figures import Row, RunFigures
from speedmetal.bench.report.summaries import FamilySummary
from speedmetal.bench.store import Records

EFFECTS = 10
LEAST_SESSIONS = 3  # fewer say little of what differs between processes
_TITLES = {
    "numpy": "NumPy",
    "torch": "PyTorch",
    "mlx": "MLX",
    "jax": "JAX",
    "drjit": "Dr.Jit",
    "cupy": "CuPy",
}
_COUNTED = (Verdict.FASTER, Verdict.SLOWER, Verdict.EQUIVALENT, Verdict.UNDECIDED)


@dataclass(frozen=True)
class Standing:
    """One contender against the baseline over all cases of which both have a time.

    ``low`` and ``high`` are the interval of the geometric mean ``overall.ratio``.
    """

    overall: FamilySummary
    low: float
    high: float


@dataclass(frozen=True)
class Precision:
    """Half-widths of the intervals of a run's ratios, as shares of the ratios."""

    median: float
    nine_of_ten: float  # this or narrower are nine of ten


@dataclass(frozen=True)
class Missing:
    """Results that a run does not have: how many ended in a status, and mostly for what reason."""

    status: str
    count: int
    reason: str


@dataclass(frozen=True)
class Summary:
    """A run on one screen.

    Attributes:
        sentences: Who won by how much, in words.
        standings: Every contender against the baseline over all cases, the fastest first.
        titles: Of the contenders, by key.
        effects: The largest differences that are decided, the largest first.
        precision: How well the ratios are known; None where there is none.
        missing: What was not measured, the commonest status first.
        absent: Frameworks that did not take part, with the reason.
        loads: What the machine did besides.
        conditions: What was measured, how often, and above what noise.
        source: The record file; "" where there is not exactly one.
        sharpen: The command that makes the ratios known better; "" where there is none.
    """

    sentences: tuple[str, ...]
    standings: tuple[Standing, ...]
    titles: Mapping[str, str]
    effects: tuple[Row, ...]
    precision: Precision | None
    missing: tuple[Missing, ...]
    absent: tuple[str, ...]
    loads: tuple[str, ...]
    conditions: str
    source: str
    sharpen: str


def summarise_run(records: Records, run: RunFigures) -> Summary:
    """All that the last screen of a run shows."""
    return Summary(
        sentences=tuple(sentences(run)),
        standings=tuple(standings(run)),
        titles=contender_titles(run.contenders),
        effects=tuple(largest_effects(run)),
        precision=precision_of(run),
        missing=tuple(missing(run)),
        absent=_messages(records, run, "unavailable"),
        loads=_messages(records, run, "machine"),
        conditions=conditions(run),
        source=records.source if _is_one_file(records) else "",
        sharpen=sharpening_command(records, run),
    )


def standings(run: RunFigures) -> list[Standing]:
    """Every contender against the baseline over all cases, the fastest first."""
    found = []
    for overall in summaries.family_summaries(run):
        if overall.family == summaries.ALL_FAMILIES:
            compared = [r for r in run.rows if r.contender == overall.contender and r.ratio]
            found.append(Standing(overall, *mean_interval(overall.ratio, compared)))
    return sorted(found, key=lambda standing: standing.overall.ratio)


def mean_interval(mean: float, rows: Sequence[Row]) -> tuple[float, float]:
    """Interval of a geometric mean: as wide as if all of its cases erred the same way.

    What one process does better or worse than another of the same program is shared by all of its
    cases; so the intervals of the logarithms are averaged, and not narrowed by the number of cases.
    """
    below = [_log_distance(row.ratio, row.ratio_low) for row in rows]
    above = [_log_distance(row.ratio_high, row.ratio) for row in rows]
    return mean * float(np.exp(-np.mean(below))), mean * float(np.exp(np.mean(above)))


def _log_distance(larger: float | None, smaller: float | None) -> float:
    """Of an edge to its ratio; bounded, since that of one or two rounds can be anywhere."""
    if not larger or not smaller:
        return float(np.log(notation.SPREAD_EDGE))
    return float(np.log(min(larger / smaller, notation.SPREAD_EDGE)))


def sentences(run: RunFigures) -> list[str]:
    """A sentence for each contender but the baseline, the fastest first; one where there is none.

    For instance: "On this machine, MLX is 2.70 times slower than NumPy over these 44 cases (2.41 to
    3.05): 30 slower, 5 faster, 9 undecided."
    """
    found = standings(run)
    if not found:
        return [_alone(run)]
    titles = contender_titles(run.contenders)
    baseline = titles[run.baseline]
    count = found[0].overall.count
    told = []
    for place, standing in enumerate(found):
        claim = f"{titles[standing.overall.contender]} {_claim(standing, baseline)}"
        if place == 0:
            cases = "this case" if count == 1 else f"these {count} cases"
            claim = f"On this machine, {claim} over {cases}"
        elif standing.overall.count != count:
            claim += f" over {words.count(standing.overall.count, 'case')}"
        told.append(f"{claim} {_evidence(standing)}.")
    return told


def _alone(run: RunFigures) -> str:
    timed = sum(row.has_time for row in run.rows)
    if not timed:
        return "No case has a time."
    times = words.count(timed, "time")
    if len(run.contenders) == 1:
        (title,) = contender_titles(run.contenders).values()
        return f"{title} ran alone: {times}, nothing to compare with."
    return f"{times}, but no case in which two contenders took turns: nothing is compared."


def _claim(standing: Standing, baseline: str) -> str:
    ratio = standing.overall.ratio
    if standing.low <= 1 <= standing.high:
        return f"and {baseline} are equally fast, as far as is known,"
    if ratio < 1:
        return f"is {notation.digits(1 / ratio)} times faster than {baseline}"
    return f"is {notation.digits(ratio)} times slower than {baseline}"


def _evidence(standing: Standing) -> str:
    """The interval on the claim's own scale, and the cases behind it, the commonest first."""
    low, high = standing.low, standing.high
    if high < 1:
        low, high = 1 / high, 1 / low
    counts = {verdict: getattr(standing.overall, verdict.value) for verdict in _COUNTED}
    # What is open comes last, however much it is.
    ranked = sorted(_COUNTED, key=lambda v: (v is Verdict.UNDECIDED, -counts[v]))
    texts = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in ranked if counts[verdict])
    return f"({notation.digits(low)} to {notation.digits(high)}): {texts}"


def contender_titles(keys: Sequence[str]) -> dict[str, str]:
    """Names for people, with as much of device and mode as tells them apart.

    Example:
        >>> contender_titles(["numpy:cpu:eager", "mlx:cpu:eager"])
        {'numpy:cpu:eager': 'NumPy', 'mlx:cpu:eager': 'MLX'}
        >>> list(contender_titles(["mlx:gpu:eager", "mlx:gpu:compiled", "mlx:cpu:eager"]).values())
        ['MLX (gpu)', 'MLX (gpu, compiled)', 'MLX (cpu)']
    """
    parts = {key: _parts(key) for key in keys}
    devices: dict[str, set[str]] = defaultdict(set)
    modes: dict[tuple[str, str], set[str]] = defaultdict(set)
    for framework, device, mode in parts.values():
        devices[framework].add(device)
        modes[framework, device].add(mode)
    titles = {}
    for key, (framework, device, mode) in parts.items():
        details = [device] if len(devices[framework]) > 1 else []
        # Eager is what a framework does unless it is told otherwise.
        details += [mode] if mode != "eager" and len(modes[framework, device]) > 1 else []
        title = _TITLES.get(framework, framework)
        titles[key] = f"{title} ({', '.join(details)})" if details else title
    return titles


def _parts(key: str) -> tuple[str, str, str]:
    """Framework, device and mode; a framework's own name may have colons."""
    framework, device, mode = key.rsplit(":", 2)
    return framework, device, mode


def largest_effects(run: RunFigures, count: int = EFFECTS) -> list[Row]:
    """The largest ratios in either direction whose verdict is faster or slower."""
    decided = [row for row in run.rows if row.verdict in (Verdict.FASTER, Verdict.SLOWER)]
    return sorted(decided, key=_magnitude, reverse=True)[:count]


def _magnitude(row: Row) -> float:
    return abs(float(np.log(row.ratio))) if row.ratio else 0.0


def precision_of(run: RunFigures) -> Precision | None:
    """How well the ratios of a run are known; None where it has none."""
    widths = [w for row in run.rows if (w := relative_half_width(row)) is not None]
    if not widths:
        return None
    median, nine_of_ten = np.quantile(widths, [0.5, 0.9], method="higher")
    return Precision(float(median), float(nine_of_ten))


def relative_half_width(row: Row) -> float | None:
    """Half the width of the interval of a row's ratio, as a share of the ratio."""
    if row.ratio is None or row.ratio_low is None or row.ratio_high is None:
        return None
    return (row.ratio_high - row.ratio_low) / (2 * row.ratio)


def missing(run: RunFigures) -> list[Missing]:
    """The results without a time by status, the commonest first."""
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    for row in run.rows:
        if row.status != Status.OK:
            reasons[row.status][row.reason] += 1
    found = [
        Missing(status, counts.total(), counts.most_common(1)[0][0])
        for status, counts in reasons.items()
    ]
    return sorted(found, key=lambda m: -m.count)


def conditions(run: RunFigures) -> str:
    """What was measured, with caches and freed memory in what state, how often, above what noise.

    "" where nothing has a time.
    """
    timed = [row for row in run.rows if row.has_time]
    if not timed:
        return ""
    row = timed[0]
    sessions = max(one.sessions for one in timed)
    floor = summaries.run_floor(run)
    noise = f"noise floor {notation.noise_floor(floor.share)}"
    memory = "freed memory kept" if row.memory_policy == "kept" else "memory as shipped"
    measure = "the device's own time" if row.timing_mode == "device" else row.timing_mode
    # Processors have none; that a card's is warm is the rule.
    cold = ["cold L2"] if any(one.l2 == "cold" for one in timed) else []
    texts = (measure, f"{row.cache} caches", *cold, memory, words.count(sessions, "session"))
    held = sum(bool(one.throttled) for one in timed)
    marked = f"; {words.count(held, 'result')} at held-down clocks" if held else ""
    return f"{', '.join(texts)}; {noise}{marked}"


def sharpening_command(records: Records, run: RunFigures) -> str:
    """The command after which a run knows its ratios better.

    It finishes what the budget cut, or else doubles the sessions.
    """
    if not _is_one_file(records) or not records.source.endswith(".jsonl"):
        return ""
    parts = ["speedmetal", "bench", "--out", records.source, "--resume"]
    if all(record.status is not Status.SKIPPED for record in run.cases):
        sessions = max((row.sessions for row in run.rows), default=1)
        parts += ["--sessions", str(max(LEAST_SESSIONS, 2 * sessions))]
    return shlex.join(parts)


def _is_one_file(records: Records) -> bool:
    return bool(records.source) and len({record.run_id for record in records.cases}) <= 1


def _messages(records: Records, run: RunFigures, kind: str) -> tuple[str, ...]:
    found: Iterable[str] = (
        f.message for f in records.findings if f.run_id == run.run_id and f.kind == kind
    )
    return tuple(dict.fromkeys(found))
