"""Loops over the vectors of a threadgroup."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from speedmetal.backends.cpu.codegen.decisions.plan import Plan
from speedmetal.backends.cpu.codegen.operations.active_lanes import ActiveLanes
from speedmetal.backends.cpu.codegen.operations.emitter import Emitter
from speedmetal.backends.cpu.codegen.operations.llvm_text import vector_type
from speedmetal.backends.cpu.codegen.operations.values import Lanes, Value
from speedmetal.backends.cpu.codegen.threadgroups.arrays import OwnArrays
from speedmetal.backends.cpu.codegen.threadgroups.blocks import Blocks
from speedmetal.backends.cpu.codegen.threadgroups.positions import Positions

WriteVector = Callable[[str], None]
"""Writes what a vector does; it is told the text of the vector's number, an i64."""


class Vectors:
    """Writes loops over vectors. Owns the number of the vector.

    Sets the active lanes, and tells the positions and the arrays which vector it is.
    """

    def __init__(
        self,
        emit: Emitter,
        lanes: Lanes,
        active: ActiveLanes,
        positions: Positions,
        arrays: OwnArrays,
        blocks: Blocks,
        plan: Plan,
    ) -> None:
        self._emit = emit
        self._blocks = blocks
        self._lanes = lanes
        self._active = active
        self._positions = positions
        self._arrays = arrays
        self._cutting = plan.cutting
        self._is_flat = plan.is_flat
        self._by_rows = plan.by_rows
        self._row: tuple[str, str] | None = None  # y and z, where rows go by themselves
        self._asks_rows = plan.asks_rows
        self._number = ""  # slot

    def each_row(self, write: Callable[[], None]) -> None:
        """Write what a threadgroup does, or each of its rows where those go by themselves."""
        if not self._by_rows:
            write()
            return
        with self._counting_rows() as (y, z):
            self._row = (y, z)
            self._positions.begin_row(y, z)
            write()
            self._row = None

    @contextmanager
    def _counting_rows(self) -> Iterator[tuple[str, str]]:
        """Write loops over the rows of a threadgroup around what is written meanwhile.

        Yields y and z; the number of the row and 0, where nothing tells these from each other.
        """
        emit, extent, kind = self._emit, self._positions.extent, self._positions.index_type
        if not self._asks_rows:
            rows = emit.let(f"mul {kind} {extent[1]}, {extent[2]}")
            with emit.counting(kind, "0", rows, 1) as row:
                yield row, "0"
            return
        with (
            emit.counting(kind, "0", extent[2], 1) as z,
            emit.counting(kind, "0", extent[1], 1) as y,
        ):
            yield y, z

    def each(self, write: WriteVector, *, twice: bool) -> None:
        """Write a loop over all vectors, of the threadgroup or of the row that is being written.

        Args:
            write: Writes what a vector does.
            twice: Whether full vectors have a text of their own, without a mask.
        """
        emit, extent, kind = self._emit, self._positions.extent, self._positions.index_type
        self._number = emit.slot("i64", "vector")
        emit.do(f"store i64 0, ptr {self._number}")
        if self._cutting.linear:
            self._each_in_row(write, self._positions.total, None, None, twice=twice)
            return
        if self._row is not None:
            self._each_in_row(write, extent[0], *self._row, twice=twice)
            return
        if not self._blocks.is_needed:
            with self._counting_rows() as (y, z):
                self._each_in_row(write, extent[0], y, z, twice=twice)
            return
        with emit.counting(kind, "0", extent[2], 1) as z:
            in_blocks = self._each_in_blocks(write, z)
            with emit.counting(kind, "0", extent[1], 1) as y:
                is_done = emit.let(f"icmp slt {kind} {y}, {in_blocks[1]}")
                begin = emit.let(f"select i1 {is_done}, {kind} {in_blocks[0]}, {kind} 0")
                self._each_in_row(write, extent[0], y, z, twice=twice, begin=begin)

    def _each_in_blocks(self, write: WriteVector, z: str) -> tuple[str, str]:
        """Write a loop over blocks of vectors, and over each block's rows.

        Returns:
            How far the blocks go, along x and y.
        """
        emit, kind, lanes = self._emit, self._positions.index_type, self._lanes.count
        ends = [self._whole_vectors(self._positions.extent[axis]) for axis in (0, 1)]
        with (
            emit.counting(kind, "0", ends[1], lanes) as first,
            emit.counting(kind, "0", ends[0], lanes) as x,
        ):
            self._positions.place_vector(x, first, z)
            self._blocks.fetch()
            with emit.counting(kind, "0", str(lanes), 1) as row:
                self._blocks.begin_row(f"{kind} {row}")
                self._one(write, x, emit.let(f"add {kind} {first}, {row}"), z, None)
            self._blocks.leave()
        return ends[0], ends[1]

    def _whole_vectors(self, size: str) -> str:
        """So many of some threads as are whole vectors."""
        kind = self._positions.index_type
        return self._emit.let(f"and {kind} {size}, {-self._lanes.count}")

    def _each_in_row(
        self,
        write: WriteVector,
        size: str,
        y: str | None,
        z: str | None,
        *,
        twice: bool,
        begin: str = "0",
    ) -> None:
        emit, kind, lanes = self._emit, self._positions.index_type, self._lanes.count
        if self._cutting.is_whole:
            with emit.counting(kind, begin, size, lanes) as x:
                self._one(write, x, y, z, None)
            return
        if not twice:
            with emit.counting(kind, begin, size, lanes) as x:
                self._one(write, x, y, z, self._lanes_below(x, size))
            return
        full = self._whole_vectors(size)
        rest = emit.let(f"sub {kind} {size}, {full}")
        with emit.counting(kind, begin, full, lanes) as x:
            self._one(write, x, y, z, None)
        tail, done = emit.label("tail"), emit.label("row.end")
        emit.branch(emit.let(f"icmp ne {kind} {rest}, 0"), tail, done)
        emit.start(tail)
        self._active.in_tail = True
        self._one(write, full, y, z, self._lanes_below(full, size))
        self._active.in_tail = False
        emit.jump(done)
        emit.start(done)

    def _lanes_below(self, x: str, size: str) -> str:
        lanes = self._lanes.vector(Value(x, self._positions.index, 1))
        limit = self._lanes.vector(self._positions.scalar(size))
        kind = vector_type(self._positions.index_type, self._lanes.count)
        return self._emit.let(f"icmp slt {kind} {lanes}, {limit}")

    def _one(
        self, write: WriteVector, x: str, y: str | None, z: str | None, mask: str | None
    ) -> None:
        self._active.mask = mask
        self._positions.place_vector(x, y, z)
        number = "0" if self._is_flat else self._emit.let(f"load i64, ptr {self._number}")
        self._arrays.place(number)
        write(number)
        if not self._is_flat:
            following = self._emit.let(f"add i64 {number}, 1")
            self._emit.do(f"store i64 {following}, ptr {self._number}")
        self._active.mask = None
