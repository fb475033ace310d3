"""Layer normalisation and its like along one axis: ``(x - mean) / sqrt(variance + epsilon)``.

The mean comes first, and the variance is the mean square of the distances from it: so nothing is
lost where a row is far from zero. Rows that registers hold are read once; longer ones again, from
the cache. What a kernel gets is as in :mod:`speedmetal.arrays.kernels.softmax`; affine weights are
followers of what is stored.

Without ``is_centred`` nothing is subtracted: that is RMS normalisation.
"""

from __future__ import annotations

import math
from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.copy import convert, unravel
from speedmetal.arrays.kernels.teams import (
    TOTAL,
    TOTALS,
    across_rows,
    across_team,
    added_up,
    first_of,
    own_first,
    own_place,
    own_row,
    room,
    squares_added_up,
    step_of,
    turns_of,
    whole_of,
)

LAYER_NORM: Any = sm.static(True)
RMS_NORM: Any = sm.static(False)


@sm.kernel
def kept_rows(
    target: Any,
    source: Any,
    is_centred: sm.static[bool],
    epsilon: Any,
    axes: sm.static[int],
    team: Any,
    vectors: Any,  # static: how many
    rows: int,
) -> None:
    """A team takes rows of at most so many vectors, which its threads keep."""
    lane, number = own_place(team)
    outer, length = source.shape[:axes], source.shape[axes]
    count, nothing = source.dtype(length), source.dtype(0.0)
    kept = sm.thread_array(vectors * team.width, source.dtype)
    sums, more = room(team, source.dtype), room(team, source.dtype)
    for turn in range(number * rows, min(number * rows + rows, turns_of(team, math.prod(outer)))):
        place = unravel(own_row(team, turn), outer)
        for v in sm.static_range(vectors):
            first = first_of(team, v, lane)
            keep_or_0(kept, v, source, place, first, team, v < vectors - 1 or first < length)
        if is_centred:
            total = across_rows(added_up(kept), TOTAL, nothing, team, sums)
            mean = total / count
            for v in sm.static_range(vectors):
                is_inside = v < vectors - 1 or first_of(team, v, lane) < length
                for k in sm.static_range(v * team.width, (v + 1) * team.width):
                    kept[k] = kept[k] - mean if is_inside else 0.0
        squares = across_rows(squares_added_up(kept), TOTAL, nothing, team, more)
        scale = 1.0 / math.sqrt(squares / count + epsilon)
        for k in sm.static_range(vectors * team.width):
            kept[k] = kept[k] * scale
        for v in sm.static_range(vectors):
            first = first_of(team, v, lane)
            if v < vectors - 1 or first < length:
                for k in sm.static_range(team.width):
                    result = convert(kept[v * team.width + k], kept.dtype, target.dtype)
                    target[(*place, first + k)] = result


def keep_or_0(
    kept: Any, vector: Any, source: Any, place: Any, first: Any, team: Any, is_inside: Any
) -> None:
    """Take a thread's elements of a part of a row; beyond its end there is 0."""
    if is_inside:
        for k in sm.static_range(team.width):
            kept[vector * team.width + k] = source[(*place, first + k)]
    else:
        for k in sm.static_range(team.width):
            kept[vector * team.width + k] = 0.0


@sm.kernel
def read_rows(
    target: Any,
    source: Any,
    is_centred: sm.static[bool],
    epsilon: Any,
    axes: sm.static[int],
    team: Any,
    _keeps: sm.static[bool],
    rows: int,
) -> None:
    """A team takes rows, one after the other, which it reads three times."""
    lane, number = own_place(team)
    outer, length = source.shape[:axes], source.shape[axes]
    count, nothing = source.dtype(length), source.dtype(0.0)
    sums, more = room(team, source.dtype), room(team, source.dtype)
    for row in range(number * rows, min(number * rows + rows, math.prod(outer))):
        place = unravel(row, outer)
        mean = nothing
        if is_centred:
            total = sum_of_row(source, place, itself, mean, lane, team)
            mean = across_team(total, sm.simd_sum, nothing, team, sums) / count
        total = sum_of_row(source, place, squared_distance, mean, lane, team)
        squares = across_team(total, sm.simd_sum, nothing, team, more)
        scale = 1.0 / math.sqrt(squares / count + epsilon)
        whole = whole_of(team, length)
        for start in range(0, whole, step_of(team)):
            first = start + own_first(team, lane)
            store_scaled(target, source, place, first, mean, scale, team)
        first = whole + own_first(team, lane)
        if first < length:
            store_scaled(target, source, place, first, mean, scale, team)


def store_scaled(
    target: Any, source: Any, place: Any, first: Any, mean: Any, scale: Any, team: Any
) -> None:
    """Finish a thread's elements side by side: all are loaded before the first is stored."""
    results = sm.thread_array(team.width, source.dtype)
    for k in sm.static_range(team.width):
        results[k] = (source[(*place, first + k)] - mean) * scale
    for k in sm.static_range(team.width):
        target[(*place, first + k)] = convert(results[k], source.dtype, target.dtype)


def itself(element: Any, _mean: Any) -> Any:
    """An element as it is."""
    return element


def squared_distance(element: Any, mean: Any) -> Any:
    """The square of the distance from the mean."""
    return (element - mean) * (element - mean)


def sum_of_row(source: Any, place: Any, term: Any, mean: Any, lane: Any, team: Any) -> Any:
    """What a function gives for a thread's elements of a row, added up."""
    length = source.shape[len(place)]
    turns = TOTALS // team.width if team.width < TOTALS else 1
    step = step_of(team) * turns
    totals = sm.thread_array(turns * team.width, source.dtype)
    for k in sm.static_range(turns * team.width):
        totals[k] = 0.0
    whole = length // step * step
    for start in range(0, whole, step):
        for v in sm.static_range(turns):
            first = start + first_of(team, v, lane)
            for k in sm.static_range(team.width):
                totals[v * team.width + k] += term(source[(*place, first + k)], mean)
    for start in range(whole, length, step_of(team)):
        first = start + own_first(team, lane)
        if first < length:
            for k in sm.static_range(team.width):
                totals[k] += term(source[(*place, first + k)], mean)
    total = (totals[0] + totals[1]) + (totals[2] + totals[3])
    for k in sm.static_range(TOTALS, turns * team.width):
        total += totals[k]
    return total


@sm.kernel
def short_rows(
    target: Any,
    source: Any,
    is_centred: sm.static[bool],
    epsilon: Any,
    axes: sm.static[int],
    length: sm.static[int],
) -> None:
    """A thread takes a row of ``length`` elements, which it keeps."""
    place = unravel(sm.thread_position_in_grid().x, source.shape[:axes])
    kept = sm.thread_array(length, source.dtype)
    total = source.dtype(0.0)
    for at in sm.static_range(length):
        kept[at] = source[(*place, at)]
        total += kept[at]
    mean = total / length if is_centred else source.dtype(0.0)
    squares = source.dtype(0.0)
    for at in sm.static_range(length):
        kept[at] = kept[at] - mean
        squares += kept[at] * kept[at]
    scale = 1.0 / math.sqrt(squares / length + epsilon)
    for at in sm.static_range(length):
        target[(*place, at)] = convert(kept[at] * scale, source.dtype, target.dtype)


@sm.kernel
def columns(
    target: Any,
    source: Any,
    is_centred: sm.static[bool],
    epsilon: Any,
    axes: sm.static[int],
    _keeps: sm.static[bool],
) -> None:
    """A thread takes a column, whose neighbours take the next ones; rows are along y."""
    column, row, _ = sm.thread_position_in_grid()
    place = unravel(row, source.shape[:axes])
    length = source.shape[axes]
    count = source.dtype(length)
    mean = source.dtype(0.0)
    if is_centred:
        for at in range(length):
            mean += source[(*place, at, column)]
        mean = mean / count
    rest = source.dtype(0.0)
    squares = source.dtype(0.0)
    for at in range(length):
        distance = source[(*place, at, column)] - mean
        rest += distance
        squares += distance * distance
    if is_centred:  # a thread alone adds up all: the mean is corrected by what it lost
        mean += rest / count
        squares -= rest * rest / count
    scale = 1.0 / math.sqrt(squares / count + epsilon)
    for at in range(length):
        result = (source[(*place, at, column)] - mean) * scale
        target[(*place, at, column)] = convert(result, source.dtype, target.dtype)
