"""Copies between any layouts and dtypes, and one value everywhere.

The arrays have at least one axis, and as few as possible. The threads of a grid are the elements:
along x those of the last axis, along y those of the one before, along z all others.
"""

from __future__ import annotations

import math
from typing import Any

import speedmetal as sm

TILE_ROWS = 8
"""Rows of a tile that are taken at once."""


@sm.kernel
def copy(target: Any, source: Any) -> None:
    """Every element of the target becomes that of the source, in the target's dtype."""
    index = own_index(target)
    target[index] = convert(source[index], source.dtype, target.dtype)


@sm.kernel
def split(target: Any, source: Any, count: sm.static[int]) -> None:
    """Of ``count`` elements side by side each goes to a row of its own.

    Args:
        target: ``(outer, count, length)``.
        source: ``(outer, length * count)``: neighbours, of which each thread takes so many.
        count: Few, so that a step from one thread's to the next one's is short, and known.
    """
    x, y, _ = sm.thread_position_in_grid()
    for number in sm.static_range(count):
        element = source[y, x * count + number]
        target[y, number, x] = convert(element, source.dtype, target.dtype)


@sm.kernel
def copy_short_rows(target: Any, source: Any, count: Any, turns: Any) -> None:
    """As :func:`copy`, where the last axis has few elements, ``count``: a thread takes all of them.

    The threads of a grid are the elements of the other axes, of the last of which each takes so
    many as there are ``turns``: it is a multiple, and the grid is as much shorter.
    """
    *outer, first = own_index_in(target.shape[:-1])
    step = sm.threads_per_grid().x
    elements = sm.thread_array((turns, count), target.dtype)
    for turn in sm.static_range(turns):
        for k in sm.static_range(count):
            element = source[(*outer, first + turn * step, k)]
            elements[turn, k] = convert(element, source.dtype, target.dtype)
    for turn in sm.static_range(turns):
        for k in sm.static_range(count):
            target[(*outer, first + turn * step, k)] = elements[turn, k]


@sm.kernel
def copy_tiles(target: Any, source: Any, width: Any) -> None:
    """As :func:`copy`, where neighbours in the source lie along the last axis but one.

    A threadgroup of ``32 * TILE_ROWS`` threads takes a square tile of ``32 * width`` elements: it
    reads them along the one axis, and writes them along the other, a thread ``width`` side by side,
    of which both axes are multiples. In threadgroup memory rows begin in banks of their own.
    """
    side = 32 * width
    tile = sm.threadgroup_array((side, side + 1), target.dtype)
    kept = sm.thread_array((side // TILE_ROWS, width), target.dtype)
    high, wide = target.shape[-2:]
    place, top, left = place_of_tile(target.shape[:-2], high, wide, side, side)
    thread = sm.thread_index_in_threadgroup()
    lane, own = thread % 32, thread // 32
    first = min(top // width + lane, high // width - 1) * width  # beyond the end nothing is stored
    for turn in sm.static_range(side // TILE_ROWS):
        column = min(left + turn * TILE_ROWS + own, wide - 1)
        for k in sm.static_range(width):
            element = source[(*place, first + k, column)]
            kept[turn, k] = convert(element, source.dtype, target.dtype)
    for turn in sm.static_range(side // TILE_ROWS):
        for k in sm.static_range(width):
            tile[turn * TILE_ROWS + own, lane * width + k] = kept[turn, k]
    sm.threadgroup_barrier()
    for turn in sm.static_range(0, side, TILE_ROWS):
        row = top + turn + own
        if row < high and left + lane * width < wide:
            for k in sm.static_range(width):
                target[(*place, row, left + lane * width + k)] = tile[lane * width + k, turn + own]


@sm.kernel
def copy_tiles_of_words(target: Any, source: Any, count: Any, words: Any) -> None:
    """The same of elements of which ``count`` are a word of 32 bits, side by side.

    A threadgroup as above takes a tile of 32 such words of the source, and ``words`` of the target.

    Args:
        target: Of words, its last axis is so much shorter.
        source: Of words, its last axis but one is so much shorter.
        count: Static, 2 or 4.
        words: Static.
    """
    tile = sm.threadgroup_array((count * 32, words + 1), sm.uint32)
    kept = sm.thread_array((words // TILE_ROWS, count), sm.uint32)
    high, wide = source.shape[-2], target.shape[-1]
    place, top, left = place_of_tile(target.shape[:-2], high, wide, 32, words)
    thread = sm.thread_index_in_threadgroup()
    lane, own = thread % 32, thread // 32
    first = min(top + lane, high - 1)
    for turn in sm.static_range(words // TILE_ROWS):
        column = min(left + turn * TILE_ROWS + own, wide - 1) * count
        for k in sm.static_range(count):
            kept[turn, k] = source[(*place, first, column + k)]
    for turn in sm.static_range(words // TILE_ROWS):
        turned = turned_words(kept, turn, count)
        for k in sm.static_range(count):
            tile[k * 32 + lane, turn * TILE_ROWS + own] = turned[k]
    sm.threadgroup_barrier()
    column, own = thread % words, thread // words
    for turn in sm.static_range(0, count * 32, 32 * TILE_ROWS // words):
        row = turn + own
        if top * count + row < target.shape[-2] and left + column < wide:
            element = tile[row % count * 32 + row // count, column]
            target[(*place, top * count + row, left + column)] = element


def place_of_tile(outer: Any, high: Any, wide: Any, rows: Any, columns: Any) -> Any:
    """The place of a threadgroup's tile on the outer axes, and where it begins on the others."""
    across, down = (wide + columns - 1) // columns, (high + rows - 1) // rows
    group = sm.threadgroup_position_in_grid().x
    left, top = group % across * columns, group // across % down * rows
    place = unravel(group // across // down, outer) if len(outer) > 0 else ()
    return place, top, left


def turned_words(words: Any, turn: Any, count: Any) -> Any:
    """Of words whose elements are columns those whose elements are rows."""
    if count == 2:
        first, second = words[turn, 0], words[turn, 1]
        return first & 0xFFFF | second << 16, first >> 16 | second & 0xFFFF0000
    evens = tuple(even_bytes(words[turn, k], words[turn, k + 1]) for k in (0, 2))
    odds = tuple(odd_bytes(words[turn, k], words[turn, k + 1]) for k in (0, 2))
    return (
        evens[0] & 0xFFFF | evens[1] << 16,
        odds[0] & 0xFFFF | odds[1] << 16,
        evens[0] >> 16 | evens[1] & 0xFFFF0000,
        odds[0] >> 16 | odds[1] & 0xFFFF0000,
    )


def even_bytes(first: Any, second: Any) -> Any:
    """Bytes 0 of two words, then their bytes 2."""
    return first & 0x00FF00FF | (second & 0x00FF00FF) << 8


def odd_bytes(first: Any, second: Any) -> Any:
    """Bytes 1 of two words, then their bytes 3."""
    return first >> 8 & 0x00FF00FF | second & 0xFF00FF00


@sm.kernel
def fill(target: Any, value: Any) -> None:
    """Every element of the target becomes the value, which has its dtype."""
    target[own_index(target)] = value


@sm.kernel
def copy_together(targets: Any, source: Any) -> None:
    """Every element of each target becomes its part of the source's, which is a tuple."""
    index = own_index(targets[0])
    parts = source[index]
    for place in sm.static_range(len(targets)):
        targets[place][index] = parts[place]


def own_index(array: Any) -> Any:
    """The index of this thread's element."""
    return own_index_in(array.shape)


def own_index_in(shape: Any) -> Any:
    """The index of this thread's element of a shape."""
    x, y, z = sm.thread_position_in_grid()
    if len(shape) == 1:
        return (x,)
    if len(shape) == 2:
        return (y, x)
    return (*unravel(z, shape[:-2]), y, x)


def unravel(position: Any, shape: Any) -> Any:
    """The indices of the element that comes at this position in C order."""
    if len(shape) == 1:
        return (position,)  # which needs no division
    return tuple(
        position // math.prod(shape[axis + 1 :]) % shape[axis] for axis in range(len(shape))
    )


def convert(value: Any, source: Any, target: Any) -> Any:
    """A number in another dtype; of a complex one the real part."""
    if source == target:
        return value
    if target == sm.bool_:
        return value != 0
    if source.is_complex and not target.is_complex:
        return value.real.astype(target)
    return value.astype(target)
