"""Where threads go that leave a loop or the function before its end.

Where all active lanes leave alike, that is a jump. Where some do by a mask, they are taken out of
*live* masks in stack slots, which LLVM turns into registers.
"""

from __future__ import annotations

from speedmetal.backends.cpu.codegen.decisions.lane_strides import LaneStrides
from speedmetal.backends.cpu.codegen.operations.active_lanes import ActiveLanes
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import value_type
from speedmetal.backends.cpu.codegen.operations.values import Lanes, Value
from speedmetal.common.records import record
from speedmetal.ir import walk
from speedmetal.ir.nodes import (
    Assert,
    Break,
    Continue,
    For,
    Return,
    Statement,
    While,
)


@record
class Loop:
    """A loop around what is being written. The slots hold masks, in loops that lanes leave."""

    node: For | While
    next: str
    end: str
    live: str = ""
    iteration: str = ""


class Exits:
    """Writes exits. Owns the loops around what is being written, and the function's end and result.

    Asks which exits are by a mask, and takes lanes out of the active ones.
    """

    def __init__(
        self, emit: Emitter, lanes: Lanes, active: ActiveLanes, strides: LaneStrides
    ) -> None:
        self._emit = emit
        self._lanes = lanes
        self._active = active
        self._strides = strides
        self._loops: list[Loop] = []
        self._end = ""  # label of what follows the function, or the vector
        self._live = ""  # slot of the lanes that have not returned, where some do so early
        self._result_slot = ""
        self._result_lanes = 0

    # --- what is left

    def begin(self, end: str, live: str = "") -> None:
        """A function's code, or a vector's, begins.

        Args:
            end: Label of what follows it.
            live: Slot of the lanes that have not returned, where some do so by a mask.
        """
        self._end, self._live = end, live

    def expect_result(self, slot: str, lanes: int) -> None:
        """A function's result goes there."""
        self._result_slot, self._result_lanes = slot, lanes

    def enter(self, loop: Loop) -> None:
        self._loops.append(loop)

    def leave_loop(self) -> None:
        """The innermost loop's body is written."""
        self._loops.pop()

    # --- exits

    def take_break(self) -> None:
        loop = self._loops[-1]
        if not loop.live:
            self._emit.jump_away(loop.end)
            return
        self._active.take_out_of(loop.live)
        self._active.take_out_of(loop.iteration)

    def take_continue(self) -> None:
        loop = self._loops[-1]
        if not loop.live:
            self._emit.jump_away(loop.next)
            return
        self._active.take_out_of(loop.iteration)

    def set_result(self, value: Value) -> None:
        """The function's result in the active lanes."""
        kind = value_type(value.type, self._result_lanes)
        text = self._lanes.operand(value, self._result_lanes)
        if self._live and self._active.mask is not None:
            before = self._emit.let(f"load {kind}, ptr {self._result_slot}")
            text = self._active.select(kind, text, before)
        self._emit.do(f"store {kind} {text}, ptr {self._result_slot}")

    def take_return(self) -> None:
        """The active lanes are done with the function."""
        if not self._live:
            self._emit.jump_away(self._end)
            return
        around = (s for loop in self._loops for s in (loop.live, loop.iteration))
        for slot in (self._live, *around):
            if slot:
                self._active.take_out_of(slot)
        left = self._emit.let(f"load {self._lanes.mask_type}, ptr {self._live}")
        stay = self._emit.label("stay")
        self._emit.branch(self._active.any_of(left), stay, self._end)
        self._emit.start(stay)

    # --- who is left

    def loses_lanes(self, statement: Statement) -> bool:
        """Whether lanes that come to the statement may not come to the next one."""
        if isinstance(statement, Assert):
            return bool(self._lanes.count)
        if not self._strides.masked_exits and not self._strides.has_masked_return:
            return False
        return self._may_lose(statement, inside_loop=False)

    def _may_lose(self, statement: Statement, *, inside_loop: bool) -> bool:
        """Whether a masked exit in the statement leads out of it."""
        match statement:
            case Return():
                return self._strides.has_masked_return
            case Break() | Continue():
                return not inside_loop and bool(self._loops) and bool(self._loops[-1].live)
            case Assert():
                return True
            case For() | While():
                inside_loop = True
        inner = (s for block in walk.blocks(statement) for s in block)
        return any(self._may_lose(s, inside_loop=inside_loop) for s in inner)

    def remaining(self, entry: str | None) -> str | None:
        """The lanes of a mask that have not left the innermost loop, or the function."""
        masked = next((loop for loop in reversed(self._loops) if loop.iteration), None)
        slot = masked.iteration if masked else self._live
        if not slot:
            return entry
        kind = self._lanes.mask_type
        left = self._emit.let(f"load {kind}, ptr {slot}")
        return left if entry is None else self._emit.let(f"and {kind} {entry}, {left}")
