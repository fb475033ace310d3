"""What the language's constructs mean inside a kernel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from speedmetal import dtypes
from speedmetal.frontend import (
    arithmetic,
    async_calls,
    atomics,
    complex_functions,
    matrix_calls,
)
from speedmetal.frontend.arguments import Arguments
from speedmetal.frontend.comparison import select
from speedmetal.frontend.convert import (
    as_dtype,
    as_number,
    as_scalar,
    convert_expression,
    static_int,
    truth,
    unwrap,
)
from speedmetal.frontend.interpreter import AbstractInterpreter, Fault
from speedmetal.frontend.intrinsic_calls import apply
from speedmetal.frontend.promotion import common_type
from speedmetal.frontend.python_functions import round_to_integer
from speedmetal.frontend.values import (
    NONE,
    Aggregate,
    ArrayView,
    Complex,
    Scalar,
    Static,
    Value,
    describe,
    with_expressions,
)
from speedmetal.intrinsics import TABLE
from speedmetal.intrinsics.record import IntrinsicKind
from speedmetal.ir import nodes as ir
from speedmetal.ir.types import ArrayType, Space
from speedmetal.ir.walk import operands, rewrite
from speedmetal.source import SourceSpan

Handler = Callable[[AbstractInterpreter, Arguments], Value]


# --- Arrays of a threadgroup or thread -------------------------------------------------------


def _array(space: Space, construct: str) -> Handler:
    def handler(run: AbstractInterpreter, arguments: Arguments) -> Value:
        name = run.take_hint("tile" if space is Space.THREADGROUP else "own")
        run.require_inlining()
        given, kind = arguments.take(run, f"sm.{construct}", "shape dtype")
        span = run.span(arguments.node)
        dtype = as_dtype(kind, span)
        sizes = list(given.items) if isinstance(given, Aggregate) else [given]
        shape = tuple(_size(run, size, space, span) for size in sizes)
        if not shape:
            raise Fault(span, "expected a shape of one axis or more, found ()")
        unique = run.names.unique(name)
        run.session.variable_names.add(unique)
        array_type = ArrayType(dtype, len(shape), len(shape) - 1, space)
        array = ir.Array(unique, array_type, span, shape)
        run.arrays.append(array)
        return ArrayView(array)

    return handler


def _size(
    run: AbstractInterpreter, value: Value, space: Space, span: SourceSpan
) -> int | ir.Expression:
    value = unwrap(value, span)
    if space is Space.THREAD or isinstance(value, Static):
        size = static_int(value, span, "the size of an array")
        if not 1 <= size <= run.index_type.maximum:
            raise Fault(span, f"expected a size from 1 to {run.index_type.maximum}, found {size}")
        return size
    scalar = as_scalar(run, value, span)
    if isinstance(scalar.expression, ir.Constant):
        return static_int(value, span, "the size of an array")
    expression = expand_definitions(run, scalar.expression)
    if not scalar.dtype.is_integer or not _known_at_launch(run, expression):
        raise Fault(
            span,
            "expected a size that is known at the launch: a constant, or an expression over scalar"
            " parameters, sizes of arrays and threads_per_threadgroup()",
        )
    return expression


def expand_definitions(run: AbstractInterpreter, expression: ir.Expression) -> ir.Expression:
    """The expression with variables that are bound once written out."""

    def write_out(part: ir.Expression) -> ir.Expression:
        if isinstance(part, ir.Read):
            meaning = run.definitions.get(part.variable)
            return part if meaning is None else expand_definitions(run, meaning)
        return part

    return rewrite(expression, write_out)


def _known_at_launch(run: AbstractInterpreter, expression: ir.Expression) -> bool:
    match expression:
        case ir.Constant() | ir.Extent():
            return True
        case ir.Read(variable):
            return variable in run.parameters
        case ir.Call(intrinsic, axis=axis):
            if intrinsic.is_known_at_launch:
                return axis is not None
            _check_same_everywhere(expression)
        case ir.Load() | ir.Invoke():
            return False
    inner = list(operands(expression))
    return bool(inner) and all(_known_at_launch(run, operand) for operand in inner)


def _check_same_everywhere(call: ir.Call) -> None:
    """A function in a size must be one exact operation: the host computes the size as well."""
    if call.intrinsic.kind is not IntrinsicKind.MATH:
        return
    dtype = call.arguments[0].type
    known = dtype if isinstance(dtype, dtypes.DType) else None
    if not call.intrinsic.is_one_exact_operation(known):
        raise Fault(
            call.span,
            f"{call.intrinsic.name} cannot stand in the size of an array; expected operators, and"
            " functions such as min, max, abs and sqrt: compute the size before the launch, and"
            " pass it as a parameter",
        )


_MEMORY: dict[str, frozenset[Space]] = {
    "threadgroup": frozenset({Space.THREADGROUP}),
    "device": frozenset({Space.DEVICE}),
    "all": frozenset({Space.THREADGROUP, Space.DEVICE}),
    "none": frozenset(),
}


def _barrier(scope: str) -> Handler:
    def handler(run: AbstractInterpreter, arguments: Arguments) -> Value:
        run.require_inlining()
        (memory,) = arguments.take_some(run, f"sm.{scope}_barrier", "", "memory")
        span = run.span(arguments.node)
        chosen = "threadgroup" if memory is None else None
        if isinstance(memory, Static) and memory.value in _MEMORY:
            chosen = memory.value
        if chosen is None:
            assert memory is not None
            raise Fault(
                span,
                f"expected memory to be one of {', '.join(map(repr, _MEMORY))},"
                f" found {describe(memory)}",
            )
        run.emit(ir.Barrier(scope, _MEMORY[chosen], span))
        return NONE

    return handler


# --- Values ----------------------------------------------------------------------------------


def _bitcast(run: AbstractInterpreter, arguments: Arguments) -> Value:
    value, kind = arguments.take(run, "sm.bitcast", "x dtype")
    span = run.span(arguments.node)
    dtype = as_dtype(kind, span)
    scalar = as_scalar(run, value, span)
    source = scalar.dtype
    if scalar.weak and source.bits != dtype.bits:
        family = dtypes.FLOATS if source.is_float else dtypes.INTEGERS
        same_size = [d for d in family if d.bits == dtype.bits and d is not dtypes.bfloat16]
        source = same_size[0] if same_size else source
    if source.bits != dtype.bits or source.is_bool or dtype.is_bool or dtype.is_complex:
        raise Fault(
            span,
            f"sm.bitcast expects a type of the same size, found {source.name} and {dtype.name}",
        )
    expression = convert_expression(scalar.expression, source)
    return Scalar(ir.Bitcast(expression, dtype, span) if source is not dtype else expression)


def _select(run: AbstractInterpreter, arguments: Arguments) -> Value:
    condition, left, right = arguments.take(run, "sm.select", "condition when_true when_false")
    span = run.span(arguments.node)
    known = truth(run, condition, span)
    if isinstance(known, Static):
        return left if known.value else right
    # Both are evaluated, unlike the operands of the node, which must be safe to evaluate.
    left, right = (
        with_expressions(value, partial(_keep_if_unsafe, run)) for value in (left, right)
    )
    return select(run, known.expression, left, right, span)


def _keep_if_unsafe(run: AbstractInterpreter, expression: ir.Expression) -> ir.Expression:
    return expression if run.is_lazy_safe(expression) else run.keep(expression, "chosen")


def _cdiv(run: AbstractInterpreter, arguments: Arguments) -> Value:
    """``(a + b - 1) // b`` overflows where ``-(-a // b)`` does not; unsigned types need it."""
    a, b = arguments.take(run, "sm.cdiv", "a b")
    span = run.span(arguments.node)
    for value in (a, b):
        number = as_number(run, value, span)
        if isinstance(number, Complex) or not number.dtype.is_integer:
            raise Fault(span, f"sm.cdiv expects integers, found {describe(value)}")
    dtype = common_type(run, (a, b), span, "sm.cdiv").dtype
    if dtype.is_signed or (isinstance(a, Static) and isinstance(b, Static)):
        flipped = arithmetic.binary(run, "floor_divide", arithmetic.negate(run, a, span), b, span)
        return arithmetic.negate(run, flipped, span)
    kept = [
        number if isinstance(number, Static) else run.keep_scalar(as_scalar(run, number, span))
        for number in (unwrap(a, span), unwrap(b, span))
    ]
    quotient = arithmetic.binary(run, "floor_divide", kept[0], kept[1], span)
    rest = arithmetic.binary(run, "remainder", kept[0], kept[1], span)
    one_more = truth(run, rest, span)
    return arithmetic.binary(run, "add", quotient, one_more, span)


def _pair(*names: str) -> Handler:
    def handler(run: AbstractInterpreter, arguments: Arguments) -> Value:
        (x,) = arguments.take(run, "the function", "x")
        span = run.span(arguments.node)
        x = unwrap(x, span)
        if isinstance(x, Scalar):
            x = run.keep_scalar(x, "x")
        return Aggregate(tuple(apply(run, TABLE[name], [x], span) for name in names))

    return handler


def _modf(run: AbstractInterpreter, arguments: Arguments) -> Value:
    """The whole part is trunc(x); the fraction has the sign of x, and is 0 at infinity."""
    (x,) = arguments.take(run, "modf", "x")
    span = run.span(arguments.node)
    number = as_scalar(run, x, span)
    if not number.dtype.is_float:
        number = Scalar(convert_expression(number.expression, dtypes.DEFAULT_FLOAT))
    number = run.keep_scalar(number, "x")
    whole_part = apply(run, TABLE["trunc"], [number], span)
    assert isinstance(whole_part, Scalar)
    whole_part = run.keep_scalar(whole_part, "whole")
    difference = arithmetic.binary(run, "subtract", number, whole_part, span)
    is_infinite = apply(run, TABLE["isinf"], [number], span)
    assert isinstance(is_infinite, Scalar)
    rest = select(run, is_infinite.expression, Static(0.0), difference, span)
    return Aggregate((apply(run, TABLE["copysign"], [rest, number], span), whole_part))


def _rounding_handler(name: str) -> Handler:
    def handler(run: AbstractInterpreter, arguments: Arguments) -> Value:
        (x,) = arguments.take(run, f"math.{name}", "x")
        return round_to_integer(run, name, x, arguments.node)

    return handler


def _static_range(run: AbstractInterpreter, arguments: Arguments) -> Value:
    span = run.span(arguments.node)
    if arguments.named or not 1 <= len(arguments.positional) <= 3:
        raise Fault(span, "expected sm.static_range(stop) or sm.static_range(start, stop, step)")
    bounds = [static_int(v, span, "sm.static_range", "; use range") for v in arguments.positional]
    if len(bounds) == 3 and bounds[2] == 0:
        raise Fault(span, "the step of sm.static_range is 0, expected another number")
    return Static(range(*bounds))


HANDLERS: dict[str, Handler] = {
    **atomics.HANDLERS,
    **complex_functions.HANDLERS,
    "threadgroup_array": _array(Space.THREADGROUP, "threadgroup_array"),
    "thread_array": _array(Space.THREAD, "thread_array"),
    "threadgroup_barrier": _barrier("threadgroup"),
    "simdgroup_barrier": _barrier("simdgroup"),
    "static_range": _static_range,
    "cdiv": _cdiv,
    **matrix_calls.HANDLERS,
    **async_calls.HANDLERS,
    "bitcast": _bitcast,
    "select": _select,
    "sincos": _pair("sin", "cos"),
    "frexp": _pair("frexp_mantissa", "frexp_exponent"),
    "modf": _modf,
    "math.floor": _rounding_handler("floor"),
    "math.ceil": _rounding_handler("ceil"),
    "math.trunc": _rounding_handler("trunc"),
}
"""What each construct does, by its record's name."""
