"""Attention of numbers of 32 bits by tiles: what threads multiply lies in threadgroup memory.

See :mod:`speedmetal.nn.kernels.attention` for what is computed, and for the words. The threads of a
threadgroup are ``ACROSS`` wide. Each has the scores of a few queries and keys, then the sums of the
same queries and a few elements of values, in registers.
"""

from __future__ import annotations

import math
from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.copy import convert
from speedmetal.nn.kernels.attention import (
    base_of,
    count_seen,
    masked,
    place_of,
    reciprocal,
    weight_of,
)
from speedmetal.nn.kernels.attention_tiles import ceil_to, clear_columns, clear_rows, copy_rows

ACROSS = 16
"""Threads that share a query: half a simdgroup."""
FOUR = 4
"""Elements that are loaded at once."""


@sm.kernel
def attend_by_tiles(  # noqa: C901, PLR0912, PLR0915 - the loop over blocks
    out: Any,
    query: Any,
    key: Any,
    value: Any,
    mask: Any,
    scale: float,
    causal: Any,
    head_size: Any,
    value_size: Any,
    threads: Any,
    each: Any,
    keys_each: Any,
    copied: Any,
) -> None:
    """A threadgroup takes ``threads / ACROSS * each`` queries of a head.

    Args:
        out: ``(batch, heads, queries, value_size)``.
        query: ``(batch, heads, queries, head_size)``.
        key: ``(batch, key_heads, keys, head_size)``.
        value: ``(batch, key_heads, keys, value_size)``.
        mask: ``(batch, heads, queries, keys)``; or None.
        scale: Of the scores.
        causal: As above.
        head_size: See above.
        value_size: The same.
        threads: Of a threadgroup.
        each: Queries of a thread, which lie ``threads / ACROSS`` apart.
        keys_each: Keys of a thread, of a block.
        copied: Elements that a thread copies at once, a divisor of both sizes.
    """
    kind, queries, count = query.dtype, query.shape[2], key.shape[2]
    down, block = threads // ACROSS, ACROSS * keys_each
    long, wide = ceil_to(head_size, FOUR), ceil_to(value_size, FOUR * ACROSS)
    own = sm.threadgroup_array((down * each, long + FOUR), kind)
    keys = sm.threadgroup_array((block, long + FOUR), kind)
    values = sm.threadgroup_array((block, wide), kind)
    weights = sm.threadgroup_array((down * each, block + FOUR), kind)
    thread = sm.thread_index_in_threadgroup()
    x, y = thread % ACROSS, thread // ACROSS

    parts = sm.cdiv(queries, down * each)
    batch, head, backwards = place_of(out.shape[:2], parts)
    part = parts - 1 - backwards if causal else backwards  # the longest begin first
    key_head = head // (out.shape[1] // key.shape[1])
    first = part * (down * each)
    most = max(count_seen(min(first + down * each, queries) - 1, queries, count, causal), 0)
    least = count_seen(first, queries, count, causal)
    clear_columns(own, head_size, long, threads)
    clear_columns(keys, head_size, long, threads)
    clear_columns(values, value_size, wide, threads)
    copy_rows(own, query[batch, head], first, head_size, copied, threads)
    copy_rows(keys, key[batch, key_head], 0, head_size, copied, threads)
    sm.async_copy_group()

    mine = tuple(first + y + down * i for i in range(each))
    ends = tuple(count_seen(min(place, queries - 1), queries, count, causal) for place in mine)
    bases, totals = sm.thread_array(each, kind), sm.thread_array(each, kind)
    sums = sm.thread_array((each, wide // ACROSS), kind)
    scores = sm.thread_array((each, keys_each), kind)
    for i in sm.static_range(each):
        bases[i], totals[i] = kind(-math.inf), kind(0)
        for j in sm.static_range(wide // ACROSS):
            sums[i, j] = kind(0)
    for start in range(0, most, block):
        copy_rows(values, value[batch, key_head], start, value_size, copied, threads)
        sm.async_copy_group()
        sm.async_copy_wait(1)  # the keys are there
        sm.threadgroup_barrier()
        multiply(scores, own, keys, x, y, down)
        for i in sm.static_range(each):
            for j in sm.static_range(keys_each):
                scores[i, j] *= kind(scale)
        if mask is not None:
            mask_scores(scores, mask[batch, head], mine, start + x)
        if start + block > least:
            hide_keys(scores, ends, start + x)
        is_any_seen = True if mask is None else sm.simd_any(holds_any(scores))
        for i in sm.static_range(each):
            factor = weigh_row(scores, i, bases, totals)
            for j in sm.static_range(keys_each):
                weights[y + down * i, x + ACROSS * j] = scores[i, j]
            for j in sm.static_range(wide // ACROSS):
                sums[i, j] *= factor
        sm.async_copy_wait(0)  # the values are there
        if start + block > count:
            clear_rows(values, count - start, value_size, copied, threads)
        sm.threadgroup_barrier()
        if start + block < most:
            copy_rows(keys, key[batch, key_head], start + block, head_size, copied, threads)
        sm.async_copy_group()
        if is_any_seen:
            add_values(sums, weights, values, x, y, down, block)
        sm.threadgroup_barrier()
    for i in sm.static_range(each):
        share = reciprocal(sm.simd_sum(totals[i], width=ACROSS))
        if mine[i] < queries:
            for j in sm.static_range(wide // ACROSS):
                place = element_of(j, x)
                if place < value_size:
                    found = sums[i, j] * share
                    out[batch, head, mine[i], place] = convert(found, kind, out.dtype)


def mask_scores(scores: Any, mask: Any, mine: Any, first: Any) -> None:
    """Bring the mask into a thread's scores."""
    for i in sm.static_range(scores.shape[0]):
        for j in sm.static_range(scores.shape[1]):
            place = first + ACROSS * j
            if mine[i] < mask.shape[0] and place < mask.shape[1]:
                scores[i, j] = masked(scores[i, j], mask[mine[i], place])


def hide_keys(scores: Any, ends: Any, first: Any) -> None:
    """Hide keys that queries do not see, or that are not there."""
    hidden = scores.dtype(-math.inf)
    for i in sm.static_range(scores.shape[0]):
        for j in sm.static_range(scores.shape[1]):
            scores[i, j] = sm.select(first + ACROSS * j < ends[i], scores[i, j], hidden)


def weigh_row(scores: Any, i: Any, bases: Any, totals: Any) -> Any:
    """Make weights of a query's scores; gives what earlier sums are scaled by."""
    greatest = bases[i]
    for j in sm.static_range(scores.shape[1]):
        greatest = sm.select(scores[i, j] > greatest, scores[i, j], greatest)
    greatest = sm.simd_max(greatest, width=ACROSS)
    base = base_of(greatest)
    factor = weight_of(bases[i] - base)
    bases[i] = greatest
    totals[i] *= factor
    for j in sm.static_range(scores.shape[1]):
        scores[i, j] = weight_of(scores[i, j] - base)
        totals[i] += scores[i, j]
    return factor


def holds_any(scores: Any) -> Any:
    """Whether any score counts; NaN does."""
    found = False
    for i in sm.static_range(scores.shape[0]):
        for j in sm.static_range(scores.shape[1]):
            found = found | (scores[i, j] != -math.inf)
    return found


def element_of(j: Any, x: Any) -> Any:
    """Which element of values: four side by side of each thread."""
    return FOUR * (ACROSS * (j // FOUR) + x) + j % FOUR


def multiply(  # noqa: C901 - its loops
    scores: Any, own: Any, keys: Any, x: Any, y: Any, down: Any
) -> None:
    """The products of a thread's queries and keys."""
    (each, keys_each), kind = scores.shape, scores.dtype
    left, right = sm.thread_array((each, FOUR), kind), sm.thread_array((keys_each, FOUR), kind)
    for i in sm.static_range(each):
        for j in sm.static_range(keys_each):
            scores[i, j] = kind(0)
    for k in range(0, own.shape[1] - FOUR, FOUR):
        for i in sm.static_range(each):
            for e in sm.static_range(FOUR):
                left[i, e] = own[y + down * i, k + e]
        for j in sm.static_range(keys_each):
            for e in sm.static_range(FOUR):
                right[j, e] = keys[x + ACROSS * j, k + e]
        for e in sm.static_range(FOUR):
            for i in sm.static_range(each):
                for j in sm.static_range(keys_each):
                    scores[i, j] += left[i, e] * right[j, e]


def add_values(sums: Any, weights: Any, values: Any, x: Any, y: Any, down: Any, block: Any) -> None:
    """Add a block's values, as they weigh."""
    (each, width), kind = sums.shape, sums.dtype
    left, right = sm.thread_array((each, FOUR), kind), sm.thread_array(width, kind)
    for k in range(0, block, FOUR):
        for i in sm.static_range(each):
            for e in sm.static_range(FOUR):
                left[i, e] = weights[y + down * i, k + e]
        for e in sm.static_range(FOUR):
            for j in sm.static_range(width):
                right[j] = values[k + e, element_of(j, x)]
            for i in sm.static_range(each):
                for j in sm.static_range(width):
                    sums[i, j] += left[i, e] * right[j]
