"""Operands that are evaluated only where Python evaluates them: and, or, chains, conditionals."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from speedmetal.frontend.binding import merge
from speedmetal.frontend.comparison import combine, common_shape, select
from speedmetal.frontend.convert import truth
from speedmetal.frontend.emit import Block, OpenIf
from speedmetal.frontend.expressions import comparison
from speedmetal.frontend.interpreter import AbstractInterpreter, expression
from speedmetal.frontend.values import Scalar, Static, Value, expressions_of, with_expressions
from speedmetal.ir import nodes as ir
from speedmetal.source import SourceSpan

_Item = TypeVar("_Item")


@expression(ast.IfExp)
def _conditional(run: AbstractInterpreter, node: ast.IfExp) -> Value:
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


def evaluate_lazily(
    run: AbstractInterpreter, evaluate: Callable[[], Value]
) -> tuple[Value, Block, dict[str, Value]]:
    """A value, the statements that it needs and the names that it binds, not emitted yet."""
    found: list[Value] = []
    region = run.region([], lambda: found.append(evaluate()))
    return found[0], region.start, region.changes


def choose(
    run: AbstractInterpreter,
    condition: ir.Expression,
    when_true: Callable[[], Value],
    when_false: Callable[[], Value],
    span: SourceSpan,
) -> Value:
    """One of two values, of which only the chosen one is evaluated."""
    left, first, changes = evaluate_lazily(run, when_true)
    right, second, other_changes = evaluate_lazily(run, when_false)
    merge(run, run.frame, [changes, other_changes])
    safe = not first and not second
    if safe and run.is_lazy_safe(*expressions_of(left), *expressions_of(right)):
        return select(run, condition, left, right, span)
    left, right = common_shape(run, left, right, span)
    return _choose_by_branch(run, condition, (left, first), (right, second), span)


def _choose_by_branch(
    run: AbstractInterpreter,
    condition: ir.Expression,
    when_true: tuple[Value, Block],
    when_false: tuple[Value, Block],
    span: SourceSpan,
) -> Value:
    statement = OpenIf(condition, span, when_true[1], when_false[1])
    run.emit(statement)
    others = expressions_of(when_false[0])

    def store_both(left: ir.Expression) -> ir.Expression:
        right = next(others)
        variable = _chosen_last(run, statement.body, left) or _chosen_last(
            run, statement.orelse, right
        )
        variable = variable or run.variable("chosen", left.type, span)
        for block, value in ((statement.body, left), (statement.orelse, right)):
            if not (isinstance(value, ir.Read) and value.variable is variable):
                block.append(ir.Assign(variable, value, span))
        run.chosen[variable] = statement
        return ir.Read(variable, span)

    return with_expressions(when_true[0], store_both)


def _chosen_last(
    run: AbstractInterpreter, block: Block, value: ir.Expression
) -> ir.Variable | None:
    """The variable of a value that was chosen at the end of a block: it can be this one's, too.

    So the branches of a long chain end with the next branch, and no text nests as deep as it.
    """
    if isinstance(value, ir.Read) and block and run.chosen.get(value.variable) is block[-1]:
        return value.variable
    return None


# --- and, or ---------------------------------------------------------------------------------

LONGEST_NEST = 16
"""Operands of one ``and`` or chain of comparisons of which each is evaluated inside the one before;
the next such group is evaluated after it, so that no chain nests beyond that."""


@expression(ast.BoolOp)
def _logical(run: AbstractInterpreter, node: ast.BoolOp) -> Value:
    value, *others = (
        partial(_logical_chain, run, node, group) for group in _groups(node, node.values)
    )
    found = value()
    for other in others:
        found = _and_then(run, node, found, node, other)
    return found


def _groups(node: ast.expr, operands: list[_Item]) -> list[list[_Item]]:
    """The operands of a chain that nest; all of them where some bind names that others may read."""
    length = len(operands) if _binds_names(node) else LONGEST_NEST
    return [operands[first : first + length] for first in range(0, len(operands), length)]


def _binds_names(node: ast.AST) -> bool:
    return any(isinstance(part, ast.NamedExpr) for part in ast.walk(node))


def _logical_chain(
    run: AbstractInterpreter, node: ast.BoolOp, operands: Sequence[ast.expr]
) -> Value:
    first = run.value(operands[0])
    if len(operands) == 1:
        return first
    rest = partial(_logical_chain, run, node, operands[1:])
    return _and_then(run, node, first, operands[0], rest)


def _and_then(
    run: AbstractInterpreter,
    node: ast.BoolOp,
    first: Value,
    place: ast.expr,
    rest: Callable[[], Value],
) -> Value:
    """``first and rest()``, or ``first or rest()``; ``place`` is the node of the first operand."""
    name = "and" if isinstance(node.op, ast.And) else "or"
    span = run.span(node)
    condition = truth(run, first, run.span(place))
    if isinstance(condition, Static):
        return first if bool(condition.value) == (name == "or") else rest()
    if isinstance(first, Scalar) and first.dtype.is_bool:
        return _logical_pair(run, condition.expression, rest, name, span)
    first = with_expressions(first, lambda e: run.keep(e, "first"))
    kept = truth(run, first, span)
    assert isinstance(kept, Scalar)
    if name == "and":
        return choose(run, kept.expression, rest, lambda: first, span)
    return choose(run, kept.expression, lambda: first, rest, span)


def _logical_pair(
    run: AbstractInterpreter,
    left: ir.Expression,
    rest: Callable[[], Value],
    name: str,
    span: SourceSpan,
) -> Value:
    """``left and rest()`` of a bool."""
    right, block, changes = evaluate_lazily(run, rest)
    merge(run, run.frame, [changes, {}])
    is_truth = (isinstance(right, Scalar) and right.dtype.is_bool) or (
        isinstance(right, Static) and isinstance(right.value, bool)
    )
    if not block and is_truth and run.is_lazy_safe(*expressions_of(right)):
        assert isinstance(right, Scalar | Static)
        return combine(run, name, [Scalar(left), right], span)
    return _pair_by_branch(run, left, (right, block), name, span)


def _pair_by_branch(
    run: AbstractInterpreter,
    left: ir.Expression,
    right: tuple[Value, Block],
    name: str,
    span: SourceSpan,
) -> Value:
    known: tuple[Value, Block] = Static(name == "or"), []
    (given, first), (other, second) = (right, known) if name == "and" else (known, right)
    given, other = common_shape(run, given, other, span)
    return _choose_by_branch(run, left, (given, first), (other, second), span)


Then = Callable[[Static | Scalar, Callable[[], None] | None], None]


def decide(run: AbstractInterpreter, node: ast.expr, then: Then) -> None:
    """Evaluate a condition part by part, where Python's ``and`` allows that.

    ``then`` is called with a part's truth, and with what evaluates the rest, which it must call
    in a place that is reached only where the part is true; None after the last part. Parts that
    are safe to evaluate always come together as one.
    """
    parts = [node]
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        parts, *rest = _groups(node, node.values)
        if rest:  # as one part more
            others = ast.BoolOp(node.op, node.values[len(parts) :])
            parts = [*parts, ast.copy_location(others, node)]
    _decide(run, truth(run, run.value(parts[0]), run.span(parts[0])), parts[1:], then)


def _decide(
    run: AbstractInterpreter, condition: Static | Scalar, parts: list[ast.expr], then: Then
) -> None:
    if not parts or (isinstance(condition, Static) and not condition.value):
        then(condition, None)
        return
    part, rest = parts[0], parts[1:]
    found, block, changes = evaluate_lazily(
        run, lambda: truth(run, run.value(part), run.span(part))
    )
    assert isinstance(found, Static | Scalar)

    def go_on(so_far: Static | Scalar) -> None:
        run.block.extend(block)
        run.frame.env.own.update(changes)
        _decide(run, so_far, rest, then)

    unsafe = bool(block) or not run.is_lazy_safe(*expressions_of(found))
    if unsafe and isinstance(condition, Scalar):
        then(condition, lambda: go_on(found))
    else:
        go_on(combine(run, "and", [condition, found], run.span(part)))


# --- Chains of comparisons --------------------------------------------------------------------


@expression(ast.Compare)
def _compare(run: AbstractInterpreter, node: ast.Compare) -> Value:
    if len(node.ops) == 1:
        left, right = run.values((node.left, node.comparators[0]))
        return comparison(run, node, node.ops[0], left, right)
    chain = _Chain(run, node, run.value(node.left))
    first, *others = _groups(node, [*range(len(node.ops))])
    found = chain.links(first)
    for group in others:
        if isinstance(found, Static):
            found = chain.links(group) if found.value else found
            continue
        assert isinstance(found, Scalar)
        # Always by a branch: what both share may have been computed in another one.
        right, block, _ = evaluate_lazily(run, partial(chain.links, group))
        found = _pair_by_branch(run, found.expression, (right, block), "and", run.span(node))
    return found


class _Chain:
    """``left < a < b``: each operand once, none after a comparison that is false."""

    def __init__(self, run: AbstractInterpreter, node: ast.Compare, left: Value) -> None:
        self._run = run
        self._node = node
        self._left = left

    def links(self, places: Sequence[int]) -> Value:
        """The truth of the comparisons at these places, the last operand before them known."""
        run, node, place = self._run, self._node, places[0]
        mark = len(run.block)
        right = run.value(node.comparators[place])
        left = run.materialize_before(self._left, mark)
        if place < len(node.ops) - 1:
            right = with_expressions(right, lambda e: run.keep(e, "middle"))
        self._left = right
        result = comparison(run, node, node.ops[place], left, right)
        if len(places) == 1:
            return result
        rest = partial(self.links, places[1:])
        if isinstance(result, Static):
            return rest() if result.value else result
        return _logical_pair(run, result.expression, rest, "and", run.span(node))
