"""Elementwise functions of arrays, by the names of the array API and of the kernel language."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from speedmetal.arrays.graph import apply
from speedmetal.errors import UserInputError
from speedmetal.intrinsics import TABLE

_OTHER_NAMES = {"select": "where"}
_ARITIES = {"where": 3, "floor_divide": 2, "remainder": 2}


def function_named(name: str) -> Callable[..., Any]:
    """What a word of the kernel language does with arrays.

    Raises:
        UserInputError: It has no meaning for them.
    """
    from speedmetal.frontend.elements import OPERATIONS  # a program that only loads code needs none

    operation = _OTHER_NAMES.get(name, name)
    if operation in OPERATIONS:
        return partial(_checked, name, operation)
    raise UserInputError(
        f"sm.{name} works on the elements of arrays inside kernels alone; call it in a function"
        " decorated with @sm.kernel"
    )


def _checked(name: str, operation: str, /, *operands: Any) -> Any:
    """The operation on as many operands as it has.

    Raises:
        UserInputError: There are more or fewer.
    """
    record = TABLE.get(operation)
    arity = _ARITIES.get(operation) or (record.arity if record is not None else 2)
    if len(operands) != arity:
        raise UserInputError(f"sm.{name} expected {arity} operands, got {len(operands)}")
    return apply(operation, *operands)
