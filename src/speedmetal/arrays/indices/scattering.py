"""Values joined to elements at places that integer arrays and masks tell: ``x.at[i].add(v)``.

Where several values have one place, all of them count. On the CPU a result is the same every time:
values are joined in their order, or in a fixed number of parts. GPUs join them by atomic operations
in any order, by which sums of floats differ in their last bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from speedmetal.arrays.array import Array, upload
from speedmetal.arrays.creation import asarray, full
from speedmetal.arrays.deferred.graph import apply, peeked
from speedmetal.arrays.deferred.schedule import assign_lazily, before_write
from speedmetal.arrays.hosting import is_on_cpu
from speedmetal.arrays.indices.choosers import choosers_on_device, choosers_on_host, within_view
from speedmetal.arrays.indices.late_rows import late_joined
from speedmetal.arrays.indices.rows import IDENTITIES, changed_copy, join_rows, meet_often
from speedmetal.arrays.indices.writing import value_on_device, writable
from speedmetal.arrays.memory.copying import assign_host
from speedmetal.arrays.memory.placement import grid_of
from speedmetal.arrays.memory.selection import Selection, select
from speedmetal.arrays.memory.shapes import axes_of
from speedmetal.dtypes import (
    bfloat16,
    float16,
    float32,
    float64,
    int32,
    int64,
    kind_rank,
    uint32,
    uint64,
)
from speedmetal.errors import UserInputError
from speedmetal.frontend.static import static

_UFUNCS: dict[str, Any] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "minimum": np.minimum,
    "maximum": np.maximum,
}
_ATOMIC = (int32, uint32, float32)
_ATOMIC_WITH_FLOAT64 = (*_ATOMIC, int64, uint64, float64)


# --- In place ------------------------------------------------------------------------------------


def add_at(x: Array, index: Any, values: Any) -> None:
    """Add values to the elements at an index, each as often as it is there; the array changes.

    Unlike ``x[index] += values``, which adds one of several values for a place.

    Args:
        x: To which they are added.
        index: As in ``x[index]``.
        values: Broadcast to the shape of ``x[index]``, and converted to the dtype of ``x``.

    Raises:
        IndexError: A place is outside; nothing has been written then.
        ValueError: The values cannot be broadcast.
        UserInputError: ``x`` is no array or read-only, or the values' dtype has another kind.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.zeros(3)
        >>> sm.add_at(x, [0, 2, 2], 1)
        >>> x
        Array([1., 0., 2.], dtype=float32, device='cpu')
    """
    _accumulate("add", writable("add_at", x), index, values)


def _accumulate(operation: str, x: Array, index: Any, values: Any) -> None:
    """Join values to the elements at an index, in place."""
    before_write(x)
    there = _joinable(operation, x, values)
    chosen = select(index, x.shape, _read_mask)
    view = x.with_elements(chosen.view(x.elements))
    shape = chosen.shape_of(view.shape)
    there = _broadcast("values", there, shape)
    if not chosen.choosers:
        assign_lazily(view, apply(operation, view, there))
    elif x.layout.dtype.is_bool:
        _accumulate_on_host(operation, view, chosen, there)
    elif is_on_cpu(x):
        _accumulate_on_cpu(operation, view, chosen, there)
    elif _is_atomic(x):
        _accumulate_atomically(operation, view, chosen, there)
    else:
        _accumulate_on_host(operation, view, chosen, there)


def _is_atomic(x: Array) -> bool:
    """Whether the device of an array joins values to its elements by atomic operations."""
    dtypes = _ATOMIC_WITH_FLOAT64 if x.layout.device.target.has_float64 else _ATOMIC
    return x.layout.dtype in dtypes


def _joinable(operation: str, x: Array, values: Any) -> Array:
    """Values on the array's device with its dtype, in other memory.

    Raises:
        UserInputError: Their dtype is of a higher kind, or the operation gives such a one.
    """
    own = x.layout.dtype
    if operation == "divide" and not (own.is_float or own.is_complex):
        raise UserInputError(
            f"divide of {own.name} gives floats, which the array cannot hold; use x.astype"
        )
    if own.is_complex and operation in ("minimum", "maximum"):
        raise UserInputError(f"{operation}: complex numbers have no order")
    if isinstance(values, Array | np.ndarray | np.generic):
        given = values.layout.dtype if isinstance(values, Array) else asarray(values).layout.dtype
        if kind_rank(given) > kind_rank(own):
            raise UserInputError(
                f"{operation}: values of {given.name} cannot be joined to elements of {own.name};"
                " convert one of them with x.astype"
            )
    return value_on_device(x, values).astype(own, copy=False)


def _broadcast(name: str, values: Array, shape: tuple[int, ...]) -> Array:
    extra = max(values.ndim - len(shape), 0)
    if values.shape[:extra] == (1,) * extra:
        values = values.reshape(values.shape[extra:])
    try:
        return values.broadcast_to(shape)
    except ValueError:
        raise ValueError(
            f"{name} of shape {values.shape} cannot be broadcast to {shape}, the shape of what is"
            " chosen"
        ) from None


def _accumulate_on_host(operation: str, view: Array, chosen: Selection, values: Array) -> None:
    """By NumPy, on a copy where memory is not shared."""
    index = within_view(chosen, choosers_on_host(chosen, view if view.is_shared else None))
    host = view.on_host() if view.is_shared else view.numpy().copy()
    with np.errstate(all="ignore"):  # as in a kernel
        _UFUNCS[operation].at(host, index, values.numpy())
    if not view.is_shared:
        assign_host(view, host)


def _accumulate_on_cpu(operation: str, view: Array, chosen: Selection, values: Array) -> None:
    """One value after the other for each element of the axes that are not chosen."""
    positions = choosers_on_device(chosen, view.device, view)
    before = view.shape[: chosen.lead]
    extents = view.shape[chosen.lead : chosen.lead + len(positions)]
    after = view.shape[chosen.lead + len(positions) :]
    rows = _as_one_position(positions, extents)
    flat = _reshaped(view, before, extents, after)
    if flat is None:  # strides that no three axes have: through a copy
        copy = view.copy()
        _accumulate_on_cpu(operation, copy, chosen, values)
        view[...] = copy
        return
    lined = peeked(values.reshape(flat.shape[0], rows.size, flat.shape[2]))
    if not lined.size:
        return
    is_plain = flat.layout.dtype not in (float16, bfloat16)
    if flat.shape[0] * flat.shape[2] == 1 and is_plain and not meet_often(rows.size, flat.shape[1]):
        with np.errstate(all="ignore"):  # as in a kernel
            _UFUNCS[operation].at(flat.on_host()[0, :, 0], rows.numpy(), lined.numpy()[0, :, 0])
        return
    join_rows(operation, flat, lined, rows)


def _as_one_position(positions: tuple[Array, ...], extents: tuple[int, ...]) -> Array:
    """Positions on several axes as positions on the axis of all their elements; one axis."""
    if len(positions) == 1:
        return positions[0].reshape(-1)
    host = [array.numpy().reshape(-1) for array in positions]
    whole: Any = np.int64(0)
    for row, extent in zip(host, extents, strict=True):
        whole = whole * extent + np.where(row < 0, row + extent, row)
    return upload(np.asarray(whole, np.int64), positions[0].device)


def _reshaped(view: Array, *groups: tuple[int, ...]) -> Array | None:
    """The view with one axis for each group of axes; None where that needs a copy."""
    shape = tuple(int(np.prod(group, dtype=np.int64)) for group in groups)
    elements = view.elements.reshape(shape)
    return None if elements is None else view.with_elements(elements)


def _accumulate_atomically(operation: str, view: Array, chosen: Selection, values: Array) -> None:
    from speedmetal.arrays.kernels.scatter import ACCUMULATE, accumulate_atomically

    positions = choosers_on_device(chosen, view.device, view)
    if not values.size:
        return
    join = ACCUMULATE[operation][1]
    accumulate_atomically(
        view, values, positions, static(chosen.lead), join, grid=grid_of(values.shape), debug=0
    )


def _read_mask(mask: Any) -> Any:
    return mask.numpy() if isinstance(mask, Array) else np.asarray(mask)


# --- x.at[index] ---------------------------------------------------------------------------------


class At:
    """What ``x.at`` is: ``x.at[index].add(values)`` gives a new array, and leaves ``x`` alone.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.zeros(3)
        >>> x.at[[0, 2, 2]].add(1)
        Array([1., 0., 2.], dtype=float32, device='cpu')
        >>> x.at[1:].set(7)
        Array([0., 7., 7.], dtype=float32, device='cpu')
    """

    __slots__ = ("_array",)

    def __init__(self, array: Array) -> None:
        self._array = array

    def __getitem__(self, index: Any) -> Place:
        """Some elements, as in ``x[index]``."""
        return Place(self._array, index)


class Place:
    """Some elements of an array; each method gives a copy of the array in which they are changed.

    Values are broadcast to the shape of ``x[index]`` and converted to the dtype of ``x``. Where a
    place comes several times, all its values count; :meth:`set` takes the last.
    """

    __slots__ = ("_array", "_index")

    def __init__(self, array: Array, index: Any) -> None:
        self._array = array
        self._index = index

    def get(self) -> Array:
        """``x[index]``, always with memory of its own."""
        return self._array[self._index].copy()

    def set(self, values: Any) -> Array:
        """The values themselves."""
        copy = changed_copy("set", self._array, self._index, values)
        if copy is None:
            copy = late_joined("set", self._array, self._index, values)
        if copy is not None:
            return copy
        result = self._array.copy()
        result[self._index] = values
        return result

    def add(self, values: Any) -> Array:
        """Elements plus values."""
        return self._joined("add", values)

    def subtract(self, values: Any) -> Array:
        """Elements minus values."""
        return self._joined("subtract", values)

    def multiply(self, values: Any) -> Array:
        """Elements times values."""
        return self._joined("multiply", values)

    def divide(self, values: Any) -> Array:
        """Elements through values; not of integers."""
        return self._joined("divide", values)

    def min(self, values: Any) -> Array:
        """The smaller ones of elements and values; NaN if one is."""
        return self._joined("minimum", values)

    def max(self, values: Any) -> Array:
        """The greater ones of elements and values; NaN if one is."""
        return self._joined("maximum", values)

    def apply(self, function: Callable[[Array], Any]) -> Array:
        """A function's results, which is called once with the elements ``x[index]``."""
        return self.set(function(self.get()))

    def _joined(self, operation: str, values: Any) -> Array:
        copy = changed_copy(operation, self._array, self._index, values)
        if copy is None and _is_atomic(self._array):
            copy = late_joined(operation, self._array, self._index, values)
        if copy is not None:
            return copy
        result = self._array.copy()
        _accumulate(operation, result, self._index, values)
        return result


def at(x: Array) -> At:
    """What ``x.at`` is."""
    return At(x)


# --- Along an axis -------------------------------------------------------------------------------


def scatter(x: Any, indices: Any, updates: Any, axis: int = 0) -> Array:
    """A copy of an array in which values are written to positions of an axis.

    It is the reverse of :func:`speedmetal.take`: ``take(scatter(x, i, u), i, axis)`` is ``u`` where
    no position comes twice; where one does, the last value stays.

    Args:
        x: ``(..., n, ...)``, any dtype.
        indices: Integers of any shape, counted from the end where negative.
        updates: Broadcast to ``(..., *indices.shape, ...)``, converted to the dtype of ``x``.
        axis: Which one.

    Returns:
        The shape and dtype of ``x``.

    Raises:
        IndexError: A position is outside, or there is no such axis.
        ValueError: The updates cannot be broadcast.

    Example:
        >>> import speedmetal as sm
        >>> sm.scatter(sm.zeros(4), [3, 1], sm.array([5.0, 6.0]))
        Array([0., 6., 0., 5.], dtype=float32, device='cpu')
    """
    return _along(x, indices, axis).set(updates)


def scatter_add(x: Any, indices: Any, updates: Any, axis: int = 0) -> Array:
    """As :func:`scatter`, but values are added to the elements, all that a position has.

    Example:
        >>> import speedmetal as sm
        >>> sm.scatter_add(sm.ones(3), [2, 2], sm.array([5.0, 6.0]))
        Array([ 1.,  1., 12.], dtype=float32, device='cpu')
    """
    return _along(x, indices, axis).add(updates)


def scatter_sub(x: Any, indices: Any, updates: Any, axis: int = 0) -> Array:
    """As :func:`scatter`, but values are subtracted from the elements, all that a position has."""
    return _along(x, indices, axis).subtract(updates)


def scatter_mul(x: Any, indices: Any, updates: Any, axis: int = 0) -> Array:
    """As :func:`scatter`, but elements are multiplied by all values that a position has."""
    return _along(x, indices, axis).multiply(updates)


def scatter_min(x: Any, indices: Any, updates: Any, axis: int = 0) -> Array:
    """As :func:`scatter`, but the least of an element and the values of its position stays."""
    return _along(x, indices, axis).min(updates)


def scatter_max(x: Any, indices: Any, updates: Any, axis: int = 0) -> Array:
    """As :func:`scatter`, but the greatest of an element and the values of its position stays."""
    return _along(x, indices, axis).max(updates)


def _along(x: Any, indices: Any, axis: int) -> Place:
    array = x if type(x) is Array else asarray(x)
    is_first = type(axis) is int and not axis and array.layout.shape  # mostly, and soon said
    (place,) = (0,) if is_first else axes_of(axis, array.ndim)
    index = indices if isinstance(indices, Array) else np.asarray(indices)
    return Place(array, (*(slice(None),) * place, index) if place else index)


# --- Segments ------------------------------------------------------------------------------------


def segment_sum(x: Any, segment_ids: Any, num_segments: int | None = None) -> Array:
    """The sums of the rows that have the same number.

    Args:
        x: ``(n, ...)``, any dtype but bool.
        segment_ids: ``(n,)`` integers of 0 or more, in any order: the segment of each row.
        num_segments: How many there are; None: one more than the greatest number.

    Returns:
        ``(num_segments, ...)``, the dtype of ``x``; 0 where a segment has no row.

    Raises:
        IndexError: A number is negative, or not below ``num_segments``.
        UserInputError: The numbers are no integers, or not one for each row.

    Example:
        >>> import speedmetal as sm
        >>> sm.segment_sum(sm.array([1, 2, 4]), sm.array([1, 0, 1]))
        Array([2, 5], dtype=int32, device='cpu')
    """
    return _segments("segment_sum", "add", x, segment_ids, num_segments)


def segment_prod(x: Any, segment_ids: Any, num_segments: int | None = None) -> Array:
    """As :func:`segment_sum`, but products; 1 where a segment has no row."""
    return _segments("segment_prod", "multiply", x, segment_ids, num_segments)


def segment_max(x: Any, segment_ids: Any, num_segments: int | None = None) -> Array:
    """As :func:`segment_sum`, but the greatest; the least number there is where there is no row.

    Example:
        >>> import speedmetal as sm
        >>> sm.segment_max(sm.array([1.0, 2.0, 4.0]), [2, 0, 2])
        Array([  2., -inf,   4.], dtype=float32, device='cpu')
    """
    return _segments("segment_max", "maximum", x, segment_ids, num_segments)


def segment_min(x: Any, segment_ids: Any, num_segments: int | None = None) -> Array:
    """As :func:`segment_sum`, but the least; the greatest number there is where there is no row."""
    return _segments("segment_min", "minimum", x, segment_ids, num_segments)


def _segments(name: str, operation: str, x: Any, ids: Any, count: int | None) -> Array:
    array = asarray(x)
    numbers = ids if isinstance(ids, Array) else np.asarray(ids)
    if array.layout.dtype.is_bool or not array.ndim:
        raise UserInputError(
            f"{name} expected numbers with axes, got {array.dtype} of shape {array.shape}"
        )
    if tuple(numbers.shape) != array.shape[:1] or numbers.dtype.kind not in "iu":
        raise UserInputError(
            f"{name} expected {array.shape[0]} integers as segment_ids, got {numbers.dtype} of"
            f" shape {tuple(numbers.shape)}"
        )
    host = numbers.numpy() if isinstance(numbers, Array) else numbers
    least, greatest = (int(host.min()), int(host.max())) if host.size else (0, -1)
    segments = greatest + 1 if count is None else count
    if least < 0 or greatest >= segments:
        raise IndexError(
            f"{name} expected segment_ids from 0 to {segments - 1}, got"
            f" {least if least < 0 else greatest}"
        )
    dtype = array.layout.dtype
    start = IDENTITIES[operation](dtype)
    result = full((segments, *array.shape[1:]), start, dtype, array.device)
    _accumulate(operation, result, numbers, array)
    return result
