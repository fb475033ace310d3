"""Arrays put together: each is written, or computed, straight into its place of the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from speedmetal.arrays.array import Array
from speedmetal.arrays.assembling import Part, assemble, at, common_dtype
from speedmetal.arrays.deferred.graph import common_device
from speedmetal.arrays.memory.shapes import Shape, axes_of
from speedmetal.arrays.operands import arrays_of
from speedmetal.arrays.replaying import replayed
from speedmetal.arrays.shaping.manipulation import atleast_1d, atleast_2d, atleast_3d
from speedmetal.errors import UserInputError


@replayed
def concat(arrays: Any, /, axis: int | None = 0) -> Array:
    """Arrays one after the other along an axis.

    The result is lazy, and each part is computed where it belongs.

    Args:
        arrays: A list or tuple of them; all extents but that of the axis are equal.
        axis: Along which; None: the elements of all, in C order, on one axis.

    Raises:
        UserInputError: Shapes, dtypes or devices do not go together, or there are no arrays.
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.arange(3)
        >>> sm.concat([x, 2 * x])
        Array([0, 1, 2, 0, 2, 4], dtype=int32, device='cpu')
    """
    given = arrays_of("concat", arrays)
    if axis is None:
        given, axis = [x.reshape(-1) for x in given], 0
    if not given[0].ndim:
        raise UserInputError("concat: arrays without axes have none to follow along; use stack")
    (place,) = axes_of(axis, given[0].ndim)
    _check_shapes([x.shape for x in given], place)
    before = (slice(None),) * place
    parts, start = [], 0
    for x in given:
        stop = start + x.shape[place]
        parts.append((x, (*before, slice(start, stop))))
        start = stop
    first = given[0].shape
    return _joined("concat", parts, (*first[:place], start, *first[place + 1 :]))


def concatenate(arrays: Any, /, axis: int | None = 0) -> Array:
    """NumPy's name for :func:`concat`."""
    return concat(arrays, axis=axis)


@replayed
def stack(arrays: Any, /, axis: int = 0) -> Array:
    """Arrays of one shape side by side along a new axis.

    The result is lazy, and each part is computed where it belongs.

    Args:
        arrays: A list or tuple of them.
        axis: The position of the new axis in the result.

    Raises:
        UserInputError: Shapes, dtypes or devices do not go together, or there are no arrays.
        AxisError: There is no such position.

    Example:
        >>> import speedmetal as sm
        >>> sm.stack([sm.zeros(2), sm.ones(2)], axis=1)
        Array([[0., 1.],
               [0., 1.]], dtype=float32, device='cpu')
    """
    given = arrays_of("stack", arrays)
    shape = given[0].shape
    for number, x in enumerate(given):
        if x.shape != shape:
            raise UserInputError(
                f"stack: all arrays must have one shape, got {shape} and, at position {number},"
                f" {x.shape}"
            )
    (place,) = axes_of(axis, len(shape) + 1)
    before = (slice(None),) * place
    parts = [(x, (*before, position)) for position, x in enumerate(given)]
    return _joined("stack", parts, (*shape[:place], len(given), *shape[place:]))


def hstack(arrays: Any, /) -> Array:
    """Arrays side by side: along the second axis, or along the only one.

    Raises:
        UserInputError: As for :func:`concat`.

    Example:
        >>> import speedmetal as sm
        >>> sm.hstack([sm.zeros(2), sm.ones(1)])
        Array([0., 0., 1.], dtype=float32, device='cpu')
    """
    given = _with_axes(atleast_1d, "hstack", arrays)
    return concat(given, axis=min(1, given[0].ndim - 1))


def vstack(arrays: Any, /) -> Array:
    """Arrays one below the other: along the first axis; those with one axis are rows.

    Raises:
        UserInputError: As for :func:`concat`.

    Example:
        >>> import speedmetal as sm
        >>> sm.vstack([sm.zeros(2), sm.ones(2)])
        Array([[0., 0.],
               [1., 1.]], dtype=float32, device='cpu')
    """
    return concat(_with_axes(atleast_2d, "vstack", arrays))


def dstack(arrays: Any, /) -> Array:
    """Arrays one behind the other: along the third axis; shape ``(n,)`` is ``(1, n, 1)``.

    Raises:
        UserInputError: As for :func:`concat`.

    Example:
        >>> import speedmetal as sm
        >>> sm.dstack([sm.zeros(2), sm.ones(2)]).shape
        (1, 2, 2)
    """
    return concat(_with_axes(atleast_3d, "dstack", arrays), axis=2)


def column_stack(arrays: Any, /) -> Array:
    """Arrays of one axis as the columns of a matrix; those of two keep their columns.

    Raises:
        UserInputError: As for :func:`concat`.

    Example:
        >>> import speedmetal as sm
        >>> sm.column_stack([sm.array([1, 2]), sm.array([3, 4])])
        Array([[1, 3],
               [2, 4]], dtype=int32, device='cpu')
    """
    return concat(_with_axes(_as_columns, "column_stack", arrays), axis=1)


def _as_columns(x: Array) -> Array:
    return x if x.ndim > 1 else x.reshape(-1, 1)


def _with_axes(step: Callable[..., Any], name: str, arrays: Any) -> list[Array]:
    return [step(x) for x in arrays_of(name, arrays)]


def _joined(name: str, parts: Sequence[tuple[Array, Any]], shape: Shape) -> Array:
    """Arrays at these indices of a new one."""
    given = [x for x, _ in parts]
    dtype = common_dtype(name, [x.layout.dtype for x in given])
    device = common_device(name, given)
    places = [Part(at(index), x.astype(dtype, copy=False)) for x, index in parts]
    joined: Array = assemble(Array, name, shape, dtype, device, places)
    return joined


def _check_shapes(shapes: Sequence[Shape], axis: int) -> None:
    """Refuse arrays that do not fit beside each other along an axis.

    Raises:
        UserInputError: The numbers of axes, or two extents along another axis, differ.
    """
    first = shapes[0]
    for number, shape in enumerate(shapes):
        if len(shape) != len(first):
            raise UserInputError(
                f"concat: all arrays must have as many axes, got shape {first} and, at position"
                f" {number}, {shape}"
            )
        for other, (wanted, extent) in enumerate(zip(first, shape, strict=True)):
            if other != axis and extent != wanted:
                raise UserInputError(
                    f"concat along axis {axis}: all other extents must be equal, got shape {first}"
                    f" and, at position {number}, {shape}, which differ in axis {other}"
                )
