"""Python's functions that make one value of several: min, sum, any, tuple, sorted ...

The items are a tuple's, whose number is known while compiling, or a generator's.
"""

from __future__ import annotations

import ast
import builtins
import math
from collections.abc import Callable
from typing import Any

from speedmetal.dtypes import beside_running_number
from speedmetal.frontend import arithmetic, generators
from speedmetal.frontend.arguments import Arguments
from speedmetal.frontend.comparison import combine, compare, select
from speedmetal.frontend.convert import converted, truth, unwrap
from speedmetal.frontend.intrinsic_calls import apply
from speedmetal.frontend.run import Run
from speedmetal.frontend.slots import literal_dtype
from speedmetal.frontend.unpack import items_of, unpacked
from speedmetal.frontend.values import (
    Aggregate,
    ArrayView,
    Generator,
    Range,
    Scalar,
    Static,
    Value,
    describe,
    with_expressions,
)
from speedmetal.intrinsics import TABLE
from speedmetal.source import SourceSpan

Handler = Callable[[Run, Arguments], Value]


def _instead(name: str, value: Value) -> str:
    """What to write where a value is given that is no tuple but stands for many."""
    if isinstance(value, ArrayView):
        array = value.array.name
        return f"; write {name}({array}[i] for i in range(len({array})))"
    return f"; write {name}(i for i in range(n))" if isinstance(value, Range) else ""


def _items(run: Run, arguments: Arguments, value: Value, name: str) -> list[Value]:
    """The items of a tuple, with more advice than other functions have."""
    hint = _instead(name, value)
    if hint:
        raise run.fault(
            arguments.node, f"{name} expects a tuple or a generator, found {describe(value)}{hint}"
        )
    return items_of(run, arguments.node, value, name)


# --- min and max -----------------------------------------------------------------------------


def _extreme(name: str, comparison: str, start: float) -> Handler:
    written = f"{start}".replace("inf", "math.inf")

    def better(run: Run, left: Value, right: Value, span: SourceSpan) -> Value:
        left, right = unwrap(left, span), unwrap(right, span)
        known = isinstance(left, Static) and isinstance(right, Static)
        if known or isinstance(left, Aggregate) or isinstance(right, Aggregate):
            return _chosen(run, comparison, left, right, span)
        return apply(run, TABLE[name + "imum"], [left, right], span)

    def handler(run: Run, arguments: Arguments) -> Value:
        default = arguments.named.pop("default", None)
        if arguments.named:
            raise run.fault(
                arguments.node,
                f"{name} has the keyword default alone in kernels; for another order compare tuples"
                f" that begin with it: {name}((abs(x), x) for x in t)[1]",
            )
        if isinstance(default, Static) and default.value is None:
            raise run.fault(
                arguments.node,
                f"{name} needs a number as default in kernels, such as {written}, found None",
            )
        given = arguments.positional
        if len(given) == 1 and isinstance(given[0], Generator):
            is_start = isinstance(default, Static) and default.value == start
            return generators.extreme(run, given[0], name, better, default, is_start=is_start)
        if (
            default is not None
            and len(given) == 1
            and unpacked(run, arguments.node, given[0]) == ()
        ):
            return default
        span = run.span(arguments.node)
        items = _operands(run, arguments, name)
        result = unwrap(items[0], span)
        for value in items[1:]:
            result = better(run, result, value, span)
        return result

    return handler


def _is_empty(value: Value) -> bool:
    return isinstance(value, Aggregate) and value.is_tuple and not value.items


def _chosen(run: Run, comparison: str, left: Value, right: Value, span: SourceSpan) -> Value:
    """The right one where it compares so with the left one."""
    left, right = (with_expressions(v, lambda e: run.keep(e, "item")) for v in (left, right))
    is_better = compare(run, comparison, right, left, span)
    if isinstance(is_better, Static):
        return right if is_better.value else left
    return select(run, run.keep(is_better.expression, "is_better"), right, left, span)


def _operands(run: Run, arguments: Arguments, name: str) -> list[Value]:
    """Several arguments, or the items of the one."""
    message = f"{name} expects numbers or a tuple of them"
    given = arguments.positional
    if len(given) == 1:
        items = unpacked(run, arguments.node, given[0])
        if items is None:
            hint = _instead(name, given[0])
            raise run.fault(arguments.node, f"{message}, found {describe(given[0])}{hint}")
        given = list(items)
        if not given:
            raise run.fault(arguments.node, f"{message}, found an empty tuple")
    elif not given:
        raise run.fault(arguments.node, message)
    return given


# --- sum, any, tuple -------------------------------------------------------------------------


def _accumulation(name: str, operation: str, start: int) -> Handler:
    def step(run: Run, total: Value, item: Value, span: SourceSpan) -> Value:
        return arithmetic.binary(run, operation, total, item, span)

    def handler(run: Run, arguments: Arguments) -> Value:
        value, given = arguments.take_some(run, name, "iterable", "start")
        assert value is not None
        result = Static(start) if given is None else given
        if isinstance(value, Generator):
            return generators.accumulate(run, value, name, result, step)
        items = _items(run, arguments, value, name)
        for item in _wide(run, result, items):
            result = step(run, result, item, run.span(arguments.node))
        return result

    return handler


def _wide(run: Run, start: Value, items: list[Value]) -> list[Value]:
    """The items with the 32 bits that they get where a loop adds them to a literal."""
    if not (isinstance(start, Static) and isinstance(start.value, int | float)):
        return items
    literal = literal_dtype(start.value, run.unit.default_float)

    def widened(item: Value) -> Value:
        if not isinstance(item, Scalar):
            return item
        dtype = beside_running_number(item.dtype, literal)
        return Scalar(converted(item.expression, dtype), item.weak)

    return [widened(item) for item in items]


def _every(name: str, connective: str) -> Handler:
    def handler(run: Run, arguments: Arguments) -> Value:
        (value,) = arguments.take(run, name, "iterable")
        if isinstance(value, Generator):
            return generators.search(run, value, name, sought=connective == "or")
        span = run.span(arguments.node)
        truths = [truth(run, item, span) for item in _items(run, arguments, value, name)]
        return combine(run, connective, truths, span)

    return handler


def _tuple(run: Run, arguments: Arguments) -> Value:
    if not arguments.positional and not arguments.named:
        return Aggregate(())
    (value,) = arguments.take(run, "tuple", "iterable")
    if isinstance(value, Generator):
        return Aggregate(tuple(generators.collect(run, value)))
    return Aggregate(tuple(items_of(run, arguments.node, value, "tuple")))


# --- sorted ----------------------------------------------------------------------------------

_MOST_SORTED = 32
"""Items that are sorted in the running program: a comparison for each pair of them is emitted."""


def _sorted(run: Run, arguments: Arguments) -> Value:
    reverse = arguments.named.pop("reverse", Static(False))
    if "key" in arguments.named:
        raise run.fault(
            arguments.node,
            "sorted has no key in kernels; sort tuples that begin with it: (key(x), x)",
        )
    (value,) = arguments.take(run, "sorted", "iterable")
    if not isinstance(reverse, Static):
        raise run.fault(arguments.node, "expected True or False for reverse")
    if isinstance(value, ArrayView):
        raise run.fault(
            arguments.node,
            f"sorted expects a tuple, found {describe(value)}; sort the array outside the kernel",
        )
    items = (
        generators.collect(run, value)
        if isinstance(value, Generator)
        else items_of(run, arguments.node, value, "sorted")
    )
    return Aggregate(tuple(_in_order(run, items, reverse=bool(reverse.value), node=arguments.node)))


def _in_order(run: Run, items: list[Value], *, reverse: bool, node: ast.expr) -> list[Value]:
    """Bubbles: neighbours change places where the later one comes first, so equals keep theirs."""
    span = run.span(node)
    items = [with_expressions(unwrap(v, span), lambda e: run.keep(e, "item")) for v in items]
    running = not all(isinstance(item, Static) for item in items)
    if running and len(items) > _MOST_SORTED:
        raise run.fault(
            node,
            f"sorted takes at most {_MOST_SORTED} numbers of the running program, found"
            f" {len(items)}; sort an array outside the kernel",
        )
    comparison = "gt" if reverse else "lt"
    for end in reversed(range(1, len(items))):
        for place in range(end):
            pair = _ordered(run, comparison, items[place], items[place + 1], span)
            items[place], items[place + 1] = pair
    return items


def _ordered(
    run: Run, comparison: str, left: Value, right: Value, span: SourceSpan
) -> tuple[Value, Value]:
    """The two in order."""
    swaps = compare(run, comparison, right, left, span)
    if isinstance(swaps, Static):
        return (right, left) if swaps.value else (left, right)
    condition = run.keep(swaps.expression, "swaps")
    first, second = (
        with_expressions(select(run, condition, a, b, span), lambda e: run.keep(e, "item"))
        for a, b in ((right, left), (left, right))
    )
    return first, second


REDUCTIONS: dict[Any, Handler] = {
    builtins.min: _extreme("min", "lt", math.inf),
    builtins.max: _extreme("max", "gt", -math.inf),
    builtins.sum: _accumulation("sum", "add", 0),
    math.prod: _accumulation("math.prod", "multiply", 1),
    builtins.any: _every("any", "or"),
    builtins.all: _every("all", "and"),
    builtins.tuple: _tuple,
    builtins.sorted: _sorted,
}
"""What a kernel does with them."""
