"""Products of vectors, matrices and their stacks, and :func:`einsum`'s building block.

``algorithm`` says who multiplies: ``"vendor"`` is cuBLASLt on NVIDIA GPUs, elsewhere NumPy's BLAS
on the host, ``"native"`` a kernel of ours on the arrays' device, ``"auto"`` the first for floats
and complex numbers where cuBLASLt is installed or the device shares its memory with the host, else
the second: of integers there is no BLAS, and NumPy's own loop took 60 times as long. On the CPU,
kernels take floats as well where they are faster: see :mod:`speedmetal.arrays.algebra.tiled` for
the rule. Results are lazy, but small ones of arrays that
are in memory; operands that are lazy are computed first, or, by the kernel, where it reads them.

float16 and bfloat16 are multiplied and summed in float32, and rounded once. Integers wrap. Of bools
``any(x & y)`` is told.
"""

from __future__ import annotations

import enum
import math
import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from speedmetal.arrays.algebra.by_library import (
    by_library,
    multiplies,
    note_small,
    repeated,
    why_not,
)
from speedmetal.arrays.algebra.tiled import (
    PART_OF_INNER,
    by_tiles,
    cut_of_inner,
    merged_shape,
    takes_follower,
    takes_tiles,
)
from speedmetal.arrays.along_axes.reductions import sum as sum_along
from speedmetal.arrays.array import Array
from speedmetal.arrays.assembling import common_dtype
from speedmetal.arrays.deferred.graph import peeked
from speedmetal.arrays.deferred.lazy import call
from speedmetal.arrays.deferred.pending import Call
from speedmetal.arrays.elementwise.operands import refuse_lists
from speedmetal.arrays.host_routines import (
    LEAST_PART,
    fresh_from,
    in_parts,
    longest_axis,
    operands_of,
)
from speedmetal.arrays.memory.shapes import axes_of
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.dtypes import bool_, float32, int32
from speedmetal.errors import UnknownNameError, UserInputError

ALGORITHMS = ("auto", "vendor", "native")

# --- Functions -----------------------------------------------------------------------------------


def matmul(x1: Any, x2: Any, /, *, algorithm: str = "auto") -> Array:
    """The product of matrices, or of stacks of them; also ``x1 @ x2``.

    A vector ``x1`` counts as one row, a vector ``x2`` as one column, and that axis is left out of
    the result.

    Args:
        x1: ``(..., rows, inner)`` or ``(inner,)``, of any dtype.
        x2: ``(..., inner, columns)`` or ``(inner,)``; the axes in front are broadcast.
        algorithm: ``"auto"``, ``"vendor"`` or ``"native"``.

    Returns:
        ``(..., rows, columns)``, of the promoted dtype.

    Raises:
        UserInputError: Shapes, dtypes or devices do not go together.
        DeviceError: ``"vendor"`` on an NVIDIA GPU, and cuBLASLt is not installed.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.array([[1.0, 2.0], [3.0, 4.0]])
        >>> x @ x
        Array([[ 7., 10.],
               [15., 22.]], dtype=float32, device='cpu')
        >>> x @ sm.array([1.0, -1.0])
        Array([-1., -1.], dtype=float32, device='cpu')
    """
    if type(x1) is type(x2) is Array and algorithm == "auto":
        known = repeated(x1, x2)
        if known is not None:
            return known
    left, right = _operands("matmul", x1, x2)
    if not left.ndim or not right.ndim:
        raise UserInputError(
            f"matmul takes arrays with axes, got shapes {left.shape} and {right.shape};"
            " multiply by a number with *"
        )
    is_row, is_column = left.ndim == 1, right.ndim == 1
    result = _product(
        left[None] if is_row else left, right[:, None] if is_column else right, algorithm
    )
    if is_row:
        result = result[..., 0, :]
    return result[..., 0] if is_column else result


def at_operator(x1: Any, x2: Any) -> Any:
    """``x1 @ x2``: NotImplemented where another class is to say what it is."""
    if isinstance(x1, Array | np.ndarray) and isinstance(x2, Array | np.ndarray):
        return matmul(x1, x2)
    refuse_lists("an operator", (x1, x2))
    return NotImplemented


def matrix_transpose(x: Array, /) -> Array:
    """The view whose last two axes have changed places.

    Args:
        x: ``(..., rows, columns)``.

    Raises:
        UserInputError: It has fewer than two axes.

    Example:
        >>> import speedmetal as sm
        >>> matrix_transpose(sm.zeros((5, 2, 3))).shape
        (5, 3, 2)
    """
    (array,) = operands_of("matrix_transpose", x)
    if array.ndim < 2:
        raise UserInputError(
            f"matrix_transpose takes arrays of two axes or more, got shape {array.shape}"
        )
    return array.transpose((*range(array.ndim - 2), array.ndim - 1, array.ndim - 2))


def tensordot(
    x1: Any,
    x2: Any,
    /,
    axes: int | tuple[Sequence[int], Sequence[int]] = 2,
    *,
    algorithm: str = "auto",
) -> Array:
    """The sum of products over pairs of axes.

    Args:
        x1: Of any shape and dtype.
        x2: The same.
        axes: How many of the last axes of ``x1`` are paired, in order, with the first of ``x2``; or
            the paired axes of both.
        algorithm: As in :func:`matmul`.

    Returns:
        The other axes of ``x1``, then those of ``x2``; of the promoted dtype.

    Raises:
        UserInputError: Paired axes have different extents, or there are not so many.
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> tensordot(sm.ones((2, 3, 4)), sm.ones((4, 3, 5)), axes=((1, 2), (1, 0))).shape
        (2, 5)
        >>> tensordot(sm.ones((2, 3)), sm.ones((3, 4)), 1).shape
        (2, 4)
    """
    left, right = _operands("tensordot", x1, x2)
    left_axes, right_axes = _paired_axes(left, right, axes)
    left_others = [axis for axis in range(left.ndim) if axis not in left_axes]
    right_others = [axis for axis in range(right.ndim) if axis not in right_axes]
    inner = math.prod(left.shape[axis] for axis in left_axes)
    rows = tuple(left.shape[axis] for axis in left_others)
    columns = tuple(right.shape[axis] for axis in right_others)
    flat = _product(
        left.transpose((*left_others, *left_axes)).reshape((math.prod(rows), inner)),
        right.transpose((*right_axes, *right_others)).reshape((inner, math.prod(columns))),
        algorithm,
    )
    return flat.reshape(rows + columns)


def vecdot(x1: Any, x2: Any, /, *, axis: int = -1, algorithm: str = "auto") -> Array:
    """The sums of ``conj(x1) * x2`` along an axis.

    Args:
        x1: Of any shape and dtype.
        x2: The other axes are broadcast, this one has the same extent.
        axis: Counted from the last: -1 is the last one of both.
        algorithm: As in :func:`matmul`.

    Raises:
        UserInputError: The shapes do not go together.
        AxisError: One of the arrays has no such axis.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.array([[1.0, 2.0], [3.0, 4.0]])
        >>> vecdot(x, x)
        Array([ 5., 25.], dtype=float32, device='cpu')
    """
    left, right = _operands("vecdot", x1, x2)
    left, right = (_moved_last(array, axis) for array in (left, right))
    if left.shape[-1] != right.shape[-1]:
        raise UserInputError(
            f"vecdot: axis {axis} has extents {left.shape[-1]} and {right.shape[-1]} in shapes"
            f" {x1.shape} and {x2.shape}; they must be equal"
        )
    return _product(_conjugate(left)[..., None, :], right[..., None], algorithm)[..., 0, 0]


def dot(x1: Any, x2: Any, /, *, algorithm: str = "auto") -> Array:
    """NumPy's ``dot``: the sums over the last axis of ``x1`` and the last but one of ``x2``.

    Of matrices it is their product, of vectors the sum of products; an operand without axes is
    multiplied elementwise.

    Raises:
        UserInputError: The shapes do not go together.

    Example:
        >>> import speedmetal as sm
        >>> dot(sm.arange(3), sm.arange(3))
        Array(5, dtype=int32, device='cpu')
    """
    left, right = _operands("dot", x1, x2)
    if not left.ndim or not right.ndim:
        product: Array = left * right
        return product
    return tensordot(left, right, axes=((-1,), (max(right.ndim - 2, 0),)), algorithm=algorithm)


def inner(x1: Any, x2: Any, /, *, algorithm: str = "auto") -> Array:
    """NumPy's ``inner``: the sums of products over the last axes, without conjugation.

    Example:
        >>> import speedmetal as sm
        >>> inner(sm.ones((2, 3)), sm.ones((4, 3))).shape
        (2, 4)
    """
    left, right = _operands("inner", x1, x2)
    if not left.ndim or not right.ndim:
        product: Array = left * right
        return product
    return tensordot(left, right, axes=((-1,), (-1,)), algorithm=algorithm)


def outer(x1: Any, x2: Any, /) -> Array:
    """All products of an element of ``x1`` with one of ``x2``, both taken as vectors.

    Returns:
        ``(x1.size, x2.size)``, elementwise and lazy.

    Example:
        >>> import speedmetal as sm
        >>> outer(sm.array([1, 2]), sm.array([3, 4, 5]))
        Array([[ 3,  4,  5],
               [ 6,  8, 10]], dtype=int32, device='cpu')
    """
    left, right = operands_of("outer", x1, x2)
    product: Array = left.reshape(-1)[:, None] * right.reshape(-1)
    return product


def vdot(x1: Any, x2: Any, /, *, algorithm: str = "auto") -> Array:
    """The sum of ``conj(x1) * x2`` over all elements, in C order.

    Raises:
        UserInputError: The arrays have different sizes.

    Example:
        >>> import speedmetal as sm
        >>> vdot(sm.array([1j, 2.0]), sm.array([1j, 1.0])).item()
        (3+0j)
    """
    left, right = operands_of("vdot", x1, x2)
    return vecdot(left.reshape(-1), right.reshape(-1), algorithm=algorithm)


# --- Operands ------------------------------------------------------------------------------------


def _operands(name: str, x1: Any, x2: Any) -> tuple[Array, Array]:
    """Both as arrays of one device and dtype.

    Raises:
        UserInputError: No dtype holds both; see also :func:`operands_of`.
    """
    left, right = operands_of(name, x1, x2)
    dtype = common_dtype(name, [left.layout.dtype, right.layout.dtype])
    return left.astype(dtype, copy=False), right.astype(dtype, copy=False)


def _paired_axes(left: Array, right: Array, axes: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if hasattr(axes, "__index__"):
        count = operator.index(axes)
        if not 0 <= count <= min(left.ndim, right.ndim):
            raise UserInputError(
                f"tensordot: expected 0 to {min(left.ndim, right.ndim)} axes for shapes"
                f" {left.shape} and {right.shape}, got {count}"
            )
        pairs = tuple(range(left.ndim - count, left.ndim)), tuple(range(count))
    else:
        first, second = ((one,) if hasattr(one, "__index__") else one for one in axes)
        pairs = axes_of(tuple(first), left.ndim), axes_of(tuple(second), right.ndim)
    extents = [tuple(x.shape[k] for k in own) for x, own in zip((left, right), pairs, strict=True)]
    if extents[0] != extents[1]:
        raise UserInputError(
            f"tensordot: axes {pairs[0]} of shape {left.shape} have extents {extents[0]}, axes"
            f" {pairs[1]} of shape {right.shape} have {extents[1]}; they must be equal"
        )
    return pairs


def _moved_last(array: Array, axis: int) -> Array:
    (place,) = axes_of(axis, array.ndim)
    return array.transpose((*(k for k in range(array.ndim) if k != place), place))


def _conjugate(array: Array) -> Array:
    if not array.layout.dtype.is_complex:
        return array
    found: Array = array.conj()
    return found


# --- The product ---------------------------------------------------------------------------------


def _product(left: Array, right: Array, algorithm: str) -> Array:
    """The product of stacks of matrices of one dtype and device."""
    batch = _batch_shape(left, right)
    dtype = left.layout.dtype
    if dtype is bool_:
        counts = _product(left.astype(int32), right.astype(int32), algorithm)
        is_any: Array = counts != 0
        return is_any
    shape = (*batch, left.shape[-2], right.shape[-1])
    way = _way(left, right, shape, algorithm)
    if way is Way.PARTS:
        return _in_parts_of_inner(left, right)
    if way is Way.BLAS and dtype.is_float and dtype.bits < float32.bits:
        return _product(left.astype(float32), right.astype(float32), algorithm).astype(dtype)
    run = _RUNS[way]
    is_small = math.prod(shape) * left.shape[-1] <= _AT_ONCE.get(way, 0)
    if is_small and left.pending is right.pending is None:
        if way is Way.LIBRARY and algorithm == "auto" and left.size and right.size:
            note_small(left, right, shape)
        return run(left, right, shape)
    takes = None
    if way is Way.TILES:
        takes = partial(takes_follower, merged_shape(right, shape))
    node = Call(
        "matmul", (left, right), _run(run, left, right, shape), _reads(shape, way), 2, takes
    )
    (result,) = call(type(left), node, [(shape, dtype)], left.device)
    found: Array = result
    return found


class Way(enum.Enum):
    """Who multiplies."""

    BLAS = enum.auto()
    BLOCKS = enum.auto()
    """:mod:`speedmetal.arrays.kernels.matmul`, on any device and of any dtype."""
    TILES = enum.auto()
    """:mod:`speedmetal.arrays.kernels.tiles`, on the CPU."""
    LIBRARY = enum.auto()
    """:mod:`speedmetal.arrays.algebra.by_library`, on GPUs that have one."""
    PARTS = enum.auto()
    """The inner axis is cut, and the parts' products are added up."""


def _batch_shape(left: Array, right: Array) -> tuple[int, ...]:
    if left.shape[-1] != right.shape[-2]:
        raise UserInputError(
            f"matmul: {left.shape[-1]} columns of shape {left.shape} do not go together with"
            f" {right.shape[-2]} rows of shape {right.shape}; they must be as many"
        )
    stacks = left.shape[:-2], right.shape[:-2]
    if stacks[0] == stacks[1]:
        return stacks[0]
    try:
        return np.broadcast_shapes(*stacks)
    except ValueError:
        raise UserInputError(
            f"matmul: the stacks of shapes {left.shape} and {right.shape} do not go together;"
            " counted from the matrices, two extents must be equal, or one of them 1"
        ) from None


_AT_ONCE = {Way.BLAS: 1 << 12, Way.LIBRARY: 1 << 24}
"""Multiplications that are done, or asked for, before a lazy array is made."""
_LEAST_NATIVE = 1 << 14
"""Multiplications of integers from which a launch costs less than NumPy's loop."""


def _way(left: Array, right: Array, shape: tuple[int, ...], algorithm: str) -> Way:
    if algorithm not in ALGORITHMS:
        raise UnknownNameError("algorithm", str(algorithm), ALGORITHMS)
    if algorithm != "native" and multiplies(left.device, left.layout.dtype):
        return Way.LIBRARY
    if algorithm == "vendor":
        return _vendors_blas(left)
    if left.device.kind == "cpu":
        if cut_of_inner(left, right):
            return Way.PARTS
        if takes_tiles(left, right, shape):
            return Way.TILES
    if algorithm == "native" or not left.device.shares_host_memory:
        return Way.BLOCKS
    is_long = left.layout.dtype.is_integer and left.size * right.shape[-1] >= _LEAST_NATIVE
    return Way.BLOCKS if is_long else Way.BLAS


def _vendors_blas(left: Array) -> Way:
    """NumPy's, but where a GPU's vendor has one of its own that is missing."""
    dtype = left.layout.dtype
    missing = why_not(left.device) if dtype.is_float or dtype.is_complex else None
    if missing is not None:
        raise missing
    return Way.BLAS


def _reads(shape: tuple[int, ...], way: Way) -> int:
    """How often an element of an operand is read; libraries read memory alone."""
    if way in (Way.BLAS, Way.LIBRARY):
        return 1
    from speedmetal.arrays.kernels.matmul import BLOCK

    return -(-max(shape[-2:]) // BLOCK)


def _in_parts_of_inner(left: Array, right: Array) -> Array:
    """The product of two matrices over a long inner axis, as a sum of products over parts of it."""
    parts, rows, columns = cut_of_inner(left, right), left.shape[0], right.shape[1]
    end = parts * PART_OF_INNER
    a = left[:, :end].reshape((rows, parts, PART_OF_INNER)).transpose((1, 0, 2))
    b = right[:end].reshape((parts, PART_OF_INNER, columns))
    total: Array = sum_along(_product(a, b, "auto"), axis=0)
    if end < left.shape[1]:
        total = total + _product(left[:, end:], right[end:], "auto")
    return total


def _run(
    way: Callable[..., Array], left: Array, right: Array, shape: tuple[int, ...]
) -> Callable[..., list[Array]]:
    return lambda *follower: [way(left, right, shape, *follower)]


def _by_kernel(left: Array, right: Array, shape: tuple[int, ...]) -> Array:
    from speedmetal.arrays.kernels.matmul import BLOCK, SIDE, multiply

    result = Array.allocate(shape, left.layout.dtype, left.device)
    *batch, rows, columns = shape
    if not result.size:
        return result
    if not left.shape[-1]:
        result[...] = 0
        return result
    stack = math.prod(batch)
    a, b = (_stacked(array, tuple(batch), stack) for array in (left, right))
    c = result.reshape((stack, rows, columns))
    blocks = -(-columns // BLOCK) * -(-rows // BLOCK)
    most = left.device.limits.threadgroups[1]
    for first in range(0, stack, most):
        part = slice(first, first + most)
        operands = (x if stack <= most else x[part] for x in (a, b, c))
        groups = (blocks, min(stack - first, most))
        multiply(*operands, groups=groups, threads=(SIDE, SIDE))
    return result


def _by_library(left: Array, right: Array, shape: tuple[int, ...]) -> Array:
    found = by_library(left, right, shape) if left.size * right.size else None
    return _by_kernel(left, right, shape) if found is None else found


def _stacked(array: Array, batch: tuple[int, ...], stack: int) -> Array:
    """``(stack, rows, columns)``: where nothing repeats, or all does, a view."""
    shape = (stack, *array.shape[-2:])
    if math.prod(array.shape[:-2]) in (1, stack):
        seen: Array = peeked(array.reshape((-1, *array.shape[-2:])).broadcast_to(shape))
        return seen
    return array.broadcast_to((*batch, *array.shape[-2:])).reshape(shape)


# --- NumPy's BLAS --------------------------------------------------------------------------------


def _by_blas(left: Array, right: Array, shape: tuple[int, ...]) -> Array:
    a, b = left.numpy(), right.numpy()
    return fresh_from(
        lambda out: multiply_on_host(a, b, out), shape, left.layout.dtype, left.device
    )


_RUNS: dict[Way, Callable[..., Array]] = {
    Way.BLAS: _by_blas,
    Way.BLOCKS: _by_kernel,
    Way.TILES: by_tiles,
    Way.LIBRARY: _by_library,
}

_BLAS_THREADS_FROM = 1 << 18
"""Multiplications of a product from which OpenBLAS uses its own threads."""


def multiply_on_host(a: HostArray, b: HostArray, out: HostArray) -> None:
    """``out[...] = a @ b``, by BLAS where it has the dtype, on all cores.

    Args:
        a: ``(..., rows, inner)``.
        b: ``(..., inner, columns)``, of the same dtype.
        out: ``(..., rows, columns)`` in C order.
    """
    if not out.size:
        return
    is_float = out.dtype.kind in "fc"
    if is_float:
        a, b = _as_blas_takes_it(a), _as_blas_takes_it(b)
        a, out = _in_one_matrix(a, b, out)
    each = out.shape[-2] * out.shape[-1] * a.shape[-1]
    axes = out.shape[:-2] if is_float else out.shape[:-1]
    if not axes or (is_float and each > _BLAS_THREADS_FROM) or out.size * a.shape[-1] < LEAST_PART:
        np.matmul(a, b, out=out)
        return
    axis = longest_axis(axes)
    index: list[Any] = [slice(None)] * axis
    wide = np.broadcast_to(a, (*out.shape[:-1], a.shape[-1]))
    other = np.broadcast_to(b, (*out.shape[:-2], *b.shape[-2:]))
    has_axis = axis < out.ndim - 2  # the rows' axis is none of b's

    def multiply(part: slice) -> None:
        place = (*index, part)
        np.matmul(wide[place], other[place] if has_axis else other, out=out[place])

    # BLAS does some ten multiplications in the time of other operations.
    in_parts(multiply, axes[axis], out.size * a.shape[-1] // (16 if is_float else 1))


def _as_blas_takes_it(x: HostArray) -> HostArray:
    """Matrices one of whose axes has neighbours side by side; for others NumPy uses no BLAS."""
    rows, columns = x.shape[-2:]
    row_stride, column_stride = x.strides[-2:]
    size = x.itemsize
    is_by_rows = column_stride == size and row_stride >= columns * size
    is_by_columns = row_stride == size and column_stride >= rows * size
    if is_by_rows or is_by_columns or 1 in (rows, columns) or not x.size:
        return x
    return np.ascontiguousarray(x)


def _in_one_matrix(a: HostArray, b: HostArray, out: HostArray) -> tuple[HostArray, HostArray]:
    """A stack of matrices that are multiplied by one matrix, as one matrix of all their rows."""
    if b.ndim > 2 or a.ndim == 2:
        return a, out
    inner, columns = b.shape
    try:
        rows = a.reshape((-1, inner), copy=False)
    except ValueError:  # they do not lie in one row after the other
        return a, out
    return rows, out.reshape((-1, columns))
