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
from speedmetal.arrays.kernels.teams import (
    GREATEST,
    TOTAL,
    across_rows,
    across_team,
    first_of,
    own_first,
    own_place,
    own_row,
    room,
    step_of,
    turns_of,
    whole_of,
)

LOG2_OF_E = 1.4426950408889634


class Finish(NamedTuple):
    """What becomes of an element's distance from the greatest, and of ``exp`` of it, its power.

    Args:
        kept: ``(distance, power)``: what is kept of them.
        scale: ``(total)``: what is needed of the sum of the powers.
        result: ``(kept, scale)``.
        power: ``(distance)``: where threads keep rows.
    """

    kept: Any
    scale: Any
    result: Any
    power: Any


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


def _exponential(distance: Any) -> Any:
    return math.exp(distance)


def _exponential_of_half(distance: Any) -> Any:
    """Off by ``abs(distance) * 2**-23`` of it, where results have 11 bits: less than they round."""
    return sm.exp2(distance * LOG2_OF_E)


SOFTMAX = Finish(_power, _reciprocal, _product, _exponential)
SOFTMAX_OF_HALVES = Finish(_power, _reciprocal, _product, _exponential_of_half)
LOG_SOFTMAX = Finish(_distance, _logarithm, _difference, _exponential)


@sm.kernel
def kept_rows(
    target: Any,
    source: Any,
    finish: Any,
    axes: sm.static[int],
    team: Any,
    vectors: Any,  # static: how many
    rows: int,
) -> None:
    """A team takes rows of at most so many vectors, which its threads keep."""
    lane, number = own_place(team)
    outer, length = source.shape[:axes], source.shape[axes]
    lowest = source.dtype(-math.inf)
    kept = sm.thread_array(vectors * team.width, source.dtype)
    extremes, sums = room(team, source.dtype), room(team, source.dtype)
    for turn in range(number * rows, min(number * rows + rows, turns_of(team, math.prod(outer)))):
        place = unravel(own_row(team, turn), outer)
        greatest = source.dtype(-math.inf)
        for v in sm.static_range(vectors):
            first = first_of(team, v, lane)
            keep_elements(kept, v, source, place, first, team, v < vectors - 1 or first < length)
        for k in sm.static_range(vectors * team.width):  # behind all loads, which go together
            greatest = max(greatest, kept[k])
        greatest = across_rows(greatest, GREATEST, lowest, team, extremes)
        total = source.dtype(0.0)
        for k in sm.static_range(vectors * team.width):
            distance = kept[k] - greatest
            power = finish.power(distance)
            kept[k] = finish.kept(distance, power)
            total += power
        scale = finish.scale(across_rows(total, TOTAL, source.dtype(0.0), team, sums))
        for v in sm.static_range(vectors):
            first = first_of(team, v, lane)
            is_inside = v < vectors - 1 or first < length
            store_elements(target, kept, finish, scale, v, place, first, team, is_inside)


def keep_elements(
    kept: Any, vector: Any, source: Any, place: Any, first: Any, team: Any, is_inside: Any
) -> None:
    """Take a thread's elements of a part of a row; beyond its end ``-inf`` is taken for them."""
    if team.width == 1:
        kept[vector] = element_within(source, place, first, is_inside)
    elif is_inside:
        for k in sm.static_range(team.width):
            kept[vector * team.width + k] = source[(*place, first + k)]
    else:
        for k in sm.static_range(team.width):
            kept[vector * team.width + k] = source.dtype(-math.inf)


def store_elements(
    target: Any,
    kept: Any,
    finish: Any,
    scale: Any,
    vector: Any,
    place: Any,
    first: Any,
    team: Any,
    is_inside: Any,
) -> None:
    """Finish and store a thread's elements of a part of a row, if they are not beyond its end."""
    for k in sm.static_range(vector * team.width, (vector + 1) * team.width):
        kept[k] = finish.result(kept[k], scale)
    if team.width == 1:
        if is_inside:
            target[(*place, first)] = convert(kept[vector], kept.dtype, target.dtype)
    elif is_inside:
        for k in sm.static_range(team.width):
            result = convert(kept[vector * team.width + k], kept.dtype, target.dtype)
            target[(*place, first + k)] = result


def element_within(source: Any, place: Any, at: Any, is_inside: Any) -> Any:
    """An element of a row; beyond its end what changes neither the greatest nor the total."""
    return source[(*place, at)] if is_inside else source.dtype(-math.inf)


@sm.kernel
def read_rows(
    target: Any,
    source: Any,
    finish: Any,
    axes: sm.static[int],
    team: Any,
    keeps: sm.static[bool],
    rows: int,
) -> None:
    """A team takes rows, one after the other, which it reads twice or three times."""
    lane, number = own_place(team)
    outer, length = source.shape[:axes], source.shape[axes]
    lowest, nothing = source.dtype(-math.inf), source.dtype(0.0)
    extremes, sums = room(team, source.dtype), room(team, source.dtype)
    for row in range(number * rows, min(number * rows + rows, math.prod(outer))):
        place = unravel(row, outer)
        greatest = greatest_of(source, place, length, lane, team)
        greatest = across_team(greatest, sm.simd_max, lowest, team, extremes)
        total = total_of(target, source, finish, keeps, place, length, lane, team, greatest)
        scale = finish.scale(across_team(total, sm.simd_sum, nothing, team, sums))
        whole = whole_of(team, length)
        for start in range(0, whole, step_of(team)):
            first = start + own_first(team, lane)
            store_results(target, source, finish, keeps, place, first, greatest, scale, team)
        first = whole + own_first(team, lane)
        if first < length:
            store_results(target, source, finish, keeps, place, first, greatest, scale, team)


def store_results(
    target: Any,
    source: Any,
    finish: Any,
    keeps: Any,
    place: Any,
    first: Any,
    greatest: Any,
    scale: Any,
    team: Any,
) -> None:
    """Finish a thread's elements side by side: all are loaded before the first is stored."""
    if team.width == 1:
        result = result_of(target, source, finish, keeps, place, first, greatest, scale)
        target[(*place, first)] = convert(result, source.dtype, target.dtype)
        return
    results = sm.thread_array(team.width, source.dtype)
    for k in sm.static_range(team.width):
        results[k] = result_of(target, source, finish, keeps, place, first + k, greatest, scale)
    for k in sm.static_range(team.width):
        target[(*place, first + k)] = convert(results[k], source.dtype, target.dtype)


def greatest_of(source: Any, place: Any, length: Any, lane: Any, team: Any) -> Any:
    """The greatest of a thread's elements of a row."""
    greatest = source.dtype(-math.inf)
    whole = whole_of(team, length)
    for start in range(0, whole, step_of(team)):
        first = start + own_first(team, lane)
        for k in sm.static_range(team.width):
            greatest = max(greatest, source[(*place, first + k)])
    first = whole + own_first(team, lane)
    if first < length:
        for k in sm.static_range(team.width):
            greatest = max(greatest, source[(*place, first + k)])
    return greatest


def total_of(
    target: Any,
    source: Any,
    finish: Any,
    keeps: Any,
    place: Any,
    length: Any,
    lane: Any,
    team: Any,
    greatest: Any,
) -> Any:
    """The sum of the powers of a thread's elements; the target keeps what it can."""
    total = source.dtype(0.0)
    whole = whole_of(team, length)
    for start in range(0, whole, step_of(team)):
        first = start + own_first(team, lane)
        for k in sm.static_range(team.width):
            total += power_of(target, source, finish, keeps, place, first + k, greatest)
    first = whole + own_first(team, lane)
    if first < length:
        for k in sm.static_range(team.width):
            total += power_of(target, source, finish, keeps, place, first + k, greatest)
    return total


def power_of(
    target: Any, source: Any, finish: Any, keeps: Any, place: Any, at: Any, greatest: Any
) -> Any:
    """The exponential of an element's distance; the target keeps what it can."""
    distance = source[(*place, at)] - greatest
    power = math.exp(distance)
    if keeps:
        target[(*place, at)] = finish.kept(distance, power)
    return power


def result_of(
    target: Any,
    source: Any,
    finish: Any,
    keeps: Any,
    place: Any,
    at: Any,
    greatest: Any,
    scale: Any,
) -> Any:
    """The result for an element of a row."""
    if keeps:
        return finish.result(target[(*place, at)], scale)
    distance = source[(*place, at)] - greatest
    return finish.result(finish.kept(distance, math.exp(distance)), scale)


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
