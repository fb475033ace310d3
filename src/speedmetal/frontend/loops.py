"""Loops: those of the running program, and those that are unrolled."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from functools import partial

from speedmetal import dtypes
from speedmetal.frontend.binding import (
    bind,
    bind_for_turn,
    close_loop,
    merge,
    open_loop,
    release,
)
from speedmetal.frontend.comparison import invert_truth
from speedmetal.frontend.emit import Block, OpenFor, OpenIf, OpenWhile
from speedmetal.frontend.exits import after_loop, leave, run_with_label
from speedmetal.frontend.frames import Label, Loop, Unrolled
from speedmetal.frontend.interpreter import AbstractInterpreter, Region, statement
from speedmetal.frontend.lazy_operands import decide
from speedmetal.frontend.ranges import course_of
from speedmetal.frontend.statements import assign
from speedmetal.frontend.unpack import constant_range, count_turns, unpack_value, unroll_range
from speedmetal.frontend.values import (
    ArrayView,
    Range,
    Scalar,
    Static,
    Value,
    advice,
    describe,
    with_expressions,
)
from speedmetal.ir import nodes as ir


@statement(ast.For)
def _for(run: AbstractInterpreter, node: ast.For) -> None:
    value = run.value(node.iter)
    if isinstance(value, Range) and _is_counted(run):
        value = _require_constant_range(run, node, value)
    if isinstance(value, Range):
        _for_range(run, node, value)
        return
    _unroll(run, node, _items(run, node, value))


def _is_counted(run: AbstractInterpreter) -> bool:
    """Whether the loop is of a generator whose items are counted while compiling."""
    return run.frame.consumer is not None and run.frame.consumer.counts


def _require_constant_range(run: AbstractInterpreter, node: ast.For, bounds: Range) -> Static:
    """The bounds as a constant range.

    Raises:
        Fault: A bound is only known when the kernel runs.
    """
    found = constant_range(bounds)
    if found is None:
        raise run.fault(
            node.iter,
            "tuple expects a number of items that is known while compiling, found a range that only"
            " the running program knows; write sm.static_range(4), or keep the results in"
            " sm.thread_array(shape, dtype)",
        )
    return Static(found)


def _items(run: AbstractInterpreter, node: ast.For, value: Value) -> Sequence[Value]:
    items = unpack_value(run, node.iter, value)
    if items is not None:
        return items
    if isinstance(value, ArrayView):
        name = value.array.name
        raise run.fault(
            node.iter,
            f"a loop cannot go over an array; write for i in range(len({name})): and {name}[i]",
        )
    raise run.fault(
        node.iter,
        f"expected range(...), sm.static_range(...) or a tuple, found {describe(value)}"
        f"{_suggest_loop(value)}",
    )


def _suggest_loop(value: Value) -> str:
    is_count = isinstance(value, Scalar) or (isinstance(value, Static) and value.is_number)
    if isinstance(value, Static) and isinstance(value.value, str):
        return ""
    return "; write range(n)" if is_count else advice(value)


# --- Unrolled --------------------------------------------------------------------------------


def _unroll(run: AbstractInterpreter, node: ast.For, items: Sequence[Value]) -> None:
    def whole(leaving: Label) -> None:
        loop = Unrolled(leaving)
        run.frame.loops.append(loop)
        try:
            for item in items:
                if not run.live:
                    return
                run_with_label(run, "continued", node.target, partial(one, loop, item))
        finally:
            run.frame.loops.pop()

    def one(loop: Unrolled, item: Value, label: Label) -> None:
        loop.turn = label
        frame = run.frame
        around, frame.pinned = frame.pinned, dict(frame.pinned)
        to_name = bind_for_turn if frame.consumer is None else _hold
        try:
            assign(run, node.target, item, node.target, to_name)
            run.execute(node.body)
            release(run, [frame.env.own, *label.exits, *loop.leave.exits])
        finally:
            frame.pinned = around

    run_with_label(run, "stopped", node.target, whole)


def _hold(run: AbstractInterpreter, name: str, value: Value, node: ast.AST) -> None:
    """Give a generator's name its value for this turn: nothing else binds it, so it has no type."""
    del node
    run.frame.env.own[name] = with_expressions(value, lambda e: run.keep(e, name))


# --- Of the running program ------------------------------------------------------------------


def _for_range(run: AbstractInterpreter, node: ast.For, bounds: Range) -> None:
    known = constant_range(bounds)
    if known is not None and _exchanges(run, node) and count_turns(known) <= LARGEST_EXCHANGE:
        _unroll(run, node, unroll_range(run, node.iter, known))
        return
    course = course_of(run, node.iter, bounds)
    if course.turns == 0:
        return
    if not isinstance(node.target, ast.Name):
        raise run.fault(node.target, "expected one name: range gives single numbers")
    name, parsed = node.target.id, run.frame.parsed
    is_variable = name in parsed.escaping or name in parsed.rebound[node]
    is_counter = course.factor is None and not is_variable
    dtype, span = course.number.dtype, run.span(node.target)
    counter = run.variable(name if is_counter else f"{name}_counter", dtype, span)
    loop = OpenFor(counter, *course.bounds, run.span(node))
    run.emit(loop)

    def body() -> None:
        value = Scalar(course.value(ir.Read(counter, span)), course.number.weak)
        if is_variable:
            bind(run, name, value, node.target)
        else:
            run.frame.env.own[name] = value if is_counter else run.keep_scalar(value, name)
        run.execute(node.body)

    state, region = _body(run, node, loop.body, body, None if is_variable else name)
    ends = state.continues + ([region.changes] if region.live else [])
    _continue_after_loop(run, node, state, ends if course.turns else [{}, *ends])


LARGEST_EXCHANGE = 64
"""Turns of a loop that is unrolled because arrays change their names in it."""


def _exchanges(run: AbstractInterpreter, node: ast.For) -> bool:
    """Whether names for what is known while compiling, such as arrays, change places in it."""
    broken = run.unit.broken_by.get((run.frame.number, id(node)), {})
    return any(name.exchanged for name in broken.values())


def _body(
    run: AbstractInterpreter,
    node: ast.For | ast.While,
    block: Block,
    body: Callable[[], None],
    own_name: str | None = None,
) -> tuple[Loop, Region]:
    """The body of a loop; ``own_name`` is a name that exists in the body alone."""
    frame = run.frame
    state = Loop(frame.env)
    run.open_loops.append(state)
    frame.loops.append(state)

    def with_names() -> None:
        open_loop(run, node)
        body()

    try:
        region = run.region(block, with_names)
    finally:
        run.open_loops.pop()
        frame.loops.pop()
    if own_name is not None:
        for changes in (*state.continues, *state.breaks, region.changes):
            changes.pop(own_name, None)
    ends = state.continues + ([region.changes] if region.live else [])
    close_loop(run, frame, node, frame.env, ends)
    return state, region


def _continue_after_loop(
    run: AbstractInterpreter, node: ast.For | ast.While, state: Loop, normal: list[dict[str, Value]]
) -> None:
    """Go on after a loop that ends normally in these ways, or by its breaks."""
    ways = normal + state.breaks
    run.live = bool(ways)
    merge(run, run.frame, ways)
    after_loop(run, state.exits, run.span(node))


@statement(ast.While)
def _while(run: AbstractInterpreter, node: ast.While) -> None:
    span = run.span(node.test)
    loop = OpenWhile(ir.Constant(value=True, type=dtypes.bool_, span=span), run.span(node))
    tested: list[dict[str, Value]] = []
    endless, never, tested_at_top = True, False, False
    start = run.frame.env

    def test(condition: Static | Scalar, rest: Callable[[], None] | None) -> None:
        nonlocal endless, never, tested_at_top
        endless = endless and isinstance(condition, Static) and bool(condition.value)
        if isinstance(condition, Static):
            never = not condition.value
            if never and run.block:
                run.emit(ir.Break(span))
        elif not run.block and not tested_at_top:
            loop.condition, tested_at_top = condition.expression, True
        else:
            inverse = invert_truth(condition, span)
            assert isinstance(inverse, Scalar)
            run.emit(OpenIf(inverse.expression, span, [ir.Break(span)]))
        if rest is not None:
            rest()

    def body() -> None:
        decide(run, node.test, test)
        tested.append(run.frame.env.changes_since(start))
        if not never:
            run.execute(node.body)

    state, region = _body(run, node, loop.body, body)
    if never and not loop.body and not tested_at_top:
        return
    run.emit(loop)
    ends = state.continues + ([region.changes] if region.live else [])
    normal = [] if endless else [tested[0], *({**end, **tested[0]} for end in ends)]
    _continue_after_loop(run, node, state, normal)


@statement(ast.Break)
def _break(run: AbstractInterpreter, node: ast.Break) -> None:
    loop = run.frame.loops[-1]
    if isinstance(loop, Unrolled):
        leave(run, loop.leave)
        return
    loop.breaks.append(run.frame.env.changes_since(loop.env))
    run.emit(ir.Break(run.span(node)))
    run.live = False


@statement(ast.Continue)
def _continue(run: AbstractInterpreter, node: ast.Continue) -> None:
    loop = run.frame.loops[-1]
    if isinstance(loop, Unrolled):
        assert loop.turn is not None
        leave(run, loop.turn)
        return
    loop.continues.append(run.frame.env.changes_since(loop.env))
    run.emit(ir.Continue(run.span(node)))
    run.live = False
