"""Facts about a kernel as it goes to a printer, each found here and nowhere else."""

from __future__ import annotations

from itertools import count

from speedmetal.dtypes import DType
from speedmetal.ir.nodes import (
    Assert,
    Barrier,
    Call,
    Expression,
    For,
    If,
    Kernel,
    MatrixLoad,
    Print,
    Statement,
    While,
)
from speedmetal.ir.report_sites import POSITIONS_LEVEL, AssertSite, PrintSite, ReportSites
from speedmetal.ir.walk import expressions, statements

_DIVERGENCE = "threads of a threadgroup disagree"
_DIVERGENCE_REASON = (
    "a barrier stands inside, which all threads of the threadgroup must reach; move it out, or make"
    " the condition the same for all of them"
)


def has_loops(kernel: Kernel) -> bool:
    """Whether the work of a thread may be long."""
    return any(isinstance(s, For | While) for s in statements(kernel.body))


def uses_simdgroups(kernel: Kernel) -> bool:
    """Whether a kernel can tell which threads form a simdgroup."""
    for statement in statements(kernel.body):
        if isinstance(statement, Barrier) and statement.scope == "simdgroup":
            return True
        if any(map(_tells_simdgroups, expressions(statement))):
            return True
    return False


def _tells_simdgroups(expression: Expression) -> bool:
    if isinstance(expression, MatrixLoad):
        return True
    return isinstance(expression, Call) and expression.intrinsic.tells_simdgroups


# --- reports


def may_fail(kernel: Kernel) -> bool:
    """Whether the kernel has a check that a thread may fail."""
    return any(isinstance(s, Assert) for s in statements(kernel.body))


def reports_itself(kernel: Kernel) -> bool:
    """Whether the kernel's own statements report: it asserts or prints."""
    return any(isinstance(s, Assert | Print) for s in statements(kernel.body))


def reports_positions(kernel: Kernel) -> bool:
    """Whether failures tell the thread, and threads that part round a barrier are reported."""
    return kernel.debug >= POSITIONS_LEVEL


def site_numbers(kernel: Kernel) -> dict[Statement, int]:
    """The numbers that stand for statements in the mailbox.

    Asserts are numbered in their order; control flow, where threads may part round a barrier,
    follows them; prints are numbered on their own.
    """
    asserts, control, prints = _reporting(kernel)
    numbers: dict[Statement, int] = dict(zip([*asserts, *control], count()))
    return numbers | dict(zip(prints, count()))


def report_sites(kernel: Kernel, name: str) -> ReportSites:
    """What the kernel may report, in the order of :func:`site_numbers`.

    Args:
        kernel: After all passes.
        name: The user's name of it, for messages.
    """
    asserts, control, prints = _reporting(kernel)
    if not reports_positions(kernel):
        control = []
    return ReportSites(
        name,
        kernel.debug,
        (
            *(AssertSite(s.kind, s.reason, s.span) for s in asserts),
            *(AssertSite(_DIVERGENCE, _DIVERGENCE_REASON, s.span) for s in control),
        ),
        tuple(PrintSite(s.parts, tuple(map(_dtype, s.values))) for s in prints),
    )


def _reporting(kernel: Kernel) -> tuple[list[Assert], list[If | For | While], list[Print]]:
    every = list(statements(kernel.body))
    return (
        [s for s in every if isinstance(s, Assert)],
        [s for s in every if isinstance(s, If | For | While)],
        [s for s in every if isinstance(s, Print)],
    )


def _dtype(value: Expression) -> DType:
    assert isinstance(value.type, DType)
    return value.type
