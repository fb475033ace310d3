"""Where extremes are: along an axis, the place of the first element that none exceeds.

What a kernel gets, and how launches follow each other, is as in
:mod:`speedmetal.arrays.kernels.reduce`. A launch stores places; the next one looks at the elements
in these alone.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import speedmetal as sm
from speedmetal.arrays.kernels import reduce
from speedmetal.arrays.kernels.copy import unravel
from speedmetal.arrays.kernels.teams import (
    across_team,
    own_first,
    own_part,
    room,
    step_of,
    whole_of,
)


class Order(NamedTuple):
    """Which of two elements exceeds the other; NaN exceeds all numbers, as in NumPy.

    Args:
        exceeds: ``(element, best)``: whether the element is to take the place of the best.
        worst: ``(dtype)``: what each element may take the place of, or is equal to.
        across: The best of a simdgroup's threads, for each of them.
    """

    exceeds: Any
    worst: Any
    across: Any


# Of NaN no comparison is true: so "not less or equal" is "greater, or one is NaN", in one
# instruction, after which it is left to tell whether it is the best that is.


def _is_greater(element: Any, best: Any) -> Any:
    return (not element <= best) & (best == best)  # noqa: PLR0124


def _is_less(element: Any, best: Any) -> Any:
    return (not element >= best) & (best == best)  # noqa: PLR0124


GREATEST = Order(_is_greater, reduce.lowest, sm.simd_max)
LEAST = Order(_is_less, reduce.highest, sm.simd_min)


@sm.kernel
def places_in_rows(
    target: Any,
    source: Any,
    candidates: Any,
    order: Any,
    axes: sm.static[int],
    team: Any,
    rows: int,
    parts: int,
    length: int,
) -> None:
    """target[row, part]: a team takes a part of a row, of several rows one after the other.

    ``candidates[row, ...]`` are the places to look at, in their order; None: all are.
    """
    lane, number, part = own_part(team, parts)
    outer, inner = source.shape[:axes], source.shape[axes:]
    count = math.prod(inner) if candidates is None else candidates.shape[axes]
    begin = part * length
    end = min(begin + length, count)
    bests, places = room(team, source.dtype), room(team, begin.dtype)
    for row in range(number * rows, min(number * rows + rows, math.prod(outer))):
        index = unravel(row, outer)
        found = place_of(candidates, index, begin)
        best = order.worst(source.dtype)
        whole = begin + whole_of(team, end - begin)
        for start in range(begin, whole, step_of(team)):
            for k in sm.static_range(team.width):
                place = place_of(candidates, index, start + own_first(team, lane) + k)
                element = source[(*index, *unravel(place, inner))]
                is_better = order.exceeds(element, best)
                best = sm.select(is_better, element, best)
                found = sm.select(is_better, place, found)
        if whole + own_first(team, lane) < end:
            for k in sm.static_range(team.width):
                last = place_of(candidates, index, whole + own_first(team, lane) + k)
                last_element = source[(*index, *unravel(last, inner))]
                if order.exceeds(last_element, best):
                    best = last_element
                    found = last
        greatest = across_team(best, order.across, order.worst(source.dtype), team, bests)
        is_best = (best == greatest) | (best != best)  # noqa: PLR0124 - NaN
        beyond = math.prod(inner)
        own = sm.select(is_best, found, beyond)
        first = across_team(own, sm.simd_min, beyond, team, places)
        if lane == 0:
            target[(*index, part)] = first.astype(target.dtype)


@sm.kernel
def places_in_columns(
    target: Any, source: Any, candidates: Any, order: Any, axes: sm.static[int], length: int
) -> None:
    """target[row, part, column]: a thread for each, whose neighbours take the next columns.

    Source and candidates have the columns for their last axis. The grid is the target.
    """
    column, part, row = sm.thread_position_in_grid()
    index = unravel(row, source.shape[:axes])
    inner = source.shape[axes:-1]
    count = math.prod(inner) if candidates is None else candidates.shape[axes]
    begin = part * length
    found = place_of_column(candidates, index, begin, column)
    best = order.worst(source.dtype)
    for at in range(begin, min(begin + length, count)):
        place = place_of_column(candidates, index, at, column)
        element = source[(*index, *unravel(place, inner), column)]
        is_better = order.exceeds(element, best)
        best = sm.select(is_better, element, best)
        found = sm.select(is_better, place, found)
    target[(*index, part, column)] = found.astype(target.dtype)


@sm.kernel
def places_in_whole_rows_of_columns(
    target: Any,
    source: Any,
    candidates: Any,
    order: Any,
    axes: sm.static[int],
    vectors: Any,
    length: int,
) -> None:
    """As :func:`places_in_columns`, but each thread has as many ``vectors`` columns.

    See :func:`speedmetal.arrays.kernels.reduce.reduce_whole_rows_of_columns` for the sizes.
    """
    lane = sm.thread_index_in_threadgroup()
    group = sm.threadgroup_position_in_grid()
    column = group.x * (reduce.COLUMNS * vectors) + lane
    index = unravel(group.z, source.shape[:axes])
    inner = source.shape[axes:-1]
    count = math.prod(inner) if candidates is None else candidates.shape[axes]
    begin = group.y * length
    found = sm.thread_array(vectors, sm.int32)
    best = sm.thread_array(vectors, source.dtype)
    for v in sm.static_range(vectors):
        found[v] = place_of_column(candidates, index, begin, column + reduce.COLUMNS * v)
        best[v] = order.worst(source.dtype)
    for at in range(begin, min(begin + length, count)):
        for v in sm.static_range(vectors):
            own = column + reduce.COLUMNS * v
            place = place_of_column(candidates, index, at, own)
            element = source[(*index, *unravel(place, inner), own)]
            is_better = order.exceeds(element, best[v])
            best[v] = sm.select(is_better, element, best[v])
            found[v] = sm.select(is_better, place, found[v])
    for v in sm.static_range(vectors):
        own = column + reduce.COLUMNS * v
        target[(*index, group.y, own)] = found[v].astype(target.dtype)


def place_of(candidates: Any, index: Any, at: Any) -> Any:
    """The place to look at as the one of this number."""
    if candidates is None:
        return at
    return candidates[(*index, at)]


def place_of_column(candidates: Any, index: Any, at: Any, column: Any) -> Any:
    """The same of columns."""
    if candidates is None:
        return at
    return candidates[(*index, at, column)]
