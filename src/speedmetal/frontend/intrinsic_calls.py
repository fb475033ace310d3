"""Calls of intrinsics: operand types, results, folding of constants."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from speedmetal import dtypes
from speedmetal.dtypes import DType, Kind
from speedmetal.frontend import complex_functions
from speedmetal.frontend.arguments import Arguments
from speedmetal.frontend.convert import (
    as_number,
    as_scalar,
    convert_expression,
    convert_operand,
    implicit,
    static_int,
    truth,
    unwrap,
)
from speedmetal.frontend.interpreter import AbstractInterpreter, Fault
from speedmetal.frontend.promotion import common_type
from speedmetal.frontend.values import (
    Complex,
    Matrix,
    Position,
    Scalar,
    Static,
    Value,
    describe,
)
from speedmetal.frontend.variable_types import NumberVariable
from speedmetal.intrinsics.record import SIMDGROUP_LANES, Intrinsic, IntrinsicKind, Result
from speedmetal.ir import nodes as ir
from speedmetal.ir.types import MatrixType
from speedmetal.source import SourceSpan


def call_intrinsic(run: AbstractInterpreter, intrinsic: Intrinsic, arguments: Arguments) -> Value:
    """The value of an intrinsic's call.

    Raises:
        Fault: Wrong arguments.
    """
    span = run.span(arguments.node)
    required, optional = " ".join(intrinsic.operands), "width" if intrinsic.parts else ""
    given = arguments.take_some(run, f"sm.{intrinsic.name}", required, optional)
    if intrinsic.parts and (width := given.pop()) is not None:
        intrinsic = _of_width(intrinsic, width, span)
    values = [unwrap(value, span) for value in given if value is not None]
    if intrinsic.kind is IntrinsicKind.POSITION:
        run.require_inlining()
        if intrinsic.axes:
            return Position(intrinsic)
        return Scalar(ir.Call(intrinsic, (), run.index_type, span))
    if intrinsic.kind is IntrinsicKind.MATRIX:
        return _matrix_call(run, intrinsic, values, span)
    return apply(run, intrinsic, values, span)


def _of_width(intrinsic: Intrinsic, width: Value, span: SourceSpan) -> Intrinsic:
    """The intrinsic over parts of a simdgroup that have so many lanes."""
    found = static_int(width, span, f"width of sm.{intrinsic.name}")
    if found == SIMDGROUP_LANES:
        return intrinsic
    if found not in intrinsic.parts:
        raise Fault(
            span,
            f"expected a width of {', '.join(map(str, intrinsic.parts))} or {SIMDGROUP_LANES} for"
            f" sm.{intrinsic.name}, found {found}; it is the number of neighbouring lanes that"
            " share a result",
        )
    return intrinsic.parts[found]


def apply(
    run: AbstractInterpreter, intrinsic: Intrinsic, values: list[Value], span: SourceSpan
) -> Value:
    """A mathematical intrinsic or a collective on numbers."""
    if complex_functions.takes_complex(intrinsic, values):
        return complex_functions.call(run, intrinsic, values, span)
    folded = _fold_constants(intrinsic, values)
    if folded is not None:
        return folded
    exchange = intrinsic.exchange
    if exchange is not None and values and isinstance(values[0], Complex):
        return _on_parts(run, intrinsic, values, span)
    if intrinsic.accepts == frozenset({Kind.BOOL}):
        number, operands = NumberVariable(dtypes.bool_), _convert_to_bools(run, values, span)
    else:
        number, operands = _numbers(run, intrinsic, values, span)
    dtype = number.dtype
    wide = intrinsic.wide and dtype.is_float and dtype.bits == 16
    inner = dtypes.float32 if wide else dtype
    parameters = tuple(
        operand if index in intrinsic.scalar_operands else convert_expression(operand, inner)
        for index, operand in enumerate(operands)
    )
    result = _result_type(run, intrinsic, inner)
    expression: ir.Expression = ir.Call(intrinsic, parameters, result, span)
    if exchange is not None:
        run.require_inlining()
        expression = run.assign_new(intrinsic.name.removeprefix("simd_"), expression)
    if intrinsic.result is Result.SAME:
        return Scalar(convert_expression(expression, dtype), number.weak)
    return Scalar(expression)


def _convert_to_bools(
    run: AbstractInterpreter, values: list[Value], span: SourceSpan
) -> list[ir.Expression]:
    found = [truth(run, value, span) for value in values]
    return [convert_operand(run, value, dtypes.bool_, span) for value in found]


def _numbers(
    run: AbstractInterpreter, intrinsic: Intrinsic, values: list[Value], span: SourceSpan
) -> tuple[NumberVariable, list[ir.Expression]]:
    """The common type of the operands, and the operands in it."""
    name = f"sm.{intrinsic.public_name}"
    for value in values:
        if isinstance(found := as_number(run, value, span), Complex):
            raise Fault(span, f"{name} expects real numbers, found {found.dtype}; use its parts")
    main = tuple(v for i, v in enumerate(values) if i not in intrinsic.scalar_operands)
    number = common_type(run, main, span, name)
    if number.dtype.kind not in intrinsic.accepts:
        number = _accepted_type(run, intrinsic, number, main, span)
    operands = [
        implicit(run, value, dtypes.int32, span, f"{intrinsic.operands[index]} of {name}")
        if index in intrinsic.scalar_operands
        else convert_operand(run, value, number.dtype, span)
        for index, value in enumerate(values)
    ]
    return number, operands


def _accepted_type(
    run: AbstractInterpreter,
    intrinsic: Intrinsic,
    number: NumberVariable,
    values: tuple[Value, ...],
    span: SourceSpan,
) -> NumberVariable:
    """The type that stands in for one that an intrinsic does not take."""
    if number.dtype.is_bool and Kind.SIGNED in intrinsic.accepts:
        return NumberVariable(dtypes.DEFAULT_INT)
    if Kind.FLOAT in intrinsic.accepts and not number.dtype.is_float:
        default = run.unit.default_float if number.weak else dtypes.DEFAULT_FLOAT
        return NumberVariable(default, number.weak)
    kinds = " or ".join(sorted(kind.value for kind in intrinsic.accepts))
    found = " and ".join(describe(value) for value in values)
    raise Fault(span, f"sm.{intrinsic.public_name} expects {kinds}, found {found}")


def _result_type(run: AbstractInterpreter, intrinsic: Intrinsic, dtype: DType) -> DType:
    return {
        Result.SAME: dtype,
        Result.BOOL: dtypes.bool_,
        Result.INT32: dtypes.int32,
        Result.UINT32: dtypes.uint32,
        Result.INDEX: run.index_type,
    }[intrinsic.result]


def _on_parts(
    run: AbstractInterpreter, intrinsic: Intrinsic, values: list[Value], span: SourceSpan
) -> Value:
    """A collective on complex numbers, where it acts on each part alone."""
    number = values[0]
    assert isinstance(number, Complex)
    if intrinsic.exchange is None or not intrinsic.exchange.takes_parts:
        found = number.dtype.name
        raise Fault(span, f"sm.{intrinsic.public_name} expects real numbers, found {found}")
    parts = []
    for part in (number.real, number.imag):
        result = apply(run, intrinsic, [Scalar(part), *values[1:]], span)
        assert isinstance(result, Scalar)
        parts.append(result.expression)
    real, imag = parts
    return Complex(real, imag)


def _fold_constants(intrinsic: Intrinsic, values: list[Value]) -> Static | None:
    """The result on constants in double precision, which stays weak; None where it is not one."""
    if intrinsic.kind is not IntrinsicKind.MATH or not values:
        return None
    if intrinsic.result not in {Result.SAME, Result.BOOL} or Kind.FLOAT not in intrinsic.accepts:
        return None
    found: list[Any] = []
    for value in values:
        if not (isinstance(value, Static) and isinstance(value.value, int | float)):
            return None
        found.append(value.value)
    if any(isinstance(number, int) for number in found) and Kind.SIGNED in intrinsic.accepts:
        return None  # the type of the result would be NumPy's choice
    try:
        operands = [
            operator.index(number) if index in intrinsic.scalar_operands else np.float64(number)
            for index, number in enumerate(found)
        ]
        with np.errstate(all="ignore"):
            result = intrinsic.reference(*operands)
    except (OverflowError, TypeError):  # an integer beyond all types, a float for a whole number
        return None
    number = np.asarray(result).item()
    return Static(number) if isinstance(number, bool | int | float) else None


# --- Matrices --------------------------------------------------------------------------------


def _matrix_call(
    run: AbstractInterpreter, intrinsic: Intrinsic, values: list[Value], span: SourceSpan
) -> Matrix:
    run.require_inlining()
    if not intrinsic.matrix_operands:
        scalar = as_scalar(run, values[0], span)
        dtype = scalar.dtype if scalar.dtype.is_float else dtypes.DEFAULT_FLOAT
        return fill_matrix(run, intrinsic, values[0], MatrixType(dtype), span)
    matrices = []
    for value, name in zip(values, intrinsic.operands, strict=True):
        if not isinstance(value, Matrix):
            raise Fault(
                span,
                f"expected a simdgroup matrix for {name} of sm.{intrinsic.name},"
                f" found {describe(value)}",
            )
        matrices.append(value)
    kinds = {matrix.dtype for matrix in matrices[:2]}
    if len(kinds) > 1:
        raise Fault(
            span,
            f"expected simdgroup matrices of one type, found {matrices[0].dtype.name} and"
            f" {matrices[1].dtype.name}",
        )
    left, right, *total = (matrix.type for matrix in matrices)
    result = MatrixType(matrices[-1].dtype, left.rows, right.columns)
    if left.columns != right.rows or any(kind.shape != result.shape for kind in total):
        shapes = " @ ".join(f"{rows}x{columns}" for rows, columns in (left.shape, right.shape))
        added = "".join(f" + {kind.rows}x{kind.columns}" for kind in total)
        raise Fault(
            span,
            f"expected matrices that fit together, (m, k) @ (k, n){' + (m, n)' * bool(total)},"
            f" found {shapes}{added}",
        )
    operands = tuple(matrix.expression for matrix in matrices)
    return Matrix(run.assign_new("matrix", ir.Call(intrinsic, operands, result, span)))


def fill_matrix(
    run: AbstractInterpreter, intrinsic: Intrinsic, value: Value, kind: MatrixType, span: SourceSpan
) -> Matrix:
    """A matrix whose elements are all this value."""
    operand = implicit(run, value, kind.dtype, span, "the matrix")
    call = ir.Call(intrinsic, (operand,), kind, span)
    return Matrix(run.assign_new("matrix", call))
