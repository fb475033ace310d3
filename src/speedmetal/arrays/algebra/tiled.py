"""Products by tiles of sums in registers: when the CPU takes them, and how they are launched.

The rule, measured beside OpenBLAS, MKL and XLA on one core and on two (Sapphire Rapids, float32):

* many products of a few matrices of up to ``MOST_BYTES_OF_B`` each go by tiles: BLAS goes through
  its own threads for each of them, or copies more than it computes. So does one product of many
  rows with such a matrix: where its result is large, writing that in order is what counts;
* a product of few rows and columns over a long inner axis is cut along that axis
  (:func:`cut_of_inner`), which BLAS does not do;
* all else is BLAS's: large matrices, whose blocks it copies better, single rows and columns, and
  what is over before a kernel would begin.
"""

from __future__ import annotations

import math
from typing import Any

from speedmetal.arrays.array import Array
from speedmetal.arrays.deferred.following import (
    Follower,
    followed,
    follower_layouts,
    result_layouts,
)
from speedmetal.arrays.deferred.graph import peeked
from speedmetal.arrays.deferred.schedule import evaluate
from speedmetal.arrays.memory.layout import Layout
from speedmetal.backends.cpu.identity import has_avx512
from speedmetal.backends.cpu.pool import default_threads
from speedmetal.common.records import record
from speedmetal.dtypes import DType, bfloat16, float16, float32, float64

LEAST_WORK = 1 << 19
"""Multiplications from which two launches cost little."""
LEAST_COLUMNS = 16
MOST_BYTES_OF_B = 1 << 20
"""Of a matrix that is read once for each tile's rows: what a core's cache keeps beside others."""
PACKED_FROM = 32
"""Rows from which the columns of ``b`` are laid into panels first: a copy, read as often."""
LONG_INNER = 1 << 14
PART_OF_INNER = 4096
"""Elements of a part of a long inner axis."""
MOST_SUMS = 1 << 14
"""Elements of a result that are worth so many partial sums."""
TILES_OF_GROUP = 8
"""Rows of a threadgroup, in tiles."""

FLOATS = (float16, bfloat16, float32, float64)


@record
class Tile:
    """Sums that a thread has at once.

    Args:
        rows: How many rows of them.
        vectors: How many columns, in vectors.
    """

    rows: int
    vectors: int


def tile_for(rows: int, columns: int, dtype: DType) -> Tile:
    """The tile for matrices: as many sums as there are registers, of what the matrices have.

    >>> tile_for(1, 500, float32).rows
    1
    """
    registers = 28 if has_avx512() else 12
    if dtype is float64:
        registers //= 2
    vectors = -(-columns // 16)
    if rows < 4:
        wide = min(vectors, 8, registers // rows)
        return Tile(rows, wide)
    wide = vectors if vectors < 4 and registers == 28 else min(vectors, 2)
    return Tile(min(rows, registers // wide, 14), wide)


def takes_tiles(left: Any, right: Any, shape: tuple[int, ...]) -> bool:
    """Whether a product of matrices on the CPU goes by tiles.

    Args:
        left: ``(..., rows, inner)``.
        right: ``(..., inner, columns)``, of the same dtype.
        shape: Of the result.
    """
    inner, (rows, columns) = left.shape[-1], shape[-2:]
    dtype = right.layout.dtype
    if dtype not in FLOATS or columns < LEAST_COLUMNS or not inner:
        return False
    work = math.prod(shape) * inner
    if work < LEAST_WORK or inner * columns * max(dtype.itemsize, 4) > MOST_BYTES_OF_B:
        return False
    if right.ndim == 2 or math.prod(right.shape[:-2]) == 1:
        rows *= math.prod(shape[:-2])
    if rows < PACKED_FROM:
        is_stack = math.prod(shape[:-2]) >= 2 * default_threads()
        return is_stack and right.elements.strides[-1] == dtype.itemsize == float32.itemsize
    return True


def cut_of_inner(left: Any, right: Any) -> int:
    """How many parts of ``PART_OF_INNER`` the inner axis of two matrices is cut into; 0: none."""
    if left.ndim > 2 or right.ndim > 2 or left.layout.dtype not in (float32, float64):
        return 0
    rows, inner = left.shape
    columns = right.shape[1]
    is_small = rows * columns <= MOST_SUMS and min(rows, columns) >= LEAST_COLUMNS
    return inner // PART_OF_INNER if is_small and inner >= LONG_INNER else 0


def takes_follower(merged: tuple[int, ...], follower: Follower) -> bool:
    """Whether a kernel that sees the result as stacks of matrices computes a follower."""
    layouts = follower_layouts(follower, follower.array.layout.shape)
    return all(layout.reshape(merged) is not None for layout in layouts)


def merged_shape(right: Any, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """A result's shape as one stack; where all matrices meet the same one, as one matrix."""
    stack = math.prod(shape[:-2])
    if math.prod(right.shape[:-2]) == 1:
        return (1, stack * shape[-2], shape[-1])
    return (stack, shape[-2], shape[-1])


def by_tiles(
    left: Array, right: Array, shape: tuple[int, ...], follower: Follower | None = None
) -> Array:
    """The product of stacks of matrices.

    Args:
        left: ``(..., rows, inner)``, in memory or an expression of what is.
        right: ``(..., inner, columns)``, the same.
        shape: Of the result; it has elements.
        follower: What is computed of that, and stored in its place.
    """
    from speedmetal.arrays.kernels.matmul import total_type  # with its first use
    from speedmetal.arrays.kernels.tiles import LANES, multiply_panels

    dtype, device = left.layout.dtype, left.layout.device
    stack, rows, columns = merged = merged_shape(right, shape)
    tile = tile_for(rows, columns, dtype)
    if columns > LANES * tile.vectors:  # else each element is read once, and may be computed then
        left = left.astype(total_type(dtype), copy=False)
        evaluate((left,))
    a = _as_stack(left, (*shape[:-2], *left.shape[-2:]), (stack, rows, left.shape[-1]))
    panels = _panels_of(right, shape[:-2], tile, rows)
    elements, layout, size_bytes = result_layouts(follower, shape, dtype, device)
    result = type(left)(device.allocate(size_bytes), elements, layout)
    target = result.with_elements(_merged(elements, merged))
    layouts = [_merged(x, merged) for x in follower_layouts(follower, shape)]
    stored, _ = followed(follower, target, layouts)
    tiles = -(-rows // tile.rows)
    shares = -(-8 * default_threads() // stack)  # of a matrix, so that no core waits long
    block = tile.rows * max(1, min(TILES_OF_GROUP, tiles // shares))
    sizes: Any = {"groups": (-(-rows // block), stack), "threads": LANES}
    multiply_panels(stored, a, panels, tile.rows, tile.vectors, block, **sizes)
    return result


def _merged(layout: Layout, shape: tuple[int, ...]) -> Layout:
    found = layout.reshape(shape)
    assert found is not None
    return found


def _as_stack(array: Any, whole: tuple[int, ...], merged: tuple[int, ...]) -> Any:
    """An array, broadcast and with axes merged: a view, or an expression of views, where it can."""
    seen = array if array.shape == whole else array.broadcast_to(whole)
    return peeked(seen.reshape(merged))


def _panels_of(right: Any, batch: tuple[int, ...], tile: Tile, rows: int) -> Any:
    """``(stack, panels, inner, width)``: a view where it will do, else a copy.

    Copies are of the type of sums, and have zeros beyond the last column: what memory was before
    may be numbers that take long to multiply.
    """
    from speedmetal.arrays.kernels.matmul import total_type
    from speedmetal.arrays.kernels.tiles import LANES

    dtype, width = right.layout.dtype, LANES * tile.vectors
    inner, columns = right.shape[-2:]
    stack = math.prod(right.shape[:-2])
    if stack != 1:
        right = right.broadcast_to((*batch, inner, columns))
        stack = math.prod(batch)
    panels = -(-columns // width)
    one = right.reshape((stack, inner, columns))
    kind = total_type(dtype)
    is_even = columns % width == 0
    fits = kind is dtype and right.elements.strides[-1] == dtype.itemsize
    if is_even and fits and (panels == 1 or rows < PACKED_FROM):
        split = one.reshape((stack, inner, panels, width))
        return split.transpose((0, 2, 1, 3))
    packed = Array.allocate((stack, panels, inner, width), kind, right.layout.device)
    whole = columns // width
    if whole:
        split = one[:, :, : whole * width].reshape((stack, inner, whole, width))
        packed[:, :whole] = split.transpose((0, 2, 1, 3))
    if not is_even:
        packed[:, whole, :, : columns - whole * width] = one[:, :, whole * width :]
        packed[:, whole, :, columns - whole * width :] = 0
    return packed
