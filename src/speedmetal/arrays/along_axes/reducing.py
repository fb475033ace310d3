"""What reductions have in common: their dtypes, and the lazy result of one."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from speedmetal import dtypes
from speedmetal.arrays.along_axes.extremes import places_of_extremes
from speedmetal.arrays.along_axes.passes import Work, reduced
from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import full
from speedmetal.arrays.deferred.following import Follower, takes_any, takes_over
from speedmetal.arrays.deferred.graph import apply
from speedmetal.arrays.deferred.lazy import call
from speedmetal.arrays.deferred.pending import Call
from speedmetal.arrays.memory.copying import check_computes
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.shapes import axes_of, named_axes
from speedmetal.backends.target import Target
from speedmetal.common.records import record
from speedmetal.dtypes import DType, as_dtype
from speedmetal.errors import NoElementsError, UserInputError
from speedmetal.frontend.signature import with_article
from speedmetal.frontend.structure import CAST

Axes = int | Sequence[int] | None


@record(eq=False)
class Operation:
    """A reduction, as everything but the operand.

    Args:
        name: The function's.
        reduction: A name of :mod:`speedmetal.arrays.kernels.reduce`; ``finish`` as well.
        finish: What is done with the total and the count.
        accumulated: Given the operand's dtype, the one that was asked for and the target: to what
            to convert before, one after the other, and the result's.
        empty: The result where there are no elements; None: there is none.
    """

    name: str
    reduction: str
    finish: str
    accumulated: Callable[[DType, DType | None, Target], tuple[tuple[DType, ...], DType]]
    empty: float | None


@record(eq=False)
class _Recipe:
    """An operation on operands of one layout.

    Args:
        casts: The dtypes to convert to, one after the other.
        work: What is done then; None: there are no elements to reduce.
        shape: Of the result.
        dtype: Of the result.
    """

    casts: tuple[DType, ...]
    work: Work | None
    shape: tuple[int, ...]
    dtype: DType


_recipes: Kept[_Recipe] = Kept(4096)


def reduce_along(
    operation: Operation,
    x: Any,
    axis: Axes,
    dtype: Any = None,
    *,
    keepdims: bool,
    correction: float = 0.0,
) -> Any:
    """The lazy result of an operation."""
    check_array(operation.name, x)
    axes = axis if axis is None or type(axis) is int else named_axes(axis)
    key = (operation, x.layout, axes, dtype, keepdims, correction)
    recipe = _recipes.get(key)
    if recipe is None:
        wanted = None if dtype is None else as_dtype(dtype)
        recipe = _recipe_for(operation, x, axes, wanted, keepdims=keepdims, correction=correction)
        _recipes.keep(key, recipe)
    if recipe.work is None:
        return full(recipe.shape, operation.empty or 0, recipe.dtype, x.layout.device)
    source = x
    for wider in recipe.casts:
        source = apply(CAST, source, dtype=wider)
    run = partial(reduced, source, recipe.work)
    takes = recipe.work.takes
    return called(operation.name, source, run, recipe.shape, recipe.dtype, takes=takes)


def called(
    name: str,
    source: Any,
    run: Callable[[], tuple[Any]],
    shape: tuple[int, ...],
    dtype: DType,
    reads: int = 1,
    takes: Callable[[Follower], bool] | None = None,
) -> Any:
    """The lazy result of a call of one operand.

    Args:
        name: Of the function.
        source: The operand. If something else reads it as well, it is stored where it is costly.
        run: Gives the result in memory.
        shape: Of the result.
        dtype: Of the result.
        reads: How often an element is read.
        takes: See :class:`Call`.
    """
    check_computes(name, source.layout.device, source.layout.dtype, dtype)
    if source.pending is not None:
        reads += source.reads
        source.reads = 1
    node = Call(name, (source,), run, reads, callers=3, takes=takes)
    return call(type(source), node, [(shape, dtype)], source.layout.device)[0]


def check_array(name: str, x: Any) -> None:
    """Whether a function was given an array.

    Raises:
        UserInputError: It was not.
    """
    if not isinstance(x, Array):
        raise UserInputError(
            f"{name} expected an Array for x, got {with_article(type(x).__name__)};"
            " convert with sm.asarray(x)"
        )


def _no_elements(name: str, shape: tuple[int, ...], axis: Axes) -> NoElementsError:
    where = "its axes" if axis is None else f"axis {axis}"
    return NoElementsError(
        f"{name} of no elements: shape {shape} has none along {where}, and nothing has no {name};"
        " check x.size first (zero-size array to reduction operation)"
    )


def _recipe_for(
    operation: Operation,
    x: Any,
    axes: Axes,
    dtype: DType | None,
    *,
    keepdims: bool,
    correction: float,
) -> _Recipe:
    shape: tuple[int, ...] = x.shape
    gone = tuple(range(len(shape))) if axes is None else axes_of(axes, len(shape))
    kept = tuple(
        1 if axis in gone else extent
        for axis, extent in enumerate(shape)
        if keepdims or axis not in gone
    )
    device = x.layout.device
    casts, result = operation.accumulated(x.layout.dtype, dtype, device.target)
    check_computes(operation.name, device, *casts, result)
    count = math.prod(shape[axis] for axis in gone)
    if not count or not math.prod(kept):
        if operation.empty is None and not count:
            raise _no_elements(operation.name, shape, axes)
        return _Recipe(casts, None, kept, result)
    from speedmetal.arrays.kernels import reduce  # with its first use

    work = Work(
        getattr(reduce, operation.reduction),
        getattr(reduce, operation.finish),
        gone,
        kept,
        result,
        max(count - correction, 0.0),
        partial(takes_over, gone),
        x.layout.dtype,
    )
    return _Recipe(casts, work, kept, result)


# --- Dtypes --------------------------------------------------------------------------------------

Accumulated = tuple[tuple[DType, ...], DType]


def _casts(own: DType, *wanted: DType) -> tuple[DType, ...]:
    """The conversions that are none of an operand to itself."""
    found: list[DType] = []
    for dtype in wanted:
        if dtype is not (found[-1] if found else own):
            found.append(dtype)
    return tuple(found)


def accumulator(dtype: DType) -> DType:
    """In what numbers of a dtype are added up."""
    return dtypes.float32 if dtype.is_float and dtype.bits < dtypes.float32.bits else dtype


def sum_type(own: DType) -> DType:
    """The dtype of a sum or product: of small integers the default of their sign.

    >>> from speedmetal.dtypes import bool_, float16, int8, uint8, uint64
    >>> sum_type(bool_), sum_type(int8), sum_type(uint8), sum_type(uint64), sum_type(float16)
    (int32, int32, uint32, uint64, float16)
    """
    if own.is_bool:
        return dtypes.DEFAULT_INT
    if own.is_integer and own.bits < dtypes.DEFAULT_INT.bits:
        return dtypes.DEFAULT_INT if own.is_signed else dtypes.uint32
    return own


def of_sum(own: DType, wanted: DType | None, _target: Target) -> Accumulated:
    result = wanted or sum_type(own)
    return _casts(own, accumulator(result)), result


def of_mean(own: DType, wanted: DType | None, target: Target) -> Accumulated:
    """A float; large integers, which float32 does not hold, are added up in float64 where it is."""
    result = wanted or (own if own.is_float or own.is_complex else dtypes.DEFAULT_FLOAT)
    if not (result.is_float or result.is_complex):
        raise UserInputError(f"a mean is a float, got dtype {result}; convert it with astype")
    is_large = own.is_integer and own.bits >= dtypes.float32.bits and result.is_float
    wide = dtypes.float64 if is_large and target.has_float64 else accumulator(result)
    return _casts(own, wide), result


def of_extreme(own: DType, wanted: DType | None, _target: Target) -> Accumulated:
    if own.is_complex:
        raise UserInputError(
            f"complex numbers have no order, got {own}; take the extreme of abs(x) or of x.real"
        )
    reduced_as = dtypes.uint8 if own.is_bool else own
    return _casts(own, reduced_as), wanted or own


def of_truth(own: DType, _wanted: DType | None, _target: Target) -> Accumulated:
    return _casts(own, dtypes.bool_, dtypes.uint8), dtypes.bool_


def of_count(own: DType, _wanted: DType | None, _target: Target) -> Accumulated:
    return _casts(own, dtypes.bool_, dtypes.DEFAULT_INDEX), dtypes.DEFAULT_INDEX


# --- Places --------------------------------------------------------------------------------------


def _one_axis(name: str, axis: Any) -> int:
    if not hasattr(axis, "__index__"):
        raise TypeError(f"{name} expected one axis, an integer, or None for all, got {axis!r}")
    return operator.index(axis)


def place_along(name: str, order: str, x: Any, axis: int | None, *, keepdims: bool) -> Any:
    """The lazy places of extremes.

    Args:
        name: Of the function.
        order: Of :mod:`speedmetal.arrays.kernels.extremes`.
        x: The operand.
        axis: The axis; None: all.
        keepdims: Whether the axis stays.
    """
    check_array(name, x)
    casts, _ = of_extreme(x.layout.dtype, None, x.layout.device.target)
    ndim = len(x.layout.shape)
    source = x if axis is not None and ndim else x.reshape(-1)
    (along,) = axes_of(0 if axis is None or not ndim else _one_axis(name, axis), source.ndim)
    if axis is not None and not ndim:
        axes_of(axis, 0)  # which says that there is none
    shape: tuple[int, ...] = source.layout.shape
    kept = (*shape[:along], *((1,) if keepdims else ()), *shape[along + 1 :])
    if axis is None and keepdims:
        kept = (1,) * ndim
    if not shape[along]:
        raise _no_elements(name, x.layout.shape, axis)
    if not math.prod(kept):
        return full(kept, 0, dtypes.DEFAULT_INDEX, x.layout.device)
    for wider in casts:
        source = apply(CAST, source, dtype=wider)
    run = partial(_run_places, source, order, along, kept)
    return called(name, source, run, kept, dtypes.DEFAULT_INDEX, takes=takes_any)


def _run_places(
    source: Any,
    order: str,
    axis: int,
    shape: tuple[int, ...],
    follower: Follower | None = None,
) -> tuple[Any]:
    return (places_of_extremes(source, order, axis, shape, follower),)
