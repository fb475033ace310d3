"""Copies into threadgroup memory that a thread need not wait for."""

from __future__ import annotations

import ast
from collections.abc import Callable

from speedmetal.frontend.arguments import Arguments
from speedmetal.frontend.convert import static_int
from speedmetal.frontend.interpreter import AbstractInterpreter, Fault
from speedmetal.frontend.matrix_calls import Place, check_block
from speedmetal.frontend.memory import axis_index, flatten_indices, in_memory
from speedmetal.frontend.values import NONE, ArrayView, Value, describe
from speedmetal.ir import nodes as ir
from speedmetal.ir.types import Space
from speedmetal.source import SourceSpan

MOST_COPIED_ELEMENTS = 16
"""What a copy may take: 16 bytes of the narrowest type are one access of an NVIDIA GPU."""
_NAME = "sm.async_copy"

Handler = Callable[[AbstractInterpreter, Arguments], Value]


def _copy(run: AbstractInterpreter, arguments: Arguments) -> Value:
    array, index, source, source_index, count = arguments.take(
        run, _NAME, "array index source source_index count"
    )
    run.require_inlining()
    span = run.span(arguments.node)
    number = static_int(count, span, "the count of elements to copy")
    if not 1 <= number <= MOST_COPIED_ELEMENTS:
        raise Fault(span, f"expected a count from 1 to {MOST_COPIED_ELEMENTS}, found {number}")
    to = _place(run, array, index, Space.THREADGROUP, arguments.node)
    start = _place(run, source, source_index, Space.DEVICE, arguments.node)
    if to[0].type.dtype is not start[0].type.dtype or to[0].type.dtype.is_complex:
        raise Fault(
            span,
            f"{_NAME} expects arrays of one type of real numbers, found {to[0].type.dtype.name} and"
            f" {start[0].type.dtype.name}",
        )
    indices = _check(run, to, number, span)
    source_indices = _check(run, start, number, span)
    run.emit(ir.AsyncCopy(to[0], indices, start[0], source_indices, number, span))
    return NONE


def _place(
    run: AbstractInterpreter, view: Value, index: Value, space: Space, node: ast.expr
) -> Place:
    span = run.span(node)
    if not (isinstance(view, ArrayView) and view.array.type.space is space):
        expected = "from device memory to threadgroup memory"
        raise Fault(span, f"{_NAME} copies {expected}, found {describe(view)}")
    places = flatten_indices([index])
    if len(places) != view.rank:
        raise Fault(
            span,
            f"{_NAME} expects an index for each axis of {view.array.name!r}, {view.rank}, found"
            f" {len(places)}",
        )
    first = len(view.prefix)
    return in_memory(run, view.array, node), view.prefix + tuple(
        axis_index(run, view.array, first + number, place, node)
        for number, place in enumerate(places)
    )


def _check(
    run: AbstractInterpreter, place: Place, count: int, span: SourceSpan
) -> tuple[ir.Expression, ...]:
    neighbours = "1 element" if count == 1 else f"{count} elements"
    return check_block(run, place, (count,), neighbours, span)


def _group(run: AbstractInterpreter, arguments: Arguments) -> Value:
    arguments.take(run, "sm.async_copy_group", "")
    run.require_inlining()
    run.emit(ir.AsyncGroup(run.span(arguments.node)))
    return NONE


def _wait(run: AbstractInterpreter, arguments: Arguments) -> Value:
    (pending,) = arguments.take_some(run, "sm.async_copy_wait", "", "pending")
    run.require_inlining()
    span = run.span(arguments.node)
    number = 0 if pending is None else static_int(pending, span, "the pending groups")
    if number < 0:
        raise Fault(span, f"expected the count of groups to be 0 or more, found {number}")
    run.emit(ir.AsyncWait(number, span))
    return NONE


HANDLERS: dict[str, Handler] = {
    "async_copy": _copy,
    "async_copy_group": _group,
    "async_copy_wait": _wait,
}
