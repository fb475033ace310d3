"""Makes copies at once of asynchronous ones, for targets that have no others."""

from __future__ import annotations

from speedmetal.common.records import replace
from speedmetal.dtypes import DType
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
