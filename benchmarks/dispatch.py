"""What does it cost to run a kernel on the CPU, beyond the kernel itself?

Times an empty kernel through `CpuProgram.launch`: hot (one launch after the other), with 10 us of
other work between launches, and after 1 ms of sleep; on the calling thread and on the pool. Beside
them stand an empty ctypes call, the floor of any launch from Python, and, where Numba is installed,
an empty parallel loop of its pool. Each number is a median; a pool's spinning can be set to see its
effect. A second table has the time of 40 us of work in 8 threadgroups, by the pause since the last
launch: that is where spinning pays, since workers that sleep come late.

    python benchmarks/dispatch.py --threads 2 --spin 0 5 20 100
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable

from speedmetal.backends.cpu import pool as pool_module
from speedmetal.backends.cpu.driver import CpuProgram
from speedmetal.backends.cpu.jit import compile_object
from speedmetal.backends.cpu.pool import ThreadPool, default_threads

EMPTY = "define void @sm_entry(ptr %arguments, i64 %begin, i64 %end) {\n  ret void\n}"
ARGUMENTS = bytes(160)

# Each group counts to the number in the first slot, in memory, so that it takes its time.
BUSY = """
define void @sm_entry(ptr %arguments, i64 %begin, i64 %end) {
entry:
  %count = alloca i64
  %last = load i64, ptr %arguments
  br label %group
group:
  %g = phi i64 [ %begin, %entry ], [ %next, %after ]
  %more = icmp slt i64 %g, %end
  br i1 %more, label %start, label %done
start:
  store volatile i64 0, ptr %count
  br label %step
step:
  %n = load volatile i64, ptr %count
  %n1 = add i64 %n, 1
  store volatile i64 %n1, ptr %count
  %again = icmp slt i64 %n1, %last
  br i1 %again, label %step, label %after
after:
  %next = add i64 %g, 1
  br label %group
done:
  ret void
}
"""
BUSY_GROUPS = 8
BUSY_SECONDS = 5e-6
PAUSES_MICROSECONDS = (0, 10, 20, 50, 100, 1000)
HOT_LAUNCHES = 2000
HOT_SAMPLES = 40
PAUSED_SAMPLES = 500
WORK_SECONDS = 10e-6
SLEEP_SECONDS = 1e-3


def hot_microseconds(call: Callable[[], None]) -> float:
    """Time of one call among many, without the loop around them."""
    samples = []
    for _ in range(HOT_SAMPLES):
        begin = time.perf_counter()
        for _ in range(HOT_LAUNCHES):
            call()
        middle = time.perf_counter()
        for _ in range(HOT_LAUNCHES):
            pass
        end = time.perf_counter()
        samples.append(((middle - begin) - (end - middle)) / HOT_LAUNCHES)
    return statistics.median(samples) * 1e6


def paused_microseconds(call: Callable[[], None], pause: Callable[[], None]) -> float:
    """Time of one call after a pause."""
    samples = []
    for _ in range(PAUSED_SAMPLES):
        pause()
        begin = time.perf_counter()
        call()
        samples.append(time.perf_counter() - begin)
    return statistics.median(samples) * 1e6


def work(seconds: float = WORK_SECONDS) -> None:
    """Keeps this processor busy."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def sleep() -> None:
    """Leaves this processor for 1 ms."""
    time.sleep(SLEEP_SECONDS)


def report(name: str, call: Callable[[], None]) -> None:
    """Prints a line of the table."""
    times = [hot_microseconds(call)] + [paused_microseconds(call, wait) for wait in (work, sleep)]
    print(f"{name:44s}" + "".join(f"{microseconds:12.2f}" for microseconds in times))


def measure_pool(threads: int, spin_microseconds: float, program: CpuProgram) -> None:
    """Lines for a pool with this spinning: one chunk for each thread, and many chunks."""
    pool_module.SPIN_MICROSECONDS = spin_microseconds
    pool = ThreadPool(threads)
    entry = program._address  # noqa: SLF001 - the pool's part alone is wanted
    for groups in (threads, 64):
        report(
            f"pool, {threads} threads, {groups} chunks, spin {spin_microseconds:g} us",
            lambda groups=groups: pool.parallel_for(entry, ARGUMENTS, groups, 1),
        )
    pool.close()


def busy_arguments(program: CpuProgram) -> bytes:
    """Arguments with which a group of the busy kernel takes 5 us here."""
    steps = 100_000
    seconds = []
    for _ in range(20):
        begin = time.perf_counter()
        program.launch(steps.to_bytes(8, sys.byteorder), 1, 1)
        seconds.append(time.perf_counter() - begin)
    return int(steps * BUSY_SECONDS / min(seconds)).to_bytes(8, sys.byteorder)


def measure_work(threads: int, spins: list[float]) -> None:
    """Second table: the busy kernel, by spinning and by the pause before the launch."""
    program = CpuProgram(compile_object(BUSY))
    arguments = busy_arguments(program)
    entry = program._address  # noqa: SLF001 - the pool's part alone is wanted
    print(f"\n{'40 us of work, us, by the pause':44s}", end="")
    print("".join(f"{f'{pause} us':>9s}" for pause in PAUSES_MICROSECONDS))
    for spin_microseconds in spins:
        pool_module.SPIN_MICROSECONDS = spin_microseconds
        pool = ThreadPool(threads)
        times = [
            paused_microseconds(
                lambda pool=pool: pool.parallel_for(entry, arguments, BUSY_GROUPS, 1),
                lambda pause=pause: work(pause * 1e-6),
            )
            for pause in PAUSES_MICROSECONDS
        ]
        print(f"{f'{threads} threads, spin {spin_microseconds:g} us':44s}", end="")
        print("".join(f"{microseconds:9.1f}" for microseconds in times))
        pool.close()


def measure_numba(threads: int) -> None:
    """Line for Numba's pool."""
    import numba
    import numpy as np

    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))

    @numba.njit(parallel=True)
    def fill(target: np.ndarray) -> None:
        for i in numba.prange(target.size):
            target[i] = 0.0

    target = np.zeros(threads)
    fill(target)
    report(f"numba prange, {threads} threads", lambda: fill(target))


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--spin", type=float, nargs="+", default=[pool_module.SPIN_MICROSECONDS])
    options = parser.parse_args()
    program = CpuProgram(compile_object(EMPTY))
    function = ctypes.CFUNCTYPE(None)(program._address)  # noqa: SLF001 - the bare function
    print(f"{'median time of a launch, us':44s} {'hot':>12s}{'10 us work':>12s}{'1 ms sleep':>12s}")
    report("ctypes call without arguments", function)
    report("Program.launch on the calling thread", lambda: program.launch(ARGUMENTS, 1, 1))
    for spin_microseconds in options.spin:
        measure_pool(options.threads, spin_microseconds, program)
    if importlib.util.find_spec("numba"):
        measure_numba(options.threads)
    measure_work(options.threads, options.spin)


if __name__ == "__main__":
    main()
