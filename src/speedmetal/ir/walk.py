"""Going over IR trees, and building changed ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from speedmetal.common.records import replace
from speedmetal.ir.nodes import (
    Assert,
    Assign,
    AsyncCopy,
    Atomic,
    Binary,
    Bitcast,
    Call,
    Compare,
    Convert,
    Expression,
    For,
    Function,
    If,
    Invoke,
    Load,
    Logical,
    MatrixLoad,
    MatrixStore,
    Print,
    Return,
    Select,
    Statement,
    Store,
    Unary,
    Variable,
    While,
)

_Node = TypeVar("_Node", bound=Expression | Statement)

# The fields of each node that hold expressions: one, or a tuple of them.
_EXPRESSION_FIELDS: dict[type, tuple[str, ...]] = {
    Unary: ("operand",),
    Binary: ("left", "right"),
    Compare: ("left", "right"),
    Logical: ("left", "right"),
    Select: ("condition", "when_true", "when_false"),
    Convert: ("operand",),
    Bitcast: ("operand",),
    Load: ("indices",),
    Call: ("arguments",),
    Invoke: ("arguments",),
    MatrixLoad: ("indices",),
    Assign: ("value",),
    Store: ("indices", "value"),
    MatrixStore: ("indices", "value"),
    AsyncCopy: ("indices", "source_indices"),
    If: ("condition",),
    For: ("start", "stop", "step"),
    While: ("condition",),
    Return: ("value",),
    Atomic: ("indices", "operands"),
    Print: ("values",),
    Assert: ("condition",),
}
_BLOCK_FIELDS: dict[type, tuple[str, ...]] = {
    If: ("body", "orelse"),
    For: ("body",),
    While: ("body",),
}


def operands(node: Expression | Statement) -> Iterator[Expression]:
    """The expressions that stand directly in a node, in the order of evaluation."""
    for name in _EXPRESSION_FIELDS.get(type(node), ()):
        value = getattr(node, name)
        if isinstance(value, tuple):
            yield from value
        elif value is not None:
            yield value


def blocks(statement: Statement) -> Iterator[tuple[Statement, ...]]:
    """The bodies inside a statement."""
    for name in _BLOCK_FIELDS.get(type(statement), ()):
        yield getattr(statement, name)


def expressions(node: Expression | Statement) -> list[Expression]:
    """Every expression below a node (not of inner statements), operands before their users.

    Without recursion, which long chains would exhaust, and without a generator for each node: this
    is called for every statement by every pass.
    """
    users_first: list[Expression] = []
    pending = [*operands(node)]
    while pending:
        expression = pending.pop()
        users_first.append(expression)
        for name in _EXPRESSION_FIELDS.get(type(expression), ()):
            value = getattr(expression, name)
            if isinstance(value, tuple):
                pending += value
            elif value is not None:
                pending.append(value)
    users_first.reverse()
    return users_first


def statements(body: tuple[Statement, ...]) -> Iterator[Statement]:
    """Every statement of a body and of the bodies inside it, in program order."""
    pending = [*reversed(body)]
    while pending:
        statement = pending.pop()
        yield statement
        for block in reversed([*blocks(statement)]):
            pending += reversed(block)


def size(body: tuple[Statement, ...]) -> int:
    """How much a body computes itself: the number of its expressions, a call being one."""
    return sum(len(expressions(statement)) for statement in statements(body))


def size_with_callees(body: tuple[Statement, ...]) -> int:
    """How much text a body is once every call in it is replaced by the function's body."""
    return _size_with_callees(body, {})


def _size_with_callees(body: tuple[Statement, ...], known: dict[Function, int]) -> int:
    total = 0
    for statement in statements(body):
        for expression in expressions(statement):
            total += 1
            if isinstance(expression, Invoke):
                function = expression.function
                if function not in known:
                    known[function] = _size_with_callees(function.body, known)
                total += known[function]
    return total


def assigned_variable(statement: Statement) -> Variable | None:
    """The variable that a statement gives a value, if it does."""
    match statement:
        case Assign(variable=variable) | For(counter=variable):
            return variable
        case Atomic(result=result):
            return result
    return None


def map_blocks(
    statement: Statement, change: Callable[[tuple[Statement, ...]], tuple[Statement, ...]]
) -> Statement:
    """The statement with each body inside it replaced by ``change(body)``."""
    changed: dict[str, Any] = {}
    for name in _BLOCK_FIELDS.get(type(statement), ()):
        block = getattr(statement, name)
        if (new := change(block)) != block:
            changed[name] = new
    return replace(statement, **changed) if changed else statement


def map_operands(node: _Node, change: Callable[[Expression], Expression]) -> _Node:
    """The node with each direct operand replaced by ``change(operand)``."""
    changed: dict[str, Any] = {}
    for name in _EXPRESSION_FIELDS.get(type(node), ()):
        value = getattr(node, name)
        if isinstance(value, tuple):
            new = tuple(change(item) for item in value)
            if any(a is not b for a, b in zip(new, value, strict=True)):
                changed[name] = new
        elif value is not None and (single := change(value)) is not value:
            changed[name] = single
    return replace(node, **changed) if changed else node


def rewrite(expression: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """The expression with ``change`` applied to every part, operands before their users."""
    parts = expressions(expression)
    if not parts:
        return change(expression)
    done: dict[Expression, Expression] = {}
    for part in (*parts, expression):
        if part not in done:
            is_leaf = type(part) not in _EXPRESSION_FIELDS
            done[part] = change(part if is_leaf else map_operands(part, done.__getitem__))
    return done[expression]


def rewrite_body(
    body: tuple[Statement, ...],
    change: Callable[[Expression], Expression],
    expand: Callable[[Statement], tuple[Statement, ...]] = lambda statement: (statement,),
) -> tuple[Statement, ...]:
    """The body with every expression rewritten, and then each statement replaced by some.

    Inner bodies are rewritten before the statement that holds them is expanded.
    """
    result: list[Statement] = []
    for statement in body:
        new = map_operands(statement, lambda operand: rewrite(operand, change))
        inner: dict[str, Any] = {
            name: rewrite_body(block, change, expand)
            for name in _BLOCK_FIELDS.get(type(new), ())
            if (block := getattr(new, name))
        }
        result.extend(expand(replace(new, **inner) if inner else new))
    return tuple(result)
