"""The conformance suite on one device, whatever its tests do to their process.

Several processes share the tests. Where one crashes or hangs, the test it was at has failed, and a
new process goes on with the others.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speedmetal.doctor import suite
from speedmetal.doctor.results import Finding, Result, Status
from speedmetal.doctor.supervisor import Ending, How, Supervisor

NAME = "conformance"
TEST_SECONDS = 60.0
"""A test that takes longer hangs; the slowest takes less than one."""

MAXIMUM_PARTS = 4
MAXIMUM_LOSSES = 20
"""Of processes, for each part: a device on which more crash is not worth the time."""

QUICK_EVERY = 20
"""With ``--quick``, one test in so many."""

OUTCOMES = ("passed", "failed", "crashed", "hung", "skipped")
PYTEST_HAS_RUN = frozenset({0, 1, 5})
"""Exit statuses of pytest: all passed, some failed, none were left to run."""

SHOWN_FAILURES = 20
"""Failures are shown in full; of those beyond it, the names."""


@dataclass
class Tally:
    """What became of the tests of all parts so far.

    Args:
        parts: Into which the tests are divided.
        collected: Tests to run, by part, of those that have got that far.
        outcomes: ``passed``, ``failed``, ``skipped`` by test; ``crashed`` or ``hung`` where the
            test took its process along.
        texts: Why a test did not pass.
        broken: Where a part came to an end before its last test: why.
        output: What the process of such a part wrote.
    """

    parts: int = 1
    collected: dict[int, int] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    output: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return sum(self.collected.values())

    @property
    def done(self) -> int:
        return len(self.outcomes)

    def with_outcome(self, *outcomes: str) -> list[str]:
        return [test for test, outcome in self.outcomes.items() if outcome in outcomes]


@dataclass(frozen=True)
class Conformance:
    """A run of the suite on a device.

    Args:
        device: Its name.
        supervisor: What runs the processes.
        scratch: A folder to work in.
        deadline: On the monotonic clock.
        is_quick: Whether a sample of the tests will do.
        progress: Told how many tests of how many are done.
        folder: The suite; another than the real one in tests.
        test_seconds: The most that a test may take.
    """

    device: str
    supervisor: Supervisor
    scratch: Path
    deadline: float
    is_quick: bool
    progress: Callable[[int, int], None]
    folder: Path | None = None
    test_seconds: float = TEST_SECONDS

    def run(self) -> Result:
        """Run all parts, and sum up."""
        start = time.monotonic()
        folder = self.folder or suite.suite_folder()
        parts = max(1, min(MAXIMUM_PARTS, os.cpu_count() or 1))
        tally = Tally(parts)
        with ThreadPoolExecutor(parts) as pool:
            runs = [_Part(self, folder, tally, part, parts) for part in range(parts)]
            futures = [pool.submit(run.run) for run in runs]
            try:
                # Waiting here, not for the pool, leaves the main thread open to Ctrl-C.
                wait(futures)
            except KeyboardInterrupt:
                # What the tests so far gave is not lost; the examination asks the supervisor.
                self.supervisor.stop()
        for future in futures:
            future.result()
        return summarise_tests(self.device, tally, time.monotonic() - start)


@dataclass
class _Part:
    """A share of the tests, in one process after another."""

    owner: Conformance
    folder: Path
    tally: Tally
    part: int
    parts: int
    _own: set[str] = field(default_factory=set)
    _current: str = ""
    _wanted: int | None = None

    def run(self) -> None:
        for _ in range(MAXIMUM_LOSSES):
            ending = self._run_once()
            if ending.how in {How.STOPPED, How.OUT_OF_TIME} or self._is_complete(ending):
                return
            if not self._current:
                self.tally.broken.append(f"outside of the tests, {ending.describe()}")
                self.tally.output = ending.tail
                return
            self._lose(ending)
        self.tally.broken.append(f"{MAXIMUM_LOSSES} processes were lost; the rest was left out")

    def _run_once(self) -> Ending:
        owner = self.owner
        without = owner.scratch / f"without-{owner.device}-{self.part}"
        without.write_text("\n".join(sorted(self._own)), "utf-8")
        self._current = ""
        return owner.supervisor.run(
            pytest_command(
                self.folder,
                owner.device,
                "--doctor-part",
                f"{self.part}/{self.parts}",
                "--doctor-every",
                str(QUICK_EVERY if owner.is_quick else 1),
                "--doctor-without",
                str(without),
            ),
            folder=owner.scratch,
            seconds=max(0.0, owner.deadline - time.monotonic()),
            stall_seconds=owner.test_seconds,
            on_event=self._on_event,
            # Whatever plugins are installed here stay out of it; every combination runs.
            variables={
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "PYTEST_ADDOPTS": "",
                "SPEEDMETAL_TEST_TIER": "nightly",
            },
        )

    def _is_complete(self, ending: Ending) -> bool:
        has_run = ending.how is How.RETURNED and ending.code in PYTEST_HAS_RUN
        return has_run and len(self._own) == self._wanted

    def _on_event(self, event: Mapping[str, Any]) -> None:
        if "collected" in event and self._wanted is None:
            self._wanted = self.tally.collected[self.part] = event["collected"]
        elif "started" in event:
            self._current = event["started"]
        elif "ended" in event:
            self._note(event["ended"], event["outcome"], event["text"])
            self._current = ""
        self.owner.progress(self.tally.done, self.tally.total)

    def _lose(self, ending: Ending) -> None:
        outcome = "hung" if ending.how is How.STALLED else "crashed"
        said = "\n".join(ending.tail)
        self._note(self._current, outcome, f"{ending.describe()}\n{said}")

    def _note(self, test: str, outcome: str, text: str) -> None:
        self._own.add(test)
        self.tally.outcomes[test] = outcome
        self.tally.texts[test] = text


def pytest_command(folder: Path, device: str, *options: str) -> list[str]:
    """Run the suite's tests of a device, whatever pytest's settings here are."""
    return [
        *(sys.executable, "-P", "-B", "-m", "pytest", "-q", "--tb=short", "--color=no"),
        *("-c", os.devnull, "--rootdir", str(folder), "--confcutdir", str(folder)),
        *("-p", "no:cacheprovider", "-p", "speedmetal.doctor.conformance_plugin"),
        *("--doctor-device", device, *options, str(folder / "conformance")),
    ]


def summarise_tests(device: str, tally: Tally, seconds: float) -> Result:
    """The result of a device's tests."""
    counts = Counter(tally.outcomes.values())
    bad = tally.with_outcome("crashed", "hung", "failed")
    problems = [f"{tally.outcomes[test]}: {test}" for test in bad] + tally.broken
    is_all_collected = len(tally.collected) == tally.parts
    if is_all_collected and not tally.total and not problems:
        problems.append(f"the suite has no test of {device}")
    missing = tally.total - tally.done
    reasons = Counter(tally.texts[test] for test in tally.with_outcome("skipped"))
    facts = {
        "tests": tally.total,
        **counts,
        "not run": missing,
        "skipped because": dict(reasons.most_common()),
        "failures": {test: tally.texts[test].splitlines() for test in bad[:SHOWN_FAILURES]},
    }
    status = Finding(problems=tuple(problems)).status
    note = ", ".join(f"{counts[o]} {o}" for o in OUTCOMES if counts[o]) or "no test has run"
    if missing or not is_all_collected:
        status = Status.NOT_RUN if status is Status.OK else status
        note += f", {missing or 'all'} not run"
    return Result(NAME, device, status, note, seconds, facts, tuple(problems), tally.output)
