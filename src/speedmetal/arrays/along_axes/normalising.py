"""Plans of launches of what normalises rows or columns: softmax, and others as it.

The kernels of one way to do so are a module with ``short_rows``, ``kept_rows``, ``read_rows`` and
``columns``, whose arguments are those of :mod:`speedmetal.arrays.kernels.softmax`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from speedmetal.arrays.along_axes.passes import groups_of_rows
from speedmetal.arrays.along_axes.sorted_axes import (
    NOW,
    SHORT,
    SortedAxes,
    chosen,
    in_order,
    known,
    layouts_of_leaves,
    placed,
    with_now_in_place,
    work_of,
    work_of_follower,
)
from speedmetal.arrays.deferred.following import (
    Follower,
    count_values,
    followed,
    follower_layouts,
    result_layouts,
)
from speedmetal.arrays.deferred.planned import planned
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.layout import Layout
from speedmetal.backends.device import BoundLaunch
from speedmetal.common.records import record
from speedmetal.dtypes import DType

MOST_KEPT = 256
"""Elements of a row that registers hold in a softmax; with more, reading again from the cache takes
less."""
FEW_ROWS = 8
LONG = 32768
"""Fewer rows of more elements are no work for all cores."""
FEW_COLUMNS = 1024
"""So few columns are none either."""


@record(eq=False)
class Kernels:
    """The kernels of one way to normalise.

    Args:
        module: Gives the module that has them, with its first use.
        most_kept: Elements of a row that registers hold.
        readings: An element's part of the time is that of so many additions to a total.
    """

    module: Callable[[], Any]
    most_kept: int
    readings: int


def _softmax() -> Any:
    from speedmetal.arrays.kernels import softmax  # with its first use, as those of copies

    return softmax


SOFTMAX = Kernels(_softmax, MOST_KEPT, 5)  # it has an exponential


@record(eq=False)
class _Plan:
    """A launch.

    Args:
        run: Launches the kernel.
        numbers: The last of its values.
        offset: Of the result's first element that is stored, in bytes.
        moves: As in :func:`placed`.
    """

    run: BoundLaunch
    numbers: tuple[Any, ...]
    offset: int
    moves: tuple[tuple[int, int], ...]


_plans: Kept[_Plan] = Kept(1024)


def is_enough_for_one_launch(elements: Layout, axis: int) -> bool:
    """Whether the rows or columns along an axis give work to all cores."""
    length = elements.shape[axis]
    others = elements.size // length
    are_rows = abs(elements.strides[axis]) <= elements.itemsize or others == 1
    if are_rows:
        return others >= FEW_ROWS or length <= LONG
    return others >= FEW_COLUMNS or elements.size <= LONG


def normalised(
    source: Any,
    finish: str,
    axis: int,
    dtype: DType,
    follower: Follower | None = None,
    kernels: Kernels = SOFTMAX,
    numbers: tuple[Any, ...] = (),
) -> Any:
    """Softmax or its like along an axis, as a new array.

    Args:
        source: An array whose leaves are in memory, of float32 or float64; it has elements.
        finish: What the kernels do in the end: a name of their module.
        axis: Counted from 0.
        dtype: Of the result.
        follower: What is computed of that, and stored in its place.
        kernels: Which ones.
        numbers: What they are given besides, of types that depend on the source's dtype alone.
    """
    plan, values = planned(
        _plans,
        (kernels, finish, axis, dtype),
        source,
        lambda: _plan_for(source, (kernels, finish, numbers), axis, dtype, follower),
        follower,
    )
    device = source.layout.device
    elements, layout, size_bytes = result_layouts(follower, source.layout.shape, dtype, device)
    result = device.allocate(size_bytes)
    values[1] = result.address + plan.offset if plan.offset else result.address
    plan.run([*values, *numbers, *plan.numbers])
    return type(source)(result, elements, layout)


def _plan_for(
    source: Any,
    what: tuple[Kernels, str, tuple[Any, ...]],
    axis: int,
    dtype: DType,
    follower: Follower | None,
) -> _Plan:
    kernels, finish, numbers = what
    module = kernels.module()
    elements, device = source.elements, source.layout.device
    result, _, _ = result_layouts(follower, elements.shape, dtype, device)
    target = source.allocate(elements.shape, result.dtype, device)
    is_along = [place == axis for place in range(elements.ndim)]
    followers = follower_layouts(follower, elements.shape)
    layouts = (elements, result, *followers, *layouts_of_leaves(source))
    axes, are_rows = chosen(in_order(layouts, is_along, turns_reduced=False))
    axes = with_now_in_place(axes.merged(), are_rows=are_rows)
    first = 2 + len(followers)
    argument, moves = placed(source, axes.layouts[first:], 2 + count_values(follower))
    place = axes.layouts[1]
    stored, more = followed(follower, target.with_elements(place), axes.layouts[2:first])
    keeps = known(follower is None and elements.dtype is dtype)
    common = (stored, argument, getattr(module, finish), *numbers)
    work = kernels.readings * work_of(source) + work_of_follower(follower)
    if are_rows:
        run, last = _prepare_rows(module, common, axes, keeps, work, kernels.most_kept)
    else:
        run, last = _prepare_columns(module, common, axes, keeps, work)
    return _Plan(run, last, place.offset, moves + more)


_Prepared = tuple[BoundLaunch, tuple[Any, ...]]


def _prepare_rows(
    kernels: Any,
    common: tuple[Any, ...],
    axes: SortedAxes,
    keeps: Any,
    work: int,
    most_kept: int,
) -> _Prepared:
    *outer, length = axes.layouts[0].shape
    rows, at = math.prod(outer), known(len(outer))
    if length < SHORT:
        return kernels.short_rows.prepare(*common, at, known(length), grid=rows).run, ()
    groups, each = groups_of_rows(rows, length)
    sizes = {"groups": groups, "threads": kernels.LANES, "work": work}
    if length <= most_kept:
        vectors = known(-(-length // kernels.LANES))
        return kernels.kept_rows.prepare(*common, at, vectors, each, **sizes).run, (each,)
    return kernels.read_rows.prepare(*common, at, keeps, each, **sizes).run, (each,)


def _prepare_columns(
    kernels: Any, common: tuple[Any, ...], axes: SortedAxes, keeps: Any, work: int
) -> _Prepared:
    shape = axes.layouts[0].shape
    at = axes.roles.index(NOW)
    grid = (shape[-1], math.prod(shape[:at]))
    return kernels.columns.prepare(*common, known(at), keeps, grid=grid, work=work).run, ()
