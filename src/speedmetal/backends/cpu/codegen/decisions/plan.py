"""How a kernel is taken apart, before anything is written: vectors, runs, what is streamed to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, lru_cache

from speedmetal.backends.cpu.codegen.decisions import costs
from speedmetal.backends.cpu.codegen.decisions.lane_strides import (
    UNIFORM,
    VARYING,
    LaneStrides,
    Stride,
)
from speedmetal.backends.cpu.codegen.decisions.ordering import (
    Block,
    cut_into_blocks,
    may_stream,
    streaming_loops,
)
from speedmetal.backends.cpu.codegen.decisions.regions import (
    BarrierRegion,
    Piece,
    Shared,
    all_pieces,
    is_threadgroup_barrier,
    pieces_of,
    runs_beside_loops,
)
from speedmetal.backends.cpu.codegen.decisions.rows import Cutting, Rows, cut_rows
from speedmetal.backends.cpu.codegen.decisions.transposes import TransposedLoad, transposed_loads
from speedmetal.backends.cpu.codegen.vector_unit import VectorUnit
from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.intrinsics.record import Varies
from speedmetal.ir import walk
from speedmetal.ir.analysis import facts
from speedmetal.ir.nodes import (
    Array,
    Call,
    Constant,
    Expression,
    Kernel,
    Read,
    Statement,
    Store,
    Variable,
)
from speedmetal.ir.ranges import Ranges, range_of_type
from speedmetal.ir.types import Space

AXES = range(3)
ANY_ROWS = Rows()

_ROWS_STREAMED_TO = 4

_BLOCKS = (16, 64, 1)
"""For kernels that take loads in blocks, of 16 rows of threads. Measured on both a Zen 4 and a
Sapphire Rapids, ``a.T + b`` of 2048 x 2048: the best of seven shapes."""
_LONG_ROWS = (1024, 1, 1)
"""For kernels with loops down rows, of each of which a threadgroup takes a stretch. Measured on the
same, the column sums of 64 x 2^20: 7.3 and 11 ms, with 256 threads 10 and 12."""
_OF_THREADS = {"thread_position_in_grid", "thread_position_in_threadgroup"}

Position = tuple[str, int | None]
"""The name of an intrinsic, and the axis where it has axes."""


@record
class Plan:
    """What was decided about a kernel.

    Args:
        kernel: To be written.
        cutting: Of rows into vectors.
        pieces: The runs, and the control flow that threadgroups take at once.
        written_twice: The runs with a text for full vectors, and one for what is left of a row.
        strides: How variables vary over the lanes.
        positions: That the kernel asks for.
        streamable: The arrays that may be streamed to, where they are large.
        by_rows: Whether loops are taken by each row of a threadgroup at once, not by all of it.
        transposed: The loads that are taken in blocks, of kernels that are a single run.
    """

    kernel: Kernel
    cutting: Cutting
    pieces: tuple[Piece, ...]
    written_twice: frozenset[BarrierRegion]
    strides: LaneStrides
    positions: frozenset[Position]
    streamable: tuple[Array, ...]
    transposed: tuple[TransposedLoad, ...]
    by_rows: bool

    @property
    def lanes(self) -> int:
        """Threads of a vector."""
        return self.cutting.lanes

    @property
    def is_flat(self) -> bool:
        """Whether the kernel is a single run: nothing lives on from one to another."""
        return len(self.pieces) == 1 and isinstance(self.pieces[0], BarrierRegion)

    @property
    def asks_rows(self) -> bool:
        """Whether a thread's y or z matters, more than the number of its row in the threadgroup."""
        return any(name in _OF_THREADS and axis != 0 for name, axis in self.positions)


def plan_kernel(kernel: Kernel, unit: VectorUnit, rows: Rows = ANY_ROWS) -> Plan:
    """Decide how to write a kernel.

    Args:
        kernel: After all passes for the CPU.
        unit: The processor's.
        rows: What is known of the launch's.
    """
    cutting = cut_rows(kernel, unit, rows)
    position_stride = _position_strides(linear=cutting.linear)
    by_rows = not cutting.linear and _may_go_by_rows(kernel)
    kernel, at_once = cut_into_blocks(kernel, _loops_at_once(kernel, linear=cutting.linear))
    pieces = pieces_of(kernel.body, at_once)
    every = list(all_pieces(pieces))
    given: dict[Variable, Stride] = {
        p: UNIFORM for p in kernel.parameters if isinstance(p, Variable)
    }
    strides = LaneStrides(
        [(piece.path, piece.statements) for piece in every if isinstance(piece, BarrierRegion)],
        given,
        position_stride,
        [(piece.path, piece.statement) for piece in every if isinstance(piece, Shared)],
        _wrapping(kernel),
    )
    return Plan(
        kernel,
        cutting,
        pieces,
        _written_twice(pieces, unit),
        strides,
        _positions_of(kernel),
        tuple(a for a in facts(kernel).only_stored if _is_streamable(a, kernel))
        if unit.has_streaming_stores
        else (),
        () if at_once or not by_rows else transposed_loads(kernel),
        by_rows and bool(at_once),
    )


def suitable_threads(kernel: Kernel) -> tuple[int, int, int] | None:
    """Threads of a threadgroup along each axis, at most, that suit a kernel; None where any do.

    Args:
        kernel: After all passes for the CPU.
    """
    loops = _loops_at_once(kernel, linear=False)
    if any(block.iterations > 1 for block in loops.values()):
        return _LONG_ROWS
    return _BLOCKS if _may_go_by_rows(kernel) and transposed_loads(kernel) else None


def _written_twice(pieces: tuple[Piece, ...], unit: VectorUnit) -> frozenset[BarrierRegion]:
    """The runs in which time may be lost by a mask, and that are not too long."""
    once = runs_beside_loops(pieces) if unit.has_masks else frozenset()
    return frozenset(
        piece
        for piece in all_pieces(pieces)
        if isinstance(piece, BarrierRegion)
        and piece not in once
        and costs.has_full_vectors(piece.statements)
    )


# --- how positions and other values vary


def _position_strides(*, linear: bool) -> Callable[[Call], Stride]:
    def stride(call: Call) -> Stride:
        if call.intrinsic.varies is not Varies.THREADS:
            return UNIFORM
        if not call.intrinsic.axes:  # an index, in which a vector's threads are neighbours
            return 1
        if linear:
            return VARYING
        return 1 if call.axis == 0 else UNIFORM

    return stride


def _wrapping(kernel: Kernel) -> Callable[[Expression], bool]:
    """Whether nothing is known of an integer that has come about by linear steps."""

    @cache  # found when it is first asked for: most kernels do not ask
    def ranges() -> Ranges:
        return Ranges(kernel)

    def may_wrap(value: Expression) -> bool:
        assert isinstance(value.type, DType)
        return ranges().of(value) == range_of_type(value.type)

    return may_wrap


def _may_go_by_rows(kernel: Kernel) -> bool:
    """Whether a threadgroup's rows need not wait for each other: no barrier asks for it."""
    return not any(map(is_threadgroup_barrier, walk.statements(kernel.body)))


@lru_cache(maxsize=1)  # a compile asks for the kernel's threads, then for its plan
def _loops_at_once(kernel: Kernel, *, linear: bool) -> Mapping[Statement, Block]:
    """The loops that the threadgroup takes at once.

    Args:
        kernel: To be printed.
        linear: Whether vectors are cut from the linear thread index.
    """
    if not may_stream(kernel):
        return {}

    @cache  # found when a loop is short enough to ask for it
    def whole() -> LaneStrides:
        return LaneStrides([((), kernel.body)], {}, _position_strides(linear=linear))

    def stride(expression: Expression) -> Stride:
        return whole().stride(expression)

    by_rows = not linear and _may_go_by_rows(kernel)
    return streaming_loops(kernel, stride, by_rows=by_rows)


def _positions_of(kernel: Kernel) -> frozenset[Position]:
    known = facts(kernel)
    if not known.reports_positions:
        return known.positions
    return known.positions | {("thread_position_in_threadgroup", axis) for axis in AXES}


# --- streaming


def _is_streamable(array: Array, kernel: Kernel) -> bool:
    """Whether an array that is stored to alone lies in memory row after row, of which few are open.

    A line that is streamed to goes to memory at once, where each row has another page open.
    Measured on a Zen 4, 16 rows of 2^20 float32, a line of each at a time: 11.8 ms streamed to, 6.6
    by the caches.
    """
    kind = array.type
    has_rows = kind.rank > 0 and kind.unit_axis == kind.rank - 1
    if kind.space is not Space.DEVICE or not has_rows or kind.dtype.is_bool:
        return False
    return len(_rows_stored_to(array, kernel)) <= _ROWS_STREAMED_TO


def _rows_stored_to(array: Array, kernel: Kernel) -> set[tuple[object, ...]]:
    """The indices of an array's rows in the stores to it, as far as they are told apart."""
    return {
        tuple(map(_told_apart, statement.indices[:-1]))
        for statement in walk.statements(kernel.body)
        if isinstance(statement, Store) and statement.array is array
    }


def _told_apart(index: Expression) -> object:
    match index:
        case Constant(value):
            return value
        case Read(variable):
            return variable
    return index
