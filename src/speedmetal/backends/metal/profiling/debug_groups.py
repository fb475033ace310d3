"""Launches as Metal's tools show them: each one a *debug group* with its label.

Apple's ``os_signpost``, which draws stretches of a program into the lanes of Instruments, is not
used: it takes names that are constants of a program file, and not texts that are made at run time,
as all of Python's are. (The Dart VM's timeline, which tried, came back to one constant name.)
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from speedmetal.backends.metal.driver.queue import Queue

_lock = threading.Lock()
_watchers: dict[Queue, int] = {}


@contextmanager
def annotate_launches(queues: Sequence[Queue]) -> Iterator[None]:
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
