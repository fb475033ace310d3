"""Expressions: names, literals, operators, subscripts and attributes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from speedmetal.frontend import arithmetic
from speedmetal.frontend.attributes import attribute
from speedmetal.frontend.binding import bind, fault_of, merge, resolved
from speedmetal.frontend.capture import look_up
from speedmetal.frontend.comparison import (
    combine,
    common_shape,
    compare,
    invert_truth,
    select,
)
from speedmetal.frontend.convert import static_int, truth
from speedmetal.frontend.emit import Block, OpenIf, is_lazy_safe
from speedmetal.frontend.memory import index_nodes, item, subscript
from speedmetal.frontend.run import Frame, Run, UnknownName, expression
from speedmetal.frontend.suggestions import FOREIGN, meant, unknown_name
from speedmetal.frontend.unpack import spread
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
    expressions_of,
    with_expressions,
)
from speedmetal.ir import nodes as ir
from speedmetal.source import SourceSpan

OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide",
    ast.FloorDiv: "floor_divide", ast.Mod: "remainder", ast.Pow: "power",
    ast.BitAnd: "bit_and", ast.BitOr: "bit_or", ast.BitXor: "bit_xor",
    ast.LShift: "shift_left", ast.RShift: "shift_right",
}  # fmt: skip
_UNARY: dict[type[ast.unaryop], Callable[[Run, Value, SourceSpan], Value]] = {
    ast.USub: arithmetic.negate,
    ast.UAdd: arithmetic.plus,
    ast.Invert: arithmetic.invert,
    ast.Not: lambda run, value, span: invert_truth(truth(run, value, span), span),
}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge",
}  # fmt: skip


@expression(ast.Constant)
def _constant(run: Run, node: ast.Constant) -> Value:
    del run
    return Static(node.value)


@expression(ast.Name)
def _name(run: Run, node: ast.Name) -> Value:
    frame: Frame | None = run.frame
    while frame is not None:
        if node.id in frame.parsed.locals:
            return _local(run, node, frame)
        if frame.parent is None:
            break
        frame = frame.parent
    assert frame is not None
    try:
        found = look_up(frame.function, node.id, run.session.dependencies)
    except KeyError:
        message = unknown_name(node.id, _visible(frame))
        raise UnknownName(run.span(node), message) from None
    return run.lifted(found)


def _local(run: Run, node: ast.Name, frame: Frame) -> Value:
    found = frame.env.get(node.id)
    if found is None:
        hint = meant(node.id, frame.env.names()) or "; assign it before it is read"
        raise run.fault(node, f"{node.id!r} has no value yet{hint}")
    if isinstance(found, Broken):
        raise fault_of(run, node, found)
    return resolved(run, frame, node.id, found)


def _visible(frame: Frame) -> list[str]:
    return [*frame.parsed.locals, *frame.function.__globals__, *frame.function.__code__.co_freevars]


@expression(ast.Tuple)
def _tuple(run: Run, node: ast.Tuple) -> Value:
    return Aggregate(tuple(spread(run, node.elts)))


DEEPEST_CHAIN = 64
"""Operators of one expression that nest; beyond it a value is put into a variable, so that no
later stage meets a tree too deep for Python's stack."""


@expression(ast.BinOp)
def _binary(run: Run, node: ast.BinOp) -> Value:
    chain = []
    first: ast.expr = node
    while isinstance(first, ast.BinOp):
        chain.append(first)
        first = first.left
    result = run.value(first)
    for number, part in enumerate(reversed(chain), start=1):
        mark = len(run.block)
        right = run.value(part.right)
        result = run.settle(result, mark)
        name = OPERATORS[type(part.op)]
        result = arithmetic.binary(run, name, result, right, run.span(part))
        if number % DEEPEST_CHAIN == 0:
            result = with_expressions(result, run.keep)
    return result


@expression(ast.UnaryOp)
def _unary(run: Run, node: ast.UnaryOp) -> Value:
    return _UNARY[type(node.op)](run, run.value(node.operand), run.span(node))


@expression(ast.NamedExpr)
def _named(run: Run, node: ast.NamedExpr) -> Value:
    bind(run, node.target.id, run.value(node.value), node.target)
    found = run.frame.env.get(node.target.id)
    assert found is not None
    return found


@expression(ast.Lambda)
def _lambda(run: Run, node: ast.Lambda) -> Value:
    return Closure(node, run.frame, parameter_defaults(run, node.args))


def parameter_defaults(run: Run, arguments: ast.arguments) -> dict[str, Value]:
    """The default values of a function inside a kernel, evaluated where it is defined."""
    places = [*arguments.posonlyargs, *arguments.args]
    with_default = places[len(places) - len(arguments.defaults) :]
    pairs: list[tuple[ast.arg, ast.expr]] = [*zip(with_default, arguments.defaults, strict=True)]
    keyword_only = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    pairs += [(place, default) for place, default in keyword_only if default is not None]
    return {place.arg: run.copied(run.value(default)) for place, default in pairs}


# --- Lazy operands ---------------------------------------------------------------------------


@expression(ast.IfExp)
def _conditional(run: Run, node: ast.IfExp) -> Value:
    condition = truth(run, run.value(node.test), run.span(node.test))
    if isinstance(condition, Static):
        return run.value(node.body if condition.value else node.orelse)
    return choose(
        run,
        condition.expression,
        lambda: run.value(node.body),
        lambda: run.value(node.orelse),
        run.span(node),
    )


def lazily(run: Run, evaluate: Callable[[], Value]) -> tuple[Value, Block, dict[str, Value]]:
    """A value, the statements that it needs and the names that it binds, not emitted yet."""
    found: list[Value] = []
    region = run.region([], lambda: found.append(evaluate()))
    return found[0], region.start, region.changes


def choose(
    run: Run,
    condition: ir.Expression,
    when_true: Callable[[], Value],
    when_false: Callable[[], Value],
    span: SourceSpan,
) -> Value:
    """One of two values, of which only the chosen one is evaluated."""
    left, first, changes = lazily(run, when_true)
    right, second, other_changes = lazily(run, when_false)
    merge(run, run.frame, [changes, other_changes])
    safe = not first and not second
    if safe and all(map(is_lazy_safe, (*expressions_of(left), *expressions_of(right)))):
        return select(run, condition, left, right, span)
    left, right = common_shape(run, left, right, span)
    return _choose_by_branch(run, condition, (left, first), (right, second), span)


def _choose_by_branch(
    run: Run,
    condition: ir.Expression,
    when_true: tuple[Value, Block],
    when_false: tuple[Value, Block],
    span: SourceSpan,
) -> Value:
    statement = OpenIf(condition, span, when_true[1], when_false[1])
    run.emit(statement)
    others = list(expressions_of(when_false[0]))
    index = 0

    def store_both(left: ir.Expression) -> ir.Expression:
        nonlocal index
        variable = run.variable("chosen", left.type, span)
        statement.body.append(ir.Assign(variable, left, span))
        statement.orelse.append(ir.Assign(variable, others[index], span))
        index += 1
        return ir.Read(variable, span)

    return with_expressions(when_true[0], store_both)


@expression(ast.BoolOp)
def _logical(run: Run, node: ast.BoolOp) -> Value:
    return _logical_chain(run, node, node.values, "and" if isinstance(node.op, ast.And) else "or")


def _logical_chain(run: Run, node: ast.BoolOp, operands: Sequence[ast.expr], name: str) -> Value:
    first = run.value(operands[0])
    if len(operands) == 1:
        return first
    span = run.span(node)
    condition = truth(run, first, run.span(operands[0]))
    if isinstance(condition, Static):
        if bool(condition.value) == (name == "or"):
            return first
        return _logical_chain(run, node, operands[1:], name)

    def rest() -> Value:
        return _logical_chain(run, node, operands[1:], name)

    if isinstance(first, Scalar) and first.dtype.is_bool:
        return _logical_pair(run, condition.expression, rest, name, span)
    first = with_expressions(first, lambda e: run.keep(e, "first"))
    kept = truth(run, first, span)
    assert isinstance(kept, Scalar)
    if name == "and":
        return choose(run, kept.expression, rest, lambda: first, span)
    return choose(run, kept.expression, lambda: first, rest, span)


def _logical_pair(
    run: Run, left: ir.Expression, rest: Callable[[], Value], name: str, span: SourceSpan
) -> Value:
    """``left and rest()`` of a bool."""
    right, block, changes = lazily(run, rest)
    merge(run, run.frame, [changes, {}])
    is_truth = (isinstance(right, Scalar) and right.dtype.is_bool) or (
        isinstance(right, Static) and isinstance(right.value, bool)
    )
    if not block and is_truth and all(map(is_lazy_safe, expressions_of(right))):
        assert isinstance(right, Scalar | Static)
        return combine(run, name, [Scalar(left), right], span)
    known = Static(name == "or")
    given, other = (right, known) if name == "and" else (known, right)
    blocks: tuple[Block, Block] = (block, []) if name == "and" else ([], block)
    given, other = common_shape(run, given, other, span)
    return _choose_by_branch(run, left, (given, blocks[0]), (other, blocks[1]), span)


Then = Callable[[Static | Scalar, Callable[[], None] | None], None]


def decide(run: Run, node: ast.expr, then: Then) -> None:
    """Evaluate a condition part by part, where Python's ``and`` allows that.

    ``then`` is called with a part's truth, and with what evaluates the rest, which it must call
    in a place that is reached only where the part is true; None after the last part. Parts that
    are safe to evaluate always come together as one.
    """
    is_and = isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And)
    parts = node.values if isinstance(node, ast.BoolOp) and is_and else [node]
    _decide(run, truth(run, run.value(parts[0]), run.span(parts[0])), parts[1:], then)


def _decide(run: Run, condition: Static | Scalar, parts: list[ast.expr], then: Then) -> None:
    if not parts or (isinstance(condition, Static) and not condition.value):
        then(condition, None)
        return
    part, rest = parts[0], parts[1:]
    found, block, changes = lazily(run, lambda: truth(run, run.value(part), run.span(part)))
    assert isinstance(found, Static | Scalar)

    def go_on(so_far: Static | Scalar) -> None:
        run.block.extend(block)
        run.frame.env.own.update(changes)
        _decide(run, so_far, rest, then)

    unsafe = bool(block) or not all(map(is_lazy_safe, expressions_of(found)))
    if unsafe and isinstance(condition, Scalar):
        then(condition, lambda: go_on(found))
    else:
        go_on(combine(run, "and", [condition, found], run.span(part)))


@expression(ast.Compare)
def _compare(run: Run, node: ast.Compare) -> Value:
    if len(node.ops) == 1:
        left, right = run.values((node.left, node.comparators[0]))
        return _comparison(run, node, node.ops[0], left, right)
    return _chain(run, node, run.value(node.left), 0)


def _chain(run: Run, node: ast.Compare, left: Value, place: int) -> Value:
    """``left < a < b``: each operand once, none after a comparison that is false."""
    mark = len(run.block)
    right = run.value(node.comparators[place])
    left = run.settle(left, mark)
    is_last = place == len(node.ops) - 1
    if not is_last:
        right = with_expressions(right, lambda e: run.keep(e, "middle"))
    result = _comparison(run, node, node.ops[place], left, right)
    if is_last:
        return result
    if isinstance(result, Static):
        return _chain(run, node, right, place + 1) if result.value else result
    return _logical_pair(
        run,
        result.expression,
        lambda: _chain(run, node, right, place + 1),
        "and",
        run.span(node),
    )


def _comparison(
    run: Run, node: ast.Compare, operator: ast.cmpop, left: Value, right: Value
) -> Static | Scalar:
    span = run.span(node)
    name = _COMPARISONS.get(type(operator))
    if name is not None:
        return compare(run, name, left, right, span)
    if isinstance(operator, ast.Is | ast.IsNot):
        return _identity(run, node, left, right, negated=isinstance(operator, ast.IsNot))
    left = with_expressions(left, lambda e: run.keep(e, "sought"))
    found = _is_in(run, node, left, right)
    return found if isinstance(operator, ast.In) else invert_truth(found, span)


def _is_in(run: Run, node: ast.Compare, left: Value, right: Value) -> Static | Scalar:
    span = run.span(node)
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


def _is_in_range(run: Run, node: ast.Compare, left: Value, bounds: Range) -> Static | Scalar:
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


def _identity(run: Run, node: ast.Compare, left: Value, right: Value, *, negated: bool) -> Static:
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
def _subscript(run: Run, node: ast.Subscript) -> Value:
    if isinstance(node.slice, ast.Slice):
        return _slice(run, node, node.slice)
    whole, *indices = spread(run, [node.value, *index_nodes(node)])
    if isinstance(whole, ArrayView):
        return subscript(run, node, whole, indices)
    if isinstance(whole, Aggregate) and whole.is_tuple and len(indices) == 1:
        return item(run, node, whole, indices[0])
    raise run.fault(
        node.value, f"expected an array or a tuple, found {describe(whole)}{advice(whole)}"
    )


def _slice(run: Run, node: ast.Subscript, cut: ast.Slice) -> Value:
    whole = run.value(node.value)
    if not (isinstance(whole, Aggregate) and whole.is_tuple):
        raise run.fault(
            node,
            f"expected a tuple to slice, found {describe(whole)}; an array is sliced outside the"
            " kernel, or indexed element by element",
        )
    bounds: list[Any] = [
        None if part is None else static_int(run.value(part), run.span(part), "a slice")
        for part in (cut.lower, cut.upper, cut.step)
    ]
    if bounds[2] == 0:
        raise run.fault(node, "the step of a slice is 0, expected another number")
    return Aggregate(whole.items[slice(*bounds)])


@expression(ast.Slice)
def _stray_slice(run: Run, node: ast.Slice) -> Value:
    raise run.fault(node, "arrays are sliced outside the kernel, or indexed element by element")


@expression(ast.Attribute)
def _attribute(run: Run, node: ast.Attribute) -> Value:
    try:
        owner = run.value(node.value)
    except UnknownName as fault:
        if node.attr not in FOREIGN or isinstance(node.value, ast.Attribute):
            raise
        shown = ast.unparse(node)  # cuda.grid, where no cuda was imported
        message = f"{shown} does not exist{meant(node.attr, [])}"
        raise run.fault(node, message) from fault
    return attribute(run, node, owner)
