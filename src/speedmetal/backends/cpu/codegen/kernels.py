"""A whole kernel: its parameters and arrays, and a loop over threadgroups."""

from __future__ import annotations

from speedmetal import dtypes
from speedmetal.backends.cpu.codegen.barrier_control_flow import BarrierControlFlow
from speedmetal.backends.cpu.codegen.collectives import SIMDGROUP_LANES
from speedmetal.backends.cpu.codegen.lane_strides import UNIFORM
from speedmetal.backends.cpu.codegen.llvm_text import memory_type, register_type, vector_type
from speedmetal.backends.cpu.codegen.loads_stores import Storage
from speedmetal.backends.cpu.codegen.values import Value
from speedmetal.backends.cpu.codegen.vectors import AXES
from speedmetal.ir import walk
from speedmetal.ir.nodes import (
    Array,
    Atomic,
    Expression,
    Load,
    MatrixLoad,
    MatrixStore,
    Store,
)
from speedmetal.ir.types import Space

_HEADER = {"grid": 0, "threads": 3, "groups": 6}
_MAILBOX_SLOT = 9
_FIRST_PARAMETER_SLOT = 10

STREAMED_BYTES = 32 << 20
"""Size from which an array is taken to be larger than the caches."""


class KernelCode(BarrierControlFlow):
    """Writes the function of a kernel."""

    # --- the function

    def write(self) -> None:
        """Write the whole function."""
        self._read_header()
        self._read_parameters()
        self.prepare_rooms()
        self._make_arrays()
        self.prepare_runs()
        self.prepare_flow()
        number = self.w.slot("i64", "group")
        self.w.do(f"store i64 %begin, ptr {number}")
        head, body, done = (self.w.label(n) for n in ("groups", "group", "done"))
        self.group_end = self.w.label("group.end")
        self.w.jump(head)
        self.w.start(head)
        current = self.w.let(f"load i64, ptr {number}")
        self.w.branch(self.w.let(f"icmp slt i64 {current}, %end"), body, done)
        self.w.start(body)
        self._place_group(current)
        self._write_group()
        self.w.jump(self.group_end)
        self.w.start(self.group_end)
        following = self.w.let(f"add i64 {current}, 1")
        self.w.do(f"store i64 {following}, ptr {number}")
        self.w.jump(head)
        self.w.start(done)
        if self.streamed:
            self.w.call("void", "llvm.x86.sse.sfence")
        self.free_rooms()
        self.w.do("ret void")

    def _slot_address(self, number: int) -> str:
        return self.w.let(f"getelementptr i64, ptr %arguments, i64 {number}")

    def _argument(self, number: int, kind: str = "i64") -> str:
        return self.w.let(f"load {kind}, ptr {self._slot_address(number)}, !invariant.load !0")

    def _read_header(self) -> None:
        self.w.module.declarations["!0"] = "!0 = !{}"
        self.sizes = {
            name: tuple(self._as_index(self._argument(slot + axis)) for axis in AXES)
            for name, slot in _HEADER.items()
        }
        for axis in AXES:
            self.at["threads_per_grid", axis] = self.scalar(self.sizes["grid"][axis])
            self.at["threadgroups_per_grid", axis] = self.scalar(self.sizes["groups"][axis])
        self.at["threads_per_simdgroup", None] = self._number(SIMDGROUP_LANES)
        self.mailbox = self._argument(_MAILBOX_SLOT, "ptr") if self.reports else ""

    def _as_index(self, text: str) -> str:
        return self.convert(Value(text, dtypes.int64, UNIFORM), self.index).text

    def _read_parameters(self) -> None:
        slot = _FIRST_PARAMETER_SLOT
        for parameter in self.kernel.parameters:
            if isinstance(parameter, Array):
                rank = parameter.type.rank
                sizes = [self._argument(slot + 1 + n) for n in range(2 * rank)]
                pointer = self._argument(slot, "ptr")
                self.storages[parameter] = Storage(
                    pointer, tuple(sizes[:rank]), tuple(sizes[rank:])
                )
                slot += 1 + 2 * rank
                continue
            assert isinstance(parameter.type, dtypes.DType)
            text = self._argument(slot, memory_type(parameter.type))
            self.fixed[parameter] = self._from_memory(text, parameter.type, 0)
            slot += 1
        self.bound = dict(self.fixed)
        for array in self._written_only():
            self._decide_streaming(array)

    def _written_only(self) -> list[Array]:
        """The arrays that the kernel stores to, whole elements at a time, and never reads."""
        if not self.functions.unit.has_streaming_stores:
            return []
        stored: dict[Array, None] = {}
        touched: set[Array] = set()
        for statement in walk.statements(self.kernel.body):
            if isinstance(statement, Store) and statement.part is None:
                stored[statement.array] = None
            elif isinstance(statement, Atomic | MatrixStore):
                touched.add(statement.array)
            loads = walk.expressions(statement)
            touched |= {e.array for e in loads if isinstance(e, Load | MatrixLoad)}
        return [a for a in stored if a not in touched and _is_streamable(a)]

    def _decide_streaming(self, array: Array) -> None:
        """Stream to arrays that are larger than the caches: they would not stay there anyway."""
        self.w.module.declarations["!1"] = "!1 = !{i32 1}"
        count = "1"
        for extent in self.storages[array].extents:
            count = self.times(count, extent)
        least = STREAMED_BYTES // array.type.dtype.itemsize
        self.streamed[array] = self.w.let(f"icmp sge i64 {count}, {least}")

    # --- memory of threads and threadgroups

    def _make_arrays(self) -> None:
        for axis in AXES:  # for sizes that depend on it: of a threadgroup that is no edge
            self.at["threads_per_threadgroup", axis] = self.scalar(self.sizes["threads"][axis])
        for array in self.kernel.arrays:
            extents = [self._extent_text(size) for size in array.shape or ()]
            strides = ["1"]
            for extent in reversed(extents[1:]):
                strides.insert(0, self.times(strides[0], extent))
            count = self.times(strides[0], extents[0]) if extents else "1"
            element = memory_type(array.type.dtype)
            if array.type.space is Space.THREADGROUP:
                pointer = self.w.let(f"alloca {element}, i64 {count}, align 64", array.name)
            else:
                vectors = "1" if self.is_flat else self.vector_count()
                count = self.times(count, vectors)
                size = array.type.dtype.itemsize * self.lanes
                pointer = self.room(vector_type(element, self.lanes), size, count, array.name)
            self.storages[array] = Storage(pointer, tuple(extents), tuple(strides))

    def _extent_text(self, size: int | Expression) -> str:
        if isinstance(size, int):
            return str(size)
        return self.convert(self.evaluate(size), dtypes.int64).text

    # --- a threadgroup

    def _place_group(self, number: str) -> None:
        """The threadgroup's position, origin and size: smaller at the grid's edge."""
        wide = Value(number, dtypes.int64, UNIFORM)
        groups = [self.convert(self.scalar(t), dtypes.int64).text for t in self.sizes["groups"]]
        row = self.w.let(f"sdiv i64 {wide.text}, {groups[0]}")
        x = self.w.let(f"srem i64 {wide.text}, {groups[0]}")
        y, z = (self.w.let(f"{op} i64 {row}, {groups[1]}") for op in ("srem", "sdiv"))
        kind = register_type(self.index)
        self.origin, self.extent = [], []
        for axis, text in enumerate((x, y, z)):
            place = self.scalar(self._as_index(text))
            self.at["threadgroup_position_in_grid", axis] = place
            threads = self.sizes["threads"][axis]
            origin = self.w.let(f"mul {kind} {place.text}, {threads}")
            left = self.w.let(f"sub {kind} {self.sizes['grid'][axis]}, {origin}")
            size = self.intrinsic("llvm.smin", kind, 0, left, threads)
            self.origin.append(self.scalar(origin))
            self.extent.append(size)
            self.at["threads_per_threadgroup", axis] = self.scalar(size)
        self._count_simdgroups(kind)

    def _count_simdgroups(self, kind: str) -> None:
        if ("simdgroups_per_threadgroup", None) not in self.used and not self.linear:
            return
        plane = self.w.let(f"mul {kind} {self.extent[0]}, {self.extent[1]}")
        self.total = self.w.let(f"mul {kind} {plane}, {self.extent[2]}")
        up = self.w.let(f"add {kind} {self.total}, {SIMDGROUP_LANES - 1}")
        count = self.w.let(f"sdiv {kind} {up}, {SIMDGROUP_LANES}")
        self.at["simdgroups_per_threadgroup", None] = self.scalar(count)

    def _write_group(self) -> None:
        if self.alive:
            with self.counting("0", self.vector_count(), 1, dtypes.int64) as number:
                place = self.w.let(f"getelementptr i{self.lanes}, ptr {self.alive}, i64 {number}")
                self.w.do(f"store i{self.lanes} -1, ptr {place}")
        self.write_pieces(self.pieces)


def _is_streamable(array: Array) -> bool:
    kind = array.type
    has_rows = kind.rank > 0 and kind.unit_axis == kind.rank - 1
    return kind.space is Space.DEVICE and has_rows and not kind.dtype.is_bool
