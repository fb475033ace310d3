"""Attention: ``softmax(scale * query @ key.T + mask) @ value``, without the matrix of all scores.

The scores of a block of keys are made, and the values that they weigh are added up, before the next
block comes. Where that has a greater score, what was summed so far is scaled down (M. Milakov and
N. Gimelshein, "Online normalizer calculation for softmax", 2018; T. Dao et al., "FlashAttention",
2022). Blocks none of whose keys a threadgroup's queries may see are left out.

There are two ways to lay threads over the work:

* :func:`attend_by_queries`: a thread has queries of its own, so that it needs nothing of others,
  and keys and values are the same for all threads: for many queries;
* :func:`~speedmetal.nn.kernels.attention_by_heads.attend_by_heads`: the threads of a simdgroup
  share a few queries and go along the heads' elements side by side: for few queries, and for long
  heads.

Arrays have axes ``(batch, heads, length, head_size)``. Key and value may have fewer heads, each for
as many consecutive heads of the query. Where it is ``causal``, query i of n sees key j of m if
``j - m <= i - n``: the last query sees all. Queries without a key give 0.
"""

from __future__ import annotations

import math
from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.copy import convert, unravel

BLOCK = 32
"""Keys of a block where threads have queries of their own: so many scores stay close by."""
TILE = 8
"""Keys, or elements of values, that a thread takes at a time: its sums stay in registers."""

# --- Scores --------------------------------------------------------------------------------------


def total_type(dtype: Any) -> Any:
    """The type of scores and sums."""
    return sm.float32 if dtype in (sm.float16, sm.bfloat16) else dtype


def count_seen(query: Any, queries: Any, keys: Any, causal: Any) -> Any:
    """How many keys a query sees, from the first one on."""
    return min(query - queries + keys + 1, keys) if causal else keys


def masked(score: Any, mask: Any) -> Any:
    """A score with an element of the mask: a bool, or a number to add."""
    if mask.dtype == sm.bool_:
        return sm.select(mask, score, score.dtype(-math.inf))
    return score + mask.astype(score.dtype)


def is_seen(mask: Any) -> Any:
    """Whether an element of the mask lets a key count."""
    return mask if mask.dtype == sm.bool_ else mask > -math.inf


def base_of(greatest: Any) -> Any:
    """What is subtracted from scores before the exponential: 0 where no key counts yet."""
    return sm.select(greatest == -math.inf, greatest.dtype(0.0), greatest)


def weight_of(distance: Any) -> Any:
    """The exponential of a score's distance from the greatest; 0 where it is hardly a number.

    Numbers below the normal ones are nothing beside the greatest's 1, but a processor may take 100
    steps for each.
    """
    least = -87.0 if distance.dtype == sm.float32 else -708.0
    is_nothing = distance < least
    power = math.exp(sm.select(is_nothing, distance.dtype(least), distance))
    return sm.select(is_nothing, distance.dtype(0.0), power)


def reciprocal(total: Any) -> Any:
    """Of a sum of weights; queries without a key have none, and their result is 0."""
    return sm.select(total == 0.0, total.dtype(0.0), 1.0 / total)


def place_of(outer: Any, parts: Any) -> Any:
    """Batch, head and part of a threadgroup; there are so many parts of each head."""
    number = sm.threadgroup_position_in_grid().x
    return (*unravel(number // parts, outer), number % parts)


# --- A thread has queries of its own -------------------------------------------------------------


@sm.kernel
def attend_by_queries(
    out: Any,
    query: Any,
    key: Any,
    value: Any,
    mask: Any,
    seen: Any,
    scale: float,
    causal: sm.static[bool],
    head_size: sm.static[int],
    value_size: sm.static[int],
    each: sm.static[int],
) -> None:
    """A threadgroup takes ``each`` queries of each thread; those of a head follow each other.

    Args:
        out: ``(batch, heads, queries, value_size)``.
        query: ``(batch, heads, queries, head_size)``.
        key: ``(batch, key_heads, keys, head_size)``.
        value: ``(batch, key_heads, keys, value_size)``.
        mask: ``(batch, heads, keys, queries)``, so that threads read neighbours; or None.
        seen: ``(batch, heads, threadgroups, blocks)``: whether the mask lets any key of a block
            count for a threadgroup's queries; or None.
        scale: Of the scores.
        causal: As above.
        head_size: See above.
        value_size: The same.
        each: Queries of a thread.
    """
    queries, count, kind = out.shape[2], key.shape[2], total_type(query.dtype)
    lanes, lane = sm.threads_per_threadgroup().x, sm.thread_index_in_threadgroup()
    batch, head, part = place_of(out.shape[:2], sm.cdiv(queries, lanes * each))
    first = part * (lanes * each)
    mine = tuple(first + lanes * e + lane for e in sm.static_range(each))
    # Threads beyond the last query take that one once more, and store nothing.
    places = tuple(min(place, queries - 1) for place in mine)
    ends = tuple(count_seen(place, queries, count, causal) for place in places)
    own = sm.thread_array((head_size, each), kind)
    sums = sm.thread_array((value_size, each), kind)
    weights = sm.thread_array((BLOCK, each), kind)
    greatest, totals = sm.thread_array(each, kind), sm.thread_array(each, kind)
    begin_rows(greatest, totals)
    load_queries(own, sums, query[batch, head], places, scale)
    least = max(count_seen(first, queries, count, causal), 0)
    most = count_seen(min(first + lanes * each, queries) - 1, queries, count, causal)
    key_head = head // (out.shape[1] // key.shape[1])
    keys, values = key[batch, key_head], value[batch, key_head]
    for start in range(0, most, BLOCK):
        if seen is None or seen[batch, head, part, start // BLOCK]:
            for at in range(0, BLOCK, TILE):
                score_keys(weights, own, keys, start, at)
            if mask is not None:
                mask_scores(weights, mask[batch, head], mine, start, min(BLOCK, count - start))
            if start + BLOCK > least:
                hide_keys(weights, ends, start)
            factors = weigh(weights, greatest, totals)
            add_values(sums, values, weights, factors, start, min(BLOCK, most - start))
    store_queries(out[batch, head], sums, totals, mine)


def begin_rows(greatest: Any, totals: Any) -> None:
    """No score and no weight so far."""
    for i in sm.static_range(greatest.shape[0]):
        greatest[i], totals[i] = greatest.dtype(-math.inf), totals.dtype(0)


def load_queries(own: Any, sums: Any, query: Any, places: Any, scale: Any) -> None:
    """A thread's queries, scaled; nothing is summed so far."""
    kind = own.dtype
    for e in sm.static_range(len(places)):
        for c in range(own.shape[0]):
            own[c, e] = query[places[e], c].astype(kind) * kind(scale)
        for c in range(sums.shape[0]):
            sums[c, e] = kind(0)


def store_queries(out: Any, sums: Any, totals: Any, mine: Any) -> None:
    """Write what was summed, divided by the weights, where there is such a query."""
    for e in sm.static_range(len(mine)):
        if mine[e] < out.shape[0]:
            factor = reciprocal(totals[e])
            for c in range(sums.shape[0]):
                out[mine[e], c] = convert(sums[c, e] * factor, sums.dtype, out.dtype)


def score_keys(weights: Any, own: Any, keys: Any, start: Any, at: Any) -> None:
    """The scores of ``TILE`` keys of a block, for a thread's queries."""
    (size, each), kind = own.shape, own.dtype
    totals = sm.thread_array((TILE, each), kind)
    for j in sm.static_range(TILE):
        for e in sm.static_range(each):
            totals[j, e] = kind(0)
    rows = tuple(min(start + at + j, keys.shape[0] - 1) for j in range(TILE))
    for c in range(size):
        for j in sm.static_range(TILE):
            element = keys[rows[j], c].astype(kind)
            for e in sm.static_range(each):
                totals[j, e] += element * own[c, e]
    for j in sm.static_range(TILE):
        for e in sm.static_range(each):
            weights[at + j, e] = totals[j, e]


def mask_scores(weights: Any, mask: Any, mine: Any, start: Any, count: Any) -> None:
    """Bring the mask into the scores of a block's keys."""
    for e in sm.static_range(len(mine)):
        if mine[e] < mask.shape[1]:
            for j in range(count):
                weights[j, e] = masked(weights[j, e], mask[start + j, mine[e]])


def hide_keys(weights: Any, ends: Any, start: Any) -> None:
    """Hide a block's keys that queries do not see, or that are not there."""
    for j in range(weights.shape[0]):
        for e in sm.static_range(len(ends)):
            hidden = weights.dtype(-math.inf)
            weights[j, e] = sm.select(start + j < ends[e], weights[j, e], hidden)


def weigh(weights: Any, greatest: Any, totals: Any) -> Any:
    """Make weights of scores; what earlier sums are to be scaled by is given back."""
    block, each = weights.shape
    factors = sm.thread_array(each, weights.dtype)
    for e in sm.static_range(each):
        most = greatest[e]
        for j in range(block):
            most = sm.select(weights[j, e] > most, weights[j, e], most)
        base = base_of(most)
        factors[e] = weight_of(greatest[e] - base)
        total = totals[e] * factors[e]
        for j in range(block):
            weight = weight_of(weights[j, e] - base)
            weights[j, e] = weight
            total += weight
        greatest[e], totals[e] = most, total
    return factors


def add_values(sums: Any, values: Any, weights: Any, factors: Any, start: Any, count: Any) -> None:
    """Add a block's values, as they weigh, ``TILE`` elements of them at a time."""
    size = sums.shape[0]
    whole = size // TILE * TILE
    for left in range(0, whole, TILE):
        add_elements(sums, values, weights, factors, start, count, left, TILE)
    if whole < size:
        add_elements(sums, values, weights, factors, start, count, whole, size - whole)


def add_elements(
    sums: Any,
    values: Any,
    weights: Any,
    factors: Any,
    start: Any,
    count: Any,
    left: Any,
    width: Any,
) -> None:
    """Add so many elements of a block's values."""
    each, kind = sums.shape[1], sums.dtype
    totals = sm.thread_array((width, each), kind)
    for c in sm.static_range(width):
        for e in sm.static_range(each):
            totals[c, e] = sums[left + c, e] * factors[e]
    for j in range(count):
        for c in sm.static_range(width):
            element = values[start + j, left + c].astype(kind)
            for e in sm.static_range(each):
                totals[c, e] += element * weights[j, e]
    for c in sm.static_range(width):
        for e in sm.static_range(each):
            sums[left + c, e] = totals[c, e]


@sm.kernel
def find_seen(seen: Any, mask: Any, each: sm.static[int]) -> None:
    """A threadgroup looks at the mask of its queries and of a block of keys.

    Args:
        seen: As :func:`attend_by_queries` takes it.
        mask: ``(batch, heads, keys, queries)``.
        each: Queries of a thread.
    """
    lanes, lane = sm.threads_per_threadgroup().x, sm.thread_index_in_threadgroup()
    batch, head, number = place_of(seen.shape[:2], seen.shape[2] * seen.shape[3])
    part, start = number // seen.shape[3], number % seen.shape[3] * BLOCK
    found = False
    for j in range(start, min(start + BLOCK, mask.shape[2])):
        for e in sm.static_range(each):
            place = min(part * (lanes * each) + lanes * e + lane, mask.shape[3] - 1)
            found = found | is_seen(mask[batch, head, j, place])
    any_found = sm.simd_any(found)
    if lane == 0:
        seen[batch, head, part, start // BLOCK] = any_found
