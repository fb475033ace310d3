"""Calls: of intrinsics and constructs, of types, of the user's functions."""

from __future__ import annotations

import ast
import dataclasses
import types
from typing import Any

import numpy as np

from speedmetal import dtypes
from speedmetal.dtypes import DType
from speedmetal.errors import UserInputError
from speedmetal.frontend import complex_numbers
from speedmetal.frontend.arguments import Arguments
from speedmetal.frontend.construct_calls import HANDLERS
from speedmetal.frontend.convert import as_dtype, as_number, as_scalar, explicit
from speedmetal.frontend.functions import call_function
from speedmetal.frontend.interpreter import AbstractInterpreter, Fault, expression
from speedmetal.frontend.intrinsic_calls import apply, call_intrinsic
from speedmetal.frontend.own_methods import own_method
from speedmetal.frontend.python_functions import FUNCTIONS, replace_fields
from speedmetal.frontend.signature import (
    field_names,
    is_record_class,
    record_defaults,
    record_fields,
)
from speedmetal.frontend.suggestions import FOREIGN, suggest_names
from speedmetal.frontend.unpack import spread_values
from speedmetal.frontend.values import (
    Aggregate,
    Closure,
    Complex,
    Method,
    Partial,
    Static,
    Value,
    describe,
)
from speedmetal.frontend.wrapped import plain_function
from speedmetal.intrinsics import TABLE, by_object, constructs


@expression(ast.Call)
def _call(run: AbstractInterpreter, node: ast.Call) -> Value:
    keywords = [keyword for keyword in node.keywords if keyword.arg is not None]
    callee, *values = spread_values(run, [node.func, *node.args, *(k.value for k in keywords)])
    count = len(values) - len(keywords)
    arguments = Arguments(node, values[:count])
    for keyword, value in zip(keywords, values[count:], strict=True):
        assert keyword.arg is not None
        arguments.named[keyword.arg] = value
    return invoke(run, callee, arguments)


def invoke(run: AbstractInterpreter, callee: Value, arguments: Arguments) -> Value:
    """The value of a call.

    Raises:
        Fault: The callee cannot be called so.
    """
    match callee:
        case Static(found):
            return _call_object(run, found, arguments)
        case Method():
            return _call_method(run, callee, arguments)
        case Partial(function, positional, named):
            arguments.positional[:0] = positional
            arguments.named = dict(named) | arguments.named
            return invoke(run, function, arguments)
        case Closure():
            return call_function(run, callee, arguments)
    method = own_method(run, callee, "__call__")
    if method is not None:
        arguments.positional.insert(0, callee)
        return invoke(run, Static(method), arguments)
    raise run.fault(arguments.node, f"expected a function to call, found {describe(callee)}")


def call_value(
    run: AbstractInterpreter, node: ast.expr, callee: Value, values: list[Value] | None = None
) -> Value:
    """Call a value with arguments that are evaluated already;
    :meth:`AbstractInterpreter.call_value`.
    """
    return invoke(run, callee, Arguments(node, list(values or [])))


AbstractInterpreter.call_value = call_value  # attributes and atomics call, and calls need them


def _call_object(run: AbstractInterpreter, found: Any, arguments: Arguments) -> Value:
    intrinsic = by_object(found)
    construct = constructs.by_object(found)
    if construct is not None:
        return HANDLERS[construct.name](run, arguments)
    if intrinsic is not None:
        return call_intrinsic(run, intrinsic, arguments)
    handler = (
        FUNCTIONS.get(found)
        if isinstance(found, type | types.BuiltinFunctionType) or (found in _OTHER_FUNCTIONS)
        else None
    )
    if handler is not None:
        return handler(run, arguments)
    if isinstance(found, DType) or (isinstance(found, type) and issubclass(found, np.generic)):
        return _convert(run, found, arguments)
    if is_record_class(found):
        return _construct_record(run, found, arguments)
    function = plain_function(found)
    if function is not None and _is_for_the_host(function):
        raise run.fault(arguments.node, _host_only(function))
    if function is not None and _library(function) in _ARRAY_LIBRARIES:
        raise run.fault(arguments.node, _not_callable(found))
    if function is not None:
        _check_launch(run, function, arguments)
        return call_function(run, function, arguments)
    raise run.fault(arguments.node, _not_callable(found))


_ARRAY_LIBRARIES = frozenset({"numpy", "scipy", "torch", "jax", "mlx", "cupy", "numba"})
"""Whose functions are Python that handles whole arrays: errors inside would mislead."""


def _library(function: types.FunctionType) -> str:
    return (function.__module__ or "").partition(".")[0]


_LAUNCH_OPTIONS = frozenset({"grid", "groups", "threads"})


def _check_launch(
    run: AbstractInterpreter, function: types.FunctionType, arguments: Arguments
) -> None:
    """A kernel can call another as a function, but not launch it."""
    if _LAUNCH_OPTIONS & (arguments.named.keys() - set(function.__code__.co_varnames)):
        raise run.fault(
            arguments.node,
            f"a kernel cannot launch a kernel; launch {function.__name__} outside, or call it"
            " without a size to run its body in this thread",
        )


_OTHER_FUNCTIONS = frozenset(key for key in FUNCTIONS if isinstance(key, types.FunctionType))


_IN_THE_LANGUAGE = (
    "speedmetal.intrinsics.",
    "speedmetal.arrays.kernels.",
    "speedmetal.nn.kernels.",
)
"""Modules of ours whose functions are for kernels."""


def _is_for_the_host(function: types.FunctionType) -> bool:
    module = function.__module__ or ""
    if function.__code__.co_filename.startswith("<doctest "):  # has the name of the module around
        return False
    return module.startswith("speedmetal.") and not module.startswith(_IN_THE_LANGUAGE)


def _host_only(function: types.FunctionType) -> str:
    hint = _ARRAYS_INSIDE if function.__module__.startswith("speedmetal.arrays.") else ""
    return f"sm.{function.__name__} works outside kernels only{hint}"


def _not_callable(found: Any) -> str:
    name = getattr(found, "__name__", None)
    if name is None:
        return f"expected a function to call, found {describe(Static(found))}"
    if isinstance(found, types.ModuleType):
        return f"{name} is a module, not a function; write {name}.function(...)"
    if isinstance(found, type) and dataclasses.is_dataclass(found):
        return (
            f"the dataclass {name} is not frozen; write @dataclass(frozen=True) above class {name}"
        )
    if isinstance(found, type):
        return (
            f"the class {name} cannot be used in kernels; allowed are named tuples, frozen"
            " dataclasses and dtypes"
        )
    module = getattr(found, "__module__", None)
    shown = f"{module}.{name}" if module and module != "builtins" else name
    return f"{shown} cannot be called in kernels{_instead_of(name)}"


_MAKES_ARRAYS = frozenset(
    {"zeros", "ones", "empty", "full", "array", "asarray", "zeros_like", "empty_like", "ones_like"}
)
_ARRAYS_INSIDE = (
    "; arrays inside are sm.thread_array(shape, dtype) and sm.threadgroup_array(shape, dtype)"
)


_OF_SEVERAL = {
    **{name: name for name in ("sum", "min", "max", "any", "all")},
    "amin": "min",
    "amax": "max",
    "fsum": "sum",
    "prod": "math.prod",
    "nansum": "sum",
}
"""Other libraries' functions of whole arrays, and Python's of many numbers."""

_WRITTEN_OUT = {
    **dict.fromkeys(("round", "around"), "np.rint(x)"),
    **dict.fromkeys(("mean", "average", "fmean"), "sum(a[i] for i in range(n)) / n"),
    **dict.fromkeys(("dot", "vdot", "inner", "sumprod"), "sum(a[i] * b[i] for i in range(n))"),
    "matmul": "sum(a[i, k] * b[k, j] for k in range(n))",
    "norm": "math.sqrt(sum(a[i] * a[i] for i in range(n)))",
    "argmax": "max(range(n), key=lambda i: a[i], default=-1)",
    "argmin": "min(range(n), key=lambda i: a[i], default=-1)",
    "count_nonzero": "sum(1 for i in range(n) if a[i] != 0)",
}
"""What does the same in a kernel."""


def _instead_of(name: str) -> str:
    if name in FOREIGN:
        return suggest_names(name, [])
    if name in _MAKES_ARRAYS:
        return _ARRAYS_INSIDE
    if name in _OF_SEVERAL:
        return f"; write {_OF_SEVERAL[name]}(a[i] for i in range(n))"
    if name in _WRITTEN_OUT:
        return f"; write {_WRITTEN_OUT[name]}"
    if name in TABLE:  # another library's function of the same name
        return f"; did you mean sm.{name}?"
    return "; call it outside and pass the result, or write a loop"


def _convert(run: AbstractInterpreter, found: Any, arguments: Arguments) -> Value:
    span = run.span(arguments.node)
    try:
        dtype = dtypes.as_dtype(found)
    except UserInputError as error:
        raise Fault(span, str(error)) from None
    optional = "imag" if dtype.is_complex else ""
    value, *rest = arguments.take_some(run, dtype.name, "x", optional)
    assert value is not None
    imag = rest[0] if rest else None
    if imag is None:
        return explicit(run, value, dtype, span)
    return complex_numbers.of_parts(run, value, imag, dtype, span)


def _call_method(run: AbstractInterpreter, method: Method, arguments: Arguments) -> Value:
    span = run.span(arguments.node)
    receiver = method.receiver
    match method.name:
        case "astype":
            (dtype,) = arguments.take(run, "astype", "dtype")
            return explicit(run, receiver, as_dtype(dtype, span), span)
        case "conjugate":
            arguments.take(run, "conjugate", "")
            number = as_number(run, receiver, span)
            return complex_numbers.conjugate(number) if isinstance(number, Complex) else number
        case "item":
            arguments.take(run, "item", "")
            return receiver
        case "bit_count":
            arguments.take(run, "bit_count", "")
            return apply(run, TABLE["popcount"], [as_scalar(run, receiver, span)], span)
    assert isinstance(receiver, Aggregate)
    return replace_fields(run, arguments, receiver)


def _construct_record(run: AbstractInterpreter, cls: type, arguments: Arguments) -> Value:
    """A new named tuple or dataclass; defaults count, ``__post_init__`` cannot."""
    names = field_names(cls)
    if not issubclass(cls, tuple) and "__post_init__" in vars(cls):
        raise run.fault(
            arguments.node, f"{cls.__name__} has __post_init__, which kernels cannot run"
        )
    run.session.dependencies.add(cls, *record_fields(cls))
    defaults = record_defaults(cls)
    required = [name for name in names if name not in defaults]
    optional = [name for name in names if name in defaults]
    given = arguments.take_some(run, cls.__name__, " ".join(required), " ".join(optional))
    by_name = dict(zip(required + optional, given, strict=True))
    items = []
    for name in names:
        value = by_name[name]
        items.append(run.lift_object(defaults[name]) if value is None else value)
    return Aggregate(tuple(items), cls)
