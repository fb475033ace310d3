"""Functions and powers of complex numbers: the library's functions of two parts."""

from __future__ import annotations

import ast
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from speedmetal import dtypes
from speedmetal.frontend import complex_numbers
from speedmetal.frontend.arguments import Arguments
from speedmetal.frontend.convert import as_complex, as_number, convert_expression, convert_operand
from speedmetal.frontend.functions import call_function
from speedmetal.frontend.interpreter import AbstractInterpreter
from speedmetal.frontend.values import Aggregate, Complex, Scalar, Static, Value
from speedmetal.intrinsics.library import complex_parts
from speedmetal.intrinsics.record import Intrinsic
from speedmetal.ir import nodes as ir
from speedmetal.source import SourceSpan

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{
        name: getattr(complex_parts, name)
        for name in (
            *("exp", "log", "log2", "log10", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh"),
        )
    },
    "isnan": complex_parts.isnan_of_parts,
    "isinf": complex_parts.isinf_of_parts,
    "isfinite": complex_parts.isfinite_of_parts,
}
"""Of the intrinsics' names, those that take a complex number."""


def takes_complex(intrinsic: Intrinsic, values: list[Value]) -> bool:
    """Whether a call is of a function of complex numbers, on one."""
    return any(map(complex_numbers.is_complex, values)) and intrinsic.name in (
        *_FUNCTIONS,
        "abs",
        "pow",
    )


def call(
    run: AbstractInterpreter, intrinsic: Intrinsic, values: list[Value], span: SourceSpan
) -> Value:
    """An intrinsic on complex numbers.

    Raises:
        Fault: An operand is no number, or float64.
    """
    known = [value.value for value in values if isinstance(value, Static)]
    if len(known) == len(values):
        with np.errstate(all="ignore"):
            return Static(intrinsic.reference(*map(np.complex128, known)).item())
    if intrinsic.name == "pow":
        return power(run, values[0], values[1], span)
    number = as_complex(run, values[0], span)
    if intrinsic.name == "abs":
        return complex_numbers.magnitude(number)
    return apply(run, intrinsic.name, number, span)


def apply(run: AbstractInterpreter, name: str, number: Complex, span: SourceSpan) -> Value:
    """The intrinsic of this name on a complex number."""
    found = _library(run, _FUNCTIONS[name], (number.real, number.imag), span)
    return _join_parts(found) if isinstance(found, Aggregate) else found


def _library(
    run: AbstractInterpreter,
    function: Callable[..., Any],
    parts: tuple[ir.Expression, ...],
    span: SourceSpan,
) -> Value:
    """A call of a function of the library on float32 expressions."""
    node = run.unit.places.get(span)
    if node is None:
        # A call needs a node, the same from run to run: here an operator may be what calls.
        node = run.unit.places[span] = ast.Name("z", ast.Load())
        node._speedmetal_span = span  # type: ignore[attr-defined] # noqa: SLF001 - a cache of ours
    assert isinstance(function, types.FunctionType)
    return call_function(run, function, Arguments(node, [Scalar(part) for part in parts]))


def _join_parts(found: Value) -> Complex:
    """Two parts as one number."""
    assert isinstance(found, Aggregate)
    real, imag = (item for item in found.items if isinstance(item, Scalar))
    return Complex(real.expression, imag.expression)


# --- Powers ----------------------------------------------------------------------------------

_MOST_PRODUCTS = 16
"""Constant powers up to this one are products, whose error grows with each."""


def power(run: AbstractInterpreter, base: Value, exponent: Value, span: SourceSpan) -> Value:
    """``base ** exponent`` of which one at least is complex.

    Raises:
        Fault: An operand is no number, or float64.
    """
    complex_numbers.check_operands((base, exponent), span)
    if isinstance(exponent, Static) and isinstance(exponent.value, int):
        count = abs(exponent.value)
        if count <= _MOST_PRODUCTS:
            product = _product(run, as_complex(run, base, span), count, span)
            one = Static(1)
            return (
                product
                if exponent.value >= 0
                else complex_numbers.binary(run, "divide", one, product, span)
            )
    number = as_complex(run, base, span)
    if not complex_numbers.is_complex(exponent):
        size = convert_expression(
            convert_operand(run, exponent, dtypes.float32, span), dtypes.float32
        )
        parts = (number.real, number.imag, size)
        return _join_parts(_library(run, complex_parts.real_power, parts, span))
    other = as_complex(run, exponent, span)
    both = (number.real, number.imag, other.real, other.imag)
    return _join_parts(_library(run, complex_parts.power, both, span))


def _product(run: AbstractInterpreter, base: Complex, count: int, span: SourceSpan) -> Value:
    """A power by squares: ``z**5 = (z**2)**2 z``."""
    if count == 0:
        return as_complex(run, Static(1), span)
    if count == 1:
        return base
    half = _product(run, base, count // 2, span)
    square = complex_numbers.binary(run, "multiply", half, half, span)
    if count % 2 == 0:
        return square
    return complex_numbers.binary(run, "multiply", square, base, span)


# --- Constructs ------------------------------------------------------------------------------

Handler = Callable[[AbstractInterpreter, Arguments], Value]


def _conjugate(run: AbstractInterpreter, arguments: Arguments) -> Value:
    (value,) = arguments.take(run, "sm.conj", "z")
    number = as_number(run, value, run.span(arguments.node))
    return complex_numbers.conjugate(number) if isinstance(number, Complex) else number


def _part(name: str) -> Handler:
    def handler(run: AbstractInterpreter, arguments: Arguments) -> Value:
        (value,) = arguments.take(run, f"np.{name}", "z")
        if isinstance(value, Static) and value.is_number:
            return Static(getattr(value.value, name))
        return complex_numbers.part(run, value, name, run.span(arguments.node))

    return handler


def _polar(run: AbstractInterpreter, arguments: Arguments) -> Value:
    (value,) = arguments.take(run, "sm.polar", "z")
    return _sides(run, value, run.span(arguments.node))


def _sides(run: AbstractInterpreter, value: Value, span: SourceSpan) -> Aggregate:
    """The size and the angle of a number."""
    complex_numbers.check_operands((value,), span)
    number = as_complex(run, value, span)
    found = _library(run, complex_parts.polar, (number.real, number.imag), span)
    assert isinstance(found, Aggregate)
    return found


def _angle(run: AbstractInterpreter, arguments: Arguments) -> Value:
    (value,) = arguments.take(run, "sm.angle", "z")
    return _sides(run, value, run.span(arguments.node)).items[1]


def _rect(run: AbstractInterpreter, arguments: Arguments) -> Value:
    values = arguments.take(run, "sm.rect", "r phi")
    span = run.span(arguments.node)
    complex_numbers.check_operands(tuple(values), span)
    parts = tuple(convert_operand(run, value, dtypes.float32, span) for value in values)
    return _join_parts(_library(run, complex_parts.rect, parts, span))


def _of_cmath(name: str) -> Handler:
    """A function of ``cmath``, which makes a complex number of a real one first."""

    def handler(run: AbstractInterpreter, arguments: Arguments) -> Value:
        span = run.span(arguments.node)
        optional = "base" if name == "log" else ""
        values = arguments.take_some(run, f"cmath.{name}", "z", optional)
        given = [value for value in values if value is not None]
        complex_numbers.check_operands(tuple(given), span)
        found = [apply(run, name, as_complex(run, value, span), span) for value in given]
        if len(found) == 1:
            return found[0]
        return complex_numbers.binary(run, "divide", found[0], found[1], span)

    return handler


HANDLERS: dict[str, Handler] = {
    "conj": _conjugate,
    "angle": _angle,
    "polar": _polar,
    "rect": _rect,
    "numpy.real": _part("real"),
    "numpy.imag": _part("imag"),
    **{f"cmath.{name}": _of_cmath(name) for name in _FUNCTIONS if name != "log2"},
}
"""What the constructs of complex numbers do."""
