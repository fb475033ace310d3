"""What a launch gives a kernel: slots of 8 bytes (:mod:`speedmetal.backends.cpu.driver`)."""

from __future__ import annotations

from speedmetal.backends.cpu.codegen.operations.emitter import Emitter

GRID, THREADS, GROUPS = 0, 3, 6
"""First slots of sizes along x, y and z."""
MAILBOX = 9
FIRST_PARAMETER = 10


class Arguments:
    """Reads slots. Owns nothing; asks the emitter alone."""

    def __init__(self, emit: Emitter) -> None:
        self._emit = emit
        emit.module.metadata("!0", "!{}")

    def load(self, slot: int, kind: str = "i64") -> str:
        """What is in a slot, as a type of LLVM's."""
        address = self._emit.let(f"getelementptr i64, ptr %arguments, i64 {slot}")
        return self._emit.let(f"load {kind}, ptr {address}, !invariant.load !0")
