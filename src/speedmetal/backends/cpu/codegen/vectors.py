"""The vectors of a threadgroup, and where their threads are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property

from speedmetal import dtypes
from speedmetal.backends.cpu.codegen.collectives import SIMDGROUP_LANES
from speedmetal.backends.cpu.codegen.expressions import FunctionTable
from speedmetal.backends.cpu.codegen.lane_strides import UNIFORM, VARYING, LaneStrides, Stride
from speedmetal.backends.cpu.codegen.llvm_text import (
    Writer,
    memory_type,
    register_type,
    vector_type,
)
from speedmetal.backends.cpu.codegen.loads_stores import Storage
from speedmetal.backends.cpu.codegen.ordering import may_stream, streaming_loops
from speedmetal.backends.cpu.codegen.regions import BarrierRegion, Shared, all_pieces, pieces_of
from speedmetal.backends.cpu.codegen.reporting import Reporting
from speedmetal.backends.cpu.codegen.values import Value
from speedmetal.dtypes import DType
from speedmetal.ir import walk
from speedmetal.ir.nodes import Array, Call, Expression, Kernel, Statement, Variable
from speedmetal.ir.ranges import Ranges, range_of_type
from speedmetal.ir.types import Space

AXES = range(3)
_ACROSS = {"thread_position_in_grid", "thread_position_in_threadgroup"}
Position = tuple[str, int | None]


class Vectors(Reporting):
    """Writes loops over the vectors of a threadgroup.

    Args:
        writer: Of the function's body; empty.
        lanes: Threads of a vector.
        kernel: What to write.
        functions: The module's functions.
        linear: Whether vectors are cut from the linear thread index.
    """

    def __init__(
        self,
        writer: Writer,
        lanes: int,
        kernel: Kernel,
        functions: FunctionTable,
        *,
        linear: bool,
    ) -> None:
        self.index = kernel.index_type
        self.linear = linear
        self.kernel = kernel
        self.pieces = pieces_of(kernel.body, self._streaming_loops())
        every = list(all_pieces(self.pieces))
        given: dict[Variable, Stride] = {
            p: UNIFORM for p in kernel.parameters if isinstance(p, Variable)
        }
        shapes = LaneStrides(
            [(piece.path, piece.statements) for piece in every if isinstance(piece, BarrierRegion)],
            given,
            self._position_stride,
            [(piece.path, piece.statement) for piece in every if isinstance(piece, Shared)],
            self._may_wrap,
        )
        super().__init__(writer, lanes, shapes, functions)
        self.is_flat = len(self.pieces) == 1 and isinstance(self.pieces[0], BarrierRegion)
        self.at: dict[Position, Value] = {}
        self.fixed: dict[Variable, Value] = {}
        self.used = self._used_positions()
        self.sizes: dict[str, tuple[str, ...]] = {}  # of the launch
        self.origin: list[Value] = []  # of the threadgroup, in the grid
        self.extent: list[str] = []  # of the threadgroup: less than its threads at an edge
        self.total = ""  # threads of the threadgroup, in kernels with linear vectors
        self.number = ""  # slot of the number of the vector
        self._bases: dict[Array, str] = {}

    @cached_property
    def _ranges(self) -> Ranges:
        return Ranges(self.kernel)

    def _may_wrap(self, value: Expression) -> bool:
        """Whether nothing is known of an integer that has come about by linear steps."""
        assert isinstance(value.type, DType)
        return self._ranges.of(value) == range_of_type(value.type)

    def _streaming_loops(self) -> frozenset[Statement]:
        if not may_stream(self.kernel):
            return frozenset()
        whole = LaneStrides([((), self.kernel.body)], {}, self._position_stride)
        return streaming_loops(self.kernel, whole.stride)

    # --- positions

    def _used_positions(self) -> set[Position]:
        used: set[Position] = set()
        for statement in walk.statements(self.kernel.body):
            for expression in walk.expressions(statement):
                if isinstance(expression, Call):
                    used.add((expression.intrinsic.name, expression.axis))
        if self.reports_positions:
            used |= {("thread_position_in_threadgroup", axis) for axis in AXES}
        return used

    def _position_stride(self, call: Call) -> Stride:
        name, axis = call.intrinsic.name, call.axis
        if name in ("thread_index_in_threadgroup", "thread_index_in_simdgroup"):
            return 1
        if name in _ACROSS:
            if self.linear:
                return VARYING
            return 1 if axis == 0 else UNIFORM
        return UNIFORM

    def position(self, call: Call) -> Value:
        return self.at[call.intrinsic.name, call.axis]

    def _number(self, value: int) -> Value:
        return Value(str(value), self.index, UNIFORM)

    def scalar(self, text: str) -> Value:
        return Value(text, self.index, UNIFORM)

    # --- the vectors of a threadgroup

    def each_vector(self, write: Callable[[str], None], *, twice: bool) -> None:
        """Write a loop over the vectors; ``write`` is told the text of a vector's number."""
        self.number = self.w.slot("i64", "vector")
        self.w.do(f"store i64 0, ptr {self.number}")
        if self.linear:
            self._each_in_row(write, self.total, None, None, twice=twice)
            return
        with (
            self.counting("0", self.extent[2], 1, self.index) as z,
            self.counting("0", self.extent[1], 1, self.index) as y,
        ):
            self._each_in_row(write, self.extent[0], y, z, twice=twice)

    def _each_in_row(
        self, write: Callable[[str], None], size: str, y: str | None, z: str | None, *, twice: bool
    ) -> None:
        kind = register_type(self.index)
        if not twice:
            with self.counting("0", size, self.lanes, self.index) as x:
                self._write_vector(write, x, y, z, self._lanes_below(x, size))
            return
        rest = self.w.let(f"and {kind} {size}, {self.lanes - 1}")
        full = self.w.let(f"sub {kind} {size}, {rest}")
        with self.counting("0", full, self.lanes, self.index) as x:
            self._write_vector(write, x, y, z, None)
        tail, done = self.w.label("tail"), self.w.label("row.end")
        self.w.branch(self.w.let(f"icmp ne {kind} {rest}, 0"), tail, done)
        self.w.start(tail)
        self._write_vector(write, full, y, z, self._lanes_below(full, size))
        self.w.jump(done)
        self.w.start(done)

    def _lanes_below(self, x: str, size: str) -> str:
        lanes = self.vector(Value(x, self.index, 1))
        limit = self.vector(self.scalar(size))
        return self.w.let(
            f"icmp slt {vector_type(register_type(self.index), self.lanes)} {lanes}, {limit}"
        )

    @contextmanager
    def counting(self, start: str, stop: str, step: int, dtype: dtypes.DType) -> Iterator[str]:
        """Write ``for counter in range(start, stop, step)`` around what is written meanwhile."""
        kind = register_type(dtype)
        slot = self.w.slot(kind, "counter")
        self.w.do(f"store {kind} {start}, ptr {slot}")
        head, body, done = (self.w.label(n) for n in ("count", "counted", "counted.end"))
        self.w.jump(head)
        self.w.start(head)
        counter = self.w.let(f"load {kind}, ptr {slot}")
        self.w.branch(self.w.let(f"icmp slt {kind} {counter}, {stop}"), body, done)
        self.w.start(body)
        yield counter
        following = self.w.let(f"add {kind} {counter}, {step}")
        self.w.do(f"store {kind} {following}, ptr {slot}")
        self.w.jump(head)
        self.w.start(done)

    def _write_vector(
        self,
        write: Callable[[str], None],
        x: str,
        y: str | None,
        z: str | None,
        mask: str | None,
    ) -> None:
        self.mask = mask
        self.place_vector(x, y, z)
        number = "0" if self.is_flat else self.w.let(f"load i64, ptr {self.number}")
        self.place_own_arrays(number)
        write(number)
        if not self.is_flat:
            following = self.w.let(f"add i64 {number}, 1")
            self.w.do(f"store i64 {following}, ptr {self.number}")
        self.mask = None

    def place_own_arrays(self, number: str) -> None:
        """Each vector has its own piece of the threads' arrays."""
        if self.is_flat:
            return
        for array in self.kernel.arrays:
            if array.type.space is not Space.THREAD:
                continue
            storage = self.storages[array]
            base = self._bases.setdefault(array, storage.pointer)
            count = 1
            for extent in storage.extents:
                count *= int(extent)
            offset = self.w.let(f"mul i64 {number}, {count}")
            kind = vector_type(memory_type(array.type.dtype), self.lanes)
            pointer = self.w.let(f"getelementptr {kind}, ptr {base}, i64 {offset}")
            self.storages[array] = Storage(pointer, storage.extents, storage.strides)

    def place_vector(self, x: str, y: str | None, z: str | None) -> None:
        """The positions of a vector's threads, as far as the kernel asks for them."""
        if y is None or z is None:
            places = self._places_of_index(x)
            index = Value(x, self.index, 1)
        else:
            places = (Value(x, self.index, 1), self.scalar(y), self.scalar(z))
            index = self._index_of(x, y, z)
        for axis, place in enumerate(places):
            self.at["thread_position_in_threadgroup", axis] = place
            if ("thread_position_in_grid", axis) in self.used:
                whole = self.binary("add", self.origin[axis], place)
                self.at["thread_position_in_grid", axis] = whole
        self.at["thread_index_in_threadgroup", None] = index
        self.at["thread_index_in_simdgroup", None] = Value("0", self.index, 1)
        if ("simdgroup_index_in_threadgroup", None) in self.used:
            first = Value(index.text, self.index, UNIFORM)
            number = self.binary("floor_divide", first, self._number(SIMDGROUP_LANES))
            self.at["simdgroup_index_in_threadgroup", None] = number

    def _index_of(self, x: str, y: str, z: str) -> Value:
        wanted = {"thread_index_in_threadgroup", "simdgroup_index_in_threadgroup"}
        if not any(name in wanted for name, _ in self.used):
            return self._number(0)
        kind = register_type(self.index)
        plane = self.w.let(f"mul {kind} {z}, {self.extent[1]}")
        row = self.w.let(f"add {kind} {plane}, {y}")
        before = self.w.let(f"mul {kind} {row}, {self.extent[0]}")
        return Value(self.w.let(f"add {kind} {before}, {x}"), self.index, 1)

    def _places_of_index(self, x: str) -> tuple[Value, Value, Value]:
        index = self.varying(Value(x, self.index, 1))
        width, height = self.scalar(self.extent[0]), self.scalar(self.extent[1])
        row = self.binary("floor_divide", index, width)
        column = self.binary("remainder", index, width)
        layer = self.binary("floor_divide", row, height)
        return column, self.binary("remainder", row, height), layer
