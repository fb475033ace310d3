"""Operands of the user's functions as arguments of kernels: expressions over arranged axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from speedmetal.arrays.array import Array
from speedmetal.arrays.deferred import schedule
from speedmetal.arrays.deferred.computing import MOST_ARRAYS
from speedmetal.arrays.deferred.graph import peeked
from speedmetal.arrays.deferred.lazy import call
from speedmetal.arrays.deferred.pending import Call
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.shapes import Shape
from speedmetal.backends.device import Device
from speedmetal.dtypes import DType
from speedmetal.frontend import structure
from speedmetal.frontend.forms import Tree, flatten, rebuild
from speedmetal.frontend.structure import Structure
from speedmetal.launch.expressions import Expression, Number

Arrange = Callable[[list[Layout]], list[Layout]]
"""Makes of layouts of one shape as many of another one, which go over the same elements."""


def readable(operands: Sequence[Any]) -> list[Any]:
    """Operands that one kernel can read: computed before, where they are made of too many."""
    found = [peeked(operand) if isinstance(operand, Array) else operand for operand in operands]
    if sum(map(_count_arrays, found)) > MOST_ARRAYS:
        schedule.evaluate([operand for operand in found if isinstance(operand, Array)])
    return found


def _count_arrays(operand: Any) -> int:
    if not isinstance(operand, Array):
        return 0
    if type(operand.pending) is not Structure:
        return 1
    return sum(type(leaf) is not Number for leaf in operand.leaves)


def expressions_of(operands: Sequence[Any], shape: Shape, arrange: Arrange) -> list[Any]:
    """Arrays as expressions, broadcast to a shape and arranged; numbers as they are.

    Args:
        operands: Arrays whose leaves are in memory, and numbers.
        shape: To which they are broadcast.
        arrange: Is given the layouts of all leaves that are arrays.
    """
    parts = [_parts_of(operand) for operand in operands if isinstance(operand, Array)]
    leaves = [leaf for _, own in parts for leaf in own if type(leaf) is not Number]
    layouts = arrange([leaf.elements.broadcast_to(shape) for leaf in leaves])
    remaining = iter(layouts)
    made = iter(
        [
            Expression(
                computed,
                tuple(
                    leaf if type(leaf) is Number else leaf.with_elements(next(remaining))
                    for leaf in own
                ),
                layouts[0].shape,
            )
            for computed, own in parts
        ]
    )
    return [next(made) if isinstance(operand, Array) else operand for operand in operands]


def _parts_of(array: Any) -> tuple[Structure, tuple[Any, ...]]:
    if type(array.pending) is Structure:
        return array.pending, array.leaves
    return structure.leaf(array.layout.dtype), (array,)


def computed_now(
    name: str,
    operands: Sequence[Any],
    run: Callable[[], Sequence[Any]],
    results: tuple[Tree, Shape],
    device: Device,
    reads: int = 1,
) -> Tree:
    """The results of an operation with a function of the user's, which is called now.

    Later what it closes over may be something else.

    Args:
        name: Of the operation.
        operands: Arrays, and numbers.
        run: Gives the arrays in memory.
        results: Their dtypes and their shape.
        device: Where they are.
        reads: How often an element of an operand is read.
    """
    dtypes, shape = results
    kinds: list[tuple[Shape, DType]] = [(shape, dtype) for dtype in flatten(dtypes)]
    node = Call(name, [x for x in operands if isinstance(x, Array)], run, reads)
    made = call(Array, node, kinds, device)
    schedule.evaluate(made)
    return rebuild(dtypes, made)
