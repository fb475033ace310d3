"""Which of two ways to write a body is the cheaper: what decides, apart from what writes."""

from __future__ import annotations

from collections.abc import Callable

from speedmetal.backends.cpu.codegen.vector_unit import VectorUnit
from speedmetal.dtypes import DType
from speedmetal.ir import walk
from speedmetal.ir.analysis import facts
from speedmetal.ir.nodes import (
    Array,
    Assign,
    Atomic,
    Call,
    Expression,
    Invoke,
    Kernel,
    Load,
    Statement,
    Store,
)

_CHEAP_STATEMENTS = 4
_TWICE_WRITTEN_UNDER_MASK = 150  # expressions
_TWICE_WRITTEN_AROUND_MASK = 250
_TWICE_WRITTEN_WITH_CALLEES = 2500  # expressions, where LLVM puts callees in the place of calls
_WORTH_CODE_OF_ITS_OWN = 60  # expressions, with callees
# LLVM has no instructions for these: it calls the C library for each lane.
_LIBRARY_CALLS = frozenset({"llvm.pow", "llvm.sin", "llvm.cos", "llvm.tan"})

Body = tuple[Statement, ...]


def is_cheap(body: Body) -> bool:
    """Whether a body may be run for no lane, at a cost below that of a branch."""
    if len(body) > _CHEAP_STATEMENTS:
        return False
    return all(
        isinstance(statement, Assign) and not any(map(_is_dear, walk.expressions(statement)))
        for statement in body
    )


def has_full_vectors(body: Body) -> bool:
    """Whether a run is worth a text for full vectors, and one for what is left of a row."""
    return _may_be_written_twice(body, _TWICE_WRITTEN_AROUND_MASK)


def gains_from_whole_rows(kernel: Kernel) -> bool:
    """Whether launches of whole rows get code of their own, without what is left of a row."""
    return facts(kernel).size_with_callees >= _WORTH_CODE_OF_ITS_OWN


def gains_from_full_vectors(
    body: Body, unit: VectorUnit, may_stream: Callable[[Array], bool]
) -> bool:
    """Whether a body that runs under a mask is worth a second text for full vectors.

    Args:
        body: That is to be written.
        unit: The processor's.
        may_stream: Whether an array may be streamed to, which full vectors are.
    """
    if not _may_be_written_twice(body, _TWICE_WRITTEN_UNDER_MASK):
        return False
    inside = list(walk.statements(body))
    for statement in inside:
        if isinstance(statement, Atomic):
            return True
        if isinstance(statement, Store) and may_stream(statement.array):
            return True
    return not unit.has_masks and any(map(_accesses_memory, inside))


def _may_be_written_twice(body: Body, most: int) -> bool:
    if walk.size(body) > most:
        return False
    return walk.size_with_callees(body) <= _TWICE_WRITTEN_WITH_CALLEES


def _accesses_memory(statement: Statement) -> bool:
    every = walk.expressions(statement)
    return isinstance(statement, Store) or any(isinstance(e, Load) for e in every)


def _is_dear(expression: Expression) -> bool:
    """Whether it costs more than a branch around it, or must not be done for no lane."""
    if isinstance(expression, Call):
        types = [a.type for a in expression.arguments if isinstance(a.type, DType)]
        spelling = expression.intrinsic.spelling("cpu", types[0] if types else None)
        return isinstance(spelling, str) and spelling in _LIBRARY_CALLS
    return isinstance(expression, Load | Invoke)
