"""Positions and their axes, and what can be taken apart into items."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from speedmetal.frontend.run import Run
from speedmetal.frontend.values import Aggregate, Position, Scalar, Static, Value
from speedmetal.ir import nodes as ir
from speedmetal.source import SourceSpan

AXES = "xyz"
LARGEST_UNROLLING = 4096
"""Turns of an unrolled loop: beyond it, code is larger than any instruction cache."""


def on_axis(run: Run, position: Position, axis: int, span: SourceSpan) -> Scalar:
    """A position's number along an axis: strong, of the kernel's index type."""
    run.impure()
    return Scalar(ir.Call(position.intrinsic, (), run.index_type, span, axis))


def turns(bounds: range) -> int:
    """The number of items; ``len`` refuses those beyond the address space.

    >>> turns(range(10**30)), turns(range(3, 0, -2)), turns(range(3, 0))
    (1000000000000000000000000000000, 2, 0)
    """
    return max(0, -((bounds.start - bounds.stop) // bounds.step))


def unrolled(run: Run, node: ast.expr, bounds: range) -> list[Static]:
    """The items of ``sm.static_range``.

    Raises:
        Fault: They are too many.
    """
    if turns(bounds) > LARGEST_UNROLLING:
        raise run.fault(
            node,
            f"expected at most {LARGEST_UNROLLING} turns to unroll, found {turns(bounds)};"
            " use range",
        )
    return [Static(number) for number in bounds]


def unpacked(run: Run, node: ast.expr, value: Value) -> Sequence[Value] | None:
    """The items of a tuple or position; None where the value has none."""
    if isinstance(value, Aggregate) and value.is_tuple:
        return value.items
    if isinstance(value, Position):
        return [on_axis(run, value, axis, run.span(node)) for axis in range(len(AXES))]
    return None
