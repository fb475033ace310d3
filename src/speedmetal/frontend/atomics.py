"""Atomic accesses to elements of arrays."""

from __future__ import annotations

import ast
from collections.abc import Callable

from speedmetal import dtypes
from speedmetal.dtypes import DType
from speedmetal.frontend.arguments import Arguments
from speedmetal.frontend.convert import as_scalar, implicit
from speedmetal.frontend.emit import OpenIf, OpenWhile
from speedmetal.frontend.interpreter import AbstractInterpreter, Fault
from speedmetal.frontend.memory import Element, element, flatten_indices, in_memory, note_write
from speedmetal.frontend.values import NONE, ArrayView, Scalar, Value, describe
from speedmetal.ir import nodes as ir
from speedmetal.ir.types import Space
from speedmetal.source import SourceSpan

Handler = Callable[[AbstractInterpreter, Arguments], Value]

_BITWISE = frozenset({"and", "or", "xor"})


def _place(
    run: AbstractInterpreter, name: str, array: Value, index: Value, node: ast.expr
) -> Element:
    """The element that an atomic acts on."""
    if not isinstance(array, ArrayView):
        raise run.fault(
            node,
            f"{name} expects an array first, found {describe(array)}; write the array and the"
            " index apart: (a, index, ...)",
        )
    if array.array.type.space is Space.THREAD:
        raise run.fault(
            node,
            f"{name} expects memory that threads share; {array.array.name!r} is a thread's own",
        )
    if array.dtype.is_bool or array.dtype.is_complex:
        raise run.fault(
            node, f"{name} expects integers or floats, found an array of {array.dtype.name}"
        )
    return element(run, array, flatten_indices([index]), node)


def _atomic(name: str, operation: str, operands: str) -> Handler:
    """The handler of an atomic with these operands."""

    def handler(run: AbstractInterpreter, arguments: Arguments) -> Value:
        shown = f"sm.atomic_{name}"
        array, index, *values = arguments.take(run, shown, f"array index {operands}".strip())
        node = arguments.node
        place = _place(run, shown, array, index, node)
        dtype = place.array.type.dtype
        if operation in _BITWISE and not dtype.is_integer:
            raise run.fault(node, f"{shown} expects integers, found an array of {dtype.name}")
        span = run.span(node)
        into = f"an element of {place.array.name!r}"
        given = tuple(implicit(run, value, dtype, span, into) for value in values)
        if operation == "store":
            emit_atomic(run, operation, place, given, None, span)
            return NONE
        return atomic(run, operation, place, given, span)

    return handler


def emit_atomic(
    run: AbstractInterpreter,
    operation: str,
    place: Element,
    operands: tuple[ir.Expression, ...],
    result: ir.Variable | None,
    span: SourceSpan,
) -> None:
    """Emit the statement, and note what it writes."""
    array = in_memory(run, place.array, place.node)
    if operation != "load":
        note_write(run, array)
    run.emit(ir.Atomic(operation, array, place.indices, operands, result, span))


def atomic(
    run: AbstractInterpreter,
    operation: str,
    place: Element,
    operands: tuple[ir.Expression, ...],
    span: SourceSpan,
) -> Scalar:
    """Emit an atomic whose old value is wanted."""
    old = run.variable("old", place.array.type.dtype, span)
    run.temporaries.add(old)
    emit_atomic(run, operation, place, operands, old, span)
    return Scalar(ir.Read(old, span))


_BITS: dict[int, DType] = {16: dtypes.uint16, 32: dtypes.uint32, 64: dtypes.uint64}


def _update(run: AbstractInterpreter, arguments: Arguments) -> Value:
    """``old = load; while True: seen = compare_exchange(old, f(old)); if seen is old: break``.

    Floats are compared by their bits, as the exchange does: NaN would never equal itself.
    """
    array, index, function, value = arguments.take(
        run, "sm.atomic_update", "array index function value"
    )
    node, span = arguments.node, run.span(arguments.node)
    place = _place(run, "sm.atomic_update", array, index, node)
    place = Element(place.array, tuple(run.keep(i, "index") for i in place.indices), node)
    dtype = place.array.type.dtype
    operand = run.keep_scalar(as_scalar(run, value, span), "operand")
    old = run.variable("old", dtype, span)
    read = ir.Read(old, span)
    emit_atomic(run, "load", place, (), old, span)
    loop = OpenWhile(ir.Constant(value=True, type=dtypes.bool_, span=span), span)
    run.emit(loop)
    outer, run.block = run.block, loop.body
    try:
        found = run.call_value(node, function, [Scalar(read), operand])
        into = f"an element of {place.array.name!r}"
        desired = implicit(run, found, dtype, span, into)
        seen = atomic(run, "compare_exchange", place, (read, desired), span).expression
        same = ir.Compare("eq", _bits(seen, dtype), _bits(read, dtype), dtypes.bool_, span)
        run.emit(OpenIf(same, span, [ir.Break(span)]))
        run.emit(ir.Assign(old, seen, span))
    except Fault:
        run.block = outer
        raise
    run.block = outer
    return Scalar(read)


def _bits(expression: ir.Expression, dtype: DType) -> ir.Expression:
    if not dtype.is_float:
        return expression
    return ir.Bitcast(expression, _BITS[dtype.bits], expression.span)


HANDLERS: dict[str, Handler] = {
    "atomic_load": _atomic("load", "load", ""),
    "atomic_store": _atomic("store", "store", "value"),
    "atomic_exchange": _atomic("exchange", "exchange", "value"),
    "atomic_compare_exchange": _atomic("compare_exchange", "compare_exchange", "expected desired"),
    "atomic_add": _atomic("add", "add", "value"),
    "atomic_sub": _atomic("sub", "subtract", "value"),
    "atomic_update": _update,
    **{
        f"atomic_{name}": _atomic(name, name, "value")
        for name in ("min", "max", "and", "or", "xor")
    },
}
