"""In which order an elementwise kernel walks over elements, and results lie in memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from speedmetal.arrays.memory.layout import Layout, collapse_axes
from speedmetal.arrays.memory.shapes import Shape
from speedmetal.dtypes import DType
from speedmetal.launch.expressions import Number

Moves = tuple[tuple[int, int], ...]
"""How far first elements are from where they were, in bytes, by their place among the values of a
launch; those that do not move are left out."""


MOST_ALONG_Y = 1 << 23
MOST_ALONG_Z = 1 << 21
"""Positions of a grid that GPUs have along y and z, whatever the threads along x."""


def in_order_of_memory(target: Layout, *others: Layout) -> tuple[Layout, ...]:
    """Layouts of one shape with axes sorted as the target's elements lie, as few as possible.

    Elements next to each other in the target have their threads next to each other; but where axes
    before the last one would be too long for a grid, the longest is the last.
    """
    strides = target.strides
    by_stride = sorted(range(target.ndim), key=lambda axis: -abs(strides[axis]))
    backward = [place for place, axis in enumerate(by_stride) if strides[axis] < 0]
    sorted_ = [layout.transpose(by_stride).flip(backward) for layout in (target, *others)]
    merged = collapse_axes(*sorted_)
    shape = merged[0].shape
    if not shape:
        return tuple(layout.expand_dims(0) for layout in merged)
    if len(shape) > 1 and (shape[-2] > MOST_ALONG_Y or math.prod(shape[:-2]) > MOST_ALONG_Z):
        longest = shape.index(max(shape))
        order = [*(axis for axis in range(len(shape)) if axis != longest), longest]
        return tuple(layout.transpose(order) for layout in merged)
    return merged


def moved(
    leaves: Sequence[Any], layouts: Sequence[Layout], first: int
) -> tuple[tuple[Any, ...], Moves]:
    """An expression's leaves with the arrays' elements on other axes.

    Args:
        leaves: Arrays and numbers.
        layouts: One for each of the arrays, in its memory.
        first: The place of the first leaf among the values of a launch.

    Returns:
        The leaves, and how far each has moved.
    """
    remaining = iter(layouts)
    found: list[Any] = []
    moves: list[tuple[int, int]] = []
    position = first
    for leaf in leaves:
        if type(leaf) is Number:
            found.append(leaf)
            position += 2 if type(leaf.value) is complex else 1
            continue
        layout = next(remaining)
        if layout.offset != leaf.elements.offset:
            moves.append((position, layout.offset - leaf.elements.offset))
        found.append(leaf.with_elements(layout))
        position += 1
    return tuple(found), tuple(moves)


def grid_of(shape: Shape) -> tuple[int, ...]:
    """A thread for each element, as the kernels of copies number them."""
    outer = (math.prod(shape[:-2]),) if len(shape) > 2 else ()
    return (*reversed(shape[-2:]), *outer)


def layout_of_result(dtype: DType, shape: Shape, operands: Sequence[Layout]) -> Layout:
    """The layout without gaps of an elementwise result: its axes in the order of the operands'.

    So what is computed from transposed arrays is walked over as they lie in memory, as in NumPy.
    Operands that repeat themselves have no say; where none is left, the order is C's.

    Example:
        >>> from speedmetal.dtypes import float32
        >>> x = Layout.c_contiguous(float32, (2, 3))
        >>> layout_of_result(float32, (3, 2), [x.transpose(), x.transpose()]).strides
        (4, 12)
    """
    whole = [x for x in operands if x.shape == shape and 0 not in x.strides]
    if len(shape) < 2 or all(x.is_c_contiguous for x in whole):
        return Layout.c_contiguous(dtype, shape)
    order = sorted(range(len(shape)), key=lambda axis: [-abs(x.strides[axis]) for x in whole])
    places = sorted(range(len(shape)), key=order.__getitem__)
    dense = Layout.c_contiguous(dtype, tuple(shape[axis] for axis in order))
    return dense.transpose(places)
