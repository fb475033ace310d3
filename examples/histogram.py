"""Counts bytes: each threadgroup counts its share in threadgroup memory, where atomics are cheap,
and then adds its counts to the result in device memory.

    python examples/histogram.py --size 10000000
"""

import argparse
from collections.abc import Sequence

import numpy as np

import speedmetal as sm

BINS = 256
THREADS = 256


@sm.kernel
def histogram(values, counts):
    """counts[v] += how often v is among the values; uint8 values, int32 ``(256,)`` counts."""
    mine = sm.threadgroup_array(BINS, sm.int32)
    local = sm.thread_index_in_threadgroup()
    for value in range(local, BINS, THREADS):
        mine[value] = 0
    sm.threadgroup_barrier()

    # As many threads as there are go through all values in strides: neighbours read neighbours.
    for i in range(sm.thread_position_in_grid().x, values.size, sm.threads_per_grid().x):
        sm.atomic_add(mine, values[i], 1)
    sm.threadgroup_barrier()

    for value in range(local, BINS, THREADS):
        sm.atomic_add(counts, value, mine[value])


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=10_000_000)
    parser.add_argument("--groups", type=int, default=64)
    options = parser.parse_args(argv)

    generator = np.random.default_rng(2)
    bell = generator.normal(128, 30, options.size).clip(0, BINS - 1).astype(np.uint8)
    values, counts = sm.array(bell), sm.zeros(BINS, sm.int32)
    histogram(values, counts, groups=options.groups, threads=THREADS)

    np.testing.assert_array_equal(counts.numpy(), np.bincount(bell, minlength=BINS))
    tallest = max(counts.tolist())
    for first in range(0, BINS, 16):
        average = counts.numpy()[first : first + 16].mean()
        print(f"{first:3} {'#' * round(60 * average / tallest)}")
    print(f"{options.size} values counted, each bin equal to NumPy's")


if __name__ == "__main__":
    main()
