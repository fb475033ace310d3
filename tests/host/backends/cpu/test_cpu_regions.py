"""Where barriers cut kernels: the pieces, and that every vector waits for all others there."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ir_builder import Builder
from speedmetal import dtypes as d
from speedmetal.backends.cpu.codegen.decisions.regions import (
    BarrierRegion,
    Piece,
    Shared,
    all_pieces,
    pieces_of,
)
from speedmetal.ir import nodes as ir
from speedmetal.ir import walk
from speedmetal.ir.types import Space
from speedmetal.source import NOWHERE

Body = tuple[ir.Statement, ...]


def outline(pieces: Iterable[Piece]) -> list[object]:
    """Runs as the number of their statements, shared control flow as its name and its bodies.

    Empty bodies (of an else part that is not there) are left out.
    """
    return [
        len(piece.statements)
        if isinstance(piece, BarrierRegion)
        else (type(piece.statement).__name__, *map(outline, filter(None, piece.bodies)))
        for piece in pieces
    ]


class Statements:
    """Makes statements of which nothing but the kind matters."""

    def __init__(self) -> None:
        self.b = Builder("cut")
        self.out = self.b.array("out", d.int32)
        self.yes = self.b.scalar("yes", d.bool_)

    def work(self) -> ir.Statement:
        return self.b.store(self.out, [0], 1)

    def barrier(self, scope: str = "threadgroup") -> ir.Statement:
        return self.b.barrier(scope, Space.THREADGROUP)

    def when(self, *body: ir.Statement, orelse: Body = ()) -> ir.Statement:
        return self.b.when(self.yes, body, orelse)

    def loop(self, *body: ir.Statement) -> ir.Statement:
        return self.b.loop(self.b.variable("k", d.int32), 0, 3, 1, body)

    def repeat(self, *body: ir.Statement) -> ir.Statement:
        return self.b.loop_while(self.yes, body)


@pytest.fixture
def s() -> Statements:
    return Statements()


def test_without_barriers_a_kernel_is_one_run(s: Statements) -> None:
    """Loops, exits and simdgroup barriers stay inside: a vector needs to wait for nobody."""
    body = (s.work(), s.loop(s.when(ir.Break(NOWHERE))), s.when(ir.Return(None, NOWHERE)))
    assert outline(pieces_of((*body, s.barrier("simdgroup"), s.work()))) == [5]
    assert pieces_of(()) == ()


def test_a_barrier_cuts_its_block(s: Statements) -> None:
    """What lies on both sides are two runs; next to a barrier there is no empty one."""
    w, barrier = s.work, s.barrier
    wait = ("Barrier",)
    assert outline(pieces_of((w(), w(), barrier(), w()))) == [2, wait, 1]
    assert outline(pieces_of((barrier(), w(), barrier(), barrier()))) == [wait, 1, wait, wait]


def test_control_flow_around_a_barrier_is_shared(s: Statements) -> None:
    """At every depth; what has no barrier in it stays in the runs."""
    inner = s.loop(s.work(), s.barrier(), s.when(s.work()))
    body = (s.loop(s.work()), s.when(s.work(), inner, orelse=(s.work(),)), s.work())
    wait = ("Barrier",)
    assert outline(pieces_of(body)) == [1, ("If", [1, ("For", [1, wait, 1])], [1]), 1]


def test_exits_of_shared_loops_are_shared(s: Statements) -> None:
    """All threads leave such a loop together; one that left alone would not wait again."""
    leave, again = ir.Break(NOWHERE), ir.Continue(NOWHERE)
    wait = ("Barrier",)
    body = (s.repeat(s.barrier(), s.when(leave), s.work(), s.when(s.when(again)), s.work()),)
    shared_if = ("If", [("Break",)])
    nested = ("If", [("If", [("Continue",)])])
    assert outline(pieces_of(body)) == [("While", [wait, shared_if, 1, nested, 1])]


def test_exits_of_inner_loops_belong_to_these(s: Statements) -> None:
    """A break in a loop without barriers, inside one with, is a vector's own."""
    inner = s.loop(s.when(ir.Break(NOWHERE)), s.work())
    assert outline(pieces_of((s.loop(s.barrier(), inner),))) == [("For", [("Barrier",), 1])]


def test_returns_before_a_barrier_are_shared(s: Statements) -> None:
    """Or some threads would be gone at the barrier; those after the last barrier are not."""
    gone = s.when(ir.Return(None, NOWHERE))
    after = s.when(ir.Return(None, NOWHERE))
    pieces = pieces_of((gone, s.work(), s.barrier(), after, s.work()))
    assert outline(pieces) == [("If", [("Return",)]), 1, ("Barrier",), 2]


def test_returns_in_shared_loops_are_shared(s: Statements) -> None:
    """The barrier stands above them in the text, but comes again."""
    pieces = pieces_of((s.loop(s.barrier(), s.when(ir.Return(None, NOWHERE))),))
    assert outline(pieces) == [("For", [("Barrier",), ("If", [("Return",)])])]


def test_loops_may_be_shared_without_a_barrier(s: Statements) -> None:
    """Where that is the better order: the loop is taken apart as if it had a barrier."""
    first, second = s.loop(s.work(), s.work()), s.loop(s.work())
    assert outline(pieces_of((first, second), {second})) == [1, ("For", [1])]


# --- laws


@st.composite
def bodies(draw: st.DrawFn, depth: int = 3) -> Body:
    """Any body; breaks and continues anywhere in loops."""
    s = Statements()

    def block(depth: int, *, in_loop: bool) -> Body:
        kinds = ["work", "barrier", "return"] + ["break", "continue"] * in_loop
        kinds += ["if", "for", "while"] * (depth > 0)
        made: list[ir.Statement] = []
        for kind in draw(st.lists(st.sampled_from(kinds), max_size=4)):
            match kind:
                case "work":
                    made.append(s.work())
                case "barrier":
                    made.append(s.barrier())
                case "if":
                    then, other = (block(depth - 1, in_loop=in_loop) for _ in range(2))
                    made.append(s.when(*then, orelse=other))
                case "for":
                    made.append(s.loop(*block(depth - 1, in_loop=True)))
                case "while":
                    made.append(s.repeat(*block(depth - 1, in_loop=True)))
                case _:
                    leave = {"break": ir.Break, "continue": ir.Continue}.get(kind)
                    made.append(leave(NOWHERE) if leave else ir.Return(None, NOWHERE))
        return tuple(made)

    return block(depth, in_loop=False)


def in_order(pieces: Iterable[Piece]) -> list[ir.Statement]:
    """Every statement of the pieces, in program order."""
    found: list[ir.Statement] = []
    for piece in pieces:
        if isinstance(piece, BarrierRegion):
            found += walk.statements(piece.statements)
        else:
            found.append(piece.statement)
            for body in piece.bodies:
                found += in_order(body)
    return found


@given(bodies())
def test_pieces_are_the_body_and_no_run_holds_a_barrier(body: Body) -> None:
    """Nothing is lost, doubled or moved; what must be shared is, and runs are as long as can be."""
    pieces = pieces_of(body)
    assert in_order(pieces) == list(walk.statements(body))
    for piece in all_pieces(pieces):
        if isinstance(piece, BarrierRegion):
            assert piece.statements
            inside = walk.statements(piece.statements)
            assert not any(isinstance(statement, ir.Barrier) for statement in inside)
    for block in (
        pieces,
        *(b for p in all_pieces(pieces) if isinstance(p, Shared) for b in p.bodies),
    ):
        neighbours = itertools.pairwise(block)
        assert not any(
            isinstance(a, BarrierRegion) and isinstance(b, BarrierRegion) for a, b in neighbours
        )
