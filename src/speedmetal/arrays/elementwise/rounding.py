"""Whole numbers near floats, and numbers held to a range."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from speedmetal.arrays.datatypes import finfo
from speedmetal.arrays.deferred.graph import apply
from speedmetal.arrays.elementwise.complex_numbers import complex_of, imag, real
from speedmetal.arrays.elementwise.operands import cast, checked, copied, of_floats, strong_types
from speedmetal.arrays.promotion import promote_all
from speedmetal.dtypes import kind_rank
from speedmetal.errors import UserInputError


def floor(x: Any, /) -> Any:
    """The greatest whole number not above, in the same type: of integers a copy.

    >>> import speedmetal as sm
    >>> sm.floor(sm.array([1.5, -1.5])), sm.floor(sm.array([2]))
    (Array([ 1., -2.], dtype=float32, device='cpu'), Array([2], dtype=int32, device='cpu'))
    """
    return _whole("floor", x)


def ceil(x: Any, /) -> Any:
    """The least whole number not below, in the same type: of integers a copy.

    >>> import speedmetal as sm
    >>> sm.ceil(sm.array([1.5, -1.5]))
    Array([ 2., -1.], dtype=float32, device='cpu')
    """
    return _whole("ceil", x)


def trunc(x: Any, /) -> Any:
    """The number without its fraction, in the same type: of integers a copy.

    >>> import speedmetal as sm
    >>> sm.trunc(sm.array([1.5, -1.5]))
    Array([ 1., -1.], dtype=float32, device='cpu')
    """
    return _whole("trunc", x)


def rint(x: Any, /) -> Any:
    """The nearest whole number, halves to the even one, in the same type: see :func:`round`.

    >>> import speedmetal as sm
    >>> sm.rint(sm.array([0.5, 1.5, -2.6]))
    Array([ 0.,  2., -3.], dtype=float32, device='cpu')
    """
    return round(x)


def _whole(name: str, x: Any) -> Any:
    (x,) = checked(name, x)
    dtype = x.layout.dtype
    return copied(x) if dtype.is_integer or dtype.is_bool else apply(name, x)


def round(x: Any, /, decimals: int = 0) -> Any:  # noqa: A001 - the array API's name
    """The nearest number with so many decimals, halves to the even one, in the same type.

    With ``decimals`` other than 0 floats are scaled by a power of ten, rounded and scaled back, as
    NumPy does, which may be off where that power is not exact. Complex numbers are rounded part by
    part; integers have no decimals, and are rounded exactly to tens, hundreds ...

    Args:
        x: Numbers.
        decimals: How many; below 0 they are digits before the point.

    Example:
        >>> import speedmetal as sm
        >>> sm.round(sm.array([0.5, 1.5, 2.25]), 1)
        Array([0.5, 1.5, 2.2], dtype=float32, device='cpu')
        >>> sm.round(sm.array([15, 25, 37]), -1)
        Array([20, 20, 40], dtype=int32, device='cpu')
    """
    (x,) = checked("round", x)
    dtype = x.layout.dtype
    if dtype.is_complex:
        return complex_of(round(real(x), decimals), round(imag(x), decimals))
    if dtype.is_float:
        return _round_floats(x, decimals=decimals) if decimals else apply("rint", x)
    if decimals >= 0 or dtype.is_bool:
        return copied(x)
    return _round_integers(x, 10**-decimals)


@of_floats
def _round_floats(x: Any, *, decimals: int) -> Any:
    scale = 10.0 ** abs(decimals)
    return apply("rint", x * scale) / scale if decimals > 0 else apply("rint", x / scale) * scale


def _round_integers(x: Any, unit: int) -> Any:
    """The nearest multiple of a unit, halves to the even one; 0 where the type has no other."""
    if unit > x.layout.dtype.maximum:
        return x * 0
    quotient, rest = x // unit, x % unit
    is_above = (rest > unit - rest) | ((rest == unit - rest) & (quotient % 2 == 1))
    return apply("where", is_above, quotient + 1, quotient) * unit


def clip(x: Any, /, min: Any = None, max: Any = None) -> Any:  # noqa: A002 - the array API's names
    """Elements held between two bounds, in the type of ``x``; NaN stays, and NaN bounds give NaN.

    Args:
        x: Real numbers.
        min: Numbers or an array, broadcast with ``x``; None: no bound. A Python integer that the
            type of ``x`` does not hold is as good as the end of that type.
        max: The same from above. Where it is less than ``min`` it is the result.

    Raises:
        UserInputError: ``x`` has integers, and a bound is a float.

    Example:
        >>> import speedmetal as sm
        >>> sm.clip(sm.array([1, 5, 9]), 2, 6)
        Array([2, 5, 6], dtype=int32, device='cpu')
    """
    (x,) = checked("clip", x)
    low, high = (_bound(x, bound) for bound in (min, max))
    result = x
    if low is not None:
        result = apply("maximum", result, low)
    if high is not None:
        result = apply("minimum", result, high)
    return copied(x) if result is x else cast(result, x.layout.dtype)


def _bound(x: Any, bound: Any) -> Any:
    """A bound that goes together with ``x``; None where there is none."""
    if bound is None:
        return None
    dtype = x.layout.dtype
    if type(bound) is int and dtype.is_integer:
        return int(np.clip(bound, dtype.minimum, dtype.maximum))
    _, bound = checked("clip", x, bound)
    kinds = strong_types([bound])
    own = promote_all("clip", kinds) if kinds else None
    is_wider = kind_rank(own) > kind_rank(dtype) if own else isinstance(bound, float | complex)
    if is_wider and not dtype.is_float:
        raise UserInputError(
            f"clip of {dtype.name} takes integers as bounds, got"
            f" {own.name if own else repr(bound)}; convert x: x.astype(sm.float32)"
        )
    return bound


def nan_to_num(x: Any, /, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """Elements with finite numbers in the place of NaN and the infinities.

    Args:
        x: Numbers; integers are copied, complex ones are taken part by part.
        nan: Instead of NaN.
        posinf: Instead of inf; None: the greatest number of the type.
        neginf: Instead of -inf; None: the least number of the type.

    Example:
        >>> import speedmetal as sm
        >>> sm.nan_to_num(sm.array([1.0, float("nan"), float("inf")]), posinf=9.0)
        Array([1., 0., 9.], dtype=float32, device='cpu')
    """
    (x,) = checked("nan_to_num", x)
    dtype = x.layout.dtype
    if dtype.is_complex:
        return complex_of(*(nan_to_num(part(x), nan, posinf, neginf) for part in (real, imag)))
    if not dtype.is_float:
        return copied(x)
    limits = finfo(dtype)
    above = limits.max if posinf is None else posinf
    below = limits.min if neginf is None else neginf
    # Each beside elements, whose type the numbers then have.
    finite = apply("where", apply("eq", x, math.inf), above, x)
    finite = apply("where", apply("eq", x, -math.inf), below, finite)
    return apply("where", apply("isnan", x), nan, finite)
