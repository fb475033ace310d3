"""Numbers at regular distances, and the coordinates of grids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from speedmetal.arrays.arguments import (
    DeviceLike,
    Shape,
    checked_extents,
    device_of,
    from_numbers,
    on_host,
)
from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import arange, asarray
from speedmetal.arrays.operands import arrays_of
from speedmetal.arrays.shaping.joining import stack
from speedmetal.dtypes import DEFAULT_FLOAT, DEFAULT_INT
from speedmetal.errors import UserInputError


def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    dtype: Any = DEFAULT_FLOAT,
    device: DeviceLike = None,
    *,
    endpoint: bool = True,
    base: float = 10.0,
) -> Array:
    """``num`` powers of a base, whose exponents are at equal distances; computed in float64.

    Args:
        start: The first exponent.
        stop: The last, or, where ``endpoint`` is False, the one that would come after the last.
        num: How many.
        dtype: To which they are rounded.
        device: Where to; None: the default device.
        endpoint: Whether the power of ``stop`` is among them.
        base: Of the powers.

    Raises:
        UserInputError: ``num`` is negative.

    Example:
        >>> logspace(0, 3, 4)
        Array([   1.,   10.,  100., 1000.], dtype=float32, device='cpu')
    """
    _check_number("logspace", num)
    ends = on_host(start), on_host(stop)
    return from_numbers(np.logspace(*ends, num, endpoint, base), dtype, device)


def geomspace(
    start: Any,
    stop: Any,
    num: int = 50,
    dtype: Any = DEFAULT_FLOAT,
    device: DeviceLike = None,
    *,
    endpoint: bool = True,
) -> Array:
    """``num`` numbers from ``start`` to ``stop`` with equal quotients; computed in float64.

    Args:
        start: The first.
        stop: The last, or, where ``endpoint`` is False, the one that would come after the last.
        num: How many.
        dtype: To which they are rounded.
        device: Where to; None: the default device.
        endpoint: Whether ``stop`` is among them.

    Raises:
        UserInputError: ``num`` is negative, or an end is 0.

    Example:
        >>> geomspace(1, 8, 4)
        Array([1., 2., 4., 8.], dtype=float32, device='cpu')
    """
    _check_number("geomspace", num)
    ends = on_host(start), on_host(stop)
    if not np.all(ends[0]) or not np.all(ends[1]):
        raise UserInputError(
            f"geomspace: no quotient leads to or from 0, got {ends[0]} to {ends[1]}"
        )
    return from_numbers(np.geomspace(*ends, num, endpoint), dtype, device)


def _check_number(name: str, num: int) -> None:
    if num < 0:
        raise UserInputError(f"{name}: expected 0 numbers or more, got {num}")


def meshgrid(*arrays: Any, indexing: str = "xy") -> tuple[Array, ...]:
    """The coordinates of a grid, from those along each axis.

    They are read-only views that repeat the arrays, and take no memory; copy what is written to.

    Args:
        arrays: With one axis each.
        indexing: ``"ij"``: the first array runs along the first axis of the results; ``"xy"``:
            along the second, and the second array along the first, as columns and rows do.

    Raises:
        UserInputError: An array has two axes or more, or there is no such indexing.

    Example:
        >>> import speedmetal as sm
        >>> x, y = sm.meshgrid(sm.arange(3), sm.arange(2))
        >>> 10 * y + x
        Array([[ 0,  1,  2],
               [10, 11, 12]], dtype=int32, device='cpu')
    """
    if indexing not in ("xy", "ij"):
        raise UserInputError(f'meshgrid: there is no indexing {indexing!r}; give "xy" or "ij"')
    given = arrays_of("meshgrid", arrays) if arrays else []
    for x in given:
        if x.ndim > 1:
            raise UserInputError(f"meshgrid expected arrays with one axis, got shape {x.shape}")
    axes = list(range(len(given)))
    if indexing == "xy":
        axes[:2] = axes[1::-1]
    shape = tuple(given[axes[axis]].size for axis in range(len(given)))
    return tuple(
        x.reshape((-1, *(1,) * (len(given) - 1 - axis))).broadcast_to(shape)
        for x, axis in zip(given, axes, strict=True)
    )


def indices(
    dimensions: Shape, dtype: Any = DEFAULT_INT, device: DeviceLike = None, *, sparse: bool = False
) -> Array | tuple[Array, ...]:
    """The indices of an array of this shape along each axis.

    Args:
        dimensions: The shape, of ``n`` axes.
        dtype: Of the indices.
        device: Where to; None: the default device.
        sparse: Whether to give a tuple of arrays that are to be broadcast.

    Returns:
        Shape ``(n, *dimensions)``.

    Raises:
        UserInputError: An extent is negative.

    Example:
        >>> indices((2, 2)).tolist()
        [[[0, 0], [1, 1]], [[0, 1], [0, 1]]]
    """
    shape = checked_extents(dimensions)
    along = _along_axes(shape, dtype, device)
    if sparse:
        return along
    if not shape:
        return arange(0, dtype=dtype, device=device)
    return stack([x.broadcast_to(shape) for x in along])


def fromfunction(
    function: Callable[..., Any],
    shape: Shape,
    *,
    dtype: Any = DEFAULT_INT,
    device: DeviceLike = None,
) -> Array:
    """The array whose element at ``(i, j, ...)`` is ``function(i, j, ...)``.

    The function is called once, with arrays of indices, which take no memory: what it computes
    elementwise is one kernel.

    Args:
        function: It takes as many arrays as there are axes.
        shape: Of the result.
        dtype: Of the indices.
        device: Where to; None: the default device.

    Raises:
        UserInputError: An extent is negative, or the result is not broadcast to the shape.

    Example:
        >>> fromfunction(lambda i, j: 10 * i + j, (2, 3))
        Array([[ 0,  1,  2],
               [10, 11, 12]], dtype=int32, device='cpu')
    """
    extents = checked_extents(shape)
    made = function(*_along_axes(extents, dtype, device))
    found = asarray(made, None, None if isinstance(made, Array) else device)
    if found.shape == extents:
        return found
    try:
        wide = found.broadcast_to(extents)
    except ValueError:
        raise UserInputError(
            f"fromfunction: the function gave shape {found.shape}, which is not broadcast to"
            f" {extents}"
        ) from None
    return wide.copy()


def _along_axes(shape: tuple[int, ...], dtype: Any, device: DeviceLike) -> tuple[Array, ...]:
    """The indices along each axis, on that axis of as many."""
    place = device_of(device)
    return tuple(
        arange(extent, dtype=dtype, device=place).reshape(
            (*(1,) * axis, extent, *(1,) * (len(shape) - axis - 1))
        )
        for axis, extent in enumerate(shape)
    )
