"""Debug levels: at 0 asserts go, at 1 and 2 what can fail is checked before it is done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from speedmetal import dtypes
from speedmetal.dtypes import DType
from speedmetal.ir import walk
from speedmetal.ir.nodes import (
    Array,
    Assert,
    Atomic,
    Binary,
    Break,
    Compare,
    Constant,
    Convert,
    Expression,
    Extent,
    If,
    Kernel,
    Load,
    Logical,
    MatrixLoad,
    MatrixStore,
    Statement,
    Store,
    Unary,
    While,
)
from speedmetal.ir.types import SIMDGROUP_MATRIX_SIZE, Space
from speedmetal.source import SourceSpan

OUT_OF_BOUNDS = "index out of bounds"
DIVISION_BY_ZERO = "integer division by zero"
_DIVISIONS = ("floor_divide", "remainder")

Access = Load | Store | Atomic | MatrixLoad | MatrixStore


def insert_checks(kernel: Kernel) -> Kernel:
    """The kernel as its debug level wants it."""
    expand = _without_asserts if kernel.debug == 0 else _Checks(kernel.index_type).checked
    return replace(kernel, body=walk.rewrite_body(kernel.body, lambda e: e, expand))


def _without_asserts(statement: Statement) -> tuple[Statement, ...]:
    return () if isinstance(statement, Assert) else (statement,)


class _Checks:
    def __init__(self, index_type: DType) -> None:
        self._index = index_type

    def checked(self, statement: Statement) -> tuple[Statement, ...]:
        """The statement after the asserts that it needs."""
        asserts = tuple(self._asserts(statement))
        if asserts and isinstance(statement, While):
            return (self._checked_while(statement, asserts),)
        return (*asserts, statement)

    def _checked_while(self, loop: While, asserts: tuple[Assert, ...]) -> While:
        """The condition is evaluated, and so checked, before each iteration."""
        span = loop.condition.span
        stop = Unary("not", loop.condition, dtypes.bool_, span)
        leave = If(stop, (Break(span),), (), span)
        always = Constant(True, dtypes.bool_, span)
        return replace(loop, condition=always, body=(*asserts, leave, *loop.body))

    def _asserts(self, statement: Statement) -> Iterator[Assert]:
        for expression in walk.expressions(statement):
            if isinstance(expression, Load | MatrixLoad):
                yield from self._bounds(expression)
            elif isinstance(expression, Binary) and expression.operator in _DIVISIONS:
                yield from self._nonzero(expression)
        if isinstance(statement, Store | Atomic | MatrixStore):
            yield from self._bounds(statement)

    def _nonzero(self, division: Binary) -> Iterator[Assert]:
        divisor, span = division.right, division.span
        if isinstance(divisor, Constant) and divisor.value:
            return
        assert isinstance(divisor.type, DType)
        zero = Constant(0, divisor.type, span)
        condition = Compare("ne", divisor, zero, dtypes.bool_, span)
        yield Assert(condition, DIVISION_BY_ZERO, "", span)

    def _bounds(self, access: Access) -> Iterator[Assert]:
        block = SIMDGROUP_MATRIX_SIZE if isinstance(access, MatrixLoad | MatrixStore) else 1
        for axis, index in enumerate(access.indices):
            extent = self._extent(access.array, axis, access.span)
            condition = _inside(index, extent, block, access.span)
            if condition is not None:
                reason = f"axis {axis} of {access.array.name}"
                yield Assert(condition, OUT_OF_BOUNDS, reason, access.span)

    def _extent(self, array: Array, axis: int, span: SourceSpan) -> Expression:
        if array.type.space is Space.DEVICE or array.shape is None:
            return Extent(array, axis, self._index, span)
        size = array.shape[axis]
        return Constant(size, self._index, span) if isinstance(size, int) else size


def _inside(
    index: Expression, extent: Expression, block: int, span: SourceSpan
) -> Expression | None:
    """``0 <= index and index < extent``, or None where that is plain."""
    if isinstance(index, Constant) and isinstance(extent, Constant):
        is_inside = 0 <= index.value <= extent.value - block
        if is_inside:
            return None
    wide = dtypes.int64
    position = _converted(index, wide)
    limit = _converted(extent, wide)
    if block > 1:
        limit = Binary("subtract", limit, Constant(block - 1, wide, span), wide, span)
    below = Compare("lt", position, limit, dtypes.bool_, span)
    from_start = Compare("ge", position, Constant(0, wide, span), dtypes.bool_, span)
    return Logical("and", from_start, below, dtypes.bool_, span)


def _converted(expression: Expression, target: DType) -> Expression:
    if expression.type is target:
        return expression
    return Convert(expression, target, expression.span)
