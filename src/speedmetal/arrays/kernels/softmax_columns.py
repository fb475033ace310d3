"""Softmax and its like of columns, whose neighbours take the next ones, on a GPU.

What a kernel gets is as in :mod:`speedmetal.arrays.kernels.softmax`. A threadgroup takes a strip
of columns (:mod:`speedmetal.arrays.kernels.strips`), whose threads keep it, or read it twice: at
first they find the greatest element and the sum of the powers of the distances from it, both at
once. Where strips are too few for all of a GPU, these are found of parts of them, by one launch,
and joined by the next one.
"""

from __future__ import annotations

import math
from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.copy import unravel
from speedmetal.arrays.kernels.strips import column_of, load_rows, own_strip, store_rows


@sm.kernel
def kept_columns(target: Any, source: Any, finish: Any, axes: sm.static[int], strip: Any) -> None:
    """Columns of at most as many elements as a strip's threads keep."""
    lane, down, vector, _, row = own_strip(strip, source.shape[-1], 1)
    column = column_of(vector, source.shape[-1], strip)
    place = unravel(row, source.shape[:axes])
    length = source.shape[axes]
    kind = source.dtype
    own = sm.thread_array((strip.rows, strip.width), kind)
    greatest = sm.thread_array(strip.width, kind)
    totals = sm.thread_array(strip.width, kind)
    load_rows(own, source, place, column, down, strip.down, length, strip)
    leave_beyond(own, down, length, strip)
    for j in sm.static_range(strip.width):
        greatest[j] = kind(-math.inf)
        for r in sm.static_range(strip.rows):
            greatest[j] = max(greatest[j], own[r, j])
    if strip.down > 1:
        greatest_below(greatest, lane, down, strip)
    for j in sm.static_range(strip.width):
        totals[j] = kind(0.0)
        for r in sm.static_range(strip.rows):
            distance = own[r, j] - greatest[j]
            power = math.exp(distance)
            own[r, j] = finish.kept(distance, power)
            totals[j] += power
    if strip.down > 1:
        sum_below(totals, lane, down, strip)
    for j in sm.static_range(strip.width):
        scale = finish.scale(totals[j])
        for r in sm.static_range(strip.rows):
            own[r, j] = finish.result(own[r, j], scale)
    is_inside = vector * strip.width < source.shape[-1]
    store_rows(target, own, place, column, down, strip.down, length, is_inside, strip)


@sm.kernel
def parts_of_columns(
    found: Any, source: Any, axes: sm.static[int], strip: Any, parts: int, length: int
) -> None:
    """The greatest elements of parts of columns, ``found[0, ..., part, column]``, and the sums.

    Parts have ``length`` elements, but for the last.
    """
    lane, down, vector, part, row = own_strip(strip, source.shape[-1], parts)
    column = column_of(vector, source.shape[-1], strip)
    place = unravel(row, source.shape[:axes])
    greatest = sm.thread_array(strip.width, source.dtype)
    totals = sm.thread_array(strip.width, source.dtype)
    begin = part * length
    end = min(begin + length, source.shape[axes])
    find_powers(greatest, totals, source, place, column, down, begin, end, strip)
    join_below(greatest, totals, lane, down, strip)
    if down == 0 and vector * strip.width < source.shape[-1]:
        for j in sm.static_range(strip.width):
            found[(0, *place, part, column + j)] = greatest[j]
            found[(1, *place, part, column + j)] = totals[j]


@sm.kernel
def read_columns(
    target: Any,
    source: Any,
    finish: Any,
    found: Any,
    axes: sm.static[int],
    strip: Any,
    parts: int,
    length: int,
) -> None:
    """Columns of any length; None is ``found`` of them where they have one part."""
    lane, down, vector, part, row = own_strip(strip, source.shape[-1], parts)
    part = parts - 1 - part  # what was read last is in the cache
    column = column_of(vector, source.shape[-1], strip)
    place = unravel(row, source.shape[:axes])
    kind = source.dtype
    greatest = sm.thread_array(strip.width, kind)
    totals = sm.thread_array(strip.width, kind)
    own = sm.thread_array((strip.rows, strip.width), kind)
    begin = part * length
    end = min(begin + length, source.shape[axes])
    if found is None:
        find_powers(greatest, totals, source, place, column, down, begin, end, strip)
    else:
        find_joined(greatest, totals, found, place, column, down, parts, strip)
    join_below(greatest, totals, lane, down, strip)
    for j in sm.static_range(strip.width):
        totals[j] = finish.scale(totals[j])
    is_inside = vector * strip.width < source.shape[-1]
    for start in range(begin, end, strip.down * strip.rows):
        load_rows(own, source, place, column, start + down, strip.down, end, strip)
        for j in sm.static_range(strip.width):
            for r in sm.static_range(strip.rows):
                distance = own[r, j] - greatest[j]
                own[r, j] = finish.result(finish.kept(distance, math.exp(distance)), totals[j])
        store_rows(target, own, place, column, start + down, strip.down, end, is_inside, strip)


def leave_beyond(own: Any, first: Any, end: Any, strip: Any) -> None:
    """Put ``-inf`` for what is beyond the end of columns."""
    for r in sm.static_range(strip.rows):
        for j in sm.static_range(strip.width):
            own[r, j] = sm.select(first + r * strip.down < end, own[r, j], own.dtype(-math.inf))


def find_powers(
    greatest: Any,
    totals: Any,
    source: Any,
    place: Any,
    column: Any,
    down: Any,
    begin: Any,
    end: Any,
    strip: Any,
) -> None:
    """The greatest of a thread's elements from one row to another, and the sums of the powers."""
    own = sm.thread_array((strip.rows, strip.width), source.dtype)
    for j in sm.static_range(strip.width):
        greatest[j] = source.dtype(-math.inf)
        totals[j] = source.dtype(0.0)
    for start in range(begin, end, strip.down * strip.rows):
        load_rows(own, source, place, column, start + down, strip.down, end, strip)
        leave_beyond(own, start + down, end, strip)
        for j in sm.static_range(strip.width):
            before = greatest[j]
            for r in sm.static_range(strip.rows):
                greatest[j] = max(greatest[j], own[r, j])
            base = base_of(greatest[j])
            totals[j] *= math.exp(before - base)
            for r in sm.static_range(strip.rows):
                totals[j] += math.exp(own[r, j] - base)


def find_joined(
    greatest: Any,
    totals: Any,
    found: Any,
    place: Any,
    column: Any,
    down: Any,
    parts: Any,
    strip: Any,
) -> None:
    """The same of the parts that a thread joins."""
    for j in sm.static_range(strip.width):
        greatest[j] = found.dtype(-math.inf)
        totals[j] = found.dtype(0.0)
        for part in range(down, parts, strip.down):
            greatest[j] = max(greatest[j], found[(0, *place, part, column + j)])
        base = base_of(greatest[j])
        for part in range(down, parts, strip.down):
            distance = found[(0, *place, part, column + j)] - base
            totals[j] += found[(1, *place, part, column + j)] * math.exp(distance)


def base_of(greatest: Any) -> Any:
    """What powers' distances are counted from: not ``-inf``, from which it is none."""
    return sm.select(greatest == greatest.dtype(-math.inf), greatest.dtype(0.0), greatest)


def join_below(greatest: Any, totals: Any, lane: Any, down: Any, strip: Any) -> None:
    """What the threads below each other found as one, for each of them."""
    if strip.down > 1:
        own = sm.thread_array(strip.width, greatest.dtype)
        for j in sm.static_range(strip.width):
            own[j] = greatest[j]
        greatest_below(greatest, lane, down, strip)
        for j in sm.static_range(strip.width):
            totals[j] *= math.exp(own[j] - base_of(greatest[j]))
        sum_below(totals, lane, down, strip)


def greatest_below(values: Any, lane: Any, down: Any, strip: Any) -> None:
    """The greatest value of the threads below each other, for each of them."""
    shared = sm.threadgroup_array((strip.down, strip.across * strip.width), values.dtype)
    for j in sm.static_range(strip.width):
        shared[down, lane * strip.width + j] = values[j]
    sm.threadgroup_barrier()
    for j in sm.static_range(strip.width):
        for k in sm.static_range(strip.down):
            values[j] = max(values[j], shared[k, lane * strip.width + j])


def sum_below(values: Any, lane: Any, down: Any, strip: Any) -> None:
    """The sum of the values of the threads below each other, for each of them."""
    shared = sm.threadgroup_array((strip.down, strip.across * strip.width), values.dtype)
    for j in sm.static_range(strip.width):
        shared[down, lane * strip.width + j] = values[j]
    sm.threadgroup_barrier()
    for j in sm.static_range(strip.width):
        values[j] = values.dtype(0.0)
        for k in sm.static_range(strip.down):
            values[j] += shared[k, lane * strip.width + j]
