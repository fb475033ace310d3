"""Reductions that leave out NaN."""

from __future__ import annotations

from typing import Any

from speedmetal.arrays.along_axes import reductions
from speedmetal.arrays.along_axes.reducing import (
    Axes,
    Operation,
    check_array,
    of_extreme,
    reduce_along,
)
from speedmetal.arrays.deferred.graph import apply
from speedmetal.dtypes import DEFAULT_FLOAT, as_dtype

_MIN = Operation("nanmin", "LEAST_NUMBER", "as_it_is", of_extreme, None)
_MAX = Operation("nanmax", "GREATEST_NUMBER", "as_it_is", of_extreme, None)


def _has_nan(x: Any) -> bool:
    return bool(x.layout.dtype.is_float or x.layout.dtype.is_complex)


def _with_nan_as(name: str, x: Any, value: float) -> Any:
    """The elements, with a number in the place of NaN."""
    check_array(name, x)
    return apply("where", apply("isnan", x), value, x) if _has_nan(x) else x


def nansum(x: Any, /, axis: Axes = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    """The sum of the elements that are not NaN; otherwise as :func:`speedmetal.sum`.

    Example:
        >>> import speedmetal as sm
        >>> sm.nansum(sm.array([[1.0, float("nan")], [3.0, 4.0]]), axis=1)
        Array([1., 7.], dtype=float32, device='cpu')
    """
    return reductions.sum(_with_nan_as("nansum", x, 0.0), axis=axis, dtype=dtype, keepdims=keepdims)


def nanprod(x: Any, /, axis: Axes = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    """The product of the elements that are not NaN; otherwise as :func:`speedmetal.prod`.

    Example:
        >>> import speedmetal as sm
        >>> sm.nanprod(sm.array([[1.0, float("nan")], [3.0, 4.0]]), axis=1)
        Array([ 1., 12.], dtype=float32, device='cpu')
    """
    wide = _with_nan_as("nanprod", x, 1.0)
    return reductions.prod(wide, axis=axis, dtype=dtype, keepdims=keepdims)


def nanmin(x: Any, /, axis: Axes = None, *, keepdims: bool = False) -> Any:
    """The least element that is not NaN, NaN where all are; otherwise as :func:`speedmetal.min`.

    Example:
        >>> import speedmetal as sm
        >>> float(sm.nanmin(sm.array([3.0, float("nan"), 1.0])))
        1.0
    """
    check_array("nanmin", x)
    if not x.layout.dtype.is_float:
        return reductions.min(x, axis=axis, keepdims=keepdims)
    return reduce_along(_MIN, x, axis, keepdims=keepdims)


def nanmax(x: Any, /, axis: Axes = None, *, keepdims: bool = False) -> Any:
    """The greatest element that is not NaN, NaN where all are; otherwise as :func:`speedmetal.max`.

    Example:
        >>> import speedmetal as sm
        >>> float(sm.nanmax(sm.array([3.0, float("nan"), 1.0])))
        3.0
    """
    check_array("nanmax", x)
    if not x.layout.dtype.is_float:
        return reductions.max(x, axis=axis, keepdims=keepdims)
    return reduce_along(_MAX, x, axis, keepdims=keepdims)


def nanmean(x: Any, /, axis: Axes = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    """The mean of the elements that are not NaN, NaN where all are; as :func:`speedmetal.mean`.

    Example:
        >>> import speedmetal as sm
        >>> sm.nanmean(sm.array([[1.0, float("nan")], [3.0, 4.0]]), axis=1)
        Array([1. , 3.5], dtype=float32, device='cpu')
    """
    check_array("nanmean", x)
    if not _has_nan(x):
        return reductions.mean(x, axis=axis, dtype=dtype, keepdims=keepdims)
    wide = _wide(x)
    total = nansum(wide, axis=axis, keepdims=keepdims)
    found = apply("divide", total, _count(wide, axis, keepdims=keepdims))
    return _narrow(found, x, dtype)


def nanvar(
    x: Any,
    /,
    axis: Axes = None,
    *,
    correction: float = 0.0,
    keepdims: bool = False,
    dtype: Any = None,
    ddof: float | None = None,
) -> Any:
    """The variance of the elements that are not NaN, NaN where all are; as :func:`speedmetal.var`.

    Example:
        >>> import speedmetal as sm
        >>> float(sm.nanvar(sm.array([1.0, float("nan"), 3.0])))
        1.0
    """
    check_array("nanvar", x)
    correction = reductions.lost_degrees(correction, ddof)
    if not _has_nan(x):
        return reductions.var(x, axis=axis, correction=correction, keepdims=keepdims, dtype=dtype)
    wide = _wide(x)
    distance = apply("subtract", wide, nanmean(wide, axis=axis, keepdims=True))
    if distance.layout.dtype.is_complex:
        distance = apply("abs", distance)
    # Only what is NaN itself is left out: beside infinities distances are NaN, as the result is.
    distance = apply("where", apply("isnan", wide), 0, distance)
    squares = apply("multiply", distance, distance)
    total = reductions.sum(squares, axis=axis, keepdims=keepdims)
    count = apply("subtract", _count(wide, axis, keepdims=keepdims), float(correction))
    found = apply("divide", total, apply("maximum", count, 0.0))
    return _narrow(found, x, dtype)


def nanstd(
    x: Any,
    /,
    axis: Axes = None,
    *,
    correction: float = 0.0,
    keepdims: bool = False,
    dtype: Any = None,
    ddof: float | None = None,
) -> Any:
    """The root of :func:`nanvar`.

    Example:
        >>> import speedmetal as sm
        >>> float(sm.nanstd(sm.array([1.0, float("nan"), 3.0])))
        1.0
    """
    found = nanvar(x, axis=axis, correction=correction, keepdims=keepdims, dtype=dtype, ddof=ddof)
    return apply("sqrt", found)


def _wide(x: Any) -> Any:
    """The elements, those of less than 32 bits as float32."""
    return x.astype(DEFAULT_FLOAT) if x.layout.dtype.bits < DEFAULT_FLOAT.bits else x


def _narrow(found: Any, x: Any, dtype: Any) -> Any:
    """The result in the dtype that was asked for, or in that of the operand."""
    own = x.layout.dtype
    real = found.layout.dtype if own.is_complex else own
    return found.astype(real if dtype is None else as_dtype(dtype), copy=False)


def _count(x: Any, axis: Axes, *, keepdims: bool) -> Any:
    """How many elements are not NaN, as floats."""
    is_number = apply("invert", apply("isnan", x))
    wide = x.layout.dtype if x.layout.dtype.is_float else DEFAULT_FLOAT
    return reductions.sum(is_number, axis=axis, keepdims=keepdims).astype(wide)
