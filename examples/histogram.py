"""Counts bytes: each simdgroup counts its share in threadgroup memory, where atomics are cheap, and
its threadgroup then adds the counts to the result in device memory.

    python examples/histogram.py --size 10000000
"""

import argparse
from collections.abc import Sequence

import numpy as np

import speedmetal as sm

BINS = 256
THREADS = 256
SIMDGROUPS = THREADS // 32


@sm.kernel
def histogram(words, rest, counts):
    """counts[v] += how often v is among the bytes; int32 ``(256,)`` counts.

    A thread reads four bytes at once, as ``words`` of uint32; ``rest`` are the last ones, uint8.
    """
    mine = sm.threadgroup_array((SIMDGROUPS, BINS), sm.int32)
    simdgroup = sm.simdgroup_index_in_threadgroup()
    local = sm.thread_index_in_threadgroup()
    for copy in sm.static_range(SIMDGROUPS):
        mine[copy, local] = 0
    sm.threadgroup_barrier()

    # As many threads as there are go through all words in strides: neighbours read neighbours.
    thread = sm.thread_position_in_grid().x
    for i in range(thread, words.size, sm.threads_per_grid().x):
        word = words[i]
        for byte in sm.static_range(4):
            sm.atomic_add(mine, (simdgroup, word >> 8 * byte & 255), 1)
    if thread < rest.size:
        sm.atomic_add(mine, (simdgroup, rest[thread]), 1)
    sm.threadgroup_barrier()

    sm.atomic_add(counts, local, sum(mine[copy, local] for copy in range(SIMDGROUPS)))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=10_000_000)
    parser.add_argument("--groups", type=int, default=64)
    options = parser.parse_args(argv)

    generator = np.random.default_rng(2)
    bell = generator.normal(128, 30, options.size).clip(0, BINS - 1).astype(np.uint8)
    whole = bell.size // 4 * 4
    words, rest = sm.array(bell[:whole].view(np.uint32)), sm.array(bell[whole:])
    counts = sm.zeros(BINS, sm.int32)
    histogram(words, rest, counts, groups=options.groups, threads=THREADS)

    np.testing.assert_array_equal(counts.numpy(), np.bincount(bell, minlength=BINS))
    tallest = max(counts.tolist())
    for first in range(0, BINS, 16):
        average = counts.numpy()[first : first + 16].mean()
        print(f"{first:3} {'#' * round(60 * average / tallest)}")
    print(f"{options.size} values counted, each bin equal to NumPy's")


if __name__ == "__main__":
    main()
