"""Loops through device memory, taken in the order in which a GPU goes.

Kernels are written so that the threads of a threadgroup read neighbouring elements in each
iteration. To take one vector of threads through all iterations before the next would jump through
memory, past what the processor fetches ahead. So such a loop is taken by the threadgroup as a
whole, in blocks of a few iterations, through which all vectors go before any goes on, as if a
barrier stood between the blocks; the price is that what the threads carry on waits in memory from
block to block. (Strip-mining and interchange, of the loop and of that over the vectors: Allen and
Kennedy, "Optimizing Compilers for Modern Architectures", 2002.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from speedmetal.backends.cpu.codegen.decisions.lane_strides import UNIFORM, Stride
from speedmetal.backends.cpu.codegen.decisions.slopes import Slopes
from speedmetal.common.records import record, replace
from speedmetal.dtypes import DType, bool_, unsigned_of
from speedmetal.intrinsics.record import Varies
from speedmetal.ir import analysis, walk
from speedmetal.ir.nodes import (
    Array,
    Assert,
    Barrier,
    Binary,
    Break,
    Compare,
    Constant,
    Continue,
    Convert,
    Expression,
    Extent,
    For,
    Kernel,
    Load,
    Read,
    Return,
    Select,
    Statement,
    Store,
    Variable,
    While,
)
from speedmetal.ir.types import Space
from speedmetal.ir.uniformity import Uniformities, Uniformity
from speedmetal.source import SourceSpan

_LARGEST_BODY = 60
"""Expressions: in larger bodies, the order of memory accesses matters less."""

_LINE_BYTES = 64

_ALONG_ROWS = 1
"""Iterations that a vector goes through before the next one does, where they lead along a row.

The vectors of one iteration read one stretch of memory, as processors foresee it.
"""
_LOADING_DOWN_ROWS = 8
"""The same where each iteration loads from another row.

Measured on two cores of a Sapphire Rapids, the column sums of 64 x 2^20 float32: 24.6 ms vector by
vector; in blocks of 1, 2, 4, 8 and 16 iterations 25.4, 18.6, 17.3, 12.2 and 13.4 ms (NumPy: 31).
"""
_SHORT_ROW_BYTES = 1024
"""Of rows up to this length, one iteration is loaded after the other all the same.

Several lie in one page then, and are one stretch of memory. Measured on one core of a Zen 4, the
column sums of 2^24 float32, in blocks of 1 and 8 iterations: 2.3 and 3.5 ms with rows of 64, 2.5
and 6.7 ms with rows of 256, but 5.9 and 3.3 ms with rows of 4096.
"""
_STORING_DOWN_ROWS = 2
"""The same where each iteration stores to another row: then few rows are to be open at once.

As above, the sum of two arrays: 196 ms vector by vector, in blocks 38, 39, 52, 194 and 200 ms.
"""


@record
class Block:
    """Iterations through which a vector goes without waiting for others.

    Args:
        iterations: How many.
        rows: An array with whose rows, where they are short, it is one alone.
    """

    iterations: int
    rows: Array | None = None


def may_stream(kernel: Kernel) -> bool:
    """Whether it is worth asking: whether a loop goes to device memory."""
    return any(
        isinstance(loop, For) and _device_accesses(loop) for loop in walk.statements(kernel.body)
    )


def streaming_loops(
    kernel: Kernel, stride_of: Callable[[Expression], Stride], *, by_rows: bool
) -> dict[Statement, Block]:
    """The loops of a kernel that are better taken by a whole threadgroup at once, or by a row.

    Args:
        kernel: To be printed.
        stride_of: How an expression's value varies over the lanes of a vector.
        by_rows: Whether each row of the threadgroup takes them by itself.
    """
    if kernel.debug or any(isinstance(s, Return | Assert) for s in walk.statements(kernel.body)):
        return {}
    search = _Search(kernel, stride_of, by_rows=by_rows)
    search.block(kernel.body)
    return search.found


def cut_into_blocks(
    kernel: Kernel, loops: Mapping[Statement, Block]
) -> tuple[Kernel, frozenset[Statement]]:
    """The kernel with each of its loops cut into blocks of iterations, and the loops over blocks.

    Args:
        kernel: To be printed.
        loops: Found by `streaming_loops`.
    """
    if not loops:
        return kernel, frozenset()
    made: list[Statement] = []

    def change(body: tuple[Statement, ...]) -> tuple[Statement, ...]:
        return tuple(map(change_one, body))

    def change_one(statement: Statement) -> Statement:
        if statement in loops:
            assert isinstance(statement, For)
            made.append(_in_blocks(statement, loops[statement], kernel.index_type))
            return made[-1]
        return walk.map_blocks(statement, change)

    return replace(kernel, body=change(kernel.body)), frozenset(made)


def _in_blocks(loop: For, block: Block, index_type: DType) -> For:
    """A loop over blocks around a loop over the iterations of each.

    A loop whose step only the running program knows has one iteration a block: which way it goes
    is not known.
    """
    step, dtype, span, iterations = loop.step, loop.counter.type, loop.span, block.iterations
    assert isinstance(dtype, DType)
    if iterations == 1 or not isinstance(step, Constant):
        return loop
    if abs(step.value) * iterations > dtype.maximum:
        return loop
    length = _length_of(block, int(step.value), dtype, index_type, span)
    first = Variable(f"{loop.counter.name}_block", dtype, span)
    begin = Read(first, span)
    # How far the end is, in unsigned arithmetic: a distance between two values of a type has its
    # width, and where it is more than a block, the block's end is in the type.
    unsigned = unsigned_of(dtype)
    near, far = (begin, loop.stop) if step.value > 0 else (loop.stop, begin)
    last, begun = Convert(far, unsigned, span), Convert(near, unsigned, span)
    distance = Binary("subtract", last, begun, unsigned, span)
    far_from = _length_of(block, abs(int(step.value)), unsigned, index_type, span)
    is_far = Compare("gt", distance, far_from, bool_, span)
    end = Binary("add", begin, length, dtype, span)
    stop = Select(is_far, end, loop.stop, dtype, span)
    inner = For(loop.counter, begin, stop, step, loop.body, span)
    return For(first, loop.start, loop.stop, length, (inner,), span)


def _length_of(
    block: Block, step: int, dtype: DType, index_type: DType, span: SourceSpan
) -> Expression:
    """How far a block goes, of a loop with this step."""
    length = Constant(step * block.iterations, dtype, span)
    if block.rows is None:
        return length
    kind = block.rows.type
    columns = Extent(block.rows, kind.rank - 1, index_type, span)
    short = Constant(_SHORT_ROW_BYTES // kind.dtype.itemsize, index_type, span)
    are_short = Compare("le", columns, short, bool_, span)
    return Select(are_short, Constant(step, dtype, span), length, dtype, span)


class _Search:
    """What takes a walk through the kernel is found when a loop is short enough to ask for it."""

    def __init__(
        self, kernel: Kernel, stride_of: Callable[[Expression], Stride], *, by_rows: bool
    ) -> None:
        self._kernel = kernel
        self._by_rows = by_rows
        self._stride_of = stride_of
        self.found: dict[Statement, Block] = {}

    @cached_property
    def _agreed(self) -> Uniformities:
        body, stored = self._kernel.body, analysis.facts(self._kernel).stored
        return Uniformities(body, stored, Varies.THREADGROUPS, of_rows=self._by_rows)

    @cached_property
    def _slopes(self) -> Slopes:
        return Slopes(self._kernel)

    def block(self, body: tuple[Statement, ...]) -> None:
        """Look at the loops that the whole threadgroup reaches at once."""
        for statement in body:
            if isinstance(statement, For) and (block := self._block(statement)):
                self.found[statement] = block
            elif any(isinstance(s, Barrier) for s in walk.statements((statement,))):
                for inner in walk.blocks(statement):
                    self.block(inner)

    def _block(self, loop: For) -> Block | None:
        """Of a loop that is taken at once; None for other loops."""
        inside = list(walk.statements(loop.body))
        if any(isinstance(s, Break | Continue | Barrier | For | While) for s in inside):
            return None
        if walk.size(loop.body) > _LARGEST_BODY:
            return None
        bounds = (self._agreed.of(b) for b in (loop.start, loop.stop, loop.step))
        if any(uniformity is not Uniformity.UNIFORM for uniformity in bounds):
            return None
        found = [self._block_for(access, loop) for access in _device_accesses(loop)]
        return min(filter(None, found), key=lambda block: block.iterations, default=None)

    def _block_for(self, access: Load | Store, loop: For) -> Block | None:
        """Of a loop, where lanes are at neighbours and an iteration goes on to another line."""
        axis = access.array.type.unit_axis
        if axis is None:
            return None

        def is_counter(expression: Expression) -> bool:
            return isinstance(expression, Read) and expression.variable is loop.counter

        strides = [self._stride_of(index) for index in access.indices]
        slopes = [self._slopes.of(index, is_counter) for index in access.indices]
        along = slopes.pop(axis)
        if strides.pop(axis) != 1 or any(stride != UNIFORM for stride in strides):
            return None
        if along is None or any(slope is None for slope in slopes):
            return None
        if any(slopes):
            if isinstance(access, Store):
                return Block(_STORING_DOWN_ROWS)
            return Block(_LOADING_DOWN_ROWS, access.array if axis == len(strides) else None)
        step = loop.step.value if isinstance(loop.step, Constant) else _LINE_BYTES
        is_far = abs(along * step) * access.array.type.dtype.itemsize >= _LINE_BYTES
        return Block(_ALONG_ROWS) if is_far else None


def _device_accesses(loop: For) -> list[Load | Store]:
    return [
        node
        for statement in walk.statements(loop.body)
        for node in (*walk.expressions(statement), statement)
        if isinstance(node, Load | Store) and node.array.type.space is Space.DEVICE
    ]
