"""Blocks of as many rows of threads as a vector has lanes, for loads of transposed arrays."""

from __future__ import annotations

from speedmetal.backends.cpu.codegen.decisions.plan import Plan
from speedmetal.backends.cpu.codegen.operations.addresses import Addresses
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import memory_type, vector_type
from speedmetal.backends.cpu.codegen.operations.loads_stores import Memory
from speedmetal.backends.cpu.codegen.operations.values import Lanes
from speedmetal.backends.cpu.codegen.threads.expressions import Expressions
from speedmetal.ir.nodes import Load


class Blocks:
    """Writes what is loaded for a block. Owns the room where it lies, transposed.

    Asks for the places of elements, and tells the memory where a load finds its vector.
    """

    def __init__(
        self,
        emit: Emitter,
        lanes: Lanes,
        addresses: Addresses,
        expressions: Expressions,
        memory: Memory,
        plan: Plan,
    ) -> None:
        self._emit = emit
        self._lanes = lanes
        self._addresses = addresses
        self._expressions = expressions
        self._memory = memory
        self._loads = plan.transposed
        self._rooms: dict[Load, str] = {}

    @property
    def is_needed(self) -> bool:
        """Whether the kernel has such loads."""
        return bool(self._loads)

    def fetch(self) -> None:
        """Load the block whose first vector has been placed."""
        for each in self._loads:
            array, count = each.load.array, self._lanes.count
            element = memory_type(array.type.dtype)
            kind = vector_type(element, count)
            if each.load not in self._rooms:
                self._rooms[each.load] = self._emit.slot(f"[{count} x {kind}]", "block")
            at = self._addresses.stepping(array, self._expressions.evaluate_all(each.indices), None)
            assert at is not None
            rows = []
            for lane in range(count):
                pointer = self._addresses.of_lane(at, element, lane)
                align = array.type.dtype.itemsize
                rows.append(self._emit.let(f"load {kind}, ptr {pointer}, align {align}"))
            for number, text in enumerate(self._transpose(rows, element)):
                where = f"ptr {self._rooms[each.load]}, i64 {number}"
                pointer = self._emit.let(f"getelementptr {kind}, {where}")
                self._emit.do(f"store {kind} {text}, ptr {pointer}")

    def begin_row(self, row: str) -> None:
        """A row of the block begins: its loads find their vectors in the rooms.

        Args:
            row: Its number in the block, an i32 or i64 as positions are.
        """
        for load, room in self._rooms.items():
            kind = vector_type(memory_type(load.array.type.dtype), self._lanes.count)
            pointer = self._emit.let(f"getelementptr {kind}, ptr {room}, {row}")
            self._memory.place_vector(load, pointer)

    def leave(self) -> None:
        """What follows is outside of blocks."""
        self._memory.forget_vectors()

    def _transpose(self, rows: list[str], element: str) -> list[str]:
        """Columns of a square of vectors: halves of halves are exchanged, a power of two apart."""
        count = len(rows)
        distance = 1
        while distance < count:
            for first in range(count):
                if first & distance:
                    continue
                second = first + distance
                lower, upper = rows[first], rows[second]
                low = [n if not n & distance else count + n - distance for n in range(count)]
                high = [n + distance if not n & distance else count + n for n in range(count)]
                rows[first] = self._lanes.shuffle(element, lower, upper, low, count)
                rows[second] = self._lanes.shuffle(element, lower, upper, high, count)
            distance *= 2
        return rows
