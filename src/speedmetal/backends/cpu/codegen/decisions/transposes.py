"""Loads whose lanes lie along an array's rows, and rows of threads along its neighbours.

``a[y, x]`` of a transposed ``a`` is such. Each lane's element is in a line of its own, of which the
next row of threads needs the next element: by then it has often left the caches, the more surely
since lines a power of two apart share few places there. So blocks of as many rows as lanes are
loaded as vectors of neighbours, each line once, and transposed in registers before any row of
threads runs.
"""

from __future__ import annotations

from collections.abc import Iterator

from speedmetal.backends.cpu.codegen.decisions.slopes import Slopes
from speedmetal.common.records import record
from speedmetal.intrinsics.record import IntrinsicKind
from speedmetal.ir import walk
from speedmetal.ir.analysis import facts
from speedmetal.ir.nodes import (
    Assign,
    Binary,
    Call,
    Constant,
    Convert,
    Expression,
    Extent,
    Kernel,
    Load,
    Read,
    Store,
)
from speedmetal.ir.types import Space

_MOST = 4
"""Loads that are taken in blocks: each costs LLVM about as much as a hundred other instructions."""

_POSITIONS = {"thread_position_in_grid", "thread_position_in_threadgroup"}


@record(eq=False)
class TransposedLoad:
    """A load that is taken in blocks.

    Args:
        load: It.
        indices: Its indices, of positions, sizes and numbers alone.
    """

    load: Load
    indices: tuple[Expression, ...]


def transposed_loads(kernel: Kernel) -> tuple[TransposedLoad, ...]:
    """The loads of a kernel that are better taken in blocks, of those that every thread makes.

    What is loaded early is what would be loaded in its place: the array is not stored to, and no
    store, to memory that may be the same, comes before.
    """
    if kernel.debug or facts(kernel).tells_simdgroups:
        return ()
    slopes = Slopes(kernel)
    found = []
    for load in _loads_of_all_threads(kernel):
        indices = tuple(map(slopes.resolve, load.indices))
        if load.array in facts(kernel).stored or not _is_transposed(load, indices, slopes):
            continue
        if all(_is_known_before(index, kernel) for index in indices):
            found.append(TransposedLoad(load, indices))
    return tuple(found[:_MOST])


def _loads_of_all_threads(kernel: Kernel) -> Iterator[Load]:
    for statement in kernel.body:
        if not isinstance(statement, Assign | Store):
            return
        for expression in walk.expressions(statement):
            if isinstance(expression, Load) and expression.array.type.space is Space.DEVICE:
                yield expression
        if isinstance(statement, Store):
            return


def _is_transposed(load: Load, indices: tuple[Expression, ...], slopes: Slopes) -> bool:
    """Whether neighbours lie along y, and one other index goes with x."""
    axis = load.array.type.unit_axis
    if axis is None or load.part is not None:
        return False
    along_x = [slopes.of(index, _is_x) for index in indices]
    along_y = [slopes.of(index, _is_y) for index in indices]
    if along_x.pop(axis) != 0 or along_y.pop(axis) != 1:
        return False
    if any(slope is None for slope in (*along_x, *along_y)) or any(along_y):
        return False
    return along_x.count(1) == 1 and along_x.count(0) == len(along_x) - 1


def _is_x(expression: Expression) -> bool:
    return _is_position(expression, 0)


def _is_y(expression: Expression) -> bool:
    return _is_position(expression, 1)


def _is_position(expression: Expression, axis: int) -> bool:
    return (
        isinstance(expression, Call)
        and expression.intrinsic.name in _POSITIONS
        and expression.axis == axis
    )


def _is_known_before(index: Expression, kernel: Kernel) -> bool:
    """Whether an index depends on positions along axes, sizes and parameters alone."""
    for part in (*walk.expressions(index), index):
        match part:
            case Call(intrinsic=intrinsic):
                if intrinsic.kind is not IntrinsicKind.POSITION or not intrinsic.axes:
                    return False
            case Read(variable):
                if variable not in kernel.parameters:
                    return False
            case Constant() | Convert() | Extent() | Binary("add" | "subtract" | "multiply"):
                continue
            case _:
                return False
    return True
