"""Writing elements at places that arrays of integers tell; see :mod:`.gather` for the positions.
One that is as large as its axis is none: nothing is written for it.

Where several values have one place, their threads run in any order: so the last one is found first,
or they are joined by atomic operations.
"""

from __future__ import annotations

import math
from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.copy import convert, own_index
from speedmetal.arrays.kernels.gather import chosen_place, counted_from_start, is_on, told_place

LANES = 16
"""Threads of a threadgroup that takes rows: a vector of 64 bytes of float32."""


@sm.kernel
def note_last(last: Any, positions: Any) -> None:
    """For each chosen place, where among the positions it comes last.

    Args:
        last: int32, an axis for each array of positions; -1 in each element.
        positions: One array or several of one shape.
    """
    place = own_index(positions[0])
    chosen = chosen_place(place, positions, last.shape, 0)
    if is_on(chosen, last.shape, 0):
        sm.atomic_max(last, chosen, sm.int32(number_of(place, positions[0].shape)))


@sm.kernel
def write_last(target: Any, values: Any, last: Any, positions: Any, lead: Any) -> None:
    """Write values to chosen places, of several for one place the last."""
    place = own_index(values)
    ndim = positions[0].ndim
    within = place[lead : lead + ndim]
    chosen = chosen_place(within, positions, last.shape, 0)
    if is_on(chosen, last.shape, 0) and last[chosen] == number_of(within, positions[0].shape):
        where = (*place[:lead], *chosen, *place[lead + ndim :])
        target[where] = convert(values[place], values.dtype, target.dtype)


@sm.kernel
def fill_where(target: Any, mask: Any, value: Any) -> None:
    """Write one value, of the target's dtype, to the elements where the mask is True."""
    place = own_index(target)
    if mask[place]:
        target[place] = value


@sm.kernel
def accumulate_in_order(
    target: Any, values: Any, positions: Any, outside: Any, operation: Any
) -> None:
    """Join values to the target's elements, one after the other as they come.

    Each thread has an element of the axes that are not chosen, and goes over all positions, so that
    the result is the same every time.

    Args:
        target: (before, extent, after).
        values: (before, count, after).
        positions: (count,).
        outside: (1,) int32: becomes 1 where a position is outside; then nothing is written. None:
            that was checked.
        operation: Of an element and a value.
    """
    after, before = own_column()
    if outside is None or are_inside(positions, target.shape[1]):
        for number in range(positions.shape[0]):
            row = counted_from_start(positions[number], target.shape[1])
            target[before, row, after] = operation(
                target[before, row, after], values[before, number, after]
            )
    else:
        sm.atomic_store(outside, 0, 1)


def are_inside(positions: Any, extent: Any) -> Any:
    """Whether all positions are on an axis."""
    inside = True
    for number in range(positions.shape[0]):
        position = positions[number]
        inside = inside & (position < extent) & (position >= -extent)
    return inside


@sm.kernel
def accumulate_rows_in_parts(parts: Any, values: Any, positions: Any, operation: Any) -> None:
    """Join rows of values to rows of a table for each part of the positions.

    A threadgroup of ``LANES`` threads takes a part: its rows lie one after the other, and each
    thread joins elements of columns of its own. Small tables stay in the caches of a processor.

    Args:
        parts: (parts, extent, after).
        values: (count, after).
        positions: (count,).
        operation: Of an element and a value.
    """
    part = sm.threadgroup_position_in_grid().x
    lane = sm.thread_index_in_threadgroup()
    length = sm.cdiv(positions.shape[0], parts.shape[0])
    first = part * length
    for number in range(first, min(first + length, positions.shape[0])):
        row = counted_from_start(positions[number], parts.shape[1])
        for column in range(lane, parts.shape[2], LANES):
            parts[part, row, column] = operation(parts[part, row, column], values[number, column])


@sm.kernel
def join_parts(target: Any, parts: Any, operation: Any) -> None:
    """Join the tables of all parts to the target, in their order.

    Args:
        target: (extent, after), as the grid is.
        parts: (parts, extent, after).
        operation: Of an element and a value.
    """
    row, column = own_index(target)
    total = target[row, column]
    for part in range(parts.shape[0]):
        total = operation(total, parts[part, row, column])
    target[row, column] = total


@sm.kernel
def note_last_in_parts(last: Any, positions: Any) -> None:
    """For each row, which of a part of the positions is the last that chooses it.

    Args:
        last: (parts, extent) int32, -1 in each element.
        positions: (count,); a threadgroup of one thread takes a part.
    """
    part = sm.threadgroup_position_in_grid().x
    length = sm.cdiv(positions.shape[0], last.shape[0])
    first = part * length
    for number in range(first, min(first + length, positions.shape[0])):
        last[part, counted_from_start(positions[number], last.shape[1])] = sm.int32(number)


@sm.kernel
def write_last_of_parts(target: Any, values: Any, last: Any) -> None:
    """Write to each row that was chosen the last of its rows of values.

    Args:
        target: (extent, after), as the grid is.
        values: (count, after), of any dtype.
        last: (parts, extent), see :func:`note_last_in_parts`.
    """
    row, column = own_index(target)
    number = last[0, row]
    for part in range(1, last.shape[0]):
        number = max(number, last[part, row])
    if number >= 0:
        target[row, column] = convert(values[number, column], values.dtype, target.dtype)


@sm.kernel
def accumulate_parts(parts: Any, values: Any, positions: Any, operation: Any) -> None:
    """As :func:`accumulate_in_order` with one column, each part of the positions in its own row.

    Args:
        parts: (parts, extent).
        values: (count,).
        positions: (count,).
        operation: Of an element and a value.
    """
    part = sm.thread_position_in_grid().x
    length = sm.cdiv(positions.shape[0], parts.shape[0])
    first = part * length
    for number in range(first, min(first + length, positions.shape[0])):
        row = counted_from_start(positions[number], parts.shape[1])
        parts[part, row] = operation(parts[part, row], values[number])


@sm.kernel
def accumulate_atomically(
    target: Any, values: Any, positions: Any, lead: Any, operation: Any
) -> None:
    """Join values to chosen elements, in any order."""
    place = own_index(values)
    where = chosen_place(place, positions, target.shape, lead)
    if is_on(where[lead : lead + len(positions)], target.shape, lead):
        operation(target, where, values[place])


@sm.kernel
def accumulate_told(
    target: Any, values: Any, positions: Any, words: Any, least: int, word: int, operation: Any
) -> None:
    """Join rows of values to rows of the target, in any order, but for those outside of it.

    Args:
        target: (extent, after) or (extent,).
        values: (count, after) or (count,).
        positions: (count,), some perhaps outside.
        words: See :func:`speedmetal.arrays.kernels.gather.place_on_axis`, as for what follows.
        least: The least position that is not outside.
        word: Where a position outside is told.
        operation: Of the target, an index in it, and a value.
    """
    place = own_index(values)
    row = told_place(positions[place[0]], words, least, target.shape[0], word)
    if row >= 0:
        operation(target, (row, *place[1:]), values[place])


@sm.kernel
def write_told(
    target: Any, source: Any, values: Any, positions: Any, words: Any, least: int, word: int
) -> None:
    """Copy an array with the last of several values in each row that positions choose.

    Each thread looks at all positions: they are few.

    Args:
        target: (extent, after) or (extent,).
        source: The same.
        values: (count, after) or (count,).
        positions: (count,), some perhaps outside.
        words: See :func:`accumulate_told`, as for what follows.
        least: The least position that is not outside.
        word: Where a position outside is told.
    """
    place = own_index(target)
    last = -1
    for number in range(positions.shape[0]):
        row = told_place(positions[number], words, least, target.shape[0], word)
        if row == place[0]:
            last = number
    target[place] = values[(last, *place[1:])] if last >= 0 else source[place]


def own_column() -> Any:
    """The indices of this thread behind and before the chosen axis."""
    x, y, _ = sm.thread_position_in_grid()
    return x, y


def number_of(place: Any, shape: Any) -> Any:
    """Where an element comes in C order."""
    return sum(tuple(place[axis] * math.prod(shape[axis + 1 :]) for axis in range(len(shape))))


# --- What joins an element and a value -----------------------------------------------------------


def add(element: Any, value: Any) -> Any:
    """Their sum."""
    return element + value


def subtract(element: Any, value: Any) -> Any:
    """Their difference."""
    return element - value


def multiply(element: Any, value: Any) -> Any:
    """Their product."""
    return element * value


def divide(element: Any, value: Any) -> Any:
    """Their quotient."""
    return element / value


def minimum(element: Any, value: Any) -> Any:
    """The smaller one; NaN if one is."""
    return min(element, value)


def maximum(element: Any, value: Any) -> Any:
    """The greater one; NaN if one is."""
    return max(element, value)


def replaced(_element: Any, value: Any) -> Any:
    """The value."""
    return value


def add_atomically(target: Any, where: Any, value: Any) -> None:
    """Add to an element."""
    sm.atomic_add(target, where, value)


def subtract_atomically(target: Any, where: Any, value: Any) -> None:
    """Subtract from an element."""
    sm.atomic_sub(target, where, value)


def multiply_atomically(target: Any, where: Any, value: Any) -> None:
    """Multiply an element."""
    sm.atomic_update(target, where, multiply, value)


def divide_atomically(target: Any, where: Any, value: Any) -> None:
    """Divide an element."""
    sm.atomic_update(target, where, divide, value)


def minimum_atomically(target: Any, where: Any, value: Any) -> None:
    """Make an element the smaller of itself and the value."""
    sm.atomic_update(target, where, minimum, value)


def maximum_atomically(target: Any, where: Any, value: Any) -> None:
    """Make an element the greater of itself and the value."""
    sm.atomic_update(target, where, maximum, value)


ACCUMULATE = {
    "add": (add, add_atomically),
    "subtract": (subtract, subtract_atomically),
    "multiply": (multiply, multiply_atomically),
    "divide": (divide, divide_atomically),
    "minimum": (minimum, minimum_atomically),
    "maximum": (maximum, maximum_atomically),
}
"""By the operation's name: what joins an element and a value, and what does so atomically."""

IN_ORDER = {"set": replaced, **{name: join for name, (join, _) in ACCUMULATE.items()}}
"""What joins an element and a value where they come one after the other."""
