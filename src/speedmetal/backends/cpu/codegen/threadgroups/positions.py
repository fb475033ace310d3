"""Where threads are: the sizes of the launch, the place of the threadgroup and of the vector."""

from __future__ import annotations

from speedmetal import dtypes
from speedmetal.backends.cpu.codegen.decisions.lane_strides import UNIFORM
from speedmetal.backends.cpu.codegen.decisions.plan import AXES, Plan, Position
from speedmetal.backends.cpu.codegen.operations.arithmetic import Arithmetic
from speedmetal.backends.cpu.codegen.operations.conversions import Conversions
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import register_type
from speedmetal.backends.cpu.codegen.operations.values import Lanes, Value
from speedmetal.backends.cpu.codegen.threadgroups import arguments
from speedmetal.backends.cpu.codegen.threadgroups.arguments import Arguments
from speedmetal.intrinsics.record import SIMDGROUP_LANES
from speedmetal.ir.nodes import Call

_OF_INDEX = {"thread_index_in_threadgroup", "simdgroup_index_in_threadgroup"}


class Positions:
    """Owns the values of the position intrinsics, as far as the kernel asks for them.

    Asks for arithmetic. Whoever writes a loop over threadgroups or vectors says where it is.
    """

    def __init__(
        self,
        emit: Emitter,
        lanes: Lanes,
        conversions: Conversions,
        arithmetic: Arithmetic,
        plan: Plan,
    ) -> None:
        self._emit = emit
        self._lanes = lanes
        self._conversions = conversions
        self._arithmetic = arithmetic
        self._used = plan.positions
        self._linear = plan.cutting.linear
        self.index = plan.kernel.index_type
        self.index_type = register_type(self.index)
        self._at: dict[Position, Value] = {}
        self._grid: list[str] = []  # of the launch, along x, y and z
        self._threads: list[str] = []
        self._groups: list[str] = []
        self._origin: list[Value] = []  # of the threadgroup, in the grid
        self._by_rows = plan.by_rows
        self._first_row = ("0", "0")
        self._vectors = ""
        self.extent: list[str] = []
        """Threads of the threadgroup along x, y and z: fewer at an edge of the grid."""
        self.total = ""
        """Threads of the threadgroup, where vectors are cut from the linear index."""

    def of(self, name: str, axis: int | None) -> Value:
        """The value of the position intrinsic of this name."""
        return self._at[name, axis]

    def value(self, call: Call) -> Value:
        """The value of a call of a position intrinsic."""
        return self._at[call.intrinsic.name, call.axis]

    def scalar(self, text: str) -> Value:
        """The same position, or size, for all lanes."""
        return Value(text, self.index, UNIFORM)

    def _number(self, value: int) -> Value:
        return self.scalar(str(value))

    def _as_index(self, text: str) -> str:
        return self._conversions.convert(Value(text, dtypes.int64, UNIFORM), self.index).text

    def _as_int64(self, text: str) -> str:
        return self._conversions.convert(self.scalar(text), dtypes.int64).text

    # --- the launch

    def read_launch(self, given: Arguments) -> None:
        """Read the sizes of the launch. Until a threadgroup is placed, it is one of no edge."""
        self._grid, self._threads, self._groups = (
            [self._as_index(given.load(slot + axis)) for axis in AXES]
            for slot in (arguments.GRID, arguments.THREADS, arguments.GROUPS)
        )
        for axis in AXES:
            self._at["threads_per_grid", axis] = self.scalar(self._grid[axis])
            self._at["threadgroups_per_grid", axis] = self.scalar(self._groups[axis])
            self._at["threads_per_threadgroup", axis] = self.scalar(self._threads[axis])
        self._at["threads_per_simdgroup", None] = self._number(SIMDGROUP_LANES)

    def vector_count(self) -> str:
        """Vectors that live on together, at most, an i64.

        Those of a threadgroup's rows, or of all its threads; of one row where rows go alone.
        """
        if not self._vectors:
            product = self._emit.product
            x, y, z = (self._as_int64(text) for text in self._threads)
            if self._linear:
                x, y, z = product(x, product(y, z)), "1", "1"
            elif self._by_rows:
                y, z = "1", "1"
            up = self._emit.let(f"add i64 {x}, {self._lanes.count - 1}")
            each = self._emit.let(f"sdiv i64 {up}, {self._lanes.count}")
            self._vectors = product(product(each, y), z)
        return self._vectors

    # --- a threadgroup

    def place_group(self, number: str) -> None:
        """The threadgroup's position, origin and size: smaller at the grid's edge.

        Args:
            number: Of the threadgroup, x first; an i64.
        """
        groups = [self._as_int64(text) for text in self._groups]
        row = self._emit.let(f"sdiv i64 {number}, {groups[0]}")
        x = self._emit.let(f"srem i64 {number}, {groups[0]}")
        y, z = (self._emit.let(f"{op} i64 {row}, {groups[1]}") for op in ("srem", "sdiv"))
        kind = self.index_type
        self._origin, self.extent = [], []
        for axis, text in enumerate((x, y, z)):
            place = self.scalar(self._as_index(text))
            self._at["threadgroup_position_in_grid", axis] = place
            threads = self._threads[axis]
            origin = self._emit.let(f"mul {kind} {place.text}, {threads}")
            left = self._emit.let(f"sub {kind} {self._grid[axis]}, {origin}")
            size = self._lanes.intrinsic("llvm.smin", kind, 0, left, threads)
            self._origin.append(self.scalar(origin))
            self.extent.append(size)
            self._at["threads_per_threadgroup", axis] = self.scalar(size)
        self._count_simdgroups(kind)

    def _count_simdgroups(self, kind: str) -> None:
        if ("simdgroups_per_threadgroup", None) not in self._used and not self._linear:
            return
        plane = self._emit.let(f"mul {kind} {self.extent[0]}, {self.extent[1]}")
        self.total = self._emit.let(f"mul {kind} {plane}, {self.extent[2]}")
        up = self._emit.let(f"add {kind} {self.total}, {SIMDGROUP_LANES - 1}")
        count = self._emit.let(f"sdiv {kind} {up}, {SIMDGROUP_LANES}")
        self._at["simdgroups_per_threadgroup", None] = self.scalar(count)

    # --- a vector

    def begin_row(self, y: str, z: str) -> None:
        """From here on, code is for a row of the threadgroup alone."""
        self._first_row = (y, z)

    def place_first_vector(self) -> None:
        """The positions of the first threads: of the threadgroup, or of the row that began."""
        if self._linear:
            self.place_vector("0", None, None)
        else:
            self.place_vector("0", *self._first_row)

    def place_vector(self, x: str, y: str | None, z: str | None) -> None:
        """The positions of a vector's threads.

        Args:
            x: Of the first thread; its linear index where y and z are None.
            y: Of all threads.
            z: Of all threads.
        """
        if y is None or z is None:
            places = self._places_of_index(x)
            index = Value(x, self.index, 1)
        else:
            places = (Value(x, self.index, 1), self.scalar(y), self.scalar(z))
            index = self._index_of(x, y, z)
        for axis, place in enumerate(places):
            self._at["thread_position_in_threadgroup", axis] = place
            if ("thread_position_in_grid", axis) in self._used:
                whole = self._arithmetic.binary("add", self._origin[axis], place)
                self._at["thread_position_in_grid", axis] = whole
        self._at["thread_index_in_threadgroup", None] = index
        self._at["thread_index_in_simdgroup", None] = Value("0", self.index, 1)
        if ("simdgroup_index_in_threadgroup", None) in self._used:
            first, size = self.scalar(index.text), self._number(SIMDGROUP_LANES)
            number = self._arithmetic.binary("floor_divide", first, size)
            self._at["simdgroup_index_in_threadgroup", None] = number

    def _index_of(self, x: str, y: str, z: str) -> Value:
        if not any(name in _OF_INDEX for name, _ in self._used):
            return self._number(0)
        kind = self.index_type
        plane = self._emit.let(f"mul {kind} {z}, {self.extent[1]}")
        row = self._emit.let(f"add {kind} {plane}, {y}")
        before = self._emit.let(f"mul {kind} {row}, {self.extent[0]}")
        return Value(self._emit.let(f"add {kind} {before}, {x}"), self.index, 1)

    def _places_of_index(self, x: str) -> tuple[Value, Value, Value]:
        binary = self._arithmetic.binary
        index = self._lanes.varying(Value(x, self.index, 1))
        width, height = self.scalar(self.extent[0]), self.scalar(self.extent[1])
        row = binary("floor_divide", index, width)
        column = binary("remainder", index, width)
        layer = binary("floor_divide", row, height)
        return column, binary("remainder", row, height), layer
