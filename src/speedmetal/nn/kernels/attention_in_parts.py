"""Attention of few queries: the keys are divided among many threads.

See :mod:`speedmetal.nn.kernels.attention` for what is computed, and for the words. Some
neighbouring lanes, a *team*, have pieces of one key and value side by side. A team takes every so
many keys, and has sums of its own; in the end they are joined.
"""

from __future__ import annotations

import math
from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.copy import convert, own_index, unravel
from speedmetal.nn.kernels.attention import (
    base_of,
    count_seen,
    masked,
    reciprocal,
    weight_of,
)


@sm.kernel
def attend_in_parts(  # noqa: C901, PLR0912, PLR0915 - the loop over keys
    sums: Any,
    tops: Any,
    query: Any,
    key: Any,
    value: Any,
    mask: Any,
    scale: float,
    causal: Any,
    head_size: Any,
    value_size: Any,
    rows: Any,
    team: Any,
    piece: Any,
    together: Any,
    simdgroups: Any,
    span: int,
) -> None:
    """A threadgroup takes ``rows`` queries of the heads that share a key head, and ``span`` keys.

    Args:
        sums: ``(parts, batch, heads, queries, value_size)``, of the type of sums.
        tops: ``(2, parts, batch, heads, queries)``: the greatest score, and the sum of weights.
        query: ``(batch, heads, queries, head_size)``.
        key: ``(batch, key_heads, keys, head_size)``.
        value: ``(batch, key_heads, keys, value_size)``.
        mask: ``(batch, heads, queries, keys)``, or None.
        scale: Of the scores.
        causal: As above.
        head_size: See above.
        value_size: The same.
        rows: Of a threadgroup: the queries of all heads count as one row after the other.
        team: Lanes.
        piece: Elements side by side of a lane.
        together: Keys that a team takes at a time.
        simdgroups: Of a threadgroup.
        span: Of keys.
    """
    kind, queries, count = sums.dtype, query.shape[2], key.shape[2]
    heads = query.shape[1] // key.shape[1]
    position = sm.threadgroup_position_in_grid()
    part = position.y
    chunks = sm.cdiv(heads * queries, rows)
    number, chunk = position.x // chunks, position.x % chunks
    batch, key_head = unravel(number, key.shape[:2])
    keys, values = key[batch, key_head], value[batch, key_head]
    lane, simdgroup = sm.thread_index_in_simdgroup(), sm.simdgroup_index_in_threadgroup()
    mine, teams = lane % team, simdgroups * 32 // team
    own_team = simdgroup * (32 // team) + lane // team
    taken = tuple(min(chunk * rows + i, heads * queries - 1) for i in sm.static_range(rows))
    places = tuple((key_head * heads + n // queries, n % queries) for n in taken)
    end = min((part + 1) * span, count)
    ends = tuple(min(count_seen(place, queries, count, causal), end) for _, place in places)

    long, wide = sm.cdiv(head_size, team * piece), sm.cdiv(value_size, team * piece)
    own = sm.thread_array((rows, long * piece), kind)
    total = sm.thread_array((rows, wide * piece), kind)
    greatest, weight = sm.thread_array(rows, kind), sm.thread_array(rows, kind)
    scores = sm.thread_array((rows, together), kind)
    left = sm.thread_array((together, long * piece), kind)
    right = sm.thread_array((together, wide * piece), kind)
    for i in sm.static_range(rows):
        greatest[i], weight[i] = kind(-math.inf), kind(0)
        load(own, i, query[(batch, *places[i])], mine, team, piece, head_size)
        for j in sm.static_range(wide * piece):
            total[i, j] = kind(0)
        for j in sm.static_range(long * piece):
            own[i, j] *= kind(scale)
    for start in range(part * span + own_team, part * span + own_team + span, teams * together):
        # All lanes go along, so that they may exchange: behind the last key it comes once more.
        for j in sm.static_range(together):
            load(left, j, keys[min(start + j * teams, count - 1)], mine, team, piece, head_size)
        for j in sm.static_range(together):
            load(right, j, values[min(start + j * teams, count - 1)], mine, team, piece, value_size)
        for i in sm.static_range(rows):
            top = greatest[i]
            for j in sm.static_range(together):
                product = kind(0)
                for e in sm.static_range(long * piece):
                    product += own[i, e] * left[j, e]
                score = sm.simd_sum(product, width=team)
                place = start + j * teams
                if mask is not None:
                    own_mask = mask[(batch, *places[i])]
                    score = masked(score, own_mask[min(place, count - 1)])
                scores[i, j] = sm.select(place < ends[i], score, kind(-math.inf))
                top = sm.select(scores[i, j] > top, scores[i, j], top)
            base = base_of(top)
            factor = weight_of(greatest[i] - base)
            greatest[i] = top
            weight[i] *= factor
            for e in sm.static_range(wide * piece):
                total[i, e] *= factor
            for j in sm.static_range(together):
                if start + j * teams < end:  # a value that comes once more may be infinite
                    share = weight_of(scores[i, j] - base)
                    weight[i] += share
                    for e in sm.static_range(wide * piece):
                        total[i, e] += share * right[j, e]
    tiles = (
        sm.threadgroup_array((simdgroups, rows), kind),
        sm.threadgroup_array((simdgroups, rows), kind),
        sm.threadgroup_array((simdgroups, rows, wide * team * piece), kind),
    )
    for i in sm.static_range(rows):
        leave_row(tiles, i, greatest[i], weight[i], total, team, piece)
    sm.threadgroup_barrier()
    for i in sm.static_range(rows):
        if chunk * rows + i < heads * queries:
            top, added = join_row(tiles, i, sums[(part, batch, *places[i])])
            if sm.thread_index_in_threadgroup() == 0:
                tops[(0, part, batch, *places[i])] = top
                tops[(1, part, batch, *places[i])] = added


def leave_row(
    tiles: Any, i: Any, greatest: Any, weight: Any, total: Any, team: Any, piece: Any
) -> None:
    """Join what the teams of a simdgroup have of a query, and leave it for all."""
    all_tops, all_weights, all_sums = tiles
    lane, simdgroup = sm.thread_index_in_simdgroup(), sm.simdgroup_index_in_threadgroup()
    mine = lane % team
    top = sm.simd_max(greatest)
    factor = weight_of(greatest - base_of(top))
    added = sm.simd_sum(sm.select(mine == 0, weight * factor, weight.dtype(0)))
    if lane == 0:
        all_tops[simdgroup, i], all_weights[simdgroup, i] = top, added
    for e in sm.static_range(total.shape[1]):
        joined = total[i, e] * factor
        for distance in sm.static_range(5):
            if (1 << distance) >= team:
                joined += sm.simd_shuffle_xor(joined, 1 << distance)
        if lane < team:
            all_sums[simdgroup, i, (e // piece * team + mine) * piece + e % piece] = joined


def join_row(tiles: Any, i: Any, sums: Any) -> Any:
    """Join what the simdgroups have of a query; gives its greatest score and sum of weights."""
    all_tops, all_weights, all_sums = tiles
    simdgroups, kind = all_tops.shape[0], sums.dtype
    top = all_tops[0, i]
    for s in sm.static_range(1, simdgroups):
        top = max(top, all_tops[s, i])
    base, added = base_of(top), kind(0)
    for s in sm.static_range(simdgroups):
        added += all_weights[s, i] * weight_of(all_tops[s, i] - base)
    first = sm.thread_index_in_threadgroup()
    for column in range(first, sums.shape[0], 32 * simdgroups):
        joined = kind(0)
        for s in sm.static_range(simdgroups):
            joined += all_sums[s, i, column] * weight_of(all_tops[s, i] - base)
        sums[column] = joined
    return top, added


def load(held: Any, i: Any, row: Any, mine: Any, team: Any, piece: Any, size: Any) -> None:
    """A lane's pieces of a row; 0 beyond its end."""
    for first in sm.static_range(held.shape[1] // piece):
        start = (first * team + mine) * piece
        if (first + 1) * team * piece <= size:
            for e in sm.static_range(piece):
                held[i, first * piece + e] = row[start + e].astype(held.dtype)
        else:
            for e in sm.static_range(piece):
                held[i, first * piece + e] = held.dtype(0)
            if start < size:
                for e in sm.static_range(piece):
                    held[i, first * piece + e] = row[start + e].astype(held.dtype)


@sm.kernel
def join_parts(out: Any, sums: Any, tops: Any) -> None:
    """Join what threadgroups found; a thread of the grid computes each element.

    Args:
        out: ``(batch, heads, queries, value_size)``.
        sums: As :func:`attend_in_parts` leaves them; the rest as well.
        tops: The same.
    """
    batch, head, row, column = own_index(out)
    kind = sums.dtype
    top = kind(-math.inf)
    for part in range(sums.shape[0]):
        top = max(top, tops[0, part, batch, head, row])
    base, joined, weight = base_of(top), kind(0), kind(0)
    for part in range(sums.shape[0]):
        factor = weight_of(tops[0, part, batch, head, row] - base)
        joined += sums[part, batch, head, row, column] * factor
        weight += tops[1, part, batch, head, row] * factor
    out[batch, head, row, column] = convert(joined * reciprocal(weight), kind, out.dtype)
