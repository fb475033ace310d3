"""Scans along one axis: sums, products and their like of the elements up to each.

What a kernel gets is as in :mod:`speedmetal.arrays.kernels.reduce`, but that the axis is one, and
the target has it as well. Where a row or column has parts, these were reduced before, and what
comes before a part is taken from there.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import speedmetal as sm
from speedmetal.arrays.kernels import reduce
from speedmetal.arrays.kernels.copy import convert, unravel
from speedmetal.arrays.kernels.reduce import Reduction
from speedmetal.arrays.kernels.strips import column_of, load_rows, own_strip, store_rows
from speedmetal.arrays.kernels.teams import (
    LANES,
    across_team,
    own_first,
    own_part,
    room,
    step_of,
    whole_of,
)


class Scan(NamedTuple):
    """What a scan does.

    Args:
        reduction: Of all elements.
        prefix: ``(element)``: those of the threads of a simdgroup up to this one, as one.
    """

    reduction: Any
    prefix: Any


def _prefix_of(combine: Any, value: Any) -> Any:
    lane = sm.thread_index_in_simdgroup()
    for step in sm.static_range(5):
        before = sm.simd_shuffle_up(value, 1 << step)
        combined = combine(before, value)
        value = sm.select(lane >= 1 << step, combined, value)
    return value


def _greatest_up_to(value: Any) -> Any:
    return _prefix_of(reduce.GREATEST.combine, value)


def _least_up_to(value: Any) -> Any:
    return _prefix_of(reduce.LEAST.combine, value)


def _log_sum_up_to(value: Any) -> Any:
    return _prefix_of(log_add, value)


def log_add(a: Any, b: Any) -> Any:
    """``log(exp(a) + exp(b))``, where nothing overflows."""
    # Of two infinities the difference would be NaN.
    distance = sm.select(a == b, a.dtype(0), abs(a - b))
    return max(a, b) + sm.log1p(math.exp(-distance))


def _nothing(dtype: Any) -> Any:
    return dtype(-math.inf)


def _log_sum_across(value: Any) -> Any:
    for step in sm.static_range(5):
        value = log_add(value, sm.simd_shuffle_xor(value, 1 << step))
    return value


SUM = Scan(reduce.SUM, sm.simd_prefix_inclusive_sum)
PRODUCT = Scan(reduce.PRODUCT, sm.simd_prefix_inclusive_product)
GREATEST = Scan(reduce.GREATEST, _greatest_up_to)
LEAST = Scan(reduce.LEAST, _least_up_to)
LOG_SUM = Scan(Reduction(_nothing, log_add, _log_sum_across), _log_sum_up_to)


@sm.kernel
def scan_rows(
    target: Any,
    source: Any,
    totals: Any,
    scan: Any,
    axes: sm.static[int],
    team: Any,
    rows: int,
    parts: int,
    length: int,
) -> None:
    """A simdgroup takes a part of a row, 32 elements after 32, of several rows one after the other.

    On a GPU a thread takes several side by side. ``totals[row, part]`` are those of the parts;
    None: a row has one.
    """
    lane, number, part = own_part(team, parts)
    outer = source.shape[:axes]
    combine = scan.reduction.combine
    begin = part * length
    end = min(begin + length, source.shape[axes])
    for row in range(number * rows, min(number * rows + rows, math.prod(outer))):
        place = unravel(row, outer)
        before = scan.reduction.start(source.dtype)
        if totals is not None:
            before = combined_before(totals, place, (), part, before, combine)
        whole = begin + whole_of(team, end - begin)
        if team.width > 1:
            for start in range(begin, end, step_of(team)):
                first = start + own_first(team, lane)
                before = scan_side_by_side(target, source, scan, place, first, end, before, team)
        else:
            for start in range(begin, whole, LANES):
                running = combine(before, scan.prefix(source[(*place, start + lane)]))
                target[(*place, start + lane)] = convert(running, source.dtype, target.dtype)
                before = sm.simd_broadcast(running, LANES - 1)
            last = whole + lane
            # All lanes of a simdgroup reach what they do together.
            rest = combine(before, scan.prefix(source[(*place, last)] if last < end else before))
            if last < end:
                target[(*place, last)] = convert(rest, source.dtype, target.dtype)


def scan_side_by_side(
    target: Any,
    source: Any,
    scan: Any,
    place: Any,
    first: Any,
    end: Any,
    before: Any,
    team: Any,
) -> Any:
    """Scan what a simdgroup takes at once, behind what comes before; with that as one."""
    combine = scan.reduction.combine
    own = sm.thread_array(team.width, source.dtype)
    for k in sm.static_range(team.width):
        own[k] = before
    if first < end:
        for k in sm.static_range(team.width):
            own[k] = source[(*place, first + k)]
    for k in sm.static_range(1, team.width):
        own[k] = combine(own[k - 1], own[k])
    up_to = scan.prefix(own[team.width - 1])
    left = combine(before, sm.simd_shuffle_up(up_to, 1))
    base = sm.select(sm.thread_index_in_simdgroup() == 0, before, left)
    for k in sm.static_range(team.width):
        own[k] = combine(base, own[k])
    if first < end:
        for k in sm.static_range(team.width):
            target[(*place, first + k)] = convert(own[k], source.dtype, target.dtype)
    return sm.simd_broadcast(own[team.width - 1], LANES - 1)


@sm.kernel
def scan_parts_of_rows(
    target: Any,
    source: Any,
    totals: Any,
    scan: Any,
    axes: sm.static[int],
    team: Any,
    vectors: sm.static[int],
    parts: int,
    length: int,
) -> None:
    """A threadgroup takes a part of a row, or a row, a tile of it after the other.

    Each simdgroup scans what it has of a tile, of which each thread has so many ``vectors``, then
    puts it behind what the simdgroups before it have as one, and behind what was before the tile.
    """
    thread, number, part = own_part(team, parts)
    part = parts - 1 - part  # what was reduced last is in the cache
    lane, own_simdgroup = sm.thread_index_in_simdgroup(), sm.simdgroup_index_in_threadgroup()
    place = unravel(number, source.shape[:axes])
    kind, combine = source.dtype, scan.reduction.combine
    begin = part * length // team.width  # counted in what a thread takes side by side
    end = min(part * length + length, source.shape[axes]) // team.width
    before = scan.reduction.start(kind)
    if totals is not None:
        before = before_part(totals, scan.reduction, place, thread, part, team)
    shared = sm.threadgroup_array((2, team.simdgroups), kind)
    own = sm.thread_array((vectors, team.width), kind)
    turn = 0  # one half of the memory is read while the other is written to
    for tile in range(begin, end, LANES * team.simdgroups * vectors):
        first = tile + own_simdgroup * vectors * LANES + lane
        for v in sm.static_range(vectors):
            at = min(first + v * LANES, end - 1) * team.width  # beyond the end nothing is stored
            for k in sm.static_range(team.width):
                own[v, k] = source[(*place, at + k)]
        scan_vectors(own, scan, shared, turn, lane, own_simdgroup)
        sm.threadgroup_barrier()
        base = before
        for k in sm.static_range(team.simdgroups):
            base = sm.select(k == own_simdgroup, before, base)
            before = combine(before, shared[turn, k])
        store_vectors(target, own, base, combine, place, first, end)
        turn = 1 - turn


def before_part(totals: Any, reduction: Any, place: Any, thread: Any, part: Any, team: Any) -> Any:
    """What comes before a part of a row, for each thread of a team: the totals, as one."""
    start = reduction.start(totals.dtype)
    before = reduction.start(totals.dtype)
    for k in range(thread, part, LANES * team.simdgroups):
        before = reduction.combine(before, totals[(*place, k)])
    return across_team(before, reduction.across, start, team, room(team, totals.dtype))


def store_vectors(
    target: Any, own: Any, base: Any, combine: Any, place: Any, first: Any, end: Any
) -> None:
    """Store what a thread has of a tile, behind what comes before it."""
    vectors, width = own.shape
    for v in sm.static_range(vectors):
        for k in sm.static_range(width):
            own[v, k] = combine(base, own[v, k])
        if first + v * LANES < end:
            for k in sm.static_range(width):
                result = convert(own[v, k], own.dtype, target.dtype)
                target[(*place, (first + v * LANES) * width + k)] = result


def scan_vectors(
    own: Any, scan: Any, shared: Any, turn: Any, lane: Any, own_simdgroup: Any
) -> None:
    """Scan what a simdgroup has of a tile, and tell its threadgroup what that is as one."""
    combine = scan.reduction.combine
    vectors, width = own.shape
    running = scan.reduction.start(own.dtype)
    for v in sm.static_range(vectors):
        for k in sm.static_range(1, width):
            own[v, k] = combine(own[v, k - 1], own[v, k])
        up_to = scan.prefix(own[v, width - 1])
        left = combine(running, sm.simd_shuffle_up(up_to, 1))
        base = sm.select(lane == 0, running, left)
        for k in sm.static_range(width):
            own[v, k] = combine(base, own[v, k])
        running = sm.simd_broadcast(own[v, width - 1], LANES - 1)
    if lane == 0:
        shared[turn, own_simdgroup] = running


def combined_before(
    totals: Any, place: Any, column: Any, part: Any, before: Any, combine: Any
) -> Any:
    """What comes before a part: the totals of those before it, as one."""
    if part > 0:
        before = totals[(*place, 0, *column)]
    for k in range(1, part):
        before = combine(before, totals[(*place, k, *column)])
    return before


@sm.kernel
def scan_columns(
    target: Any, source: Any, totals: Any, scan: Any, axes: sm.static[int], length: int
) -> None:
    """A thread takes a column, or a part of one; ``totals[row, part, column]`` as above.

    The grid are the columns along x, the parts along y, the rows along z.
    """
    column, part, row = sm.thread_position_in_grid()
    place = unravel(row, source.shape[:axes])
    combine = scan.reduction.combine
    begin = part * length
    end = min(begin + length, source.shape[axes])
    running = scan.reduction.start(source.dtype)
    if totals is not None:
        running = combined_before(totals, place, (column,), part, running, combine)
    for at in range(begin, end):
        running = combine(running, source[(*place, at, column)])
        target[(*place, at, column)] = convert(running, source.dtype, target.dtype)


@sm.kernel
def scan_strips(
    target: Any,
    source: Any,
    totals: Any,
    scan: Any,
    axes: sm.static[int],
    strip: Any,
    parts: int,
    length: int,
) -> None:
    """A threadgroup takes a strip of columns, or a part of one, a tile of it after the other.

    ``strip`` is a :class:`speedmetal.arrays.kernels.teams.Strip`. Each thread scans what it has of
    a tile, behind what the threads above it have as one, and behind what was before the tile.
    """
    columns, kind = source.shape[-1], source.dtype
    lane, down, vector, part, row = own_strip(strip, columns, parts)
    part = parts - 1 - part  # what was reduced last is in the cache
    column = column_of(vector, columns, strip)
    place = unravel(row, source.shape[:axes])
    begin = part * length
    end = min(begin + length, source.shape[axes])
    shared = sm.threadgroup_array((2, strip.down, strip.across * strip.width), kind)
    own = sm.thread_array((strip.rows, strip.width), kind)
    before = sm.thread_array(strip.width, kind)
    for j in sm.static_range(strip.width):
        before[j] = scan.reduction.start(kind)
        if totals is not None:
            known = before[j]
            before[j] = combined_before(
                totals, place, (column + j,), part, known, scan.reduction.combine
            )
    turn = 0  # one half of the memory is read while the other is written to
    for start in range(begin, end, strip.down * strip.rows):
        first = start + down * strip.rows
        load_rows(own, source, place, column, first, 1, end, strip)
        scan_tile(own, before, shared, turn, scan.reduction.combine, lane, down, strip)
        is_inside = vector * strip.width < columns
        store_rows(target, own, place, column, first, 1, end, is_inside, strip)
        turn = 1 - turn


def scan_tile(
    own: Any,
    before: Any,
    shared: Any,
    turn: Any,
    combine: Any,
    lane: Any,
    down: Any,
    strip: Any,
) -> None:
    """Scan a thread's elements of a tile, behind what comes before it; with that as one."""
    for j in sm.static_range(strip.width):
        for r in sm.static_range(1, strip.rows):
            own[r, j] = combine(own[r - 1, j], own[r, j])
        shared[turn, down, lane * strip.width + j] = own[strip.rows - 1, j]
    sm.threadgroup_barrier()
    for j in sm.static_range(strip.width):
        base = before[j]
        for k in sm.static_range(strip.down):
            base = sm.select(k == down, before[j], base)
            before[j] = combine(before[j], shared[turn, k, lane * strip.width + j])
        for r in sm.static_range(strip.rows):
            own[r, j] = combine(base, own[r, j])


@sm.kernel
def scan_short_rows(
    target: Any, source: Any, scan: Any, axes: sm.static[int], length: sm.static[int]
) -> None:
    """A thread takes a row of ``length`` elements."""
    place = unravel(sm.thread_position_in_grid().x, source.shape[:axes])
    running = scan.reduction.start(source.dtype)
    for at in sm.static_range(length):
        running = scan.reduction.combine(running, source[(*place, at)])
        target[(*place, at)] = convert(running, source.dtype, target.dtype)


@sm.kernel
def combine_two(result: Any, left: Any, right: Any, combine: Any) -> None:
    """result[0] = combine(left[0], right[0]): the operation of a scan, for a library."""
    result[0] = result.dtype(combine(left[0], right[0]))
