"""Rows of a table, combined in groups: bags of tokens, and the neighbours of a graph's nodes.

The rows of group ``g`` are ``table[places[starts[g]:starts[g + 1]]]``. Places and starts are within
their axes: that was checked. A thread takes a column of a group, so that neighbours read
neighbours.
"""

from __future__ import annotations

import math
from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.copy import convert


@sm.kernel
def add_rows(
    target: Any, table: Any, places: Any, starts: Any, scales: Any, left_out: int, is_mean: Any
) -> None:
    """target[g] = the sum of the group's rows, or their mean; 0 where it has none.

    Args:
        target: (groups, columns).
        table: (rows, columns), of float32 or float64.
        places: (count,).
        starts: (groups + 1,).
        scales: (count,): by what each row is multiplied; None: by nothing.
        left_out: The place whose row does not count; -1: there is none.
        is_mean: Whether the sum is divided by how many rows count.
    """
    column, group, _ = sm.thread_position_in_grid()
    total = table.dtype(0)
    count = 0
    for at in range(starts[group], starts[group + 1]):
        place = places[at]
        if place != left_out:
            row = table[place, column]
            total += row if scales is None else row * scales[at]
            count += 1
    if is_mean:
        total = total / max(count, 1)
    target[group, column] = convert(total, table.dtype, target.dtype)


@sm.kernel
def greatest_of_rows(target: Any, table: Any, places: Any, starts: Any, left_out: int) -> None:
    """target[g] = the greatest of the group's rows, in each column; 0 where it has none.

    Args are those of :func:`add_rows`.
    """
    column, group, _ = sm.thread_position_in_grid()
    greatest = table.dtype(-math.inf)
    count = 0
    for at in range(starts[group], starts[group + 1]):
        place = places[at]
        if place != left_out:
            greatest = max(greatest, table[place, column])
            count += 1
    value = greatest if count > 0 else table.dtype(0)
    target[group, column] = convert(value, table.dtype, target.dtype)
