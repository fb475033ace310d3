"""What elementwise functions take: arrays, and numbers beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from speedmetal.arrays.deferred.graph import apply, binary
from speedmetal.arrays.deferred.lazy import Lazy
from speedmetal.arrays.memory.copying import upload_elements
from speedmetal.arrays.promotion import promote_all
from speedmetal.dtypes import DEFAULT_FLOAT, DType, float32, from_numpy
from speedmetal.errors import NotNumbersError, UserInputError
from speedmetal.frontend.signature import with_article
from speedmetal.frontend.structure import CAST


def compute(name: str, operation: str, *operands: Any, callers: int = 4) -> Any:
    """The lazy result of an operation of the graph.

    Args:
        name: Of the public function, for messages.
        operation: As :func:`speedmetal.arrays.deferred.graph.apply` takes it.
        operands: As :func:`checked` takes them.
        callers: See :func:`speedmetal.arrays.deferred.graph.binary`.
    """
    if len(operands) == 2 and isinstance(operands[0], Lazy):
        left, right = operands
        kind = type(right)
        if kind is float or kind is int or kind is type(left):
            return binary(operation, left, right, callers)
    return apply(operation, *checked(name, *operands))


def checked(name: str, *operands: Any) -> Sequence[Any]:
    """The operands, with NumPy's arrays copied to the device of the others.

    Raises:
        UserInputError: No operand is an array, one is a list, or see :func:`beside`.
    """
    array = next((operand for operand in operands if isinstance(operand, Lazy)), None)
    if array is None:
        given = " and ".join(with_article(type(operand).__name__) for operand in operands)
        raise UserInputError(
            f"{name} expected an array among its operands, got {given}; make one with sm.asarray"
        )
    refuse_lists(name, operands)
    return [beside(name, array, operand) for operand in operands]


def beside(name: str, array: Any, operand: Any) -> Any:
    """What stands beside an array: NumPy's arrays are copied to its device, others stay.

    Nobody would know when NumPy's array is written to.

    Raises:
        UserInputError: NumPy's number or array has a type that the device cannot compute with.
    """
    if not isinstance(operand, np.ndarray | np.generic):
        return operand
    device = array.layout.device
    if operand.dtype in _OF_FLOAT64 and not device.target.has_float64:
        narrow = "float32" if operand.dtype.kind == "f" else "complex64"
        raise UserInputError(
            f"{name}: {device.name} cannot compute with NumPy's {operand.dtype}; convert it with"
            f" np.{narrow}(x)"
        )
    if isinstance(operand, np.generic):
        return operand
    return upload_elements(type(array), operand, device)


_OF_FLOAT64 = (np.dtype(np.float64), np.dtype(np.complex128))


def refuse_lists(name: str, operands: Iterable[Any]) -> None:
    """Raise NotNumbersError where an operand is a list or a tuple.

    Their numbers have no dtype of their own, and each call would copy them.
    """
    for operand in operands:
        if isinstance(operand, list | tuple):
            raise NotNumbersError(
                f"{name} takes arrays and numbers, got {with_article(type(operand).__name__)};"
                " make an array of it with sm.asarray"
            )


def cast(x: Any, dtype: DType) -> Any:
    """The array as elements of another type, itself where it has it."""
    return x if x.layout.dtype is dtype else apply(CAST, x, dtype=dtype)


def copied(x: Any) -> Any:
    """A lazy copy: what is written to the one is not seen in the other."""
    return apply(CAST, x, dtype=x.layout.dtype)


def strong_types(operands: Iterable[Any]) -> list[DType]:
    """The types of the operands that have one: all but Python's numbers."""
    return [
        operand.layout.dtype if isinstance(operand, Lazy) else from_numpy(operand.dtype)
        for operand in operands
        if isinstance(operand, Lazy | np.generic)
    ]


def has_floats(operands: Iterable[Any]) -> bool:
    """Whether an operand is a float or a complex number, or an array of such."""
    return any(
        each.layout.dtype.is_float or each.layout.dtype.is_complex
        if isinstance(each, Lazy)
        else isinstance(each, float | complex | np.inexact)
        for each in operands
    )


def float_type(name: str, operands: Sequence[Any]) -> DType:
    """The type of a function of floats on these operands: the default float for integers.

    Raises:
        UserInputError: An operand is complex.
    """
    common = promote_all(name, strong_types(operands))
    if common.is_complex or any(isinstance(operand, complex) for operand in operands):
        found = common.name if common.is_complex else "a complex number"
        raise UserInputError(
            f"{name} expects real numbers, got {found}; take sm.real(x), sm.imag(x) or sm.abs(x)"
        )
    return common if common.is_float else DEFAULT_FLOAT


def of_floats(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is composed of operations on floats of one type, of 32 bits or more.

    Integers become the default float, and numbers NumPy's of the type, so that any two operands can
    be computed with. Elements of 16 bits are computed in float32 and rounded once.
    """

    @wraps(function)
    def call(*operands: Any, **options: Any) -> Any:
        given = checked(function.__name__, *operands)
        dtype = float_type(function.__name__, given)
        inner = float32 if dtype.bits < float32.bits else dtype
        typed = [
            cast(each, inner) if isinstance(each, Lazy) else _number(each, inner) for each in given
        ]
        return cast(function(*typed, **options), dtype)

    return call


def _number(value: Any, dtype: DType) -> Any:
    with np.errstate(over="ignore"):  # a float too large for its type is an infinity
        return dtype.numpy.type(value)
