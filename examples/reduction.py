"""Reduces an array with any function of yours: sum, maximum, Euclidean length.

Two launches: every threadgroup reduces its share to one number, then one threadgroup reduces those.
The order depends on sizes alone, so the result is the same in every run, to the last bit.

    python examples/reduction.py --size 10000000
"""

import argparse
import math
from collections.abc import Callable, Sequence

import numpy as np

import speedmetal as sm

THREADS = 256
SIMDGROUP = 32
GROUPS = 1024
"""Of the first launch: enough that all cores of a large GPU have several."""


def plus(a, b):
    """The sum."""
    return a + b


def larger(a, b):
    """The greater number."""
    return max(a, b)


def over_simdgroup(combine, value):
    """Combine the values of 32 threads in five steps; every thread gets the result."""
    for step in sm.static_range(5):
        value = combine(value, sm.simd_shuffle_xor(value, 1 << step))
    return value


@sm.kernel
def reduce(combine, neutral, x, parts):
    """parts[g]: all that threadgroup g reads of ``x``, combined."""
    shared = sm.threadgroup_array(THREADS // SIMDGROUP, x.dtype)
    lane = sm.thread_index_in_simdgroup()

    value = x.dtype(neutral)
    for i in range(sm.thread_position_in_grid().x, x.size, sm.threads_per_grid().x):
        value = combine(value, x[i])
    value = over_simdgroup(combine, value)
    if lane == 0:
        shared[sm.simdgroup_index_in_threadgroup()] = value
    sm.threadgroup_barrier()

    value = shared[lane] if lane < THREADS // SIMDGROUP else x.dtype(neutral)
    value = over_simdgroup(combine, value)
    if sm.thread_index_in_threadgroup() == 0:
        parts[sm.threadgroup_position_in_grid().x] = value


def reduce_all(combine: Callable, neutral: float, x: sm.Array) -> float:
    """All elements of ``x`` combined; ``combine(neutral, v)`` must be ``v``."""
    parts, result = sm.empty(GROUPS, x.dtype), sm.empty(1, x.dtype)
    reduce(combine, neutral, x, parts, groups=GROUPS, threads=THREADS)
    reduce(combine, neutral, parts, result, groups=1, threads=THREADS)
    return float(result)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=10_000_000)
    options = parser.parse_args(argv)

    x = sm.array(np.random.default_rng(4).uniform(0, 1, options.size).astype(np.float32))
    wide = x.numpy().astype(np.float64)
    for name, combine, neutral, expected in (
        ("sum", plus, 0.0, wide.sum()),
        ("maximum", larger, -math.inf, wide.max()),
        ("length", math.hypot, 0.0, np.sqrt(np.sum(wide**2))),
    ):
        result = reduce_all(combine, neutral, x)
        print(f"{name}: {result:.8g}, relative error {abs(result / expected - 1):.0e}")
        np.testing.assert_allclose(result, expected, rtol=1e-5)


if __name__ == "__main__":
    main()
