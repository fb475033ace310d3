"""What can be measured of the Metal backend without a Mac: Python's work, and the simulator.

Nothing here is the speed of a GPU. The work that Python does for a launch is timed against the
simulated Metal API, on the launching thread's own clock, with what each message costs there; the
messages themselves are counted. Rewrites the section `metal` of docs/speed.md.

    python benchmarks/metal.py [--quick] [--dry]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator

import numpy as np

os.environ["SPEEDMETAL_CACHE"] = "0"  # every compilation is one

from side_by_side import page

import speedmetal as sm
from speedmetal.bench.environment import read_conditions
from speedmetal.bench.measure.statistics import median_interval
from speedmetal.metal_simulator.language.lint import lint
from speedmetal.metal_simulator.language.program import compile_source

LAUNCHES = 40  # a whole command buffer, as the driver commits it
ELEMENTS = 1_000_000
THREADS, BARRIERS, GROUPS = 256, 10, 100

VADD = """
#include <metal_stdlib>
using namespace metal;
kernel void vadd(
    device const float* a [[buffer(0)]],
    device const float* b [[buffer(1)]],
    device float* c [[buffer(2)]],
    uint i [[thread_position_in_grid]]) {
    c[i] = a[i] + b[i] * NUMBER;
}
"""
TURNS = """
#include <metal_stdlib>
using namespace metal;
kernel void turns(
    device uint* out [[buffer(0)]],
    uint i [[thread_index_in_threadgroup]],
    uint g [[thread_position_in_grid]],
    uint n [[threads_per_threadgroup]]) {
    threadgroup uint places[256];
    uint mine = i;
    for (uint turn = 0; turn < TURNS; ++turn) {
        threadgroup_barrier(mem_flags::mem_threadgroup);
        places[(i + turn) % n] = mine;
        threadgroup_barrier(mem_flags::mem_threadgroup);
        mine = places[i];
    }
    out[g] = mine;
}
"""

Row = tuple[str, str, str, str]


@sm.kernel
def add(a, b, c):  # noqa: ANN001, ANN201 - kernels need no annotations
    i = sm.thread_position_in_grid().x
    c[i] = a[i] + b[i]


def launch_rows(samples: int) -> Iterator[Row]:
    """Python's work for one launch among 40, with encoding and committing them."""
    device = sm.metal.device("metal-sim")
    simulation = device.bridge.simulation
    a, b, c = (sm.ones(32, device=device) for _ in range(3))
    compilations = simulation.compilations
    add(a, b, c, grid=32)
    sm.synchronize()
    yield (
        "compilations of Metal source for a kernel",
        str(simulation.compilations - compilations),
        "",
        "1",
    )
    times, messages = [], simulation.messages
    for _ in range(samples):
        began = time.thread_time()
        for _ in range(LAUNCHES):
            add(a, b, c, grid=32)
        device.queue.flush()
        times.append((time.thread_time() - began) / LAUNCHES)
        device.synchronize()
    assert c.numpy().tolist() == [2.0] * 32
    sent = (simulation.messages - messages) / (samples * LAUNCHES)
    yield "messages sent for a launch, with waiting for its batch", f"{sent:.2f}", "", "12"
    yield row("work of Python for a launch of three arrays", times, "15 us")


def simulator_rows(samples: int) -> Iterator[Row]:
    """How fast the simulator runs and compiles."""
    a, b = (np.random.default_rng(seed).random(ELEMENTS, np.float32) for seed in (1, 2))
    c = np.zeros_like(a)
    vadd = sm.metal.simulate(VADD.replace("NUMBER", "1.0f")).function("vadd")
    times = [vadd(a, b, c, grid=ELEMENTS).seconds for _ in range(samples)]
    np.testing.assert_array_equal(c, a + b)
    yield row("vector addition, 1,000,000 elements", times, "30 ms")

    out = np.zeros(THREADS * GROUPS, np.uint32)
    turns = sm.metal.simulate(TURNS.replace("TURNS", str(BARRIERS // 2))).function("turns")
    times = [turns(out, groups=GROUPS, threads=THREADS).seconds / GROUPS for _ in range(samples)]
    rotated = (np.arange(THREADS) - sum(range(BARRIERS // 2))) % THREADS
    np.testing.assert_array_equal(out.reshape(GROUPS, THREADS), np.tile(rotated, (GROUPS, 1)))
    yield row(f"a threadgroup of {THREADS} threads and {BARRIERS} barriers", times, "200 us")

    numbers = iter(range(1, 1_000_000))
    fresh = lambda: VADD.replace("NUMBER", f"{next(numbers)}.5f")  # noqa: E731
    yield row(
        "compiling a kernel", time_samples(lambda: compile_source(fresh()), samples), "150 ms"
    )
    yield row("linting a kernel", time_samples(lambda: lint(fresh()), samples), "")


def time_samples(action: Callable[[], object], samples: int) -> list[float]:
    times = []
    for _ in range(samples):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return times


def row(what: str, seconds: list[float], wanted: str) -> Row:
    middle = median_interval(seconds)
    low, high = page.seconds_text(middle.low), page.seconds_text(middle.high)
    return what, page.seconds_text(middle.estimate), f"[{low}, {high}]", wanted


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer samples")
    parser.add_argument("--dry", action="store_true", help="leave docs/speed.md as it is")
    options = parser.parse_args()
    samples = 10 if options.quick else 60
    before = read_conditions().load
    rows = [*launch_rows(samples), *simulator_rows(samples)]
    table = page.table(["", "median", "95 %", "at most wanted"], rows)
    body = f"{page.circumstances(('speedmetal', 'ziglang'), 1, before)}\n\n{table}"
    print(body)
    if not options.dry:
        page.write_section("metal", body)


if __name__ == "__main__":
    main()
