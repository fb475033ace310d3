"""Statements under masks: how threads that go different ways share one vector.

It holds at every statement that at least one lane is active.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeGuard

from speedmetal.backends.cpu.codegen.decisions.lane_strides import LaneStrides, Path
from speedmetal.backends.cpu.codegen.operations.active_lanes import ActiveLanes
from speedmetal.backends.cpu.codegen.operations.atomics import Atomics
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.loads_stores import Memory
from speedmetal.backends.cpu.codegen.operations.matrices import Matrices
from speedmetal.backends.cpu.codegen.operations.ranges import Ranges
from speedmetal.backends.cpu.codegen.operations.values import Lanes
from speedmetal.backends.cpu.codegen.threads.branches import Branches
from speedmetal.backends.cpu.codegen.threads.exits import Exits
from speedmetal.backends.cpu.codegen.threads.expressions import Expressions
from speedmetal.backends.cpu.codegen.threads.loops import Loops
from speedmetal.backends.cpu.codegen.threads.variables import Variables
from speedmetal.backends.cpu.codegen.vector_unit import VectorUnit
from speedmetal.errors import InternalError
from speedmetal.ir import walk
from speedmetal.ir.nodes import (
    Assert,
    Assign,
    Atomic,
    Barrier,
    Break,
    Constant,
    Continue,
    For,
    If,
    Invoke,
    Load,
    MatrixStore,
    Print,
    Return,
    Statement,
    Store,
    While,
)

# An assert and a print change no array; but what they evaluate may not be evaluated every time.
_CHANGES_MEMORY = (Store, MatrixStore, Atomic, Barrier, Assert, Print)


def _is_other_half(following: Statement | None, store: Store) -> TypeGuard[Store]:
    """Whether a statement stores the imaginary half where the one before stores the real half.

    It must read no memory, so that it may be evaluated before anything is stored.
    """
    return (
        isinstance(following, Store)
        and (store.part, following.part) == (0, 1)
        and following.array is store.array
        and not any(isinstance(node, Load | Invoke) for node in walk.expressions(following))
    )


class Reports(Protocol):
    """What only kernels have. A protocol: functions have none of it."""

    def check(self, node: Assert) -> None:
        """Write an assert that is not always true."""

    def print_values(self, node: Print) -> None:
        """Write a print."""


class Statements:
    """Writes statements for the lanes of a vector.

    Owns which part writes which node, and the parts that write statements inside statements:
    branches and loops. Asks them, the memory and the exits.

    Args:
        strides: How the variables vary.
        reports: Of a kernel; None in functions.
    """

    def __init__(
        self,
        emit: Emitter,
        lanes: Lanes,
        active: ActiveLanes,
        variables: Variables,
        expressions: Expressions,
        memory: Memory,
        atomics: Atomics,
        matrices: Matrices,
        ranges: Ranges,
        exits: Exits,
        strides: LaneStrides,
        unit: VectorUnit,
        reports: Reports | None,
    ) -> None:
        self._emit = emit
        self._active = active
        self._variables = variables
        self._expressions = expressions
        self._memory = memory
        self._atomics = atomics
        self._matrices = matrices
        self._exits = exits
        self._reports = reports
        self._branches = Branches(emit, active, expressions, memory, unit, self.block)
        self._loops = Loops(
            emit, lanes, active, variables, expressions, memory, ranges, exits, strides, self.block
        )

    # --- blocks

    def block(self, body: tuple[Statement, ...], path: Path) -> None:
        """Write a body. Afterwards the mask is the one before, less lanes that left."""
        with self._memory.known.block():
            self._block(body, path)

    def _block(self, body: tuple[Statement, ...], path: Path) -> None:
        emit, active = self._emit, self._active
        entry = active.mask
        end = ""
        is_done = False
        for number, statement in enumerate(body):
            if is_done:  # with the one before
                is_done = False
                continue
            following = body[number + 1] if number + 1 < len(body) else None
            if isinstance(statement, Store) and _is_other_half(following, statement):
                self._store_halves(statement, following)
                is_done = True
            else:
                self._STATEMENTS[type(statement)](self, statement, path)
            if isinstance(statement, _CHANGES_MEMORY):
                self._memory.known.forget()
            if isinstance(statement, Break | Continue | Return):
                break
            if not self._exits.loses_lanes(statement):
                continue
            active.mask = self._exits.remaining(entry)
            rest = body[number + 1 :]
            if not rest:
                break
            end, more = end or emit.label("end"), emit.label("more")
            emit.branch(active.any(), more, end)
            emit.start(more)
            if active.mask is not None and self._branches.is_better_twice(entry, rest):
                self._branches.twice(active.mask, rest, path)
                break
        if end:
            emit.jump(end)
            emit.start(end)

    # --- what has no statements inside

    def _assign(self, node: Assign, path: Path) -> None:
        self._variables.assign(node.variable, self._expressions.evaluate(node.value), path)

    def _store(self, node: Store, path: Path) -> None:
        del path
        indices = self._expressions.evaluate_all(node.indices)
        value = self._expressions.evaluate(node.value)
        self._memory.store(node.array, indices, value, node.part)

    def _store_halves(self, real: Store, imaginary: Store) -> None:
        indices = self._expressions.evaluate_all(real.indices)
        others = self._expressions.evaluate_all(imaginary.indices)
        first, second = map(self._expressions.evaluate, (real.value, imaginary.value))
        if indices == others:
            self._memory.store_halves(real.array, indices, first, second)
        else:
            self._memory.store(real.array, indices, first, real.part)
            self._memory.store(real.array, others, second, imaginary.part)

    def _matrix_store(self, node: MatrixStore, path: Path) -> None:
        del path
        indices = self._expressions.evaluate_all(node.indices)
        self._matrices.store(node.array, indices, self._expressions.evaluate(node.value))

    def _atomic(self, node: Atomic, path: Path) -> None:
        indices = self._expressions.evaluate_all(node.indices)
        operands = self._expressions.evaluate_all(node.operands)
        old = self._atomics.atomic(node, indices, operands)
        if old is not None and node.result is not None:
            self._variables.assign(node.result, old, path)

    def _barrier(self, node: Barrier, path: Path) -> None:
        """Statements are run for the whole vector, one after the other: nothing to wait for."""
        del path
        if node.scope != "simdgroup":
            raise InternalError("a threadgroup barrier stands inside a run")

    # --- control flow

    def _if(self, node: If, path: Path) -> None:
        self._branches.write(node, path)

    def _for(self, node: For, path: Path) -> None:
        self._loops.write_for(node, path)

    def _while(self, node: While, path: Path) -> None:
        self._loops.write_while(node, path)

    def _break(self, node: Break, path: Path) -> None:
        del node, path
        self._exits.take_break()

    def _continue(self, node: Continue, path: Path) -> None:
        del node, path
        self._exits.take_continue()

    def _return(self, node: Return, path: Path) -> None:
        del path
        if node.value is not None:
            self._exits.set_result(self._expressions.evaluate(node.value))
        self._exits.take_return()

    # --- what only kernels have

    def _reports_of(self, node: Print | Assert) -> Reports:
        if self._reports is None:
            raise InternalError(f"{type(node).__name__} stands in a function")
        return self._reports

    def _print(self, node: Print, path: Path) -> None:
        del path
        self._reports_of(node).print_values(node)

    def _assert(self, node: Assert, path: Path) -> None:
        del path
        if isinstance(node.condition, Constant) and node.condition.value:
            return
        self._reports_of(node).check(node)

    _STATEMENTS: ClassVar[dict[type, Callable[[Any, Any, Path], None]]] = {
        Assign: _assign,
        Store: _store,
        MatrixStore: _matrix_store,
        Atomic: _atomic,
        If: _if,
        For: _for,
        While: _while,
        Break: _break,
        Continue: _continue,
        Return: _return,
        Print: _print,
        Assert: _assert,
        Barrier: _barrier,
    }
