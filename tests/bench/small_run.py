"""A small run of planted frameworks (`planted.py`), in real workers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from small_ceilings import small_ceilings
from speedmetal.bench.frameworks import FRAMEWORKS, find_framework
from speedmetal.bench.frameworks.base import Settings
from speedmetal.bench.operations import OPERATIONS
from speedmetal.bench.record import CaseRecord, CaseSpec, Contender
from speedmetal.bench.runner import unrest
from speedmetal.bench.runner.rounds import Precision
from speedmetal.bench.runner.run import RunOptions, run
from speedmetal.bench.store import Records
from speedmetal.bench.suites import SuiteEntry, make_case


class Silent:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.counts: list[tuple[int, int]] = []
        self.finished: list[CaseRecord] = []

    def start_run(self, cases: int, done: int) -> None:
        self.counts.append((cases, done))

    def phase(self, case: str, text: str) -> None:
        pass

    def finish_case(self, records: Sequence[CaseRecord]) -> None:
        self.finished += records

    def message(self, text: str) -> None:
        self.messages.append(text)


def case_of(
    operation: str, dtype: str = "float32", direction: str = "forward", **parameters: Any
) -> CaseSpec:
    """A case of a run."""
    return make_case(SuiteEntry(OPERATIONS[operation], parameters), dtype, direction, "ieee")


def contender_of(name: str) -> Contender:
    """A planted framework as a contender in its first mode, or a real one by its own name."""
    framework = f"planted:{name}" if name.isupper() else name
    mode = "eager" if framework in FRAMEWORKS else find_framework(framework).default_modes[0]
    return Contender(framework=framework, device="cpu", mode=mode)


def worker_path(*folders: Path) -> dict[str, str]:
    """Variables under which other processes find the modules of tests, and those of ``folders``."""
    here = Path(__file__).parent
    paths = [*map(str, (*folders, here, here.parent)), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def measure(
    out: Path,
    cases: Sequence[CaseSpec],
    names: Sequence[str],
    observer: Silent | None = None,
    **options: Any,
) -> Records:
    """A real run of the cases on planted frameworks, with few rounds in one session."""
    values: dict[str, Any] = {
        "suite": "planted",
        "cases": cases,
        "contenders": [contender_of(name) for name in names],
        "settings": Settings(threads=1),
        "out": out,
        "case_timeout_seconds": 60.0,
        "sessions": 1,
        "precision": Precision(least_rounds=5, most_rounds=8, half_width=0.5),
    }
    with (
        small_ceilings(),
        mock.patch.object(unrest, "LOOKS", 4),
        mock.patch.dict(os.environ, worker_path()),
    ):
        return run(RunOptions(**(values | options)), observer or Silent())


def last_records(records: Records) -> dict[tuple[str, str], CaseRecord]:
    """By case label and planted name; a later record supersedes an earlier one."""
    return {
        (r.case.label, r.contender.framework.removeprefix("planted:")): r for r in records.cases
    }
