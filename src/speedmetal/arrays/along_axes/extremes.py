"""Plans of launches that find the places of extremes along an axis."""

from __future__ import annotations

import math
from typing import Any

from speedmetal.arrays.along_axes.passes import groups_of_rows
from speedmetal.arrays.along_axes.sorted_axes import (
    NOW,
    chosen,
    in_order,
    known,
    layouts_of_leaves,
    placed,
    result_layout,
    vectors_of_columns,
    with_now_in_place,
    work_of,
)
from speedmetal.arrays.along_axes.teams import (
    ONE_SIMDGROUP,
    parts_of_column,
    parts_of_row,
    team_of_rows,
    teams_of_rows,
    threads_of,
    width_for,
)
from speedmetal.arrays.deferred.following import (
    Follower,
    count_values,
    followed,
    result_layouts,
    totals_layouts,
)
from speedmetal.arrays.deferred.planned import planned
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.shapes import Shape
from speedmetal.backends.device import BoundLaunch
from speedmetal.common.records import record
from speedmetal.dtypes import DEFAULT_INDEX, DEFAULT_INT

PART = 16384
"""Elements of a part of a row or column; those of more than two have parts, for all cores."""
FEW_COLUMNS = 4096
"""Columns of more elements than :data:`SHORT_PART` have parts only where there are no more."""
SHORT_PART = 256


@record(eq=False)
class _Plan:
    """The launches.

    Args:
        parts_bytes: Of the places that the first one stores for the second; 0: there is one.
        runs: One for each launch, and the last of its values.
        offset: Of the result's first element that is stored, in bytes.
        moves: As in :func:`placed`.
    """

    parts_bytes: int
    runs: tuple[tuple[BoundLaunch, tuple[Any, ...]], ...]
    offset: int
    moves: tuple[tuple[int, int], ...]


_plans: Kept[_Plan] = Kept(1024)


def places_of_extremes(
    source: Any, order: str, axis: int, shape: Shape, follower: Follower | None = None
) -> Any:
    """The places along an axis as a new array of int64.

    Args:
        source: An array whose leaves are in memory, of integers or floats, one or more.
        order: A name of :mod:`speedmetal.arrays.kernels.extremes`.
        axis: Counted from 0.
        shape: Of the result.
        follower: What is computed of that, and stored in its place.
    """
    plan, values = planned(
        _plans,
        (order, axis, shape),
        source,
        lambda: _plan_for(source, order, axis, shape, follower),
        follower,
    )
    device = source.layout.device
    elements, layout, size_bytes = result_layouts(follower, shape, DEFAULT_INDEX, device)
    result = device.allocate(size_bytes)
    values[1] = result.address + plan.offset if plan.offset else result.address
    run, numbers = plan.runs[-1]
    if plan.parts_bytes:
        parts = device.allocate(plan.parts_bytes)
        first, first_numbers = plan.runs[0]
        first([0, parts.address, *values[2 + count_values(follower) :], *first_numbers])
        values.append(parts.address)
    run([*values, *numbers])
    return type(source)(result, elements, layout)


def _plan_for(source: Any, order: str, axis: int, shape: Shape, follower: Follower | None) -> _Plan:
    from speedmetal.arrays.kernels import extremes, reduce  # with their first use, as of copies

    elements, device, cls = source.elements, source.layout.device, type(source)
    is_reduced = [place == axis for place in range(elements.ndim)]
    target, _, _ = result_layouts(follower, shape, DEFAULT_INDEX, device)
    followers = totals_layouts(follower, elements.shape, is_reduced)
    layouts = (
        elements,
        result_layout(elements, is_reduced, target.dtype),
        *followers,
        *layouts_of_leaves(source),
    )
    axes, are_rows = chosen(in_order(layouts, is_reduced, turns_reduced=False))
    axes = with_now_in_place(axes.merged(), are_rows=are_rows)
    first = 2 + len(followers)
    argument, moves = placed(source, axes.layouts[first:], 2 + count_values(follower))
    extents = axes.layouts[0].shape
    at = axes.roles.index(NOW)
    length, columns = extents[at], 0 if are_rows else extents[-1]
    rows = math.prod(extents[:at])
    is_on_cpu = device.kind == "cpu"
    if is_on_cpu:
        parts, part = _parts(length, rows * columns)
    elif are_rows:
        parts, part = parts_of_row(rows, length)
    else:
        parts, part = parts_of_column(rows * columns, length)
    kept, *others = (
        Layout(x.dtype, (*x.shape[:at], 1, *x.shape[at + 1 :]), x.strides, x.offset)
        for x in axes.layouts[1:first]
    )
    array = cls.allocate(shape, target.dtype, device).with_elements(kept)
    result, more = followed(follower, array, others)

    work = work_of(source)
    width = 1 if is_on_cpu or axes.roles.count(NOW) > 1 else width_for(axes.layouts[first:])

    def prepare(target: Any, candidates: Any, count: int, size: int) -> Any:
        common = (target, argument, candidates, getattr(extremes, order), known(at))
        if are_rows:
            wide = 1 if candidates is not None else width
            of_row = -(-count // size)
            team = ONE_SIMDGROUP if is_on_cpu else team_of_rows(rows * of_row, size, wide)
            groups, each = (groups_of_rows if is_on_cpu else teams_of_rows)(rows, size)
            sizes: dict[str, Any] = {"groups": -(-groups * of_row // team.together)}
            sizes |= {"threads": threads_of(team), "work": work}
            numbers = (each, of_row, size)
            plan = extremes.places_in_rows.prepare(*common, team.known(), *numbers, **sizes)
            return plan.run, numbers
        grid = (columns, -(-count // size), rows)
        vectors = vectors_of_columns(source, columns) if is_on_cpu else 0
        if vectors:
            threads = reduce.COLUMNS
            plan = extremes.places_in_whole_rows_of_columns.prepare(
                *(*common, known(vectors), size),
                groups=(columns // (threads * vectors), *grid[1:]),
                threads=threads,
                work=work,
            )
            return plan.run, (size,)
        return extremes.places_in_columns.prepare(*common, size, grid=grid, work=work).run, (size,)

    if parts == 1:
        return _Plan(0, (prepare(result, None, length, length),), kept.offset, moves + more)
    between = cls.allocate((*extents[:at], parts, *extents[at + 1 :]), DEFAULT_INT, device)
    runs = (prepare(between, None, length, part), prepare(result, between, parts, parts))
    return _Plan(between.elements.nbytes, runs, kept.offset, moves + more)


def _parts(length: int, columns: int) -> tuple[int, int]:
    """How many parts a row has, or each of so many columns, and their length."""
    size = SHORT_PART if 0 < columns < FEW_COLUMNS else PART
    parts = 1 if length <= 2 * size else -(-length // size)
    part = -(-length // parts)
    return -(-length // part), part
