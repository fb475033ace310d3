"""What ``cuda_arrays_speed.py`` measures of layers: attention and convolutions.

As :mod:`cuda_arrays_cases`, but a case's size is its floating-point operations, products and sums,
so that figures are GFLOP/s; of one query of attention, which memory holds up, it is bytes. float32
is IEEE's in all libraries: no TF32.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from cuda_arrays_cases import Case, case, halved, shared, torch

import speedmetal as sm
from speedmetal import nn


def layers() -> Iterator[Case]:
    """Attention, then convolutions."""
    torch().backends.cudnn.allow_tf32 = False
    torch().backends.cudnn.benchmark = True
    yield from attention()
    yield from convolutions()


# --- Attention -----------------------------------------------------------------------------------

ATTENTION = (
    ((4, 16, 16, 2048, 2048, 64), False, (sm.float16, sm.bfloat16, sm.float32)),
    ((4, 16, 16, 2048, 2048, 64), True, (sm.float16, sm.float32)),
    ((4, 16, 16, 2048, 2048, 128), False, (sm.float16, sm.float32)),
    ((4, 32, 8, 1000, 1000, 128), True, (sm.float16, sm.float32)),
    ((1, 8, 8, 512, 512, 256), False, (sm.float16, sm.float32)),
    ((64, 16, 16, 16, 64, 64), False, (sm.float16, sm.float32)),
    ((4, 8, 8, 256, 256, 64), False, (sm.float16, sm.float32)),
    ((4, 8, 8, 256, 256, 128), False, (sm.float16, sm.float32)),
    ((1, 4, 4, 64, 64, 32), False, (sm.float16, sm.float32)),
    ((1, 32, 8, 1, 8192, 128), False, (sm.float16,)),
    ((16, 32, 8, 1, 4096, 128), False, (sm.float16, sm.float32)),
    ((64, 16, 16, 1, 1024, 64), False, (sm.float16, sm.float32)),
)
"""Batch, heads, heads of keys, queries, keys and size of a head; whether causal; of which types."""


def attention() -> Iterator[Case]:
    """``scaled_dot_product_attention``."""
    for sizes, causal, dtypes in ATTENTION:
        batch, heads, key_heads, queries, keys, size = sizes
        for dtype in dtypes:
            shapes = ((heads, queries), (key_heads, keys), (key_heads, keys))
            operands = tuple(normal((batch, *own, size), dtype) for own in shapes)
            work = 4 * batch * heads * queries * keys * size // (2 if causal else 1)
            if queries == 1:
                work = 2 * batch * key_heads * keys * size * dtype.itemsize
            ours = partial(nn.scaled_dot_product_attention, causal=causal)
            theirs = partial(
                torch().nn.functional.scaled_dot_product_attention,
                is_causal=causal,
                enable_gqa=heads != key_heads,
            )
            what = " x ".join(map(str, sizes)) + ", causal" * causal
            name = f"attention {what}, {dtype.name}"
            yield case(name, work, ours, theirs, operands, compiles=False, **halved(dtype))


def normal(shape: tuple[int, ...], dtype: Any) -> tuple[Any, Any]:
    """Numbers of the normal distribution: an array, and a tensor of the same memory."""
    array, tensor = shared(shape, dtype)
    tensor.normal_()
    torch().cuda.synchronize()
    return array, tensor


# --- Convolutions --------------------------------------------------------------------------------


class Shape(NamedTuple):
    """A convolution of images with their channels last.

    Args:
        image: Batch, rows, columns, channels.
        outputs: Channels of the result.
        window: Rows and columns.
        stride: From a window to the next one.
        padding: Zeros around, where the window has more than one element.
        groups: Of channels.
    """

    image: tuple[int, int, int, int]
    outputs: int
    window: tuple[int, int]
    stride: int = 1
    padding: int = 0
    groups: int = 1


CONVOLUTIONS = (
    Shape((32, 56, 56, 64), 64, (3, 3), 1, 1),
    Shape((32, 14, 14, 256), 256, (3, 3), 1, 1),
    Shape((32, 56, 56, 64), 256, (1, 1)),
    Shape((32, 28, 28, 128), 128, (3, 3), 2, 1),
    Shape((32, 224, 224, 3), 64, (7, 7), 2, 3),
    Shape((100, 1, 256, 3), 8, (1, 3)),
    Shape((100, 1, 256, 256), 8, (1, 3)),
    Shape((16, 1, 1000, 80), 128, (1, 11)),
    Shape((16, 1, 1000, 3), 128, (1, 11)),
    Shape((100, 256, 256, 3), 8, (3, 3)),
    Shape((10, 256, 256, 12), 8, (3, 3)),
    Shape((1, 256, 256, 128), 8, (3, 3)),
    Shape((100, 28, 28, 3), 8, (3, 3)),
    Shape((1000, 28, 28, 3), 8, (3, 3)),
    Shape((8, 32, 32, 64), 64, (3, 3), groups=64),
    Shape((4, 112, 112, 96), 96, (3, 3), groups=96),
    Shape((8, 56, 56, 96), 96, (7, 7), groups=96),
)
"""ResNet's, then those of the benchmark of MLX's layers."""


def convolutions() -> Iterator[Case]:
    """``conv2d``, of PyTorch in the layout that is its fastest for the GPU, channels last."""
    for shape in CONVOLUTIONS:
        for dtype in (sm.float32, sm.float16):
            yield convolution(shape, dtype)


def convolution(shape: Shape, dtype: Any) -> Case:
    """One of them."""
    channels = shape.image[3] // shape.groups
    image = normal(shape.image, dtype)
    weight = normal((shape.outputs, *shape.window, channels), dtype)
    padding = tuple(shape.padding if size > 1 else 0 for size in shape.window)
    options: dict[str, Any] = {"stride": shape.stride, "padding": padding, "groups": shape.groups}

    def theirs(x: Any, w: Any) -> Any:
        first = (tensor.permute(0, 3, 1, 2) for tensor in (x, w))
        return torch().nn.functional.conv2d(*first, **options).permute(0, 2, 3, 1)

    windows = math.prod(
        (extent + 2 * own - size) // shape.stride + 1
        for extent, own, size in zip(shape.image[1:3], padding, shape.window, strict=True)
    )
    work = 2 * shape.image[0] * windows * shape.outputs * channels * math.prod(shape.window)
    words = (
        f"{'x'.join(map(str, shape.image))}, {shape.outputs} of {'x'.join(map(str, shape.window))}"
    )
    more = f"/{shape.stride}" * (shape.stride > 1) + ", depthwise" * (shape.groups > 1)
    return case(
        f"conv {words}{more}, {dtype.name}",
        work,
        lambda x, w: nn.conv2d(x, w, **options),
        theirs,
        (image, weight),
        compiles=False,
        **halved(dtype),
    )
