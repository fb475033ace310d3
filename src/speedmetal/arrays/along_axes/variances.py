"""Variances of many elements on a GPU, which are read once, by :mod:`.moments` of this folder."""

from __future__ import annotations

import math
from typing import Any

from speedmetal.arrays.along_axes.moments import Channels, moments
from speedmetal.arrays.along_axes.reducing import Axes
from speedmetal.arrays.deferred.graph import apply, peeked
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.shapes import axes_of

_LEAST = 1 << 20
"""Elements; fewer are read twice, the second time from the cache, by what takes any axes."""
_LEAST_OF_ROW = 256
"""Elements of a row: of shorter ones a thread takes one each there."""


def takes_variance(x: Any, axis: Axes, correction: float) -> bool:
    """Whether :func:`variance_of` is for these: axes side by side of a large array on a GPU.

    Args:
        x: An array, converted to the dtype in which is computed.
        axis: As of a reduction.
        correction: Degrees of freedom that are lost.
    """
    layout = x.layout
    if layout.device.kind == "cpu" or layout.dtype.is_complex or math.prod(layout.shape) < _LEAST:
        return False
    elements = peeked(x).elements
    if elements != Layout.c_contiguous(elements.dtype, elements.shape):
        return False
    axes = _axes(layout.shape, axis)
    are_neighbours = bool(axes) and axes == tuple(range(axes[0], axes[-1] + 1))
    _, length, behind = _extents(layout.shape, axes) if are_neighbours else (0, 0, 0)
    return length > correction and (behind > 1 or length >= _LEAST_OF_ROW)


def variance_of(name: str, x: Any, axis: Axes, correction: float, *, keepdims: bool) -> Any:
    """The lazy variance along axes for which :func:`takes_variance` is, in the dtype of ``x``.

    Args:
        name: Of the function.
        x: See there.
        axis: See there.
        correction: See there.
        keepdims: Whether the axes stay, with extent 1.
    """
    shape = x.layout.shape
    axes = _axes(shape, axis)
    extents = _extents(shape, axes)
    kept = tuple(
        1 if place in axes else extent
        for place, extent in enumerate(shape)
        if keepdims or place not in axes
    )
    found = moments(name, x.reshape(extents), Channels(extents[0]), kept)[1]
    count = extents[1]
    return apply("multiply", found, count / (count - correction)) if correction else found


def _axes(shape: tuple[int, ...], axis: Axes) -> tuple[int, ...]:
    return tuple(range(len(shape))) if axis is None else tuple(sorted(axes_of(axis, len(shape))))


def _extents(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, int, int]:
    """Those before the axes, of them, and behind them, each as one."""
    first, last = axes[0], axes[-1] + 1
    return math.prod(shape[:first]), math.prod(shape[first:last]), math.prod(shape[last:])
