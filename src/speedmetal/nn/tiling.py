"""Convolutions on GPUs: with which tiles their kernels compute them, and what these are given."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from speedmetal.arrays.memory.layout import Layout
from speedmetal.backends.device import Device
from speedmetal.common.records import record
from speedmetal.dtypes import DType, bfloat16, float16
from speedmetal.frontend.static import static
from speedmetal.nn.correlation import PIECES, Correlation, Part

COPIED_BYTES = 16
"""What a thread copies at once."""
LONGEST = 1 << 31
"""Elements that are numbered in 32 bits."""
HALVES = (float16, bfloat16)


class Sizes(NamedTuple):
    """As :class:`speedmetal.nn.kernels.tiled_convolution.Tiles`, without what a thread copies."""

    rows: int
    columns: int
    depth: int
    stages: int
    own_rows: int
    own_columns: int
    across: int
    threads: int

    def memory(self, kind: DType) -> int:
        """Bytes of a threadgroup's arrays."""
        step = self.stages * (self.rows + self.columns)
        if kind not in HALVES:
            return step * (self.depth + 4) * kind.itemsize
        scratch = self.threads // 32 * 16 * (self.own_columns + 4) * 4
        return step * (self.depth + 8) * kind.itemsize + scratch


REGISTERS = (
    Sizes(64, 64, 32, 3, 8, 4, 16, 128),  # where channels are copied several at once alone
    Sizes(128, 64, 16, 3, 8, 4, 16, 256),
    Sizes(64, 64, 16, 3, 8, 4, 16, 128),
    Sizes(64, 32, 16, 3, 4, 4, 8, 128),
    Sizes(128, 8, 16, 3, 4, 1, 8, 256),
)
MATRICES = (
    Sizes(128, 64, 32, 3, 32, 32, 2, 256),
    Sizes(64, 32, 32, 3, 32, 16, 2, 128),
    Sizes(128, 16, 32, 2, 32, 16, 1, 128),
)
"""Measured on an NVIDIA H200, in microseconds, images with their channels last; PyTorch is cuDNN
without TF32:

===============================  =======  ============================  =======
image, weights                   dtype    in this order                 PyTorch
===============================  =======  ============================  =======
32 x 56 x 56 x 64, 64 x 3 x 3    float32  232, 238, 239, 291            277
32 x 14 x 14 x 256, 256 x 3 x 3  float32  230, 302, 240, 296            191
32 x 56 x 56 x 64, 256 x 1 x 1   float32  172, 156, 156, 179            202
32 x 224 x 224 x 3, 64 x 7 x 7   float32  694, 456, 460, 622            397
1 x 256 x 256 x 128, 8 x 3 x 3   float32  the fourth 195, the fifth 98  202
32 x 56 x 56 x 64, 64 x 3 x 3    float16  58, 105                       29
32 x 14 x 14 x 256, 256 x 3 x 3  float16  64, 81                        24
===============================  =======  ============================  =======
"""
PIECE, PIXELS = 4, 8
"""Channels and pixels of a thread, at most, where each channel is convolved by itself."""


@record(eq=False)
class GpuLaunch:
    """What computes a part.

    Args:
        kernel: One of ours.
        arguments: Its.
        sizes: Of the launch.
        numbers: The last of its values.
    """

    kernel: Any
    arguments: tuple[Any, ...]
    sizes: dict[str, Any]
    numbers: tuple[int, ...]


def launch_of(
    work: Correlation,
    part: Part,
    along: Any,
    arrays: tuple[Any, Any, Any],
    image: Layout,
    device: Device,
) -> GpuLaunch:
    """What computes a part.

    Args:
        work: The convolution.
        part: Of it.
        along: As the kernels take it, of each axis of space.
        arrays: The result, the image, and the weights with six axes.
        image: Where its elements are, with five axes.
        device: A GPU.
    """
    target, source, weights = arrays
    own = weights.elements
    flat = (source.with_elements(in_a_row(image)), weights.with_elements(in_a_row(own)))
    given = (target, *flat)
    if work.way == PIECES:
        return _by_pieces(work, part, along, given, image, own)
    return _by_tiles(work, part, along, given, image, own, device)


def _by_tiles(
    work: Correlation,
    part: Part,
    along: Any,
    given: Any,
    image: Layout,
    weights: Layout,
    device: Device,
) -> GpuLaunch:
    from speedmetal.nn.kernels import tiled_convolution as kernels  # with its first use

    kind, (groups, outputs, *_) = work.multiplied, work.weights
    is_half = kind in HALVES
    copied = _side_by_side(weights.shape[5], image, weights)
    choices = MATRICES if is_half else REGISTERS[copied == 1 :]
    sizes = _chosen(choices, outputs, kind, device)
    numbers = _geometry(work, part, along, image, copied, weights, copied)
    tiles: Any = static((*sizes, copied))
    pixels = work.image[0] * math.prod(span.windows for span in part.spans)
    groups_of_threads = (-(-pixels // sizes.rows), groups * -(-outputs // sizes.columns))
    return GpuLaunch(
        kernels.by_matrices if is_half else kernels.by_registers,
        (*given, numbers, tiles),
        {"groups": groups_of_threads, "threads": sizes.threads},
        _numbers_of(numbers),
    )


def _by_pieces(
    work: Correlation, part: Part, along: Any, given: Any, image: Layout, weights: Layout
) -> GpuLaunch:
    from speedmetal.nn.kernels import depthwise_convolution as kernels  # as above

    channels, columns = work.weights[0], part.spans[2]
    piece = math.gcd(_side_by_side(channels, image), PIECE)
    numbers = _geometry(work, part, along, image, piece, weights, 1)
    known = (weights.shape[2:5], columns.stride, columns.dilation, PIXELS, piece)
    lines = work.image[0] * math.prod(span.windows for span in part.spans[:2])
    runs = lines * -(-columns.windows // PIXELS)
    groups = (-(-runs // kernels.DOWN), -(-channels // (kernels.ACROSS * piece)))
    statics: tuple[Any, ...] = tuple(map(static, known))
    return GpuLaunch(
        kernels.channels_by_pieces,
        (*given, numbers, *statics),
        {"groups": groups, "threads": kernels.ACROSS * kernels.DOWN},
        _numbers_of(numbers),
    )


def _chosen(choices: tuple[Sizes, ...], outputs: int, kind: DType, device: Device) -> Sizes:
    """The first sizes that threadgroup memory holds, and whose columns are outputs."""
    allowed = device.limits.threadgroup_memory_bytes
    fitting = [sizes for sizes in choices if sizes.memory(kind) <= allowed]
    return next((sizes for sizes in fitting if sizes.columns <= outputs), fitting[-1])


def _side_by_side(channels: int, *layouts: Layout) -> int:
    """Elements that a thread moves at once: channels and steps are multiples of them."""
    size = layouts[0].itemsize
    steps = (step // size for layout in layouts for step in layout.strides[:-1])
    return math.gcd(COPIED_BYTES // size, channels, *steps)


def _geometry(
    work: Correlation,
    part: Part,
    along: Any,
    image: Layout,
    piece: int,
    weights: Layout,
    weight_piece: int,
) -> Any:
    """What of a part the running program knows; ``piece`` and the other are units of steps."""
    from speedmetal.nn.kernels import tiled_convolution as kernels  # as above

    size = image.itemsize * piece
    images, planes, lines, pixels = (step // size for step in image.strides[:-1])
    size = weights.itemsize * weight_piece
    group, output, depth, row, column = (step // size for step in weights.strides[:-1])
    depths, rows, columns = along
    return kernels.Geometry(
        depths,
        rows,
        columns,
        image=image.shape[1:4],
        windows=tuple(span.windows for span in part.spans),
        window=(*weights.shape[2:5], weights.shape[5] // weight_piece),
        outputs=work.weights[1],
        first_weight=(weights.offset - lowest(weights)) // size,
        steps=kernels.Steps(images, planes, lines, pixels, 0),
        weight_steps=kernels.Steps(group, depth, row, column, output),
    )


def in_a_row(elements: Layout) -> Layout:
    """One axis from the first of an array's elements in memory to the last."""
    pairs = zip(elements.shape, elements.strides, strict=True)
    reach = sum(max(extent - 1, 0) * abs(stride) for extent, stride in pairs)
    count, offset = reach // elements.itemsize + 1, lowest(elements)
    return Layout(elements.dtype, (count,), (elements.itemsize,), offset)


def lowest(elements: Layout) -> int:
    """Where the first of an array's elements in memory is: of reversed axes it is the last."""
    pairs = zip(elements.shape, elements.strides, strict=True)
    return elements.offset + sum(max(n - 1, 0) * stride for n, stride in pairs if stride < 0)


def is_in_a_row(elements: Layout) -> bool:
    """Whether steps along axes lead forward, not far, and channels lie side by side."""
    size = elements.itemsize
    if elements.shape[-1] > 1 and elements.strides[-1] != size:
        return False
    is_forward = all(stride >= 0 and stride % size == 0 for stride in elements.strides)
    return is_forward and in_a_row(elements).size < LONGEST


def _numbers_of(value: Any) -> tuple[int, ...]:
    """Those of nested tuples."""
    if isinstance(value, tuple):
        return tuple(number for each in value for number in _numbers_of(each))
    return (value,)
