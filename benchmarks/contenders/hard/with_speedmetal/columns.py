"""Kernels whose threads are columns and whose loops go down the rows; and argmax, both ways."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from side_by_side.hard_cases import SORTED

import speedmetal as sm

SIMDGROUP = 32
LANES = 16
VECTORS = 8  # of sums that sixteen threads keep
BEYOND = 1 << 30  # no place


@sm.kernel
def column_sums(x: Any, sums: Any, rows: int) -> None:
    """sums[part, column], over so many rows each: a thread for each of them."""
    position = sm.thread_position_in_grid()
    column, part = position.x, position.y
    total = 0.0
    for row in range(part * rows, part * rows + rows):
        total += x[row, column]
    sums[part, column] = total


@sm.kernel
def column_sums_by_vectors(x: Any, sums: Any) -> None:
    """Sixteen threads take eight times as many columns; their sums are in registers."""
    group, lane = sm.threadgroup_position_in_grid().x, sm.thread_index_in_threadgroup()
    column = group * (LANES * VECTORS) + lane
    totals = sm.thread_array(VECTORS, sm.float32)
    for v in sm.static_range(VECTORS):
        totals[v] = 0.0
    for row in range(x.shape[0]):
        for v in sm.static_range(VECTORS):
            totals[v] = totals[v] + x[row, column + LANES * v]
    for v in sm.static_range(VECTORS):
        sums[0, column + LANES * v] = totals[v]


@sm.kernel
def argmax_columns(x: Any, places: Any) -> None:
    column = sm.thread_position_in_grid().x
    greatest, place = x[0, column], 0
    for row in range(1, x.shape[0]):
        value = x[row, column]
        if value > greatest:
            greatest, place = value, row
    places[column] = place


@sm.kernel
def argmax_rows(x: Any, places: Any) -> None:
    """A simdgroup takes 32 rows, so that it stores the places of all at once."""
    first = sm.threadgroup_position_in_grid().x * SIMDGROUP
    lane = sm.thread_index_in_threadgroup()
    found = 0
    for k in range(SIMDGROUP):
        greatest, place = -math.inf, 0
        for start in range(0, x.shape[1], SIMDGROUP):
            value = x[first + k, start + lane]
            is_greater = value > greatest
            greatest = sm.select(is_greater, value, greatest)
            place = sm.select(is_greater, start, place)
        is_best = greatest == sm.simd_max(greatest)
        best = sm.simd_min(sm.select(is_best, place + lane, BEYOND))
        found = sm.select(lane == k, best, found)
    places[first + lane] = found


@sm.kernel
def sum_down_rows(a: Any, b: Any, c: Any) -> None:
    column = sm.thread_position_in_grid().x
    for row in range(a.shape[0]):
        c[row, column] = a[row, column] + b[row, column]


def comparisons(count: int) -> Iterator[tuple[int, int]]:
    """The pairs that a network compares to sort so many values, a power of two.

    Source: K. E. Batcher, "Sorting networks and their applications", AFIPS 32 (1968): odd-even
    merges, as loops.

    >>> list(comparisons(4))
    [(0, 1), (2, 3), (0, 2), (1, 3), (1, 2)]
    """
    merged = 1
    while merged < count:
        distance = merged
        while distance:
            for start in range(distance % merged, count - distance, 2 * distance):
                for low in range(start, min(start + distance, count - distance)):
                    high = low + distance
                    if low // (2 * merged) == high // (2 * merged):
                        yield low, high
            distance //= 2
        merged *= 2


NETWORK = tuple(comparisons(SORTED))


@sm.kernel
def sort_columns(x: Any, y: Any) -> None:
    """A thread sorts the 16 values of its column by a network, in registers."""
    column = sm.thread_position_in_grid().x
    values = sm.thread_array(SORTED, sm.float32)
    for row in sm.static_range(SORTED):
        values[row] = x[row, column]
    for low, high in NETWORK:
        first, second = values[low], values[high]
        is_sorted = first <= second
        values[low] = sm.select(is_sorted, first, second)
        values[high] = sm.select(is_sorted, second, first)
    for row in sm.static_range(SORTED):
        y[row, column] = values[row]
