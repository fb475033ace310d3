"""Products by tiles of sums in registers: when the CPU takes them, and how they are launched.

The rule, measured beside OpenBLAS, MKL and XLA on one core and on two (Sapphire Rapids, float32):

* many products of a few matrices of up to ``MOST_BYTES_OF_B`` each go by tiles: BLAS goes through
  its own threads for each of them, or copies more than it computes. So does one product of many
  rows with such a matrix: where its result is large, writing that in order is what counts;
* so do many products with transposed matrices, which BLAS would copy on one core;
* a product of few rows and columns over a long inner axis is cut along that axis
  (:func:`cut_of_inner`), which BLAS does not do;
* all else is BLAS's: large matrices, whose blocks it copies better, single rows and columns, and
  what is over before a kernel would begin.
"""

from __future__ import annotations

import math
from typing import Any

from speedmetal.arrays.along_axes.sorted_axes import EXPRESSIONS_OF_STEP
from speedmetal.arrays.array import Array
from speedmetal.arrays.deferred.following import (
    Follower,
    followed,
    follower_layouts,
    result_layouts,
)
from speedmetal.arrays.deferred.graph import peeked
from speedmetal.arrays.deferred.planned import planned
from speedmetal.arrays.deferred.schedule import evaluate
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.placement import Moves
from speedmetal.backends.cpu.identity import has_avx512
from speedmetal.backends.cpu.pool import default_threads
from speedmetal.backends.device import BoundLaunch
from speedmetal.common.records import record
from speedmetal.dtypes import DType, bfloat16, float16, float32, float64
from speedmetal.frontend.static import static
from speedmetal.frontend.structure import Structure

LEAST_WORK = 1 << 24
"""Multiplications from which a second launch, and what Python does for it, costs little."""
LEAST_WORK_OF_FEW = 1 << 21
"""The same of few rows, whose matrices stay where they are."""
LEAST_COLUMNS = 16
MOST_BYTES_OF_B = 1 << 20
"""Of a matrix that is read once for each tile's rows: what a core's cache keeps beside others."""
PACKED_FROM = 128
"""Rows from which the columns of ``b`` are laid into panels first: a copy, read so much faster."""
TURNED_FROM = 32
"""The same of a transposed ``b``, which BLAS would copy as well."""
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
    if dtype not in FLOATS or columns < LEAST_COLUMNS or not inner * math.prod(shape):
        return False
    if inner * columns * max(dtype.itemsize, 4) > MOST_BYTES_OF_B:
        return False
    work, stack = math.prod(shape) * inner, math.prod(shape[:-2])
    if math.prod(right.shape[:-2]) == 1:
        rows *= stack
    if rows >= PACKED_FROM:
        return bool(work >= LEAST_WORK)
    is_even = columns % (16 * tile_for(rows, columns, dtype).vectors) == 0
    stays = right.elements.strides[-1] == dtype.itemsize >= float32.itemsize
    turns = (
        rows >= TURNED_FROM and dtype.itemsize >= float32.itemsize and _is_turned(right.elements)
    )
    is_much = stack >= 2 * default_threads() and work >= LEAST_WORK_OF_FEW
    return bool((stays or turns) and is_even and is_much)


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
    from speedmetal.arrays.kernels.tiles import LANES

    device = left.layout.device
    _, rows, columns = merged = merged_shape(right, shape)
    tile = tile_for(rows, columns, left.layout.dtype)
    whole = (*shape[:-2], *left.shape[-2:])
    if columns > LANES * tile.vectors:  # else each element is read once, and may be computed then
        left = left.astype(total_type(left.layout.dtype), copy=False)
        evaluate((left,))
    evaluate((right,))
    source = left
    if left.pending is not None or _merged(left.elements, whole, merged) is None:
        source = peeked(left.broadcast_to(whole).reshape((*merged[:2], whole[-1])))
        evaluate(() if type(source.pending) is Structure else (source,))
    elements, layout, size_bytes = result_layouts(follower, shape, right.layout.dtype, device)
    plan, values = planned(
        _plans,
        (right.layout, shape),
        source,
        lambda: _plan_for(source, right, shape, tile, follower),
        follower,
    )
    panels, packed = right.address, None
    if plan.pack is not None:
        packed = device.allocate(plan.size_bytes)
        panels = packed.address
        plan.pack([0, panels, right.address])
    result = device.allocate(size_bytes)
    values[1] = result.address
    plan.run([*values, panels, plan.block])
    return type(left)(result, elements, layout)


@record(eq=False)
class _Plan:
    """The launches of a product.

    Args:
        pack: Lays the second operand into panels; None: it lies in panels.
        size_bytes: Of the panels.
        run: Multiplies.
        block: The last of its values.
        moves: As in :func:`speedmetal.arrays.deferred.planned.planned`.
    """

    pack: BoundLaunch | None
    size_bytes: int
    run: BoundLaunch
    block: int
    moves: Moves


_plans: Kept[_Plan] = Kept(1024)


def _plan_for(
    source: Any, right: Any, shape: tuple[int, ...], tile: Tile, follower: Follower | None
) -> _Plan:
    from speedmetal.arrays.kernels.tiles import LANES, multiply_panels  # as above

    stack, rows, _ = merged = merged_shape(right, shape)
    a = source
    if (source.pending is None and source.ndim != 3) or source.shape[0] != stack:
        layout = _merged(source.elements, (*shape[:-2], *source.shape[-2:]), merged)
        a = source.with_elements(layout)
    result, _, _ = result_layouts(follower, shape, right.layout.dtype, right.layout.device)
    target = right.allocate(merged, result.dtype, right.layout.device)
    layouts = [x.reshape(merged) for x in follower_layouts(follower, shape)]
    stored, moves = followed(follower, target, [x for x in layouts if x is not None])
    panels, pack = _panels_of(right, shape[:-2], tile, rows)
    tiles = -(-rows // tile.rows)
    shares = -(-8 * default_threads() // stack)  # of a matrix, so that no core waits long
    block = tile.rows * max(1, min(TILES_OF_GROUP, tiles // shares))
    known: Any = (static(tile.rows), static(tile.vectors))
    sizes: Any = {
        "groups": (-(-rows // block), stack),
        "threads": LANES,
        "work": stack * rows * source.shape[-1],
    }
    plan = multiply_panels.prepare(stored, a, panels, *known, block, **sizes)
    return _Plan(pack, panels.elements.nbytes, plan.run, block, moves)


def _merged(layout: Layout, whole: tuple[int, ...], merged: tuple[int, ...]) -> Layout | None:
    """The layout of an operand, broadcast, with the axes of a stack as one where that will do.

    None: they, or their rows, are to be one, and it takes a copy.
    """
    wide = layout.broadcast_to(whole)
    found = wide.reshape((*merged[:2], whole[-1]))
    return wide if found is None and merged[1] == whole[-2] else found


def _panels_of(
    right: Any, batch: tuple[int, ...], tile: Tile, rows: int
) -> tuple[Any, BoundLaunch | None]:
    """``(stack, panels, inner, width)`` of the type of sums, and what lays the operand into it.

    It is a view of the operand where that will do.
    """
    from speedmetal.arrays.kernels.matmul import total_type
    from speedmetal.arrays.kernels.tiles import LANES, lay_into_panels, turn_into_panels

    dtype, width = right.layout.dtype, LANES * tile.vectors
    kind = total_type(dtype)
    inner, columns = right.shape[-2:]
    is_one = math.prod(right.shape[:-2]) == 1
    whole = right.elements.reshape((inner, columns)) if is_one else None
    layout = whole or right.elements.broadcast_to((*batch, inner, columns))
    stack, panels = (1 if is_one else math.prod(batch)), -(-columns // width)
    fits = kind is dtype and layout.strides[-1] == dtype.itemsize and columns % width == 0
    if fits and (panels == 1 or rows < PACKED_FROM):
        seen = layout.reshape((stack, inner, panels, width))
        if seen is not None:
            return right.with_elements(seen.transpose((0, 2, 1, 3))), None
    packed = right.allocate((stack, panels, inner, width), kind, right.layout.device)
    source = right.with_elements(layout)
    if _is_turned(layout):
        sizes: Any = {"groups": (tile.vectors, panels * stack), "threads": LANES}
        sizes["work"] = EXPRESSIONS_OF_STEP * packed.size
        return packed, turn_into_panels.prepare(packed, source, **sizes).run
    pack = lay_into_panels.prepare(packed, source, grid=(width, inner, panels * stack))
    return packed, pack.run


def _is_turned(layout: Layout) -> bool:
    """Whether the columns of matrices lie in memory one after the other."""
    return layout.strides[-2] == layout.itemsize < abs(layout.strides[-1])
