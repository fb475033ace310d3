"""Makes large simdgroup matrices of the smallest, for targets that have no others."""

from __future__ import annotations

from collections.abc import Iterator

from speedmetal.common.records import replace
from speedmetal.dtypes import DType
from speedmetal.intrinsics import TABLE
from speedmetal.ir import walk
from speedmetal.ir.nodes import (
    Assign,
    Binary,
    Call,
    Constant,
    Expression,
    Kernel,
    MatrixLoad,
    MatrixStore,
    Read,
    Statement,
    Variable,
)
from speedmetal.ir.types import SIMDGROUP_MATRIX_SIZE, MatrixType
from speedmetal.passes.names import free_name, used_names

Parts = dict[tuple[int, int], Variable]
"""The 8x8 matrices of a large one, by row and column among them."""


def split_matrices(kernel: Kernel) -> Kernel:
    """The kernel with matrices of 8x8 alone."""
    kinds = {getattr(walk.assigned_variable(s), "type", None) for s in walk.statements(kernel.body)}
    if all(not isinstance(kind, MatrixType) or kind.is_smallest for kind in kinds):
        return kernel
    split = _Split(kernel)
    body = walk.rewrite_body(kernel.body, lambda expression: expression, split.statement)
    return replace(kernel, body=body)


class _Split:
    """Owns the variables of the parts."""

    def __init__(self, kernel: Kernel) -> None:
        self._taken = set(used_names(kernel))
        self._parts: dict[Variable, Parts] = {}

    def statement(self, statement: Statement) -> tuple[Statement, ...]:
        match statement:
            case Assign(variable, value) if _is_large(variable.type) or _has_large(value):
                return tuple(self._assign(statement))
            case MatrixStore(value=value) if _is_large(value.type):
                return tuple(self._store(statement))
        return (statement,)

    def _of(self, variable: Variable) -> Parts:
        kind = variable.type
        assert isinstance(kind, MatrixType)
        if kind.is_smallest:
            return {(0, 0): variable}
        if variable not in self._parts:
            self._parts[variable] = self._new(variable)
        return self._parts[variable]

    def _new(self, like: Variable) -> Parts:
        """Variables for the parts of such a matrix."""
        kind = like.type
        assert isinstance(kind, MatrixType)
        parts: Parts = {}
        for row, column in _places(kind):
            name = free_name(f"{like.name}_{row}_{column}", self._taken)
            self._taken.add(name)
            parts[row, column] = Variable(name, MatrixType(kind.dtype), like.span)
        return parts

    def _assign(self, statement: Assign) -> Iterator[Statement]:
        target, value = statement.variable, statement.value
        match value:
            case Read(source):
                yield from _copies(self._of(target), self._of(source), statement)
            case MatrixLoad():
                for place, part in self._of(target).items():
                    yield replace(statement, variable=part, value=_part_of_load(value, place))
            case Call() if not value.intrinsic.matrix_operands:
                for part in self._of(target).values():
                    yield replace(statement, variable=part, value=replace(value, type=part.type))
            case Call():
                yield from self._product(statement, value)

    def _product(self, statement: Assign, call: Call) -> Iterator[Statement]:
        """Each part of ``a @ b + c``, one product of 8x8 matrices after the other."""
        left, right, *total = [self._of(_variable(operand)) for operand in call.arguments]
        factors = [_variable(operand) for operand in call.arguments[:2]]
        target = self._of(statement.variable)
        # The parts of a factor are read until the last part of the product is there.
        into = self._new(statement.variable) if statement.variable in factors else target
        for (row, column), part in into.items():
            kind = part.type
            sums = total[0][row, column] if total else None
            for k in range(len({inner for _, inner in left})):
                pair = left[row, k], right[k, column]
                name = "simdgroup_multiply" + ("_accumulate" if sums is not None else "")
                operands = (*pair, sums) if sums is not None else pair
                reads = tuple(Read(v, call.span) for v in operands)
                value = Call(TABLE[name], reads, kind, call.span)
                yield replace(statement, variable=part, value=value)
                sums = part
        if into is not target:
            yield from _copies(target, into, statement)

    def _store(self, statement: MatrixStore) -> Iterator[Statement]:
        parts = self._of(_variable(statement.value))
        for (row, column), part in parts.items():
            value = Read(part, statement.span)
            indices = _moved(statement.indices, (row, column))
            yield replace(statement, indices=indices, value=value)


def _is_large(kind: object) -> bool:
    return isinstance(kind, MatrixType) and not kind.is_smallest


def _has_large(value: Expression) -> bool:
    return any(_is_large(operand.type) for operand in walk.operands(value))


def _variable(operand: Expression) -> Variable:
    assert isinstance(operand, Read)
    return operand.variable


def _places(kind: MatrixType) -> Iterator[tuple[int, int]]:
    for row in range(kind.rows // SIMDGROUP_MATRIX_SIZE):
        for column in range(kind.columns // SIMDGROUP_MATRIX_SIZE):
            yield row, column


def _copies(target: Parts, source: Parts, statement: Assign) -> Iterator[Statement]:
    for place, part in target.items():
        yield replace(statement, variable=part, value=Read(source[place], statement.span))


def _part_of_load(load: MatrixLoad, place: tuple[int, int]) -> MatrixLoad:
    row, column = place
    block = (column, row) if load.transpose else (row, column)
    kind = MatrixType(load.array.type.dtype)
    return replace(load, indices=_moved(load.indices, block), type=kind)


def _moved(indices: tuple[Expression, ...], block: tuple[int, int]) -> tuple[Expression, ...]:
    """The indices of a block that lies so many blocks further on."""
    return indices[:-2] + tuple(
        _plus(index, SIMDGROUP_MATRIX_SIZE * number)
        for index, number in zip(indices[-2:], block, strict=True)
    )


def _plus(index: Expression, number: int) -> Expression:
    dtype = index.type
    assert isinstance(dtype, DType)
    if number == 0:
        return index
    if isinstance(index, Constant):
        return Constant(int(index.value) + number, dtype, index.span)
    return Binary("add", index, Constant(number, dtype, index.span), dtype, index.span)
