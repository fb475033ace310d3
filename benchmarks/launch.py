"""What a call of a kernel costs in Python, beside the same call of numba's compiled function.

    python benchmarks/launch.py

Three arrays of 32 elements, one threadgroup, so that the kernel itself takes next to no time. The
median and the least of repeated rounds, in microseconds. Then the time from a fresh decorator to
the end of the first launch: with nothing on disk, and with the code on disk.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable

import numpy as np

SIZE = 32
ROUNDS = 15
CALLS = 20_000


def microseconds(call: Callable[[], object]) -> tuple[float, float]:
    """Median and least time of one call, over rounds of many."""
    call()
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter_ns()
        for _ in range(CALLS):
            call()
        rounds.append((time.perf_counter_ns() - start) / CALLS / 1e3)
    return statistics.median(rounds), min(rounds)


def show(name: str, call: Callable[[], object]) -> None:
    median, least = microseconds(call)
    print(f"{name:44} {median:7.2f} {least:7.2f}")


def add(a, b, c):  # noqa: ANN001, ANN201 - a kernel's types come from its arguments
    i = sm.thread_position_in_grid().x
    c[i] = a[i] + b[i]


def loop(a, b, c):  # noqa: ANN001, ANN201 - for numba
    for i in range(a.size):
        c[i] = a[i] + b[i]


def nothing(*_: object) -> None:
    pass


def first_launch() -> float:
    """Milliseconds from a fresh decorator to the end of the first launch."""
    a = np.ones(SIZE, np.float32)
    start = time.perf_counter_ns()
    sm.kernel(add)(a, a, a.copy(), grid=SIZE)
    return (time.perf_counter_ns() - start) / 1e6


def main() -> None:
    host = [np.ones(SIZE, np.float32) for _ in range(3)]
    ours = [sm.array(x) for x in host]
    vadd = sm.kernel(add)
    print(f"{'one launch, microseconds':44} {'median':>7} {'least':>7}")
    show("a Python function that does nothing", lambda: nothing(*host))
    show("speedmetal, sm.Array", lambda: vadd(*ours, grid=SIZE))
    show("speedmetal, sm.Array, threads given", lambda: vadd(*ours, grid=SIZE, threads=SIZE))
    show("speedmetal, NumPy arrays", lambda: vadd(*host, grid=SIZE))
    try:
        import numba
    except ImportError:
        print("numba is not installed")
    else:
        peer = numba.njit(loop)
        show("numba.njit, NumPy arrays", lambda: peer(*host))
    show("numpy.add", lambda: np.add(*host))

    print(f"\n{'first launch of a new kernel, milliseconds':44} {'median':>7} {'least':>7}")
    for name, forget in (("nothing on disk", default_cache().clear), ("code on disk", list)):
        times = []
        for _ in range(20):
            forget()
            times.append(first_launch())
        print(f"{name:44} {statistics.median(times):7.2f} {min(times):7.2f}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SPEEDMETAL_CACHE_DIR"] = folder
        import speedmetal as sm
        from speedmetal.cache import default_cache

        main()
