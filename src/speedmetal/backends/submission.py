"""What a stream needs of a device: batches that it starts, and that end; counters between streams.

:mod:`speedmetal.backends.stream` has the rest: order, limits, waiting, errors.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Protocol, TypeVar

from speedmetal.common.records import record

_Command_contra = TypeVar("_Command_contra", contravariant=True)


class Status(enum.Enum):
    """How far a submission is."""

    RUNNING = enum.auto()
    DONE = enum.auto()
    FAILED = enum.auto()


class Submission(Protocol[_Command_contra]):
    """What a device was given at once: it runs, and ends. Empty at first."""

    def start(self, commands: Sequence[_Command_contra]) -> Sequence[tuple[str | None, Exception]]:
        """Give commands to the device, in order, without waiting.

        Returns:
            For each that could not be given, the kernel's name (None: a copy) and why. All others
            run.
        """

    def is_started(self) -> bool:
        """Whether the device has it; asked where :meth:`start` broke off."""

    def status(self) -> Status:
        """How far the device is."""

    def failure(self, labels: Sequence[str]) -> Exception | None:
        """Why it failed; None: as one before it did, which was told.

        Args:
            labels: The kernels in it, in order.
        """

    def times(self) -> tuple[float, float] | None:
        """When it began and ended, in seconds on the device's clock; None: the device was not asked
        to take them.
        """


@record
class BatchLimits:
    """How much a stream collects, and how much it has under way.

    Args:
        launches: That are submitted together at most, copies among them.
        touched_bytes: Of the arrays that they touch: when they are more, the batch is submitted.
        in_flight: Batches that are submitted and not finished; the next one waits for the oldest.
    """

    launches: int
    touched_bytes: int
    in_flight: int


@record
class Timing:
    """When a batch ran.

    Args:
        serial: Its number in the stream.
        labels: Of its launches, in order.
        start_seconds: On the device's clock.
        end_seconds: The same.
    """

    serial: int
    labels: tuple[str, ...]
    start_seconds: float
    end_seconds: float


class Counter(Protocol):
    """What an event is to the streams that raise it or wait for it."""

    def ensure(self, value: int) -> None:
        """Raise it to a value, unless it is there already."""

    def poll(self) -> None:
        """Let those that should raise it take note of what has finished, or failed."""
