"""Reductions of one axis: along memory, across it, and of rows so short that a thread takes one.

A kernel gets what it reduces as an array whose first axes, ``axes`` of them, are those that stay;
those that are reduced follow, which count as one whose elements are numbered in C order. (They are
several only where strides do not let them be one.) What a kernel stores are parts, each of so many
consecutive elements; where there are several, another launch reduces them.

The order of all operations depends on sizes and on the team alone, not on what is fused.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import speedmetal as sm
from speedmetal.arrays.kernels.copy import convert, unravel
from speedmetal.arrays.kernels.strips import column_of, own_strip
from speedmetal.arrays.kernels.teams import (
    across_team,
    first_of,
    in_vectors,
    own_first,
    own_part,
    room,
    step_of,
)

COLUMNS = 16
"""Threads of a threadgroup that takes whole rows of columns: a vector of 64 bytes of float32."""


class Reduction(NamedTuple):
    """What a reduction does, as functions of the kernel language.

    Args:
        start: ``(dtype)``: what to begin with: combined with an element it is that element. No
            element is read for it: each place in a kernel that reads one has the code of a whole
            expression.
        combine: ``(total, element)``; associative, but for rounding.
        across: The results of a simdgroup's threads as one, for each of them.
    """

    start: Any
    combine: Any
    across: Any


def _zero(dtype: Any) -> Any:
    if dtype.is_float:
        return dtype(-0.0)  # to which even -0.0 can be added without a change
    return dtype(0)


def _one(dtype: Any) -> Any:
    return dtype(1)


def lowest(dtype: Any) -> Any:
    """What no number is less than."""
    return dtype(-math.inf) if dtype.is_float else dtype(dtype.minimum)


def highest(dtype: Any) -> Any:
    """What no number is greater than."""
    return dtype(math.inf) if dtype.is_float else dtype(dtype.maximum)


def _no_number(dtype: Any) -> Any:
    return dtype(math.nan)


def _add(total: Any, element: Any) -> Any:
    return total + element


def _multiply(total: Any, element: Any) -> Any:
    return total * element


def _least(total: Any, element: Any) -> Any:
    return min(total, element)


def _greatest(total: Any, element: Any) -> Any:
    return max(total, element)


def _product_across(value: Any) -> Any:
    for step in sm.static_range(5):
        value = value * sm.simd_shuffle_xor(value, 1 << step)
    return value


def _least_number(total: Any, element: Any) -> Any:
    return sm.fmin(total, element)


def _greatest_number(total: Any, element: Any) -> Any:
    return sm.fmax(total, element)


def _least_number_across(value: Any) -> Any:
    for step in sm.static_range(5):
        value = sm.fmin(value, sm.simd_shuffle_xor(value, 1 << step))
    return value


def _greatest_number_across(value: Any) -> Any:
    for step in sm.static_range(5):
        value = sm.fmax(value, sm.simd_shuffle_xor(value, 1 << step))
    return value


SUM = Reduction(_zero, _add, sm.simd_sum)
PRODUCT = Reduction(_one, _multiply, _product_across)
LEAST = Reduction(highest, _least, sm.simd_min)
GREATEST = Reduction(lowest, _greatest, sm.simd_max)
LEAST_NUMBER = Reduction(_no_number, _least_number, _least_number_across)  # NaN is none
GREATEST_NUMBER = Reduction(_no_number, _greatest_number, _greatest_number_across)


# --- What is done with the result ----------------------------------------------------------------


def as_it_is(total: Any, _count: Any) -> Any:
    """The result itself."""
    return total


def divided(total: Any, count: Any) -> Any:
    """The mean of so many."""
    return total / count


def root_of_mean(total: Any, count: Any) -> Any:
    """The root of the mean of so many."""
    return math.sqrt(total / count)


# --- Kernels -------------------------------------------------------------------------------------


@sm.kernel
def reduce_rows(
    target: Any,
    source: Any,
    reduction: Any,
    finish: Any,
    axes: sm.static[int],
    team: Any,
    vectors: sm.static[int],
    count: float,
    rows: int,
    parts: int,
    length: int,
) -> None:
    """target[row, part]: a team takes a part of a row, of several rows one after the other.

    There is a team for each of the ``parts``, of ``length``, of so many ``rows``. Each thread has
    as many ``vectors`` running at once, which hides the time that an addition takes.
    """
    lane, number, part = own_part(team, parts)
    outer = source.shape[:axes]
    begin = part * in_vectors(length, team)
    end = min(begin + length, math.prod(source.shape[axes:]))
    shared = room(team, source.dtype)
    for row in range(number * rows, min(number * rows + rows, math.prod(outer))):
        place = unravel(row, outer)
        total = over_row(source, place, reduction, team, vectors, begin, end, lane)
        total = across_team(total, reduction.across, reduction.start(source.dtype), team, shared)
        if lane == 0:
            result = convert(finish(total, count), source.dtype, target.dtype)
            target[(*place, part)] = result


def over_row(
    source: Any,
    place: Any,
    reduction: Any,
    team: Any,
    vectors: Any,
    begin: Any,
    end: Any,
    lane: Any,
) -> Any:
    """A thread's elements from one to another of a row, reduced."""
    inner = source.shape[len(place) :]
    step = step_of(team) * vectors
    start = reduction.start(source.dtype)
    totals = sm.thread_array(vectors * team.width, source.dtype)
    for k in sm.static_range(vectors * team.width):
        totals[k] = start
    whole = begin + (end - begin) // step * step
    for at in range(begin, whole, step):
        for v in sm.static_range(vectors):
            for k in sm.static_range(team.width):
                own = v * team.width + k
                element = source[(*place, *unravel(at + first_of(team, v, lane) + k, inner))]
                totals[own] = reduction.combine(totals[own], element)
    # The rest goes to the first totals: once in the text, and seldom more than once in a row.
    for at in range(whole, end, step_of(team)):
        if team.width == 1:
            element = element_or(start, source, place, at + lane, end)
            totals[0] = reduction.combine(totals[0], element)
        elif at + own_first(team, lane) < end:
            for k in sm.static_range(team.width):
                element = source[(*place, *unravel(at + own_first(team, lane) + k, inner))]
                totals[k] = reduction.combine(totals[k], element)
    total = totals[0]
    for k in sm.static_range(1, vectors * team.width):
        total = reduction.combine(total, totals[k])
    return total


def element_or(start: Any, source: Any, place: Any, at: Any, end: Any) -> Any:
    """An element of a row; beyond its end what a total begins with.

    It is a function of its own so that each position has a name of its own: the CPU's code
    generator knows of such a name that neighbours' positions are next to each other.
    """
    inner = source.shape[len(place) :]
    return source[(*place, *unravel(at, inner))] if at < end else start


@sm.kernel
def reduce_columns(
    target: Any,
    source: Any,
    reduction: Any,
    finish: Any,
    axes: sm.static[int],
    turns: Any,
    width: Any,
    count: float,
    length: int,
) -> None:
    """target[row, part, column]: a thread for as many columns side by side as ``width`` says.

    The source has one more axis than is said above, the last one: the columns. The grid is the
    target, the columns along x. Elements of so many rows as there are ``turns`` are on their way
    to a thread at once; that does not change the order of operations.
    """
    column, part, row = sm.thread_position_in_grid()
    first = column if width == 1 else column * width
    place = unravel(row, source.shape[:axes])
    begin = part * length
    end = min(begin + length, math.prod(source.shape[axes:-1]))
    totals = sm.thread_array(width, source.dtype)
    for k in sm.static_range(width):
        totals[k] = reduction.start(source.dtype)
    whole = begin + (end - begin) // turns * turns if turns > 1 else end
    for at in range(begin, whole, turns):
        add_rows(totals, source, place, at, turns, first, reduction.combine)
    if turns > 1:
        for at in range(whole, end):
            add_rows(totals, source, place, at, 1, first, reduction.combine)
    for k in sm.static_range(width):
        result = convert(finish(totals[k], count), source.dtype, target.dtype)
        target[(*place, part, first + k)] = result


def add_rows(
    totals: Any, source: Any, place: Any, at: Any, turns: Any, first: Any, combine: Any
) -> None:
    """Combine elements of so many rows with the totals of columns, one row after the other."""
    width = totals.shape[0]
    reduced = source.shape[len(place) : -1]
    elements = sm.thread_array(turns * width, source.dtype)
    for turn in sm.static_range(turns):
        row = (*place, *unravel(at + turn, reduced))
        for k in sm.static_range(width):
            elements[turn * width + k] = source[(*row, first + k)]
    for turn in sm.static_range(turns):
        for k in sm.static_range(width):
            totals[k] = combine(totals[k], elements[turn * width + k])


@sm.kernel
def reduce_strips(
    target: Any,
    source: Any,
    reduction: Any,
    finish: Any,
    axes: sm.static[int],
    strip: Any,
    count: float,
    parts: int,
    length: int,
) -> None:
    """As :func:`reduce_columns`: a threadgroup takes a strip of columns, or a part of one.

    ``strip`` is a :class:`speedmetal.arrays.kernels.strips.Strip`. In which order elements are
    combined depends on the threads below each other, on their rows and on the parts alone.
    """
    columns = source.shape[-1]
    lane, down, vector, part, row = own_strip(strip, columns, parts)
    first = column_of(vector, columns, strip)
    place = unravel(row, source.shape[:axes])
    begin = part * length
    end = min(begin + length, math.prod(source.shape[axes:-1]))
    totals = sm.thread_array(strip.width, source.dtype)
    for j in sm.static_range(strip.width):
        totals[j] = reduction.start(source.dtype)
    step = strip.down * strip.rows
    whole = begin + (end - begin) // step * step
    for at in range(begin + down * strip.rows, whole, step):
        add_rows(totals, source, place, at, strip.rows, first, reduction.combine)
    for at in range(whole + down, end, strip.down):
        add_rows(totals, source, place, at, 1, first, reduction.combine)
    shared = sm.threadgroup_array((strip.down, strip.across * strip.width), source.dtype)
    for j in sm.static_range(strip.width):
        shared[down, lane * strip.width + j] = totals[j]
    sm.threadgroup_barrier()
    if down == 0 and vector * strip.width < columns:
        for j in sm.static_range(strip.width):
            for k in sm.static_range(1, strip.down):
                totals[j] = reduction.combine(totals[j], shared[k, lane * strip.width + j])
            result = convert(finish(totals[j], count), source.dtype, target.dtype)
            target[(*place, part, first + j)] = result


@sm.kernel
def reduce_whole_rows_of_columns(
    target: Any,
    source: Any,
    reduction: Any,
    finish: Any,
    axes: sm.static[int],
    vectors: Any,
    count: float,
    length: int,
) -> None:
    """As :func:`reduce_columns`, with the same order: each thread has as many ``vectors`` columns.

    Threadgroups have ``COLUMNS`` threads, and take ``COLUMNS * vectors`` columns along x, parts
    along y, rows along z. So few columns are read as they lie, from one row on to the next.
    """
    lane = sm.thread_index_in_threadgroup()
    group = sm.threadgroup_position_in_grid()
    first = group.x * (COLUMNS * vectors) + lane
    place = unravel(group.z, source.shape[:axes])
    reduced = source.shape[axes:-1]
    begin = group.y * length
    end = min(begin + length, math.prod(reduced))
    start = reduction.start(source.dtype)
    totals = sm.thread_array(vectors, source.dtype)
    for v in sm.static_range(vectors):
        totals[v] = start
    for at in range(begin, end):
        row = (*place, *unravel(at, reduced))
        for v in sm.static_range(vectors):
            totals[v] = reduction.combine(totals[v], source[(*row, first + COLUMNS * v)])
    for v in sm.static_range(vectors):
        result = convert(finish(totals[v], count), source.dtype, target.dtype)
        target[(*place, group.y, first + COLUMNS * v)] = result


@sm.kernel
def reduce_short_rows(
    target: Any,
    source: Any,
    reduction: Any,
    finish: Any,
    axes: sm.static[int],
    length: sm.static[int],
    count: float,
) -> None:
    """target[row, 0]: a thread takes a row of ``length`` elements."""
    place = unravel(sm.thread_position_in_grid().x, source.shape[:axes])
    reduced = source.shape[axes:]
    total = reduction.start(source.dtype)
    for at in sm.static_range(length):
        total = reduction.combine(total, source[(*place, *unravel(at, reduced))])
    target[(*place, 0)] = convert(finish(total, count), source.dtype, target.dtype)


@sm.kernel
def reduce_folded(
    target: Any,
    source: Any,
    reduction: Any,
    axes: sm.static[int],
    columns: int,
    width: int,
    length: int,
) -> None:
    """target[row, part, k * columns + column]: a thread for each, ``width`` of them beside another.

    Where columns are few, several rows of them, which lie one after the other, are taken for one
    row of ``width`` elements. Those of the last rows that fill none are of the last part.
    """
    place_in_row, part, row = sm.thread_position_in_grid()
    place = unravel(row, source.shape[:axes])
    size = math.prod(source.shape[axes:])
    whole = size // width
    begin = part * length
    end = min(begin + length, whole)
    total = reduction.start(source.dtype)
    for at in range(begin, end):
        total = reduction.combine(total, folded(source, place, at, place_in_row, columns, width))
    if end == whole and whole * width + place_in_row < size:
        total = reduction.combine(total, folded(source, place, whole, place_in_row, columns, width))
    target[(*place, part, place_in_row)] = total


def folded(source: Any, place: Any, at: Any, place_in_row: Any, columns: Any, width: Any) -> Any:
    """An element of the folded row with this number."""
    if source.ndim == len(place) + 1:
        return source[(*place, at * width + place_in_row)]
    row = at * (width // columns) + place_in_row // columns
    rows = source.shape[len(place) : -1]
    return source[(*place, *unravel(row, rows), place_in_row % columns)]
