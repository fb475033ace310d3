"""What is the same for all threads of a threadgroup.

A value is *uniform* where all threads of the threadgroup have the same, *divergent* where it is
made from a thread's position, and *unknown* where it comes from memory.
"""

from __future__ import annotations

import enum

from speedmetal.intrinsics.record import IntrinsicKind
from speedmetal.ir import walk
from speedmetal.ir.nodes import (
    Assign,
    Atomic,
    Break,
    Call,
    Continue,
    Expression,
    For,
    If,
    Load,
    Read,
    Return,
    Statement,
    Variable,
    While,
)
from speedmetal.ir.types import Space


class Uniformity(enum.IntEnum):
    """How a value differs between the threads of a threadgroup."""

    UNIFORM = 0
    UNKNOWN = 1
    DIVERGENT = 2


_DIVERGENT_POSITIONS = frozenset(
    {
        "thread_position_in_grid",
        "thread_position_in_threadgroup",
        "thread_index_in_threadgroup",
        "thread_index_in_simdgroup",
        "simdgroup_index_in_threadgroup",
    }
)


class Uniformities:
    """The uniformity of a kernel's variables, and so of its expressions.

    Args:
        body: Of the kernel.
    """

    def __init__(self, body: tuple[Statement, ...]) -> None:
        self._variables: dict[Variable, Uniformity] = {}
        before: object = None
        while before != self._variables:
            before = dict(self._variables)
            self._block(body, divergent=False)

    def of(self, expression: Expression) -> Uniformity:
        """The uniformity of an expression's value."""
        own = Uniformity.UNIFORM
        match expression:
            case Read(variable):
                return self._variables.get(variable, Uniformity.UNIFORM)
            case Load(array):
                is_own = array.type.space is Space.THREAD
                own = Uniformity.DIVERGENT if is_own else Uniformity.UNKNOWN
            case Call():
                own = _of_intrinsic(expression)
        return max([own, *map(self.of, walk.operands(expression))])

    def diverges(self, expression: Expression) -> bool:
        return self.of(expression) is Uniformity.DIVERGENT

    def _block(self, body: tuple[Statement, ...], *, divergent: bool) -> bool:
        """Go through a body; returns whether threads may leave the loop around it on their own."""
        leaves = False
        for statement in body:
            here = divergent or leaves
            match statement:
                case Assign(variable, value):
                    self._assign(variable, self.of(value), divergent=here)
                case Atomic(result=Variable() as result):
                    self._assign(result, Uniformity.DIVERGENT, divergent=here)
                case If(condition=condition):
                    inner = here or self.diverges(condition)
                    for block in walk.blocks(statement):
                        leaves = self._block(block, divergent=inner) or leaves
                case For() | While():
                    self._loop(statement, divergent=here)
                case Break() | Continue() | Return():
                    leaves = leaves or here
        return leaves

    def _loop(self, loop: For | While, *, divergent: bool) -> None:
        bounds = list(map(self.of, walk.operands(loop)))
        inner = divergent or Uniformity.DIVERGENT in bounds
        if isinstance(loop, For):
            self._assign(loop.counter, max(bounds), divergent=divergent)
        leaves = self._block(loop.body, divergent=inner)
        if leaves and not inner:  # again: after the first iteration some are gone
            self._block(loop.body, divergent=True)

    def _assign(self, variable: Variable, value: Uniformity, *, divergent: bool) -> None:
        value = Uniformity.DIVERGENT if divergent else value
        self._variables[variable] = max(value, self._variables.get(variable, value))


def _of_intrinsic(call: Call) -> Uniformity:
    if call.intrinsic.kind is IntrinsicKind.COLLECTIVE:
        return Uniformity.UNKNOWN
    is_own = call.intrinsic.name in _DIVERGENT_POSITIONS
    return Uniformity.DIVERGENT if is_own else Uniformity.UNIFORM
