"""Normalisation over the last axes, over groups of channels, over the batch.

Each of them is ``(x - mean) / sqrt(variance + eps)``, times a weight, plus a bias, with the
variance that divides by the number of elements. Distances from the mean are squared, so that
nothing is lost where elements are far from zero.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from speedmetal.arrays.along_axes.normalising import (
    MOST_KEPT,
    Kernels,
    is_enough_for_one_launch,
    normalised,
)
from speedmetal.arrays.along_axes.reducing import called
from speedmetal.arrays.assembling import dense_copy
from speedmetal.arrays.deferred.following import Follower, takes_any
from speedmetal.arrays.deferred.graph import apply, peeked
from speedmetal.arrays.elementwise.operands import cast, copied
from speedmetal.arrays.memory.shapes import Axes, axes_of
from speedmetal.dtypes import DType
from speedmetal.errors import UserInputError
from speedmetal.nn.arguments import channel_axis, check_shape, floats_of
from speedmetal.nn.moments import Channels, moments

_READS = 3
"""How often an element is read, at most."""


def _kernels() -> Any:
    from speedmetal.nn.kernels import normalisation  # with its first use

    return normalisation


_ROWS = Kernels(_kernels, MOST_KEPT, 3)


# --- Over the last axes --------------------------------------------------------------------------


def layer_norm(
    x: Any, weight: Any = None, bias: Any = None, *, axis: Axes = -1, eps: float = 1e-5
) -> Any:
    """Layer normalisation (J. L. Ba, J. R. Kiros, G. E. Hinton, 2016).

        ``(x - mean(x)) / sqrt(mean((x - mean(x))**2) + eps) * weight + bias``

    A row of up to 256 elements is read once. Rows with NaN or infinity are NaN.

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
    return _over_features("layer_norm", "LAYER_NORM", given, axis, eps, dtype)


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
    return _over_features("rms_norm", "RMS_NORM", given, axis, eps, dtype)


_Given = dict[str, Any]
"""Operands by their names, in the dtype in which is computed; None stays."""


def _over_features(
    name: str, finish: str, given: _Given, axis: Axes, eps: float, dtype: DType
) -> Any:
    x = given["x"]
    axes = _features(name, x, axis)
    first = axes[0]
    _check_affine(name, given, tuple(x.shape[place] for place in axes), "(features...)")
    if not x.size:
        return cast(copied(x), dtype)
    if len(axes) == 1:
        places = (x.shape[first], *(1,) * (x.ndim - 1 - first))
        return _normalised(name, finish, x, first, eps, _affine_on(given, places), dtype)
    rows = peeked(x.reshape((*x.shape[:first], -1)))
    affine = _affine_on(given, rows.shape[-1:])
    return _normalised(name, finish, rows, first, eps, affine, dtype).reshape(x.shape)


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


def _check_affine(name: str, given: _Given, shape: tuple[int, ...], words: str) -> None:
    for what, operand in given.items():
        if what != "x" and operand is not None:
            check_shape(name, what, operand, shape, words)


_Affine = tuple[Any, Any]
"""A weight and a bias, each of which may be None."""


def _affine_on(given: _Given, shape: tuple[int, ...]) -> _Affine:
    """The affine part on axes that are broadcast with those of what it scales."""
    placed = [
        operand if operand is None or operand.shape == shape else operand.reshape(shape)
        for operand in (given.get("weight"), given.get("bias"))
    ]
    return placed[0], placed[1]


def _with_affine(x: Any, affine: _Affine, dtype: DType) -> Any:
    weight, bias = affine
    if weight is not None:
        x = apply("multiply", x, weight)
    if bias is not None:
        x = apply("add", x, bias)
    return cast(x, dtype)


def _normalised(
    name: str, finish: str, x: Any, axis: int, eps: float, affine: _Affine, dtype: DType
) -> Any:
    """Rows or columns along an axis, normalised, and the affine part, which is a follower."""
    wide, shape = x.layout.dtype, x.layout.shape
    if is_enough_for_one_launch(x.elements, axis):
        run = partial(_run, x, finish, axis, wide.numpy.type(eps))
        reads = 1 if _are_kept(x, axis) else _READS
        found = called(name, x, run, shape, wide, reads=reads, takes=takes_any)
    else:
        found = _in_parts(name, finish, x, axis, eps)
    return _with_affine(found, affine, dtype)


def _run(x: Any, finish: str, axis: int, eps: Any, follower: Follower | None = None) -> tuple[Any]:
    dtype = x.layout.dtype
    return (normalised(x, finish, axis, dtype, follower, _ROWS, (eps,)),)


def _are_kept(x: Any, axis: int) -> bool:
    """Whether registers hold the rows."""
    lies_close = abs(x.elements.strides[axis]) <= x.elements.itemsize
    return bool(lies_close and x.shape[axis] <= MOST_KEPT)


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
        return _scaled(x, found[0], found[2])
    return apply("multiply", x, _reciprocal_root(found[0], eps))


def _reciprocal_root(variance: Any, eps: float) -> Any:
    """What distances are multiplied by, in memory: it is read for many elements."""
    root = apply("sqrt", apply("add", variance, eps))
    return dense_copy(apply("divide", 1.0, root))


def _scaled(x: Any, mean: Any, scale: Any) -> Any:
    return apply("multiply", apply("subtract", x, mean), scale)


# --- Over channels -------------------------------------------------------------------------------


def batch_statistics(x: Any, *, layout: str = "channels_last") -> tuple[Any, Any]:
    """The mean and the variance of each channel over the batch and all positions.

    They are what :func:`batch_norm` takes by itself, and takes as ``mean`` and ``variance``; of
    running means you keep a share of these. The variance divides by the number of elements ``n``;
    PyTorch keeps the running one of a sample, which is ``variance * n / (n - 1)``.

    Args:
        x: ``(batch, space..., channels)``, or with layout "channels_first"
            ``(batch, channels, space...)``, of floats.
        layout: "channels_last" or "channels_first".

    Returns:
        Two arrays ``(channels,)``: float64 of float64, else float32; NaN where there are no
        elements.

    Raises:
        UserInputError: ``x`` has no floats, or fewer than two axes.
        UnknownNameError: The layout is another one.

    Example:
        >>> import speedmetal as sm
        >>> mean, variance = sm.nn.batch_statistics(sm.array([[1.0, 5.0], [3.0, 5.0]]))
        >>> mean.tolist(), variance.tolist()
        ([2.0, 5.0], [1.0, 0.0])
    """
    given, _ = floats_of("batch_statistics", x=x)
    wide: Any = given["x"]
    axis = channel_axis("batch_statistics", wide.ndim, layout)
    if not wide.size:
        others = tuple(place for place in range(wide.ndim) if place != axis)
        return wide.mean(axis=others), wide.var(axis=others)
    found = _batch_moments("batch_statistics", wide, axis, (wide.shape[axis],), 0.0)
    return found[0], found[1]


def _batch_moments(name: str, x: Any, axis: int, shape: tuple[int, ...], eps: float) -> Any:
    count = x.shape[axis]
    if axis == x.ndim - 1:
        source = x.reshape((1, -1, count))
    else:
        source = x.reshape((x.shape[0], count, -1)).transpose(0, 2, 1)
    return moments(name, source, Channels(1), shape, eps)


def batch_norm(
    x: Any,
    weight: Any = None,
    bias: Any = None,
    *,
    mean: Any = None,
    variance: Any = None,
    eps: float = 1e-5,
    layout: str = "channels_last",
) -> Any:
    """Batch normalisation (S. Ioffe and C. Szegedy, 2015).

        ``(x - mean) / sqrt(variance + eps) * weight + bias``, for each channel

    Args:
        x: ``(batch, space..., channels)``, or with layout "channels_first"
            ``(batch, channels, space...)``, of floats.
        weight: ``(channels,)``, of floats; None: 1.
        bias: The same; None: 0.
        mean: The same; None: that of ``x``, as :func:`batch_statistics` gives it.
        variance: The same.
        eps: Added to the variance.
        layout: "channels_last" or "channels_first".

    Returns:
        The shape of ``x``, and the dtype to which those of the operands are promoted.

    Raises:
        UserInputError: ``x`` or another array has no floats, ``x`` fewer than two axes, a shape is
            wrong, or of mean and variance one alone was given.
        UnknownNameError: The layout is another one.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.array([[1.0, 5.0], [3.0, 5.0]])
        >>> sm.nn.batch_norm(x, eps=0.25).tolist()
        [[-0.8944271802902222, 0.0], [0.8944271802902222, 0.0]]
        >>> sm.nn.batch_norm(x, mean=sm.zeros(2), variance=sm.ones(2), eps=0.0).tolist()
        [[1.0, 5.0], [3.0, 5.0]]
    """
    operands = {"x": x, "weight": weight, "bias": bias, "mean": mean, "variance": variance}
    given, dtype = floats_of("batch_norm", **operands)
    wide, axis = _channels("batch_norm", given, layout)
    if (mean is None) != (variance is None):
        missing = "mean" if mean is None else "variance"
        raise UserInputError(
            f"batch_norm expected mean and variance, or neither of them, got no {missing}"
        )
    if not wide.size:
        return cast(copied(wide), dtype)
    shape = (wide.shape[axis], *(1,) * (wide.ndim - 1 - axis))
    if mean is None:
        found = _batch_moments("batch_norm", wide, axis, shape, eps)
        middle, scale = found[0], found[2]
    else:
        known: _Given = given
        middle = known["mean"].reshape(shape)
        scale = _reciprocal_root(known["variance"].reshape(shape), eps)
    return _with_affine(_scaled(wide, middle, scale), _affine_on(given, shape), dtype)


def _channels(name: str, given: _Given, layout: str) -> tuple[Any, int]:
    """What is normalised, and which of its axes the channels are."""
    x = given["x"]
    axis = channel_axis(name, x.ndim, layout)
    _check_affine(name, given, (x.shape[axis],), "(channels,)")
    return x, axis


def instance_norm(
    x: Any,
    weight: Any = None,
    bias: Any = None,
    *,
    eps: float = 1e-5,
    layout: str = "channels_last",
) -> Any:
    """Instance normalisation (D. Ulyanov, A. Vedaldi, V. Lempitsky, 2016).

    As :func:`batch_norm`, but that each element of the batch has statistics of its own: over its
    positions, for each channel.

    Args:
        x: ``(batch, space..., channels)``, or with layout "channels_first"
            ``(batch, channels, space...)``, of floats.
        weight: ``(channels,)``, of floats; None: 1.
        bias: The same; None: 0.
        eps: Added to the variance.
        layout: "channels_last" or "channels_first".

    Returns:
        The shape of ``x``, and the dtype to which those of the operands are promoted.

    Raises:
        UserInputError: ``x``, weight or bias are no floats, their shapes do not go together, or
            ``x`` has no axes of space.
        UnknownNameError: The layout is another one.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.array([[[1.0, 2.0], [3.0, 2.0]]])
        >>> sm.nn.instance_norm(x, eps=0.25).tolist()
        [[[-0.8944271802902222, 0.0], [0.8944271802902222, 0.0]]]
    """
    given, dtype = floats_of("instance_norm", x=x, weight=weight, bias=bias)
    wide, axis = _channels("instance_norm", given, layout)
    if wide.ndim < 3:
        raise UserInputError(
            f"instance_norm expected x with a batch axis, axes of space and channels, got"
            f" {wide.ndim} axes; layer_norm goes over features"
        )
    if not wide.size:
        return cast(copied(wide), dtype)
    batch, count = wide.shape[0], wide.shape[axis]
    is_last = axis == wide.ndim - 1
    source = peeked(wide.reshape((batch, -1, count) if is_last else (batch, count, -1)))
    affine = _affine_on(given, (count,) if is_last else (count, 1))
    inner = 1 if is_last else 2
    found = _normalised("instance_norm", "LAYER_NORM", source, inner, eps, affine, dtype)
    return found.reshape(wide.shape)


def group_norm(
    x: Any,
    groups: int,
    weight: Any = None,
    bias: Any = None,
    *,
    eps: float = 1e-5,
    layout: str = "channels_last",
) -> Any:
    """Group normalisation (Y. Wu and K. He, 2018).

    As :func:`batch_norm`, but that each element of the batch has statistics of its own: over its
    positions and the channels of a group.

    Args:
        x: ``(batch, space..., channels)``, or with layout "channels_first"
            ``(batch, channels, space...)``, of floats.
        groups: How many groups the channels are; it divides their number.
        weight: ``(channels,)``, of floats; None: 1.
        bias: The same; None: 0.
        eps: Added to the variance.
        layout: "channels_last" or "channels_first".

    Returns:
        The shape of ``x``, and the dtype to which those of the operands are promoted.

    Raises:
        UserInputError: ``x``, weight or bias are no floats, their shapes do not go together, or
            the channels cannot be divided so.
        UnknownNameError: The layout is another one.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.group_norm(sm.array([[1.0, 3.0, 5.0, 5.0]]), 2, eps=0.25).tolist()
        [[-0.8944271802902222, 0.8944271802902222, 0.0, 0.0]]
    """
    given, dtype = floats_of("group_norm", x=x, weight=weight, bias=bias)
    wide, axis = _channels("group_norm", given, layout)
    batch, count, ndim = wide.shape[0], wide.shape[axis], wide.ndim
    if groups < 1 or count % groups:
        raise UserInputError(
            f"group_norm expected groups to divide the {count} channels, got {groups}"
        )
    if not wide.size:
        return cast(copied(wide), dtype)
    each = count // groups
    if axis == ndim - 1:
        source, channels = wide.reshape((batch, -1, count)), Channels(batch, each, each)
    else:
        source = wide.reshape((batch, groups, -1)).transpose(0, 2, 1)
        channels = Channels(batch, 1, each)
    places = (count, *(1,) * (ndim - 1 - axis))
    shape = (batch, *(1,) * (ndim - 1 - len(places)), *places)
    found = moments("group_norm", source, channels, shape, eps)
    return _with_affine(_scaled(wide, found[0], found[2]), _affine_on(given, places), dtype)
