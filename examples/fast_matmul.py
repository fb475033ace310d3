"""Fast matrix products in a kernel: by simdgroup matrices, and by numbers in registers.

A threadgroup computes a tile of the product, step by step along the inner axis. What a step needs
of both factors lies in threadgroup memory, in one of several stages: while the threads work on one,
copies for the next ones are on their way (``sm.async_copy``), and nobody waits for memory.

How fast they are on an NVIDIA H200 is in docs/nvidia-speed.md. Where the product is all that is
wanted, ``a @ b`` asks a library for it.

    python examples/fast_matmul.py --size 4096
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import speedmetal as sm

COPIED_BYTES = 16
"""What a thread copies at once."""
INNER = 16
"""Columns of a left matrix and rows of a right one: what tensor cores multiply at once."""
REPEATS = 10


@dataclass(frozen=True)
class Tiles:
    """How the work is divided.

    All threads copy equal parts of a step's blocks: threads divide the pieces of 16 bytes of each.

    Args:
        rows: Of the product, for a threadgroup.
        columns: Likewise.
        depth: How far a step goes along the inner axis: of matrices, twice INNER at least.
        stages: Steps for which threadgroup memory has room.
        own_rows: Of the product, for a simdgroup, or a thread.
        own_columns: Likewise.
    """

    rows: int
    columns: int
    depth: int
    stages: int
    own_rows: int
    own_columns: int

    @property
    def across(self) -> int:
        """How many simdgroups or threads are side by side."""
        return self.columns // self.own_columns

    @property
    def workers(self) -> int:
        """How many simdgroups or threads a threadgroup has."""
        return self.rows // self.own_rows * self.across


def copy_block(tile, array, row, column, shape, threads):
    """Copy a block of an array, from (row, column) on, into a tile, its rows in pieces."""
    rows, columns = shape
    count = COPIED_BYTES // array.dtype.itemsize
    pieces = columns // count  # of a row
    thread = sm.thread_index_in_threadgroup()
    y, x = thread // pieces, thread % pieces * count
    for first in sm.static_range(0, rows, threads // pieces):
        sm.async_copy(tile, (first + y, x), array, (row + first + y, column + x), count)


def copy_step(tiles_a, tiles_b, a, b, corner, step, tiles, threads):
    """Copy what a step needs of both factors, as one group; beyond the last step, nothing."""
    row, column = corner
    if step < a.shape[1] // tiles.depth:
        stage, k = step % tiles.stages, step * tiles.depth
        copy_block(tiles_a[stage], a, row, k, (tiles.rows, tiles.depth), threads)
        copy_block(tiles_b[stage], b, k, column, (tiles.depth, tiles.columns), threads)
    sm.async_copy_group()


def wait_for_step(tiles):
    """Wait until the oldest step that was asked for is there, for all threads."""
    sm.async_copy_wait(tiles.stages - 2)
    sm.threadgroup_barrier()


def product_by_matrices(tiles: Tiles) -> Callable[..., Any]:
    """The kernel that writes ``a @ b`` into ``c``, of float32; each simdgroup has one matrix of it.

    It is for sizes that the tiles divide, and 32 * tiles.workers threads. While matrices are
    multiplied, the next ones are loaded.
    """
    threads = 32 * tiles.workers

    @sm.kernel
    def product(a, b, c) -> None:
        # Rows begin at different banks of threadgroup memory: each is one piece longer.
        more = COPIED_BYTES // a.dtype.itemsize
        tiles_a = sm.threadgroup_array((tiles.stages, tiles.rows, tiles.depth + more), a.dtype)
        tiles_b = sm.threadgroup_array((tiles.stages, tiles.depth, tiles.columns + more), b.dtype)
        group = sm.threadgroup_position_in_grid()
        corner = tiles.rows * group.y, tiles.columns * group.x
        simdgroup = sm.simdgroup_index_in_threadgroup()
        y = simdgroup // tiles.across * tiles.own_rows
        x = simdgroup % tiles.across * tiles.own_columns

        for step in sm.static_range(tiles.stages - 1):
            copy_step(tiles_a, tiles_b, a, b, corner, step, tiles, threads)
        wait_for_step(tiles)
        left = sm.simdgroup_load(tiles_a[0], (y, 0), shape=(tiles.own_rows, INNER))
        right = sm.simdgroup_load(tiles_b[0], (0, x), shape=(INNER, tiles.own_columns))
        total = sm.simdgroup_matrix(0, sm.float32, (tiles.own_rows, tiles.own_columns))
        for step in range(a.shape[1] // tiles.depth):
            for k in sm.static_range(INNER, tiles.depth + INNER, INNER):
                if k < tiles.depth:
                    stage, first = step % tiles.stages, k
                else:  # the next step's first matrices; behind the last step nobody uses them
                    wait_for_step(tiles)
                    stage, first = (step + 1) % tiles.stages, 0
                next_left = sm.simdgroup_load(tiles_a[stage], (y, first), shape=left.shape)
                next_right = sm.simdgroup_load(tiles_b[stage], (first, x), shape=right.shape)
                total = sm.simdgroup_multiply_accumulate(left, right, total)
                left, right = next_left, next_right
                if k == INNER:
                    ahead = step + tiles.stages - 1
                    copy_step(tiles_a, tiles_b, a, b, corner, ahead, tiles, threads)
        sm.simdgroup_store(total, c, (corner[0] + y, corner[1] + x))

    return product


def row_of(i, y, tiles):
    """The row, in its tile, of a thread's element: those of neighbouring threads are neighbours."""
    return tiles.rows // tiles.own_rows * i + y


def column_of(j, x, tiles):
    """The column likewise; four of a thread side by side are loaded at once."""
    return 4 * (tiles.across * (j // 4) + x) + j % 4


def add_products(total, tile_a, tile_b, y, x, tiles):
    """Add what a step adds to a thread's elements, each product with one rounding, in order."""
    left = sm.thread_array(tiles.own_rows, total.dtype)
    right = sm.thread_array(tiles.own_columns, total.dtype)
    for k in sm.static_range(tiles.depth):
        for i in sm.static_range(tiles.own_rows):
            left[i] = tile_a[row_of(i, y, tiles), k]
        for j in sm.static_range(tiles.own_columns):
            right[j] = tile_b[k, column_of(j, x, tiles)]
        for i in sm.static_range(tiles.own_rows):
            for j in sm.static_range(tiles.own_columns):
                total[i, j] += left[i] * right[j]


def product_by_registers(tiles: Tiles) -> Callable[..., Any]:
    """The kernel that writes ``a @ b`` into ``c``; each thread has some elements of it.

    It is for sizes that the tiles divide, and tiles.workers threads.
    """
    threads = tiles.workers

    @sm.kernel
    def product(a, b, c) -> None:
        tiles_a = sm.threadgroup_array((tiles.stages, tiles.rows, tiles.depth + 4), a.dtype)
        tiles_b = sm.threadgroup_array((tiles.stages, tiles.depth, tiles.columns), b.dtype)
        group = sm.threadgroup_position_in_grid()
        corner = tiles.rows * group.y, tiles.columns * group.x
        # A simdgroup is 4 threads high and 8 wide: it loads few different elements.
        simdgroup, lane = sm.simdgroup_index_in_threadgroup(), sm.thread_index_in_simdgroup()
        y = simdgroup // (tiles.across // 8) * 4 + lane // 8
        x = simdgroup % (tiles.across // 8) * 8 + lane % 8

        for step in sm.static_range(tiles.stages - 1):
            copy_step(tiles_a, tiles_b, a, b, corner, step, tiles, threads)
        total = sm.thread_array((tiles.own_rows, tiles.own_columns), c.dtype)
        for i in sm.static_range(tiles.own_rows):
            for j in sm.static_range(tiles.own_columns):
                total[i, j] = 0
        for step in range(a.shape[1] // tiles.depth):
            wait_for_step(tiles)
            copy_step(tiles_a, tiles_b, a, b, corner, step + tiles.stages - 1, tiles, threads)
            stage = step % tiles.stages
            add_products(total, tiles_a[stage], tiles_b[stage], y, x, tiles)
        for i in sm.static_range(tiles.own_rows):
            for j in sm.static_range(tiles.own_columns):
                place = corner[0] + row_of(i, y, tiles), corner[1] + column_of(j, x, tiles)
                c[place] = total[i, j]

    return product


LARGE_TILES = {
    product_by_matrices: Tiles(128, 256, 64, 3, 64, 64),
    product_by_registers: Tiles(128, 128, 16, 3, 8, 8),
}
"""Fast on NVIDIA GPUs of data centres, whose threadgroup memory they need: up to 153 KiB."""
LARGE_BYTES = 153 * 1024
SMALL_TILES = {
    product_by_matrices: Tiles(32, 32, 32, 2, 16, 16),
    product_by_registers: Tiles(64, 64, 16, 3, 4, 4),
}


def check(c: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    """Hold some rows of a product against NumPy's in float64, by the sums of magnitudes."""
    rows = slice(None, None, max(1, len(a) // 64))
    a, b = a[rows].astype(np.float64), b.astype(np.float64)
    error = np.max(np.abs(c[rows] - a @ b) / (np.abs(a) @ np.abs(b)))
    print(f"    largest error {error:.1e} of the sum of magnitudes")
    assert error < 2e-6


def run(dtype: Any, n: int) -> None:
    """Multiply two matrices of a type, check the product, and tell how long it took."""
    generator = np.random.default_rng(1)
    a, b = (sm.array(generator.standard_normal((n, n), np.float32)).astype(dtype) for _ in "ab")
    c = sm.zeros((n, n))
    make = product_by_registers if dtype is sm.float32 else product_by_matrices
    is_large = a.device.limits.threadgroup_memory_bytes >= LARGE_BYTES
    tiles = (LARGE_TILES if is_large else SMALL_TILES)[make]
    threads = tiles.workers * (1 if make is product_by_registers else 32)
    groups = n // tiles.columns, n // tiles.rows
    product = make(tiles)

    product(a, b, c, groups=groups, threads=threads)
    print(f"{make.__name__} of {dtype.name} on {a.device.description}")
    check(c.numpy(), a.numpy(), b.numpy())
    start = time.perf_counter()
    for _ in range(REPEATS):
        product(a, b, c, groups=groups, threads=threads)
    sm.synchronize()
    seconds = (time.perf_counter() - start) / REPEATS
    print(f"    {seconds * 1e3:.3f} ms, {2 * n**3 / seconds / 1e12:.3g} TFLOP/s")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=256, help="a multiple of 256")
    options = parser.parse_args(argv)
    for dtype in (sm.bfloat16, sm.float16, sm.float32):
        run(dtype, options.size)


if __name__ == "__main__":
    main()
