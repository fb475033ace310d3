"""Elements at places that integer arrays and masks tell, written: ``x[index] = value``.

On the CPU it is left to NumPy on shared memory, but for what is many: there the last of several
values for one place wins, and the kernels keep to that.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from speedmetal.arrays.array import Array, upload
from speedmetal.arrays.creation import full
from speedmetal.arrays.deferred.graph import peeked
from speedmetal.arrays.hosting import is_on_cpu
from speedmetal.arrays.indices.choosers import (
    apart,
    apart_on_host,
    choosers_on_device,
    choosers_on_host,
    fits,
    on_plain,
    only_mask,
    plain_positions,
    read_mask,
    within_view,
)
from speedmetal.arrays.indices.rows import meet_often, write_rows
from speedmetal.arrays.memory.conversion import convert_on_host
from speedmetal.arrays.memory.placement import grid_of, in_order_of_memory
from speedmetal.arrays.memory.selection import (
    Selection,
    select,
)
from speedmetal.arrays.memory.shapes import Shape
from speedmetal.dtypes import int32
from speedmetal.errors import UserInputError
from speedmetal.frontend.static import static

_MANY = 1 << 16
"""Elements from which a kernel writes sooner than NumPy."""


def set_chosen(x: Array, index: Any, value: Any) -> None:
    """What ``x[index] = value`` does for an index with arrays in it, by NumPy's rules.

    Of several values for one place the last is written. Nothing is where a place is outside.

    Args:
        x: May be written to, and nothing waits to read it.
        index: As for :func:`get_chosen`.
        value: Broadcast to the shape of ``x[index]``, and converted.

    Raises:
        IndexError, TypeError: As for reading.
        ValueError: The value cannot be broadcast.
    """
    positions = plain_positions(x, index) if is_on_cpu(x) else None
    if positions is not None:
        host = convert_on_host(x.host_value(value), x.layout.dtype)
        apart = apart_on_host(positions, x), apart_on_host(host, x)
        on_plain(np.ndarray.__setitem__, x, *apart)
        return
    mask = only_mask(index)
    if mask is not None and np.ndim(value) == 0 and x.size >= _MANY and fits(x, mask):
        _fill_where(x, mask, value)
        return
    write_chosen(x, select(index, x.shape, read_mask), value)


def write_chosen(x: Array, chosen: Selection, value: Any) -> None:
    """Write a value to the elements that a selection takes."""
    view = x.with_elements(chosen.view(x.elements))
    if is_on_cpu(x):
        if _write_last_rows(x, view, chosen, value):
            return
        host = convert_on_host(x.host_value(value), x.layout.dtype)
        index = within_view(chosen, choosers_on_host(chosen, view))
        view.on_host()[index] = apart_on_host(host, view)
        return
    arrays = choosers_on_device(chosen, x.device, view)
    shape = chosen.shape_of(view.shape)
    values = _broadcast_values(value_on_device(x, value), shape)
    if values.size:
        _launch_write(view, values, arrays, chosen)


def _write_last_rows(x: Array, view: Array, chosen: Selection, value: Any) -> bool:
    """Write to rows of the CPU's memory of which many come several times; whether it was that."""
    shape = chosen.shape_of(view.shape)
    size, count = math.prod(shape), math.prod(chosen.shape)
    if len(chosen.choosers) != 1 or chosen.lead or size < _MANY or not isinstance(value, Array):
        return False
    if not meet_often(count, view.shape[0]):
        return False
    after = size // count
    target = view.viewed(lambda elements: elements.reshape((view.shape[0], after)))
    values = _broadcast_values(value_on_device(x, value), shape)
    rows = values.viewed(lambda elements: elements.reshape((count, after)))
    if target is None or rows is None:
        return False
    (positions,) = choosers_on_device(chosen, x.device, view)
    write_rows(target, peeked(rows), positions.reshape(-1))
    return True


def value_on_device(x: Array, value: Any) -> Array:
    """A value that is to be written to an array, on the array's device; it shares no memory."""
    if isinstance(value, Array):
        return apart(value.to(x.device), x)
    host = convert_on_host(x.host_value(value), x.layout.dtype)
    # A number is written by a kernel, which a graph may have, unlike a copy from the host.
    return upload(host, x.device) if host.ndim else full((), host, x.layout.dtype, x.device)


def _broadcast_values(values: Array, shape: Shape) -> Array:
    """Without axes of extent 1 that it has too many in front, as NumPy assigns."""
    extra = max(values.ndim - len(shape), 0)
    if values.shape[:extra] == (1,) * extra:
        values = values.reshape(values.shape[extra:])
    wide: Array = peeked(values.broadcast_to(shape))
    return wide


def _launch_write(
    view: Array, values: Array, positions: tuple[Array, ...], chosen: Selection
) -> None:
    from speedmetal.arrays.kernels.scatter import note_last, write_last  # as above

    extents = view.shape[chosen.lead : chosen.lead + len(positions)]
    last = full(extents, -1, int32, view.device)
    note_last(last, positions, grid=grid_of(positions[0].shape), debug=0)
    grid = grid_of(values.shape)
    write_last(view, values, last, positions, static(chosen.lead), grid=grid, debug=0)


def _fill_where(x: Array, mask: Any, value: Any) -> None:
    from speedmetal.arrays.kernels.scatter import fill_where  # as above

    there = mask if isinstance(mask, Array) else upload(np.asarray(mask), x.device)
    there = apart(there.to(x.device), x)
    number = convert_on_host(x.host_value(value), x.layout.dtype)[()]
    wide = there.reshape(there.shape + (1,) * (x.ndim - there.ndim)).broadcast_to(x.shape)
    to, of = x.elements, wide.elements
    if wide.pending is None:
        to, of = in_order_of_memory(to, of)
        wide = wide.with_elements(of)
    fill_where(x.with_elements(to), peeked(wide), number, grid=grid_of(to.shape), debug=0)


def writable(name: str, x: Any) -> Array:
    """An array that a function of this name is to change.

    Raises:
        UserInputError: It is none, or read-only.
    """
    if not isinstance(x, Array):
        raise UserInputError(f"{name} changes an sm.Array, got {type(x).__name__}")
    x.check_writable()
    return x
