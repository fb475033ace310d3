"""Words of the kernel language, called on arrays: what each of them means there."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from speedmetal.arrays.deferred.graph import unary
from speedmetal.arrays.deferred.lazy import Lazy
from speedmetal.arrays.elementwise import (
    arithmetic,
    bits,
    comparisons,
    complex_numbers,
    pairs,
    rounding,
)
from speedmetal.arrays.elementwise.operands import compute
from speedmetal.errors import UserInputError
from speedmetal.intrinsics import TABLE

_OWN: dict[str, Callable[..., Any]] = {
    "pow": arithmetic.pow,
    "fmod": arithmetic.fmod,
    "sign": arithmetic.sign,
    "cdiv": arithmetic.cdiv,
    "fmin": comparisons.fmin,
    "fmax": comparisons.fmax,
    "where": comparisons.where,
    "select": comparisons.where,
    "floor": rounding.floor,
    "ceil": rounding.ceil,
    "trunc": rounding.trunc,
    "rint": rounding.rint,
    "bitcast": bits.bitcast,
    "sincos": pairs.sincos,
    "frexp": pairs.frexp,
    "ldexp": pairs.ldexp,
    "modf": pairs.modf,
    "conj": complex_numbers.conj,
    "angle": complex_numbers.angle,
    "polar": complex_numbers.polar,
    "rect": complex_numbers.rect,
}
"""Words that are more than the operation of their name on all operands, or constructs."""


@cache
def function_named(name: str) -> Callable[..., Any]:
    """What a word of the kernel language does with arrays.

    Raises:
        UserInputError: It has no meaning for them.
    """
    from speedmetal.frontend.elements import OPERATIONS  # a program that only loads code needs none

    if name in _OWN:
        return _OWN[name]
    if name in TABLE and name in OPERATIONS:
        return partial(_of_one if TABLE[name].arity == 1 else _operation, name)
    raise UserInputError(
        f"sm.{name} works on the elements of arrays inside kernels alone; call it in a function"
        " decorated with @sm.kernel"
    )


_CALLERS = 5
"""From the user's code to a node: the word's own call, the array's class, what is here, the
graph."""


def _of_one(name: str, /, *operands: Any) -> Any:
    """As :func:`_operation`, in less time where it is given what it takes."""
    if len(operands) == 1 and isinstance(operands[0], Lazy):
        return unary(name, operands[0], callers=_CALLERS)
    return _operation(name, *operands)


def _operation(name: str, /, *operands: Any) -> Any:
    """The operation on as many operands as it has.

    Raises:
        UserInputError: There are more or fewer.
    """
    arity = TABLE[name].arity
    if len(operands) != arity:
        raise UserInputError(f"sm.{name} expected {arity} operands, got {len(operands)}")
    return compute(name, name, *operands, callers=_CALLERS + 1)
