"""Transposes a matrix: a square tile goes through threadgroup memory, so that neighbouring threads
read neighbours and write neighbours.

    python examples/transpose.py --rows 4000 --columns 3000
"""

import argparse
from collections.abc import Sequence

import numpy as np

import speedmetal as sm

TILE = 64
HEIGHT = 4
"""Rows of threads in a threadgroup; each thread takes TILE / HEIGHT elements."""


@sm.kernel
def transpose(a, b):
    """``b[j, i] = a[i, j]``; each threadgroup moves one tile."""
    # Rows are one longer than they need be: so the elements of a column are in different banks.
    tile = sm.threadgroup_array((TILE, TILE + 1), a.dtype)
    group = sm.threadgroup_position_in_grid()
    x, y, _ = sm.thread_position_in_threadgroup()

    row, column = TILE * group.y + y, TILE * group.x + x
    for k in sm.static_range(0, TILE, HEIGHT):
        if row + k < a.shape[0] and column < a.shape[1]:
            tile[y + k, x] = a[row + k, column]
    sm.threadgroup_barrier()

    row, column = TILE * group.x + y, TILE * group.y + x
    for k in sm.static_range(0, TILE, HEIGHT):
        if row + k < b.shape[0] and column < b.shape[1]:
            b[row + k, column] = tile[x, y + k]


def transposed(a: sm.Array, b: sm.Array) -> None:
    """Write the transpose of ``a``, ``(rows, columns)``, into ``b``."""
    rows, columns = a.shape
    groups = sm.cdiv(columns, TILE), sm.cdiv(rows, TILE)
    transpose(a, b, groups=groups, threads=(TILE, HEIGHT))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--columns", type=int, default=3000)
    options = parser.parse_args(argv)

    shape = options.rows, options.columns
    a = sm.array(np.random.default_rng(6).standard_normal(shape, np.float32))
    b = sm.empty(shape[::-1])
    transposed(a, b)
    np.testing.assert_array_equal(b.numpy(), a.numpy().T)
    print(f"{options.rows} x {options.columns} transposed, each element where NumPy has it")


if __name__ == "__main__":
    main()
