"""Statements under construction.

While a kernel is inferred, a block is a Python list that may still grow, because the code after an
``if`` whose one branch has left goes into its other branch. At the end the lists are frozen into
the IR's tuples.
"""

from __future__ import annotations

from typing import Any

from speedmetal import dtypes
from speedmetal.common.records import field, record
from speedmetal.ir import nodes as ir
from speedmetal.ir.walk import expressions, operands
from speedmetal.source import SourceSpan

Block = list[Any]
"""Statements of the IR, and the open ones of this module."""


@record(frozen=False, eq=False)
class OpenIf:
    condition: ir.Expression
    span: SourceSpan
    body: Block = field(default_factory=list)
    orelse: Block = field(default_factory=list)


@record(frozen=False, eq=False)
class OpenFor:
    counter: ir.Variable
    start: ir.Expression
    stop: ir.Expression
    step: ir.Expression
    span: SourceSpan
    body: Block = field(default_factory=list)


@record(frozen=False, eq=False)
class OpenWhile:
    condition: ir.Expression
    span: SourceSpan
    body: Block = field(default_factory=list)


@record(frozen=False, eq=False)
class Flag:
    """Whether a region has been left early; its assignments vanish where nobody asks."""

    name: str
    span: SourceSpan
    variable: ir.Variable | None = None  # set when someone asks


@record(frozen=False, eq=False)
class SetFlag:
    flag: Flag
    value: bool


def freeze(block: Block) -> tuple[ir.Statement, ...]:
    """The IR of a finished block."""
    frozen: list[ir.Statement] = []
    for statement in block:
        match statement:
            case OpenIf(condition, span, body, orelse):
                _freeze_if(frozen, condition, freeze(body), freeze(orelse), span)
            case OpenFor(counter, start, stop, step, span, body):
                frozen.append(ir.For(counter, start, stop, step, freeze(body), span))
            case OpenWhile(condition, span, body):
                frozen.append(ir.While(condition, freeze(body), span))
            case SetFlag(flag, value):
                if flag.variable is not None:
                    constant = ir.Constant(value, dtypes.bool_, flag.span)
                    frozen.append(ir.Assign(flag.variable, constant, flag.span))
            case _:
                frozen.append(statement)
    return tuple(frozen)


def _freeze_if(
    frozen: list[ir.Statement],
    condition: ir.Expression,
    body: tuple[ir.Statement, ...],
    orelse: tuple[ir.Statement, ...],
    span: SourceSpan,
) -> None:
    if body:
        frozen.append(ir.If(condition, body, orelse, span))
    elif orelse:
        inverse = ir.Unary("not", condition, dtypes.bool_, span)
        frozen.append(ir.If(inverse, orelse, (), span))


@record(frozen=False)
class Effects:
    """What statements change, as far as an expression could notice."""

    memory: bool = False
    variables: set[ir.Variable] = field(default_factory=set)


def effects(block: Block) -> Effects:
    """What the statements of a block change."""
    found = Effects()
    _collect(block, found)
    return found


def _collect(block: Block, found: Effects) -> None:
    for statement in block:
        match statement:
            case ir.Assign(variable=variable):
                found.variables.add(variable)
            case OpenIf(body=body, orelse=orelse):
                _collect(body, found)
                _collect(orelse, found)
            case OpenFor(body=body) | OpenWhile(body=body):
                _collect(body, found)
            case ir.Store() | ir.MatrixStore() | ir.Barrier() | ir.AsyncCopy() | ir.AsyncWait():
                found.memory = True
            case ir.Atomic(result=result):
                found.memory = True
                if result is not None:
                    found.variables.add(result)


def is_disturbed(expression: ir.Expression, by: Effects) -> bool:
    """Whether the expression could have another value after these effects."""
    return any(_is_touched(part, by) for part in (expression, *expressions(expression)))


def _is_touched(part: ir.Expression, by: Effects) -> bool:
    match part:
        case ir.Read(variable):
            return variable in by.variables
        case ir.Load() | ir.MatrixLoad():
            return by.memory
    return False


def is_lazy_safe(expression: ir.Expression, known: dict[ir.Expression, bool]) -> bool:
    """Whether evaluating it is always safe and cheap: no load, no call of a function.

    ``known`` remembers the answers, since every part of a long chain is asked for.
    """
    pending = [expression]
    while pending:
        part = pending[-1]
        parts = [*operands(part)]
        unknown = [operand for operand in parts if operand not in known]
        if not unknown:
            is_safe = not isinstance(part, ir.Load | ir.Invoke | ir.MatrixLoad)
            known[part] = is_safe and all(map(known.__getitem__, parts))
            pending.pop()
        pending += unknown
    return known[expression]
