"""An examination: which checks run, in what order, and what is kept when something goes wrong."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from speedmetal.doctor import conformance, worker
from speedmetal.doctor.results import Finding, Result, Status, format_title
from speedmetal.doctor.supervisor import Ending, How, Supervisor

PACKAGE = "speedmetal.doctor.checks"
MINIMUM_SECONDS = 1.0
"""A check is not begun with less than this left."""


HANGS_AFTER_SECONDS = 150.0
"""No check but the conformance suite takes a third of this."""

DEVICE_CHECKS: tuple[tuple[str, frozenset[str] | None], ...] = (
    ("kernel", None),
    ("sdk_metadata", frozenset({"metal"})),
    ("printed", frozenset({"metal"})),
    ("leaks", None),
    ("figures", None),
    (conformance.NAME, None),
)
"""What devices are examined for, and the kinds of devices that it applies to (None: all), in this
order: what takes longest comes last."""

TRIED_BLINDLY = ("metal", "cpu") if sys.platform == "darwin" else ("cpu",)
"""Where the devices cannot even be listed; on a Mac, Metal is what this is about."""


@dataclass(frozen=True, slots=True)
class Check:
    """Something to be examined: a module of :mod:`speedmetal.doctor.checks`, or the suite.

    Args:
        name: Of the module, and in the report.
        subject: The device; empty where it is about the machine.
        is_simulated: Whether that device is simulated.
    """

    name: str
    subject: str = ""
    is_simulated: bool = False

    @property
    def title(self) -> str:
        return format_title(self.name, self.subject, is_simulated=self.is_simulated)


class Display(Protocol):
    """Where a person can see how far it is."""

    def plan_checks(self, checks: int) -> None: ...

    def start_check(self, title: str) -> None: ...

    def advance_check(self, done: int, total: int) -> None: ...

    def finish_check(self, result: Result) -> None: ...


@dataclass
class Examination:
    """Runs all checks, one after another.

    Args:
        budget_seconds: For all of them.
        is_quick: Whether they should be content with less.
        scratch: A folder to work in.
        display: Shows how far it is.
        keep: Called with the results so far, after each check.
    """

    budget_seconds: float
    is_quick: bool
    scratch: Path
    display: Display
    keep: Callable[[list[Result]], None]
    supervisor: Supervisor = field(default_factory=Supervisor)
    results: list[Result] = field(default_factory=list)

    def run(self) -> None:
        """Run what there is time for; after Ctrl-C, note that the others were not run."""
        deadline = time.monotonic() + self.budget_seconds
        plan: list[Check] = [Check("machine"), Check("devices")]
        self.display.plan_checks(len(plan))
        try:
            while plan:
                result = self._run(plan[0], deadline)
                check = plan.pop(0)
                self._note(replace(result, is_simulated=check.is_simulated))
                if check.name == "devices":
                    self._note_absent(result)
                    plan += self._device_checks(result)
                    self.display.plan_checks(len(self.results) + len(plan))
                if self.supervisor.is_stopped:  # Ctrl-C, which the suite has answered itself
                    break
        except KeyboardInterrupt:
            self.supervisor.stop()
        for check in plan:
            self._note(Result(check.name, check.subject, Status.NOT_RUN, "interrupted"))

    def _note(self, result: Result) -> None:
        self.results.append(result)
        self.display.finish_check(result)
        self.keep(self.results)

    def _note_absent(self, devices: Result) -> None:
        for name, facts in devices.facts.items():
            if "reason" in facts:
                self._note(Result("device", name, Status.SKIPPED, facts["reason"]))

    def _device_checks(self, devices: Result) -> Iterator[Check]:
        """The checks of the devices that are there: each check of all devices, then the next."""
        there = {name: facts for name, facts in devices.facts.items() if "reason" not in facts}
        if not there:
            there = {name: {"kind": name, "simulated": False} for name in TRIED_BLINDLY}
        for check, applies_to in DEVICE_CHECKS:
            for name, facts in there.items():
                if applies_to is None or facts["kind"] in applies_to:
                    yield Check(check, name, facts["simulated"])

    def _run(self, check: Check, deadline: float) -> Result:
        self.display.start_check(check.title)
        left = deadline - time.monotonic()
        if left < MINIMUM_SECONDS:
            return Result(check.name, check.subject, Status.NOT_RUN, "out of time")
        if check.name == conformance.NAME:
            return conformance.Conformance(
                check.subject,
                self.supervisor,
                self.scratch,
                deadline,
                self.is_quick,
                self.display.advance_check,
            ).run()
        return self._run_function(check, left)

    def _run_function(self, check: Check, left: float) -> Result:
        """Run a check of :mod:`speedmetal.doctor.checks`."""
        start = time.monotonic()
        told: dict[str, Any] = {}

        def listen(event: Mapping[str, Any]) -> None:
            told.update(event)
            if "done" in event:
                self.display.advance_check(event["done"], event["total"])

        flags = ["--quick"] if self.is_quick else []
        ending = self.supervisor.run(
            [
                *(sys.executable, "-P", "-m", worker.__name__),
                *(f"{PACKAGE}.{check.name}", check.subject, *flags),
            ],
            folder=self.scratch,
            seconds=min(left, HANGS_AFTER_SECONDS),
            stall_seconds=HANGS_AFTER_SECONDS,
            on_event=listen,
        )
        seconds = time.monotonic() - start
        finding = Finding.from_json(told["finding"]) if "finding" in told else None
        status, note = _judge_check(finding, ending, is_budget_short=left < HANGS_AFTER_SECONDS)
        facts = finding.facts if finding else {}
        problems = finding.problems if finding else ()
        output = () if status in {Status.OK, Status.SKIPPED} else ending.tail
        return Result(check.name, check.subject, status, note, seconds, facts, problems, output)


def _judge_check(
    finding: Finding | None, ending: Ending, *, is_budget_short: bool
) -> tuple[Status, str]:
    """Status and note of a check from what it found, and from how its process ended."""
    if ending.how is How.OUT_OF_TIME and is_budget_short and finding is None:
        return Status.NOT_RUN, "out of time"
    if finding is None:
        said = next((line for line in reversed(ending.tail) if line.strip()), "")
        return Status.FAILED, f"{ending.describe()}: {said}" if said else ending.describe()
    if ending.how is not How.RETURNED or ending.code:
        # What was found holds; but the process could not end as it should.
        return Status.FAILED, f"after the check, {ending.describe()}"
    if finding.problems:
        return Status.FAILED, finding.problems[0]
    return finding.status, finding.skipped or finding.note
