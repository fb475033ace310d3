"""Basic indexing of an array's axes: which element comes first, and which axes remain."""

from __future__ import annotations

import operator
from types import EllipsisType
from typing import Any, SupportsIndex

import numpy as np

Index = SupportsIndex | slice | EllipsisType | None
"""One part of a basic index."""

IndexedAxes = tuple[tuple[int, ...], tuple[int, ...], int]
"""Shape, strides, and the distance of the new first element from the old one."""


def index_axes(
    index: Index | tuple[Index, ...], shape: tuple[int, ...], strides: tuple[int, ...]
) -> IndexedAxes:
    """The axes of ``x[index]`` for an array ``x`` with these axes.

    With the extent ``n``, an integer ``i`` drops its axis and moves the first element by ``i *
    stride`` (``(i + n) * stride`` if negative). A slice ``start:stop:step`` moves it by ``start *
    stride`` and multiplies the stride by ``step``; one that takes nothing leaves both. ``None`` is
    a new axis of extent 1 and stride 0, ``...`` stands for all axes that have no part.

    Args:
        index: An integer, a slice, ``None`` or ``...``, or a tuple of them.
        shape: Extents.
        strides: Distances of neighbours along each axis, in any unit.

    Returns:
        Shape, strides, and distance from the old first element to the new one in the same unit.

    Raises:
        IndexError: An integer is outside, there are too many, or ``...`` comes twice.
        TypeError: Another kind of index.
        ValueError: A slice's step is 0.

    Example:
        >>> index_axes((1, slice(None, None, -1)), (2, 3), (12, 4))
        ((3,), (-4,), 20)
        >>> index_axes((..., None, 0), (2, 3), (12, 4))
        ((2, 1), (12, 0), 0)
    """
    parts = index if type(index) is tuple else _parts_of(index)
    if len(parts) > len(shape):
        _axes_without_part(parts, len(shape))
    new_shape: list[int] = []
    new_strides: list[int] = []
    offset = axis = 0
    for part in parts:
        if part is None:
            new_shape.append(1)
            new_strides.append(0)
        elif part is Ellipsis:
            remaining = _axes_without_part(parts, len(shape))
            new_shape += shape[axis : axis + remaining]
            new_strides += strides[axis : axis + remaining]
            axis += remaining
        elif type(part) is slice:
            start, stop, step = part.indices(shape[axis])
            length = len(range(start, stop, step))
            if not length:
                start, step = 0, 1
            new_shape.append(length)
            new_strides.append(step * strides[axis])
            offset += start * strides[axis]
            axis += 1
        else:
            offset += index_position(part, axis, shape[axis]) * strides[axis]
            axis += 1
    return (*new_shape, *shape[axis:]), (*new_strides, *strides[axis:]), offset


def index_position(index: Any, axis: int, extent: int) -> int:
    """The position from 0 that an integer, counted from the end if negative, means on an axis.

    Raises:
        IndexError: It is outside.
        TypeError: It is no integer.

    >>> index_position(-1, 0, 3)
    2
    """
    position = index if type(index) is int else integer_of(index)
    if -extent <= position < extent:
        return position if position >= 0 else position + extent
    allowed = f"allowed are {-extent} to {extent - 1}" if extent else "it has no elements"
    raise IndexError(
        f"index {position} is out of bounds for axis {axis} of extent {extent}: {allowed}"
    )


def checked_index(index: Any) -> Any:
    """A basic index as NumPy takes it, that it may not read as one of another kind.

    Raises:
        TypeError: It is of another kind.
    """
    if type(index) in _PLAIN_PARTS:
        return index
    return tuple(
        part if type(part) in _PLAIN_PARTS else integer_of(part) for part in _parts_of(index)
    )


_PLAIN_PARTS = frozenset({int, slice, EllipsisType, type(None)})


def _parts_of(index: Any) -> tuple[Any, ...]:
    """The parts of an index that is not exactly a tuple (a named tuple is one)."""
    return tuple(index) if isinstance(index, tuple) else (index,)


def _axes_without_part(parts: tuple[Any, ...], ndim: int) -> int:
    """How many axes have no part of their own.

    Raises:
        IndexError: There are too many parts, or ``...`` comes twice.
    """
    used = ellipses = 0
    for part in parts:
        if part is Ellipsis:
            ellipses += 1
        elif part is not None:
            used += 1
    if ellipses > 1:
        raise IndexError(f"an index can have one ..., got {ellipses}")
    if used > ndim:
        raise IndexError(f"too many indices: the array has {ndim} axes, {used} were indexed")
    return ndim - used


def integer_of(part: Any) -> int:
    """The number that an integer of any type means as an index.

    Raises:
        TypeError: It is a boolean, has axes, or is no integer.
    """
    is_bool = isinstance(part, (bool, np.bool_))
    if hasattr(part, "__index__") and not is_bool and not getattr(part, "ndim", 0):
        return operator.index(part)
    raise TypeError(
        "expected integers, slices, None, ... or arrays of integers or booleans as index, got"
        f" {type(part).__name__}"
    )
