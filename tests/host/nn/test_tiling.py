"""Which kernels and tiles GPUs take for attention and convolutions."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import speedmetal as sm
from speedmetal.arrays.memory.layout import Layout
from speedmetal.nn import tiled_attention, tiling
from speedmetal.nn.correlation import CHANNEL_BY_CHANNEL, FEW_OUTPUTS, PIECES, TILED, way_of
from speedmetal.nn.windows import Span

APPLE, HOPPER = 32 << 10, 227 << 10
"""Bytes of threadgroup memory."""


@pytest.mark.parametrize(
    ("weights", "way"),
    [
        ((1, 64, 1, 3, 3, 64), TILED),
        ((1, 8, 1, 3, 3, 4), TILED),
        ((1, 9, 1, 3, 3, 3), TILED),
        ((2, 8, 1, 3, 3, 8), TILED),
        ((1, 8, 1, 3, 3, 3), FEW_OUTPUTS),
        ((96, 1, 1, 3, 3, 1), PIECES),
        ((6, 1, 1, 3, 3, 1), CHANNEL_BY_CHANNEL),
        ((8, 2, 1, 3, 3, 1), CHANNEL_BY_CHANNEL),
    ],
)
def test_ways_of_convolutions_on_gpus(weights, way):
    spans = (Span(1, 1, 1, 0, 1), Span(3, 1, 1, 0, 9), Span(3, 1, 1, 0, 9))
    assert way_of(spans, weights, "channels_last", 32, is_on_cpu=False) == way
    assert way_of(spans, weights, "channels_last", 32) not in (TILED, PIECES)


@pytest.mark.parametrize("kind", [sm.float32, sm.float16, sm.bfloat16], ids=str)
def test_tiles_of_convolutions_fit(kind):
    choices = tiling.MATRICES if kind.itemsize == 2 else tiling.REGISTERS
    for sizes in choices:
        assert sizes.memory(kind) <= HOPPER
        for copied in (1, 2, 4, 8)[: 4 if kind.itemsize == 2 else 3]:
            every = sizes.threads // (sizes.depth // copied)  # from row to row of a thread's
            assert sizes.rows % every == 0
    assert any(sizes.memory(kind) <= APPLE for sizes in choices)


@pytest.mark.parametrize("size", [16, 64, 128, 256])
@pytest.mark.parametrize("queries", [9, 100, 4096])
def test_tiles_of_attention_fit(size, queries):
    """They do in what a GPU has; where nothing does, there are no tiles."""
    for allowed in (APPLE, HOPPER):
        limits = SimpleNamespace(threadgroup_memory_bytes=allowed)
        query = SimpleNamespace(shape=(1, 4, queries, size), device=SimpleNamespace(limits=limits))
        for choices, itemsize in (
            (tiled_attention.MATRIX_TILES, 2),
            (tiled_attention.REGISTER_TILES, 4),
        ):
            tiles = tiled_attention._chosen(choices, query, query, itemsize)
            assert tiles is None or tiles.memory(size, size, itemsize) <= allowed
            assert tiles is not None or allowed == APPLE


def test_reversed_axes_are_in_a_row_from_their_last_element_on():
    whole = Layout.c_contiguous(sm.float32, (4, 6))
    assert tiling.in_a_row(whole) == Layout.c_contiguous(sm.float32, (24,))
    turned = whole[::-1, 4::-2]
    assert tiling.lowest(turned) == 0
    assert tiling.in_a_row(turned).shape == (23,)
    assert not tiling.is_in_a_row(turned)
    assert tiling.is_in_a_row(whole[::2, 1:3])
