"""What a forked child must know, and what must be done before the process ends.

A driver's connection to its GPU belongs to the process that made it: a forked child can neither use
nor close it. A lock may have been held, at the fork, by a thread that the child does not have. Who
has either says with :func:`call_in_children` what is done about it.

Work that nobody waited for is finished when the process ends, so that what kernels printed, and how
they failed, is told.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import weakref
from collections.abc import Callable
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


class Drained(Protocol):
    """What has work that nobody may have waited for."""

    def drain(self) -> None:
        """At the end of the process: let the device finish, and tell what failed."""


Action = Callable[[], None]

# In the order of asking; weak references are keys that stay the same when what they refer to goes.
_methods: dict[weakref.WeakMethod[Action], None] = {}
_functions: list[Action] = []


def call_in_children(action: Action) -> None:
    """Have something called in every forked child, before the child's program goes on.

    Args:
        action: A function, or a method of an object, which is called as long as that lives.
    """
    if hasattr(action, "__self__"):
        _methods[weakref.WeakMethod(action, _forget_method)] = None
    else:
        _functions.append(action)
    _watch_forks()


def _forget_method(method: weakref.WeakMethod[Action]) -> None:
    _methods.pop(method, None)


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
        os.register_at_fork(after_in_child=_run_in_child)


def _run_in_child() -> None:
    for function in _functions:
        function()
    for method in tuple(_methods):
        if (action := method()) is not None:
            action()


def keep_forever(value: object) -> None:
    """Never free an object: to let go of it in a child would use its parent's connection."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))
