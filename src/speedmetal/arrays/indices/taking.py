"""Elements at positions of one axis: ``take`` and its like."""

from __future__ import annotations

from typing import Any

import numpy as np

from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import asarray
from speedmetal.arrays.deferred.graph import peeked
from speedmetal.arrays.deferred.lazy import call
from speedmetal.arrays.deferred.pending import Call
from speedmetal.arrays.indices.choosers import check_again, checked_positions
from speedmetal.arrays.indices.gathering import reads_of
from speedmetal.arrays.indices.writing import writable
from speedmetal.arrays.memory.copying import check_computes
from speedmetal.arrays.memory.placement import grid_of
from speedmetal.arrays.memory.shapes import Shape, axes_of
from speedmetal.errors import UserInputError
from speedmetal.frontend.static import static


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

        check_again((chooser,), (place,), (array.shape[place],))
        target = Array.allocate(shape, array.layout.dtype, array.device)
        if target.size:
            grid = grid_of(shape)
            gather_along(target, source, positions, static(place), grid=grid, debug=0)
        return (target,)

    check_computes("take_along_axis", array.device, array.layout.dtype)
    node = Call("take_along_axis", (source, positions), run, reads_of(shape, wide))
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
