"""Where barriers cut a kernel: the runs of statements between them.

Barriers stand in control flow that all threads of a threadgroup take alike. So that control flow,
and whatever steers it, is written once for the threadgroup; each *run* of statements without a
barrier becomes a loop over the threadgroup's vectors. (Deep fission: Stratton, Stone and Hwu,
"MCUDA", 2008.) A kernel without barriers is a single run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from speedmetal.backends.cpu.codegen.decisions.lane_strides import Path
from speedmetal.common.records import record
from speedmetal.ir import walk
from speedmetal.ir.nodes import (
    Barrier,
    Break,
    Continue,
    For,
    If,
    Return,
    Statement,
    While,
)


@record(eq=False)
class BarrierRegion:
    """Statements that each vector goes through without waiting."""

    statements: tuple[Statement, ...]

    @property
    def path(self) -> Path:
        """The path of the run's statements: nothing is shared with other runs."""
        return (self,)


@record(eq=False)
class Shared:
    """Control flow (or an exit) that the whole threadgroup takes at once."""

    statement: Statement
    bodies: tuple[tuple[Piece, ...], ...] = ()

    @property
    def path(self) -> Path:
        return (self,)


Piece = BarrierRegion | Shared


def pieces_of(body: tuple[Statement, ...], shared: Collection[Statement] = ()) -> tuple[Piece, ...]:
    """The runs of a kernel's body, and the control flow around them.

    Args:
        body: The kernel's.
        shared: Loops that are to be taken at once, though no barrier asks for it.
    """
    return _Cutter(body, shared).pieces(body, in_shared_loop=False)


def all_pieces(pieces: tuple[Piece, ...]) -> Iterator[Piece]:
    """The pieces and those inside them."""
    for piece in pieces:
        yield piece
        if isinstance(piece, Shared):
            for body in piece.bodies:
                yield from all_pieces(body)


def runs_beside_loops(pieces: tuple[Piece, ...]) -> frozenset[BarrierRegion]:
    """The runs that a vector goes through once, while it goes through others many times.

    They have no loop and are in none, in a kernel that has one.
    """
    once = (piece for piece in _outside_loops(pieces) if isinstance(piece, BarrierRegion))
    short = frozenset(piece for piece in once if not _has_loop(piece.statements))
    has_loops = any(
        _has_loop(piece.statements if isinstance(piece, BarrierRegion) else (piece.statement,))
        for piece in all_pieces(pieces)
    )
    return short if has_loops else frozenset()


def _outside_loops(pieces: tuple[Piece, ...]) -> Iterator[Piece]:
    for piece in pieces:
        yield piece
        if isinstance(piece, Shared) and not isinstance(piece.statement, For | While):
            for body in piece.bodies:
                yield from _outside_loops(body)


def _has_loop(body: tuple[Statement, ...]) -> bool:
    return any(isinstance(statement, For | While) for statement in walk.statements(body))


class _Cutter:
    def __init__(self, body: tuple[Statement, ...], shared: Collection[Statement]) -> None:
        self._waits = {s for s in walk.statements(body) if is_threadgroup_barrier(s)} | set(shared)
        every = list(walk.statements(body))
        waiting = [n for n, s in enumerate(every) if s in self._waits]
        last = waiting[-1] if waiting else -1
        # A return that some barrier follows is taken by all threads, or the barrier would hang.
        self._early = {s for n, s in enumerate(every) if n < last and isinstance(s, Return)}

    def pieces(self, body: tuple[Statement, ...], *, in_shared_loop: bool) -> tuple[Piece, ...]:
        result: list[Piece] = []
        run: list[Statement] = []
        for statement in body:
            if not self._is_shared(statement, in_shared_loop=in_shared_loop):
                run.append(statement)
                continue
            if run:
                result.append(BarrierRegion(tuple(run)))
                run = []
            in_loop = in_shared_loop or isinstance(statement, For | While)
            bodies = tuple(
                self.pieces(block, in_shared_loop=in_loop) for block in walk.blocks(statement)
            )
            result.append(Shared(statement, bodies))
        if run:
            result.append(BarrierRegion(tuple(run)))
        return tuple(result)

    def _is_shared(self, statement: Statement, *, in_shared_loop: bool) -> bool:
        inner = list(walk.statements((statement,)))
        if any(s in self._waits for s in inner):
            return True
        if any(s in self._early for s in inner):
            return True
        if in_shared_loop and any(isinstance(s, Return) for s in inner):
            return True
        return in_shared_loop and _leaves_loop(statement)


def is_threadgroup_barrier(statement: Statement) -> bool:
    """Whether all threads of a threadgroup wait there."""
    return isinstance(statement, Barrier) and statement.scope == "threadgroup"


def _leaves_loop(statement: Statement) -> bool:
    """Whether a break or continue in the statement belongs to a loop around it."""
    if isinstance(statement, Break | Continue):
        return True
    if isinstance(statement, If):
        return any(_leaves_loop(s) for block in walk.blocks(statement) for s in block)
    return False
