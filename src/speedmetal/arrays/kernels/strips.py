"""Strips: columns that a GPU's threadgroup takes together, a tile of some rows after the other.

Threads beside each other take columns beside each other, each as many as one load moves; threads
below each other take rows of them, each some that are on their way at once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import speedmetal as sm
from speedmetal.arrays.kernels.copy import convert


class Strip(NamedTuple):
    """How a threadgroup takes columns, in numbers that a kernel knows while it is compiled.

    Args:
        across: Threads beside each other.
        down: Threads below each other.
        rows: Of each of them, one after the other.
        width: Elements side by side of each; rows are a multiple.
    """

    across: Any
    down: Any
    rows: Any
    width: Any


def own_strip(strip: Any, columns: Any, parts: Any) -> Any:
    """The thread's place in its threadgroup's strip, across and down, and what it takes.

    Returns:
        The two, the number of its columns side by side, that of its part, and of its row.
    """
    thread = sm.thread_index_in_threadgroup()
    group = sm.threadgroup_position_in_grid().x
    each = strip.across * strip.width
    strips = (columns + each - 1) // each
    lane, down = thread % strip.across, thread // strip.across
    vector = group % strips * strip.across + lane
    return lane, down, vector, group // strips % parts, group // strips // parts


def column_of(vector: Any, columns: Any, strip: Any) -> Any:
    """The first of the columns that a thread takes; beyond the last ones these once more."""
    return min(vector, columns // strip.width - 1) * strip.width


def load_rows(
    own: Any,
    source: Any,
    place: Any,
    column: Any,
    first: Any,
    step: Any,
    end: Any,
    strip: Any,
) -> None:
    """Take a thread's elements of a tile; beyond its end those of the last row."""
    for r in sm.static_range(strip.rows):
        at = min(first + r * step, end - 1)
        for j in sm.static_range(strip.width):
            own[r, j] = source[(*place, at, column + j)]


def store_rows(
    target: Any,
    own: Any,
    place: Any,
    column: Any,
    first: Any,
    step: Any,
    end: Any,
    is_inside: Any,
    strip: Any,
) -> None:
    """Store a thread's elements of a tile, if they are not beyond its end, or the last column."""
    for r in sm.static_range(strip.rows):
        at = first + r * step
        if is_inside and at < end:
            for j in sm.static_range(strip.width):
                target[(*place, at, column + j)] = convert(own[r, j], own.dtype, target.dtype)
