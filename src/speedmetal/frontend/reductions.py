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
from speedmetal.frontend import generators, special_methods
from speedmetal.frontend.arguments import Arguments
from speedmetal.frontend.comparison import combine, compare, select
from speedmetal.frontend.convert import convert_expression, truth, unwrap
from speedmetal.frontend.interpreter import AbstractInterpreter
from speedmetal.frontend.intrinsic_calls import apply
from speedmetal.frontend.signature import literal_dtype
from speedmetal.frontend.unpack import (
    LARGEST_UNROLLING,
    constant_range,
    count_turns,
    items_of,
    unpack_value,
)
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

Handler = Callable[[AbstractInterpreter, Arguments], Value]


def _generator(run: AbstractInterpreter, arguments: Arguments, value: Value) -> Generator | None:
    """The generator that a function was given, or that goes over the range that it was."""
    if isinstance(value, Generator):
        return value
    if not isinstance(value, Range):
        return None
    known = constant_range(value)
    is_short = known is not None and count_turns(known) <= LARGEST_UNROLLING
    return None if is_short else generators.generator_over(run, arguments.node, value)


def _suggest_instead(name: str, value: Value) -> str:
    """What to write where an array stands for its elements."""
    if not isinstance(value, ArrayView):
        return ""
    array = value.array.name
    return f"; write {name}({array}[i] for i in range(len({array})))"


def _items(run: AbstractInterpreter, arguments: Arguments, value: Value, name: str) -> list[Value]:
    """The items of a tuple, with more advice than other functions have."""
    hint = _suggest_instead(name, value)
    if hint:
        raise run.fault(
            arguments.node, f"{name} expects a tuple or a generator, found {describe(value)}{hint}"
        )
    return items_of(run, arguments.node, value, name)


# --- min and max -----------------------------------------------------------------------------


def _extreme(name: str, comparison: str, start: float) -> Handler:
    written = f"{start}".replace("inf", "math.inf")

    def better(run: AbstractInterpreter, left: Value, right: Value, span: SourceSpan) -> Value:
        left, right = unwrap(left, span), unwrap(right, span)
        known = isinstance(left, Static) and isinstance(right, Static)
        if known or isinstance(left, Aggregate) or isinstance(right, Aggregate):
            return _choose_better(run, comparison, (left, left), (right, right), span)
        return apply(run, TABLE[name + "imum"], [left, right], span)

    def better_by_key(
        run: AbstractInterpreter, left: Value, right: Value, span: SourceSpan
    ) -> Value:
        assert isinstance(left, Aggregate)
        assert isinstance(right, Aggregate)
        return _choose_better(run, comparison, (left, left.items[0]), (right, right.items[0]), span)

    def handler(run: AbstractInterpreter, arguments: Arguments) -> Value:
        key, default = (arguments.named.pop(word, None) for word in ("key", "default"))
        if arguments.named:
            raise run.fault(
                arguments.node, f"{name} has the keywords default and key: {name}(a, b, key=abs)"
            )
        if _is_none(default):
            raise run.fault(
                arguments.node,
                f"{name} needs a number as default in kernels, such as {written}, found None",
            )
        if key is None or _is_none(key):
            is_start = isinstance(default, Static) and default.value == start
            order = generators.Order(name, better)
            return _best_item(run, arguments, order, default, is_start=is_start)
        order = generators.Order(name, better_by_key, key)
        return _best_item(run, arguments, order, default, is_start=False)

    return handler


def _is_none(value: Value | None) -> bool:
    return isinstance(value, Static) and value.value is None


def _best_item(
    run: AbstractInterpreter,
    arguments: Arguments,
    order: generators.Order,
    default: Value | None,
    *,
    is_start: bool,
) -> Value:
    node, given = arguments.node, arguments.positional
    generator = _generator(run, arguments, given[0]) if len(given) == 1 else None
    if generator is not None:
        return generators.extreme(run, generator, order, default, is_start=is_start)
    items = _operands(run, arguments, order.name, may_be_empty=default is not None)
    if not items:
        assert default is not None
        return default
    span = run.span(node)
    first, *others = (order.add_key(run, item, node) for item in items)
    result = unwrap(first, span)
    for value in others:
        result = order.better(run, result, value, span)
    return order.item(result)


def _choose_better(
    run: AbstractInterpreter,
    comparison: str,
    left: tuple[Value, Value],
    right: tuple[Value, Value],
    span: SourceSpan,
) -> Value:
    """One of two values, which come with what they are compared by: the right one if it is better.

    All is kept in variables, as each is read more than once.
    """
    both = Aggregate((*left, *right))
    kept = with_expressions(both, lambda e: run.keep(e, "item")).items
    is_better = compare(run, comparison, kept[3], kept[1], span)
    if isinstance(is_better, Static):
        return kept[2] if is_better.value else kept[0]
    return select(run, run.keep(is_better.expression, "is_better"), kept[2], kept[0], span)


def _operands(
    run: AbstractInterpreter, arguments: Arguments, name: str, *, may_be_empty: bool
) -> list[Value]:
    """Several arguments, or the items of the one."""
    message = f"{name} expects numbers or a tuple of them"
    given = arguments.positional
    if len(given) == 1:
        items = unpack_value(run, arguments.node, given[0])
        if items is None:
            hint = _suggest_instead(name, given[0])
            raise run.fault(arguments.node, f"{message}, found {describe(given[0])}{hint}")
        given = list(items)
        if not given and not may_be_empty:
            raise run.fault(arguments.node, f"{message}, found an empty tuple")
    elif not given:
        raise run.fault(arguments.node, message)
    return given


# --- sum, any, tuple -------------------------------------------------------------------------


def _accumulation(name: str, operation: str, start: int) -> Handler:
    def step(run: AbstractInterpreter, total: Value, item: Value, place: ast.expr) -> Value:
        return special_methods.binary(run, place, operation, total, item)

    def handler(run: AbstractInterpreter, arguments: Arguments) -> Value:
        value, given = arguments.take_some(run, name, "iterable", "start")
        assert value is not None
        result = Static(start) if given is None else given
        generator = _generator(run, arguments, value)
        if generator is not None:
            return generators.accumulate(run, generator, name, result, step)
        items = _items(run, arguments, value, name)
        for item in _widen_items(run, result, items):
            result = step(run, result, item, arguments.node)
        return result

    return handler


def _widen_items(run: AbstractInterpreter, start: Value, items: list[Value]) -> list[Value]:
    """The items with the 32 bits that they get where a loop adds them to a literal."""
    if not (isinstance(start, Static) and isinstance(start.value, int | float)):
        return items
    literal = literal_dtype(start.value, run.unit.default_float)

    def widen_item(item: Value) -> Value:
        if not isinstance(item, Scalar):
            return item
        dtype = beside_running_number(item.dtype, literal)
        return Scalar(convert_expression(item.expression, dtype), item.weak)

    return [widen_item(item) for item in items]


def _every(name: str, connective: str) -> Handler:
    def handler(run: AbstractInterpreter, arguments: Arguments) -> Value:
        (value,) = arguments.take(run, name, "iterable")
        generator = _generator(run, arguments, value)
        if generator is not None:
            return generators.search(run, generator, name, sought=connective == "or")
        span = run.span(arguments.node)
        truths = [truth(run, item, span) for item in _items(run, arguments, value, name)]
        return combine(run, connective, truths, span)

    return handler


def _tuple(run: AbstractInterpreter, arguments: Arguments) -> Value:
    if not arguments.positional and not arguments.named:
        return Aggregate(())
    (value,) = arguments.take(run, "tuple", "iterable")
    if isinstance(value, Generator):
        return Aggregate(tuple(generators.collect(run, value)))
    return Aggregate(tuple(items_of(run, arguments.node, value, "tuple")))


# --- sorted ----------------------------------------------------------------------------------

_MOST_SORTED = 32
"""Items that are sorted in the running program: a comparison for each pair of them is emitted."""


def _sorted(run: AbstractInterpreter, arguments: Arguments) -> Value:
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


def _in_order(
    run: AbstractInterpreter, items: list[Value], *, reverse: bool, node: ast.expr
) -> list[Value]:
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
            pair = _order_pair(run, comparison, items[place], items[place + 1], span)
            items[place], items[place + 1] = pair
    return items


def _order_pair(
    run: AbstractInterpreter, comparison: str, left: Value, right: Value, span: SourceSpan
) -> tuple[Value, Value]:
    """Two items of a sort, swapped where the comparison says that the right one comes first."""
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
