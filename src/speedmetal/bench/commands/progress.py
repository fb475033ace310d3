"""How a run shows its progress: a bar and a running table, plain lines, or nothing."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from speedmetal.bench.compare import summary_of
from speedmetal.bench.record import CaseRecord
from speedmetal.bench.report.notation import seconds
from speedmetal.bench.report.terminal import running_table

SHOWN_CASES = 6  # in the running table
SILENCE_SECONDS = 5.0  # after as long without a line, plain progress tells what is going on


class QuietProgress:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def start_run(self, cases: int, done: int) -> None:
        pass

    def phase(self, case: str, text: str) -> None:
        pass

    def finish_case(self, records: Sequence[CaseRecord]) -> None:
        pass

    def message(self, text: str) -> None:
        pass


class PlainProgress(QuietProgress):
    """A line a case, on standard error: for logs and pipes.

    What is going on in between is told only where it takes long: nobody should have to guess
    whether a silent run waits, works or hangs.
    """

    def __init__(self) -> None:
        self._total = 0
        self._done = 0
        self._phase = "starting"
        self._started = self._last_line = time.monotonic()
        self._lock = threading.Lock()
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
        self._total, self._done = cases, done
        self._print(f"{cases} cases" + (f", {done} done before" if done else ""))

    def phase(self, case: str, text: str) -> None:
        self._phase = f"{case}: {text}" if case else text

    def finish_case(self, records: Sequence[CaseRecord]) -> None:
        self._done += 1
        results = "  ".join(f"{r.contender.key} {_outcome(r)}" for r in records)
        label = records[0].case.label if records else ""
        self._print(f"[{self._done}/{self._total}] {label}: {results}")

    def message(self, text: str) -> None:
        self._print(text)

    def _watch(self) -> None:
        while not self._ended.wait(max(0.0, self._silence_left())):
            if self._silence_left() <= 0:
                elapsed = time.monotonic() - self._started
                self._print(f"  after {elapsed:.0f} s: {self._phase}")

    def _silence_left(self) -> float:
        return self._last_line + SILENCE_SECONDS - time.monotonic()

    def _print(self, text: str) -> None:
        with self._lock:  # two threads speak
            self._last_line = time.monotonic()
            print(text, file=sys.stderr, flush=True)  # noqa: T201 - this is the display


class LiveProgress(QuietProgress):
    """A bar with the case in work and the time left, above a table of the last results."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._task: TaskID | None = None
        self._phase = ""
        self._recent: list[Sequence[CaseRecord]] = []
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def start_run(self, cases: int, done: int) -> None:
        self._task = self._progress.add_task("cases", total=cases, completed=done)
        self._draw()

    def phase(self, case: str, text: str) -> None:
        self._phase = f"{case}: {text}" if case else text
        self._draw()

    def finish_case(self, records: Sequence[CaseRecord]) -> None:
        self._recent = [*self._recent, records][-SHOWN_CASES:]
        if self._task is not None:
            self._progress.advance(self._task)
        self._draw()

    def message(self, text: str) -> None:
        self._console.print(Text(text, "yellow"))

    def _draw(self) -> None:
        parts = [self._progress.get_renderable(), Text(self._phase, "dim")]
        if self._recent:
            parts.append(running_table([r for records in self._recent for r in records]))
        self._live.update(Group(*parts))


def _outcome(record: CaseRecord) -> str:
    summary = summary_of(record)
    return seconds(summary.median) if summary else record.status.value
