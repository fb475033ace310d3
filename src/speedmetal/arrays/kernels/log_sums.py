"""Logarithms of the sums of exponentials of rows, and what losses have in common with them.

Rows are taken by teams (:mod:`speedmetal.arrays.kernels.teams`), whose threads keep them, or read
them once, with a sum above the greatest element so far (M. Milakov and N. Gimelshein, "Online
normalizer calculation for softmax", 2018), or read them a second time from the cache.
"""

from __future__ import annotations

import math
from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.copy import convert, unravel
from speedmetal.arrays.kernels.softmax import greatest_of, keep_elements
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


@sm.kernel
def logs_of_rows(
    target: Any,
    source: Any,
    axes: sm.static[int],
    team: Any,
    vectors: Any,
    keeps: sm.static[bool],
    rows: int,
) -> None:
    """target[row, 0] = log(sum(exp(source[row]))): a team takes rows, one after the other.

    Those that it ``keeps`` have so many vectors, or fewer; of others it takes so many at once.
    """
    lane, number = own_place(team)
    outer, length = source.shape[:axes], source.shape[axes]
    extremes, sums = room(team, source.dtype), room(team, source.dtype)
    lowest = source.dtype(-math.inf)
    kept = sm.thread_array(vectors * team.width, source.dtype)
    for turn in range(number * rows, min(number * rows + rows, turns_of(team, math.prod(outer)))):
        place = unravel(own_row(team, turn), outer)
        if keeps:
            greatest = greatest_of_team(source, place, length, lane, team, vectors, kept, extremes)
            base = greatest if math.isfinite(greatest) else source.dtype(0.0)
            total, _ = sums_above(source, place, length, lane, team, vectors, kept, base, False)
        else:
            own, total = read_once(source, place, length, lane, team, kept)
            greatest = across_team(own, sm.simd_max, lowest, team, extremes)
            base = base_above(greatest)
            total = total * math.exp(own - base)
        total = across_rows(total, TOTAL, source.dtype(0.0), team, sums)
        if lane == 0:
            result = math.log(total) + base
            if not keeps:
                result = greatest if greatest == math.inf else result
            target[(*place, 0)] = convert(result, source.dtype, target.dtype)


def read_once(source: Any, place: Any, length: Any, lane: Any, team: Any, elements: Any) -> Any:
    """A thread's greatest element of a row, and the sum of its powers above it, read once.

    ``elements`` has room for those that it takes at once. With infinity the sum is NaN.
    """
    greatest = source.dtype(-math.inf)
    total = source.dtype(0.0)
    vectors = elements.shape[0] // team.width
    for start in range(0, length, step_of(team) * vectors):
        for v in sm.static_range(vectors):
            first = start + first_of(team, v, lane)
            keep_elements(elements, v, source, place, first, team, first < length)
        before = greatest
        for k in sm.static_range(elements.shape[0]):
            greatest = max(greatest, elements[k])
        base = base_above(greatest)
        powers = source.dtype(0.0)
        for k in sm.static_range(elements.shape[0]):
            powers += math.exp(elements[k] - base)
        total = total * math.exp(before - base) + powers
    return greatest, total


def base_above(greatest: Any) -> Any:
    """What distances are taken from: the greatest element, 0 where there is none but ``-inf``."""
    return greatest if greatest > -math.inf else greatest.dtype(0.0)


def greatest_of_team(
    source: Any,
    place: Any,
    length: Any,
    lane: Any,
    team: Any,
    vectors: Any,
    kept: Any,
    shared: Any,
) -> Any:
    """The greatest element of a row, of which threads keep so many vectors, or none."""
    lowest = source.dtype(-math.inf)
    if vectors > 0:
        greatest = source.dtype(-math.inf)
        for v in sm.static_range(vectors):
            first = first_of(team, v, lane)
            keep_elements(kept, v, source, place, first, team, v < vectors - 1 or first < length)
        for k in sm.static_range(vectors * team.width):
            greatest = max(greatest, kept[k])
    else:
        greatest = greatest_of(source, place, length, lane, team)
    return across_rows(greatest, GREATEST, lowest, team, shared)


def sums_above(
    source: Any,
    place: Any,
    length: Any,
    lane: Any,
    team: Any,
    vectors: Any,
    kept: Any,
    base: Any,
    adds: Any,
) -> Any:
    """A thread's sums of powers of distances from a base, and of these where it ``adds`` them.

    Args:
        source: It has the row at ``place``.
        place: See above.
        length: Of the row.
        lane: The thread in its team.
        team: That takes the row.
        vectors: Static: how many the thread keeps of it; 0: none.
        kept: Its elements.
        base: See above.
        adds: Static.
    """
    total = source.dtype(0.0)
    distances = source.dtype(0.0)
    if vectors > 0:
        for v in sm.static_range(vectors):
            for k in sm.static_range(v * team.width, (v + 1) * team.width):
                distance = kept[k] - base
                total += math.exp(distance)
                if adds and first_of(team, v, lane) < length:
                    distances += distance
        return total, distances
    whole = whole_of(team, length)
    for start in range(0, whole, step_of(team)):
        for k in sm.static_range(team.width):
            distance = source[(*place, start + own_first(team, lane) + k)] - base
            total += math.exp(distance)
            distances += distance
    if whole + own_first(team, lane) < length:
        for k in sm.static_range(team.width):
            distance = source[(*place, whole + own_first(team, lane) + k)] - base
            total += math.exp(distance)
            distances += distance
    return total, distances
