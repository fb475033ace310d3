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
def copy_short_rows(target: Any, source: Any, count: Any) -> None:
    """As :func:`copy`, where the last axis has few elements, ``count``: a thread takes all of them.

    The threads of a grid are the elements of the other axes.
    """
    row = own_index_in(target.shape[:-1])
    elements = sm.thread_array(count, target.dtype)
    for k in sm.static_range(count):
        elements[k] = convert(source[(*row, k)], source.dtype, target.dtype)
    for k in sm.static_range(count):
        target[(*row, k)] = elements[k]


@sm.kernel
def copy_tiles(target: Any, source: Any, width: Any) -> None:
    """As :func:`copy`, where neighbours in the source lie along the last axis but one.

    A threadgroup of ``32 * TILE_ROWS`` threads takes a square tile of ``32 * width`` elements: it
    reads them along the one axis, and writes them along the other, a thread ``width`` side by side,
    of which both axes are multiples. In threadgroup memory rows begin in banks of their own.
    """
    side = 32 * width
    tile = sm.threadgroup_array((side, side + 1), target.dtype)
    high, wide = target.shape[-2:]
    across, down = (wide + side - 1) // side, (high + side - 1) // side
    group = sm.threadgroup_position_in_grid().x
    left, top = group % across * side, group // across % down * side
    outer = target.shape[:-2]
    place = unravel(group // across // down, outer) if len(outer) > 0 else ()
    thread = sm.thread_index_in_threadgroup()
    first, own = thread % 32 * width, thread // 32
    for turn in sm.static_range(0, side, TILE_ROWS):
        column = left + turn + own
        if column < wide and top + first < high:
            for k in sm.static_range(width):
                element = source[(*place, top + first + k, column)]
                tile[turn + own, first + k] = convert(element, source.dtype, target.dtype)
    sm.threadgroup_barrier()
    for turn in sm.static_range(0, side, TILE_ROWS):
        row = top + turn + own
        if row < high and left + first < wide:
            for k in sm.static_range(width):
                target[(*place, row, left + first + k)] = tile[first + k, turn + own]


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
