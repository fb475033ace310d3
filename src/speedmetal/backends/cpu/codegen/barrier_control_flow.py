"""Control flow that a whole threadgroup takes at once, because a barrier stands in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from speedmetal.backends.cpu.codegen.lane_strides import UNIFORM
from speedmetal.backends.cpu.codegen.llvm_text import value_type
from speedmetal.backends.cpu.codegen.regions import BarrierRegion, Piece, Shared
from speedmetal.backends.cpu.codegen.runs import Runs
from speedmetal.backends.cpu.codegen.values import Value
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


class BarrierControlFlow(Runs):
    """Writes the pieces of a kernel."""

    group_end = ""  # label of the end of a threadgroup

    def prepare_flow(self) -> None:
        """Forget the loops of another kernel."""
        self.shared_loops: list[tuple[str, str]] = []

    def write_pieces(self, pieces: tuple[Piece, ...]) -> None:
        for piece in pieces:
            if isinstance(piece, BarrierRegion):
                self.write_run(piece)
            else:
                self._SHARED.get(type(piece.statement), BarrierControlFlow._wait)(self, piece)

    # --- control flow that a threadgroup takes at once

    def _for_all(self, expression: Expression) -> Value:
        """The value of an expression that all threads agree on: that of the first."""
        self.mask = None
        if self.linear:
            self.place_vector("0", None, None)
        else:
            self.place_vector("0", "0", "0")
        self.place_own_arrays("0")
        self.bound = dict(self.fixed)
        self.fetch([v for v in self.all_vectors if v in _variables_of(expression)], "0")
        value = self.evaluate(expression)
        return Value(self.first(value), value.type, UNIFORM)

    def _agree(self, piece: Shared, expression: Expression) -> Value:
        """The same; at debug level 2 the launch fails where threads do not agree."""
        if self.reports_positions:
            self._check_agreement(piece, expression)
        return self._for_all(expression)

    def _check_agreement(self, piece: Shared, expression: Expression) -> None:
        some = self.w.slot("i1", "some")
        self.w.do(f"store i1 false, ptr {some}")
        own = [v for v in self.all_vectors if v in _variables_of(expression)]
        first = self._for_all(expression)

        def write(number: str) -> None:
            self.enter_vector(own, number)
            value = self.evaluate(expression)
            same = self.compare("eq", value, Value(first.text, value.type, UNIFORM))
            differs = self.narrowed_mask(self.opposite(self.vector(same)))
            before = self.w.let(f"load i1, ptr {some}")
            now = self.w.let(f"or i1 {before}, {self.any_active(differs)}")
            self.w.do(f"store i1 {now}, ptr {some}")
            self.report_divergence(piece.statement, differs)
            self.leave_vector([], number)

        self.each_vector(write, twice=False)
        fine = self.w.label("all.agree")
        self.w.branch(self.w.let(f"load i1, ptr {some}"), self.group_end, fine)
        self.w.start(fine)

    def _shared_if(self, piece: Shared) -> None:
        assert isinstance(piece.statement, If)
        condition = self._agree(piece, piece.statement.condition)
        then, otherwise, join = (self.w.label(n) for n in ("then", "else", "join"))
        self.w.branch(condition.text, then, otherwise)
        for label, body in zip((then, otherwise), piece.bodies, strict=True):
            self.w.start(label)
            self.write_pieces(body)
            self.w.jump(join)
        self.w.start(join)

    def _shared_while(self, piece: Shared) -> None:
        assert isinstance(piece.statement, While)
        head, body, end = (self.w.label(n) for n in ("head", "body", "end.loop"))
        self.w.jump(head)
        self.w.start(head)
        condition = self._agree(piece, piece.statement.condition)
        self.w.branch(condition.text, body, end)
        self.w.start(body)
        self.shared_loops.append((head, end))
        self.write_pieces(piece.bodies[0])
        self.shared_loops.pop()
        self.w.jump(head)
        self.w.start(end)

    def _shared_for(self, piece: Shared) -> None:
        node = piece.statement
        assert isinstance(node, For)
        given = [self._agree(piece, e) for e in (node.start, node.stop, node.step)]
        bounds = self.enter_range(node, *given)
        kind = value_type(node.counter.type, 0)
        slot = self.w.slot(kind, node.counter.name)
        self.w.do(f"store {kind} {bounds.start.text}, ptr {slot}")
        head, body, following, end = (self.w.label(n) for n in ("head", "body", "next", "end.loop"))
        self.w.jump(head)
        self.w.start(head)
        value = Value(self.w.let(f"load {kind}, ptr {slot}"), node.counter.type, UNIFORM)
        self.w.branch(self.may_turn(value, bounds).text, body, end)
        self.w.start(body)
        self.fixed[node.counter] = value
        self.shared_loops.append((following, end))
        self.write_pieces(piece.bodies[0])
        self.shared_loops.pop()
        self.w.jump(following)
        self.w.start(following)
        after = self.advance(value, bounds)
        self.w.do(f"store {kind} {after.text}, ptr {slot}")
        self.w.jump(head)
        self.w.start(end)

    def _shared_break(self, piece: Shared) -> None:
        del piece
        self._jump_away(self.shared_loops[-1][1])

    def _shared_continue(self, piece: Shared) -> None:
        del piece
        self._jump_away(self.shared_loops[-1][0])

    def _shared_return(self, piece: Shared) -> None:
        del piece
        self._jump_away(self.group_end)

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
