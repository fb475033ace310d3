"""Comparisons, and choosing between two values."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from speedmetal import dtypes
from speedmetal.dtypes import DType
from speedmetal.errors import UserInputError
from speedmetal.frontend import complex_numbers
from speedmetal.frontend.convert import as_complex, as_number, convert_operand, unwrap
from speedmetal.frontend.interpreter import AbstractInterpreter, Fault
from speedmetal.frontend.own_methods import refuse_own
from speedmetal.frontend.promotion import common_complex_type, common_type
from speedmetal.frontend.values import (
    Aggregate,
    ArrayView,
    Complex,
    Matrix,
    Scalar,
    Static,
    Value,
    describe,
    with_expressions,
)
from speedmetal.frontend.variable_types import ComplexVariable
from speedmetal.ir import nodes as ir
from speedmetal.source import SourceSpan

SIGNS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_FOLD: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


def compare(
    run: AbstractInterpreter, name: str, left: Value, right: Value, span: SourceSpan
) -> Static | Scalar:
    """The truth of ``left <comparison> right``.

    Raises:
        Fault: The two cannot be compared.
    """
    left, right = unwrap(left, span), unwrap(right, span)
    if isinstance(left, Static) and isinstance(right, Static):
        return _fold(name, left.value, right.value, span)
    if isinstance(left, Aggregate) or isinstance(right, Aggregate):
        return _tuples(run, name, left, right, span)
    if name in {"eq", "ne"} and (_is_object(left) or _is_object(right)):
        return Static(name == "ne")  # a number is not None, nor a string
    a, b = as_number(run, left, span), as_number(run, right, span)
    if isinstance(a, Complex) or isinstance(b, Complex):
        if name not in {"eq", "ne"}:
            raise Fault(span, f"complex numbers have no order; {SIGNS[name]} compares real ones")
        dtype = common_complex_type(run, (left, right), span).dtype
        parts = as_complex(run, left, dtype, span), as_complex(run, right, dtype, span)
        return complex_numbers.equal(run, *parts, name, span)
    dtype = common_type(run, (left, right), span, SIGNS[name]).dtype
    x, y = convert_operand(run, left, dtype, span), convert_operand(run, right, dtype, span)
    return Scalar(ir.Compare(name, x, y, dtypes.bool_, span))


def _is_object(value: Value) -> bool:
    return isinstance(value, Static) and not value.is_number


def _fold(name: str, left: Any, right: Any, span: SourceSpan) -> Static:
    if isinstance(left, DType) or isinstance(right, DType):
        left, right = _same_dtype(left), _same_dtype(right)
    try:
        return Static(bool(_FOLD[name](left, right)))
    except TypeError as error:
        raise Fault(span, f"the constants cannot be compared: {error}") from None


def _same_dtype(value: Any) -> Any:
    """A dtype in any spelling as ours, so that ``a.dtype == np.float32`` is what it says."""
    if isinstance(value, DType | str | type | np.dtype):
        try:
            return dtypes.as_dtype(value)
        except UserInputError:
            return value
    return value


def _tuples(
    run: AbstractInterpreter, name: str, left: Value, right: Value, span: SourceSpan
) -> Static | Scalar:
    for side in (left, right):
        refuse_own(run, side, (f"__{name}__",), span)  # the operator itself calls it
    if name not in {"eq", "ne"}:
        return _compare_tuples(run, name, left, right, span)
    if not (isinstance(left, Aggregate) and isinstance(right, Aggregate)):
        return Static(name == "ne")
    are_tuples = left.is_tuple and right.is_tuple
    if len(left.items) != len(right.items) or not (are_tuples or left.cls is right.cls):
        return Static(name == "ne")
    equality: Any = None if are_tuples else left.cls.__eq__
    if equality is object.__eq__:
        raise Fault(
            span,
            f"{describe(left)} has no {SIGNS[name]}: it is a dataclass with eq=False;"
            " compare the fields",
        )
    results = [compare(run, name, a, b, span) for a, b in zip(left.items, right.items, strict=True)]
    return combine(run, "and" if name == "eq" else "or", results, span)


def _compare_tuples(
    run: AbstractInterpreter, name: str, left: Value, right: Value, span: SourceSpan
) -> Static | Scalar:
    """The order of two tuples: that of the first items that differ, or else of their lengths."""
    sides = left, right
    if not all(isinstance(side, Aggregate) and side.is_tuple for side in sides):
        raise Fault(
            span,
            f"{SIGNS[name]} has no order for {describe(left)} and {describe(right)}; it compares"
            " two numbers, or two tuples",
        )
    a_items, b_items = (
        with_expressions(side, lambda e: run.keep(e, "item")).items
        for side in sides
        if isinstance(side, Aggregate)
    )
    pairs = [*zip(a_items, b_items, strict=False)]
    result: Static | Scalar = _fold(name, len(a_items), len(b_items), span)
    if pairs and len(a_items) == len(b_items):
        result = compare(run, name, *pairs.pop(), span)
    strict = name.replace("e", "t")  # items that differ are below or above, not equal
    for a, b in reversed(pairs):
        equal = combine(run, "and", [compare(run, "eq", a, b, span), result], span)
        result = combine(run, "or", [compare(run, strict, a, b, span), equal], span)
    return result


def combine(
    run: AbstractInterpreter, name: str, parts: list[Static | Scalar], span: SourceSpan
) -> Static | Scalar:
    """``and`` or ``or`` of bools that are all evaluated."""
    absorbing = name == "or"
    running: list[Scalar] = []
    for part in parts:
        if isinstance(part, Scalar):
            running.append(part)
        elif bool(part.value) is absorbing:
            return Static(absorbing)
    if not running:
        return Static(not absorbing)
    result = running[0].expression
    for part in running[1:]:
        result = ir.Logical(name, result, run.make_lazy_safe(part.expression), dtypes.bool_, span)
    return Scalar(result)


def invert_truth(value: Static | Scalar, span: SourceSpan) -> Static | Scalar:
    """``not x`` of a truth."""
    if isinstance(value, Static):
        return Static(not value.value)
    return Scalar(ir.Unary("not", value.expression, dtypes.bool_, span))


# --- Choosing --------------------------------------------------------------------------------


def common_shape(
    run: AbstractInterpreter, left: Value, right: Value, span: SourceSpan
) -> tuple[Value, Value]:
    """Two values brought to one structure and type, so that either can stand for the result.

    Raises:
        Fault: There is none.
    """
    left, right = unwrap(left, span), unwrap(right, span)
    if isinstance(left, Aggregate) and isinstance(right, Aggregate):
        if left.cls is right.cls and len(left.items) == len(right.items):
            pairs = [
                common_shape(run, a, b, span) for a, b in zip(left.items, right.items, strict=True)
            ]
            return (
                Aggregate(tuple(a for a, _ in pairs), left.cls),
                Aggregate(tuple(b for _, b in pairs), right.cls),
            )
        raise _different_kinds_fault(left, right, span)
    if isinstance(left, Matrix) and isinstance(right, Matrix) and left.type == right.type:
        return left, right
    if _same_object(left, right):
        return left, left
    for value in (left, right):
        if not isinstance(value, Scalar | Complex) and not (
            isinstance(value, Static) and value.is_number
        ):
            raise _different_kinds_fault(left, right, span)
    a, b = as_number(run, left, span), as_number(run, right, span)
    if isinstance(a, Complex) or isinstance(b, Complex):
        found = common_complex_type(run, (left, right), span)
        return _in_complex_type(run, left, found, span), _in_complex_type(run, right, found, span)
    number = common_type(run, (left, right), span, "a choice")
    return (
        Scalar(convert_operand(run, left, number.dtype, span), number.weak),
        Scalar(convert_operand(run, right, number.dtype, span), number.weak),
    )


def _in_complex_type(
    run: AbstractInterpreter, value: Value, found: ComplexVariable, span: SourceSpan
) -> Complex:
    number = as_complex(run, value, found.dtype, span)
    return Complex(number.real, number.imag, found.weak)


def _same_object(left: Value, right: Value) -> bool:
    if isinstance(left, Static) and isinstance(right, Static) and not left.is_number:
        return left.value is right.value or (
            isinstance(left.value, str) and bool(left.value == right.value)
        )
    if isinstance(left, ArrayView) and isinstance(right, ArrayView):
        return left.array is right.array and not left.prefix and not right.prefix
    return left is right


def _different_kinds_fault(left: Value, right: Value, span: SourceSpan) -> Fault:
    return Fault(
        span,
        f"expected two values of one kind to choose from, found {describe(left)} and"
        f" {describe(right)}; the condition is known at run time only",
    )


def select(
    run: AbstractInterpreter, condition: ir.Expression, left: Value, right: Value, span: SourceSpan
) -> Value:
    """``left if condition else right`` with both evaluated."""
    left, right = common_shape(run, left, right, span)
    left, right = (with_expressions(value, run.make_lazy_safe) for value in (left, right))
    return _select(condition, left, right, span)


def _select(condition: ir.Expression, left: Value, right: Value, span: SourceSpan) -> Value:
    def choose(a: ir.Expression, b: ir.Expression) -> ir.Expression:
        assert isinstance(a.type, DType)
        return ir.Select(condition, a, b, a.type, span)

    match left, right:
        case Scalar(a, weak), Scalar(b):
            return Scalar(choose(a, b), weak)
        case Complex(ar, ai, weak), Complex(br, bi):
            return Complex(choose(ar, br), choose(ai, bi), weak)
        case Aggregate(a_items, cls), Aggregate(b_items):
            pairs = zip(a_items, b_items, strict=True)
            return Aggregate(tuple(_select(condition, a, b, span) for a, b in pairs), cls)
        case Matrix(), Matrix():
            raise Fault(span, "a simdgroup matrix cannot be selected; use if and else")
    return left
