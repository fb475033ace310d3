"""Simdgroup matrices: how they are made, loaded and stored inside a kernel."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from speedmetal import dtypes
from speedmetal.dtypes import DType
from speedmetal.frontend.arguments import Arguments
from speedmetal.frontend.convert import as_dtype, static_int
from speedmetal.frontend.interpreter import AbstractInterpreter, Fault
from speedmetal.frontend.intrinsic_calls import fill_matrix
from speedmetal.frontend.memory import axis_index, flatten_indices, in_memory, note_write
from speedmetal.frontend.memory import extent as extent_of
from speedmetal.frontend.values import (
    NONE,
    Aggregate,
    ArrayView,
    Matrix,
    Static,
    Value,
    describe,
)
from speedmetal.intrinsics import TABLE
from speedmetal.ir import nodes as ir
from speedmetal.ir.types import SIMDGROUP_MATRIX_SIZE, MatrixType, Space
from speedmetal.source import SourceSpan

MOST_MATRIX_ELEMENTS = 8192
"""The largest matrix: 256 elements for each thread of a simdgroup, which has fewer registers."""

Handler = Callable[[AbstractInterpreter, Arguments], Value]
Place = tuple[ir.Array, tuple[ir.Expression, ...]]


def _matrix(run: AbstractInterpreter, arguments: Arguments) -> Value:
    value, kind, shape = arguments.take_some(run, "sm.simdgroup_matrix", "value dtype", "shape")
    assert value is not None
    assert kind is not None
    run.require_inlining()
    span = run.span(arguments.node)
    dtype = as_dtype(kind, span)
    if not dtype.is_float:
        raise Fault(span, f"expected a float dtype for a simdgroup matrix, found {dtype.name}")
    return fill_matrix(
        run, TABLE["simdgroup_matrix_fill"], value, _matrix_type(dtype, shape, span), span
    )


def _matrix_type(dtype: DType, shape: Value | None, span: SourceSpan) -> MatrixType:
    if shape is None:
        return MatrixType(dtype)
    if not (isinstance(shape, Aggregate) and len(shape.items) == 2):
        raise Fault(
            span, f"expected a matrix's shape to be (rows, columns), found {describe(shape)}"
        )
    rows, columns = (static_int(size, span, "a side of a matrix") for size in shape.items)
    for side in (rows, columns):
        if side < SIMDGROUP_MATRIX_SIZE or side % SIMDGROUP_MATRIX_SIZE:
            raise Fault(span, f"expected the sides of a matrix to be multiples of 8, found {side}")
    if rows * columns > MOST_MATRIX_ELEMENTS:
        raise Fault(
            span,
            f"expected a matrix of at most {MOST_MATRIX_ELEMENTS} elements, found {rows}x{columns};"
            " take several smaller ones",
        )
    return MatrixType(dtype, rows, columns)


def _place(
    run: AbstractInterpreter, name: str, array: Value, origin: Value, node: ast.expr
) -> Place:
    span = run.span(node)
    if not (isinstance(array, ArrayView) and array.rank == 2):
        raise Fault(span, f"{name} expects a two-dimensional array, found {describe(array)}")
    if not array.dtype.is_float or array.array.type.space is Space.THREAD:
        raise Fault(
            span,
            f"{name} expects floats in device or threadgroup memory, found {describe(array)}",
        )
    places = flatten_indices([origin])
    if len(places) != 2:
        raise Fault(span, f"{name} expects the place (row, column), found {describe(origin)}")
    first = len(array.prefix)
    return in_memory(run, array.array, node), array.prefix + tuple(
        axis_index(run, array.array, first + number, place, node)
        for number, place in enumerate(places)
    )


def check_block(
    run: AbstractInterpreter, place: Place, sizes: Sequence[int], what: str, span: SourceSpan
) -> tuple[ir.Expression, ...]:
    """From level 1 on, an assertion that a whole block is in bounds; indices to read many times.

    Args:
        run: The run.
        place: The array, and where the block begins.
        sizes: Of the block, along the last axes.
        what: The block's name in messages.
        span: Of the access.
    """
    array, indices = place
    if not run.debug:
        is_one = tuple(sizes) == (SIMDGROUP_MATRIX_SIZE,) * 2  # which is read as a whole
        return indices if is_one else tuple(_steady(run, index) for index in indices)
    steady = tuple(run.keep(index, "index") for index in indices)
    lengths = (1,) * (len(steady) - len(sizes)) + tuple(sizes)
    for axis, (index, length) in enumerate(zip(steady, lengths, strict=True)):
        zero = ir.Constant(0, run.index_type, span)
        size = ir.Constant(length, run.index_type, span)
        extent = extent_of(run, array, axis, span)
        last = ir.Binary("subtract", extent, size, run.index_type, span)
        low = ir.Compare("ge", index, zero, dtypes.bool_, span)
        high = ir.Compare("le", index, last, dtypes.bool_, span)
        inside = ir.Logical("and", low, high, dtypes.bool_, span)
        reason = f"{what} of {array.name}, axis {axis}"
        run.emit(ir.Assert(inside, "index out of bounds", reason, span))
    return steady


def _steady(run: AbstractInterpreter, index: ir.Expression) -> ir.Expression:
    """An index of a block that may be accessed in pieces; computed once, where it is dear."""
    return index if isinstance(index, ir.Constant | ir.Read) else run.keep(index, "index")


def _block_name(rows: int, columns: int) -> str:
    article = "an" if str(rows).startswith("8") else "a"
    return f"{article} {rows}x{columns} block"


def _load(run: AbstractInterpreter, arguments: Arguments) -> Value:
    array, origin, transpose, shape = arguments.take_some(
        run, "sm.simdgroup_load", "array origin", "transpose shape"
    )
    assert array is not None
    assert origin is not None
    run.require_inlining()
    span = run.span(arguments.node)
    if transpose is not None and not (
        isinstance(transpose, Static) and isinstance(transpose.value, bool)
    ):
        raise Fault(span, "expected True or False for transpose, known while compiling")
    place = _place(run, "sm.simdgroup_load", array, origin, arguments.node)
    turned = isinstance(transpose, Static) and bool(transpose.value)
    kind = _matrix_type(place[0].type.dtype, shape, span)
    block = (kind.columns, kind.rows) if turned else kind.shape
    indices = check_block(run, place, block, _block_name(*block), span)
    return Matrix(run.assign_new("matrix", ir.MatrixLoad(place[0], indices, turned, kind, span)))


def _store(run: AbstractInterpreter, arguments: Arguments) -> Value:
    matrix, array, origin = arguments.take(run, "sm.simdgroup_store", "matrix array origin")
    run.require_inlining()
    span = run.span(arguments.node)
    if not isinstance(matrix, Matrix):
        raise Fault(
            span, f"sm.simdgroup_store expects a simdgroup matrix, found {describe(matrix)}"
        )
    place = _place(run, "sm.simdgroup_store", array, origin, arguments.node)
    target = place[0]
    if target.type.dtype is not matrix.dtype:
        raise Fault(
            span,
            f"expected a matrix of {target.type.dtype.name}, as {target.name!r} has,"
            f" found one of {matrix.dtype.name}",
        )
    shape = matrix.type.shape
    indices = check_block(run, place, shape, _block_name(*shape), span)
    note_write(run, target)
    run.emit(ir.MatrixStore(target, indices, matrix.expression, span))
    return NONE


HANDLERS: dict[str, Handler] = {
    "simdgroup_matrix": _matrix,
    "simdgroup_load": _load,
    "simdgroup_store": _store,
}
