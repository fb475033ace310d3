"""Rows in order: parts of them in threadgroup memory, by a network, and then merged.

What is sorted are *items*: unsigned integers that are in the order of the elements. An item is an
element's *key*, or its key above its position, by which equal elements keep their order. A key of
a floating number is its bits, turned so that they are in the order of the numbers, NaN last.

The network is Batcher's bitonic sort (Sorting networks and their applications, 1968) in the form
in which every comparison puts the lesser item first: a stage merges runs of which the second one is
read backwards in its first step.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import speedmetal as sm
from speedmetal.arrays.kernels.copy import own_index, unravel

LANES = 32  # of a simdgroup
BLOCK_LEVELS = 6
"""A simdgroup sorts blocks of ``2**6`` items in registers."""


# --- Keys ----------------------------------------------------------------------------------------


def key_of(descending: Any, x: Any) -> Any:
    """An unsigned number, as wide as an element, in the order of elements: -0.0 is before 0.0."""
    kind = unsigned_like(x.dtype)
    if x.dtype.is_float:
        key = _key_of_bits(sm.bitcast(x, kind), x.dtype, kind)
    elif x.dtype.is_signed:
        key = sm.bitcast(x, kind) ^ _highest_bit(kind)
    else:
        key = kind(x)
    return ~key if descending else key


def joined_key_of(descending: Any, x: Any) -> Any:
    """The same, but one for elements that are equal: zeros of both signs have one."""
    kind = unsigned_like(x.dtype)
    if not x.dtype.is_float:
        return key_of(descending, x)
    bits = sm.bitcast(x, kind)
    is_negative_zero = bits == _highest_bit(kind)
    key = _key_of_bits(sm.select(is_negative_zero, kind(0), bits), x.dtype, kind)
    return ~key if descending else key


def _key_of_bits(bits: Any, dtype: Any, kind: Any) -> Any:
    """The key of a floating number; all NaN have the greatest, which is the bits of one, turned.

    It is found by integers alone: no mode of floating arithmetic changes it.
    """
    top = _highest_bit(kind)
    is_nan = bits & ~top > kind(_bits_of_infinity(dtype))
    turned = sm.select(bits & top != 0, ~bits, bits | top)
    return sm.select(is_nan, ~kind(0), turned)


def _bits_of_infinity(dtype: Any) -> Any:
    if dtype == sm.float16:
        return 0x7C00
    if dtype == sm.bfloat16:
        return 0x7F80
    return 0x7F80_0000 if dtype == sm.float32 else 0x7FF0_0000_0000_0000


def _highest_bit(kind: Any) -> Any:
    return kind(1) << (8 * kind.itemsize - 1)


def unsigned_like(dtype: Any) -> Any:
    """The unsigned dtype of a dtype's size."""
    if dtype.itemsize == 1:
        return sm.uint8
    if dtype.itemsize == 2:
        return sm.uint16
    return sm.uint32 if dtype.itemsize == 4 else sm.uint64


def halves_of_key(descending: Any, x: Any) -> Any:
    """The lower and the higher half of a key of 64 bits that equal elements share."""
    key = joined_key_of(descending, x)
    return sm.uint32(key & sm.uint64(0xFFFF_FFFF)), sm.uint32(key >> 32)


def element_of(dtype: Any, descending: Any, key: Any) -> Any:
    """The element that has a key of :func:`key_of`."""
    kind = unsigned_like(dtype)
    own = kind(key)
    if descending:
        own = ~own
    top = _highest_bit(kind)
    if dtype.is_float:
        return sm.bitcast(sm.select(own & top != 0, own ^ top, ~own), dtype)
    if dtype == sm.bool_:
        return own != 0
    return sm.bitcast(own ^ top, dtype) if dtype.is_signed else dtype(own)


# --- Items ---------------------------------------------------------------------------------------


def item_itself(item: Any, _at: Any) -> Any:
    """What is an item already."""
    return item


def item_of_key(kind: Any, descending: Any, x: Any, _at: Any) -> Any:
    """An element's key."""
    return kind(key_of(descending, x))


def item_of_place(descending: Any, x: Any, at: Any) -> Any:
    """An element's key of up to 32 bits, above its position."""
    return above(joined_key_of(descending, x), at)


def above(high: Any, low: Any) -> Any:
    """Two numbers of up to 32 bits, neither of them negative, in one of 64."""
    return sm.uint64(high) << 32 | sm.uint64(low)


def kept_item(item: Any) -> Any:
    """The item itself."""
    return item


def place_in(item: Any) -> Any:
    """The lower number in an item."""
    return sm.int64(item & sm.uint64(0xFFFF_FFFF))


def key_in_row(descending: Any, x: Any, row: Any) -> Any:
    """A key of up to 32 bits, below the number of its row."""
    return above(row, key_of(descending, x))


def joined_key_in_row(descending: Any, x: Any, row: Any) -> Any:
    """The same with a key that equal elements share."""
    return above(row, joined_key_of(descending, x))


def joined_key_alone(descending: Any, x: Any, _row: Any) -> Any:
    """A key that equal elements share, of the only row."""
    return joined_key_of(descending, x)


# --- Kernels -------------------------------------------------------------------------------------


@sm.kernel
def sort_parts(
    target: Any,
    source: Any,
    pack: Any,
    unpack: Any,
    kind: Any,
    axes: sm.static[int],
    pairs: Any,
    levels: int,
    parts: Any,
    count: int,
) -> None:
    """target[row, part * count + k]: the k-th item of a part of a row, for k below ``count``.

    A threadgroup takes several parts. Each simdgroup has blocks of 64 items in registers, two in
    each thread, and exchanges them there; what is farther apart is exchanged in threadgroup memory.
    What is beyond the end of a row comes last.

    Args:
        target: Of as many axes as the source; the last one may be shorter.
        source: The rows; their axes come first.
        pack: ``(element, position)`` is an item.
        unpack: ``(item)`` is what is stored.
        kind: The items' dtype.
        axes: How many axes come before the rows' own.
        pairs: Static: so many pairs of a threadgroup's items are a thread's.
        levels: A part has ``2**levels`` elements, at most as many as a threadgroup has.
        parts: Of a row; static where it is one.
        count: How many items of each part are stored.
    """
    threads = sm.threads_per_threadgroup().x
    items = sm.threadgroup_array(2 * pairs * sm.threads_per_threadgroup().x, kind)
    lower, upper = sm.thread_array(pairs, kind), sm.thread_array(pairs, kind)
    thread = sm.thread_index_in_threadgroup()
    lane = sm.thread_index_in_simdgroup()
    begin = 2 * (thread - lane) + lane  # of the first block's items that this thread has
    first = sm.threadgroup_position_in_grid().x * (2 * pairs * threads >> levels)
    for number in sm.static_range(pairs):
        at = begin + 2 * threads * number
        place = place_of(at, first, levels)
        lower[number] = item_at(source, axes, parts, place, pack, kind)
        place = place_of(at + LANES, first, levels)
        upper[number] = item_at(source, axes, parts, place, pack, kind)
        for stage in sm.static_range(BLOCK_LEVELS):
            if stage < levels:
                a, b = turned(lower[number], upper[number], stage, lane)
                lower[number], upper[number] = merged(a, b, stage - 1, lane)
    for stage in range(BLOCK_LEVELS, levels):
        for number in sm.static_range(pairs):
            at = begin + 2 * threads * number
            items[at] = lower[number]
            items[at + LANES] = upper[number]
        sm.threadgroup_barrier()
        for down in range(stage - BLOCK_LEVELS + 1):
            for number in sm.static_range(pairs):
                exchange(items, thread + number * threads, 1 << (stage - down), down == 0)
            sm.threadgroup_barrier()
        for number in sm.static_range(pairs):
            at = begin + 2 * threads * number
            a, b = merged(items[at], items[at + LANES], BLOCK_LEVELS - 1, lane)
            lower[number] = a
            upper[number] = b
    for number in sm.static_range(pairs):
        at = begin + 2 * threads * number
        place = place_of(at, first, levels)
        store_item(target, source, axes, parts, count, place, unpack(lower[number]))
        place = place_of(at + LANES, first, levels)
        store_item(target, source, axes, parts, count, place, unpack(upper[number]))


class Place(NamedTuple):
    """Where an item of a threadgroup belongs.

    Args:
        part: Of all rows' parts.
        within: The item's number in it.
        length: Of a part.
    """

    part: Any
    within: Any
    length: Any


def place_of(at: Any, first: Any, levels: Any) -> Any:
    """Where an item belongs, by its number among those of the threadgroup."""
    length = 1 << levels
    return Place(first + (at >> levels), at & (length - 1), length)


def item_at(source: Any, axes: Any, parts: Any, place: Any, pack: Any, kind: Any) -> Any:
    """An item; beyond the end of a row what comes last."""
    outer, extent = source.shape[:axes], source.shape[axes]
    at = place.part % parts * place.length + place.within
    item = ~kind(0)
    if place.part < math.prod(outer) * parts and at < extent:
        item = pack(source[(*unravel(place.part // parts, outer), at)], at)
    return item


def store_item(
    target: Any, source: Any, axes: Any, parts: Any, count: Any, place: Any, value: Any
) -> None:
    """Store what is made of an item, where it is among those that are asked for."""
    outer = source.shape[:axes]
    at = place.part % parts * count + place.within
    if place.part < math.prod(outer) * parts and place.within < count and at < target.shape[axes]:
        target[(*unravel(place.part // parts, outer), at)] = value


def turned(a: Any, b: Any, stage: Any, lane: Any) -> Any:
    """Two items of each thread after the first step of a stage, in which runs are mirrored."""
    if stage == BLOCK_LEVELS - 1:
        last = LANES - 1
        return min(a, sm.simd_shuffle_xor(b, last)), max(b, sm.simd_shuffle_xor(a, last))
    mask, is_lower = (2 << stage) - 1, lane & (1 << stage) == 0
    return lesser_if(is_lower, a, mask), lesser_if(is_lower, b, mask)


def merged(a: Any, b: Any, stage: Any, lane: Any) -> Any:
    """Two items of each thread after steps of a distance of ``2**stage``, of half of it, ..."""
    if stage == BLOCK_LEVELS - 1:
        a, b = min(a, b), max(a, b)
    for down in sm.static_range(max(BLOCK_LEVELS - 1 - stage, 1), BLOCK_LEVELS):
        step = LANES >> down
        is_lower = lane & step == 0
        a, b = lesser_if(is_lower, a, step), lesser_if(is_lower, b, step)
    return a, b


def lesser_if(is_lower: Any, item: Any, mask: Any) -> Any:
    """The lesser of a thread's item and another thread's, or the greater."""
    other = sm.simd_shuffle_xor(item, mask)
    return sm.select(is_lower, min(item, other), max(item, other))


def exchange(items: Any, pair: Any, step: Any, turns: Any) -> None:
    """Put the lesser of two items first: those ``step`` apart, or mirrored in a run of ``2 step``.

    Args:
        items: All of them.
        pair: The number of the two.
        step: A power of two.
        turns: Whether the second half of the run is read backwards.
    """
    within = pair & (step - 1)
    lower = 2 * pair - within
    upper = lower + 2 * (step - within) - 1 if turns else lower + step
    a, b = items[lower], items[upper]
    if b < a:
        items[lower] = b
        items[upper] = a


@sm.kernel
def merge_runs(target: Any, source: Any, unpack: Any, run: int) -> None:
    """target[row, ...]: runs of ``run`` items in order, of a row of the source, merged in pairs.

    A thread takes an item, and looks for how many of the other run come before it. The grid are the
    items along x, the rows along y.
    """
    at, row, _ = sm.thread_position_in_grid()
    length = source.shape[1]
    item = source[row, at]
    begin = at // run * run
    is_left = begin // run % 2 == 0
    low = min(begin + run, length) if is_left else begin - run
    other = low
    high = min(low + run, length)
    while low < high:
        middle = (low + high) // 2
        found = source[row, middle]
        # Of equal items the left run's come first.
        if found < item or (found == item and not is_left):
            low = middle + 1
        else:
            high = middle
    pair = begin if is_left else begin - run
    place = pair + (at - begin) + (low - other)
    target[row, place] = unpack(item)


@sm.kernel
def pack_rows(keys: Any, places: Any, source: Any, pack: Any) -> None:
    """keys[row, at] = pack(element, row), and places[row, at] = at, for a library.

    Args:
        keys: Of the source's shape.
        places: Likewise; None: they are not asked for.
        source: The rows, along the last axis. The grid is as for copies.
        pack: ``(element, row)``, where rows are numbered in C order.
    """
    index = own_index(source)
    row = 0
    for axis in sm.static_range(source.ndim - 1):
        row = row * source.shape[axis] + index[axis]
    keys[index] = pack(source[index], row)
    if places is not None:
        places[index] = index[source.ndim - 1]
