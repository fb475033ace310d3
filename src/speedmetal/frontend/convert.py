"""Numbers from one type to another: literals, implicit and explicit conversions, truth."""

from __future__ import annotations

import contextlib
import math

import numpy as np

from speedmetal import dtypes
from speedmetal.dtypes import DType
from speedmetal.errors import UserInputError
from speedmetal.frontend.interpreter import AbstractInterpreter, ConstantTooWide, Fault
from speedmetal.frontend.own_methods import refuse_own
from speedmetal.frontend.signature import literal_dtype
from speedmetal.frontend.values import (
    Aggregate,
    ArrayView,
    Broken,
    Complex,
    Position,
    Scalar,
    Static,
    Value,
    advice,
    describe,
)
from speedmetal.ir import nodes as ir
from speedmetal.source import SourceSpan

POSITION_HINT = "a position has an axis: write .x, .y or .z, or unpack it: x, y, z = ..."


def constant(
    value: float,
    dtype: DType,
    span: SourceSpan,
    way_out: str = "",
) -> ir.Constant:
    """A number of Python's as a constant of a type; ``way_out`` says what to do if it is none.

    Without ``way_out`` it is an operand, which the other one can be made wide enough for.

    Raises:
        Fault: An integer type does not hold it.
    """
    if dtype.is_bool:
        return ir.Constant(bool(value), dtype, span)
    if dtype.is_float:
        return ir.Constant(_to_float(value, dtype, span), dtype, span)
    number = int(value)
    if not dtype.minimum <= number <= dtype.maximum:
        raise ConstantTooWide(
            span,
            f"the constant {number} does not fit into {dtype.name}, which holds"
            f" {dtype.minimum} to {dtype.maximum}; {way_out or _wider(dtype)}",
        )
    return ir.Constant(number, dtype, span)


def _wider(dtype: DType) -> str:
    is_narrow = dtype.bits < dtypes.DEFAULT_INT.bits
    return "convert the other operand to a wider type" + (": int(x)" if is_narrow else "")


_LARGEST_FLOATS = {
    "float16": 65520.0,
    "bfloat16": (2.0 - 2.0**-8) * 2.0**127,
    "float32": (2.0 - 2.0**-24) * 2.0**127,
    "float64": math.inf,
}
"""Where rounding to a type becomes infinite: half a unit above its greatest number."""


def _to_float(value: float, dtype: DType, span: SourceSpan) -> float:
    try:
        number = float(value)
    except OverflowError:
        raise Fault(span, "the constant is too large for any float") from None
    if abs(number) >= _LARGEST_FLOATS[dtype.name] and math.isfinite(number):
        raise Fault(
            span,
            f"the constant {number} is too large for {dtype.name}; write math.inf, or convert the"
            " other operand to a wider type",
        )
    return number


def unwrap(value: Value, span: SourceSpan) -> Value:
    """The value with NumPy's and other foreign numbers made the language's own."""
    if isinstance(value, Static) and isinstance(value.value, np.generic):
        found = value.value
        dtype = dtypes.from_numpy(found.dtype)
        if dtype.is_complex:
            parts = complex(found)
            return complex_constant(parts, dtype, span, weak=False)
        return Scalar(ir.Constant(found.item(), dtype, span))
    return value


def complex_constant(value: complex, dtype: DType, span: SourceSpan, *, weak: bool) -> Complex:
    """A complex constant.

    Raises:
        Fault: A part is too large for those of the type.
    """
    real, imag = (constant(part, dtype.part, span) for part in (value.real, value.imag))
    return Complex(real, imag, weak)


def as_number(run: AbstractInterpreter, value: Value, span: SourceSpan) -> Scalar | Complex:
    """The value as a number of the running program.

    Raises:
        Fault: It is no number.
    """
    value = unwrap(value, span)
    match value:
        case Scalar() | Complex():
            return value
        case Static(found) if value.is_number:
            try:
                dtype = literal_dtype(found, run.unit.default_float)
            except UserInputError as error:
                raise Fault(span, str(error)) from None
            if isinstance(found, complex):
                return complex_constant(found, dtype, span, weak=True)
            return Scalar(constant(found, dtype, span), not isinstance(found, bool))
        case Broken(message):
            raise Fault(span, message)
        case Position():
            raise Fault(span, f"expected a number, found {describe(value)}; {POSITION_HINT}")
        case ArrayView():
            raise Fault(
                span,
                f"expected a number, found {describe(value)}; an element of it is"
                f" {value.array.name}[{', '.join('ijklmn'[: value.array.type.rank]) or '()'}]",
            )
        case _:
            raise Fault(span, f"expected a number, found {describe(value)}{advice(value)}")


def as_scalar(run: AbstractInterpreter, value: Value, span: SourceSpan) -> Scalar:
    """The value as a real number of the running program.

    Raises:
        Fault: It is none.
    """
    number = as_number(run, value, span)
    if isinstance(number, Complex):
        raise Fault(
            span, f"expected a real number, found {number.dtype}; write .real, .imag or abs(z)"
        )
    return number


def convert_operand(
    run: AbstractInterpreter, value: Value, dtype: DType, span: SourceSpan
) -> ir.Expression:
    """The value in a type that an operation promoted it to.

    Raises:
        Fault: It is no real number, or a constant that the type does not hold.
    """
    if isinstance(value, Static) and isinstance(value.value, bool | int | float):
        return constant(value.value, dtype, span)
    return convert_expression(as_scalar(run, value, span).expression, dtype)


def convert_expression(expression: ir.Expression, dtype: DType) -> ir.Expression:
    """The expression in another type; constants are converted here where that is exact in Python.

    Floats are rounded through NumPy, whose conversions are IEEE's.
    """
    source = expression.type
    if source is dtype:
        return expression
    if isinstance(expression, ir.Constant):
        value = expression.value
        if dtype.is_bool:
            return ir.Constant(bool(value), dtype, expression.span)
        if dtype.is_float:
            number = (
                float(expression.type.numpy.type(value)) if source is not dtypes.bool_ else value
            )
            return ir.Constant(float(number), dtype, expression.span)
        if isinstance(value, int) and dtype.minimum <= value <= dtype.maximum:
            return ir.Constant(int(value), dtype, expression.span)
    return ir.Convert(expression, dtype, expression.span)


def explicit(run: AbstractInterpreter, value: Value, dtype: DType, span: SourceSpan) -> Value:
    """``dtype(x)`` and ``x.astype(dtype)``: any number to any type; the result is of that type."""
    if dtype.is_complex:
        found = as_complex(run, value, dtype, span)
        return Complex(found.real, found.imag)
    # Constants that the default float would not hold are made in the type that is asked for.
    if isinstance(value, Static) and isinstance(value.value, float) and not dtype.is_integer:
        return Scalar(constant(value.value, dtype, span))
    if isinstance(value, Static) and isinstance(value.value, float):
        return Scalar(ir.Constant(saturate_float(value.value, dtype), dtype, span))
    if isinstance(value, Static) and isinstance(value.value, int):
        return Scalar(constant(value.value, dtype, span, "write a constant that it holds"))
    number = as_number(run, value, span)
    if isinstance(number, Complex):
        raise Fault(
            span, f"a complex number can not become {dtype.name}; write .real, .imag or abs(z)"
        )
    return Scalar(convert_expression(number.expression, dtype))


def saturate_float(value: float, dtype: DType) -> int:
    """A float as an integer: cut towards zero, held to the type's range, NaN gives 0.

    >>> saturate_float(-2.9, dtypes.int8), saturate_float(1e9, dtypes.int8)
    (-2, 127)
    """
    if math.isnan(value):
        return 0
    if math.isinf(value):
        return dtype.maximum if value > 0 else dtype.minimum
    return min(max(int(value), dtype.minimum), dtype.maximum)


def as_complex(run: AbstractInterpreter, value: Value, dtype: DType, span: SourceSpan) -> Complex:
    """The value in a complex type.

    Raises:
        Fault: It is no number, or a constant that the type does not hold.
    """
    value = unwrap(value, span)
    if isinstance(value, Static) and isinstance(value.value, bool | int | float | complex):
        return complex_constant(_to_complex(value.value, span), dtype, span, weak=True)
    number = as_number(run, value, span)
    if isinstance(number, Complex):
        real, imag = (convert_expression(part, dtype.part) for part in (number.real, number.imag))
        return Complex(real, imag, number.weak)
    zero = ir.Constant(0.0, dtype.part, span)
    return Complex(convert_expression(number.expression, dtype.part), zero, number.weak)


def _to_complex(value: complex, span: SourceSpan) -> complex:
    try:
        return complex(value)
    except OverflowError:
        raise Fault(span, "the constant is too large for any float") from None


def implicit(
    run: AbstractInterpreter, value: Value, dtype: DType, span: SourceSpan, into: str
) -> ir.Expression:
    """The value as what is stored: integers to integers and floats, floats to floats.

    Raises:
        Fault: It is no number, or a float where an integer is wanted.
    """
    if isinstance(value, Static) and isinstance(value.value, int) and not dtype.is_complex:
        if dtype.is_bool and value.value not in (0, 1):
            raise Fault(
                span, f"expected bool_ for {into}, found {value.value}; write True or False"
            )
        kind = "signed" if value.value < 0 and not dtype.is_signed else "wider"
        return constant(value.value, dtype, span, f"use a {kind} type for {into}")
    scalar = as_scalar(run, value, span)
    if scalar.dtype.is_float and not dtype.is_float:
        kind = "a bool" if dtype.is_bool else "an integer"
        raise Fault(
            span,
            f"expected {dtype.name} for {into}, found {scalar.dtype.name}; a float does not become"
            f" {kind} by itself: write {_way_from_float(scalar, dtype)}",
        )
    if dtype.is_bool and not scalar.dtype.is_bool:
        raise Fault(
            span,
            f"expected bool_ for {into}, found {scalar.dtype.name}; write x != 0",
        )
    return convert_operand(run, value, dtype, span)


def _way_from_float(scalar: Scalar, dtype: DType) -> str:
    if dtype.is_bool:
        return "x != 0"
    quotient = isinstance(scalar.expression, ir.Binary) and scalar.expression.operator == "divide"
    return f"{'a // b, ' if quotient else ''}int(x) or x.astype(sm.{dtype.name})"


def truth(run: AbstractInterpreter, value: Value, span: SourceSpan) -> Static | Scalar:
    """Python's truth of a value: a compile-time bool where it is known.

    Raises:
        Fault: It has none.
    """
    value = unwrap(value, span)
    match value:
        case Static(found):
            return Static(bool(found))
        case Aggregate(items) if value.is_tuple:
            refuse_own(run, value, ("__bool__", "__len__"), span)
            return Static(bool(items))
        case Complex(real, imag):
            zero = ir.Constant(0.0, value.dtype.part, span)
            parts = [ir.Compare("ne", p, zero, dtypes.bool_, span) for p in (real, imag)]
            return Scalar(
                ir.Logical("or", parts[0], run.make_lazy_safe(parts[1]), dtypes.bool_, span)
            )
    scalar = as_scalar(run, value, span)
    if scalar.dtype.is_bool:
        return scalar
    zero = constant(0, scalar.dtype, span)
    return Scalar(ir.Compare("ne", scalar.expression, zero, dtypes.bool_, span))


def static_int(value: Value, span: SourceSpan, what: str, way_out: str = "") -> int:
    """A compile-time integer; ``way_out`` says what to do about another.

    Raises:
        Fault: It is known at run time only, or no integer.
    """
    value = unwrap(value, span)
    if isinstance(value, Static) and isinstance(value.value, int):
        return int(value.value)
    if isinstance(value, Scalar) and isinstance(value.expression, ir.Constant):
        found = value.expression.value
        if isinstance(found, int):
            return int(found)
    if isinstance(value, Broken):
        raise Fault(span, value.message)
    runs = ", which only the running program knows" if isinstance(value, Scalar) else ""
    given = f"{describe(value)}{runs}{way_out}"
    raise Fault(span, f"expected a constant integer for {what}, found {given}")


def as_dtype(value: Value, span: SourceSpan) -> DType:
    """The dtype that a compile-time value means.

    Raises:
        Fault: It means none.
    """
    if isinstance(value, Broken):
        raise Fault(span, value.message)
    if isinstance(value, Static) and value.value is not None:
        with contextlib.suppress(UserInputError):
            return dtypes.as_dtype(value.value)
    raise Fault(span, f"expected a dtype, such as sm.float32, found {describe(value)}")
