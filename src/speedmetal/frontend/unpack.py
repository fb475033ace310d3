"""Positions and their axes, and what can be taken apart into items."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from speedmetal.frontend.run import Run
from speedmetal.frontend.values import Aggregate, Position, Scalar, Value
from speedmetal.ir import nodes as ir
from speedmetal.source import SourceSpan

AXES = "xyz"


def on_axis(run: Run, position: Position, axis: int, span: SourceSpan) -> Scalar:
    """A position's number along an axis: strong, of the kernel's index type."""
    run.impure()
    return Scalar(ir.Call(position.intrinsic, (), run.index_type, span, axis))


def unpacked(run: Run, node: ast.expr, value: Value) -> Sequence[Value] | None:
    """The items of a tuple or position; None where the value has none."""
    if isinstance(value, Aggregate) and value.is_tuple:
        return value.items
    if isinstance(value, Position):
        return [on_axis(run, value, axis, run.span(node)) for axis in range(len(AXES))]
    return None
