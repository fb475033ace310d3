"""Names for stretches of a program, as they appear in error messages, GPU traces and Instruments.

Metal's tools know launches by *debug groups* in command buffers. A launch has the name of its
kernel; inside :func:`labelled` that of the stretch stands before it.

Apple's ``os_signpost``, which draws such stretches into the lanes of Instruments, is not used: it
takes names that are constants of a program file, and not texts that are made at run time, as all of
Python's are. (The Dart VM's timeline, which tried, came back to one constant name.)
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speedmetal.backends.metal.driver.queue import Queue

_prefix: ContextVar[str] = ContextVar("signpost_prefix", default="")
_lock = threading.Lock()
_watchers: dict[Queue, int] = {}

current_prefix = _prefix.get
"""What stands before a kernel's name here; empty outside of all stretches."""


@contextmanager
def labelled(name: str) -> Iterator[None]:
    """Name the launches inside; a stretch inside another one has both names.

    Example:
        >>> with labelled("step"), labelled("forward"):
        ...     current_prefix() + "vadd"
        'step/forward/vadd'
    """
    token = _prefix.set(f"{_prefix.get()}{name}/")
    try:
        yield
    finally:
        _prefix.reset(token)


@contextmanager
def annotated(queues: Sequence[Queue]) -> Iterator[None]:
    """Show the launches inside as debug groups. It costs two messages for each.

    What was asked for before is committed first, and what is asked for inside at the end: a command
    buffer has such groups, or has not.
    """
    for queue in queues:
        queue.flush()
        _watch(queue, 1)
    try:
        yield
    finally:
        for queue in queues:
            queue.flush()
            _watch(queue, -1)


def _watch(queue: Queue, change: int) -> None:
    with _lock:
        count = _watchers.pop(queue, 0) + change
        if count:
            _watchers[queue] = count
        queue.annotates = count > 0
