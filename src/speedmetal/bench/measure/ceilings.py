"""What a machine reaches at best: bandwidth of copying and reading, and rates of calls.

A ceiling is a rate of work that is certainly done: values are written to memory that was touched
before, and the best of several trials counts, since a ceiling is what is possible.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

MINIMUM_TRIALS = 3


def best_seconds(call: Callable[[], object], seconds: float) -> float:
    """The least time of one call, over at least 3 calls and about ``seconds``.

    The first call is not counted. Short calls are timed in batches of at least 50 microseconds,
    so that the clock's own cost does not show.
    """
    call()
    start = time.perf_counter()
    call()
    batch = max(1, int(50e-6 / max(time.perf_counter() - start, 1e-9)))
    best = float("inf")
    trials = 0
    deadline = time.perf_counter() + seconds
    while trials < MINIMUM_TRIALS or time.perf_counter() < deadline:
        start = time.perf_counter()
        for _ in range(batch):
            call()
        best = min(best, (time.perf_counter() - start) / batch)
        trials += 1
    return best


def host_bandwidth(threads: int, working_set_bytes: int, seconds: float) -> tuple[float, float]:
    """Bandwidth of copying and of reading host memory with NumPy on several threads.

    Args:
        threads: Each has its own part of the arrays.
        working_set_bytes: Bytes read plus bytes written by one copy (of one read: half of them).
        seconds: About how long to try, for each of the two.

    Returns:
        Bytes per second, (copy: read plus written, read: read).
    """
    count = max(threads, working_set_bytes // 8)
    source = np.ones(count, np.float32)
    target = np.zeros(count, np.float32)
    edges = np.linspace(0, count, threads + 1, dtype=np.int64)
    parts = [slice(edges[i], edges[i + 1]) for i in range(threads)]
    with ThreadPoolExecutor(threads) as pool:

        def copy() -> None:
            list(pool.map(lambda part: np.copyto(target[part], source[part]), parts))

        def read() -> None:
            list(pool.map(lambda part: float(source[part].max()), parts))

        copied = best_seconds(copy, seconds)
        was_read = best_seconds(read, seconds)
    return 2 * source.nbytes / copied, source.nbytes / was_read


def product_flops(size: int) -> int:
    """Floating-point operations of a square matrix product: 2 n^3."""
    return 2 * size**3
