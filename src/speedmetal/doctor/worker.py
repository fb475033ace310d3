"""A check's own process: ``python -m speedmetal.doctor.worker MODULE SUBJECT [--quick]``."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass

from speedmetal.doctor import traces
from speedmetal.doctor.events import Events
from speedmetal.doctor.results import Finding


@dataclass(frozen=True, slots=True)
class Task:
    """What a check is asked.

    Args:
        subject: The device to examine; empty where the check is about the machine.
        is_quick: Whether it should be content with less.
        progress: To be told how much is done, of how much.
    """

    subject: str
    is_quick: bool
    progress: Callable[[int, int], None]


def main(arguments: list[str]) -> None:
    """Examine, and tell the finding; a failure of the check itself goes to standard error."""
    module, subject, *flags = arguments
    traces.install()
    events = Events()
    task = Task(
        subject,
        "--quick" in flags,
        lambda done, total: events.send(done=done, total=total),
    )
    finding: Finding = importlib.import_module(module).examine(task)
    events.send(finding=finding.as_json())


if __name__ == "__main__":
    main(sys.argv[1:])
