"""How a reduction over any axes of any arrays becomes a few launches over one axis each.

The axes are sorted as the elements lie in memory, and neighbours are merged. Then one run of
reduced axes after the other goes, the one whose elements lie closest first, by one of the kernels
of :mod:`speedmetal.arrays.kernels.reduce`:

* the run lies closest of all: a simdgroup takes a row, or a part of a long one; of rows shorter
  than ``SHORT`` each has a thread;
* other axes lie closer: a thread takes a column, or a part of a long one; rows of few columns are
  folded, several to one;
* a run over several axes whose last one is not long is cut in two, and its front goes as columns:
  so it does not matter whether what it is computed from lets the axes be one.

What is added up in which order depends on the shape, on how the elements lie as they are said to
(``Array.elements``), and on whether a GPU does it (:mod:`speedmetal.arrays.along_axes.teams`):
never on what they are computed from. So a result has the same bits whether its producers are fused
or not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from speedmetal.arrays.along_axes.sorted_axes import (
    LATER,
    NOW,
    SHORT,
    SortedAxes,
    chosen,
    follow,
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
    BYTES_OF_COLUMNS,
    MANY_COLUMNS,
    MOST_WIDE,
    ONE_SIMDGROUP,
    SHORT_ON_GPU,
    TURNS,
    Team,
    elements_at_once,
    parts_of_column,
    parts_of_row,
    parts_to_reduce,
    strip_to_reduce,
    team_of_rows,
    teams_of_rows,
    threads_of,
    width_for,
    width_of,
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
from speedmetal.arrays.memory.placement import Moves, grid_of
from speedmetal.arrays.memory.shapes import Shape
from speedmetal.backends.device import SIMDGROUP_SIZE, BoundLaunch, LaunchLayout
from speedmetal.common.records import record
from speedmetal.dtypes import DType

PART_OF_ROW = 16384
"""Elements of a part of a row; rows of more than two have parts, for more than one core, and
because the error of a sum grows with its length."""
PART_OF_COLUMN = 256
"""The same of columns, whose elements one thread adds up."""
PARTS_MULTIPLE = 128
"""Parts but the last one are whole vectors."""
FOLDED_WIDTH = 128
MOST_FOLDED = 256
FEWEST_FOLDED = 8
"""Fewer columns than this are folded, but where they fill simdgroups, or rows are too few."""
LONG_FOR_VECTORS = 512
MANY_VECTORS = 4
"""Sums that a thread has running at once: an addition takes about as many steps as can start."""
ELEMENTS_OF_GROUP = 8192
"""Short rows are taken several by one simdgroup, about so many elements; starting it costs."""
FEWEST_GROUPS = 64
"""As long as there are so many simdgroups: else cores would have nothing to do."""


@record(eq=False)
class Work:
    """What is to be done with elements of some dtype, shape and strides.

    Args:
        reduction: A :class:`speedmetal.arrays.kernels.reduce.Reduction`.
        finish: A function of the same module, of the total and ``count``.
        axes: Those to reduce, counted from 0; their extents are not 0.
        shape: Of the result, with extents of 1 where axes were reduced, or without them.
        dtype: Of the result.
        count: For ``finish``.
        takes: Whether it takes a follower.
        given: The dtype of the operand, from which elements are converted; None: theirs.
    """

    reduction: Any
    finish: Any
    axes: tuple[int, ...]
    shape: Shape
    dtype: DType
    count: float
    takes: Callable[[Follower], bool]
    given: DType | None = None


@record(eq=False)
class _Step:
    """One launch.

    Args:
        run: Launches the kernel; its values are the addresses of target and source, and numbers.
        size_bytes: Of the parts that it stores; 0: they are the result.
        offset: Of the first element that it stores, in bytes.
        numbers: The last of the values.
        follows: Whether the follower is computed, the values of which come after the target's.
    """

    run: BoundLaunch
    size_bytes: int
    offset: int
    numbers: tuple[Any, ...]
    follows: bool = False


@record(eq=False)
class _Plan:
    """The launches of a reduction.

    Args:
        steps: In order; each reads what the one before stored.
        moves: How far the first element that the first one reads is from each leaf's, in bytes, by
            its place among the values; those that do not move are left out.
        result: Where its elements are, for views and launches, and its bytes.
    """

    steps: tuple[_Step, ...]
    moves: tuple[tuple[int, int], ...]
    result: tuple[Layout, LaunchLayout, int]


_plans: Kept[_Plan] = Kept(2048)


def reduced(source: Any, work: Work, follower: Follower | None = None) -> tuple[Any]:
    """The result as a new array, the only one of a call.

    Args:
        source: An array whose leaves are in memory, of one element or more.
        work: What is done with it.
        follower: What is computed of the result, and stored in its place.
    """
    if follower is not None:
        return _reduced_and_followed(source, work, follower)
    plan, values = planned(_plans, (work,), source, lambda: _Planner(source, work).plan())
    allocate = source.layout.device.allocate
    elements, layout, size_bytes = plan.result
    result = allocate(size_bytes)
    for step in plan.steps:
        stored = allocate(step.size_bytes) if step.size_bytes else result
        values[1] = stored.address + step.offset if step.offset else stored.address
        values += step.numbers
        step.run(values)
        values = [0, None, stored.address]
    return (type(source)(result, elements, layout),)


def _reduced_and_followed(source: Any, work: Work, follower: Follower) -> tuple[Any]:
    """The same with a follower, which the last launch computes."""
    plan, values = planned(
        _plans, (work,), source, lambda: _Planner(source, work, follower).plan(), follower
    )
    allocate = source.layout.device.allocate
    elements, layout, size_bytes = plan.result
    result = allocate(size_bytes)
    count = count_values(follower)
    own, values = values[2 : 2 + count], values[2 + count :]
    for step in plan.steps:
        stored = allocate(step.size_bytes) if step.size_bytes else result
        target = stored.address + step.offset if step.offset else stored.address
        step.run([0, target, *(own if step.follows else ()), *values, *step.numbers])
        values = [stored.address]
    return (type(source)(result, elements, layout),)


# --- Passes --------------------------------------------------------------------------------------


class _Planner:
    """Makes the plan of a reduction: pass by pass, each over what the one before leaves.

    Args:
        source: What is reduced.
        work: How.
        follower: What the last one computes of the result.
    """

    def __init__(self, source: Any, work: Work, follower: Follower | None = None) -> None:
        from speedmetal.arrays.kernels import reduce  # with its first use, as those of copies

        self._kernels = reduce
        self._work = work
        self._source = source
        self._follower = follower
        self._steps: list[_Step] = []
        self._expressions = 0  # that a launch computes
        self._moves: Moves = ()  # of what the follower reads
        self._device = source.layout.device
        self._is_on_cpu = self._device.kind == "cpu"
        shape = source.elements.shape
        is_reduced = [axis in work.axes for axis in range(len(shape))]
        self._result = result_layouts(follower, work.shape, work.dtype, self._device)
        followers = totals_layouts(follower, shape, is_reduced)
        self._first = 2 + len(followers)  # of the layouts of what it is computed from
        layouts = [
            source.elements,
            result_layout(source.elements, is_reduced, self._result[0].dtype),
            *followers,
            *layouts_of_leaves(source),
        ]
        self._axes = in_order(layouts, is_reduced)

    def plan(self) -> _Plan:
        """The launches."""
        moves: tuple[tuple[int, int], ...] = ()
        while True:
            marked, are_rows = chosen(self._axes)
            alone = SortedAxes(marked.layouts[:1], marked.roles).merged()
            folds = not are_rows and _are_to_fold(with_now_in_place(alone, are_rows=False))
            axes = marked.merged()
            is_stored = folds and axes.layouts[0] != alone.layouts[0]
            axes = axes if is_stored else with_now_in_place(axes, are_rows=are_rows)
            first = 2 if self._steps else 2 + count_values(self._follower)
            source, distances = placed(self._source, axes.layouts[self._first :], first)
            if not self._steps:
                moves = distances
            self._expressions = work_of(self._source)
            if is_stored:
                self._add_copy(axes, source)
                continue
            if folds:
                self._add_folded(axes, source)
                continue
            add = self._add_rows if are_rows else self._add_columns
            if add(axes, source):
                return _Plan(tuple(self._steps), moves + self._moves, self._result)

    def _add_rows(self, axes: SortedAxes, source: Any) -> bool:
        """Add the launch that reduces the last axes; whether it gives the result."""
        shape = axes.layouts[0].shape
        at, length = axes.roles.index(NOW), axes.extent(NOW)
        rows = math.prod(shape[:at])
        parts, part = self._parts_of_rows(rows, length, axes)
        target, stored, finish, is_done = self._target(axes, parts)
        common = (stored, source, self._work.reduction, finish, known(at))
        count = float(self._work.count)
        if length < (SHORT if self._is_on_cpu else SHORT_ON_GPU):
            kernel = self._kernels.reduce_short_rows
            plan = kernel.prepare(*common, known(length), count, grid=rows)
            self._add(plan, target, (count,), is_done=is_done)
        else:
            team, vectors = self._team(axes, rows * parts, part)
            share = groups_of_rows if self._is_on_cpu else teams_of_rows
            groups, each = share(rows, part)
            numbers = (count, each, parts, part)
            sizes: dict[str, Any] = {"groups": -(-groups * parts // team.together)}
            sizes |= {"threads": threads_of(team), "work": self._expressions}
            given = (*common, team.known(), known(vectors), *numbers)
            plan = self._kernels.reduce_rows.prepare(*given, **sizes)
            self._add(plan, target, numbers, is_done=is_done)
        return is_done

    def _parts_of_rows(self, rows: int, length: int, axes: SortedAxes) -> tuple[int, int]:
        """How many parts a row has, and how long all but the last one are."""
        if self._is_on_cpu:
            return _parts(length, PART_OF_ROW)
        return parts_of_row(rows, length, self._width(axes))

    def _width(self, axes: SortedAxes) -> int:
        """How many elements of rows side by side a GPU's thread takes."""
        given = None if self._steps else self._work.given
        return width_of(axes.layouts[0], axes.extent(NOW), given)

    def _parts_of_columns(self, rows: int, columns: int, length: int) -> tuple[int, int]:
        """The same of columns, so many of each row."""
        if self._is_on_cpu:
            return _parts(length, PART_OF_COLUMN)
        if self._takes_strips(columns):
            return parts_to_reduce(rows, columns, length)
        return parts_of_column(rows * columns, length)

    def _takes_strips(self, columns: int) -> bool:
        """Whether several threads reduce a column together."""
        return not self._is_on_cpu and columns < MANY_COLUMNS

    def _numbers_of_columns(
        self, columns: int, count: float, parts: int, part: int
    ) -> tuple[Any, ...]:
        """The last values of a launch that reduces columns."""
        return (count, parts, part) if self._takes_strips(columns) else (count, part)

    def _team(self, axes: SortedAxes, rows: int, length: int) -> tuple[Team, int]:
        """Who takes rows, or parts of them, and how many sums each thread has running at once."""
        if self._is_on_cpu:
            return ONE_SIMDGROUP, MANY_VECTORS if length >= LONG_FOR_VECTORS else 1
        team = team_of_rows(rows, length, self._width(axes))
        vectors = MANY_VECTORS if team.width < MOST_WIDE else MANY_VECTORS // 2
        while vectors > 1 and elements_at_once(team) * vectors > length:
            vectors //= 2
        return team, vectors

    def _add_columns(self, axes: SortedAxes, source: Any) -> bool:
        """The same of the axes before the last one."""
        shape = axes.layouts[0].shape
        at = axes.roles.index(NOW)
        rows = math.prod(shape[:at])
        parts, part = self._parts_of_columns(rows, shape[-1], axes.extent(NOW))
        target, stored, finish, is_done = self._target(axes, parts)
        numbers = self._numbers_of_columns(shape[-1], float(self._work.count), parts, part)
        width = 1 if self._is_on_cpu else width_for(axes.layouts[self._first :], BYTES_OF_COLUMNS)
        sizes = (shape[-1], parts, rows)
        plan = self._plan_of_columns(stored, source, finish, at, numbers, sizes, width)
        self._add(plan, target, numbers, is_done=is_done)
        return is_done

    def _plan_of_columns(
        self,
        stored: Any,
        source: Any,
        finish: Any,
        at: int,
        numbers: tuple[Any, ...],
        sizes: tuple[int, int, int],
        width: int,
    ) -> Any:
        """What reduces columns; ``sizes`` are how many there are, of parts, and of rows."""
        common = (stored, source, self._work.reduction, finish, known(at))
        columns, *others = sizes
        if self._takes_strips(columns):
            strip = strip_to_reduce(columns, numbers[-1], width)
            groups = strip.strips(columns) * math.prod(others)
            launch = {"groups": groups, "threads": strip.threads, "work": self._expressions}
            return self._kernels.reduce_strips.prepare(*common, strip.known(), *numbers, **launch)
        vectors = vectors_of_columns(self._source, columns) if self._is_on_cpu else 0
        if not vectors:
            kernel = self._kernels.reduce_columns
            given = (*common, known(1 if self._is_on_cpu else TURNS), known(width), *numbers)
            grid = (columns // width, *others)
            return kernel.prepare(*given, grid=grid, work=self._expressions)
        threads = self._kernels.COLUMNS
        return self._kernels.reduce_whole_rows_of_columns.prepare(
            *(*common, known(vectors), *numbers),
            groups=(columns // (threads * vectors), *others),
            threads=threads,
            work=self._expressions,
        )

    def _add_copy(self, axes: SortedAxes, source: Any) -> None:
        """Add the launch that stores the elements, which are to be folded.

        What they are computed from keeps their axes from being merged to rows and columns; and it
        may not decide on the order in which they are reduced.
        """
        from speedmetal.arrays.kernels.copy import copy  # with its first use

        elements = axes.layouts[0]
        stored = type(self._source).allocate(elements.shape, elements.dtype, self._device)
        self._add(
            copy.prepare(stored, source, grid=grid_of(elements.shape)), stored, (), is_done=False
        )
        roles = tuple(LATER if role == NOW else role for role in axes.roles)
        self._go_on(stored, [*axes.layouts[1 : self._first]], roles)

    def _add_folded(self, axes: SortedAxes, source: Any) -> None:
        """The same, rows of few columns as rows of many, so many times as many as were folded.

        It does not give the result: what was folded is another axis of the parts, before the last.
        """
        columns, at = axes.layouts[0].shape[-1], axes.roles.index(NOW)
        outer = axes.layouts[0].shape[:at]
        width = folded_width(columns)
        rows = axes.extent(NOW) * columns // width
        is_whole = axes.extent(NOW) * columns == rows * width
        read = SortedAxes((*axes.layouts[:2], *axes.layouts[self._first :]), axes.roles)
        flat = read.with_one_behind(at)
        if not self._is_on_cpu and is_whole and flat is None:
            self._add_copy(axes, source)  # the order of operations is that of what lies as it seems
            return
        if self._is_on_cpu or is_whole:
            parts, part = self._parts_of_columns(math.prod(outer), width, rows)
        else:
            parts, part = parts_of_column(math.prod(outer) * width, rows)
        dtype = axes.layouts[0].dtype
        stored = type(self._source).allocate((*outer, parts, width), dtype, self._device)
        sizes: dict[str, Any] = {"grid": (width, parts, math.prod(outer))}
        sizes["work"] = self._expressions
        numbers: tuple[Any, ...]
        if flat is not None and is_whole:  # which needs less arithmetic for an element
            layouts = tuple(_folded(x, width) for x in flat.layouts)
            source, _ = placed(self._source, layouts[2:])
            numbers = self._numbers_of_columns(width, 0.0, parts, part)
            finish = self._kernels.as_it_is
            of_gpu = 1 if self._is_on_cpu else width_for(layouts[2:], BYTES_OF_COLUMNS)
            given = (stored, source, finish, at, numbers, sizes["grid"], of_gpu)
            plan = self._plan_of_columns(*given)
        else:
            if flat is not None:
                source, _ = placed(self._source, flat.layouts[2:])
            numbers = (columns, width, part)
            plan = self._kernels.reduce_folded.prepare(
                *(stored, source, self._work.reduction, known(at), *numbers), **sizes
            )
        self._add(plan, stored, numbers, is_done=False)
        elements = Layout.c_contiguous(dtype, (*outer, parts, width // columns, columns))
        places = [
            Layout(x.dtype, elements.shape, (*x.strides[:at], 0, 0, x.strides[-1]), x.offset)
            for x in axes.layouts[1 : self._first]
        ]
        roles = (*axes.roles[:at], LATER, LATER, axes.roles[-1])
        self._go_on(stored.with_elements(elements), places, roles)

    def _add(self, plan: Any, target: Any, numbers: tuple[Any, ...], *, is_done: bool) -> None:
        elements = target.elements
        size_bytes = 0 if is_done else elements.nbytes
        follows = is_done and self._follower is not None
        self._steps.append(_Step(plan.run, size_bytes, elements.offset, numbers, follows))

    def _target(self, axes: SortedAxes, parts: int) -> tuple[Any, Any, Any, bool]:
        """What a pass stores, with an axis of parts where the reduced ones were.

        Returns:
            The target, and as an argument, what is done with the totals, and whether it is the
            result; if it is not, it is what the next pass reads.
        """
        at = axes.roles.index(NOW)
        count = axes.roles.count(NOW)
        roles = (*axes.roles[:at], LATER, *axes.roles[at + count :])
        places = [
            Layout(
                x.dtype,
                (*x.shape[:at], parts, *x.shape[at + count :]),
                (*x.strides[:at], 0, *x.strides[at + count :]),
                x.offset,
            )
            for x in axes.layouts[1 : self._first]
        ]
        cls = type(self._source)
        if parts == 1 and LATER not in axes.roles:
            whole = cls.allocate(self._work.shape, places[0].dtype, self._device)
            target = whole.with_elements(places[0])
            argument, self._moves = followed(self._follower, target, places[1:])
            return target, argument, self._work.finish, True
        stored = cls.allocate(places[0].shape, axes.layouts[0].dtype, self._device)
        self._go_on(stored, places, roles)
        return stored, stored, self._kernels.as_it_is, False

    def _go_on(self, stored: Any, places: Sequence[Layout], roles: tuple[str, ...]) -> None:
        """Reduce from now on what a pass stored; ``places`` are of the result and its follower."""
        self._source = stored
        is_reduced = [role == LATER for role in roles]
        self._axes = in_order([stored.elements, *places, stored.elements], is_reduced)


def _parts(length: int, size: int) -> tuple[int, int]:
    """How many parts a row or column has, of about a size, and the length of all but the last."""
    if length <= 2 * size:
        return 1, length
    parts = -(-length // size)
    part = -(-length // parts // PARTS_MULTIPLE) * PARTS_MULTIPLE
    return -(-length // part), part


def folded_width(columns: int) -> int:
    """How long the rows are that rows of so few columns become: whole simdgroups."""
    least = math.lcm(columns, SIMDGROUP_SIZE)
    return least * -(-FOLDED_WIDTH // least)


def _folded(layout: Layout, width: int) -> Layout:
    """Rows of this width in the place of the last axis."""
    *outer, size = layout.shape
    *strides, step = layout.strides
    shape = (*outer, size // width, width)
    return Layout(layout.dtype, shape, (*strides, step * width, step), layout.offset)


def _are_to_fold(axes: SortedAxes) -> bool:
    """Whether columns are so few that the threads of rows would not be whole simdgroups."""
    elements, at = axes.layouts[0], axes.roles.index(NOW)
    columns = elements.shape[-1]
    if columns >= MOST_FOLDED or columns % SIMDGROUP_SIZE == 0:
        return False
    rows = axes.extent(NOW)
    lie_close = all(follow(elements, axis) for axis in range(at, elements.ndim - 1))
    return lie_close and rows * columns >= FEWEST_FOLDED * folded_width(columns)


def groups_of_rows(rows: int, length: int) -> tuple[int, int]:
    """How many simdgroups take rows, and how many of them each."""
    most = max(1, rows // FEWEST_GROUPS)
    each = max(1, min(ELEMENTS_OF_GROUP // length, most))
    return -(-rows // each), each
