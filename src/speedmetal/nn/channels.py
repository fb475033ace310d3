"""Normalisation over channels: with the statistics of a batch, of an instance, of groups.

What is meant by each is as in :mod:`speedmetal.nn.normalisation`.
"""

from __future__ import annotations

import math
from typing import Any

from speedmetal.arrays.along_axes.moments import Channels, moments
from speedmetal.arrays.deferred.graph import peeked
from speedmetal.arrays.elementwise.operands import cast, copied
from speedmetal.arrays.replaying import replayed
from speedmetal.errors import UserInputError
from speedmetal.nn.arguments import channel_axis, floats_of
from speedmetal.nn.normalisation import (
    Given,
    affine_on,
    check_affine,
    normalised_along,
    reciprocal_root,
    scaled,
    with_affine,
)
from speedmetal.nn.normalised_channels import normalised_channels


@replayed
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


@replayed
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
        merged, place = _merged(wide.shape, axis)
        if place == 2:  # the outer axis is joined as well, and is one with the others
            merged = (1, merged[0] * merged[1], merged[2])
        found = normalised_channels("batch_norm", wide, merged, place, Channels(1), eps)
    else:
        known: Given = given
        middle = known["mean"].reshape(shape)
        scale = reciprocal_root(known["variance"].reshape(shape), eps)
        found = scaled(wide, middle, scale)
    return with_affine(found, affine_on(given, shape), dtype)


def _merged(shape: tuple[int, ...], axis: int) -> tuple[tuple[int, int, int], int]:
    """A shape with the axes of space as one, and the place of the channels among the three."""
    batch, count = shape[0], shape[axis]
    space = math.prod(shape[1:]) // count
    return ((batch, space, count), 2) if axis == len(shape) - 1 else ((batch, count, space), 1)


def _channels(name: str, given: Given, layout: str) -> tuple[Any, int]:
    """What is normalised, and which of its axes the channels are."""
    x = given["x"]
    axis = channel_axis(name, x.ndim, layout)
    check_affine(name, given, (x.shape[axis],), "(channels,)")
    return x, axis


@replayed
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
    affine = affine_on(given, (count,) if is_last else (count, 1))
    inner = 1 if is_last else 2
    dtypes = dtype, x.layout.dtype
    found = normalised_along("instance_norm", "LAYER_NORM", source, inner, eps, affine, dtypes)
    return found.reshape(wide.shape)


@replayed
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
    places = (count, *(1,) * (ndim - 1 - axis))
    if axis == ndim - 1:
        merged, place = _merged(wide.shape, axis)
        channels = Channels(batch, each, each)
        found = normalised_channels("group_norm", wide, merged, place, channels, eps)
    else:
        source = wide.reshape((batch, groups, -1)).transpose(0, 2, 1)
        shape = (batch, *(1,) * (ndim - 1 - len(places)), *places)
        joined = moments("group_norm", source, Channels(batch, 1, each), shape, eps)
        found = scaled(wide, joined[0], joined[2])
    return with_affine(found, affine_on(given, places), dtype)
