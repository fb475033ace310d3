"""Waiting for a device, with a limit and so that Ctrl-C ends it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

from speedmetal.errors import DeviceError

_SPIN_SECONDS = 200e-6
"""How long to poll without a pause: about the round trip of one small piece of work to a GPU."""
_LONGEST_NAP_SECONDS = 1e-3


def _let_others_run() -> None:
    """Let other threads run, in some microseconds: under Linux a nap of nothing takes 60."""
    if hasattr(os, "sched_yield"):
        os.sched_yield()
    else:
        time.sleep(0)


class Waiting:
    """What can be waited for. Polls: drivers' own waits know no limit and no Ctrl-C.

    Args:
        name: Of the device, for messages.

    Attributes:
        name: The same.
        time_limit_seconds: The longest wait; None: without limit, until Ctrl-C.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.time_limit_seconds: float | None = None

    def wait_until(self, is_over: Callable[[], bool], running: Callable[[], Iterable[str]]) -> None:
        """Wait.

        Args:
            is_over: Looks at the device.
            running: The kernels that were not seen to end, for the message.

        Raises:
            DeviceError: The time limit is over.
        """
        started = time.monotonic()
        while not is_over():
            elapsed = time.monotonic() - started
            if self.time_limit_seconds is not None and elapsed > self.time_limit_seconds:
                names = ", ".join(map(repr, dict.fromkeys(running())))
                raise DeviceError(
                    f"{self.name} has not finished after {elapsed:.1f} s (the time limit is"
                    f" {self.time_limit_seconds} s); still running or waiting: {names or 'copies'};"
                    " look for a loop that does not end, or raise the limit"
                )
            if elapsed < _SPIN_SECONDS:
                _let_others_run()
            else:
                time.sleep(min(_LONGEST_NAP_SECONDS, elapsed / 8))
