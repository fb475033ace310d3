"""Statements other than loops."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from speedmetal import dtypes
from speedmetal.errors import UserInputError
from speedmetal.frontend import arithmetic, special_methods
from speedmetal.frontend.binding import bind
from speedmetal.frontend.convert import as_dtype, as_number, as_scalar, implicit, truth
from speedmetal.frontend.exits import branch, leave
from speedmetal.frontend.expressions import OPERATORS, parameter_defaults
from speedmetal.frontend.interpreter import (
    RETURN,
    AbstractInterpreter,
    Binding,
    Fault,
    NeedsInlining,
    Record,
    statement,
)
from speedmetal.frontend.lazy_operands import decide
from speedmetal.frontend.memory import Element, load, locate, store
from speedmetal.frontend.unpack import unpack_value
from speedmetal.frontend.values import (
    NONE,
    REPORTED,
    Aggregate,
    Closure,
    Method,
    Partial,
    Position,
    Scalar,
    Static,
    Value,
    describe,
    expressions_of,
)
from speedmetal.frontend.variable_types import NumberVariable, slot_of
from speedmetal.ir import nodes as ir


@statement(ast.Pass)
def _pass(run: AbstractInterpreter, node: ast.Pass) -> None:
    del run, node


@statement(ast.Expr)
def _expression(run: AbstractInterpreter, node: ast.Expr) -> None:
    if isinstance(node.value, ast.Constant):
        return  # a docstring, or ...
    if isinstance(node.value, ast.Compare):
        raise run.fault(node, "the comparison is not used; to assign, write =")
    value = run.value(node.value)
    if isinstance(node.value, ast.Name | ast.Attribute) and _is_function(value):
        shown = ast.unparse(node.value)
        raise run.fault(node, f"{shown} is named but not called; write {shown}()")
    last = run.block[-1] if run.block else None
    if (
        isinstance(last, ir.Atomic)
        and isinstance(value, Scalar)
        and isinstance(value.expression, ir.Read)
        and last.result is value.expression.variable
    ):  # nobody needs the old value
        run.block[-1] = ir.Atomic(
            last.operation, last.array, last.indices, last.operands, None, last.span
        )


def _is_function(value: Value) -> bool:
    if isinstance(value, Static):
        return callable(value.value)
    return isinstance(value, Partial | Closure | Method)


ToName = Callable[[AbstractInterpreter, str, Value, ast.AST], None]


@statement(ast.Assign)
def _assign(run: AbstractInterpreter, node: ast.Assign) -> None:
    target = node.targets[0]
    with run.hint_name(target.id if isinstance(target, ast.Name) else ""):
        value = run.value(node.value)
    if len(node.targets) > 1:
        mark = len(run.block)
        # Several names read the value: none may take over the variable that holds it.
        run.temporaries.difference_update(
            part.variable for part in expressions_of(value) if isinstance(part, ir.Read)
        )
        for target in node.targets:
            assign(run, target, value, node.value)
            before = len(run.block)
            value = run.materialize_before(value, mark)
            mark += len(run.block) - before  # what was kept stands before the stores
    else:
        assign(run, target, value, node.value)


def assign(
    run: AbstractInterpreter,
    target: ast.expr,
    value: Value,
    source: ast.AST,
    to_name: ToName = bind,
) -> None:
    """Assign a value to a target: a name, an element, or a tuple of targets.

    ``source`` is what a fault of the value points at; ``to_name`` binds it to a name.
    """
    match target:
        case ast.Name(id=name):
            to_name(run, name, value, target)
        case ast.Tuple(elts=targets):
            _assign_parts(run, target, targets, value, source, to_name)
        case ast.Subscript():
            # The value was evaluated before the target's index.
            mark = len(run.block)
            element = locate(run, target)
            store(run, element, run.materialize_before(value, mark), source)
        case ast.Attribute(attr=name):
            owner = run.value(target.value)
            if not isinstance(owner, Aggregate):
                message = f"{describe(owner)} has no attribute that can be assigned, found {name!r}"
                raise run.fault(target, message)
            raise run.fault(
                target,
                f"the field {name!r} cannot be assigned: records are frozen; make a new one with"
                " dataclasses.replace(record, field=value) or record._replace(field=value)",
            )
        case _:
            raise run.fault(target, "expected a name, an element or a tuple to assign to")


def _assign_parts(
    run: AbstractInterpreter,
    node: ast.expr,
    targets: list[ast.expr],
    value: Value,
    source: ast.AST,
    to_name: ToName,
) -> None:
    remaining = _parts(run, node, targets, value)
    written: Sequence[ast.AST] = [source] * len(targets)
    if isinstance(source, ast.Tuple) and not _has_star(source.elts) and not _has_star(targets):
        written = source.elts
    for target, part in zip(targets, written, strict=True):
        mark = len(run.block)
        name = target.value if isinstance(target, ast.Starred) else target
        assign(run, name, remaining[0], part, to_name)
        remaining = run.materialize_all_before(remaining[1:], mark)


def _has_star(nodes: Sequence[ast.expr]) -> bool:
    return any(isinstance(node, ast.Starred) for node in nodes)


def _parts(
    run: AbstractInterpreter, node: ast.expr, targets: Sequence[ast.expr], value: Value
) -> tuple[Value, ...]:
    """A value for each target: an item, or for a starred one the tuple of those left over."""
    items = unpack_value(run, node, value)
    starred = _has_star(targets)
    least = len(targets) - starred
    shown = f"{least} or more" if starred else f"{least}"
    if items is None:
        raise run.fault(node, f"expected a tuple of {shown} to unpack, found {describe(value)}")
    if len(items) < least or (len(items) > least and not starred):
        hint = "; a position has three axes: x, y, z = ..." if isinstance(value, Position) else ""
        raise run.fault(node, f"expected {shown} values to unpack, found {len(items)}{hint}")
    if not starred:
        return tuple(items)
    place = next(p for p, target in enumerate(targets) if isinstance(target, ast.Starred))
    end = len(items) - (least - place)
    return (*items[:place], Aggregate(tuple(items[place:end])), *items[end:])


@statement(ast.AugAssign)
def _augmented_assignment(run: AbstractInterpreter, node: ast.AugAssign) -> None:
    name = OPERATORS[type(node.op)]
    target = node.target
    if isinstance(target, ast.Name):
        read = ast.copy_location(ast.Name(target.id, ast.Load()), target)
        old, operand = run.values([read, node.value])
        assign(run, target, special_methods.binary(run, node, name, old, operand), node)
        return
    if not isinstance(target, ast.Subscript):
        assign(run, target, NONE, node)
        return
    element = _keep_indices(run, locate(run, target))
    old = load(run, element)
    mark = len(run.block)
    operand = run.value(node.value)
    old = run.materialize_before(old, mark)
    value = arithmetic.binary(run, name, old, operand, run.span(node))
    store(run, element, value, node)


def _keep_indices(run: AbstractInterpreter, element: Element) -> Element:
    """The element with indices that may be evaluated twice."""
    indices = tuple(
        index if _is_simple(index) else run.keep(index, "index") for index in element.indices
    )
    return Element(element.array, indices, element.node)


def _is_simple(index: ir.Expression) -> bool:
    match index:
        case ir.Constant() | ir.Extent() | ir.Call():
            return True
        case ir.Binary(_, left, right):
            return _is_simple(left) and isinstance(right, ir.Constant)
    return False


@statement(ast.AnnAssign)
def _annotated_assignment(run: AbstractInterpreter, node: ast.AnnAssign) -> None:
    assert isinstance(node.target, ast.Name)
    assert node.value is not None
    dtype = as_dtype(run.value(node.annotation), run.span(node.annotation))
    if dtype.is_complex:
        raise run.fault(
            node.annotation,
            f"annotate real types alone; {dtype.name} needs no annotation: write"
            f" x = sm.{dtype.name}(...)",
        )
    key = run.frame.number, node.target.id
    before = run.unit.fixed.get(key)
    if before is not None and before is not dtype:
        raise run.fault(
            node.annotation,
            f"{node.target.id!r} was annotated as {before.name} before; a name has one type",
        )
    if before is None:
        run.unit.fixed[key] = dtype
        run.newly_fixed = run.newly_fixed or key in run.records
    value = run.value(node.value)
    if isinstance(value, Static) and isinstance(value.value, float) and not dtype.is_float:
        raise run.fault(node.value, f"expected {dtype.name}, found the float {value.value}")
    as_number(run, value, run.span(node.value))  # nothing else has a dtype
    bind(run, node.target.id, value, node.target)


@statement(ast.If)
def _if(run: AbstractInterpreter, node: ast.If) -> None:
    if not node.orelse:
        _if_without_else(run, node)
        return
    try:
        condition = truth(run, run.value(node.test), run.span(node.test))
    except Fault as fault:
        condition = _unknown_condition(run, node, fault)
    if isinstance(condition, Static):
        run.execute(node.body if condition.value else node.orelse)
        return
    branch(
        run,
        condition.expression,
        run.span(node.test),
        lambda: run.execute(node.body),
        lambda: run.execute(node.orelse),
    )


def _unknown_condition(run: AbstractInterpreter, node: ast.If, fault: Fault) -> Scalar:
    """Stands for a condition that is wrong, so that what is wrong in the branches is found, too."""
    run.report(fault)
    span = run.span(node.test)
    return Scalar(ir.Read(run.variable("unknown", dtypes.bool_, span), span))


def _if_without_else(run: AbstractInterpreter, node: ast.If) -> None:
    """Nested where Python's ``and`` evaluates the next part only after the one before."""

    def test(condition: Static | Scalar, rest: Callable[[], None] | None) -> None:
        go_on = rest if rest is not None else lambda: run.execute(node.body)
        if isinstance(condition, Scalar):
            span = run.span(node.test)
            branch(run, condition.expression, span, go_on, lambda: None)
        elif condition.value:
            go_on()

    try:
        decide(run, node.test, test)
    except Fault as fault:
        test(_unknown_condition(run, node, fault), None)


@statement(ast.Assert)
def _assert(run: AbstractInterpreter, node: ast.Assert) -> None:
    with run.scratch() as block:
        condition = truth(run, run.value(node.test), run.span(node.test))
    reason = _assertion_text(run, node)
    if isinstance(condition, Static) and condition.value:
        return
    if not run.debug:
        return
    run.require_inlining()
    run.block.extend(block)
    expression = (
        ir.Constant(False, dtypes.bool_, run.span(node.test))
        if isinstance(condition, Static)
        else condition.expression
    )
    run.emit(ir.Assert(expression, "assertion failed", reason, run.span(node)))


def _assertion_text(run: AbstractInterpreter, node: ast.Assert) -> str:
    if node.msg is None:
        return ast.unparse(node.test)
    message = run.value(node.msg)
    if isinstance(message, Static) and isinstance(message.value, str):
        return message.value
    raise run.fault(node.msg, f"expected a text as the message, found {describe(message)}")


@statement(ast.FunctionDef)
def _define(run: AbstractInterpreter, node: ast.FunctionDef) -> None:
    closure = Closure(node, run.frame, parameter_defaults(run, node.args))
    run.frame.env.own[node.name] = closure


@statement(ast.Return)
def _return(run: AbstractInterpreter, node: ast.Return) -> None:
    frame = run.frame
    try:
        value = NONE if node.value is None else run.value(node.value)
    except Fault as fault:
        if frame.label is None:
            run.live = False
            raise
        run.report(fault)
        value = REPORTED
    if frame.label is None:
        _return_from_unit(run, node, value)
    elif run.block is frame.label.home and not frame.label.exits and not frame.loops:
        frame.result = value
        run.live = False
    else:
        bind(run, RETURN, value, node)
        leave(run, frame.label)


def _return_from_unit(run: AbstractInterpreter, node: ast.Return, value: Value) -> None:
    if run.unit.is_function:
        run.emit(ir.Return(_function_result(run, node, value), run.span(node)))
    elif isinstance(value, Static) and value.value is None:
        run.emit(ir.Return(None, run.span(node)))
    else:
        run.live = False
        assert node.value is not None
        raise run.fault(
            node.value,
            f"a kernel returns nothing, found {describe(value)}; store the value into an array:"
            " out[i] = value",
        )
    run.live = False


def _function_result(run: AbstractInterpreter, node: ast.Return, value: Value) -> ir.Expression:
    """The returned number, in the type of all the function's results."""
    if not (isinstance(value, Scalar) or (isinstance(value, Static) and value.is_number)):
        raise NeedsInlining
    if isinstance(value, Static) and isinstance(value.value, complex):
        raise NeedsInlining
    key = run.frame.number, RETURN
    try:
        slot = slot_of(value, run.unit.default_float)
    except UserInputError as error:
        raise run.fault(node, str(error)) from None
    record = run.records.setdefault(key, Record(RETURN))
    known = isinstance(value, Static)
    record.bindings.append(Binding(node, run.span(node), slot, known))
    assumed = run.unit.assumed.get(key)
    if isinstance(assumed, NumberVariable) and assumed != slot:
        return implicit(run, value, assumed.dtype, run.span(node), "the result")
    return as_scalar(run, value, run.span(node)).expression
