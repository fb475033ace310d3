"""The same cases over several runs: their times, and where one changed for good."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from speedmetal.bench.compare import EQUIVALENCE, Verdict, compare_runs
from speedmetal.bench.measure import statistics, steps
from speedmetal.bench.operations import words
from speedmetal.bench.report import notation
from speedmetal.bench.report.console import STYLES, capture, plain_text
from speedmetal.bench.report.figures import Row, figures_of
from speedmetal.bench.report.options import Options
from speedmetal.bench.report.templates import own_text, template
from speedmetal.bench.store import Records

# From as many runs on, their own scatter says what differs between runs of one version; of fewer,
# two neighbours must differ by the verdict of `speedmetal compare` as well.
MANY_RUNS = 6
LEAST_DEVIATION = 1e-3  # of a logarithm; nobody's clock is better
_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Run:
    """One run of a history, with the name that people give it."""

    label: str
    time_utc: str
    records: Records


@dataclass(frozen=True)
class Point:
    """The time of a case in one run, in seconds per call."""

    run: int
    seconds: float
    low: float
    high: float

    @property
    def deviation(self) -> float:
        """Standard deviation of the time's logarithm, as far as the run itself knows it."""
        if not 0 < self.low < self.high < float("inf"):
            return 0.0
        width = float(np.log(self.high / self.low))
        return min(width / (2 * statistics.NORMAL_QUANTILE), 1.0)


@dataclass(frozen=True)
class Change:
    """A step of a series: the run at which it shows, and the new level over the old one."""

    run: int
    ratio: float

    @property
    def verdict(self) -> Verdict:
        return Verdict.SLOWER if self.ratio > 1 else Verdict.FASTER


@dataclass(frozen=True)
class Series:
    """A case on a contender over the runs that have a time of it."""

    case: str
    key: str
    contender: str
    points: tuple[Point, ...]
    changes: tuple[Change, ...] = ()

    @property
    def largest_change(self) -> float:
        return max((abs(float(np.log(change.ratio))) for change in self.changes), default=0.0)


@dataclass(frozen=True)
class History:
    """Runs by their time, and the series of every case, those that changed most first."""

    runs: tuple[Run, ...]
    series: tuple[Series, ...]

    @property
    def headline(self) -> str:
        changed = sum(bool(one.changes) for one in self.series)
        told = f"{words.count(len(self.series), 'series', 'series')} over {len(self.runs)} runs"
        return f"{told}; {changed or 'none'} changed"


# -- From records ----------------------------------------------------------------------------


def runs_of(several: Sequence[Records]) -> tuple[Run, ...]:
    """The runs of record files, by their time.

    They are called by their commits where all have one of their own, else by their files.
    """
    found: list[tuple[str, str, str, Records]] = []
    for records in several:
        name = Path(records.source).name.split(".")[0]
        for number, run_id in enumerate(dict.fromkeys(r.run_id for r in records.cases), 1):
            starts = [record for record in records.runs if record.run_id == run_id]
            times = [record.time_utc for record in starts or records.cases]
            commit = str(starts[0].settings.get("commit") or "") if starts else ""
            label = name if number == 1 else f"{name}#{number}"
            found.append((min(times), commit, label, _only(records, run_id)))
    found.sort(key=lambda entry: entry[0])
    commits = {commit for _, commit, _, _ in found}
    by_commit = "" not in commits and len(commits) == len(found)
    return tuple(
        Run(commit if by_commit else label, time, records) for time, commit, label, records in found
    )


def _only(records: Records, run_id: str) -> Records:
    kept = (r for r in records.records if getattr(r, "run_id", run_id) == run_id)
    return dataclasses.replace(records, records=tuple(kept))


def history_of(runs: Sequence[Run]) -> History:
    """The series of all cases, with the changes that are beyond their noise."""
    found: dict[tuple[str, str], tuple[Row, list[Point]]] = {}
    for number, run in enumerate(runs):
        for figures in figures_of(run.records, Options()):
            for row in figures.rows:
                if row.median and row.low is not None and row.high is not None:
                    entry = found.setdefault((row.case_key, row.contender), (row, []))
                    entry[1].append(Point(number, row.median, row.low, row.high))
    usual = steps.noise_between([_logs(points) for _, points in found.values()])
    noise = _Noise(runs, len(found), usual)
    series = [_with_changes(row, points, noise) for row, points in found.values()]
    return History(tuple(runs), tuple(sorted(series, key=lambda one: -one.largest_change)))


def _logs(points: Sequence[Point]) -> statistics.Floats:
    return np.log([point.seconds for point in points])


class _Noise:
    """What a history knows of its noise: how many series there are, and how far runs scatter."""

    def __init__(self, runs: Sequence[Run], series: int, usual: float) -> None:
        self._runs = runs
        self.series = series
        self.usual = usual  # standard deviation of logarithms between runs of one level
        self._known: dict[tuple[int, int], dict[tuple[str, str], Verdict]] = {}

    def differ(self, earlier: int, later: int, row: Row) -> bool:
        """Whether two runs differ in a case, by the verdict of `speedmetal compare`."""
        if (earlier, later) not in self._known:
            found = compare_runs(self._runs[earlier].records, self._runs[later].records)
            self._known[earlier, later] = {
                (c.case.case.key, c.case.contender.key): c.verdict for c in found
            }
        verdict = self._known[earlier, later].get((row.case_key, row.contender))
        return verdict in (Verdict.FASTER, Verdict.SLOWER)


def _with_changes(row: Row, points: Sequence[Point], noise: _Noise) -> Series:
    case = words.case_in_words(row.records[0].case) if row.records else row.label
    bare = Series(case, row.case_key, row.contender, tuple(points))
    logs, many = _logs(points), len(points) >= MANY_RUNS
    # A series may scatter more than is usual; less, by chance alone.
    between = max(noise.usual, steps.noise_between([logs])) if many else 0.0
    deviations = [
        max(float(np.hypot(point.deviation, between)), LEAST_DEVIATION) for point in points
    ]
    limit = steps.penalty(len(points), noise.series)
    places = steps.find_steps(steps.without_spikes(logs) if many else logs, deviations, limit)
    changes = []
    for before, place, after in zip([0, *places], places, [*places[1:], len(points)], strict=False):
        old = steps.level(logs[before:place], deviations[before:place])
        new = steps.level(logs[place:after], deviations[place:after])
        certain = many or noise.differ(points[place - 1].run, points[place].run, row)
        if certain and abs(new - old) > np.log1p(EQUIVALENCE):
            changes.append(Change(points[place].run, float(np.exp(new - old))))
    return dataclasses.replace(bare, changes=tuple(changes))


# -- Terminal --------------------------------------------------------------------------------


def render_text(history: History, options: Options) -> str:
    """For the terminal: a line a series, those that changed most first."""
    return capture(Group(*_parts(history)), options)


def _parts(history: History) -> Iterator[RenderableType]:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, header_style="dim")
    for column in ("case", "contender", "time"):
        table.add_column(column)
    for column in ("first", "last", "last / first"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("changed")
    for one in history.series:
        first, last = one.points[0].seconds, one.points[-1].seconds
        table.add_row(
            plain_text(one.case),
            plain_text(one.contender),
            Text(spark_line(one, len(history.runs)), no_wrap=True),
            notation.seconds(first),
            notation.seconds(last),
            notation.ratio(last / first),
            Text("\n").join(
                Text(text, STYLES[change.verdict])
                for change in one.changes
                for text in [change_in_words(change, history.runs)]
            ),
        )
    yield table
    yield Text()
    names = [f"{run.label} ({run.time_utc})" for run in history.runs]
    yield plain_text(f"runs: {', '.join(names)}", "dim")
    yield Text(history.headline, "bold")


def change_in_words(change: Change, runs: Sequence[Run]) -> str:
    """For instance: "1.31 times slower from 4f2a91c on"."""
    factor = notation.digits(max(change.ratio, 1 / change.ratio))
    label = plain_text(runs[change.run].label).plain
    return f"{factor} times {change.verdict.value} from {label} on"


def spark_line(series: Series, runs: int) -> str:
    """The times of a series as bars, a run a character, on a logarithmic scale."""
    logs = np.log([point.seconds for point in series.points])
    low = float(logs.min())
    # Of a series that hardly moves, noise must not look like a mountain.
    scale = max(float(logs.max()) - low, np.log(2) / 2)
    bars = [" "] * runs
    for point, value in zip(series.points, logs, strict=True):
        bars[point.run] = _BARS[round(float((value - low) / scale) * (len(_BARS) - 1))]
    return "".join(bars)


# -- JSON and the page -----------------------------------------------------------------------


def render_json(history: History) -> bytes:
    """For programs."""
    labels = [run.label for run in history.runs]
    document = {
        "runs": [{"label": run.label, "time_utc": run.time_utc} for run in history.runs],
        "series": [
            {
                "case": one.case,
                "key": one.key,
                "contender": one.contender,
                "points": [
                    {
                        "run": labels[point.run],
                        "seconds": point.seconds,
                        "low": point.low,
                        "high": point.high,
                    }
                    for point in one.points
                ],
                "changes": [
                    {"run": labels[c.run], "ratio": c.ratio, "verdict": c.verdict.value}
                    for c in one.changes
                ],
            }
            for one in history.series
        ],
    }
    return msgspec.json.format(msgspec.json.encode(document))


@dataclass(frozen=True)
class Plot:
    """A series as the page draws it, in the units of its picture."""

    series: Series
    dots: tuple[Mapping[str, object], ...]
    line: str
    marks: tuple[Mapping[str, object], ...]
    last: str


WIDTH, HEIGHT, EDGE = 260.0, 96.0, 8.0


def render_html(history: History, title: str = "speedmetal history") -> str:
    """One page with a small picture for each series; it needs no network and no script."""
    css = own_text("report.css")
    return template("history.html.j2").render(
        title=title,
        history=history,
        plots=[_plot(one, history.runs) for one in history.series],
        css=css,
        width=WIDTH,
        height=HEIGHT,
        change_in_words=change_in_words,
    )


def _plot(series: Series, runs: Sequence[Run]) -> Plot:
    edges = [_bounded(edge, p.seconds) for p in series.points for edge in (p.low, p.high)]
    low, high = float(np.log(min(edges))), float(np.log(max(edges)))
    middle, half = (low + high) / 2, max((high - low) / 2, float(np.log(1.1)))

    def across(run: int) -> float:
        return round(EDGE + (WIDTH - 2 * EDGE) * (run + 0.5) / len(runs), 1)

    def down(seconds: float) -> float:
        share = (float(np.log(seconds)) - middle + half) / (2 * half)
        return round(HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * share, 1)

    dots = tuple(
        {
            "x": across(point.run),
            "y": down(point.seconds),
            "low": down(_bounded(point.low, point.seconds)),
            "high": down(_bounded(point.high, point.seconds)),
            "text": f"{runs[point.run].label}: {notation.seconds(point.seconds)}"
            f" ({notation.seconds(point.low)} to {notation.seconds(point.high)})",
        }
        for point in series.points
    )
    marks = tuple(
        {
            "x": round((across(change.run) + across(change.run - 1)) / 2, 1),
            "tone": change.verdict.value,
            "text": change_in_words(change, runs),
        }
        for change in series.changes
    )
    line = " ".join(f"{dot['x']},{dot['y']}" for dot in dots)
    return Plot(series, dots, line, marks, notation.seconds(series.points[-1].seconds))


def _bounded(edge: float, seconds: float) -> float:
    """An edge that can be drawn: that of one or two rounds can be anywhere."""
    return min(max(edge, seconds / notation.SPREAD_EDGE), seconds * notation.SPREAD_EDGE)
