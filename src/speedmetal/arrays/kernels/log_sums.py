"""Logarithms of the sums of exponentials of rows, and what losses have in common with them.

Rows are taken by teams (:mod:`speedmetal.arrays.kernels.teams`), whose threads keep them, or read
them a second time from the cache.
"""

from __future__ import annotations

import math
from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.copy import convert, unravel
from speedmetal.arrays.kernels.softmax import greatest_of, keep_elements
from speedmetal.arrays.kernels.teams import (
    across_team,
    first_of,
    own_first,
    own_place,
    room,
    step_of,
    whole_of,
)


@sm.kernel
def logs_of_rows(
    target: Any, source: Any, axes: sm.static[int], team: Any, vectors: Any, rows: int
) -> None:
    """target[row, 0] = log(sum(exp(source[row]))): a team takes rows of so many vectors, or fewer.

    Its threads keep them; where there are 0, it reads rows twice.
    """
    lane, number = own_place(team)
    outer, length = source.shape[:axes], source.shape[axes]
    extremes, sums = room(team, source.dtype), room(team, source.dtype)
    kept = sm.thread_array(max(vectors * team.width, 1), source.dtype)
    for row in range(number * rows, min(number * rows + rows, math.prod(outer))):
        place = unravel(row, outer)
        greatest = greatest_of_team(source, place, length, lane, team, vectors, kept, extremes)
        base = greatest if math.isfinite(greatest) else source.dtype(0.0)
        total, _ = sums_above(source, place, length, lane, team, vectors, kept, base, False)
        total = across_team(total, sm.simd_sum, source.dtype(0.0), team, sums)
        if lane == 0:
            target[(*place, 0)] = convert(math.log(total) + base, source.dtype, target.dtype)


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
            keep_elements(kept, v, source, place, first_of(team, v, lane), length, team)
        for k in sm.static_range(vectors * team.width):
            greatest = max(greatest, kept[k])
    else:
        greatest = greatest_of(source, place, length, lane, team)
    return across_team(greatest, sm.simd_max, lowest, team, shared)


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
