"""Memory until the kernel's function ends."""

from __future__ import annotations

from speedmetal.backends.cpu.codegen.operations.emitter import Emitter

_STACK_BYTES = 65_536
"""Up to this size, an object of a kernel's threads is on the stack, whose size others decide on.

Threads that Python starts have 8 MiB where nothing else is said, which a threadgroup's variables
and arrays may exceed; users may have set less with ``threading.stack_size``.
"""

ALIGNMENT = 64
"""Of every room, in bytes."""


class Rooms:
    """Owns what the function took from the heap; asks the emitter alone."""

    def __init__(self, emit: Emitter) -> None:
        self._emit = emit
        self._blocks: list[str] = []

    def make(self, kind: str, size_bytes: int, count: str, hint: str) -> str:
        """Memory until the function ends: on the stack where it is small, else on the heap.

        Args:
            kind: LLVM's type of an item.
            size_bytes: Of an item.
            count: How many: a number, or an i64.
            hint: For the memory's name.
        """
        emit = self._emit
        size = emit.product(count, str(size_bytes))
        if not size.startswith("%"):
            is_small = int(size) <= _STACK_BYTES
            return emit.room(kind, count, hint) if is_small else self._on_heap(size)
        near, far, made = (emit.label(n) for n in ("stack", "heap", "made"))
        emit.branch(emit.let(f"icmp ule i64 {size}, {_STACK_BYTES}"), near, far)
        emit.start(near)
        stack = emit.room(kind, count, hint)
        emit.jump(made)
        emit.start(far)
        heap = self._on_heap(size)
        emit.jump(made)
        emit.start(made)
        block = emit.let(f"phi ptr [ null, %{near} ], [ {self._blocks.pop()}, %{far} ]")
        self._blocks.append(block)  # free(null) does nothing
        return emit.let(f"phi ptr [ {stack}, %{near} ], [ {heap}, %{far} ]", hint)

    def _on_heap(self, size: str) -> str:
        more = self._emit.let(f"add i64 {size}, {ALIGNMENT - 1}")
        block = self._emit.call("ptr", "malloc", ("i64", more))
        self._blocks.append(block)
        above = self._emit.let(f"getelementptr i8, ptr {block}, i64 {ALIGNMENT - 1}")
        mask = ("i64", str(-ALIGNMENT))
        return self._emit.call("ptr", "llvm.ptrmask.p0.i64", ("ptr", above), mask)

    def free(self) -> None:
        """Give back what came from the heap, where the function ends."""
        for block in self._blocks:
            self._emit.call("void", "free", ("ptr", block))
