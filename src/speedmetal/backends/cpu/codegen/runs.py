"""The runs between barriers, and the variables that live on from one to the next."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from speedmetal import dtypes
from speedmetal.backends.cpu.codegen.llvm_text import MATRIX_ELEMENTS, value_type, vector_type
from speedmetal.backends.cpu.codegen.regions import BarrierRegion, Piece, Shared
from speedmetal.backends.cpu.codegen.vectors import Vectors
from speedmetal.ir import walk
from speedmetal.ir.nodes import For, Variable
from speedmetal.ir.types import MatrixType

_STACK_BYTES = 65_536
"""Up to this size, an object of a kernel's threads is on the stack, whose size others decide on.

Threads that Python starts have 8 MiB where nothing else is said, which a threadgroup's variables
and arrays may exceed; users may have set less with ``threading.stack_size``.
"""

_ALIGNMENT = 64
_TWICE_WRITTEN_EXPRESSIONS = 250
"""Up to this size a body is written twice: for full vectors without masks, and for the rest."""


class Runs(Vectors):
    """Writes runs; a variable that several touch has a place for each vector."""

    _vectors = ""  # how many a threadgroup has, at most
    _blocks: list[str]  # from the heap

    def prepare_rooms(self) -> None:
        """Forget the memory of another kernel."""
        self._blocks = []

    def prepare_runs(self) -> None:
        """Make the places, once for all threadgroups."""
        self.all_vectors: dict[Variable, str] = {}
        self.alive = ""  # of each vector: the threads that have not failed, in kernels that may
        if not self.is_flat:
            self._make_vector_storage()

    def times(self, left: str, right: str) -> str:
        if not left.startswith("%") and not right.startswith("%"):
            return str(int(left) * int(right))
        return self.w.let(f"mul i64 {left}, {right}")

    def vector_count(self) -> str:
        """Vectors of a threadgroup, at most: the rows' vectors, or those of all threads."""
        if not self._vectors:
            x, y, z = (
                self.convert(self.scalar(t), dtypes.int64).text for t in self.sizes["threads"]
            )
            if self.linear:
                x, y, z = self.times(x, self.times(y, z)), "1", "1"
            up = self.w.let(f"add i64 {x}, {self.lanes - 1}")
            each = self.w.let(f"sdiv i64 {up}, {self.lanes}")
            self._vectors = self.times(self.times(each, y), z)
        return self._vectors

    # --- memory of all vectors

    def room(self, kind: str, size_bytes: int, count: str, hint: str) -> str:
        """Memory until the function ends: on the stack where it is small, else on the heap.

        Args:
            kind: LLVM's type of an item.
            size_bytes: Of an item.
            count: How many: a number, or an i64.
            hint: For the memory's name.
        """
        size = self.times(count, str(size_bytes))
        if not size.startswith("%"):
            is_small = int(size) <= _STACK_BYTES
            return self._on_stack(kind, count, hint) if is_small else self._on_heap(size)
        near, far, made = (self.w.label(n) for n in ("stack", "heap", "made"))
        self.w.branch(self.w.let(f"icmp ule i64 {size}, {_STACK_BYTES}"), near, far)
        self.w.start(near)
        stack = self._on_stack(kind, count, hint)
        self.w.jump(made)
        self.w.start(far)
        heap = self._on_heap(size)
        self.w.jump(made)
        self.w.start(made)
        block = self.w.let(f"phi ptr [ null, %{near} ], [ {self._blocks.pop()}, %{far} ]")
        self._blocks.append(block)  # free(null) does nothing
        return self.w.let(f"phi ptr [ {stack}, %{near} ], [ {heap}, %{far} ]", hint)

    def _on_stack(self, kind: str, count: str, hint: str) -> str:
        return self.w.let(f"alloca {kind}, i64 {count}, align {_ALIGNMENT}", hint)

    def _on_heap(self, size: str) -> str:
        more = self.w.let(f"add i64 {size}, {_ALIGNMENT - 1}")
        block = self.w.call("ptr", "malloc", ("i64", more))
        self._blocks.append(block)
        above = self.w.let(f"getelementptr i8, ptr {block}, i64 {_ALIGNMENT - 1}")
        mask = ("i64", str(-_ALIGNMENT))
        return self.w.call("ptr", "llvm.ptrmask.p0.i64", ("ptr", above), mask)

    def free_rooms(self) -> None:
        """Give back what came from the heap, where the function ends."""
        for block in self._blocks:
            self.w.call("void", "free", ("ptr", block))

    def _make_vector_storage(self) -> None:
        """Room for the variables that live on from run to run: a place for each vector."""
        lasting = list(self._lasting_variables())
        sizes = [self._place_bytes(variable) for variable in lasting]
        if self.may_fail:
            sizes.append(_ALIGNMENT)
        if not sizes:
            return
        count = self.vector_count()
        base = self.room(f"[{sum(sizes)} x i8]", sum(sizes), count, "places")
        for variable, before in zip(lasting, accumulate(sizes, initial=0), strict=False):
            self.all_vectors[variable] = self._inside(base, before, count, f"{variable.name}.all")
        if self.may_fail:
            self.alive = self._inside(base, sum(sizes) - _ALIGNMENT, count, "alive")

    def _inside(self, base: str, before: int, count: str, hint: str) -> str:
        offset = self.times(count, str(before))
        return self.w.let(f"getelementptr i8, ptr {base}, i64 {offset}", hint)

    def _place_bytes(self, variable: Variable) -> int:
        """What a variable takes for each vector, with room for what follows it to be aligned."""
        kind = variable.type
        if isinstance(kind, MatrixType):
            size = MATRIX_ELEMENTS * kind.dtype.itemsize
        else:
            size = kind.itemsize * (self.lanes_of(variable) or 1)
        return -(-size // _ALIGNMENT) * _ALIGNMENT

    def _lasting_variables(self) -> Iterator[Variable]:
        for variable, accesses in self.shapes.accesses.items():
            if variable in self.fixed or not accesses.assigned:
                continue
            pieces = {path[0] for path in accesses.assigned + accesses.read}
            if any(isinstance(p, Shared) and _counts(p, variable) for p in pieces):
                continue
            # What one run alone touches, it gives a value before it reads it, every time.
            if len(pieces) > 1:
                yield variable

    # --- runs

    def write_run(self, run: BarrierRegion) -> None:
        own = [v for v in self.all_vectors if self._touches(v, run)]
        changed = [v for v in own if self._changes(v, run)]

        def write(number: str) -> None:
            self.enter_vector(own, number)
            self.block(run.statements, run.path)
            self.leave_vector(changed, number)

        size = walk.size(run.statements)
        self.each_vector(write, twice=size <= _TWICE_WRITTEN_EXPRESSIONS)

    def _touches(self, variable: Variable, piece: Piece) -> bool:
        accesses = self.shapes.accesses[variable]
        return any(path[0] is piece for path in accesses.assigned + accesses.read)

    def _changes(self, variable: Variable, piece: Piece) -> bool:
        return any(path[0] is piece for path in self.shapes.accesses[variable].assigned)

    def enter_vector(self, variables: list[Variable], number: str) -> None:
        self.bound = dict(self.fixed)
        self.return_label = self.w.label("vector.end")
        self.fetch(variables, number)
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

    def leave_vector(self, variables: list[Variable], number: str) -> None:
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

    def fetch(self, variables: list[Variable], number: str) -> None:
        for variable in variables:
            kind = value_type(variable.type, self.lanes_of(variable))
            text = self.w.let(f"load {kind}, ptr {self._place(variable, number)}")
            self.w.do(f"store {kind} {text}, ptr {self.slot_of(variable)}")


def _counts(piece: Shared, variable: Variable) -> bool:
    return isinstance(piece.statement, For) and piece.statement.counter is variable
