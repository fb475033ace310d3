"""complex64 as pairs of float32; the IR has no complex numbers."""

from __future__ import annotations

from speedmetal import dtypes
from speedmetal.frontend.convert import as_complex, as_number, convert_operand
from speedmetal.frontend.interpreter import AbstractInterpreter, Fault
from speedmetal.frontend.values import Complex, Scalar, Static, Value
from speedmetal.intrinsics import TABLE
from speedmetal.ir import nodes as ir
from speedmetal.source import SourceSpan

_F32 = dtypes.float32


def _operation(name: str, left: ir.Expression, right: ir.Expression) -> ir.Expression:
    return ir.Binary(name, left, right, _F32, left.span)


def binary(
    run: AbstractInterpreter, name: str, left: Value, right: Value, span: SourceSpan
) -> Value:
    """An operator of which one operand at least is complex.

    Raises:
        Fault: Complex numbers have no such operator, or the other operand is float64.
    """
    check_operands((left, right), span)
    if name not in {"add", "subtract", "multiply", "divide"}:
        raise Fault(span, "complex numbers have the operators + - * / and ** alone")
    if not is_complex(right):
        return _with_real(run, name, as_complex(run, left, span), right, span)
    if not is_complex(left) and name != "divide":
        return _from_real(run, name, left, as_complex(run, right, span), span)
    a, b = as_complex(run, left, span), as_complex(run, right, span)
    if name in {"add", "subtract"}:
        return Complex(_operation(name, a.real, b.real), _operation(name, a.imag, b.imag))
    ar, ai, br, bi = (run.keep(part, "part") for part in (a.real, a.imag, b.real, b.imag))
    if name == "multiply":
        return multiply(Complex(ar, ai), Complex(br, bi))
    return _divide(run, Complex(ar, ai), Complex(br, bi))


def check_operands(values: tuple[Value, ...], span: SourceSpan) -> None:
    """Refuse float64 beside complex numbers.

    Raises:
        Fault: There is one.
    """
    for value in values:
        if isinstance(value, Scalar) and value.dtype is dtypes.float64 and not value.weak:
            raise Fault(
                span, "there is no complex type for float64; convert with x.astype(sm.float32)"
            )


def part(run: AbstractInterpreter, value: Value, name: str, span: SourceSpan) -> Scalar:
    """``z.real`` or ``z.imag``; of a real number itself, or 0."""
    number = as_number(run, value, span)
    if isinstance(number, Complex):
        return Scalar(number.real if name == "real" else number.imag)
    if name == "real":
        return number
    return Scalar(ir.Constant(0.0 if number.dtype.is_float else 0, number.dtype, span))


def is_complex(value: Value) -> bool:
    """Whether a value is a complex number, of the running program or known."""
    return isinstance(value, Complex) or (
        isinstance(value, Static) and isinstance(value.value, complex)
    )


def _with_real(
    run: AbstractInterpreter, name: str, a: Complex, b: Value, span: SourceSpan
) -> Complex:
    """``a <operator> b`` of a real b, part by part (C99, annex G.5)."""
    real = convert_operand(run, b, _F32, span)
    if name in {"add", "subtract"}:
        return Complex(_operation(name, a.real, real), a.imag)
    real = run.keep(real, "real")
    return Complex(_operation(name, a.real, real), _operation(name, a.imag, real))


def _from_real(
    run: AbstractInterpreter, name: str, a: Value, b: Complex, span: SourceSpan
) -> Complex:
    """``a <operator> b`` of a real a, part by part."""
    real = convert_operand(run, a, _F32, span)
    if name == "multiply":
        real = run.keep(real, "real")
        return Complex(_operation(name, real, b.real), _operation(name, real, b.imag))
    imag = b.imag if name == "add" else ir.Unary("negate", b.imag, _F32, span)
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
        return ir.Select(real_is_larger, when, otherwise, _F32, span)

    large = run.keep(choose(b.real, b.imag), "large")
    small = run.keep(choose(b.imag, b.real), "small")
    ratio = run.keep(_operation("divide", small, large), "ratio")
    scale = run.keep(_operation("add", large, _operation("multiply", small, ratio)), "scale")
    # Dividing by i b instead, where the imaginary part is the larger one, swaps the parts of a.
    first = run.keep(choose(a.real, a.imag), "first")
    second = run.keep(choose(a.imag, a.real), "second")
    real = _operation("add", first, _operation("multiply", second, ratio))
    imag = _operation("subtract", second, _operation("multiply", first, ratio))
    signed = choose(imag, ir.Unary("negate", imag, _F32, span))
    return Complex(_operation("divide", real, scale), _operation("divide", signed, scale))


def absolute(x: ir.Expression) -> ir.Expression:
    """|x| of a float32."""
    return ir.Call(TABLE["abs"], (x,), _F32, x.span)


def magnitude(value: Complex) -> Scalar:
    """``abs(z)``: hypot of the parts."""
    return Scalar(ir.Call(TABLE["hypot"], (value.real, value.imag), _F32, value.real.span))


def conjugate(value: Complex) -> Complex:
    """The complex conjugate."""
    return Complex(value.real, ir.Unary("negate", value.imag, _F32, value.imag.span), value.weak)


def equal(run: AbstractInterpreter, a: Complex, b: Complex, name: str, span: SourceSpan) -> Scalar:
    """``a == b`` or ``a != b`` (``name`` is eq or ne)."""
    real = ir.Compare(name, a.real, b.real, dtypes.bool_, span)
    imag = ir.Compare(name, a.imag, b.imag, dtypes.bool_, span)
    return Scalar(
        ir.Logical(
            "and" if name == "eq" else "or", real, run.make_lazy_safe(imag), dtypes.bool_, span
        )
    )
