"""Scans: sums, products and extremes of the elements up to each, along an axis.

They are lazy, and what an operand is computed from elementwise is computed in their kernels. What
is added up in which order depends on sizes alone; of float32 the error is below that of adding one
element after the other, as NumPy does.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from speedmetal.arrays.along_axes.reducing import called, check_array, of_extreme, of_mean, of_sum
from speedmetal.arrays.along_axes.scanning import scanned
from speedmetal.arrays.creation import full
from speedmetal.arrays.deferred.following import Follower, takes_any
from speedmetal.arrays.deferred.graph import apply
from speedmetal.arrays.memory.shapes import axes_of
from speedmetal.arrays.replaying import replayed
from speedmetal.arrays.user_functions.scans_by_library import scanned as scanned_by_library
from speedmetal.arrays.user_functions.scans_by_library import scans
from speedmetal.common.records import record
from speedmetal.dtypes import DType, as_dtype
from speedmetal.errors import UserInputError
from speedmetal.frontend.structure import CAST


@record(eq=False)
class _Operation:
    """A scan, as everything but the operand.

    Args:
        name: The function's.
        scan: A name of :mod:`speedmetal.arrays.kernels.scan`.
        accumulated: As that of :class:`speedmetal.arrays.along_axes.reducing.Operation`.
        initial: What comes before the first element.
    """

    name: str
    scan: str
    accumulated: Callable[..., Any]
    initial: float = 0.0


_SUM = _Operation("cumulative_sum", "SUM", of_sum)
_PROD = _Operation("cumulative_prod", "PRODUCT", of_sum, 1.0)
_MAX = _Operation("cummax", "GREATEST", of_extreme)
_MIN = _Operation("cummin", "LEAST", of_extreme)
_LOG_SUM = _Operation("logcumsumexp", "LOG_SUM", of_mean, -math.inf)


def _scan(
    operation: _Operation,
    x: Any,
    axis: int | None,
    dtype: Any = None,
    *,
    include_initial: bool = False,
    algorithm: str = "auto",
) -> Any:
    """The result of a scan, lazy but by a library; of all elements in C order without an axis."""
    check_array(operation.name, x)
    source = x.reshape(-1) if axis is None or not x.ndim else x
    if axis is not None and not x.ndim:
        axes_of(operator.index(axis), 0)  # which says that there is none
    (along,) = axes_of(0 if axis is None else operator.index(axis), source.ndim)
    wanted = None if dtype is None else as_dtype(dtype)
    layout = x.layout
    casts, result = operation.accumulated(layout.dtype, wanted, layout.device.target)
    for wider in casts:
        source = apply(CAST, source, dtype=wider)
    shape = list(source.layout.shape)
    shape[along] += include_initial
    extents = tuple(shape)
    if not source.size:
        return full(extents, operation.initial, result, layout.device)
    if scans(operation.name, source, along, algorithm):
        return _by_library(operation, source, along, result, include_initial=include_initial)
    initial = np.asarray(operation.initial, result.numpy) if include_initial else None
    run = partial(_run, source, operation.scan, along, result, initial)
    takes = None if include_initial else takes_any
    return called(operation.name, source, run, extents, result, reads=2, takes=takes)


def _by_library(
    operation: _Operation, source: Any, axis: int, dtype: DType, *, include_initial: bool
) -> Any:
    from speedmetal.arrays.kernels import scan as kernels  # with its first use

    scan = getattr(kernels, operation.scan)
    made: Any = scanned_by_library(source, scan.reduction.combine)
    found = made.astype(dtype)
    if not include_initial:
        return found
    shape = list(found.shape)
    shape[axis] += 1
    result = type(found).allocate(tuple(shape), dtype, found.device)
    front = (slice(None),) * axis
    result[(*front, slice(0, 1))] = operation.initial
    result[(*front, slice(1, None))] = found
    return result


def _run(
    source: Any,
    scan: str,
    axis: int,
    dtype: DType,
    initial: Any,
    follower: Follower | None = None,
) -> tuple[Any]:
    return (scanned(source, scan, axis, dtype, initial, follower),)


@replayed
def cumulative_sum(
    x: Any,
    /,
    axis: int | None = None,
    *,
    dtype: Any = None,
    include_initial: bool = False,
    algorithm: str = "auto",
) -> Any:
    """The sums of the elements up to each, along an axis.

    Args:
        x: An array of one axis or more, and of any dtype.
        axis: The axis; it may be left out where there is one.
        dtype: Of the result; None: as of :func:`speedmetal.sum`.
        include_initial: Whether 0 comes first, so that the result has one element more.
        algorithm: Who adds: ``"vendor"`` is cuda.compute on NVIDIA GPUs, elsewhere our kernels, as
            ``"native"`` is; ``"auto"`` the faster one.

    Raises:
        UserInputError: ``x`` is no array, it has several axes and none is given, or cuda.compute
            is asked for and there are several rows.
        AxisError: There is no such axis.
        UnknownNameError: There is no such algorithm.
        DeviceError: cuda.compute is asked for, and not installed.

    Example:
        >>> import speedmetal as sm
        >>> sm.cumulative_sum(sm.array([1, 2, 3]), include_initial=True)
        Array([0, 1, 3, 6], dtype=int32, device='cpu')
    """
    _check_axis(_SUM, x, axis)
    return _scan(_SUM, x, axis, dtype, include_initial=include_initial, algorithm=algorithm)


@replayed
def cumulative_prod(
    x: Any,
    /,
    axis: int | None = None,
    *,
    dtype: Any = None,
    include_initial: bool = False,
    algorithm: str = "auto",
) -> Any:
    """The products of the elements up to each, along an axis; 1 is the initial one.

    Args and errors are those of :func:`cumulative_sum`.

    Example:
        >>> import speedmetal as sm
        >>> sm.cumulative_prod(sm.array([[1, 2], [3, 4]]), axis=0)
        Array([[1, 2],
               [3, 8]], dtype=int32, device='cpu')
    """
    _check_axis(_PROD, x, axis)
    return _scan(_PROD, x, axis, dtype, include_initial=include_initial, algorithm=algorithm)


def _check_axis(operation: _Operation, x: Any, axis: int | None) -> None:
    check_array(operation.name, x)
    if axis is None and x.ndim != 1:
        raise UserInputError(
            f"{operation.name} of an array of {x.ndim} axes needs to know along which; give"
            " axis=..., or x.reshape(-1)"
        )


@replayed
def cumsum(x: Any, /, axis: int | None = None, dtype: Any = None) -> Any:
    """The sums of the elements up to each: along an axis, or in C order where none is given.

    Args, dtypes and errors are otherwise those of :func:`cumulative_sum`.

    Example:
        >>> import speedmetal as sm
        >>> sm.cumsum(sm.array([[1, 2], [3, 4]]))
        Array([ 1,  3,  6, 10], dtype=int32, device='cpu')
    """
    return _scan(_SUM, x, axis, dtype)


@replayed
def cumprod(x: Any, /, axis: int | None = None, dtype: Any = None) -> Any:
    """The products of the elements up to each; as :func:`cumsum`.

    Example:
        >>> import speedmetal as sm
        >>> sm.cumprod(sm.array([1, 2, 3, 4]))
        Array([ 1,  2,  6, 24], dtype=int32, device='cpu')
    """
    return _scan(_PROD, x, axis, dtype)


@replayed
def cummax(x: Any, /, axis: int | None = None, *, algorithm: str = "auto") -> Any:
    """The greatest of the elements up to each, NaN from the first NaN on; as :func:`cumsum`.

    Raises:
        UserInputError: The elements are complex, or ``x`` is no array.
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> sm.cummax(sm.array([1, 3, 2, 4]))
        Array([1, 3, 3, 4], dtype=int32, device='cpu')
    """
    return _scan(_MAX, x, axis, algorithm=algorithm)


@replayed
def cummin(x: Any, /, axis: int | None = None, *, algorithm: str = "auto") -> Any:
    """The least of the elements up to each, NaN from the first NaN on; as :func:`cummax`.

    Example:
        >>> import speedmetal as sm
        >>> sm.cummin(sm.array([3, 1, 2, 0]))
        Array([3, 1, 1, 0], dtype=int32, device='cpu')
    """
    return _scan(_MIN, x, axis, algorithm=algorithm)


@replayed
def logcumsumexp(x: Any, /, axis: int | None = None) -> Any:
    """The logarithms of the sums of the exponentials of the elements up to each.

        ``log(exp(x[0]) + ... + exp(x[k]))``

    No exponential overflows. Integers give float32.

    Args:
        x: An array, of any real dtype.
        axis: The axis; None: all elements, in C order.

    Raises:
        UserInputError: The elements are complex, or ``x`` is no array.
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> float(sm.logcumsumexp(sm.array([1000.0, 1000.0]))[-1]) - 1000.0 > 0.69
        True
    """
    check_array(_LOG_SUM.name, x)
    if x.layout.dtype.is_complex:
        raise UserInputError(
            f"logcumsumexp expected real numbers, got {x.layout.dtype}; take x.real or x.imag"
        )
    return _scan(_LOG_SUM, x, axis)
