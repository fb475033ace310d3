"""Positions and their axes, and what can be taken apart into items."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from speedmetal.frontend.interpreter import AbstractInterpreter
from speedmetal.frontend.own_methods import refuse_own
from speedmetal.frontend.values import (
    Aggregate,
    ArrayView,
    Position,
    Range,
    Scalar,
    Static,
    Value,
    advice,
    describe,
)
from speedmetal.ir import nodes as ir
from speedmetal.source import SourceSpan

AXES = "xyz"
LARGEST_UNROLLING = 4096
"""Turns of an unrolled loop: beyond it, code is larger than any instruction cache."""


def on_axis(run: AbstractInterpreter, position: Position, axis: int, span: SourceSpan) -> Scalar:
    """A position's number along an axis: strong, of the kernel's index type."""
    run.require_inlining()
    return Scalar(ir.Call(position.intrinsic, (), run.index_type, span, axis))


def count_turns(bounds: range) -> int:
    """The number of items; ``len`` refuses those beyond the address space.

    >>> count_turns(range(10**30)), count_turns(range(3, 0, -2)), count_turns(range(3, 0))
    (1000000000000000000000000000000, 2, 0)
    """
    return max(0, -((bounds.start - bounds.stop) // bounds.step))


def constant_range(bounds: Range) -> range | None:
    """Python's range, where the bounds are constants and the step is none that Python refuses."""
    known = [
        part.value
        for part in (bounds.start, bounds.stop, bounds.step)
        if isinstance(part, Static) and isinstance(part.value, int)
    ]
    if len(known) < 3 or not known[2]:
        return None
    return range(*known)[::-1] if bounds.is_reversed else range(*known)


def unroll_range(run: AbstractInterpreter, node: ast.expr, bounds: range) -> list[Static]:
    """The items of ``sm.static_range``.

    Raises:
        Fault: They are too many.
    """
    if count_turns(bounds) > LARGEST_UNROLLING:
        raise run.fault(
            node,
            f"expected at most {LARGEST_UNROLLING} turns to unroll, found {count_turns(bounds)};"
            " use range",
        )
    return [Static(number) for number in bounds]


def unpack_value(run: AbstractInterpreter, node: ast.expr, value: Value) -> Sequence[Value] | None:
    """The items of a tuple, a constant range or a position; None where the value has none."""
    known = constant_range(value) if isinstance(value, Range) else None
    if known is None and isinstance(value, Static) and isinstance(value.value, range):
        known = value.value
    if known is not None:
        return unroll_range(run, node, known)
    if isinstance(value, Aggregate) and value.is_tuple:
        refuse_own(run, value, ("__iter__",), run.span(node))
        return value.items
    if isinstance(value, Position):
        return [on_axis(run, value, axis, run.span(node)) for axis in range(len(AXES))]
    return None


def spread_values(run: AbstractInterpreter, nodes: Sequence[ast.expr]) -> list[Value]:
    """The values of expressions, a starred one's item by item."""
    plain = [node.value if isinstance(node, ast.Starred) else node for node in nodes]
    found: list[Value] = []
    for node, value in zip(nodes, run.values(plain), strict=True):
        if not isinstance(node, ast.Starred):
            found.append(value)
            continue
        items = unpack_value(run, node, value)
        if items is None:
            raise run.fault(node, f"* expects a tuple, found {describe(value)}{advice(value)}")
        found += items
    return found


def items_of(run: AbstractInterpreter, node: ast.expr, value: Value, name: str) -> list[Value]:
    """The items of a tuple or constant range that a function was called with.

    Raises:
        Fault: The value has none.
    """
    items = unpack_value(run, node, value)
    if items is None:
        raise run.fault(
            node,
            f"{name} expects tuples or constant ranges inside a kernel, found"
            f" {describe(value)}{_instead_of(value)}",
        )
    return list(items)


def _instead_of(value: Value) -> str:
    if isinstance(value, Range):
        return ", which only the running program knows; loop over it: for i in range(n): ..."
    if isinstance(value, ArrayView):
        return f"; loop over its elements: for i in range(len({value.array.name})): ..."
    return advice(value)
