"""Finds waits for groups of copies that nobody makes, and makes copies at once of asynchronous ones
for targets that have no others.
"""

from __future__ import annotations

from speedmetal.common.records import replace
from speedmetal.dtypes import DType
from speedmetal.errors import Diagnostic
from speedmetal.ir import walk
from speedmetal.ir.nodes import (
    AsyncCopy,
    AsyncGroup,
    AsyncWait,
    Binary,
    Constant,
    Expression,
    Kernel,
    Load,
    Statement,
    Store,
)


def check_groups(kernel: Kernel) -> list[Diagnostic]:
    """A fault for each wait that leaves groups pending in a kernel that makes none.

    It would wait for no copy, where copies are made in the background, and be right elsewhere.
    """
    found = list(walk.statements(kernel.body))
    if any(isinstance(statement, AsyncGroup) for statement in found):
        return []
    return [
        Diagnostic(
            statement.span,
            f"sm.async_copy_wait({statement.pending}) does not wait for the latest groups of"
            " copies, and this kernel makes no group, so that it would wait for nothing; call"
            " sm.async_copy_group() behind the copies that belong together, or wait for all"
            " copies with sm.async_copy_wait()",
        )
        for statement in found
        if isinstance(statement, AsyncWait) and statement.pending
    ]


def copy_at_once(kernel: Kernel) -> Kernel:
    """The kernel with loads and stores where it has asynchronous copies."""
    kinds = AsyncCopy | AsyncGroup | AsyncWait
    if not any(isinstance(statement, kinds) for statement in walk.statements(kernel.body)):
        return kernel
    return replace(kernel, body=walk.rewrite_body(kernel.body, lambda e: e, _at_once))


def _at_once(statement: Statement) -> tuple[Statement, ...]:
    match statement:
        case AsyncCopy():
            return tuple(_element(statement, number) for number in range(statement.count))
        case AsyncGroup() | AsyncWait():
            return ()
    return (statement,)


def _element(copy: AsyncCopy, number: int) -> Store:
    dtype = copy.source.type.dtype
    value = Load(copy.source, _neighbour(copy.source_indices, number), dtype, copy.span)
    return Store(copy.array, _neighbour(copy.indices, number), value, copy.span)


def _neighbour(indices: tuple[Expression, ...], number: int) -> tuple[Expression, ...]:
    *others, last = indices
    if number == 0:
        return indices
    dtype, span = last.type, last.span
    assert isinstance(dtype, DType)
    return (*others, Binary("add", last, Constant(number, dtype, span), dtype, span))
