"""Softmax and its like along one axis: every exponential is taken of what lies below the greatest.

What a kernel gets is as in :mod:`speedmetal.arrays.kernels.reduce`, but that the axis is one, and
the target has it as well. Rows that fit into registers are read once; of others the target keeps
what was computed so far, where it ``keeps`` the values as they are stored.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import speedmetal as sm
from speedmetal.arrays.kernels.copy import convert, unravel

LANES = 32  # of a simdgroup


class Finish(NamedTuple):
    """What becomes of an element's distance from the greatest, and of ``exp`` of it, its power.

    Args:
        kept: ``(distance, power)``: what is kept of them.
        scale: ``(total)``: what is needed of the sum of the powers.
        result: ``(kept, scale)``.
    """

    kept: Any
    scale: Any
    result: Any


def _power(_distance: Any, power: Any) -> Any:
    return power


def _distance(distance: Any, _power: Any) -> Any:
    return distance


def _reciprocal(total: Any) -> Any:
    return 1.0 / total


def _logarithm(total: Any) -> Any:
    return math.log(total)


def _product(kept: Any, scale: Any) -> Any:
    return kept * scale


def _difference(kept: Any, scale: Any) -> Any:
    return kept - scale


SOFTMAX = Finish(_power, _reciprocal, _product)
LOG_SOFTMAX = Finish(_distance, _logarithm, _difference)


@sm.kernel
def kept_rows(
    target: Any, source: Any, finish: Any, axes: sm.static[int], vectors: sm.static[int], rows: int
) -> None:
    """A simdgroup takes rows of at most so many vectors, which its threads keep."""
    lane = sm.thread_index_in_threadgroup()
    group = sm.threadgroup_position_in_grid().x
    outer, length = source.shape[:axes], source.shape[axes]
    kept = sm.thread_array(vectors, source.dtype)
    for row in range(group * rows, min(group * rows + rows, math.prod(outer))):
        place = unravel(row, outer)
        greatest = source.dtype(-math.inf)
        for v in sm.static_range(vectors):
            kept[v] = element_within(source, place, LANES * v + lane, length)
            greatest = max(greatest, kept[v])
        greatest = sm.simd_max(greatest)
        total = source.dtype(0.0)
        for v in sm.static_range(vectors):
            distance = kept[v] - greatest
            power = math.exp(distance)
            kept[v] = finish.kept(distance, power)
            total += power
        scale = finish.scale(sm.simd_sum(total))
        for v in sm.static_range(vectors):
            result = finish.result(kept[v], scale)
            store_within(target, place, LANES * v + lane, length, result, source.dtype)


def element_within(source: Any, place: Any, at: Any, length: Any) -> Any:
    """An element of a row; beyond its end what changes neither the greatest nor the total."""
    return source[(*place, at)] if at < length else source.dtype(-math.inf)


def store_within(target: Any, place: Any, at: Any, length: Any, value: Any, dtype: Any) -> None:
    """Store an element of a row, where it is not beyond the end."""
    if at < length:
        target[(*place, at)] = convert(value, dtype, target.dtype)


@sm.kernel
def read_rows(
    target: Any, source: Any, finish: Any, axes: sm.static[int], keeps: sm.static[bool], rows: int
) -> None:
    """A simdgroup takes rows, one after the other, which it reads twice or three times."""
    lane = sm.thread_index_in_threadgroup()
    group = sm.threadgroup_position_in_grid().x
    outer, length = source.shape[:axes], source.shape[axes]
    for row in range(group * rows, min(group * rows + rows, math.prod(outer))):
        place = unravel(row, outer)
        greatest, total = greatest_and_total(target, source, finish, keeps, place, length, lane)
        scale = finish.scale(total)
        whole = length // LANES * LANES
        for start in range(0, whole, LANES):
            store_result(target, source, finish, keeps, place, start + lane, greatest, scale)
        if whole + lane < length:
            store_result(target, source, finish, keeps, place, whole + lane, greatest, scale)


def store_result(
    target: Any,
    source: Any,
    finish: Any,
    keeps: Any,
    place: Any,
    at: Any,
    greatest: Any,
    scale: Any,
) -> None:
    """Finish an element of a row."""
    if keeps:
        kept = target[(*place, at)]
    else:
        distance = source[(*place, at)] - greatest
        kept = finish.kept(distance, math.exp(distance))
    result = finish.result(kept, scale)
    target[(*place, at)] = convert(result, source.dtype, target.dtype)


def greatest_and_total(
    target: Any, source: Any, finish: Any, keeps: Any, place: Any, length: Any, lane: Any
) -> Any:
    """The greatest element of a row, and the sum of the powers; the target keeps what it can."""
    greatest = source.dtype(-math.inf)
    whole = length // LANES * LANES
    for start in range(0, whole, LANES):
        greatest = max(greatest, source[(*place, start + lane)])
    if whole + lane < length:
        greatest = max(greatest, source[(*place, whole + lane)])
    greatest = sm.simd_max(greatest)
    total = source.dtype(0.0)
    for start in range(0, whole, LANES):
        total += power_of(target, source, finish, keeps, place, start + lane, greatest)
    if whole + lane < length:
        total += power_of(target, source, finish, keeps, place, whole + lane, greatest)
    return greatest, sm.simd_sum(total)


def power_of(
    target: Any, source: Any, finish: Any, keeps: Any, place: Any, at: Any, greatest: Any
) -> Any:
    """The exponential of an element's distance; the target keeps what it can."""
    distance = source[(*place, at)] - greatest
    power = math.exp(distance)
    if keeps:
        target[(*place, at)] = finish.kept(distance, power)
    return power


@sm.kernel
def short_rows(
    target: Any, source: Any, finish: Any, axes: sm.static[int], length: sm.static[int]
) -> None:
    """A thread takes a row of ``length`` elements, which it keeps."""
    place = unravel(sm.thread_position_in_grid().x, source.shape[:axes])
    kept = sm.thread_array(length, source.dtype)
    greatest = source.dtype(-math.inf)
    for at in sm.static_range(length):
        kept[at] = source[(*place, at)]
        greatest = max(greatest, kept[at])
    total = source.dtype(0.0)
    for at in sm.static_range(length):
        distance = kept[at] - greatest
        power = math.exp(distance)
        kept[at] = finish.kept(distance, power)
        total += power
    scale = finish.scale(total)
    for at in sm.static_range(length):
        result = finish.result(kept[at], scale)
        target[(*place, at)] = convert(result, source.dtype, target.dtype)


@sm.kernel
def columns(
    target: Any, source: Any, finish: Any, axes: sm.static[int], keeps: sm.static[bool]
) -> None:
    """A thread takes a column, whose neighbours take the next ones; rows are along y."""
    column, row, _ = sm.thread_position_in_grid()
    place = unravel(row, source.shape[:axes])
    length = source.shape[axes]
    greatest = source.dtype(-math.inf)
    for at in range(length):
        greatest = max(greatest, source[(*place, at, column)])
    total = source.dtype(0.0)
    for at in range(length):
        distance = source[(*place, at, column)] - greatest
        power = math.exp(distance)
        if keeps:
            target[(*place, at, column)] = finish.kept(distance, power)
        total += power
    scale = finish.scale(total)
    for at in range(length):
        if keeps:
            kept = target[(*place, at, column)]
        else:
            distance = source[(*place, at, column)] - greatest
            kept = finish.kept(distance, math.exp(distance))
        result = finish.result(kept, scale)
        target[(*place, at, column)] = convert(result, source.dtype, target.dtype)
