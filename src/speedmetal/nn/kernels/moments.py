"""Means and variances of channels, or of groups of them, in two launches.

The first gives the mean of each part of a channel, and the sum of the squares of the distances from
it; a part is read twice, from the cache the second time. The second launch joins the parts by the
formula of T. F. Chan, G. H. Golub and R. J. LeVeque, "Updating formulae and a pairwise algorithm
for computing sample variances" (1979), so that nothing is lost where elements are far from zero.
Means are corrected by the mean distance from them, which is 0 but for rounding.

Sources are ``(outer, inner, channels)``. Of their parts ``parts[0]`` are the means and ``parts[1]``
the sums of squares, each ``(outer, parts, channels)``.
"""

from __future__ import annotations

import math
from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.teams import across_team, first_of, own_place, room
from speedmetal.nn.kernels.normalisation import added_up, squares_added_up

LANES = 32  # of a simdgroup
WIDTH = 16
"""Threads of a threadgroup that takes a strip: a vector of the widest processors."""
CHUNK = 64
"""Rows of a strip that are read twice before the next ones: they stay in the nearest cache."""


@sm.kernel
def moments_of_columns(parts: Any, source: Any, length: int) -> None:
    """A thread takes a part of ``length`` elements of a channel, whose neighbours lie beside it.

    The grid are the channels, along x, then parts, then the outer axis.
    """
    channel, part, outer = sm.thread_position_in_grid()
    begin = part * length
    end = min(begin + length, source.shape[1])
    count = source.dtype(end - begin)
    total = source.dtype(0.0)
    for at in range(begin, end):
        total += source[outer, at, channel]
    mean = total / count
    rest = source.dtype(0.0)
    square = source.dtype(0.0)
    for at in range(begin, end):
        distance = source[outer, at, channel] - mean
        rest += distance
        square += distance * distance
    parts[0, outer, part, channel] = mean + rest / count
    parts[1, outer, part, channel] = square - rest * rest / count


@sm.kernel
def moments_of_rows(parts: Any, source: Any, length: int) -> None:
    """A simdgroup takes a part of a channel, whose elements lie beside each other.

    Threadgroups are simdgroups, which are along the same axes.
    """
    lane = sm.thread_index_in_threadgroup()
    channel, part, outer = sm.threadgroup_position_in_grid()
    begin = part * length
    end = min(begin + length, source.shape[1])
    count = source.dtype(end - begin)
    total = source.dtype(0.0)
    for start in range(begin, end, LANES):
        if start + lane < end:
            total += source[outer, start + lane, channel]
    mean = sm.simd_sum(total) / count
    rest = source.dtype(0.0)
    square = source.dtype(0.0)
    for start in range(begin, end, LANES):
        if start + lane < end:
            distance = source[outer, start + lane, channel] - mean
            rest += distance
            square += distance * distance
    rest = sm.simd_sum(rest)
    square = sm.simd_sum(square)
    if lane == 0:
        parts[0, outer, part, channel] = mean + rest / count
        parts[1, outer, part, channel] = square - rest * rest / count


@sm.kernel
def moments_of_kept_columns(parts: Any, source: Any, most: Any, length: int) -> None:
    """As :func:`moments_of_columns`: registers hold so many elements at once, which are read once.

    ``most`` is static. The moments of so many are joined with those before.
    """
    channel, part, outer = sm.thread_position_in_grid()
    first = part * length
    last = min(first + length, source.shape[1])
    kept = sm.thread_array(most, source.dtype)
    mean = source.dtype(0.0)
    square = source.dtype(0.0)
    for begin in range(first, last, most):
        count = source.dtype(min(most, last - begin))
        for k in sm.static_range(most):
            kept[k] = source[outer, begin + k, channel] if begin + k < last else 0.0
        own = added_up(kept) / count
        for k in sm.static_range(most):
            kept[k] = kept[k] - own if begin + k < last else 0.0
        rest = added_up(kept)
        before = source.dtype(begin - first)
        share = count / (before + count)
        step = own + rest / count - mean
        mean += step * share
        square += squares_added_up(kept) - rest * rest / count + step * step * share * before
    parts[0, outer, part, channel] = mean
    parts[1, outer, part, channel] = square


@sm.kernel
def moments_of_kept_rows(parts: Any, source: Any, team: Any, vectors: Any, length: int) -> None:
    """As :func:`moments_of_rows`: a team takes a part of a channel, which its threads keep.

    Threadgroups are teams, one for each part of each channel; ``vectors`` are static.
    """
    lane, number = own_place(team)
    part = number % parts.shape[2]
    channel = number // parts.shape[2] % parts.shape[3]
    outer = number // parts.shape[2] // parts.shape[3]
    begin = part * length
    end = min(begin + length, source.shape[1])
    count, nothing = source.dtype(end - begin), source.dtype(0.0)
    sums, more = room(team, source.dtype), room(team, source.dtype)
    squares = room(team, source.dtype)
    kept = sm.thread_array(vectors * team.width, source.dtype)
    for v in sm.static_range(vectors):
        first = begin + first_of(team, v, lane)
        for k in sm.static_range(team.width):
            kept[v * team.width + k] = 0.0
        if first < end:
            for k in sm.static_range(team.width):
                kept[v * team.width + k] = source[outer, first + k, channel]
    mean = across_team(added_up(kept), sm.simd_sum, nothing, team, sums) / count
    for v in sm.static_range(vectors):
        is_inside = begin + first_of(team, v, lane) < end
        for k in sm.static_range(v * team.width, (v + 1) * team.width):
            kept[k] = kept[k] - mean if is_inside else 0.0
    rest = across_team(added_up(kept), sm.simd_sum, nothing, team, more)
    square = across_team(squares_added_up(kept), sm.simd_sum, nothing, team, squares)
    if lane == 0:
        parts[0, outer, part, channel] = mean + rest / count
        parts[1, outer, part, channel] = square - rest * rest / count


@sm.kernel
def moments_of_strips(parts: Any, source: Any, vectors: Any, length: int) -> None:
    """A threadgroup takes a part of a strip: of ``WIDTH * vectors`` channels beside each other.

    Threadgroups are strips, along x, then parts, then the outer axis. The last strip is whole.
    """
    lane = sm.thread_index_in_threadgroup()
    strip, part, outer = sm.threadgroup_position_in_grid()
    left = strip * (WIDTH * vectors) + lane
    first = part * length
    mean = sm.thread_array(vectors, source.dtype)
    square = sm.thread_array(vectors, source.dtype)
    add_up_strip(mean, square, source[outer], left, first, min(first + length, source.shape[1]))
    for v in sm.static_range(vectors):
        parts[0, outer, part, left + WIDTH * v] = mean[v]
        parts[1, outer, part, left + WIDTH * v] = square[v]


def add_up_strip(mean: Any, square: Any, rows: Any, left: Any, first: Any, last: Any) -> None:
    """The means of a thread's channels, and the sums of squares, from a row to another."""
    vectors, kind = mean.shape[0], mean.dtype
    own = sm.thread_array(vectors, kind)
    rest = sm.thread_array(vectors, kind)
    more = sm.thread_array(vectors, kind)
    for v in sm.static_range(vectors):
        mean[v] = 0.0
        square[v] = 0.0
    for begin in range(first, last, CHUNK):
        end = min(begin + CHUNK, last)
        count = kind(end - begin)
        for v in sm.static_range(vectors):
            own[v] = 0.0
        for at in range(begin, end):
            for v in sm.static_range(vectors):
                own[v] += rows[at, left + WIDTH * v]
        for v in sm.static_range(vectors):
            own[v] = own[v] / count
            rest[v] = 0.0
            more[v] = 0.0
        for at in range(begin, end):
            for v in sm.static_range(vectors):
                distance = rows[at, left + WIDTH * v] - own[v]
                rest[v] += distance
                more[v] += distance * distance
        before, share = kind(begin - first), count / kind(end - first)
        for v in sm.static_range(vectors):
            step = own[v] + rest[v] / count - mean[v]
            mean[v] += step * share
            square[v] += more[v] - rest[v] * rest[v] / count + step * step * share * before


@sm.kernel
def joined_moments(
    target: Any,
    parts: Any,
    epsilon: Any,
    team: Any,
    members: Any,
    length: int,
    last: int,
    run: int,
    group: int,
    spread: int,
) -> None:
    """A team, or a thread, joins the parts of a channel of the result, or of a group of channels.

    Args:
        target: ``(3, outer, channels)``: the means, the variances, and the reciprocals of their
            roots.
        parts: See above.
        epsilon: Added to the variance whose root is taken.
        team: Threadgroups are teams, one for each channel of each place on the outer axis; None: a
            thread joins, threads are along these axes.
        length: The elements of a part.
        last: Those of the last one of a run of parts.
        members: Static: so many threads side by side take channels of a group, side by side.
        run: The parts of a run.
        group: So many channels of the parts are one group.
        spread: So many channels of the result get what a group has.
    """
    if team is None:
        channel, outer, _ = sm.thread_position_in_grid()
        begin, step = 0, 1
        own, across = 0, 1
    else:
        lane, number = own_place(team)
        channel, outer = number % target.shape[2], number // target.shape[2]
        begin, step = lane // members, LANES * team.simdgroups // members
        own, across = lane % members, members
    nothing = target.dtype(0.0)
    first = channel // spread * group
    count = nothing
    total = nothing
    for part in range(begin, parts.shape[2], step):
        size = target.dtype(last if part % run == run - 1 else length)
        for member in range(first + own, first + group, across):
            count += size
            total += size * parts[0, outer, part, member]
    if team is not None:
        counts, totals = room(team, target.dtype), room(team, target.dtype)
        count = across_team(count, sm.simd_sum, nothing, team, counts)
        total = across_team(total, sm.simd_sum, nothing, team, totals)
    mean = total / count
    rest = nothing
    square = nothing
    for part in range(begin, parts.shape[2], step):
        size = target.dtype(last if part % run == run - 1 else length)
        for member in range(first + own, first + group, across):
            distance = parts[0, outer, part, member] - mean
            rest += size * distance
            square += parts[1, outer, part, member] + size * distance * distance
    if team is not None:
        rests, squares = room(team, target.dtype), room(team, target.dtype)
        rest = across_team(rest, sm.simd_sum, nothing, team, rests)
        square = across_team(square, sm.simd_sum, nothing, team, squares)
    variance = (square - rest * rest / count) / count
    if team is None or (begin == 0 and own == 0):
        target[0, outer, channel] = mean + rest / count
        target[1, outer, channel] = variance
        target[2, outer, channel] = 1.0 / math.sqrt(variance + epsilon)
