"""The type that an operation on several numbers is done in."""

from __future__ import annotations

from speedmetal import dtypes
from speedmetal.dtypes import DType
from speedmetal.frontend.convert import as_number, unwrap
from speedmetal.frontend.interpreter import AbstractInterpreter, Fault
from speedmetal.frontend.values import Complex, Scalar, Static, Value
from speedmetal.frontend.variable_types import ComplexVariable, NumberVariable
from speedmetal.ir import nodes as ir
from speedmetal.source import SourceSpan


def common_type(
    run: AbstractInterpreter, values: tuple[Value, ...], span: SourceSpan, sign: str
) -> NumberVariable:
    """The type that an operation on real numbers is done in, and whether it is still weak.

    A constant takes the type of the others where that has its kind; a weak float among integers
    makes the default float. A Python number of the running program keeps 32 bits at least.

    Raises:
        Fault: There is no such type.
    """
    scalars = []
    for value in values:
        number = as_number(run, value, span)
        assert isinstance(number, Scalar)
        scalars.append(number)
    strong = [scalar.dtype for scalar in scalars if not scalar.weak]
    weak = [scalar for scalar in scalars if scalar.weak]
    common = strong[0] if strong else weak[0].dtype
    for dtype in strong[1:]:
        common = _promote_types(common, dtype, span, sign)
    if not strong:
        for scalar in weak[1:]:
            common = _promote_types(common, scalar.dtype, span, sign)
        return NumberVariable(common, weak=True)
    still_weak = common.is_bool and bool(weak)
    for scalar in weak:
        if not isinstance(scalar.expression, ir.Constant):
            common = dtypes.beside_running_number(common, scalar.dtype)
        elif dtypes.kind_rank(scalar.dtype) > dtypes.kind_rank(common):
            common = scalar.dtype
    return NumberVariable(common, still_weak)


def _promote_types(left: DType, right: DType, span: SourceSpan, sign: str) -> DType:
    found = dtypes.promote(left, right)
    if found is None:
        raise Fault(
            span,
            f"{sign} has no common type for {left.name} and {right.name};"
            f" convert one: x.astype(sm.{left.name}) or x.astype(sm.{right.name})",
        )
    return found


def common_complex_type(
    run: AbstractInterpreter, values: tuple[Value, ...], span: SourceSpan
) -> ComplexVariable:
    """The complex type that an operation is done in: its parts' type is that of all real parts.

    Strong integers alone give complex64, as they give float32.

    Raises:
        Fault: A value is no number.
    """
    parts = tuple(_real_part(unwrap(value, span)) for value in values)
    number = common_type(run, parts, span, "a complex number")
    dtype = number.dtype
    if not dtype.is_float:
        dtype = run.unit.default_float if number.weak else dtypes.DEFAULT_FLOAT
    return ComplexVariable(dtypes.complex_of(dtype), number.weak)


def _real_part(value: Value) -> Value:
    match value:
        case Complex(real, _, weak):
            return Scalar(real, weak)
        case Static(complex() as found):
            return Static(found.real)
    return value
