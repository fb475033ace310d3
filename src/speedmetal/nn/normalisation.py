"""Normalisation over the last axes, and what :mod:`speedmetal.nn.channels` shares with it.

Each of them is ``(x - mean) / sqrt(variance + eps)``, times a weight, plus a bias, with the
variance that divides by the number of elements. Distances from the mean are squared, so that
nothing is lost where elements are far from zero.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from speedmetal.arrays.along_axes.moments import Channels, moments
from speedmetal.arrays.along_axes.normalising import (
    MOST_KEPT,
    Kernels,
    are_kept,
    is_enough_for_one_launch,
    normalised,
)
from speedmetal.arrays.along_axes.reducing import called
from speedmetal.arrays.assembling import dense_copy
from speedmetal.arrays.deferred.following import Follower, takes_any
from speedmetal.arrays.deferred.graph import apply, peeked
from speedmetal.arrays.elementwise.operands import cast, copied
from speedmetal.arrays.memory.shapes import Axes, axes_of
from speedmetal.arrays.replaying import replayed
from speedmetal.dtypes import DType
from speedmetal.errors import UserInputError
from speedmetal.nn.arguments import check_shape, floats_of

_READS = 3
"""How often an element is read, at most."""


def _kernels() -> Any:
    from speedmetal.nn.kernels import normalisation  # with its first use

    return normalisation


_ROWS = Kernels(_kernels, MOST_KEPT, 3)


# --- Over the last axes --------------------------------------------------------------------------


@replayed
def layer_norm(
    x: Any, weight: Any = None, bias: Any = None, *, axis: Axes = -1, eps: float = 1e-5
) -> Any:
    """Layer normalisation (J. L. Ba, J. R. Kiros, G. E. Hinton, 2016).

        ``(x - mean(x)) / sqrt(mean((x - mean(x))**2) + eps) * weight + bias``

    A row of up to 256 elements is read once, on a GPU one of up to 32768. Rows with NaN or infinity
    are NaN.

    Args:
        x: ``(..., features...)``, of floats.
        weight: ``(features...)``, of floats; None: 1.
        bias: The same; None: 0.
        axis: One axis, or several: the last ones.
        eps: Added to the variance.

    Returns:
        The shape of ``x``, and the dtype to which those of the operands are promoted.

    Raises:
        UserInputError: ``x``, weight or bias are no floats, their shapes do not go together, or the
            axes are not the last ones.
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.layer_norm(sm.array([[1.0, 3.0], [-1.0, 1.0]]), eps=0.0)
        Array([[-1.,  1.],
               [-1.,  1.]], dtype=float32, device='cpu')
    """
    given, dtype = floats_of("layer_norm", x=x, weight=weight, bias=bias)
    dtypes = dtype, x.layout.dtype
    return _over_features("layer_norm", "LAYER_NORM", given, axis, eps, dtypes)


@replayed
def rms_norm(x: Any, weight: Any = None, *, axis: Axes = -1, eps: float = 1e-5) -> Any:
    """Normalisation by the root of the mean square (B. Zhang and R. Sennrich, 2019).

        ``x / sqrt(mean(x**2) + eps) * weight``

    Args:
        x: ``(..., features...)``, of floats.
        weight: ``(features...)``, of floats; None: 1.
        axis: One axis, or several: the last ones.
        eps: Added to the mean square.

    Returns:
        The shape of ``x``, and the dtype to which those of the operands are promoted.

    Raises:
        UserInputError: ``x`` or the weight are no floats, their shapes do not go together, or the
            axes are not the last ones.
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.rms_norm(sm.array([1.0, -1.0, 1.0, 5.0]), eps=2.0)
        Array([ 0.33333334, -0.33333334,  0.33333334,  1.6666667 ], dtype=float32, device='cpu')
    """
    given, dtype = floats_of("rms_norm", x=x, weight=weight)
    return _over_features("rms_norm", "RMS_NORM", given, axis, eps, (dtype, x.layout.dtype))


Dtypes = tuple[DType, DType]
"""Of the result, and of the operand as it was given, which is computed in a third one."""
Given = dict[str, Any]
"""Operands by their names, in the dtype in which is computed; None stays."""


def _over_features(
    name: str, finish: str, given: Given, axis: Axes, eps: float, dtypes: Dtypes
) -> Any:
    x = given["x"]
    axes = _features(name, x, axis)
    first = axes[0]
    check_affine(name, given, tuple(x.shape[place] for place in axes), "(features...)")
    if not x.size:
        return cast(copied(x), dtypes[0])
    if len(axes) == 1:
        places = (x.shape[first], *(1,) * (x.ndim - 1 - first))
        return normalised_along(name, finish, x, first, eps, affine_on(given, places), dtypes)
    rows = peeked(x.reshape((*x.shape[:first], -1)))
    affine = affine_on(given, rows.shape[-1:])
    return normalised_along(name, finish, rows, first, eps, affine, dtypes).reshape(x.shape)


def _features(name: str, x: Any, axis: Axes) -> tuple[int, ...]:
    """The axes, in order, over which rows go.

    Raises:
        UserInputError: There are none, or several that are not the last.
    """
    axes = tuple(sorted(axes_of(axis, x.ndim)))
    if not axes:
        raise UserInputError(f"{name} expected an axis, or several, got none")
    if len(axes) > 1 and axes[0] != x.ndim - len(axes):
        raise UserInputError(
            f"{name} expected one axis or the last ones, got axes {axes} of {x.ndim}; move them"
            " behind the others with sm.moveaxis"
        )
    return axes


def check_affine(name: str, given: Given, shape: tuple[int, ...], words: str) -> None:
    for what, operand in given.items():
        if what != "x" and operand is not None:
            check_shape(name, what, operand, shape, words)


Affine = tuple[Any, Any]
"""A weight and a bias, each of which may be None."""


def affine_on(given: Given, shape: tuple[int, ...]) -> Affine:
    """The affine part on axes that are broadcast with those of what it scales."""
    placed = [
        operand if operand is None or operand.shape == shape else operand.reshape(shape)
        for operand in (given.get("weight"), given.get("bias"))
    ]
    return placed[0], placed[1]


def with_affine(x: Any, affine: Affine, dtype: DType) -> Any:
    weight, bias = affine
    if weight is not None:
        x = apply("multiply", x, weight)
    if bias is not None:
        x = apply("add", x, bias)
    return cast(x, dtype)


def normalised_along(
    name: str, finish: str, x: Any, axis: int, eps: float, affine: Affine, dtypes: Dtypes
) -> Any:
    """Rows or columns along an axis, normalised, and the affine part, which is a follower."""
    wide, shape = x.layout.dtype, x.layout.shape
    if is_enough_for_one_launch(x.elements, axis, x.layout.device):
        run = partial(_run, x, finish, axis, wide.numpy.type(eps), dtypes[1])
        is_kept = are_kept(x.elements, axis, x.layout.device, MOST_KEPT)
        reads = 1 if is_kept else _READS
        found = called(name, x, run, shape, wide, reads=reads, takes=takes_any)
    else:
        found = _in_parts(name, finish, x, axis, eps)
    return with_affine(found, affine, dtypes[0])


def _run(
    x: Any, finish: str, axis: int, eps: Any, given: DType, follower: Follower | None = None
) -> tuple[Any]:
    dtype = x.layout.dtype
    return (normalised(x, finish, axis, dtype, follower, _ROWS, (eps,), given),)


def _in_parts(name: str, finish: str, x: Any, axis: int, eps: float) -> Any:
    """The same of few rows, so long that several threadgroups take parts of each."""
    before, length, behind = (
        math.prod(x.shape[:axis]),
        x.shape[axis],
        math.prod(x.shape[axis + 1 :]),
    )
    shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    is_centred = finish == "LAYER_NORM"
    source = x if is_centred else apply("multiply", x, x)
    rows = source.reshape((before, length, behind))
    found = moments(name, rows, Channels(before), shape, eps)
    if is_centred:
        return scaled(x, found[0], found[2])
    return apply("multiply", x, reciprocal_root(found[0], eps))


def reciprocal_root(variance: Any, eps: float) -> Any:
    """What distances are multiplied by, in memory: it is read for many elements."""
    root = apply("sqrt", apply("add", variance, eps))
    return dense_copy(apply("divide", 1.0, root))


def scaled(x: Any, mean: Any, scale: Any) -> Any:
    return apply("multiply", apply("subtract", x, mean), scale)
