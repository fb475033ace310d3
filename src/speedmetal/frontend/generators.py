"""Generators: ``f(x) for x in t``, the loops that they stand for.

A generator has a frame of its own, in whose loops each item goes to a consumer: what ``sum``,
``min``, ``any`` ... do with it. What they keep between items is bound to names of that frame, as
the written-out loop would, so that types, and ways to a place, follow from the same rules.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from speedmetal.common.records import record
from speedmetal.frontend.binding import bind, declare, fault_of, resolve_name
from speedmetal.frontend.comparison import invert_truth, select
from speedmetal.frontend.convert import truth
from speedmetal.frontend.exits import branch, leave, run_with_label
from speedmetal.frontend.frames import Consumer, Env, Frame, Label
from speedmetal.frontend.interpreter import AbstractInterpreter, expression
from speedmetal.frontend.parse import FIRST_ITERABLE, items_generator
from speedmetal.frontend.values import (
    NONE,
    Aggregate,
    Broken,
    Generator,
    Range,
    Scalar,
    Static,
    Value,
    with_expressions,
)
from speedmetal.source import SourceSpan


@expression(ast.GeneratorExp, ast.ListComp)
def _generator(run: AbstractInterpreter, node: ast.GeneratorExp | ast.ListComp) -> Value:
    return Generator(node, run.frame, run.value(node.generators[0].iter))


def generator_over(run: AbstractInterpreter, call: ast.expr, bounds: Range) -> Generator:
    """The items of a range that a function was called with."""
    return Generator(items_generator(run.frame.parsed, call), run.frame, bounds)


@expression(ast.Yield)
def _yield(run: AbstractInterpreter, node: ast.Yield) -> Value:
    """An item of a generator; the user's own ``yield`` is refused before."""
    consumer = run.frame.consumer
    assert consumer is not None
    assert node.value is not None
    consumer.each(run.value(node.value), node.value)
    return NONE


@contextmanager
def _inside(
    run: AbstractInterpreter, generator: Generator, consumer: Consumer
) -> Iterator[Callable[[], None]]:
    """A frame for the generator; gives what runs its loops."""
    parsed = generator.frame.parsed.generators[generator.node]
    frame = Frame(
        parsed,
        generator.frame.function,
        run.frame_number(generator.node),
        Env(),
        generator.frame,
        consumer=consumer,
    )
    frame.env.own[FIRST_ITERABLE] = generator.first
    loop = parsed.body[0]
    caller, run.frame = run.frame, frame
    try:
        yield lambda: run.statements[type(loop)](run, loop)
    finally:
        run.frame = caller


def _read_name(run: AbstractInterpreter, name: str) -> Value:
    """The value of a name in the generator's frame."""
    found = run.frame.env.get(name)
    assert found is not None
    return resolve_name(run, run.frame, name, found)


def _result(run: AbstractInterpreter, name: str, node: ast.AST) -> Value:
    found = _read_name(run, name)
    if isinstance(found, Broken):
        raise fault_of(run, node, found)
    return found


Combine = Callable[[AbstractInterpreter, Value, Value, SourceSpan], Value]
Step = Callable[[AbstractInterpreter, Value, Value, ast.expr], Value]


def accumulate(
    run: AbstractInterpreter, generator: Generator, name: str, start: Value, combine: Step
) -> Value:
    """``total = start``, then ``total = combine(total, item)`` for each item."""
    total = f"{name}(...)"

    def each(item: Value, place: ast.expr) -> None:
        bind(run, total, combine(run, _result(run, total, place), item, place), place)

    with _inside(run, generator, Consumer(each)) as go_through:
        bind(run, total, start, generator.node)
        go_through()
        return _result(run, total, generator.node)


def search(run: AbstractInterpreter, generator: Generator, name: str, *, sought: bool) -> Value:
    """Whether any item's truth is the sought one; a generator stops there, a list does not."""
    found = f"{name}(...)"

    def each(item: Value, place: ast.expr) -> None:
        span = run.span(place)
        condition = truth(run, item, span)
        condition = condition if sought else invert_truth(condition, span)
        if isinstance(condition, Scalar):
            branch(run, condition.expression, span, stop, lambda: None)
        elif condition.value:
            stop()

    def stop() -> None:
        bind(run, found, Static(sought), generator.node)
        if isinstance(generator.node, ast.GeneratorExp):
            assert run.frame.label is not None
            leave(run, run.frame.label)

    with _inside(run, generator, Consumer(each)) as go_through:

        def body(label: Label) -> None:
            run.frame.label = label
            bind(run, found, Static(not sought), generator.node)
            go_through()

        run_with_label(run, "stopped", generator.node, body)
        return _result(run, found, generator.node)


_STARTED = "started"
_NOT_EMPTY = "not empty"


@record(eq=False)
class Order:
    """What min or max looks for.

    Args:
        name: The function's name.
        better: The better one of two.
        key: Gives what an item is compared by, where that is not the item itself.
    """

    name: str
    better: Combine
    key: Value | None = None

    def add_key(self, run: AbstractInterpreter, item: Value, node: ast.expr) -> Value:
        """An item with its key before it."""
        if self.key is None:
            return item
        item = with_expressions(item, lambda e: run.keep(e, "item"))
        return Aggregate((run.call_value(node, self.key, [item]), item))

    def item(self, keyed: Value) -> Value:
        """An item as the program has it, from what :meth:`add_key` made of it."""
        if self.key is None:
            return keyed
        assert isinstance(keyed, Aggregate)
        return keyed.items[1]


def extreme(
    run: AbstractInterpreter,
    generator: Generator,
    order: Order,
    default: Value | None,
    *,
    is_start: bool,
) -> Value:
    """``combine(... combine(first, second) ..., last)``, or the default where there is no item.

    Args:
        run: The interpreter.
        generator: Gives the items.
        order: Which of two is better.
        default: The result where there is none; None where that must not be.
        is_start: Whether the default is no better than any item, so that it can come first.

    Raises:
        Fault: There is no default, and may be no item.
    """
    best = f"{order.name}(...)"

    def each(item: Value, place: ast.expr) -> None:
        span = run.span(place)
        item = order.add_key(run, item, place)
        started = _read_name(run, _STARTED)
        so_far = run.frame.env.get(best)
        is_first = isinstance(started, Static) and not started.value
        if so_far is not None and not is_first:
            so_far = _result(run, best, place)
            item = with_expressions(item, lambda e: run.keep(e, "item"))
            better = order.better(run, so_far, item, span)
            if isinstance(started, Scalar):
                better = select(run, started.expression, better, item, span)
            item = better
        bind(run, best, item, place)
        bind(run, _STARTED, Static(True), place)
        run.frame.env.own[_NOT_EMPTY] = Static(True)

    if default is not None:
        default = with_expressions(default, lambda e: run.keep(e, "default"))
    with _inside(run, generator, Consumer(each)) as go_through:
        bind(run, _STARTED, Static(is_start), generator.node)
        if is_start:
            assert default is not None
            bind(run, best, default, generator.node)
        elif isinstance(run.frame.env.get(_STARTED), Scalar):
            declare(run, best, generator.node)
        go_through()
        if default is None:
            _check_not_empty(run, generator, order)
        return _or_default(run, order, best, generator.node, default)


def _or_default(
    run: AbstractInterpreter, order: Order, best: str, node: ast.expr, default: Value | None
) -> Value:
    """The best item, where there was one."""
    started = _read_name(run, _STARTED)
    if isinstance(started, Static) and not started.value:
        assert default is not None
        return default
    found = order.item(_result(run, best, node))
    if default is None or isinstance(started, Static):
        return found
    assert isinstance(started, Scalar)
    return select(run, started.expression, found, default, run.span(node))


def _check_not_empty(run: AbstractInterpreter, generator: Generator, order: Order) -> None:
    name = order.name
    known = run.frame.env.get(_NOT_EMPTY)
    if known is None:
        raise run.fault(
            generator.node, f"{name} has no value here: there is no item; give it a default=..."
        )
    if isinstance(known, Broken):
        start, beside = "-1", ""
        if not order.key:
            start = "math.inf" if name == "min" else "-math.inf"
            beside = "; of integers an integer, such as default=0"
        raise run.fault(
            generator.node,
            f"{name} has no value where there is no item, which only the running program knows;"
            f" give it one: {name}(... for ..., default={start}){beside}",
        )


def collect(run: AbstractInterpreter, generator: Generator) -> list[Value]:
    """The items, whose number has to be known while compiling.

    Raises:
        Fault: It is not.
    """
    items: list[Value] = []
    marks: list[int] = []

    def each(item: Value, place: ast.expr) -> None:
        if run.block is not home:
            raise run.fault(
                place,
                "tuple expects a number of items that is known while compiling, found an if that"
                " only the running program decides; write x if condition else y, which is an item"
                " either way",
            )
        items.append(item)
        marks.append(len(home))

    with _inside(run, generator, Consumer(each, counts=True)) as go_through:
        home = run.block
        go_through()
    for place in reversed(range(len(items))):
        items[place] = run.materialize_before(items[place], marks[place])
    return items
