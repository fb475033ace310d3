"""How a kernel uses its simdgroup matrices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from speedmetal.ir.nodes import Assign, Call, Expression, MatrixLoad, Read, Statement, Variable
from speedmetal.ir.types import MatrixType
from speedmetal.ir.walk import expressions, statements

RIGHT = 1
"""The number of the right factor among the operands of a product."""


def right_factors(body: tuple[Statement, ...]) -> frozenset[Variable]:
    """The matrices that come from memory, or are filled, and are right factors and nothing else.

    Hardware may hold right factors in another way than other matrices.
    """
    assignments = [s for s in statements(body) if isinstance(s, Assign)]
    matrices = {s.variable for s in assignments if isinstance(s.variable.type, MatrixType)}
    found = frozenset(matrices)
    while True:
        others = frozenset(_used_otherwise(body, found))
        if others.isdisjoint(found):
            return found
        found -= others


def _used_otherwise(
    body: tuple[Statement, ...], assumed: frozenset[Variable]
) -> Iterator[Variable]:
    """Matrices that are no right factors, if no others than these are."""
    for statement in statements(body):
        match statement:
            case Assign(variable, Read(source)):
                if not {variable, source} <= assumed:
                    yield from (variable, source)
            case Assign(variable, Call() as call):
                if call.intrinsic.matrix_operands:
                    yield variable
                    yield from _read(call.arguments[:RIGHT] + call.arguments[RIGHT + 1 :])
            case Assign(_, MatrixLoad()):
                pass
            case _:
                yield from _read(expressions(statement))


def _read(expressions: Iterable[Expression]) -> Iterator[Variable]:
    return (e.variable for e in expressions if isinstance(e, Read))
