"""Launches of a user's function over neighbourhoods: the inner box, and what is around it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from speedmetal.arrays.array import Array
from speedmetal.arrays.memory.placement import grid_of
from speedmetal.arrays.memory.shapes import Shape
from speedmetal.arrays.user_functions.user_operands import computed_now, expressions_of, readable
from speedmetal.common.records import record
from speedmetal.frontend.forms import Tree, flatten, mapped, rebuild
from speedmetal.frontend.static import static

SMALL = 1 << 14
"""Arrays of fewer elements are one box: launches would take longer than what they save."""

BOUNDARIES = ("constant", "edge", "wrap", "reflect")


@record(eq=False)
class Stencil:
    """What is to be computed.

    Args:
        function: Of the user's.
        arrays: The tree of arrays, of one shape.
        dtypes: Of the results.
        radius: The greatest constant offset along each axis.
        boundary: One of :data:`BOUNDARIES`.
        values: What is outside where that is a constant, a row of numbers.
    """

    function: Any
    arrays: Tree
    dtypes: Tree
    radius: Shape
    boundary: str
    values: tuple[Any, ...]


def computed(stencil: Stencil) -> Tree:
    """The results, one for each element."""
    operands = readable(flatten(stencil.arrays))
    shape, device = operands[0].shape, operands[0].layout.device

    def run() -> Sequence[Array]:
        made = mapped(lambda dtype: Array.allocate(shape, dtype, device), stencil.dtypes)
        sources = rebuild(stencil.arrays, expressions_of(operands, shape, lambda found: found))
        for box in boxes(shape, stencil.radius):
            _launch(stencil, sources, made, box)
        return flatten(made)

    reads = 2 if any(stencil.radius) else 1
    return computed_now("stencil", operands, run, (stencil.dtypes, shape), device, reads)


@record
class Box:
    """Some of the elements.

    Args:
        slices: Of each axis.
        is_inner: Whether no offset within the radius leads outside.
    """

    slices: tuple[slice, ...]
    is_inner: bool


def boxes(shape: Shape, radius: Shape) -> Iterator[Box]:
    """Boxes that have every element of an array once: the inner one, and two for each axis.

    >>> [[(s.start, s.stop) for s in box.slices] for box in boxes((20_000,), (1,))]
    [[(1, 19999)], [(0, 1)], [(19999, 20000)]]
    """
    size = math.prod(shape)
    inner = [slice(r, extent - r) for extent, r in zip(shape, radius, strict=True)]
    whole = [slice(0, extent) for extent in shape]
    if size < SMALL or any(part.stop <= part.start for part in inner):
        if size:
            yield Box(tuple(whole), is_inner=not any(radius))
        return
    yield Box(tuple(inner), is_inner=True)
    for axis, (extent, r) in enumerate(zip(shape, radius, strict=True)):
        if r:
            for part in (slice(0, r), slice(extent - r, extent)):
                yield Box((*inner[:axis], part, *whole[axis + 1 :]), is_inner=False)


def _launch(stencil: Stencil, sources: Tree, made: Tree, box: Box) -> None:
    from speedmetal.arrays.kernels import higher_order  # with its first use

    targets = mapped(lambda x: x.with_elements(x.elements[box.slices]), made)
    higher_order.map_neighbourhoods(
        targets,
        stencil.function,
        sources,
        getattr(higher_order, f"outside_{stencil.boundary}"),
        stencil.values,
        static(stencil.radius),
        tuple(part.start for part in box.slices),
        static(box.is_inner),
        grid=grid_of(flatten(targets)[0].shape),
    )
