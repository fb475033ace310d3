"""Python's own functions inside kernels: range, min, print ..."""

from __future__ import annotations

import ast
import builtins
import dataclasses
import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from speedmetal import dtypes
from speedmetal.common.records import replace
from speedmetal.frontend import arithmetic, complex_numbers, special_methods
from speedmetal.frontend.arguments import Arguments
from speedmetal.frontend.attributes import shape
from speedmetal.frontend.convert import (
    as_complex,
    as_number,
    as_scalar,
    explicit,
    static_int,
    truth,
    unwrap,
)
from speedmetal.frontend.flattening import FLATTENING
from speedmetal.frontend.interpreter import AbstractInterpreter, Fault
from speedmetal.frontend.intrinsic_calls import apply
from speedmetal.frontend.promotion import common_complex_type
from speedmetal.frontend.reductions import REDUCTIONS
from speedmetal.frontend.unpack import count_turns, items_of, unpack_value
from speedmetal.frontend.values import (
    NONE,
    Aggregate,
    ArrayView,
    Complex,
    Generator,
    Partial,
    Range,
    Scalar,
    Static,
    Value,
    describe,
)
from speedmetal.intrinsics import TABLE
from speedmetal.ir import nodes as ir
from speedmetal.source import SourceSpan

Handler = Callable[[AbstractInterpreter, Arguments], Value]


def _range(run: AbstractInterpreter, arguments: Arguments) -> Value:
    given = arguments.positional
    if arguments.named or not 1 <= len(given) <= 3:
        raise run.fault(arguments.node, "expected range(stop) or range(start, stop, step)")
    given = [unwrap(value, run.span(arguments.node)) for value in given]
    start, stop = (Static(0), given[0]) if len(given) == 1 else (given[0], given[1])
    return Range(start, stop, given[2] if len(given) > 2 else Static(1))


def _abs(run: AbstractInterpreter, arguments: Arguments) -> Value:
    (value,) = arguments.take(run, "abs", "x")
    span = run.span(arguments.node)
    value = unwrap(value, span)
    own = special_methods.call_own(run, arguments.node, "__abs__", value)
    if own is not None:
        return own
    if isinstance(value, Static) and value.is_number:
        return Static(abs(value.value))
    number = as_number(run, value, span)
    if isinstance(number, Scalar) and number.dtype.kind is dtypes.Kind.UNSIGNED:
        return number
    return apply(run, TABLE["abs"], [number], span)


def _round(run: AbstractInterpreter, arguments: Arguments) -> Value:
    value, digits = arguments.take_some(run, "round", "x", "ndigits")
    assert value is not None
    span = run.span(arguments.node)
    value = unwrap(value, span)
    if digits is not None and not (isinstance(digits, Static) and digits.value is None):
        raise run.fault(
            arguments.node,
            "round has one argument in kernels; for two digits write sm.rint(x * 100.0) / 100.0",
        )
    if isinstance(value, Static) and isinstance(value.value, int | float):
        return Static(_round_constant(run, arguments, round, value.value))
    return round_to_integer(run, "rint", value, arguments.node)


def round_to_integer(run: AbstractInterpreter, name: str, value: Value, node: ast.expr) -> Value:
    """A rounding intrinsic's result as int32; an integer is its own."""
    span = run.span(node)
    scalar = as_scalar(run, value, span)
    if not scalar.dtype.is_float:
        return arithmetic.plus(run, scalar, span)
    rounded = apply(run, TABLE[name], [scalar], span)
    return explicit(run, rounded, dtypes.DEFAULT_INT, span)


def _int(run: AbstractInterpreter, arguments: Arguments) -> Value:
    (value,) = arguments.take(run, "int", "x")
    span = run.span(arguments.node)
    value = unwrap(value, span)
    if isinstance(value, Static) and isinstance(value.value, int | float):
        return Static(_round_constant(run, arguments, int, value.value))
    scalar = as_scalar(run, value, span)
    if scalar.weak and scalar.dtype.is_integer:
        return scalar
    return explicit(run, scalar, _INT_OF.get(scalar.dtype, dtypes.DEFAULT_INT), span)


_INT_OF = {
    dtypes.uint16: dtypes.int64,  # the square of one does not fit into int32
    dtypes.uint32: dtypes.int64,
    dtypes.int64: dtypes.int64,
    dtypes.uint64: dtypes.uint64,
}
"""What ``int(x)`` gives for a type of x; int32 for all others."""


def _round_constant(
    run: AbstractInterpreter, arguments: Arguments, rounded: Callable[[float], int], value: float
) -> int:
    try:
        return rounded(value)
    except (ValueError, OverflowError) as error:
        raise run.fault(arguments.node, f"the constant has no integer value: {error}") from None


def _float(run: AbstractInterpreter, arguments: Arguments) -> Value:
    (value,) = arguments.take(run, "float", "x")
    span = run.span(arguments.node)
    value = unwrap(value, span)
    if isinstance(value, Static) and isinstance(value.value, int | float | str):
        try:
            return Static(float(value.value))
        except (ValueError, OverflowError):
            message = f"float expects what a float can hold, found {describe(value)}"
            raise run.fault(arguments.node, message) from None
    scalar = as_scalar(run, value, span)
    if scalar.dtype.is_float and scalar.dtype.bits >= dtypes.DEFAULT_FLOAT.bits:
        return scalar
    dtype = run.unit.default_float if scalar.weak else dtypes.DEFAULT_FLOAT
    found = explicit(run, scalar, dtype, span)
    assert isinstance(found, Scalar)
    return Scalar(found.expression, scalar.weak)


def _bool(run: AbstractInterpreter, arguments: Arguments) -> Value:
    (value,) = arguments.take(run, "bool", "x")
    return truth(run, value, run.span(arguments.node))


def _complex(run: AbstractInterpreter, arguments: Arguments) -> Value:
    real, imag = arguments.take_some(run, "complex", "real", "imag")
    assert real is not None
    span = run.span(arguments.node)
    given = (real,) if imag is None else (real, imag)
    known = [part.value for part in given if isinstance(part, Static) and part.is_number]
    if len(known) == len(given) and not any(isinstance(part, np.generic) for part in known):
        return _known_complex(known, span)
    found = common_complex_type(run, given, span)
    if imag is None:
        return as_complex(run, real, found.dtype, span)
    number = complex_numbers.of_parts(run, real, imag, found.dtype, span)
    return Complex(number.real, number.imag, found.weak)


def _known_complex(parts: list[Any], span: SourceSpan) -> Static:
    try:
        return Static(complex(*parts))
    except OverflowError:
        raise Fault(span, "the constant is too large for any float") from None


def _power(run: AbstractInterpreter, arguments: Arguments) -> Value:
    base, exponent = arguments.take(run, "pow", "base exp")
    return special_methods.binary(run, arguments.node, "power", base, exponent)


def _divmod(run: AbstractInterpreter, arguments: Arguments) -> Value:
    left, right = arguments.take(run, "divmod", "a b")
    span = run.span(arguments.node)
    return Aggregate(
        tuple(
            arithmetic.binary(run, name, left, right, span)
            for name in ("floor_divide", "remainder")
        )
    )


def _len(run: AbstractInterpreter, arguments: Arguments) -> Value:
    (value,) = arguments.take(run, "len", "x")
    own = special_methods.call_own(run, arguments.node, "__len__", value)
    if own is not None:
        return own
    if isinstance(value, ArrayView) and value.rank:
        return shape(run, value, run.span(arguments.node)).items[0]
    if isinstance(value, Static) and isinstance(value.value, range):
        return Static(count_turns(value.value))
    items = unpack_value(run, arguments.node, value)
    if items is not None:
        return Static(len(items))
    if isinstance(value, Static) and isinstance(value.value, str):
        return Static(len(value.value))
    way = "; count with sum(1 for x in t if ...)" if isinstance(value, Generator) else ""
    raise run.fault(
        arguments.node, f"len expects an array or a tuple, found {describe(value)}{way}"
    )


def _zip(run: AbstractInterpreter, arguments: Arguments) -> Value:
    strict = arguments.named.pop("strict", Static(False))
    columns = [items_of(run, arguments.node, value, "zip") for value in arguments.positional]
    lengths = {len(column) for column in columns}
    if isinstance(strict, Static) and strict.value and len(lengths) > 1:
        raise run.fault(arguments.node, f"expected tuples of one length, found {sorted(lengths)}")
    rows = zip(*columns, strict=False)
    return Aggregate(tuple(Aggregate(tuple(row)) for row in rows))


def _enumerate(run: AbstractInterpreter, arguments: Arguments) -> Value:
    value, start = arguments.take_some(run, "enumerate", "iterable", "start")
    assert value is not None
    first = 0
    if start is not None:
        first = static_int(start, run.span(arguments.node), "start")
    items = items_of(run, arguments.node, value, "enumerate")
    return Aggregate(tuple(Aggregate((Static(first + i), item)) for i, item in enumerate(items)))


def _reversed(run: AbstractInterpreter, arguments: Arguments) -> Value:
    (value,) = arguments.take(run, "reversed", "sequence")
    if isinstance(value, Range):
        return replace(value, is_reversed=not value.is_reversed)
    if isinstance(value, Static) and isinstance(value.value, range):
        return Static(value.value[::-1])
    return Aggregate(tuple(reversed(items_of(run, arguments.node, value, "reversed"))))


def _print(run: AbstractInterpreter, arguments: Arguments) -> Value:
    run.require_inlining()
    span = run.span(arguments.node)
    separator = _text(run, arguments, "sep", " ")
    end = _text(run, arguments, "end", "\n")
    if arguments.named:
        raise run.fault(arguments.node, "print has the keywords sep and end alone in kernels")
    parts: list[str | None] = []
    values: list[ir.Expression] = []
    for number, value in enumerate(arguments.positional):
        parts += [separator] if number else []
        _show(run, unwrap(value, span), parts, values, arguments.node)
    run.emit(ir.Print(_join_texts([*parts, end]), tuple(values), span))
    return NONE


def _text(run: AbstractInterpreter, arguments: Arguments, name: str, default: str) -> str:
    value = arguments.named.pop(name, NONE)
    if isinstance(value, Static) and value.value is None:
        return default
    if isinstance(value, Static) and isinstance(value.value, str):
        return value.value
    raise run.fault(arguments.node, f"expected a text for {name}, found {describe(value)}")


def _show(
    run: AbstractInterpreter,
    value: Value,
    parts: list[str | None],
    values: list[ir.Expression],
    node: ast.expr,
) -> None:
    """What print writes for a value: Python's own text, with a gap for each number."""
    match value:
        case Static(found):
            parts.append(str(found))
        case Aggregate(items) if value.is_tuple:
            parts.append("(")
            for number, part in enumerate(items):
                parts += [", "] if number else []
                _show(run, part, parts, values, node)
            parts.append(",)" if len(items) == 1 else ")")
        case Complex(real, imag):
            parts += ["(", None, ", ", None, "j)"]
            values += [real, imag]
        case _:
            parts.append(None)
            values.append(as_scalar(run, value, run.span(node)).expression)


def _join_texts(parts: list[str | None]) -> tuple[str | None, ...]:
    """Texts next to each other made one."""
    joined: list[str | None] = []
    for part in parts:
        if part is not None and joined and joined[-1] is not None:
            joined[-1] += part
        elif part != "":
            joined.append(part)
    return tuple(joined)


def _replace(run: AbstractInterpreter, arguments: Arguments) -> Value:
    if len(arguments.positional) != 1 or not isinstance(arguments.positional[0], Aggregate):
        raise run.fault(arguments.node, "expected dataclasses.replace(record, field=value)")
    return replace_fields(run, arguments, arguments.positional[0])


def replace_fields(run: AbstractInterpreter, arguments: Arguments, record: Aggregate) -> Value:
    """The record with some fields changed."""
    items = dict(zip(record.fields, record.items, strict=True))
    for name, value in arguments.named.items():
        if name not in items:
            raise run.fault(arguments.node, f"{describe(record)} has no field {name!r}")
        items[name] = value
    return Aggregate(tuple(items.values()), record.cls)


def _partial(run: AbstractInterpreter, arguments: Arguments) -> Value:
    if not arguments.positional:
        raise run.fault(arguments.node, "expected functools.partial(function, ...)")
    function, *given = arguments.positional
    return Partial(function, tuple(given), tuple(arguments.named.items()))


def _operator(name: str) -> Handler:
    def handler(run: AbstractInterpreter, arguments: Arguments) -> Value:
        left, right = arguments.take(run, name, "a b")
        return special_methods.binary(run, arguments.node, name, left, right)

    return handler


def _comparison(name: str) -> Handler:
    def handler(run: AbstractInterpreter, arguments: Arguments) -> Value:
        left, right = arguments.take(run, name, "a b")
        return special_methods.comparison(run, arguments.node, name, left, right)

    return handler


def _refuse_with(advice: str) -> Handler:
    def handler(run: AbstractInterpreter, arguments: Arguments) -> Value:
        raise run.fault(arguments.node, advice)

    return handler


FUNCTIONS: dict[Any, Handler] = {
    **REDUCTIONS,
    **FLATTENING,
    builtins.range: _range,
    builtins.abs: _abs,
    builtins.round: _round,
    builtins.int: _int,
    builtins.float: _float,
    builtins.bool: _bool,
    builtins.complex: _complex,
    builtins.pow: _power,
    builtins.divmod: _divmod,
    builtins.len: _len,
    builtins.zip: _zip,
    builtins.enumerate: _enumerate,
    builtins.reversed: _reversed,
    builtins.print: _print,
    dataclasses.replace: _replace,
    functools.partial: _partial,
    operator.add: _operator("add"),
    operator.sub: _operator("subtract"),
    operator.mul: _operator("multiply"),
    operator.truediv: _operator("divide"),
    operator.floordiv: _operator("floor_divide"),
    operator.mod: _operator("remainder"),
    operator.pow: _operator("power"),
    operator.and_: _operator("bit_and"),
    operator.or_: _operator("bit_or"),
    operator.xor: _operator("bit_xor"),
    operator.lshift: _operator("shift_left"),
    operator.rshift: _operator("shift_right"),
    **{getattr(operator, name): _comparison(name) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    builtins.list: _refuse_with("kernels have no lists; use a tuple or sm.thread_array"),
    builtins.set: _refuse_with("kernels have no sets; compare with x in (1, 2, 3)"),
    builtins.type: _refuse_with("kernels have no type(x); write x.dtype"),
    builtins.getattr: _refuse_with("kernels have no getattr; write x.name"),
    builtins.dict: _refuse_with("kernels have no dictionaries; use a named tuple"),
    builtins.str: _refuse_with("kernels have no text; print(x) writes a number"),
    builtins.isinstance: _refuse_with("kernels have no isinstance; compare x.dtype == sm.float32"),
    builtins.map: _refuse_with("kernels have no map; write f(x) for x in t: sum(f(x) for x in t)"),
    builtins.filter: _refuse_with(
        "kernels have no filter; write x for x in t if f(x): sum(x for x in t if f(x))"
    ),
    builtins.next: _refuse_with(
        "kernels have no next; the first number that fits is min((k for k in t if ...), default=-1)"
    ),
    builtins.input: _refuse_with("kernels read nothing but their arguments"),
    builtins.open: _refuse_with("kernels read nothing but their arguments"),
}
"""What a kernel does with Python's functions."""
