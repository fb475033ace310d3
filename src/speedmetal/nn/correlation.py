"""A convolution as kernels of ours compute it: its parts, and which kernel does it.

A convolution here is a list of *parts*, each of which computes some elements of the result: an
ordinary one has one part, a transposed one has one for each place that outputs have between the
positions of the input, see :mod:`speedmetal.nn.transposing`.
"""

from __future__ import annotations

import math
from functools import lru_cache

from speedmetal.arrays.memory.layout import Layout
from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.nn.windows import Span, five_axes

MANY_OUTPUTS, FEW_OUTPUTS = "many outputs", "few outputs"
CHANNEL_BY_CHANNEL, COLUMNS_FIRST = "channel by channel", "columns first"
"""The kernels, see :mod:`speedmetal.nn.kernels.convolution`,"""
TILED, PIECES = "tiles", "pieces of channels"
"""and those for GPUs, see ``tiled_convolution`` and ``depthwise_convolution`` beside it."""
ON_GPUS = (TILED, PIECES)
BY_ELEMENTS = {MANY_OUTPUTS: 2, FEW_OUTPUTS: 2, CHANNEL_BY_CHANNEL: 3}
"""Those that read an image whose columns and channels are one axis, and how often they have it."""

MOST_FEW = 8
"""Outputs of a group that `FEW_OUTPUTS` computes."""
MANY_CHANNELS = 4
"""So many side by side a GPU's thread moves at once, in float32."""
MOST_TAPS = 12
"""Columns of a window whose weights it keeps in registers."""
CACHED_BYTES = 1 << 20
"""Packed weights that stay in the cache of a core, beside rows of an image."""
PIXELS_OF_THREAD = 32
"""Of a row, about, where lanes are channels: what a thread finds out of its row it does once."""
PIXELS_AT_ONCE = 256
"""Of a result, for which a block of larger ones is loaded into it once."""
MOST_FUSED = 4
"""An expression whose elements a kernel would compute more often is stored first."""


Slice = tuple[int | None, int | None, int | None]
"""What a slice is made of, which itself cannot be a part of a key."""
WHOLE: Slice = (None, None, None)


@record
class Part:
    """Some elements of a result.

    Args:
        spans: Of the window along the image's three axes of space.
        place: Which of the result's elements along these axes: what :class:`slice` is made of.
        taps: Which of the weights, the same, in the order of the window.
    """

    spans: tuple[Span, Span, Span]
    place: tuple[Slice, ...]
    taps: tuple[Slice, ...]


@record
class Correlation:
    """A convolution, as all but the operands.

    Args:
        name: Of the function.
        parts: Of it.
        image: The image's shape, with five axes.
        weights: Shape ``(groups, outputs, depth, rows, columns, channels)``.
        shape: Of the result.
        dtype: Of the sums, and of the result.
        multiplied: Dtype of what `TILED` multiplies.
        layout: Of the operands.
        has_inputs_first: Whether the weights' first axis is the image's channels.
        result_layout: Of the result.
        way: A kernel's name.
        reads: How often an element of the image is read, about.
    """

    name: str
    parts: tuple[Part, ...]
    image: tuple[int, ...]
    weights: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: DType
    multiplied: DType
    layout: str
    has_inputs_first: bool
    result_layout: str
    way: str
    reads: int

    def border(self) -> tuple[int, int]:
        """How many columns are put before and behind the image, which the kernel needs there."""
        if self.way != MANY_OUTPUTS:
            return 0, 0
        spans = [part.spans[2] for part in self.parts]
        ends = [(span.windows - 1) * span.stride - span.before + span.reach for span in spans]
        columns = self.image[3]
        return max(0, *(span.before for span in spans)), max(0, *(end - columns for end in ends))


def way_of(
    spans: tuple[Span, Span, Span],
    weights: tuple[int, ...],
    layout: str,
    bits: int,
    *,
    is_on_cpu: bool = True,
) -> str:
    """Which kernel computes a convolution.

    The lanes of a vector are what lies side by side in the image and in the result. That is a
    channel, and where an image has its channels last, so are a result's outputs.

    Measured on Sapphire Rapids, float32, milliseconds of two cores together, beside other programs,
    the least of 15 in turn; images with their channels first are copied to have them last where
    another kernel than `COLUMNS_FIRST` computes them:

    ================================  ==========================  =========================
    image, weights                    chosen                      others
    ================================  ==========================  =========================
    10 x 256 x 256 x 12, 8 x 3 x 3    few outputs 16.1            many outputs 23.7
    4 x 112 x 112 x 96, depthwise     channel by channel 9.4      few outputs 33.6
    10 x 12 x 256 x 256, 8 x 3 x 3    columns first 28.5          few outputs 30.3
    8 x 3 x 112 x 112, 64 x 3 x 3     many outputs 7.6            columns first 13.7
    8 x 8 x 112 x 112, 64 x 3 x 3     many outputs 11.3           columns first 23.1
    8 x 64 x 56 x 56, 64 x 3 x 3      many outputs 21.0           columns first 49.2
    8 x 7 x 7 x 512, 512 x 3 x 3      many outputs 16.0           BLAS, of copied windows 55
    8 x 56 x 56 x 64, 256 x 1 x 1     many outputs 7.4            BLAS 12.7
    ================================  ==========================  =========================

    BLAS won nowhere, so that there is no way by it; its times have its threads' waiting in them.

    Args:
        spans: Of the window.
        weights: Shape ``(groups, outputs, depth, rows, columns, channels)``.
        layout: Of the images.
        bits: Of the sums' type.
        is_on_cpu: Whether the CPU computes it.
    """
    if not is_on_cpu and (way := _way_on_gpus(weights)):
        return way
    _, outputs, *_, channels = weights
    columns = spans[2]
    if layout == "channels_first" and columns.stride == 1:
        return COLUMNS_FIRST if outputs <= MOST_FEW else MANY_OUTPUTS
    if channels == 1 and layout == "channels_last" and weights[0] > 1:
        return CHANNEL_BY_CHANNEL
    if outputs <= MOST_FEW and columns.windows > 1 and columns.size * bits <= MOST_TAPS * 32:
        return FEW_OUTPUTS
    return MANY_OUTPUTS


def _way_on_gpus(weights: tuple[int, ...]) -> str | None:
    """The same, where GPUs have kernels of their own; None: the CPU's are as fast there.

    Few outputs of few channels are too little for a tile, and a channel alone is no matrix.
    """
    groups, outputs, *_, channels = weights
    if channels == 1 and groups > 1:
        return PIECES if outputs == 1 and groups % MANY_CHANNELS == 0 else None
    return TILED if outputs > MOST_FEW or channels >= MANY_CHANNELS else None


def reads_of(way: str, parts: tuple[Part, ...], weights: tuple[int, ...]) -> int:
    """How often a kernel reads an element of the image, about."""
    found = 0.0
    for part in parts:
        depth, rows, columns = part.spans
        count = depth.size * rows.size / (depth.stride * rows.stride)
        if way not in (FEW_OUTPUTS, CHANNEL_BY_CHANNEL, PIECES):
            count *= columns.size / columns.stride
        if way not in (CHANNEL_BY_CHANNEL, PIECES):
            each = {MANY_OUTPUTS: 32, FEW_OUTPUTS: MOST_FEW, COLUMNS_FIRST: 8, TILED: 64}[way]
            count *= -(-weights[1] // each)
        found += count
    return max(1, math.ceil(found))


@lru_cache(maxsize=1024)
def has_one_axis(elements: Layout, layout: str) -> bool:
    return in_one_axis(five_axes(elements, layout)) is not None


def in_one_axis(image: Layout, times: int = 1) -> Layout | None:
    """An image whose columns and channels are one axis, so many times; None: they are not."""
    *outer, width, channels = image.shape
    *strides, column, channel = image.strides
    if channels == 1:
        step = column
    elif width == 1 or column == channel * channels:
        step = channel
    else:
        return None
    extents = (*outer, *(width * channels,) * times)
    return Layout(image.dtype, extents, (*strides, *(step,) * times), image.offset)
