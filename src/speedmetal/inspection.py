"""What a launch must know of a kernel, read from its IR as it goes to the printer."""

from __future__ import annotations

from dataclasses import replace

from speedmetal.backends.cpu.printer import uses_simdgroups
from speedmetal.dtypes import DType
from speedmetal.facts import KernelFacts
from speedmetal.ir import nodes as ir
from speedmetal.ir.types import Space
from speedmetal.ir.walk import statements
from speedmetal.reports import POSITIONS_LEVEL, AssertSite, PrintSite, ReportSites

_DIVERGENCE = "threads of a threadgroup disagree"
_DIVERGENCE_REASON = (
    "a barrier stands inside, which all threads of the threadgroup must reach; move it out, or make"
    " the condition the same for all of them"
)


def facts_of(kernel: ir.Kernel, name: str) -> KernelFacts:
    """What a launch must know, read from the IR as it goes to the printer.

    Args:
        kernel: After all passes. Its own name is one that every target allows.
        name: The user's name of it, for messages.
    """
    written = {n for n, parameter in enumerate(kernel.parameters) if parameter in kernel.written}
    has_loops = any(isinstance(s, (ir.For, ir.While)) for s in statements(kernel.body))
    return KernelFacts(
        written=frozenset(written),
        has_loops=has_loops,
        uses_simdgroups=uses_simdgroups(kernel),
        threadgroup_memory_bytes=_threadgroup_bytes(kernel),
        sites=replace(sites_of(kernel), kernel=name),
    )


def _threadgroup_bytes(kernel: ir.Kernel) -> int:
    total = 0
    for array in kernel.arrays:
        if array.type.space is Space.THREADGROUP:
            size = array.type.dtype.itemsize
            for extent in array.shape or ():
                size *= extent if isinstance(extent, int) else 1
            total += size
    return total


def sites_of(kernel: ir.Kernel) -> ReportSites:
    """What a kernel, as it goes to the printer, may report."""
    asserts: list[AssertSite] = []
    control: list[AssertSite] = []  # in the mailbox's count they follow all asserts
    prints: list[PrintSite] = []
    for statement in statements(kernel.body):
        if isinstance(statement, ir.Assert):
            asserts.append(AssertSite(statement.kind, statement.reason, statement.span))
        elif isinstance(statement, ir.Print):
            prints.append(PrintSite(statement.parts, tuple(_dtype(v) for v in statement.values)))
        elif isinstance(statement, (ir.If, ir.For, ir.While)) and kernel.debug >= POSITIONS_LEVEL:
            control.append(AssertSite(_DIVERGENCE, _DIVERGENCE_REASON, statement.span))
    return ReportSites(kernel.name, kernel.debug, (*asserts, *control), tuple(prints))


def _dtype(value: ir.Expression) -> DType:
    assert isinstance(value.type, DType)
    return value.type
