"""Complex numbers as pairs of floats; the IR has no complex numbers."""

from __future__ import annotations

from speedmetal import dtypes
from speedmetal.dtypes import DType
from speedmetal.frontend.convert import as_complex, as_number, convert_operand, explicit, unwrap
from speedmetal.frontend.interpreter import AbstractInterpreter, Fault
from speedmetal.frontend.promotion import common_complex_type
from speedmetal.frontend.values import Complex, Scalar, Static, Value
from speedmetal.intrinsics import TABLE
from speedmetal.ir import nodes as ir
from speedmetal.source import SourceSpan


def _operation(name: str, left: ir.Expression, right: ir.Expression) -> ir.Expression:
    """An operation on two parts."""
    return ir.Binary(name, left, right, _type(left), left.span)


def _negate(part: ir.Expression, span: SourceSpan) -> ir.Expression:
    return ir.Unary("negate", part, _type(part), span)


def _type(part: ir.Expression) -> DType:
    dtype = part.type
    assert isinstance(dtype, DType)
    return dtype


def binary(
    run: AbstractInterpreter, name: str, left: Value, right: Value, span: SourceSpan
) -> Value:
    """An operator of which one operand at least is complex.

    Raises:
        Fault: Complex numbers have no such operator.
    """
    if name not in {"add", "subtract", "multiply", "divide"}:
        raise Fault(span, "complex numbers have the operators + - * / and ** alone")
    found = common_complex_type(run, (left, right), span)
    number = _binary(run, name, left, right, found.dtype, span)
    return Complex(number.real, number.imag, found.weak)


def _binary(
    run: AbstractInterpreter, name: str, left: Value, right: Value, dtype: DType, span: SourceSpan
) -> Complex:
    """The operator in a complex type."""
    if not is_complex(right):
        real = convert_operand(run, right, dtype.part, span)
        return _with_real(run, name, as_complex(run, left, dtype, span), real)
    if not is_complex(left) and name != "divide":
        real = convert_operand(run, left, dtype.part, span)
        return _from_real(run, name, real, as_complex(run, right, dtype, span), span)
    a, b = as_complex(run, left, dtype, span), as_complex(run, right, dtype, span)
    if name in {"add", "subtract"}:
        return Complex(_operation(name, a.real, b.real), _operation(name, a.imag, b.imag))
    ar, ai, br, bi = (run.keep(part, "part") for part in (a.real, a.imag, b.real, b.imag))
    if name == "multiply":
        return multiply(Complex(ar, ai), Complex(br, bi))
    return _divide(run, Complex(ar, ai), Complex(br, bi))


def of_parts(
    run: AbstractInterpreter, real: Value, imag: Value, dtype: DType, span: SourceSpan
) -> Complex:
    """The complex number of two real ones, which are converted to the type's parts.

    Raises:
        Fault: One is no real number, or a constant that the type does not hold.
    """
    first, second = (explicit(run, unwrap(part, span), dtype.part, span) for part in (real, imag))
    assert isinstance(first, Scalar)
    assert isinstance(second, Scalar)
    return Complex(first.expression, second.expression)


def part(run: AbstractInterpreter, value: Value, name: str, span: SourceSpan) -> Scalar:
    """``z.real`` or ``z.imag``; of a real number itself, or 0."""
    number = as_number(run, value, span)
    if isinstance(number, Complex):
        return Scalar(number.real if name == "real" else number.imag, number.weak)
    if name == "real":
        return number
    return Scalar(ir.Constant(0.0 if number.dtype.is_float else 0, number.dtype, span))


def is_complex(value: Value) -> bool:
    """Whether a value is a complex number, of the running program or known."""
    return isinstance(value, Complex) or (
        isinstance(value, Static) and isinstance(value.value, complex)
    )


def _with_real(run: AbstractInterpreter, name: str, a: Complex, real: ir.Expression) -> Complex:
    """``a <operator> b`` of a real b, part by part (C99, annex G.5)."""
    if name in {"add", "subtract"}:
        return Complex(_operation(name, a.real, real), a.imag)
    real = run.keep(real, "real")
    return Complex(_operation(name, a.real, real), _operation(name, a.imag, real))


def _from_real(
    run: AbstractInterpreter, name: str, real: ir.Expression, b: Complex, span: SourceSpan
) -> Complex:
    """``a <operator> b`` of a real a, part by part."""
    if name == "multiply":
        real = run.keep(real, "real")
        return Complex(_operation(name, real, b.real), _operation(name, real, b.imag))
    imag = b.imag if name == "add" else _negate(b.imag, span)
    return Complex(_operation(name, real, b.real), imag)


def multiply(a: Complex, b: Complex) -> Complex:
    """``(ar br - ai bi) + (ar bi + ai br) i``."""
    real = _operation(
        "subtract",
        _operation("multiply", a.real, b.real),
        _operation("multiply", a.imag, b.imag),
    )
    imag = _operation(
        "add", _operation("multiply", a.real, b.imag), _operation("multiply", a.imag, b.real)
    )
    return Complex(real, imag)


def _divide(run: AbstractInterpreter, a: Complex, b: Complex) -> Complex:
    """Smith's method (R. L. Smith, "Algorithm 116: Complex division", 1962), without a branch.

    With the divisor's larger part p and smaller part q, r = q / p and d = p + q r, nothing
    overflows before the result does.
    """
    span = a.real.span
    real_is_larger = run.keep(
        ir.Compare("ge", absolute(b.real), absolute(b.imag), dtypes.bool_, span), "real_is_larger"
    )

    def choose(when: ir.Expression, otherwise: ir.Expression) -> ir.Expression:
        return ir.Select(real_is_larger, when, otherwise, _type(when), span)

    large = run.keep(choose(b.real, b.imag), "large")
    small = run.keep(choose(b.imag, b.real), "small")
    ratio = run.keep(_operation("divide", small, large), "ratio")
    scale = run.keep(_operation("add", large, _operation("multiply", small, ratio)), "scale")
    # Dividing by i b instead, where the imaginary part is the larger one, swaps the parts of a.
    first = run.keep(choose(a.real, a.imag), "first")
    second = run.keep(choose(a.imag, a.real), "second")
    real = _operation("add", first, _operation("multiply", second, ratio))
    imag = _operation("subtract", second, _operation("multiply", first, ratio))
    signed = choose(imag, _negate(imag, span))
    return Complex(_operation("divide", real, scale), _operation("divide", signed, scale))


def absolute(x: ir.Expression) -> ir.Expression:
    """|x| of a part."""
    return ir.Call(TABLE["abs"], (x,), _type(x), x.span)


def magnitude(value: Complex) -> Scalar:
    """``abs(z)``: hypot of the parts."""
    parts = (value.real, value.imag)
    size = ir.Call(TABLE["hypot"], parts, value.dtype.part, value.real.span)
    return Scalar(size, value.weak)


def conjugate(value: Complex) -> Complex:
    """The complex conjugate."""
    return Complex(value.real, _negate(value.imag, value.imag.span), value.weak)


def equal(run: AbstractInterpreter, a: Complex, b: Complex, name: str, span: SourceSpan) -> Scalar:
    """``a == b`` or ``a != b`` (``name`` is eq or ne)."""
    real = ir.Compare(name, a.real, b.real, dtypes.bool_, span)
    imag = ir.Compare(name, a.imag, b.imag, dtypes.bool_, span)
    return Scalar(
        ir.Logical(
            "and" if name == "eq" else "or", real, run.make_lazy_safe(imag), dtypes.bool_, span
        )
    )
