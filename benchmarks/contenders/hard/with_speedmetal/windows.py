"""Convolutions: tiles of sums in registers, which every weight meets once."""

from __future__ import annotations

from typing import Any

from side_by_side.hard_cases import OUTPUT_CHANNELS

import speedmetal as sm

PAIRS = 8  # of pixels in a tile
PIXELS = 12  # in a tile of eight threads
LANES = 16
ROWS, VECTORS = 6, 4  # of a tile of the matrix product


@sm.kernel
def convolution_by_pairs(x: Any, weights: Any, y: Any, channels: int, tiles: int) -> None:
    """Sixteen threads are two neighbouring pixels, eight output channels each.

    Args:
        x: (image, row, column * channel).
        weights: (row, column * channel, 16): those of the eight outputs, twice.
        y: (image, row, column * output).
        channels: Of the input.
        tiles: Along a row; the last one begins early enough to end with the row.
    """
    group = sm.threadgroup_position_in_grid()
    lane = sm.thread_index_in_threadgroup()
    row, image = group.x, group.y
    is_second = lane >= OUTPUT_CHANNELS
    sums = sm.thread_array(PAIRS, sm.float32)
    for tile in range(tiles):
        first = min(tile * (2 * PAIRS), y.shape[2] // OUTPUT_CHANNELS - 2 * PAIRS)
        for p in sm.static_range(PAIRS):
            sums[p] = 0.0
        for i in range(weights.shape[0]):
            for t in range(weights.shape[1]):
                weight = weights[i, t, lane]
                for p in sm.static_range(PAIRS):
                    column = (first + 2 * p) * channels + t
                    left = x[image, row + i, column]
                    right = x[image, row + i, column + channels]
                    sums[p] = sums[p] + sm.select(is_second, right, left) * weight
        for p in sm.static_range(PAIRS):
            y[image, row, (first + 2 * p) * OUTPUT_CHANNELS + lane] = sums[p]


@sm.kernel
def convolution_by_eights(x: Any, weights: Any, y: Any, channels: int, tiles: int) -> None:
    """Eight threads are the output channels of a pixel; otherwise as above."""
    group = sm.threadgroup_position_in_grid()
    lane = sm.thread_index_in_threadgroup()
    row, image = group.x, group.y
    sums = sm.thread_array(PIXELS, sm.float32)
    for tile in range(tiles):
        first = min(tile * PIXELS, y.shape[2] // OUTPUT_CHANNELS - PIXELS)
        for p in sm.static_range(PIXELS):
            sums[p] = 0.0
        for i in range(weights.shape[0]):
            for t in range(weights.shape[1]):
                weight = weights[i, t, lane]
                for p in sm.static_range(PIXELS):
                    sums[p] = sums[p] + x[image, row + i, (first + p) * channels + t] * weight
        for p in sm.static_range(PIXELS):
            y[image, row, (first + p) * OUTPUT_CHANNELS + lane] = sums[p]


@sm.kernel
def products(a: Any, b: Any, c: Any) -> None:
    """c[z] = a[z] @ b in tiles of 6 rows and 4 vectors; a's rows may overlap.

    With a row of `a` for each window of an image this is a convolution. The last tile of rows
    begins early enough to end with them.
    """
    group = sm.threadgroup_position_in_grid()
    lane = sm.thread_index_in_threadgroup()
    column = group.x * (LANES * VECTORS) + lane
    row = min(group.y * ROWS, a.shape[1] - ROWS)
    sums = sm.thread_array((ROWS, VECTORS), sm.float32)
    values = sm.thread_array(VECTORS, sm.float32)
    for r in sm.static_range(ROWS):
        for v in sm.static_range(VECTORS):
            sums[r, v] = 0.0
    for k in range(a.shape[2]):
        for v in sm.static_range(VECTORS):
            values[v] = b[k, column + LANES * v]
        for r in sm.static_range(ROWS):
            factor = a[group.z, row + r, k]
            for v in sm.static_range(VECTORS):
                sums[r, v] = sums[r, v] + factor * values[v]
    for r in sm.static_range(ROWS):
        for v in sm.static_range(VECTORS):
            c[group.z, row + r, column + LANES * v] = sums[r, v]
