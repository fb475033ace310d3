"""Calls of the user's functions: specialised functions of scalars, or inlined bodies."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from speedmetal import dtypes
from speedmetal.errors import CompileError, Diagnostic
from speedmetal.frontend.arguments import Arguments, format_argument_count
from speedmetal.frontend.binding import bind_parameter, fault_of, resolve_name
from speedmetal.frontend.emit import freeze
from speedmetal.frontend.exits import run_with_label
from speedmetal.frontend.fixpoint import solve
from speedmetal.frontend.frames import Env, Frame, Label
from speedmetal.frontend.identifiers import Names
from speedmetal.frontend.interpreter import RETURN, AbstractInterpreter, Fault, NeedsInlining
from speedmetal.frontend.parse import Parsed, parse
from speedmetal.frontend.session import Specialised, Unit
from speedmetal.frontend.suggestions import suggest_names
from speedmetal.frontend.values import (
    NONE,
    Aggregate,
    Broken,
    Closure,
    Generator,
    Scalar,
    Static,
    Value,
    advice,
    describe,
)
from speedmetal.frontend.variable_types import NumberVariable
from speedmetal.ir import nodes as ir
from speedmetal.ir.walk import expressions, statements
from speedmetal.source import SourceSpan


@dataclass(slots=True)  # to mypy, a record's function would be a method
class Callee:
    """A function that is called: its tree, where its names live, its defaults."""

    parsed: Parsed
    function: types.FunctionType
    defaults: dict[str, Value]
    parent: Frame | None
    identity: Any

    @property
    def name(self) -> str:
        return self.parsed.name


def call_function(
    run: AbstractInterpreter, found: types.FunctionType | Closure, arguments: Arguments
) -> Value:
    """The value of a call of a Python function.

    Raises:
        Fault: Wrong arguments, or recursion.
    """
    callee = _callee(run, found, arguments.node)
    for value in (*arguments.positional, *arguments.named.values()):
        if isinstance(value, Generator):
            raise run.fault(
                value.node, f"{callee.name!r} cannot take {describe(value)}{advice(value)}"
            )
    bound = bind_arguments(run, callee, arguments)
    span = run.span(arguments.node)
    with enter_callee(run, callee, arguments.node):
        if callee.parent is None and _fits_function(bound):
            known = specialise(run, callee, bound, span)
            if known.broken:
                raise Fault(span, None)
            if known.function is not None:
                values = [v.expression for v in bound.values() if isinstance(v, Scalar)]
                return Scalar(ir.Invoke(known.function, tuple(values), span), known.weak)
        return _inline(run, callee, bound, arguments.node)


def _callee(
    run: AbstractInterpreter, found: types.FunctionType | Closure, node: ast.expr
) -> Callee:
    if isinstance(found, Closure):
        frame = found.frame
        parsed = frame.parsed.nested[found.node]
        return Callee(parsed, frame.function, found.defaults, frame, found.node)
    try:
        parsed = parse(found)
    except CompileError as error:
        for diagnostic in error.diagnostics:
            note = run.span(node), f"{found.__name__!r} is called here"
            joined = Diagnostic(diagnostic.span, diagnostic.message, (*diagnostic.related, note))
            run.diagnostics.setdefault((diagnostic.span, diagnostic.message), joined)
        raise Fault(run.span(node), None) from None
    run.session.dependencies.add_function(found)
    return Callee(parsed, found, python_defaults(run, found), None, found.__code__)


def python_defaults(run: AbstractInterpreter, function: types.FunctionType) -> dict[str, Value]:
    """The default values of a function's parameters."""
    code = function.__code__
    names = code.co_varnames[: code.co_argcount]
    given = function.__defaults__ or ()
    pairs = dict(zip(names[len(names) - len(given) :], given, strict=True))
    pairs |= function.__kwdefaults__ or {}
    return {name: run.lift_object(value) for name, value in pairs.items()}


def bind_arguments(
    run: AbstractInterpreter, callee: Callee, arguments: Arguments
) -> dict[str, Value]:
    """The value of each parameter, in order.

    Raises:
        Fault: Too few, too many, or unknown names.
    """
    spec = callee.parsed.node.args
    names = [a.arg for a in (*spec.posonlyargs, *spec.args)]
    keyword_only = [a.arg for a in spec.kwonlyargs]
    shown = f"{callee.name}({', '.join(names + keyword_only)})"
    given = dict(zip(names, arguments.positional, strict=False))
    rest = arguments.positional[len(names) :]
    if rest and spec.vararg is None:
        raise run.fault(
            arguments.node,
            f"expected {shown}, found {format_argument_count(len(arguments.positional))}",
        )
    for name, value in arguments.named.items():
        if name not in names + keyword_only or name in given:
            hint = " twice" if name in given else suggest_names(name, names + keyword_only)
            raise run.fault(arguments.node, f"expected {shown}, found an argument {name!r}{hint}")
        given[name] = value
    bound: dict[str, Value] = {}
    for name in names + keyword_only:
        value = given.get(name, callee.defaults.get(name, Broken()))
        if isinstance(value, Broken):
            raise run.fault(arguments.node, f"expected {shown}; {name} is missing")
        bound[name] = value
    if spec.vararg is not None:
        bound[spec.vararg.arg] = Aggregate(tuple(rest))
    return bound


@contextmanager
def enter_callee(run: AbstractInterpreter, callee: Callee, node: ast.expr) -> Iterator[None]:
    """Inside a callee, for messages and against recursion."""
    stack = run.session.call_stack
    span = run.span(node)
    for place, (identity, _, _) in enumerate(stack):
        if identity is callee.identity:
            cycle = [*stack[place:], (callee.identity, callee.name, span)]
            path = " calls ".join(repr(name) for _, name, _ in cycle)
            notes = tuple((s, f"{n!r} is called here") for _, n, s in cycle[1:-1] if s is not None)
            raise Fault(span, f"recursion is not possible in a kernel: {path}; write a loop", notes)
    stack.append((callee.identity, callee.name, span))
    try:
        yield
    finally:
        stack.pop()


# --- Functions of scalars --------------------------------------------------------------------


def _fits_function(bound: dict[str, Value]) -> bool:
    """Whether the arguments are scalars, one at least, and compile-time values."""
    values = bound.values()
    return any(isinstance(value, Scalar) for value in values) and all(
        isinstance(value, Scalar | Static) for value in values
    )


def specialise(
    run: AbstractInterpreter, callee: Callee, bound: dict[str, Value], span: SourceSpan
) -> Specialised:
    """The function for these argument types; its errors become the caller's."""
    key = callee.identity, id(callee.function), tuple(map(_argument_key, bound.values()))
    found = run.session.specialised.get(key)
    if found is None:
        found = _specialise(run, callee, bound)
        # The static values stay alive with the key that has their identities.
        found.keep = tuple(bound.values())
        run.session.specialised[key] = found
    run.met_too_wide |= found.met_too_wide
    for diagnostic in found.diagnostics:
        note = span, f"{callee.name!r} is called here"
        notes = (*(known for known in diagnostic.related if known != note), note)
        joined = Diagnostic(diagnostic.span, diagnostic.message, notes)
        run.diagnostics.setdefault((diagnostic.span, diagnostic.message), joined)
    return found


def _argument_key(value: Value) -> Any:
    if isinstance(value, Scalar):
        return value.dtype, value.weak
    assert isinstance(value, Static)
    if value.is_number:
        return type(value.value), repr(value.value)
    return id(value.value)


def _specialise(run: AbstractInterpreter, callee: Callee, bound: dict[str, Value]) -> Specialised:
    wide = any(isinstance(v, Scalar) and v.dtype is dtypes.float64 for v in bound.values())
    default_float = dtypes.float64 if wide else dtypes.DEFAULT_FLOAT
    unit = Unit(run.session, callee.name, is_function=True, default_float=default_float)
    place = run.session.place
    try:
        finished, parameters = build_function(unit, callee, bound)
    except NeedsInlining:
        return Specialised()
    finally:
        run.session.place = place
    if finished.diagnostics:
        return Specialised(
            broken=True,
            met_too_wide=finished.met_too_wide,
            diagnostics=tuple(finished.diagnostics.values()),
        )
    record = finished.records.get((0, RETURN))
    if record is None or finished.live or all(b.compile_time for b in record.bindings):
        return Specialised()
    first = record.bindings[0].slot
    result = unit.assumed.get((0, RETURN), first)
    assert isinstance(result, NumberVariable)
    name = unique_function_name(run, callee.name)
    function = ir.Function(
        name,
        parameters,
        result.dtype,
        freeze(finished.block),
        callee.parsed.source.span(callee.parsed.node),
    )
    return Specialised(function, result.weak)


def build_function(
    unit: Unit, callee: Callee, bound: dict[str, Value]
) -> tuple[AbstractInterpreter, tuple[ir.Variable, ...]]:
    """Infer a function's body on its own.

    Raises:
        NeedsInlining: It does more than compute a scalar.
    """
    parameters: list[ir.Variable] = []

    def start(inner: AbstractInterpreter) -> None:
        parameters.clear()
        inner.frame = Frame(callee.parsed, callee.function, 0, Env())
        places = {a.arg: a for a in ast.walk(callee.parsed.node.args) if isinstance(a, ast.arg)}
        for name, value in bound.items():
            given: Value = value
            if isinstance(value, Scalar):
                span = inner.span(places[name])
                variable = inner.variable(name, value.dtype, span)
                parameters.append(variable)
                inner.parameters.add(variable)
                given = Scalar(ir.Read(variable, span), value.weak)
            bind_parameter(inner, name, given, places[name])
        inner.execute(callee.parsed.body)

    return solve(unit, start), tuple(parameters)


def unique_function_name(run: AbstractInterpreter, wanted: str) -> str:
    """A name that no function and no variable of the program has."""
    taken = run.session.function_names | run.session.variable_names
    name = Names(taken).unique(wanted)
    run.session.function_names.add(name)
    run.names.taken.add(name)
    return name


def reachable(body: tuple[ir.Statement, ...]) -> tuple[ir.Function, ...]:
    """The functions that a body calls, callees before callers."""
    found: dict[ir.Function, None] = {}

    def visit(block: tuple[ir.Statement, ...]) -> None:
        for statement in statements(block):
            for expression in expressions(statement):
                if isinstance(expression, ir.Invoke) and expression.function not in found:
                    visit(expression.function.body)
                    found[expression.function] = None

    visit(body)
    return tuple(found)


# --- Inlined bodies --------------------------------------------------------------------------


def _inline(
    run: AbstractInterpreter, callee: Callee, bound: dict[str, Value], node: ast.expr
) -> Value:
    """The body in the place of the call, with names of its own."""
    caller = run.frame
    span = run.span(node)
    frame = Frame(callee.parsed, callee.function, run.frame_number(node), Env(), callee.parent)
    arguments = callee.parsed.node.args
    places = {a.arg: a for a in ast.walk(arguments) if isinstance(a, ast.arg)}
    run.calls.append((span, callee.name))
    run.frame = frame
    try:
        for name, value in bound.items():
            bind_parameter(run, name, value, places[name])

        def body(label: Label) -> None:
            frame.label = label
            run.execute(callee.parsed.body)

        run_with_label(run, "returned", callee.parsed.node, body)
        return result_of(run, frame, span)
    finally:
        run.frame = caller
        run.calls.pop()
        run.live = True


def result_of(run: AbstractInterpreter, frame: Frame, span: SourceSpan) -> Value:
    """What an inlined body has returned."""
    if frame.result is not None:
        value = frame.result
    else:
        value = resolve_name(run, frame, RETURN, frame.env.get(RETURN) or NONE)
    if isinstance(value, Broken):
        fault = fault_of(run, frame.parsed.node, value)
        notes = (*fault.related, (span, f"{frame.parsed.name!r} is called here"))
        raise Fault(fault.span, fault.message, notes)
    return value
