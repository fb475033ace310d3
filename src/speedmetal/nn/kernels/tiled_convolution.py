"""Convolutions as products of matrices, which are never all in memory.

A row of the left matrix is what lies under a window, a pixel's; a row of the right one the weights
of an output. A threadgroup computes a tile of the product, step by step along their elements. What
a step needs of both lies in threadgroup memory, in one of several stages: while threads work on
one, copies for the next ones are on their way.

Both image and weights are one axis of elements, of which the channels lie side by side, and steps
say how far neighbours along the other axes are from each other: what is under a window's element is
at the sum of where the window begins and of where the element is in any window.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import speedmetal as sm
from speedmetal.arrays.kernels.copy import convert, unravel

FOUR = 4


class Tiles(NamedTuple):
    """How the work is divided; all is known while compiling.

    Args:
        rows: Pixels of a threadgroup.
        columns: Outputs likewise.
        depth: How far a step goes along the elements under a window.
        stages: Steps for which threadgroup memory has room.
        own_rows: Pixels of a thread, or of a simdgroup.
        own_columns: Outputs likewise.
        across: How many threads, or simdgroups, are side by side.
        threads: Of a threadgroup.
        copied: Elements that a thread copies at once, a divisor of the channels.
    """

    rows: int
    columns: int
    depth: int
    stages: int
    own_rows: int
    own_columns: int
    across: int
    threads: int
    copied: int


class Steps(NamedTuple):
    """From neighbour to neighbour, in pieces of so many elements as a thread copies at once.

    Args:
        outer: Along images; of weights, along groups.
        depth: See there; the rest as well.
        row: See above.
        column: The same.
        output: Of weights.
    """

    outer: int
    depth: int
    row: int
    column: int
    output: int


class Geometry(NamedTuple):
    """What of a convolution the running program knows.

    Args:
        depth: An :class:`Along`; of the other axes of space as well.
        rows: See there.
        columns: The same.
        image: The image's extents along these axes.
        windows: The result's likewise.
        window: The window's, and the channels of a group, in pieces.
        outputs: Of a group.
        first_weight: Where that is: those of windows that are turned around come before it.
        steps: Of the image.
        weight_steps: Of the weights.
    """

    depth: Any
    rows: Any
    columns: Any
    image: Any
    windows: Any
    window: Any
    outputs: int
    first_weight: int
    steps: Any
    weight_steps: Any


class Mine(NamedTuple):
    """What a thread copies of each step's blocks.

    Args:
        row: The first one.
        piece: Which one of a row.
        pixels: Of each of its rows of the left block where its window begins: the piece, and the
            places along the axes of space.
        outputs: Where the weights of its first row begin; how many there are from there on.
    """

    row: Any
    piece: Any
    pixels: Any
    outputs: Any


@sm.kernel
def by_registers(
    target: Any,
    source: Any,
    weights: Any,
    geometry: Any,
    sizes: Any,
) -> None:
    """Each thread has the sums of some pixels and outputs.

    Args:
        target: ``(..., groups * outputs)``, whose other axes are those of pixels.
        source: The image.
        weights: Those.
        geometry: A :class:`Geometry`.
        sizes: What :class:`Tiles` are made of.
    """
    kind, tiles = weights.dtype, Tiles(*sizes)
    lefts = sm.threadgroup_array((tiles.stages, tiles.rows, tiles.depth + FOUR), kind)
    rights = sm.threadgroup_array((tiles.stages, tiles.columns, tiles.depth + FOUR), kind)
    group, top, side = corner_of(geometry, tiles)
    # A simdgroup is 4 threads high and 8 wide: it loads few different elements.
    simdgroup, lane = sm.simdgroup_index_in_threadgroup(), sm.thread_index_in_simdgroup()
    y = simdgroup // (tiles.across // 8) * 4 + lane // 8
    x = simdgroup % (tiles.across // 8) * 8 + lane % 8
    down = tiles.threads // tiles.across

    mine = part_of_thread(geometry, tiles, group, top, side, count_pixels(target))
    tap, steps = begin(lefts, rights, source, weights, mine, geometry, tiles)
    total = sm.thread_array((tiles.own_rows, tiles.own_columns), kind)
    for i in sm.static_range(tiles.own_rows):
        for j in sm.static_range(tiles.own_columns):
            total[i, j] = kind(0)
    for step in range(steps):
        sm.async_copy_wait(tiles.stages - 2)
        sm.threadgroup_barrier()
        if step + tiles.stages - 1 < steps:
            stage = (step + tiles.stages - 1) % tiles.stages
            copy_step(lefts[stage], rights[stage], source, weights, tap, mine, geometry, tiles)
        sm.async_copy_group()
        tap = advanced(tap, pieces_of(tiles), geometry.window)
        stage = step % tiles.stages
        add_products(total, lefts[stage], rights[stage], y, x, down, tiles)
    for i in sm.static_range(tiles.own_rows):
        pixel = top + y + down * i
        if pixel < count_pixels(target):
            place = unravel(pixel, target.shape[:-1])
            for j in sm.static_range(tiles.own_columns):
                output = side + x + tiles.across * j
                if output < geometry.outputs:
                    value = convert(total[i, j], kind, target.dtype)
                    target[(*place, group * geometry.outputs + output)] = value


def corner_of(geometry: Any, tiles: Any) -> Any:
    """A threadgroup's group of channels, first pixel and first output in the group."""
    position = sm.threadgroup_position_in_grid()
    wide = sm.cdiv(geometry.outputs, tiles.columns)
    group, side = position.y // wide, position.y % wide * tiles.columns
    return group, position.x * tiles.rows, side


def count_pixels(target: Any) -> Any:
    """Of a result."""
    return target.size // target.shape[-1]


def part_of_thread(geometry: Any, tiles: Any, group: Any, top: Any, side: Any, pixels: Any) -> Any:
    """A :class:`Mine`."""
    thread, pieces = sm.thread_index_in_threadgroup(), pieces_of(tiles)
    row, every = thread // pieces, every_of(tiles)
    channel = group * geometry.window[3]
    found = tuple(
        window_of(geometry, min(top + row + first, pixels - 1), channel)
        for first in range(0, tiles.rows, every)
    )
    steps = geometry.weight_steps
    weight = geometry.first_weight + group * steps.outer + (side + row) * steps.output
    left = geometry.outputs - side - row
    return Mine(row, thread % pieces, found, (weight, left))


def every_of(tiles: Any) -> Any:
    """From one row that a thread copies pieces of to the next one."""
    return tiles.threads // pieces_of(tiles)


def pieces_of(tiles: Any) -> Any:
    """How many pieces a row of a block has."""
    return tiles.depth // tiles.copied


def window_of(geometry: Any, pixel: Any, channel: Any) -> Any:
    """The piece with which a pixel's window begins, and its places along the axes of space."""
    steps, (depth, rows, columns) = geometry.steps, geometry.windows
    plane, image = pixel // columns, pixel // (columns * rows * depth)
    z = plane // rows % depth * geometry.depth.stride - geometry.depth.before
    y = plane % rows * geometry.rows.stride - geometry.rows.before
    x = pixel % columns * geometry.columns.stride - geometry.columns.before
    first = image * steps.outer + z * steps.depth + y * steps.row + x * steps.column
    return first + channel, z, y, x


def advanced(tap: Any, count: Any, window: Any) -> Any:
    """The place under a window so many pieces further on: depth, row, column, channel."""
    dz, dy, dx, channel = tap
    channel += count
    while channel >= window[3]:
        channel -= window[3]
        dx += 1
        if dx == window[2]:
            dx = 0
            dy += 1
            if dy == window[1]:
                dy = 0
                dz += 1
    return dz, dy, dx, channel


def begin(
    lefts: Any, rights: Any, source: Any, weights: Any, mine: Any, geometry: Any, tiles: Any
) -> Any:
    """Ask for the blocks of the first steps; gives the next one's place, and how many there are."""
    window = geometry.window
    tap = advanced((0, 0, 0, 0), mine.piece, window)
    steps = sm.cdiv(window[0] * window[1] * window[2] * window[3], pieces_of(tiles))
    for step in sm.static_range(tiles.stages - 1):
        if step < steps:
            copy_step(lefts[step], rights[step], source, weights, tap, mine, geometry, tiles)
        sm.async_copy_group()
        tap = advanced(tap, pieces_of(tiles), window)
    return tap, steps


def copy_step(
    left: Any,
    right: Any,
    source: Any,
    weights: Any,
    tap: Any,
    mine: Any,
    geometry: Any,
    tiles: Any,
) -> None:
    """Copy a thread's part of a step's blocks; 0 beyond the image, the window and the outputs."""
    dz, dy, dx, channel = tap
    down, over, aside = (
        dz * geometry.depth.dilation,
        dy * geometry.rows.dilation,
        dx * geometry.columns.dilation,
    )
    steps = geometry.steps
    distance = down * steps.depth + over * steps.row + aside * steps.column + channel
    is_tap = dz < geometry.window[0]
    for number in sm.static_range(len(mine.pixels)):
        first, z, y, x = mine.pixels[number]
        is_inside = (
            is_tap
            and is_within(z + down, geometry.image[0])
            and is_within(y + over, geometry.image[1])
            and is_within(x + aside, geometry.image[2])
        )
        row = mine.row + number * every_of(tiles)
        copy_piece(left, row, mine.piece, source, first + distance, is_inside, tiles.copied)
    steps = geometry.weight_steps
    weight, outputs = mine.outputs
    distance = dz * steps.depth + dy * steps.row + dx * steps.column + channel
    for first in sm.static_range(0, tiles.columns, every_of(tiles)):
        if first + every_of(tiles) <= tiles.columns or mine.row + first < tiles.columns:
            place = weight + first * steps.output + distance
            is_there = is_tap and first < outputs
            copy_piece(right, mine.row + first, mine.piece, weights, place, is_there, tiles.copied)


def is_within(place: Any, extent: Any) -> Any:
    """Whether a place is one of an axis: negative ones are large numbers."""
    return sm.uint32(place) < sm.uint32(extent)


def copy_piece(
    tile: Any, row: Any, piece: Any, source: Any, number: Any, is_there: Any, copied: Any
) -> None:
    """Copy a piece, which visibly begins at a multiple of its length; 0 where there is none."""
    if is_there:
        sm.async_copy(tile, (row, piece * copied), source, (number * copied,), copied)
    else:
        for e in sm.static_range(copied):
            tile[row, piece * copied + e] = tile.dtype(0)


def add_products(total: Any, left: Any, right: Any, y: Any, x: Any, down: Any, tiles: Any) -> None:
    """Add what a step adds to a thread's sums, four elements at a time."""
    kind = total.dtype
    own = sm.thread_array((tiles.own_rows, FOUR), kind)
    other = sm.thread_array((tiles.own_columns, FOUR), kind)
    for k in range(0, tiles.depth, FOUR):
        for i in sm.static_range(tiles.own_rows):
            for e in sm.static_range(FOUR):
                own[i, e] = left[y + down * i, k + e]
        for j in sm.static_range(tiles.own_columns):
            for e in sm.static_range(FOUR):
                other[j, e] = right[x + tiles.across * j, k + e]
        for e in sm.static_range(FOUR):
            for i in sm.static_range(tiles.own_rows):
                for j in sm.static_range(tiles.own_columns):
                    total[i, j] += own[i, e] * other[j, e]


# --- Numbers of 16 bits --------------------------------------------------------------------------

INNER = 16
"""What tensor cores multiply at once, of rows and along the inner axis."""
EIGHT = 8
"""Elements of 16 bits that are stored at once."""


@sm.kernel
def by_matrices(
    target: Any,
    source: Any,
    weights: Any,
    geometry: Any,
    sizes: Any,
) -> None:
    """Each simdgroup has matrices of sums, which are of float32.

    Args:
        target: As above; the rest as well.
        source: The same.
        weights: The same.
        geometry: The same.
        sizes: The same.
    """
    kind, tiles = weights.dtype, Tiles(*sizes)
    lefts = sm.threadgroup_array((tiles.stages, tiles.rows, tiles.depth + EIGHT), kind)
    rights = sm.threadgroup_array((tiles.stages, tiles.columns, tiles.depth + EIGHT), kind)
    simdgroups = tiles.threads // 32
    scratch = sm.threadgroup_array((simdgroups, INNER, tiles.own_columns + FOUR), sm.float32)
    group, top, side = corner_of(geometry, tiles)
    simdgroup = sm.simdgroup_index_in_threadgroup()
    y = simdgroup // tiles.across * tiles.own_rows
    x = simdgroup % tiles.across * tiles.own_columns

    mine = part_of_thread(geometry, tiles, group, top, side, count_pixels(target))
    tap, steps = begin(lefts, rights, source, weights, mine, geometry, tiles)
    totals = tuple(
        sm.simdgroup_matrix(0, sm.float32, (INNER, tiles.own_columns))
        for _ in range(tiles.own_rows // INNER)
    )
    for step in range(steps):
        sm.async_copy_wait(tiles.stages - 2)
        sm.threadgroup_barrier()
        if step + tiles.stages - 1 < steps:
            stage = (step + tiles.stages - 1) % tiles.stages
            copy_step(lefts[stage], rights[stage], source, weights, tap, mine, geometry, tiles)
        sm.async_copy_group()
        tap = advanced(tap, pieces_of(tiles), geometry.window)
        stage = step % tiles.stages
        for k in sm.static_range(0, tiles.depth, INNER):
            shape = (INNER, tiles.own_columns)
            right = sm.simdgroup_load(rights[stage], (x, k), transpose=True, shape=shape)
            totals = tuple(
                sm.simdgroup_multiply_accumulate(
                    sm.simdgroup_load(lefts[stage], (y + INNER * i, k), shape=(INNER, INNER)),
                    right,
                    totals[i],
                )
                for i in range(len(totals))
            )
    for i in sm.static_range(len(totals)):
        sm.simdgroup_barrier()
        sm.simdgroup_store(totals[i], scratch[simdgroup], (0, 0))
        sm.simdgroup_barrier()
        pixel = top + y + INNER * i
        store_matrix(target, scratch[simdgroup], pixel, group, side + x, geometry.outputs)


def store_matrix(target: Any, scratch: Any, pixel: Any, group: Any, own: Any, outputs: Any) -> None:
    """Write some pixels' sums: a thread has outputs side by side, and finds its pixel once.

    Args:
        target: The result.
        scratch: The sums of ``INNER`` pixels, and some columns that are none.
        pixel: The first one.
        group: Of channels.
        own: The first output, of the group.
        outputs: Of a group.
    """
    lane, kind = sm.thread_index_in_simdgroup(), scratch.dtype
    across = (scratch.shape[1] - FOUR) // EIGHT
    piece = lane % across
    sums = sm.thread_array(EIGHT, kind)
    values = sm.thread_array(EIGHT, target.dtype)
    for first in sm.static_range(0, INNER, 32 // across):
        row = first + lane // across
        if pixel + row < count_pixels(target) and row < INNER:
            for e in sm.static_range(EIGHT):
                sums[e] = scratch[row, EIGHT * piece + e]
            for e in sm.static_range(EIGHT):
                values[e] = convert(sums[e], kind, target.dtype)
            place = unravel(pixel + row, target.shape[:-1])
            column = own // EIGHT + piece
            if outputs % EIGHT == 0 and EIGHT * column < outputs:
                column += outputs // EIGHT * group
                for e in sm.static_range(EIGHT):
                    target[(*place, EIGHT * column + e)] = values[e]
            else:
                for e in sm.static_range(EIGHT):
                    if EIGHT * column + e < outputs:
                        target[(*place, group * outputs + EIGHT * column + e)] = values[e]
