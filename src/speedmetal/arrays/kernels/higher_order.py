"""Functions of the user's over arrays: elementwise, folded, and of neighbourhoods.

What such a function gives is a number, a tuple or a record; ``targets`` are the arrays for it, in
the same form. Inside, it is a row of numbers, each in the dtype of its array.
"""

from __future__ import annotations

import math
from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.copy import own_index, unravel
from speedmetal.frontend.forms import flatten, is_within, rebuild

# --- Whose results have types that must be known before there are arrays for them ----------------


def applied(function: Any, arguments: Any) -> Any:
    """What a function gives for elements."""
    return function(*arguments)


def combined_alike(op: Any, value: Any) -> Any:
    """What an operation gives for two values of one type."""
    return op(value, value)


def applied_to_neighbours(function: Any, element: Any, radius: Any) -> Any:
    """What a function gives that asks for elements around one."""

    def at(*offsets: Any) -> Any:
        if is_within(offsets, radius):
            return element
        return element

    return function(at)


# --- Of predicates -------------------------------------------------------------------------------


def holds(predicate: Any, element: Any) -> Any:
    """Whether a predicate is true of an element."""
    return bool(predicate(element))


def counted(predicate: Any, element: Any) -> Any:
    """1 where a predicate is true of an element, else 0."""
    return 1 if predicate(element) else 0


# --- Numbers in rows -----------------------------------------------------------------------------


def typed(like: Any, numbers: Any) -> Any:
    """Numbers in the dtypes of arrays."""
    arrays = flatten(like)
    return tuple(arrays[place].dtype(numbers[place]) for place in range(len(arrays)))


def combined(op: Any, like: Any, left: Any, right: Any) -> Any:
    """The row of what an operation gives for two rows."""
    return typed(like, flatten(op(rebuild(like, left), rebuild(like, right))))


def load(arrays: Any, index: Any) -> Any:
    """The row of the elements of arrays at one index."""
    return tuple(array[index] for array in flatten(arrays))


def store(targets: Any, index: Any, row: Any) -> None:
    """Write a row to arrays."""
    arrays = flatten(targets)
    for place in sm.static_range(len(arrays)):
        arrays[place][index] = row[place]


def value_at(targets: Any, function: Any, sources: Any, is_number: Any, index: Any) -> Any:
    """The row of what a function gives for the elements of arrays; None: the elements themselves.

    Numbers among the sources are the same for all.
    """
    if function is None:
        return typed(targets, load(sources, index))
    given = tuple(
        sources[place] if is_number[place] else sources[place][index]
        for place in range(len(sources))
    )
    return typed(targets, flatten(function(*given)))


# --- Kernels -------------------------------------------------------------------------------------


@sm.kernel
def map_elements(targets: Any, function: Any, sources: Any, is_number: Any) -> None:
    """targets[index] = function(sources[index]...); the grid are the elements."""
    index = own_index(flatten(targets)[0])
    store(targets, index, value_at(targets, function, sources, is_number, index))


@sm.kernel
def fold_parts(
    targets: Any,
    function: Any,
    op: Any,
    init: Any,
    sources: Any,
    is_number: Any,
    shape: Any,
    axes: sm.static[int],
    length: int,
) -> None:
    """targets[row, part]: so many consecutive elements of a row, combined from first to last.

    A thread takes a part; those of all rows come before the next parts.

    Args:
        targets: Have the first ``axes`` axes of the sources, and one for the parts.
        function: Gives what is combined; None: the elements are.
        op: Combines two values.
        init: What comes before the first element; None: nothing does.
        sources: Arrays of one shape, and numbers.
        is_number: Which of them are numbers.
        shape: Of the arrays.
        axes: How many axes stay.
        length: Of a part.
    """
    outer, inner = shape[:axes], shape[axes:]
    thread = sm.thread_position_in_grid().x
    rows = math.prod(outer)
    row, part = thread % rows, thread // rows
    place = unravel(row, outer)
    begin = part * length
    end = min(begin + length, math.prod(inner))
    index = (*place, *unravel(begin, inner))
    total = value_at(targets, function, sources, is_number, index)
    if init is not None and part == 0:
        total = combined(op, targets, flatten(init), total)
    for at in range(begin + 1, end):
        index = (*place, *unravel(at, inner))
        element = value_at(targets, function, sources, is_number, index)
        total = combined(op, targets, total, element)
    store(targets, (*place, part), total)


@sm.kernel
def accumulate_parts(
    targets: Any, op: Any, sources: Any, before: Any, axes: sm.static[int], length: int
) -> None:
    """targets[row, at]: the elements of a row up to this one, combined from first to last.

    A thread takes a part of a row. ``before[row, part]`` is what all up to the end of a part give;
    None: rows have one part.
    """
    shape = flatten(targets)[0].shape
    outer = shape[:axes]
    thread = sm.thread_position_in_grid().x
    rows = math.prod(outer)
    row, part = thread % rows, thread // rows
    place = unravel(row, outer)
    begin = part * length
    end = min(begin + length, shape[axes])
    total = typed(targets, load(sources, (*place, begin)))
    if before is not None and part > 0:
        total = combined(op, targets, load(before, (*place, part - 1)), total)
    store(targets, (*place, begin), total)
    for at in range(begin + 1, end):
        total = combined(op, targets, total, typed(targets, load(sources, (*place, at))))
        store(targets, (*place, at), total)


@sm.kernel
def map_neighbourhoods(
    targets: Any,
    function: Any,
    sources: Any,
    boundary: Any,
    values: Any,
    radius: Any,
    first: Any,
    is_inner: sm.static[bool],
) -> None:
    """targets[index] = function(at), where ``at(offset, ...)`` are the sources around the element.

    Args:
        targets: A box of the results.
        function: The user's.
        sources: An array, or a tuple or record of arrays of one shape.
        boundary: ``(sources, index, values)``: the row of elements at an index that may be outside.
        values: What is outside, where that is a constant: a row.
        radius: The greatest offset along each axis.
        first: The index of the box's first element.
        is_inner: Whether no constant offset leads outside.
    """
    own = own_index(flatten(targets)[0])
    here = tuple(own[axis] + first[axis] for axis in range(len(first)))

    def at(*offsets: Any) -> Any:
        is_known = is_within(offsets, radius)
        index = tuple(here[axis] + offsets[axis] for axis in range(len(here)))
        if is_known and is_inner:
            return rebuild(sources, load(sources, index))
        return rebuild(sources, boundary(sources, index, values))

    store(targets, own, typed(targets, flatten(function(at))))


# --- What is outside of an array -----------------------------------------------------------------


def outside_constant(sources: Any, index: Any, values: Any) -> Any:
    """A constant."""
    shape = flatten(sources)[0].shape
    is_inside = all((index[axis] >= 0) & (index[axis] < shape[axis]) for axis in range(len(index)))
    row = outside_edge(sources, index, values)
    return tuple(sm.select(is_inside, row[place], values[place]) for place in range(len(values)))


def outside_edge(sources: Any, index: Any, _values: Any) -> Any:
    """The nearest element."""
    shape = flatten(sources)[0].shape
    return load(
        sources,
        tuple(min(max(index[axis], 0), shape[axis] - 1) for axis in range(len(index))),
    )


def outside_wrap(sources: Any, index: Any, _values: Any) -> Any:
    """The array again."""
    shape = flatten(sources)[0].shape
    return load(sources, tuple(index[axis] % shape[axis] for axis in range(len(index))))


def outside_reflect(sources: Any, index: Any, _values: Any) -> Any:
    """The array backwards, from the element beside the edge on."""
    shape = flatten(sources)[0].shape
    return load(sources, tuple(reflected(index[axis], shape[axis]) for axis in range(len(index))))


def reflected(position: Any, extent: Any) -> Any:
    """A position back inside."""
    period = max(2 * extent - 2, 1)
    turned = position % period
    return min(turned, period - turned)
