"""Finds barriers that not every thread of a threadgroup reaches.

A threadgroup barrier in control flow that diverges (:mod:`speedmetal.ir.uniformity`) is an error
here; where that is not known, debug level 2 checks while the kernel runs.
"""

from __future__ import annotations

from speedmetal.errors import Diagnostic
from speedmetal.intrinsics.record import Varies
from speedmetal.ir import walk
from speedmetal.ir.nodes import (
    Barrier,
    Break,
    Continue,
    Expression,
    For,
    If,
    Kernel,
    Read,
    Return,
    Statement,
    While,
)
from speedmetal.ir.uniformity import Uniformities
from speedmetal.source import SourceSpan

_ADVICE = (
    "every thread of a threadgroup must reach a threadgroup_barrier; move it out and guard"
    " the loads and stores instead"
)

Cause = SourceSpan | None  # of the divergence; None where there is none


def check_barriers(kernel: Kernel) -> list[Diagnostic]:
    """The faults of a kernel's barriers."""
    if not any(_is_barrier(s) for s in walk.statements(kernel.body)):
        return []
    check = _Check(Uniformities(kernel.body, kernel.written, Varies.THREADGROUPS))
    check.block(kernel.body, None, None)
    return check.faults


def _is_barrier(statement: Statement) -> bool:
    return isinstance(statement, Barrier) and statement.scope == "threadgroup"


class _Check:
    def __init__(self, uniformities: Uniformities) -> None:
        self._uniformities = uniformities
        self._left: Cause = None  # why some threads may have returned
        self.faults: list[Diagnostic] = []

    def block(self, body: tuple[Statement, ...], cause: Cause, leaving: Cause) -> Cause:
        """Go through a body under a divergent cause; returns why threads may leave its loop."""
        for statement in body:
            leaving = self._statement(statement, cause or leaving, leaving)
        return leaving

    def _statement(self, statement: Statement, cause: Cause, leaving: Cause) -> Cause:
        match statement:
            case Barrier(scope="threadgroup"):
                self._barrier(statement, cause)
            case If():
                inner = cause or self._divergence(statement.condition, statement.span)
                first = self.block(statement.body, inner, leaving)
                return first or self.block(statement.orelse, inner, leaving)
            case For() | While():
                self._loop(statement, cause)
            case Break() | Continue():
                return leaving or cause
            case Return() if cause is not None:
                self._left = self._left or cause
        return leaving

    def _loop(self, loop: For | While, cause: Cause) -> None:
        bounds = (self._divergence(bound, loop.span) for bound in walk.operands(loop))
        inner = cause or next(filter(None, bounds), None)
        leaves = self.block(loop.body, inner, None)
        if leaves is not None and inner is None:  # again: after the first iteration some are gone
            self.block(loop.body, leaves, leaves)

    def _barrier(self, barrier: Barrier, cause: Cause) -> None:
        reason = cause or self._left
        if reason is None or any(fault.span == barrier.span for fault in self.faults):
            return
        why = "threads go different ways here" if cause else "some threads have returned here"
        message = f"threadgroup_barrier in divergent control flow: {_ADVICE}"
        self.faults.append(Diagnostic(barrier.span, message, ((reason, why),)))

    def _divergence(self, expression: Expression, place: SourceSpan) -> Cause:
        if not self._uniformities.diverges(expression):
            return None
        # A variable's span is where it was assigned.
        return place if isinstance(expression, Read) else expression.span
