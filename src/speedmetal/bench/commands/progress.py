"""How a run shows its progress: a bar and a running table, plain lines, or nothing."""

from __future__ import annotations

import sys
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
    """A line a case, on standard error: for logs and pipes."""

    def __init__(self) -> None:
        self._total = 0
        self._done = 0

    def start_run(self, cases: int, done: int) -> None:
        self._total, self._done = cases, done
        self._print(f"{cases} cases" + (f", {done} done before" if done else ""))

    def finish_case(self, records: Sequence[CaseRecord]) -> None:
        self._done += 1
        results = "  ".join(f"{r.contender.key} {_outcome(r)}" for r in records)
        label = records[0].case.label if records else ""
        self._print(f"[{self._done}/{self._total}] {label}: {results}")

    def message(self, text: str) -> None:
        self._print(text)

    def _print(self, text: str) -> None:
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
