"""Debug level 0 adds no instruction: asserts go, the user's and those of bounds."""

from __future__ import annotations

from speedmetal.common.records import replace
from speedmetal.ir import walk
from speedmetal.ir.nodes import Assert, Kernel, Statement


def drop_asserts(kernel: Kernel) -> Kernel:
    """The kernel without asserts at level 0; unchanged at the others."""
    if kernel.debug > 0:
        return kernel
    return replace(kernel, body=walk.rewrite_body(kernel.body, lambda e: e, _unless_assert))


def _unless_assert(statement: Statement) -> tuple[Statement, ...]:
    return () if isinstance(statement, Assert) else (statement,)
