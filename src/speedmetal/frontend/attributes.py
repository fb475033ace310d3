"""Attributes: of modules and classes, of arrays, numbers, tuples and positions."""

from __future__ import annotations

import ast
import enum
import inspect
import types
from collections.abc import Callable
from typing import Any

from speedmetal.dtypes import ALL, DType
from speedmetal.frontend import complex_numbers
from speedmetal.frontend.capture import look_up_attribute
from speedmetal.frontend.convert import unwrap
from speedmetal.frontend.interpreter import AbstractInterpreter
from speedmetal.frontend.memory import extent
from speedmetal.frontend.suggestions import FOREIGN, suggest_names
from speedmetal.frontend.unpack import AXES, on_axis
from speedmetal.frontend.values import (
    Aggregate,
    ArrayView,
    Complex,
    Matrix,
    Method,
    Partial,
    Position,
    Scalar,
    Static,
    Value,
    advice,
    describe,
)
from speedmetal.frontend.wrapped import plain_function
from speedmetal.intrinsics import TABLE, constructs
from speedmetal.intrinsics.record import Intrinsic
from speedmetal.ir import nodes as ir
from speedmetal.source import SourceSpan


def attribute(run: AbstractInterpreter, node: ast.Attribute, owner: Value) -> Value:
    """``owner.name``.

    Raises:
        Fault: It has no such attribute.
    """
    owner = unwrap(owner, run.span(node))
    name = node.attr
    if isinstance(owner, Position) and name in AXES:
        return on_axis(run, owner, AXES.index(name), run.span(node))
    if isinstance(owner, Aggregate):
        return _of_aggregate(run, node, owner)
    if isinstance(owner, Static) and not owner.is_number:
        return _of_object(run, node, owner.value)
    table = _TABLES.get(type(owner), {})
    found = table.get(name)
    if found is None:
        raise run.fault(
            node,
            f"{_describe_owner(owner)} has no attribute {name!r}{_suggest_instead(owner, name)}",
        )
    return found(run, owner, run.span(node))


def _describe_owner(owner: Value) -> str:
    return f"sm.{owner.intrinsic.name}()" if isinstance(owner, Position) else describe(owner)


def _suggest_instead(owner: Value, name: str) -> str:
    """What to write for an attribute that arrays, numbers and positions do not have."""
    names = AXES if isinstance(owner, Position) else _TABLES.get(type(owner), {})
    hint = suggest_names(name, names)
    if hint or not names:
        return hint
    if isinstance(owner, Scalar | Static) and name in TABLE:
        return f"; write sm.{name}(x)"
    if isinstance(owner, Scalar) and name in AXES:
        return "; it is one number, without axes"
    return f"; it has {', '.join(sorted(names))}"


def _of_object(run: AbstractInterpreter, node: ast.Attribute, owner: Any) -> Value:
    name = node.attr
    if isinstance(owner, Intrinsic) and owner.axes and name in AXES:
        shown = ast.unparse(node.value)
        raise run.fault(node, f"{shown} is a function; write {shown}().{name}")
    if not isinstance(owner, types.ModuleType | type | DType | enum.Enum):
        raise run.fault(
            node,
            f"attributes of {describe(Static(owner))} are not visible in kernels"
            + (advice(Static(owner)) or _VISIBLE),
        )
    try:
        found = look_up_attribute(owner, name, run.session.dependencies)
    except AttributeError:
        shown = getattr(owner, "__name__", None) or describe(Static(owner))
        raise run.fault(
            node, f"{shown} has no attribute {name!r}{suggest_names(name, _names_of(owner))}"
        ) from None
    return run.lift_object(found)


_VISIBLE = "; allowed are those of modules, classes, named tuples and frozen dataclasses"


def _names_of(owner: Any) -> list[str]:
    """What may be meant; of speedmetal itself the words of the language alone."""
    if getattr(owner, "__name__", None) == "speedmetal":
        return [*TABLE, *constructs.TABLE, *(dtype.name for dtype in ALL)]
    return [name for name in dir(owner) if not name.startswith("_")]


# --- Records ---------------------------------------------------------------------------------


def _of_aggregate(run: AbstractInterpreter, node: ast.Attribute, owner: Aggregate) -> Value:
    name = node.attr
    if name in owner.fields:
        return owner.items[owner.fields.index(name)]
    if owner.is_tuple and name in {"_replace", "count", "index", "_asdict"}:
        if name == "_replace" and owner.cls is not None:
            return Method(owner, name)
        raise run.fault(node, f"tuples have no {name} in kernels; loop over the items")
    found = _of_class(run, owner.cls, name)
    if isinstance(found, types.MethodType):  # of the class
        return run.lift_object(found)
    if plain_function(found) is not None:
        is_static = isinstance(inspect.getattr_static(owner.cls, name), staticmethod)
        return Static(found) if is_static else Partial(Static(found), (owner,))
    if isinstance(found, property) and isinstance(found.fget, types.FunctionType):
        return run.call_value(node, Partial(Static(found.fget), (owner,)))
    if found is not None and not callable(found):
        return run.lift_object(found)
    if name in FOREIGN:
        raise run.fault(node, f"a tuple has no attribute {name!r}{suggest_names(name, [])}")
    hint = suggest_names(name, owner.fields)
    if not hint and owner.fields:
        hint = f"; it has {', '.join(owner.fields)}"
    raise run.fault(node, f"{describe(owner)} has no attribute {name!r}{hint}")


def _of_class(run: AbstractInterpreter, cls: type | None, name: str) -> Any:
    """The attribute of a record's class; None where it has none of this name."""
    if not hasattr(cls, name):
        return None
    return look_up_attribute(cls, name, run.session.dependencies)


# --- Numbers, arrays, matrices ---------------------------------------------------------------

Getter = Callable[[AbstractInterpreter, Any, SourceSpan], Value]


def _method(name: str) -> Getter:
    return lambda _run, owner, _span: Method(owner, name)


def _dtype(
    run: AbstractInterpreter, owner: Scalar | Complex | ArrayView | Matrix, span: SourceSpan
) -> Value:
    del run, span
    return Static(owner.dtype)


def _part(name: str) -> Getter:
    return lambda run, owner, span: complex_numbers.part(run, owner, name, span)


def _static_part(part: str) -> Getter:
    return lambda _run, owner, _span: Static(getattr(owner.value, part))


def shape(run: AbstractInterpreter, owner: ArrayView, span: SourceSpan) -> Aggregate:
    """The sizes along the axes; constants where they are known."""
    sizes: list[Value] = []
    for axis in range(len(owner.prefix), owner.array.type.rank):
        known = None if owner.array.shape is None else owner.array.shape[axis]
        sizes.append(
            Static(known)
            if isinstance(known, int)
            else Scalar(extent(run, owner.array, axis, span))
        )
    return Aggregate(tuple(sizes))


def size(run: AbstractInterpreter, owner: ArrayView, span: SourceSpan) -> Value:
    """The number of elements."""
    sizes = shape(run, owner, span).items
    if all(isinstance(item, Static) for item in sizes):
        total = 1
        for item in sizes:
            assert isinstance(item, Static)
            total *= item.value
        return Static(total)
    first = len(owner.prefix)
    result = extent(run, owner.array, first, span)
    for axis in range(first + 1, owner.array.type.rank):
        other = extent(run, owner.array, axis, span)
        result = ir.Binary("multiply", result, other, run.index_type, span)
    return Scalar(result)


_NUMBER: dict[str, Getter] = {
    "astype": _method("astype"),
    "conjugate": _method("conjugate"),
    "item": _method("item"),
    "real": _part("real"),
    "imag": _part("imag"),
}
_TABLES: dict[type, dict[str, Getter]] = {
    Scalar: {**_NUMBER, "dtype": _dtype, "bit_count": _method("bit_count")},
    Complex: {**_NUMBER, "dtype": _dtype},
    Static: {**_NUMBER, "real": _static_part("real"), "imag": _static_part("imag")},
    ArrayView: {
        "shape": shape,
        "size": size,
        "ndim": lambda _run, owner, _span: Static(owner.rank),
        "dtype": _dtype,
    },
    Matrix: {
        "dtype": _dtype,
        "shape": lambda _run, owner, _span: Aggregate(tuple(map(Static, owner.type.shape))),
    },
    Position: {},
}
