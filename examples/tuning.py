"""A transpose through tiles of threadgroup memory, whose size is chosen by measuring.

How large a tile should be, and how many rows of it a threadgroup moves at a time, differs from one
device to another. Every choice is run, compared with the first, and timed; the fastest is kept on
disk for the next time.

    python examples/tuning.py --size 2000
"""

import argparse
from collections.abc import Sequence

import numpy as np

import speedmetal as sm


@sm.autotune(tile=[8, 16, 32], rows=[2, 4, 8])
@sm.kernel
def transpose(a, b, tile, rows):
    """Write a.T into b: ``(height, width)`` to ``(width, height)``, of any sizes.

    A threadgroup of ``(tile, rows)`` threads moves one tile. Reading and writing both go along rows
    of an array; the column more keeps columns of the tile apart in threadgroup memory.
    """
    height, width = a.shape
    kept = sm.threadgroup_array((tile, tile + 1), a.dtype)
    own = sm.thread_position_in_threadgroup()
    group = sm.threadgroup_position_in_grid()
    left, top = group.x * tile, group.y * tile
    for first in sm.static_range(0, tile, rows):
        y = first + own.y
        if top + y < height and left + own.x < width:
            kept[y, own.x] = a[top + y, left + own.x]
    sm.threadgroup_barrier()
    for first in sm.static_range(0, tile, rows):
        x = first + own.y
        if left + x < width and top + own.x < height:
            b[left + x, top + own.x] = kept[own.x, x]


def transposed(a: sm.Array) -> sm.Array:
    height, width = a.shape
    b = sm.empty((width, height), dtype=a.dtype, device=a.device)
    transpose(
        a,
        b,
        groups=lambda c: (sm.cdiv(width, c.tile), sm.cdiv(height, c.tile)),
        threads=lambda c: (c.tile, c.rows),
    )
    return b


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2000)
    options = parser.parse_args(argv)

    rows, columns = options.size + 3, options.size
    x = np.random.default_rng(1).standard_normal((rows, columns), np.float32)
    result = transposed(sm.array(x))
    np.testing.assert_array_equal(result.numpy(), x.T)
    print(f"transposed {rows} x {columns}, as NumPy does")
    for table in transpose.tuned:  # none with SPEEDMETAL_DEBUG: then nothing is measured
        print(table)
        ratios = [table.ratio(number) or 0.0 for number in range(len(table.trials))]
        print(f"the slowest takes {max(ratios):.2f} times as long as the chosen one")


if __name__ == "__main__":
    main()
