"""The values of size expressions (:mod:`speedmetal.ir.size_expression`) in a launch.

A size expression means what the IR means, to the bit, so that the host knows the sizes that a
kernel will find.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from speedmetal.backends.packing import bfloat16_of_bits
from speedmetal.common.records import record
from speedmetal.dtypes import DType, bfloat16, find_dtype
from speedmetal.ir.size_expression import CALL, Formula, SizedArray

Number = bool | int | float


@record
class LaunchValues:
    """What a launch knows.

    Args:
        scalars: For each parameter of the compiled kernel what a launch packs: a number (a
            bfloat16 as its bits), or, for arrays, anything.
        shapes: For each parameter its extents; empty for numbers.
        threads: Of a threadgroup, along x, y and z.
    """

    scalars: Sequence[Any]
    shapes: Sequence[tuple[int, ...]]
    threads: tuple[int, int, int]


# --- Their values -------------------------------------------------------------------------------


def evaluate(formula: Formula, values: LaunchValues) -> Number:
    """What a formula is in a launch.

    Example:
        >>> values = LaunchValues([7], [()], (32, 1, 1))
        >>> evaluate(("floor_divide", "int32", ("parameter", "int32", 0),
        ...           ("constant", "int32", -2)), values)
        -4
    """
    word, dtype, *rest = formula
    kind = find_dtype(dtype)
    if word in _KNOWN:
        return _round_to_type(_KNOWN[word](values, kind, *rest), kind)
    parts = [evaluate(part, values) for part in rest]
    types = [find_dtype(part[1]) for part in rest]
    if word.startswith(CALL):
        return _round_to_type(_call_intrinsic(word.removeprefix(CALL), types, parts), kind)
    if word in _CASTS:
        return _CASTS[word](parts[0], types[0], kind)
    table = _INTEGER if kind.is_integer else _FLOAT
    return _round_to_type((_ANY.get(word) or table[word])(*parts), kind)


def _unpack_number(value: Any, dtype: DType) -> Any:
    return bfloat16_of_bits(value) if dtype is bfloat16 else value


def _round_to_type(value: Any, dtype: DType) -> Number:
    """An exact result as the type has it: integers wrap, floats are rounded."""
    if dtype.is_bool:
        return bool(value)
    if dtype.is_float:
        with np.errstate(over="ignore"):
            return float(dtype.numpy.type(float(value)))
    return (int(value) - dtype.minimum) % (1 << dtype.bits) + dtype.minimum


def _convert_number(value: Number, source: DType, target: DType) -> Number:
    if source.is_float and target.is_integer:
        return 0 if math.isnan(value) else int(min(max(value, target.minimum), target.maximum))
    if target.is_float and not source.is_float:  # in one rounding
        with np.errstate(over="ignore"):
            return float(np.array(value, source.numpy).astype(target.numpy))
    return _round_to_type(value, target)


def _bitcast(value: Number, source: DType, target: DType) -> Number:
    number: Number = np.array(value, source.numpy).view(target.numpy).item()
    return number


def _call_intrinsic(name: str, types: list[DType], values: list[Number]) -> Number:
    from speedmetal.intrinsics import TABLE  # not at the top: few formulas have calls

    given = (dtype.numpy.type(value) for dtype, value in zip(types, values, strict=True))
    result: Number = TABLE[name].reference(*given)
    return result


def _floor_divide(left: int, right: int) -> int:
    return left // right if right else 0


def _remainder(left: int, right: int) -> int:
    return left % right if right else 0


def _shift(by: Callable[[int, int], int]) -> Callable[[int, int], int]:
    # By 64 or more, and by less than 0, is by more than any width.
    return lambda left, count: by(left, count if 0 <= count < 64 else 64)


def _divide(left: float, right: float) -> float:
    with np.errstate(all="ignore"):
        return float(np.float64(left) / np.float64(right))


_KNOWN: dict[str, Callable[..., Any]] = {
    "constant": lambda _values, _kind, value: value,
    "parameter": lambda values, kind, number: _unpack_number(values.scalars[number], kind),
    "extent": lambda values, _kind, number, axis: values.shapes[number][axis],
    "threads": lambda values, _kind, axis: values.threads[axis],
}
_CASTS = {"convert": _convert_number, "bitcast": _bitcast}
_ANY: dict[str, Callable[..., Number]] = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt,
    "le": operator.le, "gt": operator.gt, "ge": operator.ge,
    "and": lambda left, right: left and right, "or": lambda left, right: left or right,
    "not": operator.not_, "negate": operator.neg,
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul,
    "select": lambda condition, when_true, when_false: when_true if condition else when_false,
    "bit_and": operator.and_, "bit_or": operator.or_, "bit_xor": operator.xor,
}  # fmt: skip
"""What Python does exactly, or, with floats, in twice the digits: rounding again is harmless.

(Figueroa, "When is double rounding innocuous?", 1995: +, -, * and / of p bits by way of 2p + 2.)
"""
_INTEGER: dict[str, Callable[..., Number]] = {
    "floor_divide": _floor_divide, "remainder": _remainder, "invert": operator.invert,
    "shift_left": _shift(operator.lshift), "shift_right": _shift(operator.rshift),
}  # fmt: skip
_FLOAT: dict[str, Callable[..., Number]] = {"divide": _divide}


# --- Arrays sized by them -----------------------------------------------------------------------


def extents(array: SizedArray, values: LaunchValues) -> tuple[int, ...]:
    """The shape of an array in a launch."""
    return tuple(
        int(evaluate(size, values)) if isinstance(size, tuple) else size for size in array.shape
    )
