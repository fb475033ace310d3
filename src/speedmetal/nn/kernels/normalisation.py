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

LANES = 32  # of a simdgroup
TOTALS = 4  # of a thread, running at once: an addition takes as long as so many can start in

LAYER_NORM: Any = sm.static(True)
RMS_NORM: Any = sm.static(False)


@sm.kernel
def kept_rows(
    target: Any,
    source: Any,
    is_centred: sm.static[bool],
    epsilon: Any,
    axes: sm.static[int],
    vectors: Any,  # static: how many
    rows: int,
) -> None:
    """A simdgroup takes rows of at most so many vectors, which its threads keep."""
    lane = sm.thread_index_in_threadgroup()
    group = sm.threadgroup_position_in_grid().x
    outer, length = source.shape[:axes], source.shape[axes]
    count = source.dtype(length)
    kept = sm.thread_array(vectors, source.dtype)
    for row in range(group * rows, min(group * rows + rows, math.prod(outer))):
        place = unravel(row, outer)
        for v in sm.static_range(vectors):
            at = LANES * v + lane
            kept[v] = source[(*place, at)] if v < vectors - 1 or at < length else 0.0
        if is_centred:
            mean = sm.simd_sum(added_up(kept, vectors)) / count
            for v in sm.static_range(vectors):
                is_inside = v < vectors - 1 or LANES * v + lane < length
                kept[v] = kept[v] - mean if is_inside else 0.0
        squares = sm.simd_sum(squares_added_up(kept, vectors))
        scale = 1.0 / math.sqrt(squares / count + epsilon)
        for v in sm.static_range(vectors):
            at = LANES * v + lane
            if v < vectors - 1 or at < length:
                target[(*place, at)] = convert(kept[v] * scale, source.dtype, target.dtype)


def added_up(kept: Any, vectors: Any) -> Any:
    """A thread's elements, added up."""
    totals = sm.thread_array(TOTALS, kept.dtype)
    for k in sm.static_range(TOTALS):
        totals[k] = 0.0
    for v in sm.static_range(vectors):
        totals[v % TOTALS] += kept[v]
    return (totals[0] + totals[1]) + (totals[2] + totals[3])


def squares_added_up(kept: Any, vectors: Any) -> Any:
    """The squares of a thread's elements, added up."""
    totals = sm.thread_array(TOTALS, kept.dtype)
    for k in sm.static_range(TOTALS):
        totals[k] = 0.0
    for v in sm.static_range(vectors):
        totals[v % TOTALS] += kept[v] * kept[v]
    return (totals[0] + totals[1]) + (totals[2] + totals[3])


@sm.kernel
def read_rows(
    target: Any,
    source: Any,
    is_centred: sm.static[bool],
    epsilon: Any,
    axes: sm.static[int],
    _keeps: sm.static[bool],
    rows: int,
) -> None:
    """A simdgroup takes rows, one after the other, which it reads three times."""
    lane = sm.thread_index_in_threadgroup()
    group = sm.threadgroup_position_in_grid().x
    outer, length = source.shape[:axes], source.shape[axes]
    count = source.dtype(length)
    for row in range(group * rows, min(group * rows + rows, math.prod(outer))):
        place = unravel(row, outer)
        mean = source.dtype(0.0)
        if is_centred:
            mean = sum_of_row(source, place, itself, mean, lane) / count
        squares = sum_of_row(source, place, squared_distance, mean, lane)
        scale = 1.0 / math.sqrt(squares / count + epsilon)
        whole = length // LANES * LANES
        for start in range(0, whole, LANES):
            result = (source[(*place, start + lane)] - mean) * scale
            target[(*place, start + lane)] = convert(result, source.dtype, target.dtype)
        if whole + lane < length:
            result = (source[(*place, whole + lane)] - mean) * scale
            target[(*place, whole + lane)] = convert(result, source.dtype, target.dtype)


def itself(element: Any, _mean: Any) -> Any:
    """An element as it is."""
    return element


def squared_distance(element: Any, mean: Any) -> Any:
    """The square of the distance from the mean."""
    return (element - mean) * (element - mean)


def sum_of_row(source: Any, place: Any, term: Any, mean: Any, lane: Any) -> Any:
    """What a function gives for the elements of a row, added up by a simdgroup."""
    length = source.shape[len(place)]
    step = LANES * TOTALS
    totals = sm.thread_array(TOTALS, source.dtype)
    for k in sm.static_range(TOTALS):
        totals[k] = 0.0
    whole = length // step * step
    for start in range(0, whole, step):
        for k in sm.static_range(TOTALS):
            totals[k] += term(source[(*place, start + LANES * k + lane)], mean)
    for start in range(whole, length, LANES):
        if start + lane < length:
            totals[0] += term(source[(*place, start + lane)], mean)
    return sm.simd_sum((totals[0] + totals[1]) + (totals[2] + totals[3]))


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
