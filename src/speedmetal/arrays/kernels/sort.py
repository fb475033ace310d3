"""Rows in order: parts of them in threadgroup memory, by a network, and then merged.

What is sorted are *items*: unsigned integers that are in the order of the elements. An item is an
element's *key*, or its key above its position, by which equal elements keep their order. A key of
a floating number is its bits, turned so that they are in the order of the numbers, NaN last.

The network is Batcher's bitonic sort (Sorting networks and their applications, 1968) in the form
in which every comparison puts the lesser item first: a stage merges runs of which the second one is
read backwards in its first step.
"""

from __future__ import annotations

from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.copy import own_index, unravel

LANES = 32  # of a simdgroup


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
    parts: int,
    count: int,
) -> None:
    """target[row, part * count + k]: the k-th item of a part of a row, for k below ``count``.

    A threadgroup takes several parts, in its memory. What is beyond the end of a row comes last.

    Args:
        target: Of as many axes as the source; the last one may be shorter.
        source: The rows; their axes come first.
        pack: ``(element, position)`` is an item.
        unpack: ``(item)`` is what is stored.
        kind: The items' dtype.
        axes: How many axes come before the rows' own.
        pairs: Static: so many pairs of a threadgroup's items are a thread's.
        levels: A part has ``2**levels`` elements, at most as many as a threadgroup has.
        parts: Of a row.
        count: How many items of each part are stored.
    """
    length = 1 << levels
    threads = sm.threads_per_threadgroup().x
    size = 2 * pairs * threads
    items = sm.threadgroup_array(2 * pairs * sm.threads_per_threadgroup().x, kind)
    thread = sm.thread_index_in_threadgroup()
    first = sm.threadgroup_position_in_grid().x * (size >> levels)
    outer, extent = source.shape[:axes], source.shape[axes]
    rows = 1
    for axis in sm.static_range(axes):
        rows *= outer[axis]
    for number in sm.static_range(2 * pairs):
        i = thread + number * threads
        part = first + (i >> levels)
        at = part % parts * length + (i & (length - 1))
        item = ~kind(0)
        if part < rows * parts and at < extent:
            item = pack(source[(*unravel(part // parts, outer), at)], at)
        items[i] = item
    sm.threadgroup_barrier()
    for stage in range(levels):
        for down in range(stage + 1):
            step = 1 << (stage - down)
            for number in sm.static_range(pairs):
                exchange(items, thread + number * threads, step, down == 0)
            # Pairs of a simdgroup's threads are among 64 items side by side while steps are short.
            following = step >> 1 if down < stage else 2 << stage
            if max(step, following) > LANES:
                sm.threadgroup_barrier()
            else:
                sm.simdgroup_barrier()
    sm.threadgroup_barrier()
    for number in sm.static_range(2 * pairs):
        i = thread + number * threads
        part, at = first + (i >> levels), i & (length - 1)
        place = part % parts * count + at
        if part < rows * parts and at < count and place < target.shape[axes]:
            target[(*unravel(part // parts, outer), place)] = unpack(items[i])


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
