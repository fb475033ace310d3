"""What functions of layers are given: the dtypes to compute in, and words for what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from speedmetal.arrays.array import Array
from speedmetal.arrays.assembling import common_dtype
from speedmetal.arrays.host_routines import operands_of
from speedmetal.dtypes import DType, float32, float64
from speedmetal.errors import UserInputError


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
    arrays = dict(zip(present, operands_of(name, *present.values()), strict=True))
    for key, array in arrays.items():
        if not array.layout.dtype.is_float:
            raise UserInputError(
                f"{name} expected floats for {key}, got {array.layout.dtype}; convert with"
                " x.astype(sm.float32)"
            )
    dtype = common_dtype(name, [array.layout.dtype for array in arrays.values()])
    inner = float32 if dtype.bits < float32.bits else dtype
    wide = {key: array.astype(inner, copy=False) for key, array in arrays.items()}
    return {key: wide.get(key) for key in given}, dtype


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
