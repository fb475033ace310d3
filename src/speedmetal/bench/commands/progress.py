"""How a run shows its progress: a screen that moves, a line every ten seconds, or nothing."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from speedmetal.bench.commands.forecast import Forecast
from speedmetal.bench.operations import words
from speedmetal.bench.record import CaseRecord, Status
from speedmetal.bench.report.console import replace_controls
from speedmetal.bench.report.notation import duration
from speedmetal.bench.report.terminal import running_table

SHOWN_CASES = 6  # in the running table
LINE_SECONDS = 10.0  # between the lines of a log
REDRAWS_PER_SECOND = 4
# What a run is asked for and the machine cannot do is told at the end; what went wrong, at once.
_EXPECTED = (Status.OK, Status.SKIPPED, Status.UNSUPPORTED)


class QuietProgress:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def expect(self, forecast: Forecast) -> None:
        """Take what tells the time that is left; a run of which nothing is expected has none."""

    def start_run(self, cases: int, done: int) -> None:
        pass

    def phase(self, case: str, text: str) -> None:
        pass

    def finish_case(self, records: Sequence[CaseRecord]) -> None:
        pass

    def message(self, text: str) -> None:
        pass


class _Counting(QuietProgress):
    """Knows how far a run is; what it shows is its subclasses' matter.

    The run tells from its own thread, and the display is drawn by another.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._forecast = Forecast([])
        self._total = 0
        self._done = 0
        self._case = ""
        self._phase = "starting"
        self._failures: set[tuple[str, str, Status]] = set()

    def expect(self, forecast: Forecast) -> None:
        with self._lock:
            self._forecast = forecast

    def start_run(self, cases: int, done: int) -> None:
        with self._lock:
            self._total, self._done = cases, done
            self._forecast.start(cases - done)

    def phase(self, case: str, text: str) -> None:
        with self._lock:
            if case and case != self._case:
                self._forecast.begin_case()
            self._case, self._phase = case, f"{case}: {text}" if case else text

    def finish_case(self, records: Sequence[CaseRecord]) -> None:
        with self._lock:
            self._done += 1
            self._case = ""
            if records:
                self._forecast.finish_case(records[0].case.key, records[0].session)
        for record in records:
            failure = (record.case.key, record.contender.key, record.status)
            # Once, though a failure comes again in every session.
            if record.status not in _EXPECTED and failure not in self._failures:
                self._failures.add(failure)
                case = words.case_in_words(record.case)
                self.message(f"{record.status}: {record.contender.key}, {case}: {record.reason}")

    def _clock(self) -> str:
        """How long it runs, and how long it still will."""
        elapsed = duration(self._forecast.elapsed_seconds)
        left = self._forecast.left_seconds()
        return elapsed if left is None else f"{elapsed}, about {duration(left)} left"


class PlainProgress(_Counting):
    """A line on standard error every ten seconds, and one for each failure: for logs and pipes.

    A line tells what is going on, whether anything has come to its end or not: nobody should have
    to guess whether a silent run waits, works or hangs.
    """

    def __init__(self) -> None:
        super().__init__()
        self._ended = threading.Event()
        self._watcher: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._watcher is not None:
            self._watcher.join()

    def start_run(self, cases: int, done: int) -> None:
        super().start_run(cases, done)
        self._print(_plan(self._forecast, cases, done))

    def message(self, text: str) -> None:
        self._print(text)

    def _watch(self) -> None:
        while not self._ended.wait(LINE_SECONDS):
            with self._lock:
                count = f"[{self._done}/{self._total}] " if self._total else ""
                line = f"{count}{self._clock()}: {self._phase}"
            self._print(line)

    def _print(self, text: str) -> None:
        with self._lock:  # two threads speak
            print(replace_controls(text), file=sys.stderr, flush=True)  # noqa: T201 - the display


def _plan(forecast: Forecast, cases: int, done: int) -> str:
    """What a run is about to do."""
    text = words.count(cases, "case")
    if forecast.sessions > 1:
        times = words.count(forecast.cases, "case")
        text = f"{times} in each of {forecast.sessions} sessions"
    if done:
        text += f", {done} of {cases} done before"
    if forecast.budget_seconds is not None:
        text += f"; at most about {duration(forecast.budget_seconds)}"
    return text


class LiveProgress(_Counting):
    """A bar with the time left and what is in work, above a table of the last results."""

    def __init__(self) -> None:
        super().__init__()
        self._console = Console(stderr=True)
        self._recent: list[Sequence[CaseRecord]] = []
        # Drawn anew by its own thread, so that the clock moves while a case takes long.
        self._live = Live(
            get_renderable=self.draw,
            console=self._console,
            refresh_per_second=REDRAWS_PER_SECOND,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def finish_case(self, records: Sequence[CaseRecord]) -> None:
        super().finish_case(records)
        with self._lock:
            self._recent = [*self._recent, records][-SHOWN_CASES:]

    def message(self, text: str) -> None:
        self._console.print(Text(replace_controls(text), "yellow"))

    def draw(self) -> RenderableType:
        """The screen as it is now."""
        with self._lock:
            parts: list[RenderableType] = [self._bar()]
            parts.append(Text(self._phase, "dim", no_wrap=True, overflow="ellipsis"))
            if self._recent:
                parts.append(running_table([r for records in self._recent for r in records]))
        return Group(*parts)

    def _bar(self) -> RenderableType:
        """By time and not by cases, of which the last take longest."""
        elapsed, left = self._forecast.elapsed_seconds, self._forecast.left_seconds()
        known = left is not None and self._total > 0
        bar = ProgressBar(
            total=elapsed + left if known and left is not None else None,
            completed=elapsed,
            pulse=not known,
            animation_time=time.monotonic(),
        )
        row = Table.grid(padding=(0, 2), expand=True)
        row.add_column(no_wrap=True)
        row.add_column(ratio=1)
        row.add_column(no_wrap=True)
        count = f"{self._done}/{self._total}" if self._total else ""
        row.add_row(Text(count), bar, Text(self._clock()))
        return row
