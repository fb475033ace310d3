"""Images of another size, and channels that become pixels."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from speedmetal.arrays.along_axes.reducing import accumulator
from speedmetal.arrays.along_axes.sorted_axes import EXPRESSIONS_OF_OPERATION
from speedmetal.arrays.array import Array, upload
from speedmetal.arrays.creation import full
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.arrays.replaying import replayed
from speedmetal.backends.device import Device
from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.errors import UnknownNameError, UserInputError
from speedmetal.nn.images import EACH, Made, Placed, Prepared, image_of
from speedmetal.nn.windows import (
    DIMENSIONS,
    Extents,
    channels_of,
    check_floats,
    check_image,
    each_axis,
    shape_of,
    space_of,
)

_TAPS = {"nearest": 1, "linear": 2, "cubic": 4}
_RANKS = {"bilinear": ("linear", 2), "trilinear": ("linear", 3), "bicubic": ("cubic", 2)}
MODES = (*_TAPS, *_RANKS)
_CUBIC = -0.75
"""The parameter of cubic convolution, as PyTorch has it."""


@record
class _Axis:
    """How an axis of space changes.

    Args:
        extent: Of the image.
        size: Of the result.
        ratio: The distance of the result's neighbours, in the image's.
        mode: One of `_TAPS`.
        aligns: Whether the outermost elements stay where they are.
    """

    extent: int
    size: int
    ratio: float
    mode: str
    aligns: bool


_ALONE = _Axis(1, 1, 1.0, "nearest", False)


@record
class _Resizing:
    """How an image changes its size.

    Args:
        axes: Of space, three.
        total: The type of the sums; None: elements are taken as they are.
    """

    axes: tuple[_Axis, ...]
    total: DType | None


# --- Functions -----------------------------------------------------------------------------------


@replayed
def upsample(
    x: Any,
    size: Any = None,
    *,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool = False,
    layout: str = "channels_last",
) -> Array:
    """Sequences, images or volumes of another size, larger or smaller.

    With ``r = extent / size``, or ``1 / scale_factor`` where that is given, the result's element
    ``i`` along an axis is what the image has at

    - ``floor(i * r)``: ``"nearest"``;
    - ``(i + 0.5) * r - 0.5``, or ``i * (extent - 1) / (size - 1)`` where the corners are aligned:
      ``"linear"`` between two neighbours, beyond the outermost the outermost; ``"cubic"`` between
      four, by cubic convolution with ``a = -0.75`` (R. Keys, 1981), the outermost repeated.

    Numbers of 16 bits are summed in float32.

    Args:
        x: ``(batch, length, channels)``, ``(batch, rows, columns, channels)`` or
            ``(batch, depth, rows, columns, channels)``, or with the channels second. Of floats; of
            any dtype where the mode is ``"nearest"``.
        size: Of the result's space, for all axes or each.
        scale_factor: Instead: how many times as large it is, rounded down.
        mode: ``"nearest"``, ``"linear"`` or ``"cubic"``; ``"bilinear"`` and ``"bicubic"`` are those
            of images, ``"trilinear"`` of volumes.
        align_corners: Whether the outermost elements stay where they are.
        layout: ``"channels_last"``, or ``"channels_first"``.

    Returns:
        ``(batch, *size, channels)``, or with the channels second.

    Raises:
        UserInputError: ``x`` has other axes, no elements or no floats, or not one of ``size`` and
            ``scale_factor`` was given.
        UnknownNameError: There is no such mode or layout.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.array([[[0.0], [1.0], [2.0]]])
        >>> sm.nn.upsample(x, 6).reshape(-1)
        Array([0., 0., 1., 1., 2., 2.], dtype=float32, device='cpu')
        >>> sm.nn.upsample(x, scale_factor=2, mode="linear").reshape(-1)
        Array([0.  , 0.25, 0.75, 1.25, 1.75, 2.  ], dtype=float32, device='cpu')
    """
    rank = x.ndim - 2 if isinstance(x, Array) and 3 <= x.ndim <= 5 else 2
    check_image("upsample", x, rank, layout)
    own = _mode_of(mode, rank, align_corners)
    dtype = x.layout.dtype
    if own != "nearest":
        check_floats(f'upsample by mode "{mode}"', dtype)
    extents = space_of(x.shape, layout)
    sizes, ratios = _sizes(extents, size, scale_factor)
    shape = shape_of(x.shape[0], sizes, channels_of(x.shape, layout), layout)
    if 0 in shape:
        return full(shape, 0, dtype, x.device)
    if 0 in extents:
        raise UserInputError(f"upsample: x {x.shape} has no elements to take")
    pairs = zip(extents, sizes, ratios, strict=True)
    axes = tuple(_Axis(*numbers, own, bool(align_corners)) for numbers in pairs)
    total = None if own == "nearest" else accumulator(dtype)
    how = _Resizing((*(_ALONE,) * (DIMENSIONS - rank), *axes), total)
    larger = math.prod(sizes) * _TAPS[own] ** rank / math.prod(extents)
    return _resized(x, Made(shape, dtype, layout), how, max(1, math.ceil(larger)))


def _resized(x: Any, made: Made, how: _Resizing, reads: int) -> Array:
    """An image of another size, lazily."""

    def prepare(placed: Placed) -> Prepared:
        from speedmetal.nn.kernels import upsampling as kernels  # with its first use

        tables = [_table(axis, how.total, x.layout.device) for axis in how.axes]
        places = tuple(held for held, _ in tables)
        factors = tuple(factor for _, factor in tables if factor is not None)
        taps = math.prod(held.shape[1] for held in places)
        kept = (*places, *factors)
        return Prepared(
            kernels.resize,
            (
                *(places, factors, EACH),
                kernels.CHANNELS if placed.lanes_are_channels else kernels.COLUMNS,
            ),
            EXPRESSIONS_OF_OPERATION * placed.size * taps,
            (*(table.address for table in kept), EACH),
            kept,
        )

    return image_of("upsample", x, made, how, prepare, reads)


def pixel_shuffle(x: Any, upscale_factor: int, *, layout: str = "channels_last") -> Array:
    """Images with ``upscale_factor`` times as many rows and columns, made of the channels.

        ``result[n, y * r + i, x * r + j, c] = image[n, y, x, c * r * r + i * r + j]``

    Source: W. Shi and others, "Real-Time Single Image and Video Super-Resolution Using an
    Efficient Sub-Pixel Convolutional Neural Network", 2016.

    Args:
        x: ``(batch, rows, columns, channels)``; ``(batch, channels, rows, columns)`` where the
            layout is ``"channels_first"``. Of any dtype.
        upscale_factor: The ``r``.
        layout: ``"channels_last"``, or ``"channels_first"``.

    Returns:
        ``(batch, rows * r, columns * r, channels / r**2)``, or with the channels first.

    Raises:
        UserInputError: ``x`` has other axes, or the channels cannot be divided.
        UnknownNameError: There is no such layout.

    Example:
        >>> import speedmetal as sm
        >>> sm.nn.pixel_shuffle(sm.arange(4).reshape((1, 1, 1, 4)), 2)[0, :, :, 0]
        Array([[0, 1],
               [2, 3]], dtype=int32, device='cpu')
    """
    check_image("pixel_shuffle", x, 2, layout)
    (factor,) = each_axis("pixel_shuffle", "upscale_factor", upscale_factor, 1)
    channels = channels_of(x.shape, layout)
    if channels % factor**2:
        raise UserInputError(
            f"pixel_shuffle: the {channels} channels of x {x.shape} must be a multiple of"
            f" {factor}**2"
        )
    batch, (rows, columns) = x.shape[0], space_of(x.shape, layout)
    kept = channels // factor**2
    shape = shape_of(batch, (rows * factor, columns * factor), kept, layout)
    if layout == "channels_last":
        split = x.reshape((batch, rows, columns, kept, factor, factor))
        found: Array = split.transpose((0, 1, 4, 2, 5, 3)).reshape(shape)
        return found
    by_place = x.reshape((batch, kept, factor, factor, rows, columns))
    pixels: Array = by_place.transpose((0, 1, 4, 2, 5, 3)).reshape(shape)
    return pixels


# --- Operands ------------------------------------------------------------------------------------


def _mode_of(mode: str, rank: int, align_corners: bool) -> str:  # noqa: FBT001 - of the one caller
    if mode not in MODES:
        raise UnknownNameError("mode", str(mode), MODES)
    own, wanted = _RANKS.get(mode, (mode, rank))
    if wanted != rank:
        raise UserInputError(
            f'upsample: mode "{mode}" is of {wanted} dimensions of space, x has {rank}; use'
            f' mode="{own}"'
        )
    if align_corners and own == "nearest":
        raise UserInputError('upsample: mode "nearest" has no corners to align')
    return own


def _sizes(extents: Extents, size: Any, factor: Any) -> tuple[Extents, tuple[float, ...]]:
    """The extents of the result's space, and the distances of its neighbours."""
    rank = len(extents)
    if (size is None) == (factor is None):
        both = "both" if size is not None else "neither"
        raise UserInputError(f"upsample takes size or scale_factor, got {both}")
    if size is not None:
        sizes = each_axis("upsample", "size", size, rank)
        return sizes, tuple(n / own for n, own in zip(extents, sizes, strict=True))
    given = tuple(factor) if isinstance(factor, list | tuple) else (factor,) * rank
    is_right = len(given) == rank and all(isinstance(f, int | float) and f > 0 for f in given)
    if not is_right:
        raise UserInputError(
            f"upsample expected for scale_factor a number above 0, or {rank} of them, got"
            f" {factor!r}"
        )
    sizes = tuple(math.floor(n * f) for n, f in zip(extents, given, strict=True))
    return sizes, tuple(1 / f for f in given)


# --- Tables --------------------------------------------------------------------------------------


def taps_of(axis: _Axis) -> tuple[HostArray, HostArray]:
    """Which of an axis' elements are summed, and their factors: ``(size, taps)`` each."""
    numbers = np.arange(axis.size, dtype=np.float64)
    if axis.mode == "nearest":
        # So many quotients are whole that rounding must not bring one below.
        nearest = np.floor(numbers * axis.ratio * (1 + 1e-15)).astype(np.int64)
        return np.minimum(nearest, axis.extent - 1)[:, None], np.ones((axis.size, 1))
    if axis.aligns:
        at = numbers * ((axis.extent - 1) / max(axis.size - 1, 1))
    else:
        at = (numbers + 0.5) * axis.ratio - 0.5
    first = np.floor(at)
    t = at - first
    offsets = np.array([0, 1] if axis.mode == "linear" else [-1, 0, 1, 2])
    places = np.clip(first[:, None] + offsets, 0, axis.extent - 1).astype(np.int64)
    if axis.mode == "linear":
        return places, np.stack([1 - t, t], 1)
    return places, np.stack([_far(1 + t), _near(t), _near(1 - t), _far(2 - t)], 1)


def _near(t: HostArray) -> HostArray:
    """Of cubic convolution, up to a distance of 1."""
    return ((_CUBIC + 2) * t - (_CUBIC + 3)) * t * t + 1


def _far(t: HostArray) -> HostArray:
    """The same from 1 to 2."""
    return ((_CUBIC * t - 5 * _CUBIC) * t + 8 * _CUBIC) * t - 4 * _CUBIC


@lru_cache(maxsize=256)
def _table(axis: _Axis, total: DType | None, device: Device) -> tuple[Any, Any]:
    """Both on a device; no factors where elements are taken as they are."""
    places, factors = taps_of(axis)
    held = upload(places.astype(np.int32), device)
    return held, None if total is None else upload(factors.astype(total.numpy), device)
