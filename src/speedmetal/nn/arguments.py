"""What functions of layers are given: the dtypes to compute in, and words for what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any

from speedmetal.arrays.along_axes.reducing import check_array
from speedmetal.arrays.array import Array
from speedmetal.arrays.assembling import common_dtype
from speedmetal.arrays.elementwise.operands import of_floats
from speedmetal.arrays.host_routines import operands_of
from speedmetal.dtypes import DType, float32, float64
from speedmetal.errors import UnknownNameError, UserInputError

LAYOUTS = ("channels_last", "channels_first")
"""``(batch, space..., channels)``, and ``(batch, channels, space...)``."""


def floats_of(name: str, **given: Any) -> tuple[dict[str, Array | None], DType]:
    """Operands as arrays of one device and of the dtype to compute in, and the result's dtype.

    float16 and bfloat16 are computed in float32.

    Args:
        name: Of the function, for its messages.
        given: What was given, by the names of the parameters; None stays.

    Raises:
        UserInputError: One is no array of floats, or they are on different devices.
    """
    present = {key: value for key, value in given.items() if value is not None}
    if all(type(array) is Array for array in present.values()):
        kinds = {(array.layout.dtype, array.layout.device) for array in present.values()}
        if len(kinds) == 1:  # the usual case, in a tenth of the time
            ((dtype, _),) = kinds
            if dtype is float32 or dtype is float64:
                return given, dtype
    arrays, dtype = floats_alike(name, **present)
    inner = float32 if dtype.bits < float32.bits else dtype
    wide = {key: array.astype(inner, copy=False) for key, array in arrays.items()}
    return {key: wide.get(key) for key in given}, dtype


def floats_alike(name: str, **given: Any) -> tuple[dict[str, Array], DType]:
    """Operands as arrays of one device, and of one dtype, which is the result's.

    Args:
        name: Of the function, for its messages.
        given: What was given, by the names of the parameters.

    Raises:
        UserInputError: One is no array of floats, or they are on different devices.
    """
    arrays = dict(zip(given, operands_of(name, *given.values()), strict=True))
    for key, array in arrays.items():
        check_floats(name, array, key)
    dtype = common_dtype(name, [array.layout.dtype for array in arrays.values()])
    return {key: array.astype(dtype, copy=False) for key, array in arrays.items()}, dtype


def check_shape(name: str, what: str, array: Array, shape: Sequence[int], words: str) -> None:
    """Whether an array has a shape.

    Args:
        name: Of the function.
        what: The array's.
        array: It.
        shape: That it is to have.
        words: The same in words.

    Raises:
        UserInputError: It has another.
    """
    if array.shape != tuple(shape):
        raise UserInputError(
            f"{name} expected {what} of shape {words} = {tuple(shape)}, got {array.shape}"
        )


def check_floats(name: str, x: Any, what: str = "x") -> None:
    """Whether a function was given an array of real floats.

    Args:
        name: Of the function.
        x: What it was given.
        what: What the function calls it.

    Raises:
        UserInputError: It was not.
    """
    check_array(name, x)
    dtype = x.layout.dtype
    if not dtype.is_float:
        advice = (
            "take x.real or x.imag" if dtype.is_complex else "convert with x.astype(sm.float32)"
        )
        raise UserInputError(f"{name} expected floats for {what}, got {dtype}; {advice}")


def of_floats_alone(function: Callable[..., Any]) -> Callable[..., Any]:
    """As :func:`of_floats`, but that integers are refused."""
    inner = of_floats(function)

    @wraps(function)
    def call(*operands: Any, **options: Any) -> Any:
        for operand in operands:
            check_floats(function.__name__, operand)
        return inner(*operands, **options)

    return call


def one_of(what: str, value: Any, allowed: Iterable[str]) -> str:
    """An option's value.

    Raises:
        UnknownNameError: It is none of those that are allowed.
    """
    names = tuple(allowed)
    if value not in names:
        raise UnknownNameError(what, str(value), names)
    found: str = value
    return found


def channel_axis(name: str, ndim: int, layout: str) -> int:
    """Which axis the channels are.

    Args:
        name: Of the function.
        ndim: How many axes there are.
        layout: One of :data:`LAYOUTS`.

    Raises:
        UnknownNameError: The layout is none of these.
        UserInputError: There are fewer than two axes.
    """
    one_of("layout", layout, LAYOUTS)
    if ndim < 2:
        raise UserInputError(
            f"{name} expected x with a batch axis and channels, got {ndim} axes; add one with"
            " sm.expand_dims"
        )
    return ndim - 1 if layout == "channels_last" else 1
