"""Plans of launches that scan along an axis, by :mod:`speedmetal.arrays.kernels.scan`."""

from __future__ import annotations

import math
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
from speedmetal.arrays.along_axes.teams import (
    BUSY_THREADS,
    BYTES_AT_ONCE,
    MOST_PARTS_TO_SCAN,
    ONE_SIMDGROUP,
    VECTORS_OF_SCAN,
    Team,
    parts_of_strips,
    parts_to_scan,
    simdgroups_of_rows,
    strip_to_reduce,
    strip_to_scan,
    team_to_scan,
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
)
from speedmetal.arrays.deferred.planned import planned
from speedmetal.arrays.memory.copying import assign_host
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.backends.device import BoundLaunch
from speedmetal.common.records import record
from speedmetal.dtypes import DType

PART_OF_ROW = 16384
"""Elements of a part of a row; rows of more than two have parts where they are few."""
PART_OF_COLUMN = 256
"""The same of columns."""
MOST_PARTS_OF_ROW = 1024
MOST_PARTS_OF_COLUMN = 64
"""Each part adds up the totals of all parts before it."""
FEW_ROWS = 64
FEW_COLUMNS = 4096
"""Where there are more, there is enough to do without parts, for which elements are read twice."""
FEW_OF_BUSY = 8
"""So many times fewer threads of a GPU than keep it busiest are few."""


@record(eq=False)
class _Step:
    """A launch, the last of its values, and the bytes of the totals that it stores, if any."""

    run: BoundLaunch
    numbers: tuple[Any, ...]
    totals_bytes: int = 0


@record(eq=False)
class _Plan:
    """The launches.

    Args:
        totals: What reduces the parts first, if there are several; it takes no follower's values.
        scan: What then scans each.
        offset: Of the result's first element that is stored, in bytes.
        moves: As in :func:`placed`.
    """

    totals: _Step | None
    scan: _Step
    offset: int
    moves: tuple[tuple[int, int], ...]


_plans: Kept[_Plan] = Kept(1024)


def scanned(
    source: Any,
    scan: str,
    axis: int,
    dtype: DType,
    initial: HostArray | None,
    follower: Follower | None = None,
) -> Any:
    """The results up to each element as a new array.

    Args:
        source: An array whose leaves are in memory, of one element or more.
        scan: A name of :mod:`speedmetal.arrays.kernels.scan`.
        axis: Counted from 0.
        dtype: Of the result.
        initial: What comes before the first one; None: nothing does.
        follower: What is computed of the results, and stored in their place; None where there is
            an initial one.
    """
    device = source.layout.device
    shape = list(source.layout.shape)
    shape[axis] += initial is not None
    elements, layout, size_bytes = result_layouts(follower, tuple(shape), dtype, device)
    result = type(source)(device.allocate(size_bytes), elements, layout)
    front = (slice(None),) * axis
    target = result.elements if initial is None else result.elements[(*front, slice(1, None))]
    plan, values = planned(
        _plans,
        (scan, axis, dtype, initial is None),
        source,
        lambda: _plan_for(source, scan, axis, result.with_elements(target), follower),
        follower,
    )
    values[1] = result.buffer.address + plan.offset if plan.offset else result.buffer.address
    if plan.totals is not None:
        totals = device.allocate(plan.totals.totals_bytes)
        own = values[2 + count_values(follower) :]
        plan.totals.run([0, totals.address, *own, *plan.totals.numbers])
        values.append(totals.address)
    plan.scan.run([*values, *plan.scan.numbers])
    if initial is not None:
        first = result.elements[(*front, slice(0, 1))]
        assign_host(result.with_elements(first), initial)
    return result


def _plan_for(source: Any, scan: str, axis: int, target: Any, follower: Follower | None) -> _Plan:
    from speedmetal.arrays.kernels import scan as kernels  # with its first use, as those of copies

    elements = source.elements
    is_scanned = [place == axis for place in range(elements.ndim)]
    followers = follower_layouts(follower, elements.shape)
    layouts = (elements, target.elements, *followers, *layouts_of_leaves(source))
    axes, are_rows = chosen(in_order(layouts, is_scanned, turns_reduced=False))
    axes = with_now_in_place(axes.merged(), are_rows=are_rows)
    first = 2 + len(followers)
    argument, moves = placed(source, axes.layouts[first:], 2 + count_values(follower))
    place = axes.layouts[1]
    stored, more = followed(follower, target.with_elements(place), axes.layouts[2:first])
    work = work_of(source) + work_of_follower(follower)
    given = (stored, argument, source), getattr(kernels, scan), axes, kernels, work
    if are_rows:
        totals, step = _row_steps(*given)
    else:
        totals, step = _column_steps(
            *given, width_of_strip(elements, axes.layouts[first:], BYTES_AT_ONCE)
        )
    return _Plan(totals, step, place.offset, moves + more)


def _row_steps(
    arguments: tuple[Any, Any, Any], scan: Any, axes: SortedAxes, kernels: Any, work: int
) -> tuple[_Step | None, _Step]:
    target, source, array = arguments
    shape = axes.layouts[0].shape
    at = len(shape) - 1
    rows, length = math.prod(shape[:at]), shape[at]
    if length < SHORT:
        sizes = (known(at), known(length))
        plan = kernels.scan_short_rows.prepare(target, source, scan, *sizes, grid=rows)
        return None, _Step(plan.run, ())
    if array.layout.device.kind != "cpu":
        return _row_steps_on_gpu(arguments, scan, axes, kernels, work)
    parts, part = _parts(length, PART_OF_ROW, MOST_PARTS_OF_ROW, has_few=rows < FEW_ROWS)
    groups, each = groups_of_rows(rows, part)
    team, numbers = ONE_SIMDGROUP, (each, parts, part)
    launch = {"groups": groups * parts, "threads": threads_of(team), "work": work}
    totals = None
    if parts > 1:
        totals = array.allocate((*shape[:at], parts), axes.layouts[0].dtype, array.layout.device)
    given = (target, source, totals, scan, known(at), team.known(), *numbers)
    step = _Step(kernels.scan_rows.prepare(*given, **launch).run, numbers)
    if totals is None:
        return None, step
    return _totals_of_rows(totals, source, scan, at, team, 1, numbers, kernels, launch), step


def _row_steps_on_gpu(
    arguments: tuple[Any, Any, Any], scan: Any, axes: SortedAxes, kernels: Any, work: int
) -> tuple[_Step | None, _Step]:
    target, source, array = arguments
    *outer, length = axes.layouts[0].shape
    rows, at = math.prod(outer), len(outer)
    width = width_of(axes.layouts[0], length)
    team = team_to_scan(rows, length, width)
    if team is None:
        team = simdgroups_of_rows(length, width)
        groups, each = teams_of_rows(rows, length)
        numbers: tuple[int, ...] = (each, 1, length)
        launch = {"groups": -(-groups // team.together), "threads": threads_of(team), "work": work}
        given = (target, source, None, scan, known(at), team.known(), *numbers)
        return None, _Step(kernels.scan_rows.prepare(*given, **launch).run, numbers)
    numbers = parts_to_scan(rows, length, team)
    launch = {"groups": rows * numbers[0], "threads": threads_of(team), "work": work}
    totals = None
    if numbers[0] > 1:
        kept = (*outer, numbers[0])
        totals = array.allocate(kept, axes.layouts[0].dtype, array.layout.device)
    vectors = known(VECTORS_OF_SCAN)
    given = (target, source, totals, scan, known(at), team.known(), vectors, *numbers)
    step = _Step(kernels.scan_parts_of_rows.prepare(*given, **launch).run, numbers)
    if totals is None:
        return None, step
    more = (team, VECTORS_OF_SCAN, (1, *numbers), kernels, launch)
    return _totals_of_rows(totals, source, scan, at, *more), step


def _totals_of_rows(
    totals: Any,
    source: Any,
    scan: Any,
    at: int,
    team: Team,
    vectors: int,
    numbers: tuple[int, ...],
    kernels: Any,
    launch: dict[str, int],
) -> _Step:
    """What reduces the parts of rows: ``numbers`` are rows of a team, parts, and their length."""
    reduce = kernels.reduce
    plan = reduce.reduce_rows.prepare(
        *(totals, source, scan.reduction, reduce.as_it_is, known(at)),
        *(team.known(), known(vectors), 0.0, *numbers),
        **launch,
    )
    return _Step(plan.run, (0.0, *numbers), totals.elements.nbytes)


def _column_steps(
    arguments: tuple[Any, Any, Any],
    scan: Any,
    axes: SortedAxes,
    kernels: Any,
    work: int,
    width: int,
) -> tuple[_Step | None, _Step]:
    target, source, array = arguments
    shape = axes.layouts[0].shape
    at = axes.roles.index(NOW)
    rows, length, columns = math.prod(shape[:at]), shape[at], shape[-1]
    is_on_cpu = array.layout.device.kind == "cpu"
    strip = strip_to_scan(rows, columns, length, width)
    if is_on_cpu:
        has_few = rows * columns < FEW_COLUMNS
        parts, part = _parts(length, PART_OF_COLUMN, MOST_PARTS_OF_COLUMN, has_few=has_few)
    else:
        few = BUSY_THREADS // FEW_OF_BUSY
        parts, part = parts_of_strips(
            rows * strip.strips(columns), strip, length, few, MOST_PARTS_TO_SCAN
        )
    launch: dict[str, Any] = {"grid": (columns, parts, rows), "work": work}
    totals = None
    if parts > 1:
        dtype = axes.layouts[0].dtype
        totals = array.allocate((*shape[:at], parts, columns), dtype, array.layout.device)
    if is_on_cpu:
        numbers: tuple[int, ...] = (part,)
        plan = kernels.scan_columns.prepare(target, source, totals, scan, known(at), part, **launch)
    else:
        numbers = (parts, part)
        groups = strip.strips(columns) * parts * rows
        given = (target, source, totals, scan, known(at), strip.known(), *numbers)
        sizes = {"groups": groups, "threads": strip.threads, "work": work}
        plan = kernels.scan_strips.prepare(*given, **sizes)
    step = _Step(plan.run, numbers)
    if totals is None:
        return None, step
    reduce = kernels.reduce
    common = (totals, source, scan.reduction, reduce.as_it_is, known(at))
    if is_on_cpu:
        last: tuple[Any, ...] = (0.0, part)
        plan = reduce.reduce_columns.prepare(*common, known(1), known(1), *last, **launch)
    else:
        last = (0.0, parts, part)
        below = strip_to_reduce(columns, part, 1)
        sizes = {"groups": below.strips(columns) * parts * rows, "threads": below.threads}
        plan = reduce.reduce_strips.prepare(*common, below.known(), *last, work=work, **sizes)
    return _Step(plan.run, last, totals.elements.nbytes), step


def _parts(length: int, size: int, most: int, *, has_few: bool) -> tuple[int, int]:
    """How many parts a row or column has, of about a size, and their length."""
    parts = min(-(-length // size), most) if has_few and length > 2 * size else 1
    part = -(-length // parts)
    return -(-length // part), part
