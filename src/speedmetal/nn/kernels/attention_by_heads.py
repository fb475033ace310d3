"""Attention of few queries, or of long heads: the threads of a simdgroup share a few queries.

They go along the heads' elements side by side, and have the score of a key each; see
:mod:`speedmetal.nn.kernels.attention` for what is computed, and for the words.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import speedmetal as sm
from speedmetal.nn.kernels.attention import (
    base_of,
    begin_rows,
    count_seen,
    masked,
    place_of,
    reciprocal,
    weight_of,
)

SIMDGROUP = 32
ROWS = 4
"""Queries that a simdgroup takes at most,"""
PAIR, VECTORS = 2, 2
"""keys of which it sums products, and vectors of values: the sums stay in registers."""


@sm.kernel
def attend_by_heads(
    sums: Any,
    query: Any,
    key: Any,
    value: Any,
    mask: Any,
    scale: float,
    causal: sm.static[bool],
    rows: sm.static[int],
    first: int,
    parts: int,
) -> None:
    """A simdgroup takes ``rows`` queries of the heads that share a key head.

    Blocks have a key for each thread, which keeps its scores.

    Args:
        sums: ``(batch, heads, queries, value_size)``, of the type of sums: it keeps what was summed
            so far, and has the result in the end.
        query: ``(batch, heads, queries, head_size)``.
        key: ``(batch, key_heads, keys, head_size)``.
        value: ``(batch, key_heads, keys, value_size)``.
        mask: ``(batch, heads, queries, keys)``, or None.
        scale: Of the scores.
        causal: As above.
        rows: Queries of a simdgroup: those of all its heads count as one row after the other.
        first: The first of these rows.
        parts: Simdgroups of a key head.
    """
    lane, kind = sm.thread_index_in_threadgroup(), sums.dtype
    queries, count, heads = query.shape[2], key.shape[2], query.shape[1] // key.shape[1]
    batch, key_head, part = place_of(key.shape[:2], parts)
    keys, values = key[batch, key_head], value[batch, key_head]
    taken = tuple(first + part * rows + i for i in sm.static_range(rows))
    places = tuple((key_head * heads + n // queries, n % queries) for n in taken)
    ends = tuple(count_seen(place, queries, count, causal) for _, place in places)
    weights = sm.threadgroup_array((rows, SIMDGROUP), kind)
    greatest, totals = sm.thread_array(rows, kind), sm.thread_array(rows, kind)
    scores, factors = sm.thread_array(rows, kind), sm.thread_array(rows, kind)
    begin_rows(greatest, totals)
    most = max(ends)
    for start in range(0, max(most, 1), SIMDGROUP):
        is_last = start + SIMDGROUP >= most
        for j in range(0, min(SIMDGROUP, most - start), PAIR):
            multiply_rows(scores, query[batch], keys, places, start + j, j)
        for i in sm.static_range(rows):
            score = kind(-math.inf)
            if start + lane < ends[i]:
                score = scores[i] * kind(scale)
                if mask is not None:
                    score = masked(score, mask[(batch, *places[i], start + lane)])
            weights[i, lane] = weigh_row(score, greatest, totals, factors, i, is_last)
        sm.simdgroup_barrier()
        known = tuple(Row(i, places[i], factors[i]) for i in sm.static_range(rows))
        add_values(sums[batch], values, weights, known, start, most)
        sm.simdgroup_barrier()


def weigh_row(score: Any, greatest: Any, totals: Any, factors: Any, i: Any, is_last: Any) -> Any:
    """Make a weight of a thread's score of a row, and tell what earlier sums are scaled by.

    With the last block all is divided by the sum of the weights.
    """
    before = greatest[i]
    greatest[i] = max(before, sm.simd_max(score))
    base = base_of(greatest[i])
    weight = weight_of(score - base)
    factor = weight_of(before - base)
    totals[i] = totals[i] * factor + sm.simd_sum(weight)
    share = reciprocal(totals[i]) if is_last else score.dtype(1)
    factors[i] = factor * share
    return weight * share


class Row(NamedTuple):
    """A query of a simdgroup.

    Args:
        number: Of the row of its weights.
        place: Head and query.
        factor: What was summed so far is scaled by.
    """

    number: Any
    place: Any
    factor: Any


def multiply_rows(
    scores: Any, query: Any, keys: Any, places: Any, key: Any, first_lane: Any
) -> None:
    """Products of queries with ``PAIR`` keys; the thread with a key's number keeps its products."""
    lane, kind, rows = sm.thread_index_in_threadgroup(), scores.dtype, len(places)
    others = tuple(min(key + j, keys.shape[0] - 1) for j in range(PAIR))
    totals = sm.thread_array((rows, PAIR), kind)
    for i in sm.static_range(rows):
        for j in sm.static_range(PAIR):
            totals[i, j] = kind(0)
    whole = keys.shape[1] // SIMDGROUP * SIMDGROUP
    for left in range(0, whole, SIMDGROUP):
        add_products(totals, query, keys, places, others, left + lane)
    if whole + lane < keys.shape[1]:
        add_products(totals, query, keys, places, others, whole + lane)
    for i in sm.static_range(rows):
        for j in sm.static_range(PAIR):
            total = sm.simd_sum(totals[i, j])
            scores[i] = sm.select(lane == first_lane + j, total, scores[i])


def add_products(totals: Any, query: Any, keys: Any, own: Any, others: Any, at: Any) -> None:
    """Add the products of one element of each query and key."""
    kind = totals.dtype
    elements = tuple(keys[j, at].astype(kind) for j in others)
    for i in sm.static_range(len(own)):
        element = query[own[i][0], own[i][1], at].astype(kind)
        for j in sm.static_range(len(others)):
            totals[i, j] += element * elements[j]


def add_values(sums: Any, values: Any, weights: Any, rows: Any, start: Any, most: Any) -> None:
    """Add a block's values, as they weigh, a few vectors of elements at a time."""
    lane, size, wide = sm.thread_index_in_threadgroup(), values.shape[1], SIMDGROUP * VECTORS
    whole = size // wide * wide
    for left in range(0, whole, wide):
        add_columns(sums, values, weights, rows, start, most, left + lane, VECTORS)
    for left in range(whole, size, SIMDGROUP):
        if left + lane < size:
            add_columns(sums, values, weights, rows, start, most, left + lane, 1)


def add_columns(
    sums: Any,
    values: Any,
    weights: Any,
    rows: Any,
    start: Any,
    most: Any,
    column: Any,
    vectors: Any,
) -> None:
    """Add so many vectors of a block's values."""
    kind = sums.dtype
    targets = tuple(sums[row.place] for row in rows)
    totals = sm.thread_array((len(rows), vectors), kind)
    for i in sm.static_range(len(rows)):
        for v in sm.static_range(vectors):
            totals[i, v] = kind(0)
            if start > 0:
                totals[i, v] = targets[i][column + SIMDGROUP * v] * rows[i].factor
    for j in range(min(SIMDGROUP, most - start)):
        value = values[start + j]
        elements = tuple(value[column + SIMDGROUP * v].astype(kind) for v in range(vectors))
        for i in sm.static_range(len(rows)):
            for v in sm.static_range(vectors):
                totals[i, v] += weights[rows[i].number, j] * elements[v]
    for i in sm.static_range(len(rows)):
        for v in sm.static_range(vectors):
            targets[i][column + SIMDGROUP * v] = totals[i, v]
