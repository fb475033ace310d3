"""Reductions: sums, means, extremes and their like, along any axes.

All of them are lazy, and what an operand is computed from elementwise is computed in their kernels,
without memory. Small types are added up in wider ones: float16 and bfloat16 in float32. Where
there are several axes, or an axis is long, parts are reduced first, and then these: the error grows
with the logarithm of their number, as of NumPy's sums.
"""

from __future__ import annotations

import math
from typing import Any

from speedmetal import dtypes
from speedmetal.arrays.along_axes.reducing import (
    Axes,
    Operation,
    check_array,
    of_count,
    of_extreme,
    of_mean,
    of_sum,
    of_truth,
    place_along,
    reduce_along,
)
from speedmetal.arrays.along_axes.variances import takes_variance, variance_of
from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import asarray
from speedmetal.arrays.deferred.graph import apply
from speedmetal.arrays.memory.shapes import axes_of
from speedmetal.arrays.replaying import replayed
from speedmetal.arrays.user_functions.higher_order import holds_for
from speedmetal.dtypes import as_dtype
from speedmetal.errors import UserInputError
from speedmetal.frontend.structure import CAST

_SUM = Operation("sum", "SUM", "as_it_is", of_sum, 0)
_PROD = Operation("prod", "PRODUCT", "as_it_is", of_sum, 1)
_MEAN = Operation("mean", "SUM", "divided", of_mean, math.nan)
_VAR = Operation("var", "SUM", "divided", of_mean, math.nan)
_STD = Operation("std", "SUM", "root_of_mean", of_mean, math.nan)
_MIN = Operation("min", "LEAST", "as_it_is", of_extreme, None)
_MAX = Operation("max", "GREATEST", "as_it_is", of_extreme, None)
_ALL = Operation("all", "LEAST", "as_it_is", of_truth, 1)
_ANY = Operation("any", "GREATEST", "as_it_is", of_truth, 0)
_COUNT_NONZERO = Operation("count_nonzero", "SUM", "as_it_is", of_count, 0)


# --- Functions -----------------------------------------------------------------------------------


@replayed
def sum(  # noqa: A001 - the array API's name, as those below
    x: Any, /, axis: Axes = None, dtype: Any = None, *, keepdims: bool = False
) -> Any:
    """The sum of the elements along axes.

    Integers narrower than 32 bits and bools give int32 or uint32, which wrap as all integers do.
    Of float32 the error is about that of NumPy's pairwise sums, or less.

    Args:
        x: An array, of any shape and dtype.
        axis: An axis, or several; None: all.
        dtype: Of the result, to which elements are converted before; None: see above. Sums of bools
            as bools tell whether there is a true one, products whether all are.
        keepdims: Whether the axes stay, with extent 1.

    Returns:
        The lazy sums; 0 where there are no elements.

    Raises:
        UserInputError: ``x`` is no array.
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.array([[1.0, 2.0], [3.0, 4.0]])
        >>> sm.sum(x, axis=0)
        Array([4., 6.], dtype=float32, device='cpu')
        >>> float(sm.sum(x * x))
        30.0
    """
    if dtype is not None and as_dtype(dtype).is_bool:
        return any(x, axis=axis, keepdims=keepdims)
    return reduce_along(_SUM, x, axis, dtype, keepdims=keepdims)


@replayed
def prod(x: Any, /, axis: Axes = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    """The product of the elements along axes; 1 where there are none.

    Args, dtypes and errors are those of :func:`sum`.

    Example:
        >>> import speedmetal as sm
        >>> sm.prod(sm.array([[1, 2], [3, 4]]), axis=1)
        Array([ 2, 12], dtype=int32, device='cpu')
    """
    if dtype is not None and as_dtype(dtype).is_bool:
        return all(x, axis=axis, keepdims=keepdims)
    return reduce_along(_PROD, x, axis, dtype, keepdims=keepdims)


@replayed
def mean(x: Any, /, axis: Axes = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    """The mean of the elements along axes; NaN where there are none.

    Integers and bools give float32. Args and errors are those of :func:`sum`; ``dtype`` is a float
    or a complex one.

    Example:
        >>> import speedmetal as sm
        >>> sm.mean(sm.array([[1.0, 2.0], [3.0, 4.0]]), axis=1, keepdims=True)
        Array([[1.5],
               [3.5]], dtype=float32, device='cpu')
    """
    return reduce_along(_MEAN, x, axis, dtype, keepdims=keepdims)


def average(
    x: Any, /, axis: int | None = None, weights: Any = None, *, keepdims: bool = False
) -> Any:
    """The weighted mean of the elements along an axis: ``sum(w * x) / sum(w)``.

    Args:
        x: An array of any shape.
        axis: An axis; None: all.
        weights: Of the shape of ``x``, or, with an axis, one for each element along it; None: the
            mean.
        keepdims: Whether the axis stays, with extent 1.

    Raises:
        UserInputError: ``x`` is no array, or the weights have another shape.
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> float(sm.average(sm.array([1.0, 5.0]), weights=sm.array([3.0, 1.0])))
        2.0
    """
    check_array("average", x)
    if weights is None:
        return mean(x, axis, keepdims=keepdims)
    shares = asarray(weights, device=x.device)
    if shares.shape != x.shape:
        (along,) = axes_of(0 if axis is None else axis, x.ndim)
        if axis is None or shares.shape != (x.shape[along],):
            raise UserInputError(
                f"average of shape {x.shape} over axis {axis} expected weights of that shape, or"
                f" one for each element along an axis, got shape {shares.shape}"
            )
        shares = shares.reshape((1,) * along + shares.shape + (1,) * (x.ndim - along - 1))
    return sum(shares * x, axis, keepdims=keepdims) / sum(shares, axis, keepdims=keepdims)


@replayed
def min(x: Any, /, axis: Axes = None, *, keepdims: bool = False) -> Any:  # noqa: A001
    """The least element along axes; NaN where there is one.

    Args:
        x: An array of any shape, and any dtype but complex ones.
        axis: An axis, or several; None: all.
        keepdims: Whether the axes stay, with extent 1.

    Raises:
        UserInputError: There are no elements, or they are complex, or ``x`` is no array.
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> sm.min(sm.array([[3, 1], [2, 4]]), axis=0)
        Array([2, 1], dtype=int32, device='cpu')
    """
    return reduce_along(_MIN, x, axis, keepdims=keepdims)


@replayed
def max(x: Any, /, axis: Axes = None, *, keepdims: bool = False) -> Any:  # noqa: A001
    """The greatest element along axes; as :func:`min`.

    Example:
        >>> import speedmetal as sm
        >>> sm.max(sm.array([[3, 1], [2, 4]]), axis=1)
        Array([3, 4], dtype=int32, device='cpu')
    """
    return reduce_along(_MAX, x, axis, keepdims=keepdims)


@replayed
def all(x: Any, of: Any = None, /, axis: Axes = None, *, keepdims: bool = False) -> Any:  # noqa: A001
    """Whether all elements along axes are true, which is anything but 0; True if there are none.

    ``all(predicate, x)`` asks a function of an element, which is written in the kernel language;
    that is computed at once.

    Args:
        x: An array, of any shape and dtype; or a predicate.
        of: After a predicate the array; after an array the axis, where it is not named.
        axis: An axis, or several; None: all.
        keepdims: Whether the axes stay, with extent 1.

    Raises:
        UserInputError: There is no array.
        CompileError: The predicate is not in the kernel language.
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> sm.all(sm.array([[1, 0], [2, 3]]), axis=1)
        Array([False,  True], dtype=bool_, device='cpu')
        >>> sm.all(lambda v: v > 1, sm.array([[1, 0], [2, 3]]), axis=1)
        Array([False,  True], dtype=bool_, device='cpu')
    """
    return _truth(_ALL, x, of, axis, keepdims=keepdims)


@replayed
def any(x: Any, of: Any = None, /, axis: Axes = None, *, keepdims: bool = False) -> Any:  # noqa: A001
    """Whether an element along axes is true; False if there are none; as :func:`all`.

    Example:
        >>> import speedmetal as sm
        >>> sm.any(sm.array([[0, 0], [2, 3]]), axis=1)
        Array([False,  True], dtype=bool_, device='cpu')
    """
    return _truth(_ANY, x, of, axis, keepdims=keepdims)


def _truth(operation: Operation, x: Any, of: Any, axis: Axes, *, keepdims: bool) -> Any:
    if callable(x):
        return holds_for(operation.name, x, of, axis, keepdims=keepdims)
    along = axis if of is None else of
    return reduce_along(operation, _comparable(x), along, keepdims=keepdims)


@replayed
def count_nonzero(x: Any, /, axis: Axes = None, *, keepdims: bool = False) -> Any:
    """How many elements along axes are not 0, as int64; args and errors are those of :func:`all`.

    Example:
        >>> import speedmetal as sm
        >>> sm.count_nonzero(sm.array([[1, 0], [2, 3]]), axis=1)
        Array([1, 2], dtype=int64, device='cpu')
    """
    return reduce_along(_COUNT_NONZERO, _comparable(x), axis, keepdims=keepdims)


def _comparable(x: Any) -> Any:
    """Elements that are true where those of ``x`` are, and real."""
    is_complex = isinstance(x, Array) and x.layout.dtype.is_complex
    return apply("ne", x, 0) if is_complex else x


@replayed
def var(
    x: Any,
    /,
    axis: Axes = None,
    *,
    correction: float = 0.0,
    keepdims: bool = False,
    dtype: Any = None,
    ddof: float | None = None,
) -> Any:
    """The mean square of the distances from the mean, along axes.

        ``sum(abs(x - mean(x))**2) / (count - correction)``

    The mean is taken first, so that no large squares are subtracted. Integers give float32. The
    result is NaN where there are no elements, and where ``count <= correction`` infinite or NaN.

    Args:
        x: An array, of any shape and dtype.
        axis: An axis, or several; None: all.
        correction: Degrees of freedom that are lost: 1 for the variance of a population of which
            ``x`` is a sample.
        keepdims: Whether the axes stay, with extent 1.
        dtype: In which it is computed; None: that of ``x``, or float32.
        ddof: NumPy's older name for ``correction``, which xarray uses.

    Raises:
        UserInputError: ``x`` is no array, or ``correction`` and ``ddof`` differ.
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> float(sm.var(sm.array([1.0, 2.0, 3.0, 4.0])))
        1.25
    """
    correction = lost_degrees(correction, ddof)
    return _spread(_VAR, x, axis, dtype, keepdims=keepdims, correction=correction)


@replayed
def std(
    x: Any,
    /,
    axis: Axes = None,
    *,
    correction: float = 0.0,
    keepdims: bool = False,
    dtype: Any = None,
    ddof: float | None = None,
) -> Any:
    """The root of the variance; args and errors are those of :func:`var`.

    Example:
        >>> import speedmetal as sm
        >>> float(sm.std(sm.array([1.0, 1.0, 3.0, 3.0])))
        1.0
    """
    correction = lost_degrees(correction, ddof)
    return _spread(_STD, x, axis, dtype, keepdims=keepdims, correction=correction)


def lost_degrees(correction: float, ddof: float | None) -> float:
    """The correction of a variance by either of its names.

    Raises:
        UserInputError: Both are given, and differ.
    """
    if ddof is None:
        return correction
    if correction not in (0, ddof):
        raise UserInputError(
            f"ddof is another name for correction, but ddof={ddof} and correction={correction}"
            " were given; leave out ddof"
        )
    return ddof


def _spread(
    operation: Operation, x: Any, axis: Axes, dtype: Any, *, keepdims: bool, correction: float
) -> Any:
    if not isinstance(x, Array):
        return reduce_along(operation, x, axis, keepdims=keepdims)  # which says so
    wanted = None if dtype is None else as_dtype(dtype)
    casts, result = of_mean(x.layout.dtype, wanted, x.layout.device.target)
    wide = x
    for wider in casts:
        wide = apply(CAST, wide, dtype=wider)
    real = dtypes.float32 if result.is_complex else result
    if takes_variance(wide, axis, correction):
        variance = variance_of(operation.name, wide, axis, correction, keepdims=keepdims)
        found = apply("sqrt", variance) if operation is _STD else variance
        return found.astype(real, copy=False)
    distance = apply("subtract", wide, reduce_along(_MEAN, wide, axis, keepdims=True))
    if distance.layout.dtype.is_complex:
        distance = apply("abs", distance)
    squares = apply("multiply", distance, distance)
    return reduce_along(operation, squares, axis, real, keepdims=keepdims, correction=correction)


@replayed
def argmin(x: Any, /, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """The place of the least element along an axis, of the first one where there are several.

    NaN counts as least, as in NumPy.

    Args:
        x: An array of any shape, and any dtype but complex ones.
        axis: The axis; None: all, and the place is that in C order.
        keepdims: Whether the axis stays, with extent 1.

    Returns:
        The lazy places, as int64.

    Raises:
        UserInputError: There are no elements, or they are complex, or ``x`` is no array.
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> sm.argmin(sm.array([[3, 1], [2, 4]]), axis=0)
        Array([1, 0], dtype=int64, device='cpu')
    """
    return place_along("argmin", "LEAST", x, axis, keepdims=keepdims)


@replayed
def argmax(x: Any, /, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """The place of the greatest element along an axis; as :func:`argmin`.

    Example:
        >>> import speedmetal as sm
        >>> int(sm.argmax(sm.array([[3, 1], [2, 4]])))
        3
    """
    return place_along("argmax", "GREATEST", x, axis, keepdims=keepdims)
