"""Operators of a program's own named tuples and dataclasses: ``__add__`` and the like.

Python asks the classes of both operands. Where one defines the operator, its method is called;
where none does, the operator means what it does of numbers and tuples.
"""

from __future__ import annotations

import ast

from speedmetal.frontend import arithmetic
from speedmetal.frontend.comparison import compare, invert_truth
from speedmetal.frontend.convert import truth
from speedmetal.frontend.interpreter import AbstractInterpreter
from speedmetal.frontend.own_methods import own_method
from speedmetal.frontend.values import Aggregate, Scalar, Static, Value

_BINARY = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "truediv",
    "floor_divide": "floordiv", "remainder": "mod", "power": "pow", "bit_and": "and",
    "bit_or": "or", "bit_xor": "xor", "shift_left": "lshift", "shift_right": "rshift",
}  # fmt: skip
"""Python's word for each operator, as in ``__add__``, ``__radd__`` and ``__iadd__``."""

_MIRRORED = {"eq": "eq", "ne": "ne", "lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}


def call_own(
    run: AbstractInterpreter, node: ast.expr, name: str, value: Value, *others: Value
) -> Value | None:
    """What a record's own method of this name gives; None where it has none."""
    function = own_method(run, value, name)
    if function is None:
        return None
    return run.call_value(node, Static(function), [value, *others])


def binary(
    run: AbstractInterpreter, node: ast.expr | ast.AugAssign, name: str, left: Value, right: Value
) -> Value:
    """The value of ``left <operator> right``.

    Raises:
        Fault: The operands do not go together.
    """
    word = _BINARY[name]
    place = node.value if isinstance(node, ast.AugAssign) else node
    found = None
    if isinstance(node, ast.AugAssign):
        found = call_own(run, place, f"__i{word}__", left, right)
    if found is None:
        found = _of_either(run, place, f"__{word}__", f"__r{word}__", left, right)
    return arithmetic.binary(run, name, left, right, run.span(node)) if found is None else found


def comparison(
    run: AbstractInterpreter, node: ast.expr, name: str, left: Value, right: Value
) -> Static | Scalar:
    """The truth of ``left <comparison> right``.

    Raises:
        Fault: The two cannot be compared.
    """
    span = run.span(node)
    found = _of_either(run, node, f"__{name}__", f"__{_MIRRORED[name]}__", left, right)
    if found is not None:
        return truth(run, found, span)
    if name == "ne" and not any(isinstance(v, Aggregate) and v.is_tuple for v in (left, right)):
        found = _of_either(run, node, "__eq__", "__eq__", left, right)
        if found is not None:
            return invert_truth(truth(run, found, span), span)
    return compare(run, name, left, right, span)


def _of_either(
    run: AbstractInterpreter, node: ast.expr, forth: str, back: str, left: Value, right: Value
) -> Value | None:
    """What the method of one operand gives, in Python's order; None where neither has one."""
    sides = [(forth, left, right), (back, right, left)]
    if _is_of_subclass(right, left):
        sides.reverse()
    for name, own, other in sides:
        found = call_own(run, node, name, own, other)
        if found is not None or _is_of_tuples(name, own, other):
            return found
    return None


def _is_of_subclass(value: Value, other: Value) -> bool:
    if not (isinstance(value, Aggregate) and isinstance(other, Aggregate)):
        return False
    below, above = value.cls or tuple, other.cls or tuple
    return below is not above and issubclass(below, above)


def _is_of_tuples(name: str, own: Value, other: Value) -> bool:
    """Whether Python's own operator on tuples is meant: ``own`` is a tuple, and ``other`` no
    record.
    """
    if not (isinstance(own, Aggregate) and own.is_tuple and hasattr(tuple, name)):
        return False
    return not isinstance(other, Aggregate) or other.is_tuple
