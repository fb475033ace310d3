"""Attention of numbers of 16 bits by simdgroup matrices, whose products tensor cores make.

See :mod:`speedmetal.nn.kernels.attention` for what is computed, and for the words. Each simdgroup
has ``rows`` queries. Of a block of keys it multiplies matrices into scores, lays these into
threadgroup memory, where its threads make weights of them, and multiplies those with the values.
Sums stay in registers as matrices, whose rows nobody can scale there: weights are relative to a
*base*, which is raised, and sums are brought out to be scaled, only where a score is beyond it by
``SLACK``.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import speedmetal as sm
from speedmetal.arrays.kernels.copy import convert
from speedmetal.nn.kernels.attention import (
    base_of,
    count_seen,
    masked,
    place_of,
    reciprocal,
)
from speedmetal.nn.kernels.attention_tiles import ceil_to, clear_columns, clear_rows, copy_rows

INNER = 16
"""What tensor cores multiply at once along the inner axis."""
LOG2_E = math.log2(math.e)
LOWEST = -(2.0 - 2.0**-23) * 2.0**127
"""The lowest finite number of float32."""
SLACK = 8.0
"""How far a score may be above its base, of powers of two: weights are at most 256."""
EIGHT = 8
"""Elements of 16 bits that are moved at once."""
PADDING = 8
"""Elements by which rows in threadgroup memory are longer, so that they begin at other banks."""


@sm.kernel
def attend_by_matrices(  # noqa: C901, PLR0915 - the loop over blocks
    out: Any,
    query: Any,
    key: Any,
    value: Any,
    mask: Any,
    scale: float,
    causal: Any,
    head_size: Any,
    value_size: Any,
    simdgroups: Any,
    rows: Any,
    block: Any,
    copied: Any,
) -> None:
    """A threadgroup takes ``simdgroups * rows`` queries of a head.

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
        simdgroups: Of a threadgroup.
        rows: 16 or 32.
        block: Keys of a block.
        copied: Elements that a thread copies at once, a divisor of both sizes.
    """
    kind, queries, count = query.dtype, query.shape[2], key.shape[2]
    wide, long = ceil_to(value_size, INNER), ceil_to(head_size, INNER)
    threads, tile_rows = 32 * simdgroups, simdgroups * rows
    keys = sm.threadgroup_array((2, block, long + PADDING), kind)
    values = sm.threadgroup_array((2, block, wide + PADDING), kind)
    all_scores = sm.threadgroup_array((simdgroups, rows, block + 4), sm.float32)
    all_weights = sm.threadgroup_array((simdgroups, rows, block + PADDING), kind)
    own = sm.threadgroup_array((tile_rows, long + PADDING), kind)
    simdgroup = sm.simdgroup_index_in_threadgroup()
    scores, weights = all_scores[simdgroup], all_weights[simdgroup]

    parts = sm.cdiv(queries, tile_rows)
    batch, head, backwards = place_of(out.shape[:2], parts)
    part = parts - 1 - backwards if causal else backwards  # the longest begin first
    key_head = head // (out.shape[1] // key.shape[1])
    all_keys, all_values = key[batch, key_head], value[batch, key_head]
    first = part * tile_rows
    most = max(count_seen(min(first + tile_rows, queries) - 1, queries, count, causal), 0)
    least = count_seen(first, queries, count, causal)

    clear_columns(own, head_size, long, threads)
    for stage in sm.static_range(2):
        clear_columns(keys[stage], head_size, long, threads)
        clear_columns(values[stage], value_size, wide, threads)
    copy_rows(own, query[batch, head], first, head_size, copied, threads)
    copy_rows(keys[0], all_keys, 0, head_size, copied, threads)
    sm.async_copy_group()
    copy_rows(values[0], all_values, 0, value_size, copied, threads)
    sm.async_copy_group()

    lane = sm.thread_index_in_simdgroup()
    own_query = first + simdgroup * rows + lane % rows
    end = count_seen(min(own_query, queries - 1), queries, count, causal)
    lanes = 32 // rows  # that share a row
    mine = Row(lane % rows, lane // rows, own_query, end)
    base, total = sm.float32(-math.inf), sm.float32(0)
    sums = tuple(
        sm.simdgroup_matrix(0, sm.float32, (rows, min(block, wide - left)))
        for left in range(0, wide, block)
    )
    for start in range(0, most, block):
        stage = start // block % 2
        sm.async_copy_wait(1)  # the keys are there
        sm.threadgroup_barrier()
        if start + block < most:
            copy_rows(keys[1 - stage], all_keys, start + block, head_size, copied, threads)
        sm.async_copy_group()
        multiply(scores, own, keys[stage], simdgroup * rows, long)
        held = sm.thread_array(block // lanes, sm.float32)
        load_scores(held, scores, mine, scale * LOG2_E, lanes)
        if mask is not None:
            mask_scores(held, mask[batch, head], mine, start, lanes)
        if start + block > least:
            hide_keys(held, mine, start, lanes)
        is_any_seen = True if mask is None else sm.simd_any(holds_any(held))
        greatest = greatest_of(held, lanes)
        is_beyond = greatest > base + SLACK
        raised = sm.select(is_beyond, greatest, base)
        if sm.simd_any(is_beyond):
            factor = math.exp2(base - base_of(raised))
            total *= factor
            if start > 0:
                sm.simdgroup_barrier()
                sums = tuple(scaled(each, scores, factor, mine, lanes) for each in sums)
        base = raised
        total += weigh(weights, held, base, mine, lanes)
        sm.async_copy_wait(1)  # the values are there
        if start + block > count:
            clear_rows(values[stage], count - start, value_size, copied, threads)
        sm.threadgroup_barrier()
        if start + block < most:
            copy_rows(values[1 - stage], all_values, start + block, value_size, copied, threads)
        sm.async_copy_group()
        if is_any_seen:
            sums = with_values(sums, weights, values[stage], rows, block)
    share = reciprocal(total + sm.simd_shuffle_xor(total, rows) if lanes == 2 else total)
    for number in sm.static_range(len(sums)):
        sm.simdgroup_barrier()
        sm.simdgroup_store(sums[number], scores, (0, 0))
        sm.simdgroup_barrier()
        if mine.query < queries:
            width = min(sums[number].shape[1], value_size - number * block)
            store(out[batch, head, mine.query], scores, share, (number * block, width), mine, lanes)


class Row(NamedTuple):
    """What a thread has of a simdgroup's rows: one, or a half of one.

    Args:
        number: In the simdgroup.
        side: Which half.
        query: Which one that is; it may be beyond the last one.
        end: How many keys it sees.
    """

    number: Any
    side: Any
    query: Any
    end: Any


def column_of(mine: Any, j: Any, lanes: Any) -> Any:
    """A thread's columns of its row: eight side by side, then those of the other thread."""
    return EIGHT * (lanes * (j // EIGHT) + mine.side) + j % EIGHT


def multiply(scores: Any, own: Any, keys: Any, first: Any, long: Any) -> None:
    """Leave the products of a simdgroup's queries and a block's keys in its memory."""
    rows, block = scores.shape[0], keys.shape[0]
    product = sm.simdgroup_matrix(0, sm.float32, (rows, block))
    for k in sm.static_range(0, long, INNER):
        left = sm.simdgroup_load(own, (first, k), shape=(rows, INNER))
        right = sm.simdgroup_load(keys, (0, k), transpose=True, shape=(INNER, block))
        product = sm.simdgroup_multiply_accumulate(left, right, product)
    sm.simdgroup_store(product, scores, (0, 0))
    sm.simdgroup_barrier()


def load_scores(held: Any, scores: Any, mine: Any, scale: Any, lanes: Any) -> None:
    """A thread's scores, scaled."""
    for j in sm.static_range(held.shape[0]):
        held[j] = scores[mine.number, column_of(mine, j, lanes)]
    for j in sm.static_range(held.shape[0]):
        held[j] *= scale


def mask_scores(held: Any, mask: Any, mine: Any, start: Any, lanes: Any) -> None:
    """Bring the mask into a thread's scores."""
    if mine.query < mask.shape[0]:
        for j in sm.static_range(held.shape[0]):
            place = start + column_of(mine, j, lanes)
            if place < mask.shape[1]:
                held[j] = masked(held[j], of_powers_of_two(mask[mine.query, place]))


def of_powers_of_two(mask: Any) -> Any:
    """An element of the mask as scores are here, times ``LOG2_E``.

    What is finite stays so: keys all of which have the lowest number weigh alike.
    """
    if mask.dtype == sm.bool_:
        return mask
    number = mask.astype(sm.float32)
    product = max(number * LOG2_E, sm.float32(LOWEST))
    return sm.select(number > -math.inf, product, number)


def hide_keys(held: Any, mine: Any, start: Any, lanes: Any) -> None:
    """Hide keys that a thread's query does not see, or that are not there."""
    for j in sm.static_range(held.shape[0]):
        is_there = start + column_of(mine, j, lanes) < mine.end
        held[j] = sm.select(is_there, held[j], sm.float32(-math.inf))


def holds_any(held: Any) -> Any:
    """Whether any of a thread's scores counts; NaN does."""
    found = False
    for j in sm.static_range(held.shape[0]):
        found = found | (held[j] != -math.inf)
    return found


def greatest_of(held: Any, lanes: Any) -> Any:
    """The greatest score of a row; NaN where there is one."""
    found = held[0]
    for j in sm.static_range(1, held.shape[0]):
        found = max(found, held[j])
    if lanes == 2:
        found = max(found, sm.simd_shuffle_xor(found, 16))
    return found


def weigh(weights: Any, held: Any, base: Any, mine: Any, lanes: Any) -> Any:
    """Make weights of a thread's scores, and leave them for all; gives their sum."""
    zero, added = base_of(base), sm.float32(0)
    for j in sm.static_range(held.shape[0]):
        held[j] = math.exp2(held[j] - zero)
        added += held[j]
    for j in sm.static_range(held.shape[0]):
        weights[mine.number, column_of(mine, j, lanes)] = held[j].astype(weights.dtype)
    return added


def store(out: Any, scores: Any, share: Any, place: Any, mine: Any, lanes: Any) -> None:
    """Write a thread's part of some elements of its query: from one on, so many."""
    first, width = place
    values = sm.thread_array(EIGHT, scores.dtype)
    for left in range(mine.side * EIGHT, width, lanes * EIGHT):
        for e in sm.static_range(EIGHT):
            values[e] = scores[mine.number, left + e] * share
        for e in sm.static_range(EIGHT):
            if width % EIGHT == 0 or left + e < width:
                out[first + left + e] = convert(values[e], scores.dtype, out.dtype)


def with_values(sums: Any, weights: Any, values: Any, rows: Any, block: Any) -> Any:
    """The sums with a block's values, as they weigh."""
    for k in sm.static_range(0, block, INNER):
        left = sm.simdgroup_load(weights, (0, k), shape=(rows, INNER))
        sums = tuple(
            sm.simdgroup_multiply_accumulate(
                left,
                sm.simdgroup_load(values, (k, block * n), shape=(INNER, sums[n].shape[1])),
                sums[n],
            )
            for n in range(len(sums))
        )
    return sums


def scaled(sums: Any, scratch: Any, factor: Any, mine: Any, lanes: Any) -> Any:
    """A matrix whose rows are multiplied by their thread's factor."""
    sm.simdgroup_store(sums, scratch, (0, 0))
    sm.simdgroup_barrier()
    for j in range(sums.shape[1] // lanes):
        scratch[mine.number, column_of(mine, j, lanes)] *= factor
    sm.simdgroup_barrier()
    found = sm.simdgroup_load(scratch, (0, 0), shape=sums.shape)
    sm.simdgroup_barrier()
    return found
