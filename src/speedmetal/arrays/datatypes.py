"""Types of elements: conversion, promotion, limits and kinds."""

from __future__ import annotations

from typing import Any

import numpy as np

from speedmetal.arrays.deferred.lazy import Lazy
from speedmetal.arrays.promotion import promote_all
from speedmetal.backends.device import Device
from speedmetal.common.records import record
from speedmetal.dtypes import (
    ALL,
    DEFAULT_FLOAT,
    DType,
    as_dtype,
    bfloat16,
    bool_,
    complex_of,
    float64,
    from_numpy,
    kind_rank,
    promote,
)
from speedmetal.errors import UnknownNameError, UserInputError
from speedmetal.frontend.signature import literal_dtype, with_article


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: str | Device | None = None) -> Any:
    """The elements converted to another dtype: see :meth:`speedmetal.Array.astype`.

    Args:
        x: An array.
        dtype: As :func:`speedmetal.dtypes.as_dtype` takes it.
        copy: Whether to copy where the dtype is already right.
        device: Where the result is; None: where ``x`` is.

    Raises:
        UserInputError: ``x`` is complex and the dtype is not (bool is allowed).

    Example:
        >>> import speedmetal as sm
        >>> sm.astype(sm.array([1.7, -1.7]), sm.int8)
        Array([ 1, -1], dtype=int8, device='cpu')
    """
    own, wanted = _array("astype", x).layout.dtype, as_dtype(dtype)
    if own.is_complex and not wanted.is_complex and not wanted.is_bool:
        raise UserInputError(
            f"astype does not make {wanted.name} of {own.name}, which has two parts; take one:"
            " sm.real(x), sm.imag(x) or sm.abs(x)"
        )
    found = x.astype(wanted, copy=copy)
    return found if device is None else found.to(device)


def _array(name: str, x: Any) -> Any:
    if isinstance(x, Lazy):
        return x
    raise UserInputError(
        f"{name} expected an array, got {with_article(type(x).__name__)}; make one with sm.asarray"
    )


# --- Promotion -------------------------------------------------------------------------------


def result_type(*arrays_and_dtypes: Any) -> DType:
    """The dtype of an operation on arrays, dtypes and numbers.

    Python's numbers take the type of the others where that has their kind; an int beside bools is
    int32, a float beside integers float32. NumPy's numbers and arrays have their own.

    Args:
        arrays_and_dtypes: An array or a dtype among them.

    Raises:
        UserInputError: There is no such type (int64 and uint64), or neither array nor dtype.

    Example:
        >>> import speedmetal as sm
        >>> sm.result_type(sm.array([1], sm.int8), sm.uint8, 1), sm.result_type(sm.int8, 1.0)
        (int16, float32)
    """
    numbers = [x for x in arrays_and_dtypes if type(x) in _NUMBERS]
    typed = [_dtype_of(x) for x in arrays_and_dtypes if type(x) not in _NUMBERS]
    if not typed:
        raise UserInputError(
            "result_type expected an array or a dtype among its arguments; a Python number has no"
            " type of its own"
        )
    common = promote_all("result_type", typed)
    for number in numbers:
        own = literal_dtype(number, DEFAULT_FLOAT) if type(number) is not complex else None
        common = _beside(common, own)
    return common


_NUMBERS = frozenset({bool, int, float, complex})


def _beside(common: DType, number: DType | None) -> DType:
    """The type beside a number of Python's, which alone has this one; None: it is complex."""
    if number is None:
        return complex_of(common)
    return number if kind_rank(number) > kind_rank(common) else common


def _dtype_of(x: Any) -> DType:
    if isinstance(x, Lazy):
        return x.layout.dtype
    if isinstance(x, np.ndarray | np.generic):
        return from_numpy(x.dtype)
    return as_dtype(x)


def promote_types(type1: Any, type2: Any, /) -> DType:
    """The smallest dtype that both can be converted to by promotion.

    Raises:
        UserInputError: There is none.

    >>> import speedmetal as sm
    >>> sm.promote_types(sm.int8, sm.uint8), sm.promote_types(sm.float16, sm.bfloat16)
    (int16, float32)
    """
    return promote_all("promote_types", [as_dtype(type1), as_dtype(type2)])


def can_cast(from_: Any, to: Any, /) -> bool:
    """Whether promotion gives ``to`` for some operand beside one of the first type.

    Args:
        from_: A dtype, or an array: then its device must have the type, too.
        to: A dtype.

    Example:
        >>> import speedmetal as sm
        >>> sm.can_cast(sm.int8, sm.int16), sm.can_cast(sm.int16, sm.int8)
        (True, False)
    """
    source, target = _dtype_of(from_), as_dtype(to)
    if isinstance(from_, Lazy) and target.part is float64:
        has_float64 = from_.layout.device.target.has_float64
        return has_float64 and promote(source, target) is target
    return promote(source, target) is target


# --- Kinds and limits ------------------------------------------------------------------------

_KINDS_BY_NAME: dict[str, tuple[DType, ...]] = {
    "bool": (bool_,),
    "signed integer": tuple(d for d in ALL if d.is_signed),
    "unsigned integer": tuple(d for d in ALL if d.is_integer and not d.is_signed),
    "integral": tuple(d for d in ALL if d.is_integer),
    "real floating": tuple(d for d in ALL if d.is_float),
    "complex floating": tuple(d for d in ALL if d.is_complex),
    "numeric": tuple(d for d in ALL if not d.is_bool),
}


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether a dtype is another one, or of a kind.

    Args:
        dtype: A dtype.
        kind: A dtype; "bool", "signed integer", "unsigned integer", "integral", "real floating"
            (float16 and bfloat16 among them), "complex floating" or "numeric"; or a tuple of such.

    Raises:
        UnknownNameError: There is no kind of this name.

    Example:
        >>> import speedmetal as sm
        >>> sm.isdtype(sm.float16, "real floating"), sm.isdtype(sm.int8, (sm.int8, sm.int16))
        (True, True)
    """
    if isinstance(kind, tuple):
        return any(isdtype(dtype, each) for each in kind)  # every one is checked
    if not isinstance(kind, str):
        return as_dtype(dtype) is as_dtype(kind)
    if kind not in _KINDS_BY_NAME:
        raise UnknownNameError("kind of dtypes", kind, _KINDS_BY_NAME)
    return any(as_dtype(dtype) is each for each in _KINDS_BY_NAME[kind])


@record
class FloatLimits:
    """What a float type holds.

    Args:
        bits: Of a number.
        eps: From 1 to the next number above.
        max: The greatest finite number.
        min: The least one.
        smallest_normal: The least positive number with full precision.
        dtype: The type.
    """

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


@record
class IntegerLimits:
    """What an integer type holds: ``bits``, the greatest and the least number, and the type."""

    bits: int
    max: int
    min: int
    dtype: DType


def finfo(type: Any, /) -> FloatLimits:  # noqa: A002 - the array API's name
    """The limits of a float type; of a complex one those of its parts.

    Args:
        type: A dtype or an array.

    Raises:
        UserInputError: It has integers or bools.

    Example:
        >>> import speedmetal as sm
        >>> sm.finfo(sm.float16).max, sm.finfo(sm.complex64).dtype
        (65504.0, float32)
    """
    dtype = _dtype_of(type).part
    if not dtype.is_float:
        raise UserInputError(f"finfo expected a float or complex type, got {dtype.name}; use iinfo")
    found = _numpy_limits(dtype)
    return FloatLimits(
        dtype.bits,
        float(found.eps),
        float(found.max),
        float(found.min),
        float(found.smallest_normal),
        dtype,
    )


def _numpy_limits(dtype: DType) -> Any:
    if dtype is not bfloat16:
        return np.finfo(dtype.numpy)
    import ml_dtypes

    return ml_dtypes.finfo(dtype.numpy)


def iinfo(type: Any, /) -> IntegerLimits:  # noqa: A002 - the array API's name
    """The limits of an integer type.

    Args:
        type: A dtype or an array.

    Raises:
        UserInputError: It is no integer type.

    Example:
        >>> import speedmetal as sm
        >>> sm.iinfo(sm.int8).min
        -128
    """
    dtype = _dtype_of(type)
    if not dtype.is_integer:
        raise UserInputError(f"iinfo expected an integer type, got {dtype.name}; use finfo")
    return IntegerLimits(dtype.bits, dtype.maximum, dtype.minimum, dtype)
