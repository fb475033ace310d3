"""Operators on values: constants are folded in Python, numbers become nodes of the IR."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from speedmetal import dtypes
from speedmetal.dtypes import DType
from speedmetal.frontend import complex_functions, complex_numbers
from speedmetal.frontend.convert import (
    as_number,
    constant,
    convert_expression,
    convert_operand,
    unwrap,
)
from speedmetal.frontend.interpreter import AbstractInterpreter, Fault
from speedmetal.frontend.promotion import common_type
from speedmetal.frontend.values import (
    Aggregate,
    Complex,
    Scalar,
    Static,
    Value,
    describe,
)
from speedmetal.frontend.variable_types import NumberVariable
from speedmetal.intrinsics import TABLE
from speedmetal.ir import nodes as ir
from speedmetal.source import SourceSpan

SIGNS = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "floor_divide": "//",
    "remainder": "%", "power": "**", "bit_and": "&", "bit_or": "|", "bit_xor": "^",
    "shift_left": "<<", "shift_right": ">>",
}  # fmt: skip

_FOLD: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "floor_divide": operator.floordiv,
    "remainder": operator.mod,
    "power": operator.pow,
    "bit_and": operator.and_,
    "bit_or": operator.or_,
    "bit_xor": operator.xor,
    "shift_left": operator.lshift,
    "shift_right": operator.rshift,
}
_BITWISE = frozenset({"bit_and", "bit_or", "bit_xor"})
_SHIFTS = frozenset({"shift_left", "shift_right"})
_OF_FLOATS: dict[str, Callable[[Any, Any], Any]] = {
    "divide": operator.truediv,
    "floor_divide": TABLE["floor_divide"].reference,
    "remainder": TABLE["remainder"].reference,
    "power": TABLE["pow"].reference,
}
_LONGEST_SHOWN_BITS = 128
_LARGEST_CONSTANT_BITS = 4096  # of constants while folding: 10**1000 is one, 10**10**10 is a slip


def binary(
    run: AbstractInterpreter, name: str, left: Value, right: Value, span: SourceSpan
) -> Value:
    """The value of ``left <operator> right``.

    Raises:
        Fault: The operands do not go together.
    """
    left, right = unwrap(left, span), unwrap(right, span)
    if isinstance(left, Static) and isinstance(right, Static) and _folds(left, right):
        return _fold(name, left.value, right.value, span)
    if isinstance(left, Aggregate) or isinstance(right, Aggregate):
        return _tuples(name, left, right, span)
    a, b = as_number(run, left, span), as_number(run, right, span)
    if isinstance(a, Complex) or isinstance(b, Complex):
        if name == "power":
            return complex_functions.power(run, left, right, span)
        return complex_numbers.binary(run, name, left, right, span)
    number = common_type(run, (left, right), span, SIGNS[name])
    if number.dtype.is_bool and name not in _BITWISE:
        number = NumberVariable(dtypes.DEFAULT_INT, number.weak)
    return _ARITHMETIC[name](run, name, left, right, number, span)


def _folds(left: Static, right: Static) -> bool:
    return (left.is_number and right.is_number) or (
        isinstance(left.value, str) and isinstance(right.value, str)
    )


def _fold(name: str, left: Any, right: Any, span: SourceSpan) -> Static:
    huge = (
        isinstance(left, int)
        and isinstance(right, int)
        and (
            (name == "shift_left" and right > _LARGEST_CONSTANT_BITS)
            or (name == "power" and left.bit_length() * right > _LARGEST_CONSTANT_BITS)
        )
    )
    if huge:
        raise Fault(span, f"the constant {_format_number(left)} {SIGNS[name]} {right} is too large")
    try:
        with np.errstate(all="ignore"):
            return Static(_FOLD[name](left, right))
    except ZeroDivisionError:
        is_float = name == "divide" or isinstance(left, float) or isinstance(right, float)
        way_out = "; write math.inf or math.nan where that is meant" if is_float else ""
        raise _without_value(name, left, right, f"division by zero{way_out}", span) from None
    except (ArithmeticError, ValueError, TypeError) as error:
        beyond = _overflow_result(name, left, right) if isinstance(error, OverflowError) else None
        if beyond is not None:
            return Static(beyond)
        raise _without_value(name, left, right, error.args[-1], span) from None


def _without_value(name: str, left: Any, right: Any, why: str, span: SourceSpan) -> Fault:
    shown = f"{_format_number(left)} {SIGNS[name]} {_format_number(right)}"
    return Fault(span, f"the constant {shown} has no value: {why}")


def _overflow_result(name: str, left: Any, right: Any) -> float | None:
    """What the running program has where Python's floats overflow; else None.

    >>> _overflow_result("power", 10.0, 400), _overflow_result("divide", 10**1000, 3)
    (inf, None)
    """
    if name not in _OF_FLOATS or isinstance(left, complex) or isinstance(right, complex):
        return None
    try:
        operands = np.float64(left), np.float64(right)
    except OverflowError:
        return None
    with np.errstate(all="ignore"):
        return float(_OF_FLOATS[name](*operands))


def _format_number(number: Any) -> str:
    bits = number.bit_length() if isinstance(number, int) else 0
    return f"(an integer of {bits} bits)" if bits > _LONGEST_SHOWN_BITS else repr(number)


def _tuples(name: str, left: Value, right: Value, span: SourceSpan) -> Value:
    match name, left, right:
        case "add", Aggregate(a), Aggregate(b) if left.is_tuple and right.is_tuple:
            return Aggregate(a + b)
        case "multiply", Aggregate(items), Static(int(count)) if left.is_tuple:
            return Aggregate(items * count)
        case "multiply", Static(int(count)), Aggregate(items) if right.is_tuple:
            return Aggregate(items * count)
    raise Fault(
        span,
        f"{SIGNS[name]} expects numbers, found {describe(left)} and {describe(right)}; compute"
        " with the items one by one",
    )


# --- The operators ---------------------------------------------------------------------------


def _operands(
    run: AbstractInterpreter, left: Value, right: Value, dtype: DType, span: SourceSpan
) -> tuple[ir.Expression, ir.Expression]:
    return convert_operand(run, left, dtype, span), convert_operand(run, right, dtype, span)


def _plain_operation(
    run: AbstractInterpreter,
    name: str,
    left: Value,
    right: Value,
    number: NumberVariable,
    span: SourceSpan,
) -> Value:
    a, b = _operands(run, left, right, number.dtype, span)
    return Scalar(ir.Binary(name, a, b, number.dtype, span), number.weak)


def _divide(
    run: AbstractInterpreter,
    name: str,
    left: Value,
    right: Value,
    number: NumberVariable,
    span: SourceSpan,
) -> Value:
    if not number.dtype.is_float:
        dtype = run.unit.default_float if number.weak else dtypes.DEFAULT_FLOAT
        number = NumberVariable(dtype, number.weak)
    return _plain_operation(run, name, left, right, number, span)


def _divide_whole(
    run: AbstractInterpreter,
    name: str,
    left: Value,
    right: Value,
    number: NumberVariable,
    span: SourceSpan,
) -> Value:
    """``//`` and ``%``."""
    dtype = number.dtype
    if dtype.is_float:
        return call_float(run, name, (left, right), number, span)
    a, b = _operands(run, left, right, dtype, span)
    if run.debug and not (isinstance(b, ir.Constant) and b.value):
        run.require_inlining()
        b = run.keep(b, "divisor")
        nonzero = ir.Compare("ne", b, constant(0, dtype, span), dtypes.bool_, span)
        reason = f"the right operand of {SIGNS[name]} is 0"
        run.emit(ir.Assert(nonzero, "integer division by zero", reason, span))
    return Scalar(ir.Binary(name, a, b, dtype, span), number.weak)


def call_float(
    run: AbstractInterpreter,
    name: str,
    operands: tuple[Value, ...],
    number: NumberVariable,
    span: SourceSpan,
) -> Scalar:
    """An intrinsic on floats, computed in float32 where it is ``wide`` and the type is narrow."""
    intrinsic, dtype = TABLE[name], number.dtype
    inner = dtypes.float32 if intrinsic.wide and dtype.bits == 16 else dtype
    arguments = tuple(
        convert_expression(convert_operand(run, operand, dtype, span), inner)
        for operand in operands
    )
    return Scalar(
        convert_expression(ir.Call(intrinsic, arguments, inner, span), dtype), number.weak
    )


_PRODUCTS: dict[int, tuple[int, ...]] = {2: (1, 1), 3: (2, 1), 4: (2, 2)}
"""Powers that are products of smaller ones: more exact than ``pow``, and quicker."""


def _power(
    run: AbstractInterpreter,
    name: str,
    left: Value,
    right: Value,
    number: NumberVariable,
    span: SourceSpan,
) -> Value:
    del name
    dtype = number.dtype
    exponent = right.value if isinstance(right, Static) else None
    if isinstance(exponent, int) and not dtype.is_float and exponent < 0:
        raise Fault(
            span,
            "an integer to a negative power is no integer; write float(x) ** n for the base x",
        )
    if exponent in _PRODUCTS and not isinstance(exponent, bool):
        base = run.keep(convert_operand(run, left, dtype, span), "base")
        return Scalar(_product(run, base, int(exponent or 0), dtype, span), number.weak)
    if dtype.is_float:
        return call_float(run, "pow", (left, right), number, span)
    arguments = _operands(run, left, right, dtype, span)
    return Scalar(ir.Call(TABLE["int_pow"], arguments, dtype, span), number.weak)


def _product(
    run: AbstractInterpreter, base: ir.Expression, exponent: int, dtype: DType, span: SourceSpan
) -> ir.Expression:
    if exponent == 1:
        return base
    high, low = _PRODUCTS[exponent]
    left = _product(run, base, high, dtype, span)
    if high == low:
        left = run.keep(left, "square")
        return ir.Binary("multiply", left, left, dtype, span)
    return ir.Binary("multiply", left, _product(run, base, low, dtype, span), dtype, span)


def _bits(
    run: AbstractInterpreter,
    name: str,
    left: Value,
    right: Value,
    number: NumberVariable,
    span: SourceSpan,
) -> Value:
    if number.dtype.is_float:
        raise Fault(
            span,
            f"{SIGNS[name]} expects integers, found {describe(left)} and {describe(right)};"
            " convert with int(x), or take the bits with sm.bitcast(x, sm.uint32)",
        )
    if name in _SHIFTS and isinstance(right, Static) and right.value < 0:
        raise Fault(span, f"expected a shift of 0 or more, found {right.value}")
    return _plain_operation(run, name, left, right, number, span)


_Operator = Callable[[AbstractInterpreter, str, Value, Value, NumberVariable, SourceSpan], Value]
_ARITHMETIC: dict[str, _Operator] = {
    "add": _plain_operation,
    "subtract": _plain_operation,
    "multiply": _plain_operation,
    "divide": _divide,
    "floor_divide": _divide_whole,
    "remainder": _divide_whole,
    "power": _power,
    **dict.fromkeys(_BITWISE | _SHIFTS, _bits),
}


def negate(run: AbstractInterpreter, value: Value, span: SourceSpan) -> Value:
    """``-x``."""
    value = unwrap(value, span)
    if isinstance(value, Static) and value.is_number:
        return Static(-value.value)
    number = as_number(run, value, span)
    if isinstance(number, Complex):
        real, imag = (
            ir.Unary("negate", part, number.dtype.part, span) for part in (number.real, number.imag)
        )
        return Complex(real, imag, number.weak)
    dtype = dtypes.DEFAULT_INT if number.dtype.is_bool else number.dtype
    if isinstance(number.expression, ir.Constant) and dtype.is_float:
        return Scalar(ir.Constant(-number.expression.value, dtype, span), number.weak)
    operand = convert_expression(number.expression, dtype)
    return Scalar(ir.Unary("negate", operand, dtype, span), number.weak)


def plus(run: AbstractInterpreter, value: Value, span: SourceSpan) -> Value:
    """``+x``."""
    value = unwrap(value, span)
    if isinstance(value, Static) and value.is_number:
        return Static(+value.value)
    number = as_number(run, value, span)
    if isinstance(number, Scalar) and number.dtype.is_bool:
        return Scalar(convert_expression(number.expression, dtypes.DEFAULT_INT))
    return number


def invert(run: AbstractInterpreter, value: Value, span: SourceSpan) -> Value:
    """``~x``: the bits, or the truth, turned over."""
    value = unwrap(value, span)
    if isinstance(value, Static) and isinstance(value.value, bool):
        return Static(not value.value)
    if isinstance(value, Static) and isinstance(value.value, int):
        return Static(~value.value)
    number = as_number(run, value, span)
    if isinstance(number, Complex) or number.dtype.is_float:
        raise Fault(span, f"~ expects an integer or a bool, found {describe(number)}")
    kind = "not" if number.dtype.is_bool else "invert"
    return Scalar(ir.Unary(kind, number.expression, number.dtype, span), number.weak)
