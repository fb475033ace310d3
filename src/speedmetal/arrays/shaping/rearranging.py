"""The elements of an array in another order, or more often."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from speedmetal.arrays.array import Array
from speedmetal.arrays.assembling import Part, assembled_like, at, dense_copy, read_often
from speedmetal.arrays.creation import array, asarray
from speedmetal.arrays.deferred.graph import apply
from speedmetal.arrays.hosting import is_on_cpu
from speedmetal.arrays.indices.taking import take
from speedmetal.arrays.memory.shapes import Axes, Shape, axes_of
from speedmetal.arrays.operands import arrays_of
from speedmetal.arrays.shaping.joining import stack
from speedmetal.arrays.shaping.manipulation import expand_dims
from speedmetal.errors import UserInputError

# --- Rolling -------------------------------------------------------------------------------------


def roll(x: Any, /, shift: int | Sequence[int], axis: Axes | None = None) -> Array:
    """The elements moved along axes; those that leave at one end come in at the other.

    Args:
        x: The array.
        shift: By how many positions towards higher indices, for each of the axes or for all.
        axis: Along which axes; None: over all elements in C order.

    Raises:
        AxisError: There is no such axis.
        UserInputError: The numbers of shifts and axes differ.

    Example:
        >>> import speedmetal as sm
        >>> sm.roll(sm.arange(5), 2)
        Array([3, 4, 0, 1, 2], dtype=int32, device='cpu')
    """
    source = asarray(x)
    if axis is None:
        total = int(np.sum(shift))
        return roll(source.reshape(-1), total, axis=0).reshape(source.shape)
    shifts = _shifts(shift, axis, source.ndim)
    runs = [_runs(extent, by) for extent, by in zip(source.shape, shifts, strict=True)]
    parts = []
    for pairs in product(*runs):
        to, of = tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)
        parts.append(Part(at(to), source[of]))
    rolled: Array = assembled_like(source, "roll", source.shape, parts)
    return rolled


def _shifts(shift: Any, axis: Any, ndim: int) -> list[int]:
    """How far each axis is moved; an axis may be named more than once, as in NumPy."""
    given = np.atleast_1d(np.asarray(shift)).tolist()
    axes = [axis] if hasattr(axis, "__index__") else list(axis)
    if 1 not in (len(given), len(axes)) and len(given) != len(axes):
        raise UserInputError(
            f"roll expected as many shifts as axes, or one for all, got {len(given)} shifts for"
            f" {len(axes)} axes"
        )
    found = [0] * ndim
    for by, one in np.broadcast(given, axes):
        (place,) = axes_of(int(one), ndim)
        found[place] += int(by)
    return found


def _runs(extent: int, shift: int) -> list[tuple[slice, slice]]:
    """Where each run of neighbours goes, and from where."""
    by = shift % extent if extent else 0
    if not by:
        return [(slice(None), slice(None))]
    kept = extent - by
    return [(slice(by, None), slice(0, kept)), (slice(0, by), slice(kept, None))]


# --- Repeating -----------------------------------------------------------------------------------


def tile(x: Any, repetitions: int | Sequence[int], /) -> Array:
    """The array so often side by side along each axis.

    Args:
        x: The array.
        repetitions: For each axis, counted from the last; axes that are missing are put in front.

    Raises:
        UserInputError: A number is negative.

    Example:
        >>> import speedmetal as sm
        >>> sm.tile(sm.arange(2), (2, 2))
        Array([[0, 1, 0, 1],
               [0, 1, 0, 1]], dtype=int32, device='cpu')
    """
    source = asarray(x)
    given: Any = (repetitions,) if hasattr(repetitions, "__index__") else repetitions
    times: tuple[int, ...] = tuple(map(operator.index, given))
    if any(number < 0 for number in times):
        raise UserInputError(f"tile expected numbers that are 0 or more, got {repetitions}")
    ndim = max(source.ndim, len(times))
    times = (1,) * (ndim - len(times)) + times
    shape = (1,) * (ndim - source.ndim) + source.shape
    single = source.reshape(tuple(e for extent in shape for e in (1, extent)))
    both = tuple(e for pair in zip(times, shape, strict=True) for e in pair)
    found = tuple(number * extent for number, extent in zip(times, shape, strict=True))
    if max(times, default=1) > 1:
        read_often(source)
    return _copied(single.broadcast_to(both), found)


def repeat(x: Any, repeats: Any, /, axis: int | None = None) -> Array:
    """Each element so often one after the other.

    Args:
        x: The array.
        repeats: How often: one number for all, or one for each position along the axis. An array
            is read at once, because the result's shape depends on it.
        axis: Along which; None: the elements in C order, on one axis.

    Raises:
        AxisError: There is no such axis.
        UserInputError: A number is negative, or there is another number of them.

    Example:
        >>> import speedmetal as sm
        >>> sm.repeat(sm.arange(3), 2)
        Array([0, 0, 1, 1, 2, 2], dtype=int32, device='cpu')
        >>> sm.repeat(sm.arange(3), sm.array([2, 0, 1]))
        Array([0, 0, 2], dtype=int32, device='cpu')
    """
    source = asarray(x)
    if axis is None:
        source, axis = source.reshape(-1), 0
    (place,) = axes_of(axis, source.ndim)
    counts = _counts(repeats, source.shape[place], place)
    if len(counts) != 1:
        return _repeated_unequally(source, counts, place)
    count, shape = counts[0], source.shape
    wide = (*shape[: place + 1], count, *shape[place + 1 :])
    found = (*shape[:place], shape[place] * count, *shape[place + 1 :])
    if count > 1:
        read_often(source)
    if 1 < count < _FEW and is_on_cpu(source) and math.prod(shape[place + 1 :]) == 1:
        return stack([source] * count, axis=place + 1).reshape(found)
    return _copied(expand_dims(source, place + 1).broadcast_to(wide), found)


_FEW = 6
"""Neighbours that are equal, from which on the CPU makes them in one copy. Of a million float32 on
two shared cores, the least of 15: by 2 it took 8.2 ms, and 1.1 ms by a copy of each; by 5 8.0 and
4.3 ms; by 7 8.3 and 11.1 ms."""


def _copied(x: Array, shape: Shape) -> Array:
    """A lazy copy in another shape."""
    copied: Array = dense_copy(x)
    return copied.reshape(shape)


def _repeated_unequally(source: Array, counts: list[int], axis: int) -> Array:
    order = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    positions = array(order, None, source.device)
    if max(counts, default=1) > 1:
        read_often(source)
    return take(source, positions, axis)


def _counts(repeats: Any, extent: int, axis: int) -> list[int]:
    host = repeats.numpy() if isinstance(repeats, Array) else np.asarray(repeats)
    if host.dtype.kind not in "iu" or host.ndim > 1:
        raise UserInputError(
            f"repeat expected an integer or integers on one axis, got {host.dtype} of shape"
            f" {host.shape}"
        )
    counts: list[int] = host.reshape(-1).tolist()
    if len(counts) not in (1, extent):
        raise UserInputError(
            f"repeat: axis {axis} has extent {extent}, got {len(counts)} repeats; give as many, or"
            " one"
        )
    if counts and min(counts) < 0:
        raise UserInputError(f"repeat expected numbers that are 0 or more, got {min(counts)}")
    return counts


def kron(x1: Any, x2: Any, /) -> Array:
    """The Kronecker product: each element of ``x1`` times the whole of ``x2``, in its place.

    Args:
        x1: The outer array; where one has fewer axes, new ones are put in front.
        x2: The inner array.

    Raises:
        UserInputError: Dtypes or devices do not go together.

    Example:
        >>> import speedmetal as sm
        >>> sm.kron(sm.array([1, 10]), sm.array([1, 2]))
        Array([ 1,  2, 10, 20], dtype=int32, device='cpu')
    """
    outer, inner = arrays_of("kron", [x1, x2])
    ndim = max(outer.ndim, inner.ndim)
    shapes = [(1,) * (ndim - x.ndim) + x.shape for x in (outer, inner)]
    spread = outer.reshape(tuple(e for extent in shapes[0] for e in (extent, 1)))
    within = inner.reshape(tuple(e for extent in shapes[1] for e in (1, extent)))
    shape = tuple(a * b for a, b in zip(*shapes, strict=True))
    product_: Array = apply("multiply", spread, within)
    return product_.reshape(shape)
