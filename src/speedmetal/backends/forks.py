"""Devices that do not survive a fork, and whose work must end before the process does.

A driver's connection to its GPU belongs to the process that made it: a forked child can neither use
nor close it. Work that nobody waited for is finished when the process ends, so that what kernels
printed, and how they failed, is told.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import weakref
from functools import cache
from typing import NoReturn, Protocol

from speedmetal.errors import DeviceError


def forked_message(name: str) -> str:
    """What uses of a device say in a forked child.

    Args:
        name: The device's.
    """
    return (
        f"{name} cannot be used in a process that was forked after it was first used; start"
        " processes with multiprocessing.get_context('spawn')"
    )


EXIT_SECONDS = 30.0
"""How long the end of the process waits for work that nobody waited for."""


class ForkedLock:
    """Takes the place of a lock in a forked child, so that every use ends in a clear error."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> NoReturn:
        raise DeviceError(forked_message(self._name))

    def __exit__(self, *_: object) -> None:
        """Never entered."""


class BoundToProcess(Protocol):
    """What only the process that made it can use."""

    def close_in_child(self) -> None:
        """Refuse any use from now on, in a forked child."""


class Drained(Protocol):
    """What has work that nobody may have waited for."""

    def drain(self) -> None:
        """At the end of the process: let the device finish, and tell what failed."""


_living: weakref.WeakSet[BoundToProcess] = weakref.WeakSet()


def close_in_children(bound: BoundToProcess) -> None:
    """Have a device, or a part of one, closed in every forked child, as long as it lives."""
    _living.add(bound)
    _watch_forks()


def drain_at_end(device: Drained) -> None:
    """Have a device drained at the end of the process, if it is still there.

    Called when all that the device needs has been made: what was registered with ``atexit`` before
    ends after it.
    """
    alive = weakref.ref(device)

    def drain() -> None:
        if (found := alive()) is not None:
            found.drain()

    atexit.register(drain)


@cache
def _watch_forks() -> None:
    if hasattr(os, "register_at_fork"):  # Windows does not fork
        os.register_at_fork(after_in_child=_close_in_child)


def _close_in_child() -> None:
    for bound in tuple(_living):
        bound.close_in_child()


def keep_forever(value: object) -> None:
    """Never free an object: to let go of it in a child would use its parent's connection."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))
