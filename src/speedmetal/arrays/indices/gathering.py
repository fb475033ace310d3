"""Elements at places that integer arrays and masks tell: advanced indexing, ``take`` and others.

Where one kernel of ours reads or writes them, it is one of :mod:`speedmetal.arrays.kernels`. What
is small, and writing on the CPU, is left to NumPy on shared memory: there the last of several
values for one place wins, and the kernels keep to that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from speedmetal.arrays.array import Array, upload
from speedmetal.arrays.creation import asarray, full, zeros
from speedmetal.arrays.deferred.graph import peeked
from speedmetal.arrays.deferred.lazy import call
from speedmetal.arrays.deferred.pending import Call
from speedmetal.arrays.hosting import is_on_cpu, owned
from speedmetal.arrays.indices.rows import few_rows, meet_often, write_rows
from speedmetal.arrays.indices.searching import places_of
from speedmetal.arrays.memory.conversion import convert_on_host
from speedmetal.arrays.memory.copying import check_computes
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.layout import Layout, collapse_axes
from speedmetal.arrays.memory.placement import grid_of, in_order_of_memory
from speedmetal.arrays.memory.selection import (
    Selection,
    check_positions,
    select,
)
from speedmetal.arrays.memory.shapes import Shape, axes_of
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.backends.device import BoundLaunch, Device
from speedmetal.dtypes import int32, int64
from speedmetal.errors import UserInputError
from speedmetal.frontend.static import static
from speedmetal.launch.modes import stated_math_mode

_MANY = 1 << 16
"""Elements from which a kernel writes sooner than NumPy."""


# --- x[index] ------------------------------------------------------------------------------------


def get_chosen(x: Array, index: Any) -> Array:
    """What ``x[index]`` is for an index with arrays in it, by NumPy's rules: a new array.

    Arrays of integers are broadcast together and take the place of the axes that they index, or
    come first where a slice, ``None`` or ``...`` stands between them. A mask is as the arrays of
    :func:`nonzero`. Where the shape does not depend on values, the result is lazy; the places are
    checked at once.

    Raises:
        IndexError: A place is outside, there are too many parts, a mask has another shape, or
            arrays do not go together.
        TypeError: A part is no index.
    """
    rows = few_rows(x, index)
    if rows is not None:
        return rows
    positions = _plain_positions(x, index)
    if positions is not None:
        return upload(_on_plain(np.ndarray.__getitem__, x, positions), x.device)
    if type(index) is Array and index.layout.dtype.is_integer and x.layout.shape:
        return _rows_at(x, index)
    mask = _only_mask(index)
    rows = None if mask is None or not _fits(x, mask) else _rows_of(x, mask.ndim)
    if rows is not None:
        return _where_true(rows, _read_mask(mask).reshape(-1))
    chosen = select(index, x.shape, _read_mask)
    result = choose(x, chosen)
    if _has_mask(index) and result.pending is not None:
        result.buffer  # noqa: B018 - it is computed now, as all whose shape depends on values
    return result


def _rows_at(x: Array, index: Array) -> Array:
    """``x[index]`` for an array of integers with axes: as :func:`choose`, in less time."""
    extent, *row = x.layout.shape
    positions = checked_positions(index, 0, extent, x.device)
    check = partial(_check_again, (index,), (0,), (extent,))
    return _lazy_gather(peeked(x), (positions,), 0, (*index.layout.shape, *row), check)


_ARRAYS = frozenset({Array, np.ndarray, list})


def _plain_positions(x: Array, index: Any) -> HostArray | None:
    """The commonest index: an array of integers, few of them, of rows in small memory; else None.

    NumPy does it while other cases are still told apart.
    """
    if type(index) not in _ARRAYS or x.pending is not None or not x.layout.shape:
        return None
    if not x.is_sooner_on_host(x.elements.nbytes):
        return None
    positions = index.numpy() if type(index) is Array else np.asarray(index)
    row_bytes = x.elements.nbytes // max(x.layout.shape[0], 1)
    is_plain = positions.dtype.kind == "i" and positions.ndim
    return positions if is_plain and x.is_sooner_on_host(positions.size * row_bytes) else None


def _on_plain(function: Callable[..., Any], x: Array, positions: HostArray, *more: Any) -> Any:
    """NumPy's reading or writing, with our words for a place outside."""
    try:
        return function(x.on_host(), positions, *more)
    except IndexError:
        check_positions(positions, 0, x.shape[0])
        raise


def choose(x: Array, chosen: Selection) -> Array:
    """The elements that a selection takes, lazy but where they are few."""
    view = x.viewed(chosen.view)
    assert view is not None
    shape = chosen.shape_of(view.shape)
    few = view.pending is None and view.is_sooner_on_host(math.prod(shape) * view.itemsize)
    if few:
        index = within_view(chosen, choosers_on_host(chosen))
        return upload(view.on_host()[index], x.device)
    positions = choosers_on_device(chosen, x.device)
    extents = view.shape[chosen.lead : chosen.lead + len(positions)]
    check = partial(_check_again, chosen.choosers, chosen.axes, extents)
    return _lazy_gather(peeked(view), positions, chosen.lead, shape, check)


def _check_again(
    choosers: tuple[Any, ...], axes: tuple[int, ...], extents: tuple[int, ...]
) -> None:
    """Check positions in memory of the CPU when they are used: NumPy may have written to it.

    Raises:
        IndexError: One is outside now.
    """
    for chooser, axis, extent in zip(choosers, axes, extents, strict=True):
        if isinstance(chooser, Array) and is_on_cpu(chooser):
            check_positions(chooser.numpy(), axis, extent)


def _lazy_gather(
    view: Array,
    positions: tuple[Array, ...],
    lead: int,
    shape: Shape,
    check: Callable[[], None] | None = None,
) -> Array:
    """What is chosen of a view, when it is asked for.

    Args:
        view: What is read.
        positions: On its axes from ``lead`` on, of one shape.
        lead: See above.
        shape: Of the result.
        check: Called before; may raise.
    """

    def run() -> tuple[Array]:
        if check is not None:
            check()
        target = Array.allocate(shape, view.layout.dtype, view.device)
        if target.size:
            _launch_gather(target, view, positions, lead)
        return (target,)

    check_computes("an index array", view.device, view.layout.dtype)
    node = Call("gather", (view, *positions), run, _reads_of(shape, view))
    found: list[Array] = call(Array, node, [(shape, view.layout.dtype)], view.device)
    return found[0]


def _reads_of(shape: Shape, view: Array) -> int:
    """How often an element is read, about."""
    return 1 if math.prod(shape) <= view.size else 2


def _launch_gather(target: Array, view: Array, positions: tuple[Array, ...], lead: int) -> None:
    from speedmetal.arrays.kernels.gather import gather  # with its first use, as in `copying`

    if view.pending is not None:
        grid = grid_of(target.shape)
        gather(target, view, positions, static(lead), grid=grid, debug=0)
        return
    layouts = tuple(array.layout for array in positions)
    key = (target.layout, view.layout, layouts, lead, stated_math_mode.get())
    run = _plans.get(key) or _plans.keep(key, _bound_gather(target, view, positions, lead))
    run([0, target.address, view.address, *(array.address for array in positions)])


_plans: Kept[BoundLaunch] = Kept(1024)


def _bound_gather(
    target: Array, view: Array, positions: tuple[Array, ...], lead: int
) -> BoundLaunch:
    """What launches the kernel; no first element moves where axes are merged."""
    from speedmetal.arrays.kernels.gather import gather  # as above

    elements = [array.elements for array in positions]
    to, of, layouts, lead = _merged(target.elements, view.elements, elements, lead)
    arguments = (target.with_elements(to), view.with_elements(of))
    chosen = _with_layouts(positions, layouts)
    plan = gather.prepare(*arguments, chosen, static(lead), grid=grid_of(to.shape))
    return plan.run


def _with_layouts(arrays: tuple[Array, ...], layouts: list[Layout]) -> tuple[Array, ...]:
    pairs = zip(arrays, layouts, strict=True)
    return tuple(array.with_elements(layout) for array, layout in pairs)


def _merged(
    whole: Layout, source: Layout, choosers: list[Layout], lead: int
) -> tuple[Layout, Layout, list[Layout], int]:
    """Layouts on as few axes as possible: of what is chosen, what of, the positions; and ``lead``.

    Args:
        whole: Of the axes of the source before ``lead``, the choosers' axes, and the others.
        source: Has an axis for each chooser, from ``lead`` on.
        choosers: Of one shape.
        lead: See above.
    """
    ndim, count = choosers[0].ndim, len(choosers)
    before = collapse_axes(_axes(whole, 0, lead), _axes(source, 0, lead))
    middle = collapse_axes(_axes(whole, lead, lead + ndim), *choosers)
    if not middle[0].shape:
        middle = tuple(layout.expand_dims(0) for layout in middle)
    after = collapse_axes(
        _axes(whole, lead + ndim, whole.ndim), _axes(source, lead + count, source.ndim)
    )
    chosen_axes = _axes(source, lead, lead + count)
    return (
        _joined(whole, before[0], middle[0], after[0]),
        _joined(source, before[1], chosen_axes, after[1]),
        list(middle[1:]),
        before[0].ndim,
    )


def _axes(layout: Layout, first: int, end: int) -> Layout:
    return Layout(layout.dtype, layout.shape[first:end], layout.strides[first:end], layout.offset)


def _joined(of: Layout, *parts: Layout) -> Layout:
    shape = tuple(extent for part in parts for extent in part.shape)
    strides = tuple(stride for part in parts for stride in part.strides)
    return Layout(of.dtype, shape, strides, of.offset)


# --- x[index] = value ----------------------------------------------------------------------------


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
    positions = _plain_positions(x, index) if is_on_cpu(x) else None
    if positions is not None:
        host = convert_on_host(x.host_value(value), x.layout.dtype)
        apart = _apart_on_host(positions, x), _apart_on_host(host, x)
        _on_plain(np.ndarray.__setitem__, x, *apart)
        return
    mask = _only_mask(index)
    if mask is not None and np.ndim(value) == 0 and x.size >= _MANY and _fits(x, mask):
        _fill_where(x, mask, value)
        return
    write_chosen(x, select(index, x.shape, _read_mask), value)


def write_chosen(x: Array, chosen: Selection, value: Any) -> None:
    """Write a value to the elements that a selection takes."""
    view = x.with_elements(chosen.view(x.elements))
    if is_on_cpu(x):
        if _write_last_rows(x, view, chosen, value):
            return
        host = convert_on_host(x.host_value(value), x.layout.dtype)
        index = within_view(chosen, choosers_on_host(chosen, view))
        view.on_host()[index] = _apart_on_host(host, view)
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
        return _apart(value.to(x.device), x)
    return upload(convert_on_host(x.host_value(value), x.layout.dtype), x.device)


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
    there = _apart(there.to(x.device), x)
    number = convert_on_host(x.host_value(value), x.layout.dtype)[()]
    wide = there.reshape(there.shape + (1,) * (x.ndim - there.ndim)).broadcast_to(x.shape)
    to, of = x.elements, wide.elements
    if wide.pending is None:
        to, of = in_order_of_memory(to, of)
        wide = wide.with_elements(of)
    fill_where(x.with_elements(to), peeked(wide), number, grid=grid_of(to.shape), debug=0)


# --- Masks ---------------------------------------------------------------------------------------


def _read_mask(mask: Any) -> HostArray:
    return mask.numpy() if isinstance(mask, Array) else np.asarray(mask)


def _only_mask(index: Any) -> Any:
    """The index, where it is one mask with axes; else None."""
    if isinstance(index, tuple) and len(index) == 1:
        index = index[0]
    is_array = isinstance(index, Array | np.ndarray)
    return index if is_array and index.ndim and index.dtype == np.bool_ else None


def _has_mask(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return any(_only_mask(part) is not None for part in parts)


def _fits(x: Array, mask: Any) -> bool:
    return tuple(mask.shape) == x.shape[: mask.ndim]


def _rows_of(x: Array, ndim: int) -> Array | None:
    """A view with one axis in the place of the first ones; None where strides do not allow it."""
    length = math.prod(x.shape[:ndim])
    return x.viewed(lambda elements: elements.reshape((length, *elements.shape[ndim:])))


def _where_true(rows: Array, flags: HostArray) -> Array:
    """The rows whose flag is True, read by a kernel where they are many."""
    (places,) = places_of(flags)
    shape = (len(places), *rows.shape[1:])
    if rows.pending is None and rows.is_sooner_on_host(math.prod(shape) * rows.itemsize):
        return upload(np.take(rows.on_host(), places, axis=0), rows.device)
    result = _lazy_gather(peeked(rows), (owned(places, rows.device),), 0, shape)
    result.buffer  # noqa: B018 - it is computed now, as all whose shape depends on values
    return result


# --- Positions -----------------------------------------------------------------------------------


def choosers_on_host(chosen: Selection, target: Array | None = None) -> list[HostArray]:
    """The positions as NumPy arrays, all of them on their axes.

    Args:
        chosen: Has them.
        target: What is going to be written to while they are read.

    Raises:
        IndexError: One is outside.
    """
    found = []
    for chooser, axis, extent in zip(chosen.choosers, chosen.axes, chosen.extents, strict=True):
        host = chooser.numpy() if isinstance(chooser, Array) else np.asarray(chooser)
        check_positions(host, axis, extent)
        found.append(host if target is None else _apart_on_host(host, target))
    return found


def choosers_on_device(
    chosen: Selection, device: Device, target: Array | None = None
) -> tuple[Array, ...]:
    """The positions on a device, all of them on their axes, broadcast to one shape.

    Args:
        chosen: Has them.
        device: Where to.
        target: What is going to be written to while they are read.

    Raises:
        IndexError: One is outside.
    """
    found = []
    for chooser, axis, extent in zip(chosen.choosers, chosen.axes, chosen.extents, strict=True):
        positions = checked_positions(chooser, axis, extent, device)
        apart = positions if target is None else _apart(positions, target)
        found.append(apart.broadcast_to(chosen.shape))
    return tuple(found)


def checked_positions(chooser: Any, axis: int, extent: int, device: Device) -> Array:
    """An array of integers as positions on an axis: on the device, int32 or int64, in memory.

    Args:
        chooser: An array, of ours or NumPy's.
        axis: For the message.
        extent: Of the axis.
        device: Where to.

    Raises:
        IndexError: One is outside.
    """
    if not isinstance(chooser, Array):
        host = np.asarray(chooser)
        check_positions(host, axis, extent)
        return owned(host.astype(np.int32 if extent <= int32.maximum else np.int64), device)
    there = chooser.to(device)
    if there.is_shared or _has_outside(there, extent):
        check_positions(there.numpy(), axis, extent)
    if there.layout.dtype in (int32, int64):
        return there
    return there.astype(int64 if there.itemsize > 2 else int32)


def _has_outside(positions: Array, extent: int) -> bool:
    """Whether a position in memory of a device's own is outside; one number is fetched."""
    from speedmetal.arrays.kernels.gather import note_outside  # with its first use

    if not positions.size:
        return False
    found = zeros(1, int32, positions.device)
    note_outside(found, positions.reshape(-1), extent, grid=positions.size, debug=0)
    return bool(found.item())


def within_view(chosen: Selection, positions: list[HostArray]) -> tuple[Any, ...]:
    """The positions as NumPy's index in the view of a selection."""
    return (*(slice(None),) * chosen.lead, *positions)


def _apart(values: Array, target: Array) -> Array:
    """The same values in memory that is not the target's."""
    return values.copy() if values.pending is None and target.shares_bytes(values) else values


def _apart_on_host(host: HostArray, target: Array) -> HostArray:
    return host.copy() if np.may_share_memory(host, target.on_host()) else host


# --- take and its like ---------------------------------------------------------------------------


def take(x: Any, indices: Any, axis: int | None = None) -> Array:
    """The elements at these positions of an axis; lazy.

    Args:
        x: ``(..., n, ...)``, any dtype.
        indices: Integers of any shape, counted from the end where negative.
        axis: Which one; None: ``x`` is taken as a row of all its elements.

    Returns:
        ``(..., *indices.shape, ...)``, the dtype of ``x``.

    Raises:
        IndexError: A position is outside, or there is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> sm.take(sm.array([[1, 2, 3], [4, 5, 6]]), sm.array([2, 0]), axis=1)
        Array([[3, 1],
               [6, 4]], dtype=int32, device='cpu')
    """
    array = asarray(x)
    if axis is None:
        array, axis = array.reshape(-1), 0
    (place,) = axes_of(axis, array.ndim)
    index = _integers("take", indices)
    chosen: Array = array[(*(slice(None),) * place, index) if place else index]
    return chosen


def take_along_axis(x: Any, indices: Any, axis: int = -1) -> Array:
    """For each place the element at a position of its own on an axis; lazy.

    ``result[i, j, k] = x[i, indices[i, j, k], k]`` for axis 1.

    Args:
        x: ``(..., n, ...)``, any dtype.
        indices: Integers, of as many axes; the other axes are broadcast with those of ``x``.
        axis: Which one.

    Returns:
        The shape of ``indices``, broadcast; the dtype of ``x``.

    Raises:
        IndexError: A position is outside.
        UserInputError: The numbers of axes differ, or the other axes do not go together.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.array([[3, 1, 2], [4, 6, 5]])
        >>> sm.take_along_axis(x, sm.argsort(x), axis=1)
        Array([[1, 2, 3],
               [4, 5, 6]], dtype=int32, device='cpu')
    """
    array = asarray(x)
    chooser = _integers("take_along_axis", indices)
    (place,) = axes_of(axis, array.ndim)
    shape = _shape_along("take_along_axis", array.shape, tuple(chooser.shape), place)
    positions = checked_positions(chooser, place, array.shape[place], array.device)
    positions = positions.broadcast_to(shape)
    wide = array.broadcast_to((*shape[:place], array.shape[place], *shape[place + 1 :]))
    source = peeked(wide)

    def run() -> tuple[Array]:
        from speedmetal.arrays.kernels.gather import gather_along  # with its first use

        _check_again((chooser,), (place,), (array.shape[place],))
        target = Array.allocate(shape, array.layout.dtype, array.device)
        if target.size:
            grid = grid_of(shape)
            gather_along(target, source, positions, static(place), grid=grid, debug=0)
        return (target,)

    check_computes("take_along_axis", array.device, array.layout.dtype)
    node = Call("take_along_axis", (source, positions), run, _reads_of(shape, wide))
    found: list[Array] = call(Array, node, [(shape, array.layout.dtype)], array.device)
    return found[0]


def put_along_axis(x: Array, indices: Any, values: Any, axis: int = -1) -> None:
    """Write for each place an element at a position of its own on an axis; the array changes.

    ``x[i, indices[i, j, k], k] = values[i, j, k]`` for axis 1.

    Args:
        x: ``(..., n, ...)``, any dtype.
        indices: Integers, of as many axes; the other axes are broadcast with those of ``x``.
        values: Broadcast to the shape of the indices, and converted.
        axis: Which one.

    Raises:
        IndexError: A position is outside.
        UserInputError: ``x`` is no array or read-only, or the shapes do not go together.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.zeros((2, 3))
        >>> sm.put_along_axis(x, [[1], [2]], 7, axis=1)
        >>> x
        Array([[0., 7., 0.],
               [0., 0., 7.]], dtype=float32, device='cpu')
    """
    target = writable("put_along_axis", x)
    chooser = _integers("put_along_axis", indices)
    (place,) = axes_of(axis, target.ndim)
    shape = _shape_along("put_along_axis", target.shape, tuple(chooser.shape), place)
    index = [
        np.arange(extent).reshape((-1,) + (1,) * (target.ndim - 1 - number))
        for number, extent in enumerate(shape)
    ]
    index[place] = chooser
    target[tuple(index)] = values


def _integers(name: str, indices: Any) -> Any:
    """Indices as an array of ours or of NumPy's.

    Raises:
        UserInputError: They are no integers.
    """
    found = indices if isinstance(indices, Array) else np.asarray(indices)
    if not isinstance(found, Array) and not found.size and not hasattr(indices, "dtype"):
        found = found.astype(np.int32)
    if found.dtype.kind not in "iu":
        raise UserInputError(f"{name} expected integers as indices, got {found.dtype}")
    return found


def _shape_along(name: str, shape: Shape, chosen: Shape, axis: int) -> Shape:
    """The indices' shape, broadcast with that of an array but for one axis.

    Raises:
        UserInputError: The shapes do not go together.
    """
    others = shape[:axis] + shape[axis + 1 :]
    if len(chosen) == len(shape):
        try:
            wide = np.broadcast_shapes(others, chosen[:axis] + chosen[axis + 1 :])
        except ValueError:
            wide = ()
        if wide or not others:
            return (*wide[:axis], chosen[axis], *wide[axis:])
    raise UserInputError(
        f"{name}: indices of shape {chosen} do not go with an array of shape {shape}: as many axes"
        f" are needed, and all but axis {axis} must be equal or 1"
    )


def writable(name: str, x: Any) -> Array:
    """An array that a function of this name is to change.

    Raises:
        UserInputError: It is none, or read-only.
    """
    if not isinstance(x, Array):
        raise UserInputError(f"{name} changes an sm.Array, got {type(x).__name__}")
    x.check_writable()
    return x
