"""The arrays of threadgroups and threads."""

from __future__ import annotations

import math

from speedmetal import dtypes
from speedmetal.backends.cpu.codegen.decisions.plan import Plan
from speedmetal.backends.cpu.codegen.operations.addresses import Addresses, Storage
from speedmetal.backends.cpu.codegen.operations.conversions import Conversions
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import memory_type, vector_type
from speedmetal.backends.cpu.codegen.operations.values import Lanes
from speedmetal.backends.cpu.codegen.threadgroups.positions import Positions
from speedmetal.backends.cpu.codegen.threadgroups.rooms import Rooms
from speedmetal.backends.cpu.codegen.threads.expressions import Expressions
from speedmetal.ir.nodes import Array, Expression
from speedmetal.ir.types import Space


class OwnArrays:
    """Makes the arrays that a kernel has beside its parameters.

    Owns the whole of the threads' arrays; asks for room, and tells the addresses which piece of
    them is a vector's.
    """

    def __init__(
        self,
        emit: Emitter,
        lanes: Lanes,
        conversions: Conversions,
        addresses: Addresses,
        expressions: Expressions,
        positions: Positions,
        rooms: Rooms,
        plan: Plan,
    ) -> None:
        self._emit = emit
        self._lanes = lanes
        self._conversions = conversions
        self._addresses = addresses
        self._expressions = expressions
        self._positions = positions
        self._rooms = rooms
        self._arrays = plan.kernel.arrays
        self._is_flat = plan.is_flat
        self._of_all_vectors: dict[Array, Storage] = {}

    def make(self) -> None:
        """Make them, once for all threadgroups."""
        for array in self._arrays:
            extents = [self._extent(size) for size in array.shape or ()]
            strides = ["1"]
            for extent in reversed(extents[1:]):
                strides.insert(0, self._emit.product(strides[0], extent))
            count = self._emit.product(strides[0], extents[0]) if extents else "1"
            pointer = self._room(array, count)
            storage = Storage(pointer, tuple(extents), tuple(strides))
            self._addresses.place(array, storage)
            if array.type.space is Space.THREAD and not self._is_flat:
                self._of_all_vectors[array] = storage

    def _extent(self, size: int | Expression) -> str:
        if isinstance(size, int):
            return str(size)
        return self._conversions.convert(self._expressions.evaluate(size), dtypes.int64).text

    def _room(self, array: Array, count: str) -> str:
        element = memory_type(array.type.dtype)
        if array.type.space is Space.THREADGROUP:
            return self._emit.room(element, count, array.name)
        vectors = "1" if self._is_flat else self._positions.vector_count()
        lanes = self._lanes.count
        kind, size = vector_type(element, lanes), array.type.dtype.itemsize * lanes
        return self._rooms.make(kind, size, self._emit.product(count, vectors), array.name)

    def place(self, number: str) -> None:
        """Each vector has its own piece of the threads' arrays.

        Args:
            number: Of the vector, an i64.
        """
        for array, whole in self._of_all_vectors.items():
            count = math.prod(map(int, whole.extents))
            offset = self._emit.let(f"mul i64 {number}, {count}")
            kind = vector_type(memory_type(array.type.dtype), self._lanes.count)
            pointer = self._emit.let(f"getelementptr {kind}, ptr {whole.pointer}, i64 {offset}")
            self._addresses.place(array, Storage(pointer, whole.extents, whole.strides))
