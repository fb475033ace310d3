"""Kernels whose places are in arrays: a table that rows are added to, rows of a table."""

from __future__ import annotations

from typing import Any

import speedmetal as sm

LANES = 16


@sm.kernel
def scatter_add(rows: Any, places: Any, tables: Any, count: int) -> None:
    """Each threadgroup adds so many rows of 16 to a table of its own; nothing is shared."""
    group = sm.threadgroup_position_in_grid().x
    lane = sm.thread_index_in_threadgroup()
    for place in range(tables.shape[1]):
        tables[group, place, lane] = 0.0
    for row in range(group * count, min(group * count + count, rows.shape[0])):
        place = places[row]
        tables[group, place, lane] += rows[row, lane]


@sm.kernel
def sum_of_tables(tables: Any, table: Any) -> None:
    position = sm.thread_position_in_grid()
    total = 0.0
    for group in range(tables.shape[0]):
        total += tables[group, position.y, position.x]
    table[position.y, position.x] = total


@sm.kernel
def gather(table: Any, places: Any, rows: Any) -> None:
    """A thread for each element."""
    position = sm.thread_position_in_grid()
    rows[position.y, position.x] = table[places[position.y], position.x]


@sm.kernel
def gather_rows(table: Any, places: Any, rows: Any, count: int) -> None:
    """Sixteen threads take so many rows of 32, one after the other."""
    first = sm.threadgroup_position_in_grid().x * count
    lane = sm.thread_index_in_threadgroup()
    for row in range(first, min(first + count, rows.shape[0])):
        place = places[row]
        rows[row, lane] = table[place, lane]
        rows[row, lane + LANES] = table[place, lane + LANES]
