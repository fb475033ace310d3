"""Rows of the CPU's memory at positions of one axis: which way is taken to read, write, join them.

All that depends on sizes is decided here, measured on two cores of an Emerald Rapids:

* *Few* bytes NumPy reads before a launch has begun; more are a kernel's.
* Values are joined *in order*, by a thread for each column; what that needs besides addresses is a
  plan, kept by the layouts, so that a call costs a few look-ups.
* Where many values meet in few rows, each of :data:`PARTS` parts of them goes to a table of its
  own, which stays in the caches of a core; then the tables are joined, in their order. The number
  of parts is the same everywhere, so that sums are.
* Of many rows written to few places the last one of each is found first, and no other is read.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import full
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.placement import grid_of
from speedmetal.arrays.memory.selection import check_positions
from speedmetal.arrays.memory.strided import fresh_layout
from speedmetal.backends.device import BoundLaunch, LaunchLayout
from speedmetal.common.records import record
from speedmetal.dtypes import DType, int32, int64
from speedmetal.launch.modes import stated_math_mode

FEW_BYTES = 1 << 20
"""Rows of so many bytes NumPy reads sooner than a kernel that is launched: for 1 MiB it takes 30
us, a kernel on two cores 20, and all that is asked before 50. Up to as many one core writes them in
their order, in a changed copy, sooner than it is found which one of each is the last."""
POOLED_BYTES = 1 << 16
"""Results of so many bytes are in memory of ours, which is kept."""
SMALL_BYTES = 1 << 19
"""Arrays of so many bytes are copied at once, on one core, for their changed copy."""
PARTS = 16
"""Of many values for few places; the same number everywhere, so that sums are."""
MEETING = 4
"""So many values for each row of each table are worth tables."""

_math_mode = stated_math_mode


def meet_often(count: int, extent: int) -> bool:
    """Whether so many values are joined in tables to rows of an axis."""
    return count >= MEETING * PARTS * extent > 0


# --- Few rows ------------------------------------------------------------------------------------


def few_rows(x: Array, index: Any) -> Array | None:
    """``x[index]`` for an array of integers of ours, where NumPy is the way; else None.

    Raises:
        IndexError: A position is outside.
    """
    if type(index) is not Array or x.pending is not None or index.pending is not None:
        return None
    key = x.layout, index.layout
    result = _few.get(key)
    if result is None and key not in _few:
        result = _few.keep(key, _few_of(x, index))
    if result is None:
        return None
    host, positions = x.on_host(), index.on_host()
    if result.is_pooled and host.flags.c_contiguous:
        check_positions(positions, 0, len(host))
        rows = Array(x.layout.device.allocate(result.size_bytes), result.elements, result.layout)
        host.take(positions, 0, rows.on_host(), "wrap")  # other modes write to a copy first
        return rows
    try:  # of rows that lie one after the other `take` copies in half the time
        found = host.take(positions, 0) if host.flags.c_contiguous else host[positions]
    except IndexError:
        check_positions(positions, 0, len(host))
        raise
    return Array.of_fresh(found, result.elements, result.layout)


@record(eq=False)
class _FewRows:
    """Rows that NumPy reads.

    Args:
        elements: The layout of the result, as what follows.
        layout: For launches.
        size_bytes: In C order.
    """

    elements: Layout
    layout: LaunchLayout
    size_bytes: int

    @property
    def is_pooled(self) -> bool:
        """Whether the result is so large that NumPy's memory would come fresh from the system."""
        return self.size_bytes >= POOLED_BYTES


_few: Kept[_FewRows | None] = Kept(2048)


def _few_of(x: Array, index: Array) -> _FewRows | None:
    own, of = x.layout, index.layout
    if not (own.shape and of.shape and of.dtype.numpy.kind == "i" and _are_there(own, of)):
        return None
    found = _FewRows(*fresh_layout(of.shape + own.shape[1:], own.dtype, own.device))
    return found if 0 < found.size_bytes <= FEW_BYTES else None


def _are_there(*layouts: LaunchLayout) -> bool:
    """Whether all is memory that NumPy reads where it is."""
    first = layouts[0].device
    return first.takes_numpy_arrays and all(layout.device is first for layout in layouts)


# --- Changed copies ------------------------------------------------------------------------------


@record(eq=False)
class _Plan:
    """How a changed copy of a small array is made.

    Args:
        run: Launches the kernel, with the addresses of the copy, the values, the positions, and of
            ``outside``.
        outside: Becomes 1 when a launch finds a position outside. It stays so: others may look.
        elements: Of the copy, as what follows.
        layout: For launches.
        size_bytes: In C order.
    """

    run: BoundLaunch
    outside: Any
    elements: Layout
    layout: LaunchLayout
    size_bytes: int


_plans: Kept[_Plan | None] = Kept(2048)


def changed_copy(operation: str, x: Array, index: Any, values: Any) -> Array | None:
    """A copy of a small array in memory with values joined, or written, to rows; else None.

    Args:
        operation: A key of :data:`speedmetal.arrays.kernels.scatter.IN_ORDER`.
        x: What is copied.
        index: Its rows: an array of ours in memory.
        values: The same of its dtype, a row for each.

    Raises:
        IndexError: A position is outside.
    """
    if type(index) is not Array or type(values) is not Array:
        return None
    if not (x.pending is index.pending is values.pending is None):
        return None
    key = (operation, x.layout, index.layout, values.layout, _math_mode.get())
    plan = _plans.get(key)
    if plan is None and key not in _plans:
        plan = _plans.keep(key, _plan_for(operation, x, index, values))
    if plan is None:
        return None
    copy = x.layout.device.allocate(plan.size_bytes)
    ctypes.memmove(copy.address, x.address, plan.size_bytes)
    plan.run([0, copy.address, values.address, index.address, plan.outside.address])
    if plan.outside.on_host()[0]:
        _plans.pop(key, None)
        check_positions(index.on_host(), 0, x.layout.shape[0])
    return Array(copy, plan.elements, plan.layout)


def _plan_for(operation: str, x: Array, index: Array, values: Array) -> _Plan | None:
    own, of, new = x.layout, index.layout, values.layout
    is_plain = (
        own.shape
        and of.shape
        and of.dtype in (int32, int64)
        and new.dtype is own.dtype
        and new.shape == of.shape + own.shape[1:]
        and _are_there(own, of, new)
        and 0 < x.elements.nbytes <= SMALL_BYTES
        and x.elements.is_c_contiguous
        and _is_joined(operation, own.dtype)
    )
    if not is_plain or not values.size:
        return None
    is_short = operation != "set" or values.elements.nbytes <= FEW_BYTES
    are_few = is_short and not meet_often(index.size, own.shape[0])
    outside = full(1, 0, int32, own.device)
    run = _bound(operation, x, index, values, outside) if are_few else None
    if run is None:
        return None
    return _Plan(run, outside, *fresh_layout(own.shape, own.dtype, own.device))


def _is_joined(operation: str, dtype: DType) -> bool:
    """Whether a kernel joins numbers of a dtype so; else others do, or say why it is not done."""
    if operation == "divide":
        return dtype.is_float or dtype.is_complex
    if operation in ("minimum", "maximum"):
        return not (dtype.is_complex or dtype.is_bool)
    return operation == "set" or not dtype.is_bool


def _bound(
    operation: str, x: Array, index: Array, values: Array, outside: Array
) -> BoundLaunch | None:
    """What joins values to rows of a copy of an array; None where their strides are too many."""
    from speedmetal.arrays.kernels.scatter import IN_ORDER, accumulate_in_order

    extent = x.layout.shape[0]
    after, count = x.size // extent, index.size
    copy = Array.allocate((1, extent, after), x.layout.dtype, x.layout.device)
    lined = values.viewed(lambda elements: elements.reshape((1, count, after)))
    rows = index.viewed(lambda elements: elements.reshape((count,)))
    if lined is None or rows is None:
        return None
    join = IN_ORDER[operation]
    plan = accumulate_in_order.prepare(copy, lined, rows, outside, join, grid=(after, 1))
    return plan.run


# --- In place ------------------------------------------------------------------------------------


def join_rows(operation: str, target: Array, values: Array, rows: Array) -> None:
    """Join values to rows of an array in memory, in place; positions are on the axis.

    Args:
        operation: A key of :data:`speedmetal.arrays.kernels.scatter.ACCUMULATE`.
        target: (before, extent, after).
        values: (before, count, after), in other memory.
        rows: (count,), the same.
    """
    before, extent, after = target.shape
    in_parts = before == 1 and meet_often(rows.size, extent) and operation in IDENTITIES
    if in_parts and after > 1:
        _join_in_parts(operation, target[0], values[0], rows)
        return
    if in_parts:
        _join_elements_in_parts(operation, target.reshape(extent), values.reshape(-1), rows)
        return
    from speedmetal.arrays.kernels.scatter import ACCUMULATE, accumulate_in_order

    join, grid = ACCUMULATE[operation][0], (after, before)
    accumulate_in_order(target, values, rows, None, join, grid=grid, debug=0)


def write_rows(target: Array, values: Array, rows: Array) -> None:
    """Write values to rows of an array in memory, in place, the last one of each row.

    Args:
        target: (extent, after).
        values: (count, after), in other memory.
        rows: (count,), positions on the axis: so many that they :func:`meet_often`.
    """
    from speedmetal.arrays.kernels.scatter import note_last_in_parts, write_last_of_parts

    last = full((PARTS, target.shape[0]), -1, int32, target.device)
    note_last_in_parts(last, rows, groups=PARTS, threads=1, debug=0)
    write_last_of_parts(target, values, last, grid=grid_of(target.shape), debug=0)


def _join_in_parts(operation: str, target: Array, values: Array, rows: Array) -> None:
    from speedmetal.arrays.kernels.scatter import (
        ACCUMULATE,
        LANES,
        accumulate_rows_in_parts,
        join_parts,
    )

    parts = _tables(operation, target)
    join = ACCUMULATE[operation][0]
    accumulate_rows_in_parts(parts, values, rows, join, groups=PARTS, threads=LANES, debug=0)
    whole = ACCUMULATE[_JOINS.get(operation, operation)][0]
    join_parts(target, parts, whole, grid=grid_of(target.shape), debug=0)


def _join_elements_in_parts(operation: str, target: Array, values: Array, rows: Array) -> None:
    """The same of single elements, for which vectors of parts are taken at once."""
    from speedmetal.arrays.kernels.scatter import ACCUMULATE, accumulate_parts, join_parts

    parts = _tables(operation, target)
    accumulate_parts(parts, values, rows, ACCUMULATE[operation][0], grid=PARTS, debug=0)
    whole = ACCUMULATE[_JOINS.get(operation, operation)][0]
    column = target.reshape(-1, 1)
    join_parts(column, parts[..., None], whole, grid=grid_of(column.shape), debug=0)


def _tables(operation: str, target: Array) -> Array:
    dtype = target.layout.dtype
    start = IDENTITIES[operation](dtype)
    if not start and not dtype.is_integer:
        start = -0.0  # which changes not even -0.0 where it is added
    return full((PARTS, *target.shape), start, dtype, target.device)


def least_of(dtype: DType) -> Any:
    """The least number of a type."""
    return -np.inf if dtype.is_float else dtype.minimum


def greatest_of(dtype: DType) -> Any:
    """The greatest number of a type."""
    return np.inf if dtype.is_float else dtype.maximum


IDENTITIES: dict[str, Callable[[DType], Any]] = {
    "add": lambda _: 0,
    "subtract": lambda _: 0,
    "multiply": lambda _: 1,
    "minimum": greatest_of,
    "maximum": least_of,
}
"""What changes nothing, by the operation."""

_JOINS = {"subtract": "add"}
"""How tables are joined where it is not the operation itself: they begin with 0."""
