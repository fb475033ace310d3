"""What is the same for all threads of a threadgroup, or of a simdgroup, as far as the IR tells.

A value is *uniform* where all of them have the same, *divergent* where it is made from a thread's
position; a statement is *uniform* where all of them reach it together, *divergent* where a
divergent value keeps some of them away. Between the two is what the running program decides.

Found by repetition: what was once found to differ stays so, until a round finds nothing new.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable
from typing import TypeVar

from speedmetal.intrinsics.record import IntrinsicKind, Varies
from speedmetal.ir import walk
from speedmetal.ir.nodes import (
    Array,
    Assert,
    Assign,
    Atomic,
    Break,
    Call,
    Continue,
    Expression,
    For,
    If,
    Load,
    MatrixLoad,
    Read,
    Return,
    Statement,
    Variable,
    While,
)
from speedmetal.ir.types import Space

_Key = TypeVar("_Key")


class Uniformity(enum.IntEnum):
    """How much threads may differ in a value, or in how they come to a statement."""

    UNIFORM = 0  # not at all
    READ = 1  # not at all, though memory decides: nothing writes there
    UNKNOWN = 2  # memory that is written decides, or what a collective gave
    DIVERGENT = 3  # their positions decide

    @property
    def is_shared(self) -> bool:
        """Whether all threads agree."""
        return self <= Uniformity.READ


class Uniformities:
    """The uniformity of a kernel's variables, expressions and statements.

    Args:
        body: Of the kernel.
        written: The parameters that it changes or accesses atomically.
        within: The threads that are compared: those of a threadgroup (`Varies.THREADGROUPS`: what
            varies between threadgroups alone is uniform) or of a simdgroup (`Varies.SIMDGROUPS`).
        of_rows: Whether only threads with the same y and z are compared.
    """

    def __init__(
        self,
        body: tuple[Statement, ...],
        written: Collection[Array],
        within: Varies,
        *,
        of_rows: bool = False,
    ) -> None:
        self._written, self._within, self._of_rows = written, within, of_rows
        self._variables: dict[Variable, Uniformity] = {}
        self._reached: dict[Statement, Uniformity] = {}
        self._left: dict[For | While, Uniformity] = {}  # in what order threads leave loops
        self._loops: list[For | While] = []  # around the statement, outermost first
        self._ended = Uniformity.UNIFORM  # how threads have ended that others go on without
        self._has_news = True
        while self._has_news:
            self._has_news = False
            self._ended = Uniformity.UNIFORM
            self._block(body, Uniformity.UNIFORM)

    # --- what was found

    def of(self, expression: Expression) -> Uniformity:
        """The uniformity of an expression's value."""
        match expression:
            case Read(variable):
                return self._variables.get(variable, Uniformity.UNIFORM)
            case Load(array, indices):
                return max(self._of_memory(array), self._of_all(indices))
            case MatrixLoad(array, indices):
                is_own = self._within is Varies.SIMDGROUPS
                own = self._of_memory(array) if is_own else Uniformity.UNKNOWN
                return max(own, self._of_all(indices))
            case Call():
                return self._of_call(expression)
        return self._of_all(walk.operands(expression))

    def diverges(self, expression: Expression) -> bool:
        """Whether a value is known to differ."""
        return self.of(expression) is Uniformity.DIVERGENT

    def is_reached_together(self, statement: Statement) -> bool:
        """Whether all threads come to a statement, and at the same time."""
        return self._reached[statement].is_shared

    def splits(self, statement: If) -> bool:
        """Whether all reach a statement together, but may take different branches."""
        return self.is_reached_together(statement) and not self.of(statement.condition).is_shared

    # --- values

    def _of_all(self, expressions: Iterable[Expression]) -> Uniformity:
        return max(map(self.of, expressions), default=Uniformity.UNIFORM)

    def _of_memory(self, array: Array) -> Uniformity:
        if array.type.space is Space.THREAD:
            return Uniformity.DIVERGENT
        is_steady = array.type.space is Space.DEVICE and array not in self._written
        return Uniformity.READ if is_steady else Uniformity.UNKNOWN

    def _of_call(self, call: Call) -> Uniformity:
        intrinsic, arguments = call.intrinsic, call.arguments
        if self._of_rows and call.axis:
            return Uniformity.UNIFORM
        if intrinsic.varies <= self._within:
            united = intrinsic.united
            return self._of_all(a for n, a in enumerate(arguments) if n not in united)
        is_own = intrinsic.kind is IntrinsicKind.POSITION
        own = Uniformity.DIVERGENT if is_own else Uniformity.UNKNOWN
        return max(own, self._of_all(arguments))

    # --- the rounds

    def _join(self, found: dict[_Key, Uniformity], key: _Key, level: Uniformity) -> None:
        known = found.get(key)
        if known is None or level > known:
            self._has_news = True
            found[key] = level

    def _block(self, body: tuple[Statement, ...], reached: Uniformity) -> Uniformity:
        """Go through a body; returns how threads may leave the loop around it."""
        leaves = Uniformity.UNIFORM
        for statement in body:
            self._join(self._reached, statement, max(reached, leaves, self._ended))
            leaves = max(leaves, self._statement(statement, self._reached[statement]))
        return leaves

    def _statement(self, statement: Statement, here: Uniformity) -> Uniformity:
        match statement:
            case Assign(variable, value):
                self._join(self._variables, variable, max(here, self.of(value)))
            case Atomic(result=Variable() as result):
                self._join(self._variables, result, Uniformity.DIVERGENT)
            case If(condition=condition):
                inner = max(here, self.of(condition))
                return max(self._block(block, inner) for block in walk.blocks(statement))
            case For() | While():
                self._loop(statement, here)
            case Break() | Continue() | Return():
                self._leave(here)
                if isinstance(statement, Return):
                    self._end(here)
                return here
            case Assert(condition=condition):
                self._leave(_unforeseen(here))
                self._end(max(here, self.of(condition)))
        return Uniformity.UNIFORM

    def _loop(self, loop: For | While, here: Uniformity) -> None:
        bounds = self._of_all(walk.operands(loop))
        if isinstance(loop, For):
            self._join(self._variables, loop.counter, max(here, bounds))
        self._loops.append(loop)
        self._block(loop.body, max(here, bounds, self._left.get(loop, Uniformity.UNIFORM)))
        self._loops.pop()

    def _leave(self, here: Uniformity) -> None:
        """Threads go out of the innermost loop, or on in it, and may be late in those around it."""
        for loop in self._loops:
            is_innermost = loop is self._loops[-1]
            self._join(self._left, loop, here if is_innermost else _unforeseen(here))

    def _end(self, here: Uniformity) -> None:
        self._ended = max(self._ended, _unforeseen(here))


def _unforeseen(level: Uniformity) -> Uniformity:
    """Where threads differ as a consequence, which tells nothing of the values that they have."""
    return min(level, Uniformity.UNKNOWN)


def may_leave(statement: Statement) -> bool:
    """Whether a thread may go elsewhere than to the next statement."""
    return isinstance(statement, Return | Break | Continue | Assert)
