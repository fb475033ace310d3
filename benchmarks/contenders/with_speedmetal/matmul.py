"""Matrix products of square matrices whose size is a multiple of the tile's."""

from __future__ import annotations

from typing import Any

import speedmetal as sm

TILE = 16  # side of a square of threads that share two tiles
BLOCK = 16  # side of what a simdgroup makes out of 8x8 matrices
SIMDGROUP = 32


@sm.kernel
def tiled(a: Any, b: Any, c: Any) -> None:
    position = sm.thread_position_in_grid()
    here = sm.thread_position_in_threadgroup()
    a_tile = sm.threadgroup_array((TILE, TILE), sm.float32)
    b_tile = sm.threadgroup_array((TILE, TILE), sm.float32)
    total = 0.0
    for start in range(0, a.shape[1], TILE):
        a_tile[here.y, here.x] = a[position.y, start + here.x]
        b_tile[here.y, here.x] = b[start + here.y, position.x]
        sm.threadgroup_barrier()
        for k in range(TILE):
            total += a_tile[here.y, k] * b_tile[k, here.x]
        sm.threadgroup_barrier()
    c[position.y, position.x] = total


@sm.kernel
def matrices(a: Any, b: Any, c: Any) -> None:
    """Each simdgroup makes a square of 2 x 2 of the product's 8x8 matrices."""
    group = sm.threadgroup_position_in_grid()
    row, column = group.y * BLOCK, group.x * BLOCK
    c00 = sm.simdgroup_matrix(0.0, sm.float32)
    c01 = sm.simdgroup_matrix(0.0, sm.float32)
    c10 = sm.simdgroup_matrix(0.0, sm.float32)
    c11 = sm.simdgroup_matrix(0.0, sm.float32)
    for k in range(0, a.shape[1], 8):
        a0 = sm.simdgroup_load(a, (row, k))
        a1 = sm.simdgroup_load(a, (row + 8, k))
        b0 = sm.simdgroup_load(b, (k, column))
        b1 = sm.simdgroup_load(b, (k, column + 8))
        c00 = sm.simdgroup_multiply_accumulate(a0, b0, c00)
        c01 = sm.simdgroup_multiply_accumulate(a0, b1, c01)
        c10 = sm.simdgroup_multiply_accumulate(a1, b0, c10)
        c11 = sm.simdgroup_multiply_accumulate(a1, b1, c11)
    sm.simdgroup_store(c00, c, (row, column))
    sm.simdgroup_store(c01, c, (row, column + 8))
    sm.simdgroup_store(c10, c, (row + 8, column))
    sm.simdgroup_store(c11, c, (row + 8, column + 8))
