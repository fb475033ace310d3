"""Expressions: names, literals, operators, subscripts and attributes."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from speedmetal.frontend import arithmetic, special_methods
from speedmetal.frontend.attributes import attribute
from speedmetal.frontend.binding import bind, fault_of, resolve_name
from speedmetal.frontend.capture import look_up
from speedmetal.frontend.comparison import (
    combine,
    compare,
    invert_truth,
)
from speedmetal.frontend.convert import static_int, truth
from speedmetal.frontend.frames import Frame
from speedmetal.frontend.interpreter import AbstractInterpreter, UnknownName, expression
from speedmetal.frontend.memory import index_nodes, item, subscript
from speedmetal.frontend.own_methods import refuse_own
from speedmetal.frontend.suggestions import FOREIGN, suggest_names, unknown_name
from speedmetal.frontend.unpack import spread_values
from speedmetal.frontend.values import (
    Aggregate,
    ArrayView,
    Broken,
    Closure,
    Range,
    Scalar,
    Static,
    Value,
    advice,
    describe,
    with_expressions,
)
from speedmetal.source import SourceSpan

OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide",
    ast.FloorDiv: "floor_divide", ast.Mod: "remainder", ast.Pow: "power",
    ast.BitAnd: "bit_and", ast.BitOr: "bit_or", ast.BitXor: "bit_xor",
    ast.LShift: "shift_left", ast.RShift: "shift_right",
}  # fmt: skip
_UNARY: dict[type[ast.unaryop], Callable[[AbstractInterpreter, Value, SourceSpan], Value]] = {
    ast.USub: arithmetic.negate,
    ast.UAdd: arithmetic.plus,
    ast.Invert: arithmetic.invert,
    ast.Not: lambda run, value, span: invert_truth(truth(run, value, span), span),
}
_OWN_UNARY: dict[type[ast.unaryop], str] = {
    ast.USub: "__neg__", ast.UAdd: "__pos__", ast.Invert: "__invert__",
}  # fmt: skip
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge",
}  # fmt: skip


@expression(ast.Constant)
def _constant(run: AbstractInterpreter, node: ast.Constant) -> Value:
    del run
    return Static(node.value)


@expression(ast.Name)
def _name(run: AbstractInterpreter, node: ast.Name) -> Value:
    frame: Frame | None = run.frame
    while frame is not None:
        if node.id in frame.parsed.locals:
            return _load_local(run, node, frame)
        if frame.parent is None:
            break
        frame = frame.parent
    assert frame is not None
    try:
        found = look_up(frame.function, node.id, run.session.dependencies)
    except KeyError:
        message = unknown_name(node.id, _visible_names(frame))
        raise UnknownName(run.span(node), message) from None
    return run.lift_object(found)


def _load_local(run: AbstractInterpreter, node: ast.Name, frame: Frame) -> Value:
    found = frame.env.get(node.id)
    if found is None:
        hint = suggest_names(node.id, frame.env.names()) or "; assign it before it is read"
        raise run.fault(node, f"{node.id!r} has no value yet{hint}")
    if isinstance(found, Broken):
        raise fault_of(run, node, found)
    return resolve_name(run, frame, node.id, found)


def _visible_names(frame: Frame) -> list[str]:
    return [*frame.parsed.locals, *frame.function.__globals__, *frame.function.__code__.co_freevars]


@expression(ast.Tuple)
def _tuple(run: AbstractInterpreter, node: ast.Tuple) -> Value:
    return Aggregate(tuple(spread_values(run, node.elts)))


DEEPEST_CHAIN = 64
"""Operators of one expression that nest; beyond it a value is put into a variable, so that no
later stage meets a tree too deep for Python's stack."""


@expression(ast.BinOp)
def _binary(run: AbstractInterpreter, node: ast.BinOp) -> Value:
    chain = []
    first: ast.expr = node
    while isinstance(first, ast.BinOp):
        chain.append(first)
        first = first.left
    result = run.value(first)
    for number, part in enumerate(reversed(chain), start=1):
        mark = len(run.block)
        right = run.value(part.right)
        result = run.materialize_before(result, mark)
        name = OPERATORS[type(part.op)]
        result = special_methods.binary(run, part, name, result, right)
        if number % DEEPEST_CHAIN == 0:
            result = with_expressions(result, run.keep)
    return result


@expression(ast.UnaryOp)
def _unary(run: AbstractInterpreter, node: ast.UnaryOp) -> Value:
    value, kind = run.value(node.operand), type(node.op)
    method = _OWN_UNARY.get(kind)
    own = None if method is None else special_methods.call_own(run, node, method, value)
    return _UNARY[kind](run, value, run.span(node)) if own is None else own


@expression(ast.NamedExpr)
def _named_expression(run: AbstractInterpreter, node: ast.NamedExpr) -> Value:
    bind(run, node.target.id, run.value(node.value), node.target)
    found = run.frame.env.get(node.target.id)
    assert found is not None
    return found


@expression(ast.Lambda)
def _lambda(run: AbstractInterpreter, node: ast.Lambda) -> Value:
    return Closure(node, run.frame, parameter_defaults(run, node.args))


def parameter_defaults(run: AbstractInterpreter, arguments: ast.arguments) -> dict[str, Value]:
    """The default values of a function inside a kernel, evaluated where it is defined."""
    places = [*arguments.posonlyargs, *arguments.args]
    with_default = places[len(places) - len(arguments.defaults) :]
    pairs: list[tuple[ast.arg, ast.expr]] = [*zip(with_default, arguments.defaults, strict=True)]
    keyword_only = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    pairs += [(place, default) for place, default in keyword_only if default is not None]
    return {place.arg: run.copy_value(run.value(default)) for place, default in pairs}


# --- Comparisons -----------------------------------------------------------------------------


def comparison(
    run: AbstractInterpreter, node: ast.Compare, operator: ast.cmpop, left: Value, right: Value
) -> Static | Scalar:
    span = run.span(node)
    name = _COMPARISONS.get(type(operator))
    if name is not None:
        return special_methods.comparison(run, node, name, left, right)
    if isinstance(operator, ast.Is | ast.IsNot):
        return _identity(run, node, left, right, negated=isinstance(operator, ast.IsNot))
    left = with_expressions(left, lambda e: run.keep(e, "sought"))
    found = _is_in(run, node, left, right)
    return found if isinstance(operator, ast.In) else invert_truth(found, span)


def _is_in(
    run: AbstractInterpreter, node: ast.Compare, left: Value, right: Value
) -> Static | Scalar:
    span = run.span(node)
    own = special_methods.call_own(run, node, "__contains__", right, left)
    if own is not None:
        return truth(run, own, span)
    if isinstance(right, Static) and isinstance(right.value, range):
        bounds = right.value
        right = Range(Static(bounds.start), Static(bounds.stop), Static(bounds.step))
    if isinstance(right, Range):
        return _is_in_range(run, node, left, right)
    if isinstance(right, Aggregate) and right.is_tuple:
        parts = [compare(run, "eq", left, part, span) for part in right.items]
        return combine(run, "or", parts, span)
    hint = advice(right)
    if isinstance(right, ArrayView):
        name = right.array.name
        hint = f"; write any({name}[i] == x for i in range(len({name})))"
    raise run.fault(node, f"in expects a tuple or a range, found {describe(right)}{hint}")


def _is_in_range(
    run: AbstractInterpreter, node: ast.Compare, left: Value, bounds: Range
) -> Static | Scalar:
    span = run.span(node)
    step = static_int(bounds.step, span, "the step of a range after in")
    if step == 0:
        raise run.fault(node, "the step of range is 0, expected another number")
    first, last = ("ge", "lt") if step > 0 else ("le", "gt")
    parts = [
        compare(run, first, left, bounds.start, span),
        compare(run, last, left, bounds.stop, span),
    ]
    if not (abs(step) == 1 and _is_whole(left)):
        rest, wanted = (
            arithmetic.binary(run, "remainder", value, Static(abs(step)), span)
            for value in (left, bounds.start)
        )
        parts.append(compare(run, "eq", rest, wanted, span))
    return combine(run, "and", parts, span)


def _is_whole(value: Value) -> bool:
    if isinstance(value, Scalar):
        return not value.dtype.is_float
    return isinstance(value, Static) and isinstance(value.value, int)


def _identity(
    run: AbstractInterpreter, node: ast.Compare, left: Value, right: Value, *, negated: bool
) -> Static:
    pair = isinstance(left, Static) and isinstance(right, Static)
    # A number of the running program is no object: Python's own answer would be an accident.
    if not pair and all(isinstance(v, Static | Scalar) and _is_number(v) for v in (left, right)):
        raise run.fault(node, "is compares compile-time values, such as None; write ==")
    is_same = pair and left.value is right.value  # type: ignore[union-attr]
    return Static(is_same is not negated)


def _is_number(value: Static | Scalar) -> bool:
    return isinstance(value, Scalar) or value.is_number


# --- Subscripts and attributes ---------------------------------------------------------------


@expression(ast.Subscript)
def _subscript(run: AbstractInterpreter, node: ast.Subscript) -> Value:
    if isinstance(node.slice, ast.Slice):
        return _slice(run, node, node.slice)
    whole, *indices = spread_values(run, [node.value, *index_nodes(node)])
    if isinstance(whole, ArrayView):
        return subscript(run, node, whole, indices)
    index = indices[0] if len(indices) == 1 else Aggregate(tuple(indices))
    own = special_methods.call_own(run, node, "__getitem__", whole, index)
    if own is not None:
        return own
    if isinstance(whole, Aggregate) and whole.is_tuple and len(indices) == 1:
        return item(run, node, whole, indices[0])
    raise run.fault(
        node.value, f"expected an array or a tuple, found {describe(whole)}{advice(whole)}"
    )


def _slice(run: AbstractInterpreter, node: ast.Subscript, cut: ast.Slice) -> Value:
    whole = run.value(node.value)
    if not (isinstance(whole, Aggregate) and whole.is_tuple):
        raise run.fault(
            node,
            f"expected a tuple to slice, found {describe(whole)}; an array is sliced outside the"
            " kernel, or indexed element by element",
        )
    refuse_own(run, whole, ("__getitem__",), run.span(node))
    bounds: list[Any] = [
        None if part is None else static_int(run.value(part), run.span(part), "a slice")
        for part in (cut.lower, cut.upper, cut.step)
    ]
    if bounds[2] == 0:
        raise run.fault(node, "the step of a slice is 0, expected another number")
    return Aggregate(whole.items[slice(*bounds)])


@expression(ast.Slice)
def _stray_slice(run: AbstractInterpreter, node: ast.Slice) -> Value:
    raise run.fault(node, "arrays are sliced outside the kernel, or indexed element by element")


@expression(ast.Attribute)
def _attribute(run: AbstractInterpreter, node: ast.Attribute) -> Value:
    try:
        owner = run.value(node.value)
    except UnknownName as fault:
        if node.attr not in FOREIGN or isinstance(node.value, ast.Attribute):
            raise
        shown = ast.unparse(node)  # cuda.grid, where no cuda was imported
        message = f"{shown} does not exist{suggest_names(node.attr, [])}"
        raise run.fault(node, message) from fault
    return attribute(run, node, owner)
