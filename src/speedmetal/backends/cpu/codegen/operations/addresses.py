"""Where arrays are, and their elements."""

from __future__ import annotations

from speedmetal import dtypes
from speedmetal.backends.cpu.codegen.decisions.lane_strides import UNIFORM, VARYING
from speedmetal.backends.cpu.codegen.operations.arithmetic import Arithmetic
from speedmetal.backends.cpu.codegen.operations.conversions import Conversions
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import (
    constant_vector,
    memory_type,
    vector_type,
)
from speedmetal.backends.cpu.codegen.operations.values import Lanes, Value
from speedmetal.common.records import record
from speedmetal.ir.nodes import Array
from speedmetal.ir.types import Space


@record
class Storage:
    """Where an array is: a pointer, extents and strides (in elements) as texts of i64."""

    pointer: str
    extents: tuple[str, ...]
    strides: tuple[str, ...]


@record
class Address:
    """An element, or one for each lane.

    ``pointer`` is the first lane's where ``stride`` is known: the lanes' elements are ``stride``
    elements apart. Where it is None, ``pointer`` is a vector of pointers.
    """

    pointer: str
    stride: int | None


@record
class Stepping:
    """Elements of all lanes, each ``step`` elements after that of the lane before.

    Both are texts: the first lane's pointer, and an i64 that only the launch knows.
    """

    pointer: str
    step: str


class Addresses:
    """Writes the addresses of elements. Owns where each array is; asks for arithmetic."""

    def __init__(
        self, emit: Emitter, lanes: Lanes, conversions: Conversions, arithmetic: Arithmetic
    ) -> None:
        self._emit = emit
        self._lanes = lanes
        self._conversions = conversions
        self._arithmetic = arithmetic
        self._storages: dict[Array, Storage] = {}

    def place(self, array: Array, storage: Storage) -> None:
        """From here on, an array is there."""
        self._storages[array] = storage

    def of(self, array: Array) -> Storage:
        """Where an array is."""
        return self._storages[array]

    def address(self, array: Array, indices: tuple[Value, ...], part: int | None) -> Address:
        """The address of an element; ``part`` is the half of a complex number."""
        storage = self._storages[array]
        if array.type.space is Space.THREAD:
            return self._own_address(array, storage, indices, part)
        dtype = array.type.dtype
        kind = memory_type(dtype if part is None else dtype.part)
        pointer = storage.pointer
        offset = self.offset(array, indices)
        if part is not None:
            offset = self._half(offset, part)
        if offset.stride is VARYING:
            many = vector_type("i64", self._lanes.count)
            text = self._emit.let(f"getelementptr {kind}, ptr {pointer}, {many} {offset.text}")
            return Address(text, None)
        text = self._emit.let(f"getelementptr {kind}, ptr {pointer}, i64 {offset.text}")
        return Address(text, offset.stride)

    def stepping(
        self, array: Array, indices: tuple[Value, ...], part: int | None
    ) -> Stepping | None:
        """The elements of lanes that are neighbours along one axis, but no neighbours in memory.

        None where they are not such.
        """
        along = [axis for axis, index in enumerate(indices) if not index.is_uniform]
        if len(along) != 1 or (distance := indices[along[0]].stride) is None:
            return None
        first = (Value(index.text, index.type, UNIFORM) for index in indices)
        pointer = self.address(array, tuple(first), part).pointer
        halves = distance if part is None else 2 * distance
        stride = self._storages[array].strides[along[0]]
        return Stepping(pointer, self._emit.product(stride, str(halves)))

    def of_lane(self, at: Stepping, element: str, lane: int) -> str:
        """The pointer to one lane's element; ``element`` is LLVM's type of it."""
        offset = self._emit.product(at.step, str(lane))
        return self._emit.let(f"getelementptr {element}, ptr {at.pointer}, i64 {offset}")

    def _half(self, offset: Value, part: int) -> Value:
        """Where one half of a complex number is, counted in halves."""
        doubled = self._arithmetic.binary("multiply", offset, Value("2", dtypes.int64, UNIFORM))
        return self._arithmetic.binary("add", doubled, Value(str(part), dtypes.int64, UNIFORM))

    def offset(self, array: Array, indices: tuple[Value, ...]) -> Value:
        """How many elements an array's element is away from the first, as int64."""
        offset = Value("0", dtypes.int64, UNIFORM)
        for axis, index in enumerate(indices):
            offset = self._add_offset(array, self._storages[array], offset, axis, index)
        return offset

    def _add_offset(
        self, array: Array, storage: Storage, offset: Value, axis: int, index: Value
    ) -> Value:
        wide = self._conversions.convert(index, dtypes.int64)
        if axis != array.type.unit_axis:
            stride = Value(storage.strides[axis], dtypes.int64, UNIFORM)
            wide = self._arithmetic.binary("multiply", wide, stride)
        if offset.text == "0":
            return wide
        return self._arithmetic.binary("add", offset, wide)

    def _own_address(
        self, array: Array, storage: Storage, indices: tuple[Value, ...], part: int | None
    ) -> Address:
        """A thread's own array lies element after element, the lanes of each side by side.

        Of complex numbers, the lanes' real halves lie before their imaginary halves.
        """
        number = Value("0", dtypes.int64, UNIFORM)
        for axis, index in enumerate(indices):
            number = self._add_offset_of_own(number, storage, axis, index)
        if part is not None:
            number = self._half(number, part)
        dtype = array.type.dtype
        kind = memory_type(dtype if part is None else dtype.part)
        lanes = Value(str(self._lanes.count), dtypes.int64, UNIFORM)
        first = self._arithmetic.binary("multiply", number, lanes)
        if number.is_uniform:
            text = self._emit.let(f"getelementptr {kind}, ptr {storage.pointer}, i64 {first.text}")
            return Address(text, 1)
        many = vector_type("i64", self._lanes.count)
        steps = constant_vector("i64", range(self._lanes.count))
        each = self._emit.let(f"add {many} {self._lanes.vector(first)}, {steps}")
        text = self._emit.let(f"getelementptr {kind}, ptr {storage.pointer}, {many} {each}")
        return Address(text, None)

    def _add_offset_of_own(self, number: Value, storage: Storage, axis: int, index: Value) -> Value:
        wide = self._conversions.convert(index, dtypes.int64)
        stride = Value(storage.strides[axis], dtypes.int64, UNIFORM)
        scaled = wide if stride.text == "1" else self._arithmetic.binary("multiply", wide, stride)
        return scaled if number.text == "0" else self._arithmetic.binary("add", number, scaled)
