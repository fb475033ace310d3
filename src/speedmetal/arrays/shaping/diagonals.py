"""Diagonals and triangles of matrices."""

from __future__ import annotations

from typing import Any

from speedmetal.arrays.arguments import DeviceLike, checked_extents, device_of
from speedmetal.arrays.array import Array
from speedmetal.arrays.assembling import Part, assemble, assembled_like, whole
from speedmetal.arrays.creation import arange, asarray
from speedmetal.arrays.deferred.graph import apply
from speedmetal.arrays.deferred.pending import Step
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.shapes import axes_of
from speedmetal.dtypes import DEFAULT_FLOAT, as_dtype
from speedmetal.errors import UserInputError


def eye(
    n_rows: int,
    n_cols: int | None = None,
    /,
    k: int = 0,
    *,
    dtype: Any = None,
    device: DeviceLike = None,
) -> Array:
    """A matrix of zeros with ones on a diagonal.

    Args:
        n_rows: The number of rows.
        n_cols: The number of columns; None: as many as rows.
        k: Which diagonal: 0 is the main one, positive numbers are above it, negative ones below.
        dtype: Of the elements; None: float32.
        device: Where to; None: the default device.

    Raises:
        UserInputError: An extent is negative, or the dtype is not supported.

    Example:
        >>> eye(2, 3, k=1)
        Array([[0., 1., 0.],
               [0., 0., 1.]], dtype=float32, device='cpu')
    """
    shape = checked_extents((n_rows, n_rows if n_cols is None else n_cols))
    wanted = DEFAULT_FLOAT if dtype is None else as_dtype(dtype)
    parts = [Part(whole, 0), Part(_diagonal_step(k, 0, 1), 1)]
    made: Array = assemble(Array, "eye", shape, wanted, device_of(device), parts)
    return made


def identity(n: int, dtype: Any = None, device: DeviceLike = None) -> Array:
    """The square matrix with ones on its main diagonal; see :func:`eye`."""
    return eye(n, dtype=dtype, device=device)


def diagonal(x: Any, /, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The view of a diagonal of two axes, which becomes the last axis of the result.

    It can be written to where ``x`` can.

    Args:
        x: Two axes or more.
        offset: Which one: 0 is the main diagonal, positive numbers are above it.
        axis1: The axis of the rows.
        axis2: The axis of the columns.

    Raises:
        AxisError: There is no such axis.
        ValueError: Both axes are the same.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.zeros((2, 2))
        >>> sm.diagonal(x)[:] = sm.array([1.0, 2.0])
        >>> x
        Array([[1., 0.],
               [0., 2.]], dtype=float32, device='cpu')
    """
    view = asarray(x).viewed(_diagonal_step(offset, axis1, axis2))
    assert view is not None
    return view


def diag(x: Any, /, k: int = 0) -> Array:
    """A matrix with these elements on a diagonal; of a matrix the view of its diagonal.

    Args:
        x: Shape ``(n,)``, for a matrix of shape ``(n + abs(k), n + abs(k))``, or a matrix.
        k: Which diagonal, see :func:`diagonal`.

    Raises:
        UserInputError: ``x`` has another number of axes.

    Example:
        >>> import speedmetal as sm
        >>> sm.diag(sm.array([1, 2]), k=-1)
        Array([[0, 0, 0],
               [1, 0, 0],
               [0, 2, 0]], dtype=int32, device='cpu')
    """
    source = asarray(x)
    if source.ndim == 2:
        return diagonal(source, k)
    if source.ndim != 1:
        raise UserInputError(f"diag expected one axis or two, got shape {source.shape}")
    extent = source.size + abs(k)
    parts = [Part(whole, 0), Part(_diagonal_step(k, 0, 1), source)]
    made: Array = assembled_like(source, "diag", (extent, extent), parts)
    return made


def triu(x: Any, /, k: int = 0) -> Array:
    """The upper triangles of matrices, with zeros below: where ``column - row >= k``.

    It is lazy, and elementwise: part of the kernel that reads it.

    Args:
        x: Shape ``(..., rows, columns)``.
        k: The lowest diagonal that is kept, see :func:`diagonal`.

    Raises:
        UserInputError: There are fewer than two axes.

    Example:
        >>> import speedmetal as sm
        >>> sm.triu(sm.ones((2, 3)), k=1)
        Array([[0., 1., 1.],
               [0., 0., 1.]], dtype=float32, device='cpu')
    """
    return _triangle("triu", "ge", x, k)


def tril(x: Any, /, k: int = 0) -> Array:
    """The lower triangles of matrices, with zeros above: where ``column - row <= k``.

    It is lazy, and elementwise: part of the kernel that reads it.

    Args:
        x: Shape ``(..., rows, columns)``.
        k: The highest diagonal that is kept, see :func:`diagonal`.

    Raises:
        UserInputError: There are fewer than two axes.

    Example:
        >>> import speedmetal as sm
        >>> sm.tril(sm.ones((2, 3)))
        Array([[1., 0., 0.],
               [1., 1., 0.]], dtype=float32, device='cpu')
    """
    return _triangle("tril", "le", x, k)


def _triangle(name: str, comparison: str, x: Any, k: int) -> Array:
    source = asarray(x)
    if source.ndim < 2:
        raise UserInputError(f"{name} expected two axes or more, got shape {source.shape}")
    rows, columns = source.shape[-2:]
    below = max(-rows, min(k, columns))  # a diagonal beyond the corner is as good as the corner
    borders = arange(below, below + rows, device=source.device)[:, None]
    kept = apply(comparison, arange(columns, device=source.device), borders)
    zero = source.layout.dtype.numpy.type(0)
    triangle: Array = apply("where", kept, source, zero)
    return triangle


def _diagonal_step(k: int, axis1: int, axis2: int) -> Step:
    """What makes the layout of a diagonal: one axis, that walks along both."""

    def step(elements: Layout) -> Layout:
        rows, columns = axes_of((axis1, axis2), elements.ndim)
        moved = elements.moveaxis((rows, columns), (-2, -1))
        first = moved[..., max(-k, 0) :, max(k, 0) :]
        length = min(first.shape[-2:])
        stride = first.strides[-2] + first.strides[-1]
        shape, strides = (*first.shape[:-2], length), (*first.strides[:-2], stride)
        return Layout(first.dtype, shape, strides, first.offset)

    return step
