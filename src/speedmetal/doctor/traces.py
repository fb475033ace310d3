"""Stacks of all threads on standard error: at a crash, and when the doctor asks where it hangs."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys

_kept: list[int] = []
"""Duplicates of standard error: others may redirect or close the original."""


def install() -> None:
    """From here on, crashes and SIGUSR1 write the stacks."""
    place = os.dup(sys.__stderr__.fileno() if sys.__stderr__ else 2)
    _kept.append(place)
    faulthandler.enable(place)
    faulthandler.register(signal.SIGUSR1, place)
