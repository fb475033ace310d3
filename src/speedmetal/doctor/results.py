"""What checks find, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any


class Status(Enum):
    """How a check ended."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check itself has to say; it holds where there are no problems.

    Args:
        facts: What was measured or read; values that JSON has.
        problems: What is wrong, a line each.
        skipped: Why the check does not apply here; empty where it does.
        note: What the check wants to be read beside its status; one line.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    skipped: str = ""
    note: str = ""

    @property
    def status(self) -> Status:
        """Failed where there is a problem, else skipped where there is a reason, else ok.

        Example:
            >>> Finding(note="2 kernels").status
            <Status.OK: 'ok'>
        """
        if self.problems:
            return Status.FAILED
        return Status.SKIPPED if self.skipped else Status.OK

    def as_json(self) -> dict[str, Any]:
        """The finding as JSON, to be sent from a check's process to the doctor's."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Finding:
        """The finding from the fields that :meth:`as_json` wrote."""
        return cls(**{**fields, "problems": tuple(fields["problems"])})


@dataclass(frozen=True, slots=True)
class Result:
    """How a check of one subject ended.

    Args:
        check: Its name.
        subject: The device it was about; empty where it is about the machine.
        status: How it ended.
        note: Why, or what was found; one line.
        seconds: How long it took.
        facts: See `Finding`.
        problems: See `Finding`.
        output: The end of what its process wrote, a string a line; kept where it did not hold.
        is_simulated: Whether its subject is a simulated device.
    """

    check: str
    subject: str
    status: Status
    note: str = ""
    seconds: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    is_simulated: bool = False

    @property
    def title(self) -> str:
        return format_title(self.check, self.subject, is_simulated=self.is_simulated)


def format_title(check: str, subject: str, *, is_simulated: bool = False) -> str:
    """What a check is called.

    Example:
        >>> format_title("leaks", "metal-sim", is_simulated=True), format_title("machine", "")
        ('leaks on metal-sim (simulated)', 'machine')
    """
    if not subject:
        return check
    return f"{check} on {subject} (simulated)" if is_simulated else f"{check} on {subject}"
