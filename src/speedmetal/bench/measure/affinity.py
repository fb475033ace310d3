"""Which processors a worker computes on, and how many of its threads do.

Two processes of one program differ by a third for as long as they live, where the system leaves
each on a processor of its own and the processors are not equally busy. So all turns of a round are
taken on the same processors.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self

BUSY_SHARE = 0.1  # of the CPU time of all threads
_TASKS = Path("/proc/self/task")
_current: frozenset[int] = frozenset()


def stay_on(processors: Sequence[int]) -> None:
    """Put all threads of this process on these processors; nothing where none are given.

    Threads that are started later inherit it from theirs.
    """
    global _current  # noqa: PLW0603 - of the process, like the affinity itself
    wanted = frozenset(processors)
    if not wanted or wanted == _current or not hasattr(os, "sched_setaffinity"):
        return
    for thread in _threads():
        with contextlib.suppress(OSError):  # it has ended
            os.sched_setaffinity(thread, wanted)
    _current = wanted


def _threads() -> list[int]:
    try:
        return [int(task.name) for task in _TASKS.iterdir()]
    except OSError:
        return [0]


class BusyThreads:
    """Counts the threads that work inside its ``with``; ``count`` is there afterwards.

    A thread counts that had a tenth or more of the CPU time of all. 1 where the system does not
    tell.
    """

    count = 1

    def __enter__(self) -> Self:
        self._before = _cpu_times()
        return self

    def __exit__(self, *_: object) -> None:
        before = self._before
        used = [time - before.get(thread, 0) for thread, time in _cpu_times().items()]
        total = sum(used)
        self.count = max(1, sum(time >= BUSY_SHARE * total for time in used) if total else 1)


def _cpu_times() -> dict[int, int]:
    """Nanoseconds on a processor, by thread."""
    times = {}
    for thread in _threads():
        with contextlib.suppress(OSError, ValueError, IndexError):
            text = (_TASKS / str(thread) / "schedstat").read_text()
            times[thread] = int(text.split()[0])
    return times
