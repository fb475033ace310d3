"""Quantiles, which NumPy computes, in memory that it shares with the device where that is so."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from speedmetal import dtypes
from speedmetal.arrays.along_axes.reducing import Axes, check_array
from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import asarray
from speedmetal.arrays.memory.shapes import axes_of
from speedmetal.errors import UserInputError


def quantile(
    x: Any, q: Any, /, axis: Axes = None, *, keepdims: bool = False, method: str = "linear"
) -> Any:
    """The numbers below which shares of the elements along axes are; NaN where there is NaN.

    NumPy computes them on the host; from a device that does not share its memory they are copied
    there and back. So the result is not lazy.

    Args:
        x: An array of any shape, and of any real dtype; integers give float32.
        q: A share from 0 to 1, or an array of shares, whose axes come first in the result.
        axis: An axis, or several; None: all.
        keepdims: Whether the axes stay, with extent 1.
        method: How to go between two elements; see ``numpy.quantile``.

    Raises:
        UserInputError: ``x`` is no array, or complex, or has no elements along the axes.
        ValueError: ``q`` is outside 0 to 1, or there is no such method.
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> float(sm.quantile(sm.array([1.0, 2.0, 3.0, 4.0]), 0.5))
        2.5
    """
    host = _host("quantile", x, axis)
    shares = np.asarray(q.numpy() if isinstance(q, Array) else q, np.float64)
    found = np.quantile(host, shares, axis=_axes(axis), keepdims=keepdims, method=method)  # type: ignore[call-overload]
    return _result(x, found)


def percentile(
    x: Any, q: Any, /, axis: Axes = None, *, keepdims: bool = False, method: str = "linear"
) -> Any:
    """Quantiles by percentages: ``quantile(x, q / 100)``; args and errors are those of it.

    Example:
        >>> import speedmetal as sm
        >>> float(sm.percentile(sm.array([1.0, 2.0, 3.0, 4.0]), 50))
        2.5
    """
    host = _host("percentile", x, axis)
    shares = np.asarray(q.numpy() if isinstance(q, Array) else q, np.float64)
    found = np.percentile(host, shares, axis=_axes(axis), keepdims=keepdims, method=method)  # type: ignore[call-overload]
    return _result(x, found)


def median(x: Any, /, axis: Axes = None, *, keepdims: bool = False) -> Any:
    """The middle of the elements along axes, the mean of two where their number is even.

    Args and errors are those of :func:`quantile`.

    Example:
        >>> import speedmetal as sm
        >>> sm.median(sm.array([[3, 1, 2], [6, 5, 4]]), axis=1)
        Array([2., 5.], dtype=float32, device='cpu')
    """
    return _result(x, np.median(_host("median", x, axis), axis=_axes(axis), keepdims=keepdims))


def nanmedian(x: Any, /, axis: Axes = None, *, keepdims: bool = False) -> Any:
    """The median of what is no NaN; NaN where all are. Args and errors are those of `quantile`.

    Example:
        >>> import speedmetal as sm
        >>> float(sm.nanmedian(sm.array([3.0, float("nan"), 1.0])))
        2.0
    """
    return nanquantile(x, 0.5, axis, keepdims=keepdims)


def nanquantile(
    x: Any, q: Any, /, axis: Axes = None, *, keepdims: bool = False, method: str = "linear"
) -> Any:
    """Quantiles of what is no NaN; NaN where all are. Args and errors are those of `quantile`.

    Example:
        >>> import speedmetal as sm
        >>> float(sm.nanquantile(sm.array([3.0, float("nan"), 1.0]), 0.25))
        1.5
    """
    host = _host("nanquantile", x, axis)
    shares = np.asarray(q.numpy() if isinstance(q, Array) else q, np.float64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)
        found = np.nanquantile(host, shares, axis=_axes(axis), keepdims=keepdims, method=method)  # type: ignore[call-overload]
    return _result(x, found)


def _axes(axis: Axes) -> Any:
    return axis if axis is None or isinstance(axis, int) else tuple(axis)


def _host(name: str, x: Any, axis: Axes) -> Any:
    """The elements as NumPy takes them: those of 16 bits as float32, integers as float64."""
    check_array(name, x)
    own = x.layout.dtype
    if own.is_complex:
        raise UserInputError(f"{name} expected real numbers, got {own}; take x.real or x.imag")
    along = range(x.ndim) if axis is None else axes_of(axis, x.ndim)
    is_asked = all(extent for place, extent in enumerate(x.shape) if place not in along)
    if not x.size and is_asked:
        raise UserInputError(
            f"{name} of no elements: x has shape {x.layout.shape}; check x.size first"
        )
    host = x.numpy()
    if own.is_float and own.bits >= dtypes.float32.bits:
        return host
    return host.astype(np.float32 if own.is_float else np.float64)


def _result(x: Any, found: Any) -> Any:
    own = x.layout.dtype
    dtype = own if own.is_float else dtypes.DEFAULT_FLOAT
    return asarray(np.asarray(found), dtype=dtype, device=x.layout.device)
