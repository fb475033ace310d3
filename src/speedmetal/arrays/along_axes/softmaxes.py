"""Softmax, its logarithm, and the logarithms of sums of exponentials."""

from __future__ import annotations

from functools import partial
from typing import Any

from speedmetal import dtypes
from speedmetal.arrays.along_axes import reductions
from speedmetal.arrays.along_axes.normalising import (
    MOST_KEPT,
    are_kept,
    is_enough_for_one_launch,
    logs_of_rows,
    normalised,
    takes_logs_of_rows,
)
from speedmetal.arrays.along_axes.reducing import Axes, accumulator, called, check_array
from speedmetal.arrays.creation import full
from speedmetal.arrays.deferred.following import Follower, takes_any, takes_over
from speedmetal.arrays.deferred.graph import apply
from speedmetal.arrays.memory.shapes import axes_of
from speedmetal.arrays.replaying import replayed
from speedmetal.dtypes import DType
from speedmetal.errors import UserInputError

_READS = 3
"""How often an element is read, at most."""


@replayed
def softmax(x: Any, /, axis: Axes = -1) -> Any:
    """The exponentials, divided by their sum along an axis.

        ``exp(x - max(x)) / sum(exp(x - max(x)))``

    So nothing overflows. Rows with NaN or infinity, or of ``-inf`` alone, are NaN. The elements of
    ``x`` are read several times: where they are costly, they are stored first.

    Args:
        x: An array, of any real dtype; integers give float32.
        axis: An axis, or several; None: all.

    Raises:
        UserInputError: The elements are complex, or ``x`` is no array.
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> sm.softmax(sm.array([0.0, 0.0, 1000.0, 1000.0]))
        Array([0. , 0. , 0.5, 0.5], dtype=float32, device='cpu')
    """
    wide, result, axes = _operand("softmax", x, axis)
    if not wide.size:
        return full(wide.layout.shape, 0.0, result, wide.layout.device)
    if _is_one_launch(wide, axes):
        is_half_on_gpu = result.itemsize == 2 and wide.layout.device.kind != "cpu"
        finish = "SOFTMAX_OF_HALVES" if is_half_on_gpu else "SOFTMAX"
        return _along("softmax", finish, wide, axes[0], result)
    powers = apply("exp", apply("subtract", wide, reductions.max(wide, axis=axes, keepdims=True)))
    total = reductions.sum(powers, axis=axes, keepdims=True)
    return apply("divide", powers, total).astype(result, copy=False)


@replayed
def log_softmax(x: Any, /, axis: Axes = -1) -> Any:
    """The logarithms of :func:`softmax`, exact also where that is 0.

        ``x - max(x) - log(sum(exp(x - max(x))))``

    Args and errors are those of :func:`softmax`.

    Example:
        >>> import speedmetal as sm
        >>> sm.log_softmax(sm.array([0.0, 1000.0]))
        Array([-1000.,     0.], dtype=float32, device='cpu')
    """
    wide, result, axes = _operand("log_softmax", x, axis)
    if not wide.size:
        return full(wide.layout.shape, 0.0, result, wide.layout.device)
    if _is_one_launch(wide, axes):
        return _along("log_softmax", "LOG_SOFTMAX", wide, axes[0], result)
    distance = apply("subtract", wide, reductions.max(wide, axis=axes, keepdims=True))
    total = reductions.sum(apply("exp", distance), axis=axes, keepdims=True)
    return apply("subtract", distance, apply("log", total)).astype(result, copy=False)


@replayed
def logsumexp(x: Any, /, axis: Axes = None, *, keepdims: bool = False) -> Any:
    """The logarithm of the sum of the exponentials along axes, where none overflows.

    It is ``-inf`` where there are no elements, or all are ``-inf``.

    Args:
        x: An array, of any real dtype; integers give float32.
        axis: An axis, or several; None: all.
        keepdims: Whether the axes stay, with extent 1.

    Raises:
        UserInputError: The elements are complex, or ``x`` is no array.
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> float(sm.logsumexp(sm.array([1000.0, float("-inf")])))
        1000.0
    """
    wide, result, axes = _operand("logsumexp", x, axis)
    if not wide.size:
        total = reductions.sum(wide, axis=axes, keepdims=keepdims)
        return apply("log", total).astype(result, copy=False)
    device = wide.layout.device
    if len(axes) == 1 and takes_logs_of_rows(wide.elements, axes[0], device):
        shape = tuple(1 if k in axes else n for k, n in enumerate(wide.layout.shape))
        shape = shape if keepdims else _without(shape, axes)
        run = partial(_run_logs, wide, axes[0], shape, result)
        takes = partial(takes_over, axes)
        return called("logsumexp", wide, run, shape, result, reads=_READS - 1, takes=takes)
    greatest = reductions.max(wide, axis=axes, keepdims=True)
    base = apply("where", apply("isfinite", greatest), greatest, 0.0)
    powers = apply("exp", apply("subtract", wide, base))
    total = reductions.sum(powers, axis=axes, keepdims=True)
    found = apply("add", apply("log", total), base).astype(result, copy=False)
    return found if keepdims else found.reshape(_without(found.layout.shape, axes))


def _without(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(extent for axis, extent in enumerate(shape) if axis not in axes)


def _operand(name: str, x: Any, axis: Axes) -> tuple[Any, DType, tuple[int, ...]]:
    """The operand in the dtype in which is computed, the result's dtype, and the axes."""
    check_array(name, x)
    own = x.layout.dtype
    if own.is_complex:
        raise UserInputError(f"{name} expected real numbers, got {own}; take x.real or x.imag")
    result = own if own.is_float else dtypes.DEFAULT_FLOAT
    axes = tuple(range(x.ndim)) if axis is None else axes_of(axis, x.ndim)
    return x.astype(accumulator(result), copy=False), result, axes


def _is_one_launch(x: Any, axes: tuple[int, ...]) -> bool:
    if len(axes) != 1:
        return False
    return is_enough_for_one_launch(x.elements, axes[0], x.layout.device, has_strips=True)


def _along(name: str, finish: str, x: Any, axis: int, dtype: DType) -> Any:
    run = partial(_run, x, finish, axis, dtype)
    is_kept = are_kept(x.elements, axis, x.layout.device, MOST_KEPT)
    reads = 1 if is_kept and x.layout.device.kind != "cpu" else _READS
    return called(name, x, run, x.layout.shape, dtype, reads=reads, takes=takes_any)


def _run(
    x: Any, finish: str, axis: int, dtype: DType, follower: Follower | None = None
) -> tuple[Any]:
    return (normalised(x, finish, axis, dtype, follower),)


def _run_logs(
    x: Any, axis: int, shape: tuple[int, ...], dtype: DType, follower: Follower | None = None
) -> tuple[Any]:
    return (logs_of_rows(x, axis, shape, dtype, follower),)
