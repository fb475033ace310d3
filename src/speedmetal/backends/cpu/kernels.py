"""A whole kernel: threadgroups, the vectors of each, and what happens between barriers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from speedmetal import dtypes
from speedmetal.backends.cpu.collectives import SIMDGROUP_LANES
from speedmetal.backends.cpu.expressions import FunctionTable
from speedmetal.backends.cpu.llvm_text import (
    Writer,
    memory_type,
    register_type,
    value_type,
    vector_type,
)
from speedmetal.backends.cpu.memory import Storage
from speedmetal.backends.cpu.regions import Piece, Run, Shared, all_pieces, pieces_of
from speedmetal.backends.cpu.reporting import Reporting
from speedmetal.backends.cpu.shapes import UNIFORM, VARYING, Shapes, Stride
from speedmetal.backends.cpu.values import Value
from speedmetal.ir import walk
from speedmetal.ir.nodes import (
    Array,
    Break,
    Call,
    Continue,
    Expression,
    For,
    If,
    Kernel,
    Return,
    Variable,
    While,
)
from speedmetal.ir.types import Space

_AXES = range(3)
_HEADER = {"grid": 0, "threads": 3, "groups": 6}
_MAILBOX_SLOT = 9
_FIRST_PARAMETER_SLOT = 10
_TWICE_WRITTEN_EXPRESSIONS = 250
"""Up to this size a body is written twice: for full vectors without masks, and for the rest."""

_ACROSS = {"thread_position_in_grid", "thread_position_in_threadgroup"}
Position = tuple[str, int | None]


class KernelCode(Reporting):
    """Writes the function of a kernel.

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
        self.kernel = kernel
        self.index = kernel.index_type
        self.linear = linear
        self.pieces = pieces_of(kernel.body)
        every = list(all_pieces(self.pieces))
        given: dict[Variable, Stride] = {
            p: UNIFORM for p in kernel.parameters if isinstance(p, Variable)
        }
        shapes = Shapes(
            [(piece.path, piece.statements) for piece in every if isinstance(piece, Run)],
            given,
            self._position_stride,
            [(piece.path, piece.statement) for piece in every if isinstance(piece, Shared)],
        )
        super().__init__(writer, lanes, shapes, functions)
        self.is_flat = len(self.pieces) == 1 and isinstance(self.pieces[0], Run)
        self.at: dict[Position, Value] = {}
        self.fixed: dict[Variable, Value] = {}
        self.all_vectors: dict[Variable, str] = {}
        self.alive = ""  # of each vector: the threads that have not failed, in kernels that may
        self.used = self._used_positions()
        self.shared_loops: list[tuple[str, str]] = []
        self.group_end = ""

    # --- positions

    def _used_positions(self) -> set[Position]:
        used: set[Position] = set()
        for statement in walk.statements(self.kernel.body):
            for expression in walk.expressions(statement):
                if isinstance(expression, Call):
                    used.add((expression.intrinsic.name, expression.axis))
        if self.reports_positions:
            used |= {("thread_position_in_threadgroup", axis) for axis in _AXES}
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

    def _scalar(self, text: str) -> Value:
        return Value(text, self.index, UNIFORM)

    # --- the function

    def write(self) -> None:
        """Write the whole function."""
        self._read_header()
        self._read_parameters()
        self._make_arrays()
        if not self.is_flat:
            self._make_vector_storage()
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
        self.w.do("ret void")

    def _slot_address(self, number: int) -> str:
        return self.w.let(f"getelementptr i64, ptr %arguments, i64 {number}")

    def _argument(self, number: int, kind: str = "i64") -> str:
        return self.w.let(f"load {kind}, ptr {self._slot_address(number)}, !invariant.load !0")

    def _read_header(self) -> None:
        self.w.module.declarations["!0"] = "!0 = !{}"
        self.sizes = {
            name: tuple(self._as_index(self._argument(slot + axis)) for axis in _AXES)
            for name, slot in _HEADER.items()
        }
        for axis in _AXES:
            self.at["threads_per_grid", axis] = self._scalar(self.sizes["grid"][axis])
            self.at["threadgroups_per_grid", axis] = self._scalar(self.sizes["groups"][axis])
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

    # --- memory of threads and threadgroups

    def _make_arrays(self) -> None:
        for axis in _AXES:  # for sizes that depend on it: of a threadgroup that is no edge
            self.at["threads_per_threadgroup", axis] = self._scalar(self.sizes["threads"][axis])
        for array in self.kernel.arrays:
            extents = [self._extent_text(size) for size in array.shape or ()]
            strides = ["1"]
            for extent in reversed(extents[1:]):
                strides.insert(0, self._times(strides[0], extent))
            count = self._times(strides[0], extents[0]) if extents else "1"
            element = memory_type(array.type.dtype)
            if array.type.space is Space.THREADGROUP:
                pointer = self.w.let(f"alloca {element}, i64 {count}, align 64", array.name)
            else:
                vectors = "1" if self.is_flat else self._vector_count()
                count = self._times(count, vectors)
                kind = vector_type(element, self.lanes)
                pointer = self.w.let(f"alloca {kind}, i64 {count}, align 64", array.name)
            self.storages[array] = Storage(pointer, tuple(extents), tuple(strides))

    def _extent_text(self, size: int | Expression) -> str:
        if isinstance(size, int):
            return str(size)
        return self.convert(self.evaluate(size), dtypes.int64).text

    def _times(self, left: str, right: str) -> str:
        if not left.startswith("%") and not right.startswith("%"):
            return str(int(left) * int(right))
        return self.w.let(f"mul i64 {left}, {right}")

    def _vector_count(self) -> str:
        """Vectors of a threadgroup, at most: the rows' vectors, or those of all threads."""
        if "vectors" not in self.__dict__:
            x, y, z = (
                self.convert(self._scalar(t), dtypes.int64).text for t in self.sizes["threads"]
            )
            if self.linear:
                x, y, z = self._times(x, self._times(y, z)), "1", "1"
            up = self.w.let(f"add i64 {x}, {self.lanes - 1}")
            each = self.w.let(f"sdiv i64 {up}, {self.lanes}")
            self.vectors = self._times(self._times(each, y), z)
        return self.vectors

    def _make_vector_storage(self) -> None:
        """Room for the variables that live on from run to run: a place for each vector."""
        count = self._vector_count()
        in_loops = self._runs_in_loops(self.pieces, looping=False)
        for variable, accesses in self.shapes.accesses.items():
            if variable in self.fixed or not accesses.assigned:
                continue
            pieces = {path[0] for path in accesses.assigned + accesses.read}
            if any(isinstance(p, Shared) and _counts(p, variable) for p in pieces):
                continue
            stays = len(pieces) > 1 or (not accesses.is_single and pieces <= in_loops)
            if stays:
                kind = value_type(variable.type, self.lanes_of(variable))
                name = f"{variable.name}.all"
                self.all_vectors[variable] = self.w.let(
                    f"alloca {kind}, i64 {count}, align 64", name
                )
        if self.may_fail:
            self.alive = self.w.let(f"alloca i{self.lanes}, i64 {count}, align 64", "alive")

    def _runs_in_loops(self, pieces: tuple[Piece, ...], *, looping: bool) -> set[object]:
        found: set[object] = set()
        for piece in pieces:
            if isinstance(piece, Run):
                found |= {piece} if looping else set()
                continue
            inner = looping or isinstance(piece.statement, For | While)
            for body in piece.bodies:
                found |= self._runs_in_loops(body, looping=inner)
        return found

    # --- a threadgroup

    def _place_group(self, number: str) -> None:
        """The threadgroup's position, origin and size: smaller at the grid's edge."""
        wide = Value(number, dtypes.int64, UNIFORM)
        groups = [self.convert(self._scalar(t), dtypes.int64).text for t in self.sizes["groups"]]
        row = self.w.let(f"sdiv i64 {wide.text}, {groups[0]}")
        x = self.w.let(f"srem i64 {wide.text}, {groups[0]}")
        y, z = (self.w.let(f"{op} i64 {row}, {groups[1]}") for op in ("srem", "sdiv"))
        kind = register_type(self.index)
        self.origin = []
        self.extent = []
        for axis, text in enumerate((x, y, z)):
            place = self._scalar(self._as_index(text))
            self.at["threadgroup_position_in_grid", axis] = place
            threads = self.sizes["threads"][axis]
            origin = self.w.let(f"mul {kind} {place.text}, {threads}")
            left = self.w.let(f"sub {kind} {self.sizes['grid'][axis]}, {origin}")
            size = self.intrinsic("llvm.smin", kind, 0, left, threads)
            self.origin.append(self._scalar(origin))
            self.extent.append(size)
            self.at["threads_per_threadgroup", axis] = self._scalar(size)
        self._count_simdgroups(kind)

    def _count_simdgroups(self, kind: str) -> None:
        if ("simdgroups_per_threadgroup", None) not in self.used and not self.linear:
            return
        plane = self.w.let(f"mul {kind} {self.extent[0]}, {self.extent[1]}")
        self.total = self.w.let(f"mul {kind} {plane}, {self.extent[2]}")
        up = self.w.let(f"add {kind} {self.total}, {SIMDGROUP_LANES - 1}")
        count = self.w.let(f"sdiv {kind} {up}, {SIMDGROUP_LANES}")
        self.at["simdgroups_per_threadgroup", None] = self._scalar(count)

    def _write_group(self) -> None:
        if self.alive:
            with self._counting("0", self._vector_count(), 1, dtypes.int64) as number:
                place = self.w.let(f"getelementptr i{self.lanes}, ptr {self.alive}, i64 {number}")
                self.w.do(f"store i{self.lanes} -1, ptr {place}")
        self._write_pieces(self.pieces)

    def _write_pieces(self, pieces: tuple[Piece, ...]) -> None:
        for piece in pieces:
            if isinstance(piece, Run):
                self._write_run(piece)
            else:
                self._SHARED.get(type(piece.statement), KernelCode._wait)(self, piece)

    # --- runs

    def _write_run(self, run: Run) -> None:
        own = [v for v in self.all_vectors if self._touches(v, run)]
        changed = [v for v in own if self._changes(v, run)]

        def write(number: str) -> None:
            self._enter_vector(own, number)
            self.block(run.statements, run.path)
            self._leave_vector(changed, number)

        size = sum(1 for s in walk.statements(run.statements) for _ in walk.expressions(s))
        self._each_vector(write, twice=size <= _TWICE_WRITTEN_EXPRESSIONS)

    def _touches(self, variable: Variable, piece: Piece) -> bool:
        accesses = self.shapes.accesses[variable]
        return any(path[0] is piece for path in accesses.assigned + accesses.read)

    def _changes(self, variable: Variable, piece: Piece) -> bool:
        return any(path[0] is piece for path in self.shapes.accesses[variable].assigned)

    def _enter_vector(self, variables: list[Variable], number: str) -> None:
        self.bound = dict(self.fixed)
        self.return_label = self.w.label("vector.end")
        self._fetch(variables, number)
        self.live = ""
        if not self.shapes.has_masked_return:
            return
        kind = vector_type("i1", self.lanes)
        self.live = self.w.slot(kind, "live")
        if self.alive:
            self._drop_failed(number)
        self.w.do(f"store {kind} {self.mask_text()}, ptr {self.live}")

    def _drop_failed(self, number: str) -> None:
        bits = f"i{self.lanes}"
        place = self.w.let(f"getelementptr {bits}, ptr {self.alive}, i64 {number}")
        alive = self.w.let(f"load {bits}, ptr {place}")
        mask = self.w.let(f"bitcast {bits} {alive} to {vector_type('i1', self.lanes)}")
        self.mask = self.narrowed_mask(mask)
        kind = vector_type("i1", self.lanes)
        self.w.do(f"store {kind} {self.mask}, ptr {self.live}")
        some = self.w.label("alive")
        self.w.branch(self.any_active(), some, self.return_label)
        self.w.start(some)

    def _leave_vector(self, variables: list[Variable], number: str) -> None:
        self.w.jump(self.return_label)
        self.w.start(self.return_label)
        for variable in variables:
            kind = value_type(variable.type, self.lanes_of(variable))
            text = self.w.let(f"load {kind}, ptr {self.slot_of(variable)}")
            self.w.do(f"store {kind} {text}, ptr {self._place(variable, number)}")
        if self.alive and self.live:
            bits, kind = f"i{self.lanes}", vector_type("i1", self.lanes)
            live = self.w.let(f"load {kind}, ptr {self.live}")
            text = self.w.let(f"bitcast {kind} {live} to {bits}")
            place = self.w.let(f"getelementptr {bits}, ptr {self.alive}, i64 {number}")
            self.w.do(f"store {bits} {text}, ptr {place}")

    def _place(self, variable: Variable, number: str) -> str:
        kind = value_type(variable.type, self.lanes_of(variable))
        return self.w.let(f"getelementptr {kind}, ptr {self.all_vectors[variable]}, i64 {number}")

    def _fetch(self, variables: list[Variable], number: str) -> None:
        for variable in variables:
            kind = value_type(variable.type, self.lanes_of(variable))
            text = self.w.let(f"load {kind}, ptr {self._place(variable, number)}")
            self.w.do(f"store {kind} {text}, ptr {self.slot_of(variable)}")

    # --- the vectors of a threadgroup

    def _each_vector(self, write: Callable[[str], None], *, twice: bool) -> None:
        """Write a loop over the vectors; ``write`` is told the text of a vector's number."""
        self.number = self.w.slot("i64", "vector")
        self.w.do(f"store i64 0, ptr {self.number}")
        if self.linear:
            self._each_in_row(write, self.total, None, None, twice=twice)
            return
        with (
            self._counting("0", self.extent[2], 1, self.index) as z,
            self._counting("0", self.extent[1], 1, self.index) as y,
        ):
            self._each_in_row(write, self.extent[0], y, z, twice=twice)

    def _each_in_row(
        self, write: Callable[[str], None], size: str, y: str | None, z: str | None, *, twice: bool
    ) -> None:
        kind = register_type(self.index)
        if not twice:
            with self._counting("0", size, self.lanes, self.index) as x:
                self._write_vector(write, x, y, z, self._lanes_below(x, size))
            return
        rest = self.w.let(f"and {kind} {size}, {self.lanes - 1}")
        full = self.w.let(f"sub {kind} {size}, {rest}")
        with self._counting("0", full, self.lanes, self.index) as x:
            self._write_vector(write, x, y, z, None)
        tail, done = self.w.label("tail"), self.w.label("row.end")
        self.w.branch(self.w.let(f"icmp ne {kind} {rest}, 0"), tail, done)
        self.w.start(tail)
        self._write_vector(write, full, y, z, self._lanes_below(full, size))
        self.w.jump(done)
        self.w.start(done)

    def _lanes_below(self, x: str, size: str) -> str:
        lanes = self.vector(Value(x, self.index, 1))
        limit = self.vector(self._scalar(size))
        return self.w.let(
            f"icmp slt {vector_type(register_type(self.index), self.lanes)} {lanes}, {limit}"
        )

    @contextmanager
    def _counting(self, start: str, stop: str, step: int, dtype: dtypes.DType) -> Iterator[str]:
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
        self._place_vector(x, y, z)
        number = "0" if self.is_flat else self.w.let(f"load i64, ptr {self.number}")
        self._place_own_arrays(number)
        write(number)
        if not self.is_flat:
            following = self.w.let(f"add i64 {number}, 1")
            self.w.do(f"store i64 {following}, ptr {self.number}")
        self.mask = None

    def _place_own_arrays(self, number: str) -> None:
        """Each vector has its own piece of the threads' arrays."""
        if self.is_flat:
            return
        self.bases = self.__dict__.setdefault("bases", {})
        for array in self.kernel.arrays:
            if array.type.space is not Space.THREAD:
                continue
            storage = self.storages[array]
            base = self.bases.setdefault(array, storage.pointer)
            count = 1
            for extent in storage.extents:
                count *= int(extent)
            offset = self.w.let(f"mul i64 {number}, {count}")
            kind = vector_type(memory_type(array.type.dtype), self.lanes)
            pointer = self.w.let(f"getelementptr {kind}, ptr {base}, i64 {offset}")
            self.storages[array] = Storage(pointer, storage.extents, storage.strides)

    def _place_vector(self, x: str, y: str | None, z: str | None) -> None:
        """The positions of a vector's threads, as far as the kernel asks for them."""
        if y is None or z is None:
            places = self._places_of_index(x)
            index = Value(x, self.index, 1)
        else:
            places = (Value(x, self.index, 1), self._scalar(y), self._scalar(z))
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
        width, height = self._scalar(self.extent[0]), self._scalar(self.extent[1])
        row = self.binary("floor_divide", index, width)
        column = self.binary("remainder", index, width)
        layer = self.binary("floor_divide", row, height)
        return column, self.binary("remainder", row, height), layer

    # --- control flow that a threadgroup takes at once

    def _for_all(self, expression: Expression) -> Value:
        """The value of an expression that all threads agree on: that of the first."""
        self.mask = None
        if self.linear:
            self._place_vector("0", None, None)
        else:
            self._place_vector("0", "0", "0")
        self._place_own_arrays("0")
        self.bound = dict(self.fixed)
        self._fetch([v for v in self.all_vectors if v in _variables_of(expression)], "0")
        value = self.evaluate(expression)
        return Value(self.first(value), value.type, UNIFORM)

    def _agree(self, piece: Shared, expression: Expression) -> Value:
        """The same; at debug level 2 the launch fails where threads do not agree."""
        if self.reports_positions:
            self._check_agreement(piece, expression)
        return self._for_all(expression)

    def _check_agreement(self, piece: Shared, expression: Expression) -> None:
        some = self.w.slot("i1", "some")
        self.w.do(f"store i1 false, ptr {some}")
        own = [v for v in self.all_vectors if v in _variables_of(expression)]
        first = self._for_all(expression)

        def write(number: str) -> None:
            self._enter_vector(own, number)
            value = self.evaluate(expression)
            same = self.compare("eq", value, Value(first.text, value.type, UNIFORM))
            differs = self.narrowed_mask(self.opposite(self.vector(same)))
            before = self.w.let(f"load i1, ptr {some}")
            now = self.w.let(f"or i1 {before}, {self.any_active(differs)}")
            self.w.do(f"store i1 {now}, ptr {some}")
            self.report_divergence(piece.statement, differs)
            self._leave_vector([], number)

        self._each_vector(write, twice=False)
        fine = self.w.label("all.agree")
        self.w.branch(self.w.let(f"load i1, ptr {some}"), self.group_end, fine)
        self.w.start(fine)

    def _shared_if(self, piece: Shared) -> None:
        assert isinstance(piece.statement, If)
        condition = self._agree(piece, piece.statement.condition)
        then, otherwise, join = (self.w.label(n) for n in ("then", "else", "join"))
        self.w.branch(condition.text, then, otherwise)
        for label, body in zip((then, otherwise), piece.bodies, strict=False):
            self.w.start(label)
            self._write_pieces(body)
            self.w.jump(join)
        if len(piece.bodies) == 1:
            self.w.start(otherwise)
            self.w.jump(join)
        self.w.start(join)

    def _shared_while(self, piece: Shared) -> None:
        assert isinstance(piece.statement, While)
        head, body, end = (self.w.label(n) for n in ("head", "body", "end.loop"))
        self.w.jump(head)
        self.w.start(head)
        condition = self._agree(piece, piece.statement.condition)
        self.w.branch(condition.text, body, end)
        self.w.start(body)
        self.shared_loops.append((head, end))
        self._write_pieces(piece.bodies[0])
        self.shared_loops.pop()
        self.w.jump(head)
        self.w.start(end)

    def _shared_for(self, piece: Shared) -> None:
        node = piece.statement
        assert isinstance(node, For)
        start, stop, step = (self._agree(piece, e) for e in (node.start, node.stop, node.step))
        kind = value_type(node.counter.type, 0)
        slot = self.w.slot(kind, node.counter.name)
        self.w.do(f"store {kind} {start.text}, ptr {slot}")
        head, body, following, end = (self.w.label(n) for n in ("head", "body", "next", "end.loop"))
        self.w.jump(head)
        self.w.start(head)
        value = Value(self.w.let(f"load {kind}, ptr {slot}"), node.counter.type, UNIFORM)
        self.w.branch(self._before_stop(value, stop, step).text, body, end)
        self.w.start(body)
        self.fixed[node.counter] = value
        self.shared_loops.append((following, end))
        self._write_pieces(piece.bodies[0])
        self.shared_loops.pop()
        self.w.jump(following)
        self.w.start(following)
        after = self.binary("add", value, step)
        self.w.do(f"store {kind} {after.text}, ptr {slot}")
        self.w.jump(head)
        self.w.start(end)

    def _shared_break(self, piece: Shared) -> None:
        del piece
        self._jump_away(self.shared_loops[-1][1])

    def _shared_continue(self, piece: Shared) -> None:
        del piece
        self._jump_away(self.shared_loops[-1][0])

    def _shared_return(self, piece: Shared) -> None:
        del piece
        self._jump_away(self.group_end)

    def _wait(self, piece: Shared) -> None:
        """A barrier: the runs before it are over, and one thread runs them all."""

    _SHARED = {  # noqa: RUF012 - never changed
        If: _shared_if,
        For: _shared_for,
        While: _shared_while,
        Break: _shared_break,
        Continue: _shared_continue,
        Return: _shared_return,
    }


def _counts(piece: Shared, variable: Variable) -> bool:
    return isinstance(piece.statement, For) and piece.statement.counter is variable


def _variables_of(expression: Expression) -> set[Variable]:
    from_reads = (e for e in (*walk.expressions(expression), expression))
    return {e.variable for e in from_reads if hasattr(e, "variable")}
