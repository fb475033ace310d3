"""Products of stacks of matrices: ``c[s] = a[s] @ b[s]``, of any strides and sizes.

A threadgroup of 16 x 16 threads computes a block of 64 x 64 elements, each thread 4 x 4 of them, 16
apart, so that neighbours read and write neighbours. What it reads of the operands goes through
threadgroup memory, 16 columns and rows at a time; elements beyond the matrices count as 0.
"""

from __future__ import annotations

from typing import Any

import speedmetal as sm

SIDE = 16
"""Threads along each side of a threadgroup, and columns and rows that are taken at a time."""
EACH = 4
"""Rows and columns of a thread."""
BLOCK = SIDE * EACH


@sm.kernel
def multiply(a: Any, b: Any, c: Any) -> None:
    """``c[s] = a[s] @ b[s]``, summed in ``total_type(c.dtype)``.

    Args:
        a: ``(stack, rows, inner)``.
        b: ``(stack, inner, columns)``.
        c: ``(stack, rows, columns)``.
    """
    x, y, _ = sm.thread_position_in_threadgroup()
    # The blocks of a matrix are numbered along x: CUDA takes 65535 threadgroups along y alone.
    group = sm.threadgroup_position_in_grid()
    wide = sm.cdiv(c.shape[2], BLOCK)
    top, side, stack = group.x // wide * BLOCK, group.x % wide * BLOCK, group.y
    kind = total_type(c.dtype)
    # One more, so that banks of memory differ, where 32 KiB hold it.
    left = sm.threadgroup_array((SIDE, BLOCK + (kind != sm.complex128)), kind)
    right = sm.threadgroup_array((SIDE, BLOCK), kind)
    totals = sm.thread_array((EACH, EACH), kind)
    fill(totals, kind(0))
    for first in range(0, a.shape[2], SIDE):
        for part in sm.static_range(EACH):
            load_left(a, left, stack, top, first, x, y + part * SIDE, kind)
            load_right(b, right, stack, first, side, x + part * SIDE, y, kind)
        sm.threadgroup_barrier()
        add_products(totals, left, right, x, y)
        sm.threadgroup_barrier()
    store(totals, c, stack, top + y, side + x)


def fill(totals: Any, value: Any) -> None:
    """Begin the sums."""
    for i in sm.static_range(EACH):
        for j in sm.static_range(EACH):
            totals[i, j] = value


def add_products(totals: Any, left: Any, right: Any, x: Any, y: Any) -> None:
    """Add what the threadgroup has brought."""
    for k in sm.static_range(SIDE):
        for i in sm.static_range(EACH):
            for j in sm.static_range(EACH):
                totals[i, j] += left[k, y + i * SIDE] * right[k, x + j * SIDE]


def store(totals: Any, c: Any, stack: Any, first_row: Any, first_column: Any) -> None:
    """Write a thread's sums, as far as they are in the result."""
    for i in sm.static_range(EACH):
        for j in sm.static_range(EACH):
            row, column = first_row + i * SIDE, first_column + j * SIDE
            if row < c.shape[1] and column < c.shape[2]:
                c[stack, row, column] = totals[i, j].astype(c.dtype)


def load_left(
    a: Any, left: Any, stack: Any, top: Any, first: Any, x: Any, y: Any, kind: Any
) -> None:
    """Bring one element of ``a`` to the threadgroup, whose array has its rows as columns."""
    row, column = top + y, first + x
    value = kind(0)
    if row < a.shape[1] and column < a.shape[2]:
        value = a[stack, row, column].astype(kind)
    left[x, y] = value


def load_right(
    b: Any, right: Any, stack: Any, first: Any, side: Any, x: Any, y: Any, kind: Any
) -> None:
    """Bring one element of ``b`` to the threadgroup."""
    row, column = first + y, side + x
    value = kind(0)
    if row < b.shape[1] and column < b.shape[2]:
        value = b[stack, row, column].astype(kind)
    right[y, x] = value


def total_type(dtype: Any) -> Any:
    """The type of sums: of 32 bits at least. Integers wrap, so that more bits change nothing."""
    if dtype in (sm.float16, sm.bfloat16):
        return sm.float32
    if dtype in (sm.int8, sm.int16):
        return sm.int32
    if dtype in (sm.uint8, sm.uint16):
        return sm.uint32
    return dtype
