"""``speedmetal doctor``: what was typed, and what is said at the end."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis  # noqa: F401 - the suite needs it: if it is missing, that is said at once
import pytest  # noqa: F401 - the same
from rich.console import Console

from speedmetal.bench.commands.arguments import seconds
from speedmetal.doctor import document
from speedmetal.doctor.display import Lines
from speedmetal.doctor.examination import Examination
from speedmetal.doctor.privacy import redaction_of_this_machine
from speedmetal.doctor.results import Result, Status
from speedmetal.errors import UserInputError
from speedmetal.system import disk_cache as cache

EXIT_OK = 0
EXIT_NOT_ALL_HOLD = 1
EXIT_INTERRUPTED = 130


def execute(*, out: str | None, budget: str, quick: bool) -> int:
    """Examine this machine and write the file.

    Returns:
        0 where everything holds; 1 where something is wrong or was not checked; 130 after Ctrl-C.

    Raises:
        UserInputError: The budget is no duration, or the file cannot be written, which is tried
            before anything else.
        ReportError: The file cannot be written at the end; its content is printed instead.
    """
    budget_seconds = seconds("--budget", budget)
    assert budget_seconds is not None
    now = datetime.now(UTC)
    path = Path(out or f"speedmetal-doctor-{now:%Y-%m-%d-%H%M%S}.json")
    report = _Report(path, f"{now:%Y-%m-%d %H:%M:%S} UTC", budget_seconds, quick=quick)
    try:
        report.write([], is_complete=False)
    except document.ReportError as error:
        raise UserInputError(f"{error}; name another file with --out") from error
    with tempfile.TemporaryDirectory(prefix="speedmetal-doctor-") as scratch, Lines() as display:
        # Compiled code is neither taken from the user's cache nor left there.
        os.environ[cache.FOLDER_VARIABLE] = str(Path(scratch) / "cache")
        examination = Examination(budget_seconds, quick, Path(scratch), display, report.keep)
        # A request to end is answered as Ctrl-C is.
        with _handle_signal(signal.SIGTERM, signal.default_int_handler):
            examination.run()
    return report.finish(examination.results, was_interrupted=examination.supervisor.is_stopped)


class _Report:
    """The file while it grows."""

    def __init__(self, path: Path, started: str, budget_seconds: float, *, quick: bool) -> None:
        self._path = path
        self._started = started
        self._settings = {"budget_seconds": budget_seconds, "quick": quick}
        self._redaction = redaction_of_this_machine()

    def text(self, results: list[Result], *, is_complete: bool) -> str:
        return document.render_document(
            document.document(
                results,
                started=self._started,
                settings=self._settings,
                is_complete=is_complete,
                redaction=self._redaction,
            )
        )

    def write(self, results: list[Result], *, is_complete: bool) -> None:
        document.write(self.text(results, is_complete=is_complete), self._path)

    def keep(self, results: list[Result]) -> None:
        """Write the results so far; a failure is ignored, as the file is written again at the
        end.
        """
        try:
            self.write(results, is_complete=False)
        except document.ReportError as error:
            Console(stderr=True).print(f"{error}; going on")

    def finish(self, results: list[Result], *, was_interrupted: bool) -> int:
        """Write the whole, and say what the outcome is."""
        try:
            self.write(results, is_complete=True)
        except document.ReportError:
            sys.stdout.write(self.text(results, is_complete=True))
            raise
        console = Console(highlight=False, soft_wrap=True)
        console.print(document.conclusion(results), markup=False)
        console.print(f"everything is in {self._path}", markup=False)
        if was_interrupted:
            return EXIT_INTERRUPTED
        holds = all(result.status in {Status.OK, Status.SKIPPED} for result in results)
        return EXIT_OK if holds else EXIT_NOT_ALL_HOLD


@contextmanager
def _handle_signal(number: signal.Signals, handler: Callable[[int, Any], Any]) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)
