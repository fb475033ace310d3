"""Means and variances of channels, or of groups of them, in two launches.

The first gives the mean of each part of a channel, and the sum of the squares of the distances from
it; a part is read twice, from the cache the second time. The second launch joins the parts by the
formula of T. F. Chan, G. H. Golub and R. J. LeVeque, "Updating formulae and a pairwise algorithm
for computing sample variances" (1979), so that nothing is lost where elements are far from zero.
Means are corrected by the mean distance from them, which is 0 but for rounding.

Sources are ``(outer, inner, channels)``. Of their parts ``parts[0]`` are the means, ``parts[2]``
what these lost as they were rounded, and ``parts[1]`` the sums of squares, each ``(outer, parts,
channels)``. What is lost counts: the distance of two means is small where they are large.
"""

from __future__ import annotations

import math
from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.teams import (
    across_team,
    added_up,
    first_of,
    in_vectors,
    own_place,
    room,
    squares_added_up,
    step_of,
)

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
    store_part(parts, (outer, part, channel), mean, rest / count, square - rest * rest / count)


def store_part(parts: Any, place: Any, base: Any, step: Any, square: Any) -> None:
    """Store the moments of a part, whose mean is so far from a base."""
    mean = base + step
    parts[(0, *place)] = mean
    parts[(1, *place)] = square
    parts[(2, *place)] = (base - mean) + step


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
        square = square - rest * rest / count
        store_part(parts, (outer, part, channel), mean, rest / count, square)


@sm.kernel
def moments_of_kept_columns(parts: Any, source: Any, most: Any, length: int) -> None:
    """As :func:`moments_of_columns`: registers hold so many elements at once, which are read once.

    ``most`` is static. The moments of so many are joined with those before; they are those of
    distances from the first element, whose means have few digits to lose.
    """
    channel, part, outer = sm.thread_position_in_grid()
    first = part * length
    last = min(first + length, source.shape[1])
    whole = first + (last - first) // most * most
    kept = sm.thread_array(most, source.dtype)
    mean = source.dtype(0.0)
    square = source.dtype(0.0)
    base = source[outer, first, channel]
    for begin in range(first, whole, most):
        for k in sm.static_range(most):
            kept[k] = source[outer, begin + k, channel]
        for k in sm.static_range(most):
            kept[k] = kept[k] - base
        mean, square = joined_with(mean, square, begin - first, kept, most, True)
    if whole < last:
        for k in sm.static_range(most):
            kept[k] = source[outer, whole + k, channel] if whole + k < last else base
        for k in sm.static_range(most):
            kept[k] = kept[k] - base
        mean, square = joined_with(mean, square, whole - first, kept, last - whole, False)
    store_part(parts, (outer, part, channel), base, mean, square)


def joined_with(mean: Any, square: Any, before: Any, kept: Any, count: Any, are_all: Any) -> Any:
    """The mean and the sum of squares of so many elements ``before``, and of the first ``count``.

    The latter are those that a thread has ``kept``, which are changed; static: whether they
    ``are_all``.
    """
    own = added_up(kept) * (1.0 / mean.dtype(count))
    for k in sm.static_range(kept.shape[0]):
        kept[k] = kept[k] - own if are_all or k < count else 0.0
    step = own - mean
    part = mean.dtype(count) / mean.dtype(before + count)
    more = squares_added_up(kept) + step * step * part * mean.dtype(before)
    return mean + step * part, square + more


@sm.kernel
def moments_of_kept_rows(
    parts: Any,
    source: Any,
    team: Any,
    vectors: Any,
    epsilon: Any,
    length: int,
) -> None:
    """As :func:`moments_of_rows`, of ``(outer, channels, inner)``: parts of rows are read once.

    Each of its threads takes so many ``vectors`` at once (static), and joins their moments with
    those before; then the threads' are joined. With an ``epsilon``, not None, parts are whole
    rows, and ``parts`` is the target of :func:`joined_moments`.
    """
    is_whole = epsilon is not None
    lane, number = own_place(team)
    runs, channels = (1, parts.shape[2]) if is_whole else (parts.shape[2], parts.shape[3])
    part, channel, outer = number % runs, number // runs % channels, number // runs // channels
    if outer < parts.shape[1]:
        first = part * in_vectors(length, team)
        last = min(first + length, source.shape[2])
        base = source[outer, channel, first]
        found = moments_of_team(source, base, outer, channel, first, last, lane, team, vectors)
        if lane == 0:
            if is_whole:
                variance = found[1] / source.dtype(last - first)
                parts[0, outer, channel] = base + found[0]
                parts[1, outer, channel] = variance
                parts[2, outer, channel] = 1.0 / math.sqrt(variance + epsilon)
            else:
                store_part(parts, (outer, part, channel), base, *found)


def moments_of_team(
    source: Any,
    base: Any,
    outer: Any,
    channel: Any,
    first: Any,
    last: Any,
    lane: Any,
    team: Any,
    vectors: Any,
) -> Any:
    """Of a part of a channel the mean, less a base, and the sum of the squares of distances."""
    dtype, width = source.dtype, team.width
    nothing = dtype(0.0)
    mean, square = nothing, nothing
    own = 0  # elements of the thread
    kept = sm.thread_array(vectors * width, dtype)
    step = step_of(team) * vectors
    whole = first + (last - first) // step * step
    for begin in range(first, whole, step):
        for v in sm.static_range(vectors):
            at = begin + first_of(team, v, lane)
            for k in sm.static_range(width):
                kept[v * width + k] = source[outer, channel, at + k]
        for k in sm.static_range(vectors * width):  # behind all loads, which go together
            kept[k] = kept[k] - base
        mean, square = joined_with(mean, square, own, kept, vectors * width, True)
        own += vectors * width
    count = 0
    for v in sm.static_range(vectors):
        at = whole + first_of(team, v, lane)
        if at < last:
            for k in sm.static_range(width):
                kept[v * width + k] = source[outer, channel, at + k] - base
            count += width
        else:
            for k in sm.static_range(width):
                kept[v * width + k] = 0.0
    if count > 0:
        mean, square = joined_with(mean, square, own, kept, count, False)
        own += count
    sums, squares = room(team, dtype), room(team, dtype)
    size = dtype(own)
    middle = across_team(size * mean, sm.simd_sum, nothing, team, sums) / dtype(last - first)
    square += size * (mean - middle) * (mean - middle)
    return middle, across_team(square, sm.simd_sum, nothing, team, squares)


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
        store_part(parts, (outer, part, left + WIDTH * v), mean[v], source.dtype(0.0), square[v])


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
    base = parts[0, outer, 0, first]
    count = nothing
    total = nothing
    for part in range(begin, parts.shape[2], step):
        size = target.dtype(last if part % run == run - 1 else length)
        for member in range(first + own, first + group, across):
            count += size
            total += size * (parts[0, outer, part, member] - base + parts[2, outer, part, member])
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
            distance = parts[0, outer, part, member] - base + parts[2, outer, part, member] - mean
            rest += size * distance
            square += parts[1, outer, part, member] + size * distance * distance
    if team is not None:
        rests, squares = room(team, target.dtype), room(team, target.dtype)
        rest = across_team(rest, sm.simd_sum, nothing, team, rests)
        square = across_team(square, sm.simd_sum, nothing, team, squares)
    variance = (square - rest * rest / count) / count
    if team is None or (begin == 0 and own == 0):
        target[0, outer, channel] = base + (mean + rest / count)
        target[1, outer, channel] = variance
        target[2, outer, channel] = 1.0 / math.sqrt(variance + epsilon)
