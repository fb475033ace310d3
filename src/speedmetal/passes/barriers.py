"""Finds barriers that not every thread of a threadgroup reaches.

A value is *uniform* where all threads of the threadgroup have the same, *divergent* where it is
made from a thread's position, and *unknown* where it comes from memory. A threadgroup barrier in
control flow that is divergent is an error here; where it is unknown, debug level 2 checks.
"""

from __future__ import annotations

import enum

from speedmetal.errors import Diagnostic
from speedmetal.intrinsics.record import IntrinsicKind
from speedmetal.ir import walk
from speedmetal.ir.nodes import (
    Assign,
    Atomic,
    Barrier,
    Break,
    Call,
    Continue,
    Expression,
    For,
    If,
    Kernel,
    Load,
    Read,
    Return,
    Statement,
    Variable,
    While,
)
from speedmetal.ir.types import Space
from speedmetal.source import SourceSpan


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

_ADVICE = (
    "every thread of a threadgroup must reach a threadgroup_barrier; move it out and guard"
    " the loads and stores instead"
)


def check_barriers(kernel: Kernel) -> list[Diagnostic]:
    """The faults of a kernel's barriers."""
    if not any(_is_barrier(s) for s in walk.statements(kernel.body)):
        return []
    return _Check(kernel).faults()


def _is_barrier(statement: Statement) -> bool:
    return isinstance(statement, Barrier) and statement.scope == "threadgroup"


Cause = SourceSpan | None  # of the divergence; None where there is none


class _Check:
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._variables: dict[Variable, Uniformity] = {}
        self._left: Cause = None  # why some threads may have returned
        self._faults: list[Diagnostic] = []

    def faults(self) -> list[Diagnostic]:
        before: object = None
        while before != self._variables:
            before = dict(self._variables)
            self._faults, self._left = [], None
            self._block(self._kernel.body, None, None)
        return self._faults

    def _block(self, body: tuple[Statement, ...], cause: Cause, leaving: Cause) -> Cause:
        """Go through a body under a divergent cause; returns why threads may leave its loop."""
        for statement in body:
            now = cause or leaving
            leaving = self._statement(statement, now, leaving)
        return leaving

    def _statement(self, statement: Statement, cause: Cause, leaving: Cause) -> Cause:
        match statement:
            case Assign(variable, value):
                self._assign(variable, self._of(value), cause)
            case Atomic(result=Variable() as result):
                self._assign(result, Uniformity.DIVERGENT, cause)
            case Barrier(scope="threadgroup"):
                self._barrier(statement, cause)
            case If():
                inner = cause or self._divergence(statement.condition, statement.span)
                first = self._block(statement.body, inner, leaving)
                return first or self._block(statement.orelse, inner, leaving)
            case For() | While():
                self._loop(statement, cause)
            case Break() | Continue():
                return leaving or cause
            case Return() if cause is not None:
                self._left = self._left or cause
        return leaving

    def _loop(self, loop: For | While, cause: Cause) -> None:
        bounds = walk.operands(loop)
        inner = cause or next(filter(None, (self._divergence(b, loop.span) for b in bounds)), None)
        if isinstance(loop, For):
            own = max(map(self._of, walk.operands(loop)))
            self._assign(loop.counter, own, cause)
        leaves = self._block(loop.body, inner, None)
        if leaves is not None and inner is None:  # again: after the first iteration some are gone
            self._block(loop.body, leaves, leaves)

    def _barrier(self, barrier: Barrier, cause: Cause) -> None:
        reason = cause or self._left
        if reason is None or any(fault.span == barrier.span for fault in self._faults):
            return
        why = "threads go different ways here" if cause else "some threads have returned here"
        message = f"threadgroup_barrier in divergent control flow: {_ADVICE}"
        self._faults.append(Diagnostic(barrier.span, message, ((reason, why),)))

    def _assign(self, variable: Variable, value: Uniformity, cause: Cause) -> None:
        value = Uniformity.DIVERGENT if cause else value
        self._variables[variable] = max(value, self._variables.get(variable, value))

    def _divergence(self, expression: Expression, place: SourceSpan) -> Cause:
        if self._of(expression) is not Uniformity.DIVERGENT:
            return None
        # A variable's span is where it was assigned.
        return place if isinstance(expression, Read) else expression.span

    def _of(self, expression: Expression) -> Uniformity:
        own = Uniformity.UNIFORM
        match expression:
            case Read(variable):
                return self._variables.get(variable, Uniformity.UNIFORM)
            case Load(array):
                is_own = array.type.space is Space.THREAD
                own = Uniformity.DIVERGENT if is_own else Uniformity.UNKNOWN
            case Call():
                own = _of_intrinsic(expression)
        return max([own, *map(self._of, walk.operands(expression))])


def _of_intrinsic(call: Call) -> Uniformity:
    if call.intrinsic.kind is IntrinsicKind.COLLECTIVE:
        return Uniformity.UNKNOWN
    is_own = call.intrinsic.name in _DIVERGENT_POSITIONS
    return Uniformity.DIVERGENT if is_own else Uniformity.UNIFORM
