"""Rows at positions that the device looks at: what is small is read, or joined, at once.

It costs a look-up by the layouts, memory, and the launch; as part of an expression it would cost
the host three times as much, which for so few bytes is more than the device needs. So are elements
of one axis, however many: their positions are read once, where an expression would read them again
after they were looked at.
"""

from __future__ import annotations

import math
from typing import Any

from speedmetal.arrays.array import Array
from speedmetal.arrays.indices.late_checks import looks_later, reporting
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.placement import grid_of
from speedmetal.arrays.memory.shapes import Shape
from speedmetal.arrays.memory.strided import fresh_layout
from speedmetal.backends.device import BoundLaunch, LaunchLayout
from speedmetal.common.records import record
from speedmetal.frontend.static import static
from speedmetal.launch.modes import stated_math_mode

FEW_BYTES = 1 << 20
"""A result of so many bytes a GPU writes in less time than the host needs to ask for it."""

MOST_LOOKED_AT = 1024
"""Positions that each thread looks at to find the last of its row; for more there are several
launches."""

_math_mode = stated_math_mode


@record(eq=False)
class _Plan:
    """How a result is made.

    Args:
        copy: Copies the array to the result first, where values are joined to it.
        run: Reads the rows, or joins or writes the values, with the addresses of the result, of the
            other arrays, the positions last, and ``last``.
        last: The address of the words, and numbers.
        elements: Of the result, as what follows.
        layout: For launches.
        size_bytes: In C order.
    """

    copy: BoundLaunch | None
    run: BoundLaunch
    last: tuple[int, ...]
    elements: Layout
    layout: LaunchLayout
    size_bytes: int


_plans: Kept[_Plan | None] = Kept(2048)


def late_rows(x: Array, index: Array) -> Array | None:
    """``x[index]``, where both are in memory of a device that looks at positions later; else None.

    Raises:
        IndexError: There are positions, and no rows.
    """
    if x.pending is not None or index.pending is not None:
        return None
    key = x.layout, index.layout
    plan = _plans.get(key)
    if plan is None:
        if key in _plans:
            return None
        plan = _plans.keep(key, _reading(x, index))
        if plan is None:
            return None
    result = Array(x.layout.device.allocate(plan.size_bytes), plan.elements, plan.layout)
    plan.run([0, result.address, x.address, index.address, *plan.last])
    return result


def late_joined(operation: str, x: Array, index: Any, values: Any) -> Array | None:
    """A copy of ``x`` with values joined, or written, to ``x[index]``, likewise; else None.

    Args:
        operation: A key of :data:`speedmetal.arrays.kernels.scatter.ACCUMULATE`, that the device
            does to elements of such a dtype by an atomic operation; or ``"set"``.
        x: What is copied.
        index: Its rows.
        values: Of its dtype, a row for each.

    Raises:
        IndexError: There are positions, and no rows.
    """
    if type(index) is not Array or type(values) is not Array:
        return None
    if not (x.pending is index.pending is values.pending is None):
        return None
    key = operation, x.layout, index.layout, values.layout, _math_mode.get()
    plan = _plans.get(key)
    if plan is None:
        if key in _plans:
            return None
        plan = _plans.keep(key, _joining(operation, x, index, values))
        if plan is None:
            return None
    result = Array(x.layout.device.allocate(plan.size_bytes), plan.elements, plan.layout)
    if plan.copy is None:
        addresses = result.address, x.address, values.address, index.address
        plan.run([0, *addresses, *plan.last])
        return result
    plan.copy([0, result.address, x.address])
    plan.run([0, result.address, values.address, index.address, *plan.last])
    return result


def _reading(x: Array, index: Array) -> _Plan | None:
    from speedmetal.arrays.kernels.gather import gather_told  # with its first use

    if not _are_rows(x, index):
        return None
    shape = index.shape + x.shape[1:]
    fresh = fresh_layout(shape, x.layout.dtype, x.device)
    row = _as_one_axis(x.shape[1:])
    target = Array.allocate((index.size, *row), x.layout.dtype, x.device)
    source = x.viewed(lambda elements: elements.reshape((x.shape[0], *row)))
    rows = index.viewed(lambda elements: elements.reshape((index.size,)))
    is_left = not fresh[2] or (fresh[2] > FEW_BYTES and bool(row))
    if is_left or source is None or rows is None:
        return None
    words, *numbers = reporting(index, 0, x.shape[0])
    arguments = target, source, rows, words, *numbers, static(0)
    run = gather_told.prepare(*arguments, grid=grid_of(target.shape)).run
    return _Plan(None, run, (words.address, *numbers), *fresh)


def _joining(operation: str, x: Array, index: Array, values: Array) -> _Plan | None:
    from speedmetal.arrays.kernels.copy import copy
    from speedmetal.arrays.kernels.scatter import ACCUMULATE, accumulate_told, write_told

    own, new = x.layout, values.layout
    are_alike = new.dtype is own.dtype and new.shape == index.shape + own.shape[1:]
    if not (_are_rows(x, index) and are_alike and values.size and new.device is own.device):
        return None
    if x.elements.nbytes > FEW_BYTES or not x.elements.is_c_contiguous:
        return None
    extent, count, row = x.shape[0], index.size, _as_one_axis(x.shape[1:])
    target = Array.allocate((extent, *row), own.dtype, own.device)
    source = x.viewed(lambda elements: elements.reshape(target.shape))
    lined = values.viewed(lambda elements: elements.reshape((count, *row)))
    rows = index.viewed(lambda elements: elements.reshape((count,)))
    if source is None or lined is None or rows is None:
        return None
    words, *numbers = reporting(index, 0, extent)
    last = (words.address, *numbers)
    fresh = fresh_layout(own.shape, own.dtype, own.device)
    if operation == "set":
        if count > MOST_LOOKED_AT:
            return None
        written = target, source, lined, rows, words, *numbers
        return _Plan(
            None, write_told.prepare(*written, grid=grid_of(target.shape)).run, last, *fresh
        )
    arguments = target, lined, rows, words, *numbers, ACCUMULATE[operation][1]
    run = accumulate_told.prepare(*arguments, grid=grid_of(lined.shape)).run
    copied = copy.prepare(target.reshape(-1), source.reshape(-1), grid=x.size).run
    return _Plan(copied, run, last, *fresh)


def _as_one_axis(shape: Shape) -> Shape:
    """As many elements on one axis; none where it is one."""
    size = math.prod(shape)
    return (size,) if size > 1 else ()


def _are_rows(x: Array, index: Array) -> bool:
    """Whether an index chooses rows, and is looked at later."""
    is_plain = bool(x.layout.shape and x.size and index.layout.dtype.is_integer)
    return is_plain and index.layout.device is x.layout.device and looks_later(index)
