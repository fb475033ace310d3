"""Plans of launches of what normalises rows or columns: softmax, and others as it.

The kernels of one way to do so are a module with ``short_rows``, ``kept_rows``, ``read_rows`` and
``columns``, whose arguments are those of :mod:`speedmetal.arrays.kernels.softmax`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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
    result_layout,
    with_now_in_place,
    work_of,
    work_of_follower,
)
from speedmetal.arrays.along_axes.teams import (
    BUSY_THREADS,
    BYTES_AT_ONCE,
    BYTES_KEPT,
    BYTES_OF_COLUMNS,
    MOST_PARTS_TO_READ,
    ONE_SIMDGROUP,
    Team,
    elements_at_once,
    groups_of_teams,
    parts_of_strips,
    strip_of_kept,
    strip_to_read,
    team_of_row,
    team_of_short_rows,
    teams_of_rows,
    threads_of,
    width_of,
    width_of_strip,
)
from speedmetal.arrays.deferred.following import (
    Follower,
    count_values,
    followed,
    follower_layouts,
    result_layouts,
    totals_layouts,
)
from speedmetal.arrays.deferred.planned import planned
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.shapes import Shape
from speedmetal.backends.device import SIMDGROUP_SIZE, BoundLaunch, Device
from speedmetal.common.records import record
from speedmetal.dtypes import DType

MOST_KEPT = 256
"""Elements of a row that registers hold in a softmax; with more, reading again from the cache takes
less."""
KEPT_BY_THREAD = 16
"""The same of a GPU's thread, of rows that a simdgroup or several take: with more, fewer run."""
MOST_KEPT_BY_THREADS = 32768
"""And of all threads of a threadgroup."""
LONG_TO_KEEP = 4096
"""Elements of a row that threads keep, of which a sum of powers alone is wanted: with more, they
read it once and keep a sum above the greatest element so far."""
VECTORS_AT_ONCE = 4
"""Then, so many loads are on their way to a thread."""
FEW_ROWS = 8
LONG = 32768
"""Fewer rows of more elements are no work for all cores."""
FEW_COLUMNS = 1024
"""So few columns are none either."""
FEW_ROWS_ON_GPU = 128
"""A large GPU has as many cores."""


@record(eq=False)
class Kernels:
    """The kernels of one way to normalise.

    Args:
        module: Gives the module that has them, with its first use.
        most_kept: Elements of a row that registers hold.
        readings: An element's part of the time is that of so many additions to a total.
        has_strips: Whether a GPU takes columns by :mod:`speedmetal.arrays.kernels.softmax_columns`.
    """

    module: Callable[[], Any]
    most_kept: int
    readings: int
    has_strips: bool = False


def _softmax() -> Any:
    from speedmetal.arrays.kernels import softmax  # with its first use, as those of copies

    return softmax


SOFTMAX = Kernels(_softmax, MOST_KEPT, 5, has_strips=True)  # it has an exponential


@record(eq=False)
class _Plan:
    """A launch, or two.

    Args:
        run: Launches the kernel.
        numbers: The last of its values.
        offset: Of the result's first element that is stored, in bytes.
        moves: As in :func:`placed`.
        parts: What finds something of parts of columns first, if there are several; it takes no
            follower's values.
        parts_bytes: Of what it finds.
    """

    run: BoundLaunch
    numbers: tuple[Any, ...]
    offset: int
    moves: tuple[tuple[int, int], ...]
    parts: BoundLaunch | None = None
    parts_bytes: int = 0


_plans: Kept[_Plan] = Kept(1024)


def is_enough_for_one_launch(
    elements: Layout, axis: int, device: Device, *, has_strips: bool = False
) -> bool:
    """Whether the rows or columns along an axis give work to all cores of a device.

    Args:
        elements: Of a layout.
        axis: See above.
        device: See above.
        has_strips: As in :class:`Kernels`: a GPU then takes parts of them.
    """
    length = elements.shape[axis]
    others = elements.size // length
    are_rows = abs(elements.strides[axis]) <= elements.itemsize or others == 1
    is_on_cpu = device.kind == "cpu"
    if are_rows:
        return others >= (FEW_ROWS if is_on_cpu else FEW_ROWS_ON_GPU) or length <= LONG
    if has_strips and not is_on_cpu:
        return True
    return others >= (FEW_COLUMNS if is_on_cpu else BUSY_THREADS) or elements.size <= LONG


def are_kept(elements: Layout, axis: int, device: Device, most_kept: int) -> bool:
    """Whether registers hold the rows along an axis; on a CPU so many elements of them."""
    lies_close = abs(elements.strides[axis]) <= elements.itemsize
    most = most_kept if device.kind == "cpu" else MOST_KEPT_BY_THREADS
    return lies_close and elements.shape[axis] <= most


def normalised(
    source: Any,
    finish: str,
    axis: int,
    dtype: DType,
    follower: Follower | None = None,
    kernels: Kernels = SOFTMAX,
    numbers: tuple[Any, ...] = (),
    given: DType | None = None,
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
        given: The dtype of the operand, from which elements are converted; None: the result's.
    """
    plan, values = planned(
        _plans,
        (kernels, finish, axis, dtype, given),
        source,
        lambda: _plan_for(source, (kernels, finish, numbers), axis, (dtype, given), follower),
        follower,
    )
    device = source.layout.device
    elements, layout, size_bytes = result_layouts(follower, source.layout.shape, dtype, device)
    result = device.allocate(size_bytes)
    values[1] = result.address + plan.offset if plan.offset else result.address
    found: tuple[int, ...] = ()
    if plan.parts is not None:
        kept = device.allocate(plan.parts_bytes)
        found = (kept.address,)
        plan.parts([0, kept.address, *values[2 + count_values(follower) :], *plan.numbers])
    plan.run([*values, *numbers, *found, *plan.numbers])
    return type(source)(result, elements, layout)


def _plan_for(
    source: Any,
    what: tuple[Kernels, str, tuple[Any, ...]],
    axis: int,
    dtypes: tuple[DType, DType | None],
    follower: Follower | None,
) -> _Plan:
    kernels, finish, numbers = what
    dtype, given = dtypes
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
    is_on_cpu = device.kind == "cpu"
    keeps = known(is_on_cpu and follower is None and elements.dtype is dtype)
    common = (stored, argument, getattr(module, finish), *numbers)
    work = kernels.readings * work_of(source) + work_of_follower(follower)
    if are_rows:
        kept = kernels.most_kept if is_on_cpu else None
        rows = axes.layouts[0]
        width = 1 if is_on_cpu else width_of(rows, rows.shape[-1], given or dtype)
        run, last = _prepare_rows(module, common, axes, keeps, work, kept, width)
    elif kernels.has_strips and not is_on_cpu:
        leaves = axes.layouts[first:]
        run, last, parts, size = _prepare_strips(common, source, axes, work, leaves)
        return _Plan(run, last, place.offset, moves + more, parts, size)
    else:
        run, last = _prepare_columns(module, common, axes, keeps, work)
    return _Plan(run, last, place.offset, moves + more)


def takes_logs_of_rows(elements: Layout, axis: int, device: Device) -> bool:
    """Whether one launch gives the logarithms of rows' sums of exponentials: on a GPU."""
    lies_close = abs(elements.strides[axis]) <= elements.itemsize
    is_long = elements.shape[axis] >= SHORT
    is_enough = is_enough_for_one_launch(elements, axis, device)
    return device.kind != "cpu" and lies_close and is_long and is_enough


def logs_of_rows(
    source: Any, axis: int, shape: Shape, dtype: DType, follower: Follower | None = None
) -> Any:
    """The logarithms of the sums of exponentials along an axis, as a new array.

    Args:
        source: As of :func:`normalised`.
        axis: Counted from 0.
        shape: Of the result.
        dtype: Of the result.
        follower: As of :func:`normalised`.
    """
    plan, values = planned(
        _plans,
        ("logs", axis, shape, dtype),
        source,
        lambda: _plan_logs(source, axis, shape, dtype, follower),
        follower,
    )
    elements, layout, size_bytes = result_layouts(follower, shape, dtype, source.layout.device)
    result = source.layout.device.allocate(size_bytes)
    values[1] = result.address + plan.offset if plan.offset else result.address
    plan.run([*values, *plan.numbers])
    return type(source)(result, elements, layout)


def _plan_logs(
    source: Any, axis: int, shape: Shape, dtype: DType, follower: Follower | None
) -> _Plan:
    from speedmetal.arrays.kernels import log_sums  # with its first use, as those of copies

    elements, device = source.elements, source.layout.device
    result, _, _ = result_layouts(follower, shape, dtype, device)
    is_along = [place == axis for place in range(elements.ndim)]
    followers = totals_layouts(follower, elements.shape, is_along)
    places = (result_layout(elements, is_along, result.dtype), *followers)
    layouts = (elements, *places, *layouts_of_leaves(source))
    axes, _ = chosen(in_order(layouts, is_along, turns_reduced=False))
    axes = with_now_in_place(axes.merged(), are_rows=True)
    first = 2 + len(followers)
    argument, moves = placed(source, axes.layouts[first:], 2 + count_values(follower))
    *outer, length = axes.layouts[0].shape
    kept = [Layout(x.dtype, (*outer, 1), x.strides, x.offset) for x in axes.layouts[1:first]]
    array = source.allocate(shape, result.dtype, device).with_elements(kept[0])
    stored, more = followed(follower, array, kept[1:])
    rows, each = math.prod(outer), 1
    width = width_of(axes.layouts[0], length, dtype)
    team = team_of_short_rows(rows, min(length, LONG_TO_KEEP), width, KEPT_BY_THREAD)
    if team.lanes == SIMDGROUP_SIZE:
        rows, each = teams_of_rows(rows, length)
    sizes = {
        "groups": groups_of_teams(rows, team),
        "threads": threads_of(team),
        "work": 5 * work_of(source),
    }
    taken = vectors_of_row(length, team)
    arguments = (stored, argument, known(len(outer)), team.known(), *taken, each)
    run = log_sums.logs_of_rows.prepare(*arguments, **sizes).run
    return _Plan(run, (each,), kept[0].offset, moves + more)


def vectors_of_row(length: int, team: Team, *, adds: bool = False) -> tuple[Any, Any]:
    """How many vectors of a row a GPU's thread takes, and whether it keeps them all, for a kernel.

    Rows that it does not keep are read once, so many vectors after the other. Where the kernel
    ``adds`` up distances as well, it keeps longer rows; with 0 vectors it reads them twice.
    """
    keeps = length <= (MOST_KEPT_BY_THREADS if adds else LONG_TO_KEEP)
    at_once = 0 if adds else VECTORS_AT_ONCE
    return known(-(-length // elements_at_once(team)) if keeps else at_once), known(keeps)


def team_to_keep(rows: int, length: int, width: int, itemsize: int) -> Team:
    """Who takes so many rows on a GPU, and keeps them.

    Of small elements, several of which are loaded at once, a thread keeps more: else too few bytes
    are on their way.
    """
    is_small = width * itemsize > BYTES_AT_ONCE
    if length <= SIMDGROUP_SIZE * KEPT_BY_THREAD // 2:
        kept = KEPT_BY_THREAD if is_small else KEPT_BY_THREAD // 2
        return team_of_short_rows(rows, length, width, kept)
    return team_of_row(length, width, 2 * KEPT_BY_THREAD if is_small else KEPT_BY_THREAD)


_Prepared = tuple[BoundLaunch, tuple[Any, ...]]


def _prepare_rows(
    kernels: Any,
    common: tuple[Any, ...],
    axes: SortedAxes,
    keeps: Any,
    work: int,
    kept: int | None,
    width: int,
) -> _Prepared:
    """What normalises rows, of which a CPU's registers keep so many elements; None: on a GPU."""
    *outer, length = axes.layouts[0].shape
    rows, at = math.prod(outer), known(len(outer))
    if length < SHORT:
        return kernels.short_rows.prepare(*common, at, known(length), grid=rows).run, ()
    if kept is None:
        most = MOST_KEPT_BY_THREADS
        team = team_to_keep(rows, length, width, axes.layouts[0].itemsize)
        groups, each = groups_of_teams(rows, team), 1
    else:
        most, team = kept, ONE_SIMDGROUP
        groups, each = groups_of_rows(rows, length)
    sizes = {"groups": groups, "threads": threads_of(team), "work": work}
    if length <= most:
        vectors = known(-(-length // elements_at_once(team)))
        given = (*common, at, team.known(), vectors, each)
        return kernels.kept_rows.prepare(*given, **sizes).run, (each,)
    given = (*common, at, team.known(), keeps, each)
    return kernels.read_rows.prepare(*given, **sizes).run, (each,)


def _prepare_columns(
    kernels: Any, common: tuple[Any, ...], axes: SortedAxes, keeps: Any, work: int
) -> _Prepared:
    shape = axes.layouts[0].shape
    at = axes.roles.index(NOW)
    grid = (shape[-1], math.prod(shape[:at]))
    return kernels.columns.prepare(*common, known(at), keeps, grid=grid, work=work).run, ()


def _prepare_strips(
    common: tuple[Any, Any, Any],
    source: Any,
    axes: SortedAxes,
    work: int,
    leaves: Sequence[Layout],
) -> tuple[BoundLaunch, tuple[Any, ...], BoundLaunch | None, int]:
    """What normalises columns on a GPU, and, where strips are few, what is found of parts before.

    Returns:
        Of :class:`_Plan` the launch, its numbers, and what there is of parts.
    """
    from speedmetal.arrays.kernels import softmax_columns as kernels  # with its first use

    shape = axes.layouts[0].shape
    at = axes.roles.index(NOW)
    rows, length, columns = math.prod(shape[:at]), shape[at], shape[-1]
    width = width_of_strip(axes.layouts[0], leaves, BYTES_KEPT)
    strip = strip_of_kept(columns, length, width)
    if strip is not None:
        sizes = {"groups": rows * strip.strips(columns), "threads": strip.threads, "work": work}
        run = kernels.kept_columns.prepare(*common, known(at), strip.known(), **sizes).run
        return run, (), None, 0
    width = width_of_strip(axes.layouts[0], leaves, BYTES_OF_COLUMNS)
    strip = strip_to_read(columns, length, width)
    strips = rows * strip.strips(columns)
    numbers = parts_of_strips(strips, strip, length, BUSY_THREADS, MOST_PARTS_TO_READ)
    sizes = {"groups": strips * numbers[0], "threads": strip.threads, "work": work}
    found = None
    if numbers[0] > 1:
        kept = (2, *shape[:at], numbers[0], columns)
        found = source.allocate(kept, axes.layouts[0].dtype, source.layout.device)
    given = (known(at), strip.known(), *numbers)
    run = kernels.read_columns.prepare(*common, found, *given, **sizes).run
    if found is None:
        return run, numbers, None, 0
    parts = kernels.parts_of_columns.prepare(found, common[1], *given, **sizes).run
    return run, numbers, parts, found.elements.nbytes
