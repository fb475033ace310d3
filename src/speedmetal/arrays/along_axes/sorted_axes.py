"""The axes of a reduction, sorted as elements lie in memory, and which of them go first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from speedmetal.arrays.deferred.following import Follower
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.placement import Moves, moved
from speedmetal.arrays.memory.shapes import Shape
from speedmetal.backends.device import SIMDGROUP_SIZE
from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.frontend.static import static
from speedmetal.frontend.structure import COSTLY_FROM, Structure
from speedmetal.launch.expressions import Expression, Number

EXPRESSIONS_OF_STEP = 10
"""Of a loop's turn that takes an element, about."""
EXPRESSIONS_OF_OPERATION = 4
"""Of what takes as long as an addition: it is written as several."""
SHORT = 16
"""Rows shorter than this are a thread's: the lanes of a simdgroup would not be half full."""
LONG = 1024
"""Rows from this on are reduced as they are, though more axes could be merged with theirs."""
WHOLE = 4096
"""Runs of up to so many elements are one row, whatever their axes: a launch costs more."""

LONG_ROW_BYTES = 2048
"""Rows of more columns are taken one vector after the other; see :func:`vectors_of_columns`."""

STAYS, LATER, NOW = "stays", "later", "now"
"""What becomes of an axis in a pass: it is in the result, in the parts, or reduced."""


@record(eq=False)
class SortedAxes:
    """Layouts of one shape, the axes sorted, those that lie closest last.

    Args:
        layouts: Of the elements as they are said to lie, of the result (0 along what is reduced),
            and of what the elements are computed from.
        roles: For each axis.
    """

    layouts: tuple[Layout, ...]
    roles: tuple[str, ...]

    def extent(self, role: str) -> int:
        """Of the axes of a role, as one."""
        pairs = zip(self.layouts[0].shape, self.roles, strict=True)
        return math.prod(extent for extent, own in pairs if own == role)

    def with_one_behind(self, count: int) -> SortedAxes | None:
        """The first axes, and one for all that follow; None where strides do not let them be one.

        Only what the elements are computed from counts.
        """
        flat: list[Layout] = []
        for layout in self.layouts:
            behind = Layout(layout.dtype, layout.shape[count:], layout.strides[count:]).collapse()
            if behind.ndim != 1 and len(flat) > 1:
                return None
            shape = (*layout.shape[:count], math.prod(layout.shape[count:]))
            strides = (*layout.strides[:count], behind.strides[-1])
            flat.append(Layout(layout.dtype, shape, strides, layout.offset))
        return SortedAxes(tuple(flat), (*self.roles[:count], NOW))

    def picked(self, order: Sequence[int]) -> SortedAxes:
        """These axes alone, in this order; the others have extent 1."""
        rest = [axis for axis in range(len(self.roles)) if axis not in order]
        moved = [layout.transpose([*order, *rest]) for layout in self.layouts]
        places = range(len(order), len(self.roles))
        return SortedAxes(
            tuple(layout.squeeze(places) for layout in moved),
            tuple(self.roles[axis] for axis in order),
        )

    def merged(self) -> SortedAxes:
        """As few axes as possible, each of one role."""
        shape = self.layouts[0].shape
        runs: list[tuple[int, int]] = []  # extent, and the axis whose strides the run has
        for axis, extent in enumerate(shape):
            if runs and self.roles[runs[-1][1]] == self.roles[axis]:
                before = runs[-1][1]
                if all(x.strides[before] == x.strides[axis] * extent for x in self.layouts):
                    runs[-1] = runs[-1][0] * extent, axis
                    continue
            runs.append((extent, axis))
        extents = tuple(extent for extent, _ in runs)
        return SortedAxes(
            tuple(
                Layout(x.dtype, extents, tuple(x.strides[axis] for _, axis in runs), x.offset)
                for x in self.layouts
            ),
            tuple(self.roles[axis] for _, axis in runs),
        )


def in_order(
    layouts: Sequence[Layout], is_reduced: Sequence[bool], *, turns_reduced: bool = True
) -> SortedAxes:
    """The axes of more than one element, sorted as those of the first layout lie, and all upwards.

    Axes along which it repeats itself come first.

    Args:
        layouts: Of one shape.
        is_reduced: For each axis.
        turns_reduced: Whether elements that are reduced may come in reverse order.
    """
    first = layouts[0]
    kept = [axis for axis, extent in enumerate(first.shape) if extent != 1]
    strides = first.strides
    order = sorted(kept, key=lambda axis: (strides[axis] != 0, -abs(strides[axis])))
    roles = tuple(LATER if is_reduced[axis] else STAYS for axis in range(first.ndim))
    axes = SortedAxes(tuple(layouts), roles).picked(order)
    backward = [
        place
        for place, axis in enumerate(order)
        if strides[axis] < 0 and (turns_reduced or not is_reduced[axis])
    ]
    return SortedAxes(tuple(layout.flip(backward) for layout in axes.layouts), axes.roles)


def chosen(axes: SortedAxes) -> tuple[SortedAxes, bool]:
    """The axes with those that the next pass reduces marked, and whether they are rows."""
    elements, roles = axes.layouts[0], axes.roles
    if LATER not in roles:  # of one element
        layouts = tuple(layout.expand_dims(-1) for layout in axes.layouts)
        return SortedAxes(layouts, (*roles, NOW)), True
    last = max(axis for axis, role in enumerate(roles) if role == LATER)
    first = last
    while first and roles[first - 1] == LATER and follow(elements, first - 1):
        first -= 1
    end = last + 1
    are_rows = end == len(roles)
    if are_rows:
        first, end = _cut(elements.shape, first, end)
        are_rows = end == len(roles)
    marked = tuple(NOW if first <= axis < end else role for axis, role in enumerate(roles))
    return SortedAxes(axes.layouts, marked), are_rows


def follow(elements: Layout, axis: int) -> bool:
    """Whether an axis and the next one could be one."""
    return elements.strides[axis] == elements.strides[axis + 1] * elements.shape[axis + 1]


def _cut(shape: Shape, first: int, end: int) -> tuple[int, int]:
    """Which of the last axes, from one to another, a pass reduces: all, the back, or the front."""
    if math.prod(shape[first:end]) <= WHOLE:
        return first, end
    cut = end - 1
    while cut > first and math.prod(shape[cut:end]) < SHORT:
        cut -= 1
    if cut == first or math.prod(shape[cut:end]) >= LONG:
        return cut, end
    return first, cut


def result_layout(elements: Layout, is_reduced: Sequence[bool], dtype: DType) -> Layout:
    """Where in a result in C order each element's total is: along reduced axes all are one."""
    kept = tuple(1 if gone else n for n, gone in zip(elements.shape, is_reduced, strict=True))
    return Layout.c_contiguous(dtype, kept).broadcast_to(elements.shape)


def with_now_in_place(axes: SortedAxes, *, are_rows: bool) -> SortedAxes:
    """The axes to reduce behind all others, or before the last of them, the columns."""
    count = len(axes.roles)
    now = [axis for axis in range(count) if axes.roles[axis] == NOW]
    others = [axis for axis in range(count) if axes.roles[axis] != NOW]
    order = [*others, *now] if are_rows else [*others[:-1], *now, others[-1]]
    return axes.picked(order)


# --- Sources -------------------------------------------------------------------------------------


def leaves_of(source: Any) -> tuple[Any, ...]:
    """What an array is computed from: itself, where it is in memory."""
    return source.leaves if type(source.pending) is Structure else (source,)


def layouts_of_leaves(source: Any) -> list[Layout]:
    """For each array that an array is computed from, where its elements lie for those of it."""
    arrays = [leaf for leaf in leaves_of(source) if type(leaf) is not Number]
    return [array.elements.broadcast_to(source.elements.shape) for array in arrays]


def placed(source: Any, layouts: Sequence[Layout], first: int = 2) -> tuple[Any, Moves]:
    """An array as an argument of a kernel, with other axes.

    Args:
        source: An array whose leaves are in memory.
        layouts: Those of :func:`layouts_of_leaves`, on these axes.
        first: The place of its first leaf among the values of a launch.

    Returns:
        The argument, and how far the first element that is read is from each leaf's, in bytes, by
        its place among the values of a launch; those that do not move are left out.
    """
    found, moves = moved(leaves_of(source), layouts, first)
    if type(source.pending) is not Structure:
        return found[0], moves
    return Expression(source.pending, found, layouts[0].shape), moves


def vectors_of_columns(source: Any, columns: int) -> int:
    """How many columns a thread takes of few, so that whole rows are read; 0: one, as of many.

    Measured on a core of an Emerald Rapids, sums over the middle of 512 x 128 x 128 float32: 5.7 ms
    with a thread for each column, 4.7 and 2.6 ms with 4 and 8 (PyTorch: 3.9); from 1024 columns on
    both take the same time. The code of an expression is written as often, so it is to be short.
    The order of operations is the same.
    """
    if columns * source.elements.itemsize > LONG_ROW_BYTES:
        return 0
    if type(source.pending) is Structure and source.pending.cost >= COSTLY_FROM:
        return 0
    return next((n for n in (8, 4, 2) if columns % (n * SIMDGROUP_SIZE // 2) == 0), 0)


def work_of(source: Any) -> int:
    """About how many expressions it takes to go once over all elements of an array."""
    cost = source.pending.cost if type(source.pending) is Structure else 0
    return int(source.elements.size * (EXPRESSIONS_OF_STEP + EXPRESSIONS_OF_OPERATION * cost))


def work_of_follower(follower: Follower | None) -> int:
    """The same of what is computed of a result."""
    return 0 if follower is None else work_of(follower.array)


def known(number: int) -> Any:
    """A number as an argument that a kernel knows while it is compiled."""
    return static(number)
