"""Running totals of an array: y_i = x_0 + ... + x_i.

Every threadgroup sums its tile; the totals of the tiles are made into running totals, by this
program itself; then every threadgroup makes those of its tile, and adds what comes before it. The
order depends on sizes alone, so the result is the same in every run, to the last bit.

    python examples/scan.py --size 10000000
"""

import argparse
from collections.abc import Sequence

import numpy as np

import speedmetal as sm

THREADS = 256
SIMDGROUP = 32
SIMDGROUPS = THREADS // SIMDGROUP
EACH = 16
"""Elements of a thread."""
TILE = THREADS * EACH


def place(k):
    """Where a thread's k-th element is: those of a simdgroup are one piece of the array, and
    neighbouring threads have neighbours.
    """
    piece = sm.threadgroup_position_in_grid().x * SIMDGROUPS + sm.simdgroup_index_in_threadgroup()
    return (piece * EACH + k) * SIMDGROUP + sm.thread_index_in_simdgroup()


def loaded(x):
    """A thread's elements of ``x``; zeros behind its end."""
    elements = sm.thread_array(EACH, x.dtype)
    for k in sm.static_range(EACH):
        elements[k] = x[place(k)] if place(k) < x.size else 0
    return elements


@sm.kernel
def sum_tiles(x, totals):
    """totals[g]: the sum of tile g."""
    shared = sm.threadgroup_array(SIMDGROUPS, x.dtype)
    elements = loaded(x)
    total = sm.simd_sum(sum(elements[k] for k in sm.static_range(EACH)))
    simdgroup = sm.simdgroup_index_in_threadgroup()
    if sm.thread_index_in_simdgroup() == 0:
        shared[simdgroup] = total
    sm.threadgroup_barrier()
    if sm.thread_index_in_threadgroup() == 0:
        tile = sm.threadgroup_position_in_grid().x
        totals[tile] = sum(shared[k] for k in sm.static_range(SIMDGROUPS))


@sm.kernel
def scan_tiles(x, running, y):
    """The running totals of each tile, behind those of the tiles before it."""
    shared = sm.threadgroup_array(SIMDGROUPS, x.dtype)
    elements = loaded(x)
    simdgroup, lane = sm.simdgroup_index_in_threadgroup(), sm.thread_index_in_simdgroup()
    total = x.dtype(0)
    for k in sm.static_range(EACH):
        elements[k] = total + sm.simd_prefix_inclusive_sum(elements[k])
        total = sm.simd_shuffle(elements[k], SIMDGROUP - 1)
    if lane == 0:
        shared[simdgroup] = total
    sm.threadgroup_barrier()

    tile = sm.threadgroup_position_in_grid().x
    before = running[tile - 1] if tile > 0 else x.dtype(0)
    for other in range(simdgroup):
        before += shared[other]
    for k in sm.static_range(EACH):
        if place(k) < x.size:
            y[place(k)] = before + elements[k]


def scan(x: sm.Array, y: sm.Array) -> None:
    """Write the running totals of ``x``, ``(n,)``, into ``y``."""
    tiles = sm.cdiv(x.size, TILE)
    running = sm.empty(tiles, x.dtype, device=x.device)
    if tiles > 1:
        totals = sm.empty(tiles, x.dtype, device=x.device)
        sum_tiles(x, totals, groups=tiles, threads=THREADS)
        scan(totals, running)
    scan_tiles(x, running, y, groups=tiles, threads=THREADS)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=10_000_000)
    options = parser.parse_args(argv)

    x = sm.array(np.random.default_rng(8).uniform(0, 1, options.size).astype(np.float32))
    y = sm.empty(x.size)
    scan(x, y)
    expected = np.cumsum(x.numpy(), dtype=np.float64)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-6)
    print(
        f"{options.size} running totals; the last is {y[-1].item():.8g}, NumPy's {expected[-1]:.8g}"
    )


if __name__ == "__main__":
    main()
