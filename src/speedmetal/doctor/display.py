"""How far the doctor is: a bar on a terminal, a line a check elsewhere."""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from speedmetal.doctor.document import overview_line
from speedmetal.doctor.results import Result, Status

_STYLES = {
    Status.OK: "green",
    Status.FAILED: "bold red",
    Status.SKIPPED: "dim",
    Status.NOT_RUN: "yellow",
}


class Lines:
    """A line a check on standard error, and above them, on a terminal, how far it is."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._all = self._progress.add_task("checks", total=2)
        self._present = self._progress.add_task("", total=1, visible=False)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def plan_checks(self, checks: int) -> None:
        self._progress.update(self._all, total=checks)

    def start_check(self, title: str) -> None:
        self._progress.reset(self._present, total=1, description=title, visible=False)

    def advance_check(self, done: int, total: int) -> None:
        self._progress.update(self._present, completed=done, total=total, visible=total > 0)

    def finish_check(self, result: Result) -> None:
        self._progress.advance(self._all)
        self._progress.update(self._present, visible=False)
        text = Text(overview_line(result))
        text.stylize(_STYLES[result.status], 0, len(result.status.value))
        self._console.print(text, soft_wrap=not self._console.is_terminal)
        for problem in result.problems[1:6] if result.status is Status.FAILED else ():
            self._console.print(Text(f"        {problem}"), soft_wrap=True)
