"""Products of stacks of matrices by tiles of sums in registers, as the CPU's vectors like them.

A threadgroup is one vector of threads. It takes a block of rows of ``a``, and of ``b``, whose
columns lie in *panels*, one after the other: a panel is as wide as a tile, so that its rows follow
each other without a gap. Each step brings one row of a panel, and multiplies it by an element of
each of the tile's rows, which all threads share. Where a block of ``c`` lies in memory, it is
written from its first element to its last.
"""

from __future__ import annotations

from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.copy import convert, unravel

LANES = 16
"""Threads of a threadgroup: a vector of the widest processors, or two of others."""


@sm.kernel
def lay_into_panels(panels: Any, b: Any) -> None:
    """Copy the columns of stacks of matrices into panels, with zeros beyond the last one.

    What memory was before may be numbers that take long to multiply, so it does not stay.

    Args:
        panels: ``(stack, panels, inner, width)``. The grid has an element of a row along x, the
            rows along y, and all panels along z.
        b: ``(..., inner, columns)``.
    """
    x, k, z = sm.thread_position_in_grid()
    stack, panel = z // panels.shape[1], z % panels.shape[1]
    column = panel * panels.shape[3] + x
    value = panels.dtype(0)
    if column < b.shape[-1]:
        place = unravel(stack, b.shape[:-2]) if b.ndim > 2 else ()
        value = b[(*place, k, column)].astype(panels.dtype)
    panels[stack, panel, k, x] = value


@sm.kernel
def turn_into_panels(panels: Any, b: Any) -> None:
    """The same of matrices whose columns lie in memory one after the other.

    Args:
        panels: As above. Threadgroups of ``LANES`` threads take so many columns: those of a panel
            are along x, and all panels along y.
        b: ``(..., inner, columns)``.
    """
    group, y, _ = sm.threadgroup_position_in_grid()
    stack, panel = y // panels.shape[1], y % panels.shape[1]
    x = group * LANES + sm.thread_index_in_threadgroup()
    column = panel * panels.shape[3] + x
    place = unravel(stack, b.shape[:-2]) if b.ndim > 2 else ()
    for k in range(b.shape[-2]):
        value = panels.dtype(0)
        if column < b.shape[-1]:
            value = b[(*place, k, column)].astype(panels.dtype)
        panels[stack, panel, k, x] = value


@sm.kernel
def multiply_panels(
    c: Any, a: Any, panels: Any, rows: sm.static[int], vectors: sm.static[int], block: int
) -> None:
    """``c[s] = a[s] @ b[s]``, summed in the dtype of ``panels``.

    Args:
        c: ``(stack, rows, columns)``.
        a: ``(..., rows, inner)``, whose first axes are the stack.
        panels: ``(stack, panels, inner, width)``; the last panel may reach beyond the columns.
        rows: Of a tile.
        vectors: Of a tile's row: a panel's width in units of ``LANES``.
        block: Rows of a threadgroup. Threadgroups count blocks along x, matrices along y.
    """
    group = sm.threadgroup_position_in_grid()
    end = min((group.x + 1) * block, c.shape[1])
    top = group.x * block
    own = a[unravel(group.y, a.shape[:-2])]
    while top < end:
        for panel in range(panels.shape[1]):
            multiply_tile(c, own, panels[group.y, panel], group.y, top, panel, rows, vectors)
        top += rows


def multiply_tile(
    c: Any, a: Any, panel: Any, stack: Any, top: Any, number: Any, rows: Any, vectors: Any
) -> None:
    """The sums of a tile, whose rows beyond the last one are that one once more."""
    lane = sm.thread_index_in_threadgroup()
    kind = panel.dtype
    totals = sm.thread_array((rows, vectors), kind)
    for i in sm.static_range(rows):
        for v in sm.static_range(vectors):
            totals[i, v] = kind(0)
    places = tuple(min(top + i, c.shape[1] - 1) for i in range(rows))
    for k in range(a.shape[1]):
        row = tuple(panel[k, LANES * v + lane] for v in range(vectors))
        for i in sm.static_range(rows):
            element = a[places[i], k].astype(kind)
            for v in sm.static_range(vectors):
                totals[i, v] += element * row[v]
    for i in sm.static_range(rows):
        if top + i < c.shape[1]:
            store_row(c[stack, top + i], totals, i, number * (LANES * vectors))


def store_row(row: Any, totals: Any, i: Any, left: Any) -> None:
    """Write a row of sums from a column on, as far as the result goes.

    Vectors that all threads store may go past the caches, so they have a branch of their own.
    """
    lane, vectors, size = sm.thread_index_in_threadgroup(), totals.shape[1], row.shape[0]
    for v in sm.static_range(vectors):
        column = left + LANES * v + lane
        result = convert(totals[i, v], totals.dtype, row.dtype)
        if left + LANES * vectors <= size:  # noqa: SIM114 - see above
            row[column] = result
        elif column < size:
            row[column] = result
