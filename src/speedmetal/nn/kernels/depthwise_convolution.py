"""Convolutions of each channel by itself, on GPUs: a thread has some channels, and some pixels.

See :mod:`speedmetal.nn.kernels.tiled_convolution` for the words. The threads of a threadgroup are
``ACROSS`` wide: so many pieces of channels lie side by side. Their weights are in threadgroup
memory.
"""

from __future__ import annotations

from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.copy import convert, unravel
from speedmetal.nn.kernels.tiled_convolution import is_within

ACROSS = 8
DOWN = 16


@sm.kernel
def channels_by_pieces(  # noqa: C901 - its loops
    target: Any,
    source: Any,
    weights: Any,
    geometry: Any,
    window: Any,
    stride: Any,
    dilation: Any,
    pixels: Any,
    piece: Any,
) -> None:
    """A threadgroup takes ``ACROSS`` pieces of channels, and ``DOWN`` runs of ``pixels``.

    Args:
        target: ``(images, depth, rows, columns, channels)``.
        source: The image, one axis.
        weights: Those, likewise; groups are channels.
        geometry: See there; here the weights' steps are in elements.
        window: Its depth, rows and columns.
        stride: Along columns; the same in ``geometry``.
        dilation: The same.
        pixels: Of a thread.
        piece: Channels of a thread.
    """
    kind = sm.float32 if weights.dtype in (sm.float16, sm.bfloat16) else weights.dtype
    depth, rows, taps = window
    factors = sm.threadgroup_array((depth * rows * taps, ACROSS * piece), kind)
    thread, position = sm.thread_index_in_threadgroup(), sm.threadgroup_position_in_grid()
    copy_weights(factors, weights, geometry, window, position.y * (ACROSS * piece))
    sm.threadgroup_barrier()

    mine = thread % ACROSS
    own = position.y * ACROSS + mine
    runs = sm.cdiv(target.shape[3], pixels)
    number = position.x * DOWN + thread // ACROSS
    lines = target.shape[0] * target.shape[1] * target.shape[2]
    if number < lines * runs and own * piece < target.shape[4]:
        image, z, y = unravel(number // runs, target.shape[:3])
        column = number % runs * pixels
        totals = sm.thread_array((pixels, piece), kind)
        for p in sm.static_range(pixels):
            for e in sm.static_range(piece):
                totals[p, e] = kind(0)
        top_z = z * geometry.depth.stride - geometry.depth.before
        top_y = y * geometry.rows.stride - geometry.rows.before
        left = column * stride - geometry.columns.before
        steps = geometry.steps
        for dz in range(depth):
            for dy in range(rows):
                over, under = (
                    top_z + dz * geometry.depth.dilation,
                    top_y + dy * geometry.rows.dilation,
                )
                if is_within(over, geometry.image[0]) and is_within(under, geometry.image[1]):
                    line = image * steps.outer + over * steps.depth + under * steps.row + own
                    place = (line, left, (dz * rows + dy) * taps, mine)
                    add_line(totals, source, factors, place, geometry, stride, dilation, taps)
        for p in sm.static_range(pixels):
            if column + p < target.shape[3]:
                values = sm.thread_array(piece, target.dtype)
                for e in sm.static_range(piece):
                    values[e] = convert(totals[p, e], kind, target.dtype)
                for e in sm.static_range(piece):
                    target[image, z, y, column + p, own * piece + e] = values[e]


def copy_weights(factors: Any, weights: Any, geometry: Any, window: Any, first: Any) -> None:
    """Bring the weights of some channels, tap by tap, into threadgroup memory."""
    taps, channels = factors.shape
    steps = geometry.weight_steps
    for number in range(sm.thread_index_in_threadgroup(), taps * channels, ACROSS * DOWN):
        channel, tap = number // taps, number % taps
        dz, dy, dx = unravel(tap, window)
        place = geometry.first_weight + (first + channel) * steps.outer
        place += dz * steps.depth + dy * steps.row + dx * steps.column
        if place < weights.shape[0]:
            factors[tap, channel] = weights[place].astype(factors.dtype)


def add_line(
    totals: Any,
    source: Any,
    factors: Any,
    place: Any,
    geometry: Any,
    stride: Any,
    dilation: Any,
    taps: Any,
) -> None:
    """Add what is under a row of the windows of a thread's pixels."""
    (pixels, piece), kind = totals.shape, totals.dtype
    line, left, first_tap, mine = place
    known, values = sm.thread_array((taps, piece), kind), sm.thread_array(piece, kind)
    for k in sm.static_range(taps):
        for e in sm.static_range(piece):
            known[k, e] = factors[first_tap + k, mine * piece + e]
    for j in sm.static_range((pixels - 1) * stride + (taps - 1) * dilation + 1):
        for e in sm.static_range(piece):
            values[e] = kind(0)
        if is_within(left + j, geometry.image[2]):
            number = line + (left + j) * geometry.steps.column
            for e in sm.static_range(piece):
                values[e] = source[number * piece + e].astype(kind)
        for k in sm.static_range(taps):
            first = j - k * dilation
            if 0 <= first < pixels * stride and first % stride == 0:
                for e in sm.static_range(piece):
                    totals[first // stride, e] += values[e] * known[k, e]
