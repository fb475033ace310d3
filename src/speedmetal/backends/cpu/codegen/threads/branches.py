"""Conditions that lanes may see differently.

A condition that is the same for all lanes is a branch; one that varies makes the mask smaller for
its body, which is skipped where no lane is left.
"""

from __future__ import annotations

from collections.abc import Callable

from speedmetal.backends.cpu.codegen.decisions import costs
from speedmetal.backends.cpu.codegen.decisions.lane_strides import Path
from speedmetal.backends.cpu.codegen.operations.active_lanes import ActiveLanes
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.loads_stores import Memory
from speedmetal.backends.cpu.codegen.threads.expressions import Expressions
from speedmetal.backends.cpu.codegen.vector_unit import VectorUnit
from speedmetal.ir.nodes import If, Statement

WriteBlock = Callable[[tuple[Statement, ...], Path], None]
"""Writes a body, whose statements hold branches and loops again: so these are given it."""


class Branches:
    """Writes bodies under conditions. Owns nothing.

    Asks for the values of conditions and the active lanes; `block` writes the bodies.
    """

    def __init__(
        self,
        emit: Emitter,
        active: ActiveLanes,
        expressions: Expressions,
        memory: Memory,
        unit: VectorUnit,
        block: WriteBlock,
    ) -> None:
        self._emit = emit
        self._active = active
        self._expressions = expressions
        self._memory = memory
        self._unit = unit
        self._block = block

    def write(self, node: If, path: Path) -> None:
        condition = self._expressions.evaluate(node.condition)
        if condition.is_uniform:
            self._branch(node, condition.text, path)
        else:
            self._masked(node, condition.text, path)

    def _branch(self, node: If, condition: str, path: Path) -> None:
        entry = self._active.mask
        then, otherwise, join = (self._emit.label(hint) for hint in ("then", "else", "join"))
        self._emit.branch(condition, then, otherwise if node.orelse else join)
        for number, (label, body) in enumerate(((then, node.body), (otherwise, node.orelse))):
            if number and not body:
                continue
            self._emit.start(label)
            self._active.mask = entry
            self._block(body, (*path, (node, number)))
            self._emit.jump(join)
        self._emit.start(join)
        self._active.mask = entry

    def _masks(self, node: If, condition: str) -> tuple[str, str]:
        """The lanes of the body, and those of the else part where there is one."""
        active = self._active
        then = active.narrowed(condition)
        return then, active.narrowed(active.opposite(condition)) if node.orelse else ""

    def _masked(self, node: If, condition: str, path: Path) -> None:
        """Skip each part where no lane goes there, but for one that costs less than to ask."""
        entry = self._active.mask
        masks = self._masks(node, condition)
        for number, body in enumerate((node.body, node.orelse)):
            inside = (*path, (node, number))
            if not body:
                continue
            if costs.is_cheap(body):
                self._active.mask = masks[number]
                self._block(body, inside)
            else:
                some, join = self._emit.label("some"), self._emit.label("join")
                self._emit.branch(self._active.any_of(masks[number]), some, join)
                self._emit.start(some)
                self.under_mask(masks[number], entry, body, inside)
                self._emit.jump(join)
                self._emit.start(join)
            self._active.mask = entry

    # --- for some lanes, and where that is worth it for all lanes as well

    def under_mask(
        self, mask: str, entry: str | None, body: tuple[Statement, ...], path: Path
    ) -> None:
        """Write a body for some lanes; where masks are dear, for all lanes as well.

        Args:
            mask: Of the lanes.
            entry: The mask around it.
            body: What to write.
            path: The blocks around the body.
        """
        if self.is_better_twice(entry, body):
            self.twice(mask, body, path)
            return
        self._active.mask = mask
        self._block(body, path)

    def is_better_twice(self, entry: str | None, body: tuple[Statement, ...]) -> bool:
        """Whether a body under a mask gets a second text; never where it is in such a text."""
        if entry is not None:
            return False
        return costs.gains_from_full_vectors(body, self._unit, self._memory.may_stream)

    def twice(self, mask: str, body: tuple[Statement, ...], path: Path) -> None:
        """Write a body for full vectors, and under a mask."""
        full, part, done = (self._emit.label(name) for name in ("full", "part", "both"))
        self._emit.branch(self._active.all_of(mask), full, part)
        self._emit.start(full)
        self._active.mask = None
        self._block(body, path)
        self._emit.jump(done)
        self._emit.start(part)
        self._active.mask = mask
        self._block(body, path)
        self._emit.jump(done)
        self._emit.start(done)
