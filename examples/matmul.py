"""Matrix products in two ways: with tiles in threadgroup memory, and with simdgroup matrices.

Both check their result against NumPy's. NumPy's own product (a tuned BLAS) is what to use on the
CPU; these kernels show the patterns that fast kernels on GPUs are made of.

    python examples/matmul.py --size 512
"""

import argparse
from collections.abc import Sequence

import numpy as np

import speedmetal as sm

TILE = 16
"""Rows and columns of the tiles; a threadgroup has a thread for each element of one."""
SIDE = 8
"""Rows and columns of a simdgroup matrix, on every target."""


@sm.kernel
def matmul_tiles(a, b, c):
    """Write a @ b into c, for any sizes; each thread computes one element."""
    x, y, _ = sm.thread_position_in_threadgroup()
    column, row, _ = sm.thread_position_in_grid()
    rows, inner = a.shape
    columns = b.shape[1]
    tile_a = sm.threadgroup_array((TILE, TILE), a.dtype)
    tile_b = sm.threadgroup_array((TILE, TILE), b.dtype)
    total = 0.0
    for first in range(0, inner, TILE):
        # Elements beyond the matrices count as 0; all threads have to reach the barriers.
        is_in_a = row < rows and first + x < inner
        is_in_b = column < columns and first + y < inner
        tile_a[y, x] = a[row, first + x] if is_in_a else 0.0
        tile_b[y, x] = b[first + y, column] if is_in_b else 0.0
        sm.threadgroup_barrier()
        for k in sm.static_range(TILE):
            total += tile_a[y, k] * tile_b[k, x]
        sm.threadgroup_barrier()
    if row < rows and column < columns:
        c[row, column] = total


@sm.kernel
def matmul_matrices(a, b, c):
    """Write a @ b into c, for multiples of 16; each simdgroup computes 2 x 2 matrices of 8 x 8."""
    group = sm.threadgroup_position_in_grid()
    row, column = 2 * SIDE * group.y, 2 * SIDE * group.x
    top_left = sm.simdgroup_matrix(0, sm.float32)
    top_right = sm.simdgroup_matrix(0, sm.float32)
    bottom_left = sm.simdgroup_matrix(0, sm.float32)
    bottom_right = sm.simdgroup_matrix(0, sm.float32)
    for k in range(0, a.shape[1], SIDE):
        top = sm.simdgroup_load(a, (row, k))
        bottom = sm.simdgroup_load(a, (row + SIDE, k))
        left = sm.simdgroup_load(b, (k, column))
        right = sm.simdgroup_load(b, (k, column + SIDE))
        top_left = sm.simdgroup_multiply_accumulate(top, left, top_left)
        top_right = sm.simdgroup_multiply_accumulate(top, right, top_right)
        bottom_left = sm.simdgroup_multiply_accumulate(bottom, left, bottom_left)
        bottom_right = sm.simdgroup_multiply_accumulate(bottom, right, bottom_right)
    sm.simdgroup_store(top_left, c, (row, column))
    sm.simdgroup_store(top_right, c, (row, column + SIDE))
    sm.simdgroup_store(bottom_left, c, (row + SIDE, column))
    sm.simdgroup_store(bottom_right, c, (row + SIDE, column + SIDE))


def check(name: str, result: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    """Hold a product against NumPy's in float64, on the scale of the sums of magnitudes."""
    expected = a.astype(np.float64) @ b.astype(np.float64)
    scale = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64)
    error = np.max(np.abs(result - expected) / scale)
    print(f"{name}: {a.shape} @ {b.shape}, largest error {error:.1e} of the sum of magnitudes")
    assert error < 1e-6


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=512, help="a multiple of 16")
    options = parser.parse_args(argv)
    n = options.size

    generator = np.random.default_rng(1)
    a = sm.array(generator.standard_normal((n - 5, n + 3), np.float32))
    b = sm.array(generator.standard_normal((n + 3, n), np.float32))
    c = sm.zeros((n - 5, n))
    groups = sm.cdiv(n, TILE), sm.cdiv(n - 5, TILE)
    matmul_tiles(a, b, c, groups=groups, threads=(TILE, TILE))
    check("tiles", c.numpy(), a.numpy(), b.numpy())

    a = sm.array(generator.standard_normal((n, n), np.float32))
    b = sm.array(generator.standard_normal((n, n), np.float32))
    c = sm.zeros((n, n))
    matmul_matrices(a, b, c, groups=(n // (2 * SIDE), n // (2 * SIDE)), threads=32)
    check("matrices", c.numpy(), a.numpy(), b.numpy())


if __name__ == "__main__":
    main()
