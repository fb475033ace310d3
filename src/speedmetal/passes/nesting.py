"""Keeps programs from nesting deeper than the compilers of their text can follow.

Clang, which Metal's and CUDA's compilers come from, takes 256 brackets inside one another (option
``-fbracket-depth``). A part of an expression that is too deep gets a variable. A branch that is too
deep sets a flag, and comes after the statement at whose end it stood: what is deep in practice,
chains of ``elif`` and of early exits, goes on at the end of a branch. All other passes come before,
so that no result depends on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from speedmetal import dtypes
from speedmetal.common.records import replace
from speedmetal.dtypes import DType
from speedmetal.intrinsics.record import IntrinsicKind
from speedmetal.ir import walk
from speedmetal.ir.nodes import (
    Assign,
    Break,
    Call,
    Constant,
    Expression,
    For,
    Function,
    If,
    Invoke,
    Kernel,
    Read,
    Statement,
    Unary,
    Variable,
    While,
)
from speedmetal.ir.types import ValueType
from speedmetal.passes.names import free_name, used_names
from speedmetal.source import SourceSpan

DEEPEST_EXPRESSION = 48
"""Operations inside one another; printers put at most two brackets around each."""
DEEPEST_BRANCH = 48
"""Branches inside one another, with no loop between them; 2 at least, one for the flag."""

Body = tuple[Statement, ...]
_Node = TypeVar("_Node", bound=Expression | Statement)


def limit_nesting(kernel: Kernel) -> Kernel:
    """The kernel without expressions and branches that are nested too deeply."""
    if not any(map(_is_deep, (kernel.body, *(function.body for function in kernel.functions)))):
        return kernel
    limit = _Limit(set(used_names(kernel)))
    functions: dict[Function, Function] = {}

    def change(expression: Expression) -> Expression:
        if isinstance(expression, Invoke):
            return replace(expression, function=functions[expression.function])
        return expression

    for function in kernel.functions:
        body = walk.rewrite_body(limit.body(function.body), change)
        functions[function] = replace(function, body=body)
    body = walk.rewrite_body(limit.body(kernel.body), change)
    return replace(kernel, body=body, functions=tuple(functions.values()))


def _is_deep(body: Body) -> bool:
    pending = [(body, 0)]
    while pending:
        block, depth = pending.pop()
        if depth > DEEPEST_BRANCH or any(map(_has_deep_expression, block)):
            return True
        for statement in block:
            inner = depth + 1 if isinstance(statement, If) else 0
            pending += ((part, inner) for part in walk.blocks(statement))
    return False


def _has_deep_expression(statement: Statement) -> bool:
    expressions = walk.expressions(statement)
    if len(expressions) <= DEEPEST_EXPRESSION:  # nearly always
        return False
    depths: dict[Expression, int] = {}
    for expression in expressions:
        depths[expression] = _depth(expression, depths)
    return max(depths.values()) > DEEPEST_EXPRESSION


def _depth(expression: Expression, depths: dict[Expression, int]) -> int:
    return 1 + max((depths[operand] for operand in walk.operands(expression)), default=0)


class _Limit:
    def __init__(self, taken: set[str]) -> None:
        self._taken = taken

    def body(self, body: Body) -> Body:
        """The statements of a kernel, a function or a loop."""
        return tuple(new for statement in body for new in self._limit_statement(statement))

    def _limit_statement(self, statement: Statement) -> Iterator[Statement]:
        match statement:
            case If():
                yield from self._branches(statement)
            case While():
                yield self._while(statement)
            case For():
                parts, loop = self._shallow(statement)
                yield from parts
                yield replace(loop, body=self.body(loop.body))
            case _:
                parts, shallow = self._shallow(statement)
                yield from (*parts, shallow)

    def _variable(self, name: str, value_type: ValueType, span: SourceSpan) -> Variable:
        unique = free_name(name, self._taken)
        self._taken.add(unique)
        return Variable(unique, value_type, span)

    # --- Branches

    def _branches(self, statement: If) -> Iterator[Statement]:
        """A branch; after it, each under its flag, what was too deep at one of its ends."""
        later: list[tuple[Variable, If]] = []
        new = self._branch(statement, 1, later)
        for flag, deep in later:
            yield Assign(flag, Constant(False, dtypes.bool_, deep.span), deep.span)
        yield from new
        for flag, deep in later:
            yield from self._branches(If(Read(flag, deep.span), (deep,), (), deep.span))

    def _branch(
        self, statement: If, depth: int, later: list[tuple[Variable, If]]
    ) -> list[Statement]:
        parts, shallow = self._shallow(statement)
        body, orelse = (
            self._block(block, depth, later) for block in (statement.body, statement.orelse)
        )
        return [*parts, replace(shallow, body=body, orelse=orelse)]

    def _block(self, block: Body, depth: int, later: list[tuple[Variable, If]]) -> Body:
        found: list[Statement] = []
        for number, statement in enumerate(block, start=1):
            if number < len(block) or not isinstance(statement, If):
                found += self._limit_statement(statement)
            elif depth < DEEPEST_BRANCH:
                found += self._branch(statement, depth + 1, later)
            else:
                flag = self._variable("later", dtypes.bool_, statement.span)
                later.append((flag, statement))
                true = Constant(True, dtypes.bool_, statement.span)
                found.append(Assign(flag, true, statement.span))
        return tuple(found)

    # --- Expressions

    def _shallow(self, node: _Node) -> tuple[list[Assign], _Node]:
        """Assignments of what is too deep in a statement's expressions, and the rest of it."""
        parts: list[Assign] = []
        depths: dict[Expression, int] = {}

        def change(expression: Expression) -> Expression:
            depths[expression] = _depth(expression, depths)
            if depths[expression] < DEEPEST_EXPRESSION or not _can_stand_alone(expression):
                return expression
            variable = self._variable("part", expression.type, expression.span)
            parts.append(Assign(variable, expression, expression.span))
            read = Read(variable, expression.span)
            depths[read] = 1
            return read

        return parts, walk.map_operands(node, lambda operand: walk.rewrite(operand, change))

    def _while(self, loop: While) -> While:
        """A loop; where its condition is too deep, it is computed at the start of each turn."""
        parts, shallow = self._shallow(loop)
        body = self.body(loop.body)
        if not parts:
            return replace(loop, body=body)
        span = loop.condition.span
        done = Unary("not", shallow.condition, dtypes.bool_, span)
        leave = If(done, (Break(span),), (), span)
        return While(Constant(True, dtypes.bool_, span), (*parts, leave, *body), loop.span)


def _can_stand_alone(expression: Expression) -> bool:
    """Whether an assignment may take the expression out of another."""
    is_tied = isinstance(expression, Call) and expression.intrinsic.kind in (
        IntrinsicKind.COLLECTIVE,
        IntrinsicKind.MATRIX,
    )
    return isinstance(expression.type, DType) and not is_tied
