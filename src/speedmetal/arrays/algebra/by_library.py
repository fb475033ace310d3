"""Products by the library of a GPU's vendor: where operands lie for it, and when it is asked.

**The rule.** Floats and complex numbers on a GPU with such a library are multiplied by it;
integers, and products for which it has no algorithm, by :mod:`speedmetal.arrays.kernels.matmul`.
What follows a product elementwise is a kernel of its own: on an NVIDIA H200, ``relu(x @ w + b)``
took 7.7 us so for 256 rows and columns of float32, where our kernel, which could compute it as it
stores, took 18 us for the product alone; from there on it falls back, to a 25th for 4096 of float16
(docs/nvidia-speed.md).

Matrices are taken where they are if their rows, or their columns, have neighbours side by side, and
copied else.
"""

from __future__ import annotations

from typing import Any

from speedmetal.arrays.array import Array
from speedmetal.arrays.deferred.schedule import evaluate
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.layout import Layout
from speedmetal.backends.device import Device
from speedmetal.common.records import record
from speedmetal.dtypes import DType, float32
from speedmetal.errors import DeviceError
from speedmetal.launch.modes import stated_math_mode


def multiplies(device: Device, dtype: DType) -> bool:
    """Whether a device's library multiplies matrices of a dtype."""
    routines = device.routines
    is_float = dtype.is_float or dtype.is_complex
    return routines is not None and is_float and bool(routines.has("cublasLt"))


def why_not(device: Device) -> DeviceError | None:
    """Why a device's library cannot be asked; None: it can, or there is none for the device."""
    missing: DeviceError | None = None
    if device.routines is not None:
        missing = device.routines.missing("cublasLt")
    return missing


@record
class _Way:
    """How a product of operands that lie so is done.

    Args:
        plan: The library's.
        copies: Whether the left operand, the right one, must be copied first; None: neither.
    """

    plan: Any
    copies: tuple[bool, bool] | None


_math_mode = stated_math_mode  # found once, not at each call

_ways: Kept[_Way] = Kept(1024)
_small: Kept[tuple[int, ...]] = Kept(1024)
"""For layouts of operands that were multiplied as soon as they were asked for, the shape."""


def note_small(left: Array, right: Array, shape: tuple[int, ...]) -> None:
    """Note that products of operands that lie so are asked for at once."""
    _small.keep((left.layout, right.layout), shape)


def repeated(left: Array, right: Array) -> Array | None:
    """A product of operands that lie as others did before; None: it must be looked at.

    Small products take the card less time than the way to it.
    """
    if left.pending is not None or right.pending is not None:
        return None
    shape = _small.get((left.layout, right.layout))
    return None if shape is None else by_library(left, right, shape)


def by_library(left: Array, right: Array, shape: tuple[int, ...]) -> Array | None:
    """The product of stacks of matrices; None: the library has no algorithm for it.

    Args:
        left: ``(..., rows, inner)``.
        right: ``(..., inner, columns)``, of the same dtype.
        shape: Of the result; it has elements, and the inner axis as well.
    """
    from speedmetal.backends.cuda.libraries.products import alignment_of  # with its first use

    if left.pending is not None or right.pending is not None:
        evaluate((left, right))
    device = left.layout.device
    result = Array.allocate(shape, left.layout.dtype, device)
    a, b = alignment_of(left.address), alignment_of(right.address)
    is_rounded = left.layout.dtype is float32 and _math_mode.get() != "safe"
    key = (left.layout, right.layout, shape, a, b, is_rounded)
    way = _ways.get(key)
    if way is None:
        way = _ways.keep(key, _way_for(left, right, shape, (a, b), is_rounded=is_rounded))
    if way.plan is None:
        return None
    if way.copies is not None:
        left, right = (
            _dense(x, shape[:-2]) if is_copied else x
            for x, is_copied in zip((left, right), way.copies, strict=True)
        )
    kept = (left.buffer, right.buffer, result.buffer)
    addresses = (left.address, right.address, result.address)
    device.routines.products.run(way.plan, addresses, kept)
    return result


def _dense(array: Array, batch: tuple[int, ...]) -> Array:
    """A copy without gaps; of several matrices, each as often as it is read."""
    is_one = all(extent == 1 for extent in array.shape[:-2])
    shape = array.shape if is_one else (*batch, *array.shape[-2:])
    copy = Array.allocate(shape, array.layout.dtype, array.layout.device)
    copy[...] = array.broadcast_to(shape)
    return copy


def _way_for(
    left: Array,
    right: Array,
    shape: tuple[int, ...],
    aligned: tuple[int, int],
    *,
    is_rounded: bool,
) -> _Way:
    from speedmetal.backends.cuda.libraries.products import Problem

    batch, (rows, columns), inner = shape[:-2], shape[-2:], left.shape[-1]
    stack = Layout(left.layout.dtype, batch, (0,) * len(batch)).size
    is_one = all(extent == 1 for extent in right.shape[:-2])
    if is_one and stack > 1:  # of one matrix on the right all rows are one matrix
        is_joined = _operand(left, batch, (1, stack * rows, inner)) is not None
        if is_joined or _operand(left, batch, (stack, rows, inner)) is None:
            stack, rows = 1, stack * rows
    a = _operand(left, batch, (stack, rows, inner))
    b = _operand(right, batch, (stack, inner, columns)) if stack > 1 else _alone(right)
    best = 256
    problem = Problem(
        *(left.layout.dtype, stack, rows, columns, inner),
        a or _packed(left, stack, rows, inner),
        b or _packed(right, stack, inner, columns),
        (aligned[0] if a else best, aligned[1] if b else best, best),
        is_rounded,
    )
    plan = left.device.routines.products.plan(problem)
    return _Way(plan, None if a and b else (a is None, b is None))


def _alone(array: Array) -> Any:
    """One matrix, whatever axes of extent 1 are in front."""
    rows, columns = array.shape[-2:]
    return _operand(array, array.shape[:-2], (1, rows, columns))


def _packed(array: Array, stack: int, rows: int, columns: int) -> Any:
    """As a copy lies."""
    from speedmetal.backends.cuda.libraries.products import Operand

    is_one = all(extent == 1 for extent in array.shape[:-2])
    return Operand(
        is_by_rows=True, leading=columns, stride=0 if is_one or stack == 1 else rows * columns
    )


def _operand(array: Array, batch: tuple[int, ...], merged: tuple[int, int, int]) -> Any:
    """An operand where it is, as a stack of matrices of a shape; None: it must be copied."""
    whole = array.elements.broadcast_to((*batch, *array.shape[-2:]))
    layout = whole.reshape(merged)
    return None if layout is None else placed(layout)


def placed(layout: Layout) -> Any:
    """``(stack, rows, columns)`` as cuBLASLt takes it; None: it does not.

    >>> from speedmetal.dtypes import float32
    >>> placed(Layout.c_contiguous(float32, (2, 3, 4)))
    Operand(is_by_rows=True, leading=4, stride=12)
    >>> placed(Layout(float32, (1, 3, 4), (0, 8, 8)))
    """
    from speedmetal.backends.cuda.libraries.products import Operand

    size, (stack, rows, columns) = layout.itemsize, layout.shape
    if any(step % size for step in layout.strides):
        return None
    step, row, column = (step // size for step in layout.strides)
    stride = step if stack > 1 else 0
    if stride < 0:
        return None
    if column == 1 or columns == 1:
        leading = row if rows > 1 else columns
        if leading >= columns:
            return Operand(is_by_rows=True, leading=leading, stride=stride)
    if row == 1 or rows == 1:
        leading = column if columns > 1 else rows
        if leading >= rows:
            return Operand(is_by_rows=False, leading=leading, stride=stride)
    return None
