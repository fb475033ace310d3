"""NumPy's functions over parts of arrays, on the threads of the CPU: NumPy lets go of the GIL."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

Part = tuple[int, int]
"""The first of some rows, and the one behind the last."""


def parts_of(rows: int, elements: int, least: int = 1 << 17) -> list[Part]:
    """Rows in parts, one for each processor; one part where there are too few elements.

    Args:
        rows: How many.
        elements: In all rows.
        least: So many elements are worth a thread.

    >>> parts_of(10, 100)
    [(0, 10)]
    """
    count = max(1, min(rows, elements // least, _processors()))
    return [(rows * part // count, rows * (part + 1) // count) for part in range(count)]


def run_parts(work: Callable[[int, int], object], parts: list[Part]) -> None:
    """Call a function with each part, at the same time.

    Raises:
        Exception: What a call raised.
    """
    first, *others = parts
    if not others:
        work(*first)
        return
    with ThreadPoolExecutor(len(others)) as threads:
        waiting = [threads.submit(work, *part) for part in others]
        work(*first)
        for call in waiting:
            call.result()


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
