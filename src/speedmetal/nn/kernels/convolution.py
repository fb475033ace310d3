"""Convolutions: each output is the sum over a window of what it has under it times its weights.

Images are ``(images, depth, rows, columns, channels)``. Weights come packed by :func:`pack`, in the
type of the sums, as ``(block, depth, rows, columns, channels of a group, outputs of a block)``; a
block is so many outputs of one group, and there are as many of each group.

Where lanes are outputs, an image's columns and channels are one axis, and that twice:
``(images, depth, rows, element, element)``, where both indices are added. The first one tells
where a thread's pixels begin, the second one is a loop's counter and a constant, which the
processor adds by itself while it loads. Measured on Sapphire Rapids: half the time of one index.

Parameters from ``pixels`` or ``outputs`` on are known while a kernel is compiled.

A window's rows that are beyond the image are left out: neither read, nor multiplied by 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import speedmetal as sm
from speedmetal.arrays.kernels.copy import convert, own_index, unravel

LANES = 16
"""Threads of a threadgroup: those of a vector of 512 bits."""
HALF = LANES // 2
LONGEST_RUN = 1 << 24
"""Elements under a row of a window, at most. It is for LLVM: so few can be counted in 32 bits."""


class Along(NamedTuple):
    """A window along one axis, of which the running program knows the numbers."""

    stride: int
    dilation: int
    before: int


class Share(NamedTuple):
    """What a threadgroup does.

    Args:
        lines: How many rows of the result it computes.
        parts: Into how many parts the columns are divided, of which it takes one.
        blocks: How many blocks it computes.
        group_blocks: How many blocks a group has.
        outputs: Of a group.
        channels: Of a group.
        width: Channels of the image.
    """

    lines: int
    parts: int
    blocks: int
    group_blocks: int
    outputs: int
    channels: int
    width: int


@sm.kernel
def pack(target: Any, weights: Any, period: int) -> None:
    """Pack weights: outputs beyond those of a group get 0.

    Args:
        target: As the weights of this module; the outputs of a block repeat after ``period``.
        weights: ``(groups, outputs, depth, rows, columns, channels)``.
        period: How many outputs a block has.
    """
    block, z, y, x, channel, lane = own_index(target)
    blocks = sm.cdiv(weights.shape[1], period)
    output = block % blocks * period + lane % period
    value = target.dtype(0)
    if output < weights.shape[1]:
        value = weights[block // blocks, output, z, y, x, channel].astype(target.dtype)
    target[block, z, y, x, channel, lane] = value


@sm.kernel
def put_border(target: Any, source: Any, before: int, axis: Any) -> None:
    """Put zeros before and behind the elements of an axis.

    Args:
        target: The result; a thread of the grid computes each element.
        source: Which has fewer elements along the axis.
        before: How many zeros are in front.
        axis: Known while compiling.
    """
    index = own_index(target)
    at = index[axis] - before
    value = source.dtype(0)
    if 0 <= at < source.shape[axis]:
        value = source[(*index[:axis], at, *index[axis + 1 :])]
    target[index] = convert(value, source.dtype, target.dtype)


# --- Lanes are outputs ---------------------------------------------------------------------------


@sm.kernel
def many_outputs(  # noqa: C901 - the loops of a convolution
    target: Any,
    source: Any,
    weights: Any,
    depth: Any,
    rows: Any,
    columns: Any,
    share: Any,
    pixels: Any,
    vectors: Any,
    step: Any,
) -> None:
    """A thread computes ``vectors`` outputs of ``pixels`` neighbours, whose windows are ``step``
    elements apart, so that what it loads of the weights and of the image is used so often.

    No window has columns beyond the image: whoever launches this has put a border around it. With
    a second loop for such windows sums were no longer in registers, and all took twice as long.

    Args:
        target: The result.
        source: The image, as told above.
        weights: Packed; what is one run of a window's elements is one column.
        depth: An :class:`Along`.
        rows: Another.
        columns: Another.
        share: A :class:`Share`.
        pixels: Of a thread.
        vectors: Of a thread's outputs, 16 apart.
        step: From a pixel's window to the next one's.
    """
    lane = sm.thread_index_in_threadgroup()
    totals = sm.thread_array((pixels, vectors), weights.dtype)
    group_number = sm.threadgroup_position_in_grid()
    first_line = group_number.x // share.parts * share.lines
    last_line = min(first_line + share.lines, count_lines(target))
    begin, end = part_of(target, share, group_number.x % share.parts)
    first_block = group_number.y * share.blocks
    for block in range(first_block, min(first_block + share.blocks, weights.shape[0])):
        group = block // share.group_blocks
        first_output = block % share.group_blocks * (LANES * vectors)
        for number in range(first_line, last_line):
            image, z, y = unravel(number, target.shape[:3])
            first_dz, last_dz = taps_inside(depth, z, source.shape[1], weights.shape[1])
            first_dy, last_dy = taps_inside(rows, y, source.shape[2], weights.shape[2])
            for tile in range(begin, end, pixels):
                column = min(tile, end - pixels)  # the last ones may be computed twice
                for p in sm.static_range(pixels):
                    for v in sm.static_range(vectors):
                        totals[p, v] = weights.dtype(0)
                for dz in range(first_dz, last_dz):
                    for dy in range(first_dy, last_dy):
                        line = line_under(image, (z, y), (dz, dy), depth, rows)
                        for dx in range(weights.shape[3]):
                            first = column * columns.stride + dx * columns.dilation - columns.before
                            start = first * share.width + group * share.channels
                            place = (block, dz, dy, dx)
                            add_run(totals, source, weights, place, (*line, start), lane, step)
                for v in sm.static_range(vectors):
                    output = first_output + lane + LANES * v
                    at = group * share.outputs + output
                    if output < share.outputs:
                        for p in sm.static_range(pixels):
                            value = convert(totals[p, v], weights.dtype, target.dtype)
                            target[image, z, y, column + p, at] = value


def count_lines(target: Any) -> Any:
    """How many rows a result has."""
    return target.shape[0] * target.shape[1] * target.shape[2]


def part_of(target: Any, share: Any, part: Any) -> Any:
    """The columns of a part of each row: from one to before another."""
    columns = target.shape[3]
    return columns * part // share.parts, columns * (part + 1) // share.parts


def line_under(image: Any, window: Any, tap: Any, depth: Any, rows: Any) -> Any:
    """The row of the image that is under a row of a window."""
    return (
        image,
        window[0] * depth.stride + tap[0] * depth.dilation - depth.before,
        window[1] * rows.stride + tap[1] * rows.dilation - rows.before,
    )


def taps_inside(along: Any, window: Any, extent: Any, size: Any) -> Any:
    """Which elements of a window are in the image: from one to before another."""
    start = window * along.stride - along.before
    first = max(0, sm.cdiv(-start, along.dilation))
    return first, min(size, sm.cdiv(extent - start, along.dilation))


def add_run(
    totals: Any, source: Any, weights: Any, place: Any, at: Any, lane: Any, step: Any
) -> None:
    """Add what is under a run of elements of the pixels' windows.

    Args:
        totals: Of the pixels.
        source: The image.
        weights: Packed.
        place: Block, depth, row and column of the weights.
        at: Where the first pixel's run begins: image, depth, row, element.
        lane: Of the thread.
        step: From a pixel's run to the next one's.
    """
    pixels, vectors = totals.shape
    factors = sm.thread_array(vectors, weights.dtype)
    for t in range(min(weights.shape[4], LONGEST_RUN)):
        for v in sm.static_range(vectors):
            factors[v] = weights[(*place, t, lane + LANES * v)]
        for p in sm.static_range(pixels):
            value = source[(*at, t + p * step)].astype(weights.dtype)
            for v in sm.static_range(vectors):
                totals[p, v] += value * factors[v]


@sm.kernel
def few_outputs(  # noqa: C901 - the loops of a convolution
    target: Any,
    source: Any,
    weights: Any,
    depth: Any,
    rows: Any,
    before: int,
    share: Any,
    pixels: Any,
    taps: Any,
    stride: Any,
    dilation: Any,
    width: Any,
    channels: Any,
) -> None:
    """The same of groups of up to 8 outputs: half of a threadgroup takes the next pixels.

    What is loaded is used for all columns of a window, whose weights are in registers.

    Args:
        target: The result.
        source: The image, as told above.
        weights: Packed, each block twice.
        depth: An :class:`Along`.
        rows: Another.
        before: Columns of the border in front of a row.
        share: A :class:`Share`.
        pixels: Of a thread.
        taps: Columns of a window.
        stride: From a window to the next one, in columns.
        dilation: From a column of a window to the next one.
        width: Of a column: the image's channels.
        channels: Of a group.
    """
    lane = sm.thread_index_in_threadgroup()
    group_number = sm.threadgroup_position_in_grid()
    image, z, y = unravel(group_number.x // share.parts, target.shape[:3])
    begin, end = part_of(target, share, group_number.x % share.parts)
    first_block = group_number.y * share.blocks
    totals = sm.thread_array(pixels, weights.dtype)
    first_dz, last_dz = taps_inside(depth, z, source.shape[1], weights.shape[1])
    first_dy, last_dy = taps_inside(rows, y, source.shape[2], weights.shape[2])
    reach = ((2 * pixels - 1) * stride + (taps - 1) * dilation) * width
    for block in range(first_block, min(first_block + share.blocks, weights.shape[0])):
        group = block // share.group_blocks
        for tile in range(begin, end, 2 * pixels):
            column = min(tile, end - 2 * pixels)
            start = (column * stride - before) * width
            is_inside = start >= 0 and start + reach < source.shape[3]
            start += group * share.channels
            for p in sm.static_range(pixels):
                totals[p] = weights.dtype(0)
            for dz in range(first_dz, last_dz):
                for dy in range(first_dy, last_dy):
                    line = (*line_under(image, (z, y), (dz, dy), depth, rows), start)
                    window = (taps, stride, dilation, width, channels)
                    if is_inside:
                        add_windows(totals, source, weights, line, (block, dz, dy), window, None)
                    else:
                        checked = start - group * share.channels
                        add_windows(totals, source, weights, line, (block, dz, dy), window, checked)
            output = block % share.group_blocks * HALF + lane
            at = group * share.outputs + output
            if lane < HALF:
                if output < share.outputs:
                    for p in sm.static_range(pixels):
                        value = convert(totals[p], weights.dtype, target.dtype)
                        target[image, z, y, column + p, at] = value
            elif output - HALF < share.outputs:
                for p in sm.static_range(pixels):
                    value = convert(totals[p], weights.dtype, target.dtype)
                    target[image, z, y, column + pixels + p, at - HALF] = value


def add_windows(
    totals: Any, source: Any, weights: Any, line: Any, place: Any, window: Any, checked: Any
) -> None:
    """Add what is under a row of the windows of a thread's pixels.

    Args:
        totals: Of them.
        source: The image.
        weights: Packed.
        line: Where it is: image, depth, row, element.
        place: Block, and depth and row of the windows.
        window: Taps, stride, dilation, width and channels.
        checked: Where the row of windows begins, where a part may be beyond the image; or None.
    """
    taps, stride, dilation, width, channels = window
    (pixels,) = totals.shape
    lane = sm.thread_index_in_threadgroup()
    is_second = lane >= HALF
    factors = sm.thread_array(taps, weights.dtype)
    for channel in range(channels):
        for k in sm.static_range(taps):
            factors[k] = weights[(*place, k, channel, lane)]
        for j in sm.static_range((pixels - 1) * stride + (taps - 1) * dilation + 1):
            left = element(source, line, channel, j * width, checked)
            right = element(source, line, channel, (j + pixels * stride) * width, checked)
            value = sm.select(is_second, right, left).astype(weights.dtype)
            for k in sm.static_range(taps):
                first = j - k * dilation
                if 0 <= first < pixels * stride and first % stride == 0:
                    totals[first // stride] += value * factors[k]


def element(source: Any, line: Any, channel: Any, distance: Any, checked: Any) -> Any:
    """An element of the image; 0 beyond it."""
    if checked is None:
        return source[(*line, channel + distance)]
    value = source.dtype(0)
    if 0 <= checked + distance < source.shape[3]:
        value = source[(*line, channel + distance)]
    return value


# --- Lanes are channels --------------------------------------------------------------------------


@sm.kernel
def channel_by_channel(
    target: Any,
    source: Any,
    weights: Any,
    depth: Any,
    rows: Any,
    before: int,
    tiles: int,
    pixels: Any,
    taps: Any,
    stride: Any,
    dilation: Any,
    width: Any,
    outputs: Any,
) -> None:
    """Each channel is convolved by itself: a thread computes an output of ``pixels`` neighbours.

    The threads of a grid are outputs along x, parts of columns along y, rows along z.

    Args:
        target: The result.
        source: The image, whose elements along a row are an axis three times, for the pixel, the
            column of the window and the channel.
        weights: ``(depth, rows, columns, outputs)``.
        depth: An :class:`Along`.
        rows: Another.
        before: Columns of the border in front of a row.
        tiles: How often a thread takes so many pixels.
        pixels: Of a thread, at once.
        taps: Columns of a window.
        stride: From a window to the next one.
        dilation: From a column of a window to the next one.
        width: The image's channels.
        outputs: Of a channel.
    """
    output, part, number = sm.thread_position_in_grid()
    image, z, y = unravel(number, target.shape[:3])
    channel = output if outputs == 1 else output // outputs
    first_dz, last_dz = taps_inside(depth, z, source.shape[1], weights.shape[0])
    first_dy, last_dy = taps_inside(rows, y, source.shape[2], weights.shape[1])
    reach = ((pixels - 1) * stride + (taps - 1) * dilation) * width
    totals = sm.thread_array(pixels, weights.dtype)
    last = min((part + 1) * tiles * pixels, target.shape[3])
    for column in range(part * tiles * pixels, last, pixels):
        start = (column * stride - before) * width
        for p in sm.static_range(pixels):
            totals[p] = weights.dtype(0)
        for dz in range(first_dz, last_dz):
            for dy in range(first_dy, last_dy):
                line = line_under(image, (z, y), (dz, dy), depth, rows)
                window = (taps, stride, dilation, width)
                at = (start, channel, output)
                if start >= 0 and start + reach < source.shape[3]:
                    add_channel(totals, source, weights, line, at, (dz, dy), window, False)
                else:
                    add_channel(totals, source, weights, line, at, (dz, dy), window, True)
        if column + pixels <= last:
            for p in sm.static_range(pixels):
                value = convert(totals[p], weights.dtype, target.dtype)
                target[image, z, y, column + p, output] = value
        else:
            for p in sm.static_range(pixels):
                if column + p < last:
                    value = convert(totals[p], weights.dtype, target.dtype)
                    target[image, z, y, column + p, output] = value


def add_channel(
    totals: Any,
    source: Any,
    weights: Any,
    line: Any,
    at: Any,
    place: Any,
    window: Any,
    is_checked: Any,
) -> None:
    """Add what is under a row of the windows of a thread's pixels, in one channel."""
    taps, stride, dilation, width = window
    start, channel, output = at
    (pixels,) = totals.shape
    factors = sm.thread_array(taps, weights.dtype)
    for k in sm.static_range(taps):
        factors[k] = weights[(*place, k, output)]
    for j in sm.static_range((pixels - 1) * stride + (taps - 1) * dilation + 1):
        value = weights.dtype(0)
        if not is_checked or 0 <= start + j * width < source.shape[3]:
            value = source[(*line, start, j * width, channel)].astype(weights.dtype)
        for k in sm.static_range(taps):
            first = j - k * dilation
            if 0 <= first < pixels * stride and first % stride == 0:
                totals[first // stride] += value * factors[k]


# --- Lanes are columns ---------------------------------------------------------------------------


@sm.kernel
def columns_first(  # noqa: C901, PLR0912 - the same
    target: Any,
    source: Any,
    weights: Any,
    depth: Any,
    rows: Any,
    columns: Any,
    share: Any,
    outputs: Any,
    vectors: Any,
) -> None:
    """A thread computes ``outputs`` outputs of ``vectors`` columns, 16 apart: for images whose
    columns lie side by side, and windows next to each other.

    Args:
        target: The result.
        source: ``(images, depth, rows, columns, channels)``.
        weights: Packed, a block of ``outputs``.
        depth: An :class:`Along`.
        rows: Another.
        columns: Another, with a stride of 1.
        share: A :class:`Share`.
        outputs: Of a block.
        vectors: Of a thread's columns.
    """
    lane = sm.thread_index_in_threadgroup()
    group_number = sm.threadgroup_position_in_grid()
    image, z, y = unravel(group_number.x // share.parts, target.shape[:3])
    begin, end = part_of(target, share, group_number.x % share.parts)
    first_block = group_number.y * share.blocks
    totals = sm.thread_array((outputs, vectors), weights.dtype)
    for block in range(first_block, min(first_block + share.blocks, weights.shape[0])):
        group = block // share.group_blocks
        for tile in range(begin, end, LANES * vectors):
            for o in sm.static_range(outputs):
                for v in sm.static_range(vectors):
                    totals[o, v] = weights.dtype(0)
            for channel in range(weights.shape[4]):
                for dz in range(*taps_inside(depth, z, source.shape[1], weights.shape[1])):
                    for dy in range(*taps_inside(rows, y, source.shape[2], weights.shape[2])):
                        line = line_under(image, (z, y), (dz, dy), depth, rows)
                        for dx in range(weights.shape[3]):
                            place = (block, dz, dy, dx, channel)
                            first = tile + dx * columns.dilation - columns.before
                            at = (first + lane, group * share.channels + channel)
                            if first >= 0 and first + LANES * vectors <= source.shape[3]:
                                add_columns(totals, source, weights, line, at, place, False)
                            else:
                                add_columns(totals, source, weights, line, at, place, True)
            own = block % share.group_blocks * outputs
            output = group * share.outputs + own
            for o in sm.static_range(outputs):
                if own + o < share.outputs:
                    for v in sm.static_range(vectors):
                        if tile + lane + LANES * v < end:
                            value = convert(totals[o, v], weights.dtype, target.dtype)
                            target[image, z, y, tile + lane + LANES * v, output + o] = value


def add_columns(
    totals: Any, source: Any, weights: Any, line: Any, at: Any, place: Any, is_checked: Any
) -> None:
    """Add what is under one element of the windows of a thread's pixels."""
    outputs, vectors = totals.shape
    first, channel = at
    values = sm.thread_array(vectors, weights.dtype)
    for v in sm.static_range(vectors):
        values[v] = weights.dtype(0)
        if not is_checked or 0 <= first + LANES * v < source.shape[3]:
            values[v] = source[(*line, first + LANES * v, channel)].astype(weights.dtype)
    for o in sm.static_range(outputs):
        factor = weights[(*place, o)]
        for v in sm.static_range(vectors):
            totals[o, v] += values[v] * factor
