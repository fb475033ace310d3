"""Control flow that a whole threadgroup takes at once, because a barrier stands in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from speedmetal.backends.cpu.codegen.decisions.lane_strides import UNIFORM
from speedmetal.backends.cpu.codegen.decisions.regions import BarrierRegion, Piece, Shared
from speedmetal.backends.cpu.codegen.operations.active_lanes import ActiveLanes
from speedmetal.backends.cpu.codegen.operations.arithmetic import Arithmetic
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import value_type
from speedmetal.backends.cpu.codegen.operations.ranges import Ranges
from speedmetal.backends.cpu.codegen.operations.values import Lanes, Value
from speedmetal.backends.cpu.codegen.threadgroups.arrays import OwnArrays
from speedmetal.backends.cpu.codegen.threadgroups.places import Places
from speedmetal.backends.cpu.codegen.threadgroups.positions import Positions
from speedmetal.backends.cpu.codegen.threadgroups.reporting import Reporting
from speedmetal.backends.cpu.codegen.threadgroups.runs import Runs
from speedmetal.backends.cpu.codegen.threadgroups.vectors import Vectors
from speedmetal.backends.cpu.codegen.threads.expressions import Expressions
from speedmetal.backends.cpu.codegen.threads.variables import Variables
from speedmetal.ir import walk
from speedmetal.ir.nodes import (
    Break,
    Continue,
    Expression,
    For,
    If,
    Read,
    Return,
    Statement,
    Variable,
    While,
)


class BarrierControlFlow:
    """Writes the pieces of a kernel.

    Owns the loops that a threadgroup takes at once, and the end of a threadgroup. Asks for runs,
    and for the values of expressions in the first vector.
    """

    def __init__(
        self,
        emit: Emitter,
        lanes: Lanes,
        active: ActiveLanes,
        variables: Variables,
        arithmetic: Arithmetic,
        expressions: Expressions,
        ranges: Ranges,
        positions: Positions,
        arrays: OwnArrays,
        places: Places,
        vectors: Vectors,
        runs: Runs,
        reporting: Reporting,
    ) -> None:
        self._emit = emit
        self._lanes = lanes
        self._active = active
        self._variables = variables
        self._arithmetic = arithmetic
        self._expressions = expressions
        self._ranges = ranges
        self._positions = positions
        self._arrays = arrays
        self._places = places
        self._vectors = vectors
        self._runs = runs
        self._reporting = reporting
        self._group_end = ""
        self._loops: list[tuple[str, str]] = []  # labels of what follows an iteration, and the loop

    def write_group(self, pieces: tuple[Piece, ...], end: str) -> None:
        """Write what a threadgroup does.

        Args:
            pieces: Of the kernel.
            end: Label of what follows it.
        """
        self._group_end = end
        self._vectors.each_row(lambda: self._write(pieces))

    def _write(self, pieces: tuple[Piece, ...]) -> None:
        for piece in pieces:
            if isinstance(piece, BarrierRegion):
                self._runs.write(piece)
            else:
                self._SHARED.get(type(piece.statement), BarrierControlFlow._wait)(self, piece)

    # --- control flow that a threadgroup takes at once

    def _for_all(self, expression: Expression) -> Value:
        """The value of an expression that all threads agree on: that of the first."""
        self._active.mask = None
        self._positions.place_first_vector()
        self._arrays.place("0")
        self._variables.forget()
        self._places.fetch(self._places.among(_variables_of(expression)), "0")
        value = self._expressions.evaluate(expression)
        return Value(self._lanes.first(value), value.type, UNIFORM)

    def _agree(self, piece: Shared, expression: Expression) -> Value:
        """The same; at debug level 2 the launch fails where threads do not agree."""
        if self._reporting.has_positions:
            self._check_agreement(piece, expression)
        return self._for_all(expression)

    def _check_agreement(self, piece: Shared, expression: Expression) -> None:
        some = self._emit.slot("i1", "some")
        self._emit.do(f"store i1 false, ptr {some}")
        own = self._places.among(_variables_of(expression))
        first = self._for_all(expression)

        def write(number: str) -> None:
            entered = self._runs.enter(own, number)
            value = self._expressions.evaluate(expression)
            same = self._arithmetic.compare("eq", value, Value(first.text, value.type, UNIFORM))
            differs = self._active.narrowed(self._active.opposite(self._lanes.vector(same)))
            before = self._emit.let(f"load i1, ptr {some}")
            now = self._emit.let(f"or i1 {before}, {self._active.any_of(differs)}")
            self._emit.do(f"store i1 {now}, ptr {some}")
            self._reporting.report_divergence(piece.statement, differs)
            self._runs.leave(entered, [], number)

        self._vectors.each(write, twice=False)
        fine = self._emit.label("all.agree")
        self._emit.branch(self._emit.let(f"load i1, ptr {some}"), self._group_end, fine)
        self._emit.start(fine)

    def _shared_if(self, piece: Shared) -> None:
        assert isinstance(piece.statement, If)
        condition = self._agree(piece, piece.statement.condition)
        then, otherwise, join = (self._emit.label(n) for n in ("then", "else", "join"))
        self._emit.branch(condition.text, then, otherwise)
        for label, body in zip((then, otherwise), piece.bodies, strict=True):
            self._emit.start(label)
            self._write(body)
            self._emit.jump(join)
        self._emit.start(join)

    def _shared_while(self, piece: Shared) -> None:
        assert isinstance(piece.statement, While)
        head, body, end = (self._emit.label(n) for n in ("head", "body", "end.loop"))
        self._emit.jump(head)
        self._emit.start(head)
        condition = self._agree(piece, piece.statement.condition)
        self._emit.branch(condition.text, body, end)
        self._emit.start(body)
        self._loops.append((head, end))
        self._write(piece.bodies[0])
        self._loops.pop()
        self._emit.jump(head)
        self._emit.start(end)

    def _shared_for(self, piece: Shared) -> None:
        node = piece.statement
        assert isinstance(node, For)
        given = [self._agree(piece, e) for e in (node.start, node.stop, node.step)]
        bounds = self._ranges.enter(node, *given)
        kind = value_type(node.counter.type, 0)
        slot = self._emit.slot(kind, node.counter.name)
        self._emit.do(f"store {kind} {bounds.start.text}, ptr {slot}")
        head, body, following, end = (
            self._emit.label(n) for n in ("head", "body", "next", "end.loop")
        )
        self._emit.jump(head)
        self._emit.start(head)
        value = Value(self._emit.let(f"load {kind}, ptr {slot}"), node.counter.type, UNIFORM)
        self._emit.branch(self._ranges.may_turn(value, bounds).text, body, end)
        self._emit.start(body)
        self._variables.fix(node.counter, value)
        self._loops.append((following, end))
        self._write(piece.bodies[0])
        self._loops.pop()
        self._emit.jump(following)
        self._emit.start(following)
        after = self._ranges.advance(value, bounds)
        self._emit.do(f"store {kind} {after.text}, ptr {slot}")
        self._emit.jump(head)
        self._emit.start(end)

    def _shared_break(self, piece: Shared) -> None:
        del piece
        self._emit.jump_away(self._loops[-1][1])

    def _shared_continue(self, piece: Shared) -> None:
        del piece
        self._emit.jump_away(self._loops[-1][0])

    def _shared_return(self, piece: Shared) -> None:
        del piece
        self._emit.jump_away(self._group_end)

    def _wait(self, piece: Shared) -> None:
        """A barrier: the runs before it are over, and one thread runs them all."""

    _SHARED: ClassVar[dict[type[Statement], Callable[[Any, Shared], None]]] = {
        If: _shared_if,
        For: _shared_for,
        While: _shared_while,
        Break: _shared_break,
        Continue: _shared_continue,
        Return: _shared_return,
    }


def _variables_of(expression: Expression) -> set[Variable]:
    every = (*walk.expressions(expression), expression)
    return {e.variable for e in every if isinstance(e, Read)}
