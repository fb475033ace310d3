"""Shapes, axes and strides as users give them, checked and completed."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from numpy.exceptions import AxisError

Shape = tuple[int, ...]
Axes = int | Sequence[int]


@lru_cache(maxsize=1024)
def c_strides(shape: Shape, itemsize: int) -> tuple[int, ...]:
    """The strides, in bytes, of an array without gaps whose last axis runs fastest.

    >>> c_strides((2, 3, 4), 4)
    (48, 16, 4)
    """
    strides: list[int] = []
    stride = itemsize
    for extent in reversed(shape):
        strides.append(stride)
        stride *= extent or 1
    return tuple(reversed(strides))


def has_strides_without_gaps(shape: Iterable[int], strides: Iterable[int], itemsize: int) -> bool:
    """Whether there are no gaps if the first of these axes runs fastest."""
    expected, is_dense = itemsize, True
    for extent, stride in zip(shape, strides, strict=True):
        if not extent:
            return True
        if extent > 1:
            is_dense = is_dense and stride == expected
            expected *= extent
    return is_dense


def complete_shape(extents: Shape, old: Shape) -> Shape:
    """``extents`` with -1 replaced by what the others leave of the elements of shape ``old``."""
    size = math.prod(old)
    if -1 not in extents and math.prod(extents) == size:
        return extents
    known = math.prod(extent for extent in extents if extent >= 0)
    unknown = extents.count(-1)
    if unknown > 1:
        raise ValueError(f"cannot reshape to {extents}: only one extent may be -1")
    if unknown and known and size % known == 0:
        return tuple(size // known if extent == -1 else extent for extent in extents)
    if unknown or known != size:
        raise ValueError(f"cannot reshape {size} elements of shape {old} into shape {extents}")
    return extents


def extents_of(shape: Any, least: int = 0) -> Shape:
    """A shape that was given as an integer or as integers.

    Raises:
        TypeError: It is neither.
        ValueError: An extent is less than ``least``.
    """
    given = (shape,) if hasattr(shape, "__index__") else shape
    extents = tuple(map(operator.index, given))
    if extents and min(extents) < least:
        raise ValueError(f"expected extents of {least} or more, got shape {extents}")
    return extents


def named_axes(axes: Any) -> int | tuple[int, ...]:
    """One axis or several, as they were given: an integer or a tuple.

    Raises:
        TypeError: They are neither.
    """
    try:
        if hasattr(axes, "__index__"):
            return operator.index(axes)
        return tuple(map(operator.index, axes))
    except TypeError:
        raise TypeError(
            f"expected an integer or a tuple of integers as axis, got {axes!r}"
        ) from None


def axes_of(axes: Axes, ndim: int) -> tuple[int, ...]:
    """Axes counted from 0.

    Raises:
        AxisError: There is no such axis.
        TypeError: They are no integers.
        ValueError: One comes twice.
    """
    given = named_axes(axes)
    if isinstance(given, int):
        given = (given,)
    for axis in given:
        if not -ndim <= axis < ndim:
            allowed = f"allowed are {-ndim} to {ndim - 1}" if ndim else "there are none"
            raise AxisError(f"axis {axis} is out of bounds for {ndim} axes: {allowed}")
    counted = tuple(axis % ndim for axis in given)
    if len(set(counted)) != len(counted):
        raise ValueError(f"expected different axes, got {given}, where one comes twice")
    return counted
