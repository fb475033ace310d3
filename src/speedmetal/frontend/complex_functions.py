"""Functions and powers of complex numbers: the library's functions of two parts."""

from __future__ import annotations

import ast
import cmath
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from speedmetal.frontend import complex_numbers
from speedmetal.frontend.arguments import Arguments
from speedmetal.frontend.convert import as_complex, as_number, convert_operand
from speedmetal.frontend.functions import call_function
from speedmetal.frontend.interpreter import AbstractInterpreter
from speedmetal.frontend.promotion import common_complex_type
from speedmetal.frontend.values import Aggregate, Complex, Scalar, Static, Value
from speedmetal.intrinsics.library import complex_inverses, complex_parts
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
    **{
        name: getattr(complex_inverses, name)
        for name in (
            *("asin", "acos", "atan", "asinh", "acosh", "atanh", "expm1", "log1p", "sign"),
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
        Fault: An operand is no number.
    """
    known = [value.value for value in values if isinstance(value, Static)]
    if len(known) == len(values):
        with np.errstate(all="ignore"):
            return Static(intrinsic.reference(*map(np.complex128, known)).item())
    if intrinsic.name == "pow":
        return power(run, values[0], values[1], span)
    number = _as_common(run, tuple(values), span)[0]
    if intrinsic.name == "abs":
        return complex_numbers.magnitude(number)
    return apply(run, intrinsic.name, number, span)


def apply(run: AbstractInterpreter, name: str, number: Complex, span: SourceSpan) -> Value:
    """The intrinsic of this name on a complex number."""
    found = _library(run, _FUNCTIONS[name], (number.real, number.imag), span)
    return _join_parts(found, weak=number.weak) if isinstance(found, Aggregate) else found


def _as_common(
    run: AbstractInterpreter, values: tuple[Value, ...], span: SourceSpan
) -> tuple[Complex, ...]:
    """The values as complex numbers of the type that an operation on all of them is done in."""
    found = common_complex_type(run, values, span)
    numbers = (as_complex(run, value, found.dtype, span) for value in values)
    return tuple(Complex(number.real, number.imag, found.weak) for number in numbers)


def _library(
    run: AbstractInterpreter,
    function: Callable[..., Any],
    parts: tuple[ir.Expression, ...],
    span: SourceSpan,
) -> Value:
    """A call of a function of the library on parts, which have one type."""
    node = run.unit.places.get(span)
    if node is None:
        # A call needs a node, the same from run to run: here an operator may be what calls.
        node = run.unit.places[span] = ast.Name("z", ast.Load())
        node._speedmetal_span = span  # type: ignore[attr-defined] # noqa: SLF001 - a cache of ours
    assert isinstance(function, types.FunctionType)
    return call_function(run, function, Arguments(node, [Scalar(part) for part in parts]))


def _join_parts(found: Value, *, weak: bool) -> Complex:
    """Two parts as one number."""
    assert isinstance(found, Aggregate)
    real, imag = (item for item in found.items if isinstance(item, Scalar))
    return Complex(real.expression, imag.expression, weak)


# --- Powers ----------------------------------------------------------------------------------

_MOST_PRODUCTS = 16
"""Constant powers up to this one are products, whose error grows with each."""


def power(run: AbstractInterpreter, base: Value, exponent: Value, span: SourceSpan) -> Value:
    """``base ** exponent`` of which one at least is complex.

    Raises:
        Fault: An operand is no number.
    """
    if isinstance(exponent, Static) and isinstance(exponent.value, int):
        count = abs(exponent.value)
        if count <= _MOST_PRODUCTS:
            product = _product(run, _as_common(run, (base,), span)[0], count, span)
            one = Static(1)
            return (
                product
                if exponent.value >= 0
                else complex_numbers.binary(run, "divide", one, product, span)
            )
    number, other = _as_common(run, (base, exponent), span)
    if not complex_numbers.is_complex(exponent):
        function, parts = complex_parts.real_power, (number.real, number.imag, other.real)
        return _join_parts(_library(run, function, parts, span), weak=number.weak)
    both = (number.real, number.imag, other.real, other.imag)
    return _join_parts(_library(run, complex_parts.power, both, span), weak=number.weak)


def _product(run: AbstractInterpreter, base: Complex, count: int, span: SourceSpan) -> Value:
    """A power by squares: ``z**5 = (z**2)**2 z``."""
    if count == 0:
        return as_complex(run, Static(1), base.dtype, span)
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
    (number,) = _as_common(run, (value,), span)
    found = _library(run, complex_parts.polar, (number.real, number.imag), span)
    assert isinstance(found, Aggregate)
    return found


def _angle(run: AbstractInterpreter, arguments: Arguments) -> Value:
    (value,) = arguments.take(run, "sm.angle", "z")
    return _sides(run, value, run.span(arguments.node)).items[1]


def _rect(run: AbstractInterpreter, arguments: Arguments) -> Value:
    size, angle = arguments.take(run, "sm.rect", "r phi")
    return rect(run, size, angle, run.span(arguments.node))


def rect(run: AbstractInterpreter, size: Value, angle: Value, span: SourceSpan) -> Complex:
    """``size (cos(angle) + i sin(angle))``.

    Raises:
        Fault: An operand is no real number.
    """
    found = common_complex_type(run, (size, angle), span)
    parts = tuple(convert_operand(run, value, found.dtype.part, span) for value in (size, angle))
    return _join_parts(_library(run, complex_parts.rect, parts, span), weak=found.weak)


def _of_cmath(name: str) -> Handler:
    """A function of ``cmath``, which makes a complex number of a real one first."""

    def handler(run: AbstractInterpreter, arguments: Arguments) -> Value:
        span = run.span(arguments.node)
        optional = "base" if name == "log" else ""
        values = arguments.take_some(run, f"cmath.{name}", "z", optional)
        given = tuple(value for value in values if value is not None)
        found = [apply(run, name, number, span) for number in _as_common(run, given, span)]
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
    **{f"cmath.{name}": _of_cmath(name) for name in _FUNCTIONS if hasattr(cmath, name)},
}
"""What the constructs of complex numbers do."""
