"""Convolutions by kernels of ours: which one, its sizes, and the plans of its launches.

A convolution here is a list of *parts*, each of which computes some elements of the result: an
ordinary one has one part, a transposed one has one for each place that outputs have between the
positions of the input, see :mod:`speedmetal.nn.transposing`.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache, partial
from typing import Any

from speedmetal.arrays.along_axes.sorted_axes import (
    EXPRESSIONS_OF_OPERATION,
    known,
    layouts_of_leaves,
    placed,
    work_of_follower,
)
from speedmetal.arrays.deferred.following import (
    Follower,
    count_values,
    followed,
    follower_layouts,
    result_layouts,
    takes_any,
)
from speedmetal.arrays.deferred.lazy import call
from speedmetal.arrays.deferred.pending import Call
from speedmetal.arrays.deferred.planned import planned
from speedmetal.arrays.memory.copying import check_computes, copy_elements
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.placement import Moves, grid_of, in_order_of_memory
from speedmetal.arrays.shaping.padding import pad
from speedmetal.backends.device import BoundLaunch, Device
from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.frontend.structure import Structure
from speedmetal.nn.windows import Span, five_axes, with_five_axes

MANY_OUTPUTS, FEW_OUTPUTS = "many outputs", "few outputs"
CHANNEL_BY_CHANNEL, COLUMNS_FIRST = "channel by channel", "columns first"
"""The kernels, see :mod:`speedmetal.nn.kernels.convolution`."""
BY_ELEMENTS = {MANY_OUTPUTS: 2, FEW_OUTPUTS: 2, CHANNEL_BY_CHANNEL: 3}
"""Those that read an image whose columns and channels are one axis, and how often they have it."""

MOST_FEW = 8
"""Outputs of a group that `FEW_OUTPUTS` computes."""
FEW_CHANNELS = 4
"""Of an image that has them first: of more, it is sooner copied to have them last."""
MOST_TAPS = 12
"""Columns of a window whose weights it keeps in registers."""
CACHED_BYTES = 1 << 20
"""Packed weights that stay in the cache of a core, beside rows of an image."""
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


def correlated(work: Correlation, x: Any, weight: Any) -> Any:
    """The lazy result.

    Args:
        work: What is done.
        x: The image, as the user gave it.
        weight: The weights, too.
    """
    check_computes(work.name, x.layout.device, x.layout.dtype, work.dtype)
    reads = work.reads
    if x.pending is not None:
        reads += x.reads
        x.reads = 1
    run = partial(_run, work, x, weight)
    node = Call(work.name, (x, weight), run, reads, callers=4, takes=takes_any)
    return call(type(x), node, [(work.shape, work.dtype)], x.layout.device)[0]


def way_of(spans: tuple[Span, Span, Span], weights: tuple[int, ...], layout: str, bits: int) -> str:
    """Which kernel computes a convolution.

    The lanes of a vector are what lies side by side in the image and in the result. That is a
    channel, and where an image has its channels last, so are a result's outputs.

    Args:
        spans: Of the window.
        weights: Shape ``(groups, outputs, depth, rows, columns, channels)``.
        layout: Of the images.
        bits: Of the sums' type.
    """
    _, outputs, *_, channels = weights
    columns = spans[2]
    if layout == "channels_first" and columns.stride == 1:
        return COLUMNS_FIRST if outputs <= MOST_FEW or channels <= FEW_CHANNELS else MANY_OUTPUTS
    if channels == 1 and layout == "channels_last" and weights[0] > 1:
        return CHANNEL_BY_CHANNEL
    if outputs <= MOST_FEW and columns.windows > 1 and columns.size * bits <= MOST_TAPS * 32:
        return FEW_OUTPUTS
    return MANY_OUTPUTS


def reads_of(way: str, parts: tuple[Part, ...], weights: tuple[int, ...]) -> int:
    """How often a kernel reads an element of the image, about."""
    found = 0.0
    for part in parts:
        depth, rows, columns = part.spans
        count = depth.size * rows.size / (depth.stride * rows.stride)
        if way not in (FEW_OUTPUTS, CHANNEL_BY_CHANNEL):
            count *= columns.size / columns.stride
        if way != CHANNEL_BY_CHANNEL:
            each = {MANY_OUTPUTS: 32, FEW_OUTPUTS: MOST_FEW, COLUMNS_FIRST: 8}[way]
            count *= -(-weights[1] // each)
        found += count
    return max(1, math.ceil(found))


# --- Running -------------------------------------------------------------------------------------


@record(eq=False)
class _Step:
    """The launches of a part.

    Args:
        pack: Packs the weights.
        packed_bytes: So many.
        weights_offset: Of the first of them, in bytes.
        given: The last of its values.
        run: Computes the part.
        moves: As in :class:`speedmetal.arrays.deferred.computing._Plan`.
        numbers: The last of its values.
    """

    pack: BoundLaunch
    packed_bytes: int
    weights_offset: int
    given: tuple[int, ...]
    run: BoundLaunch
    moves: Moves
    numbers: tuple[Any, ...]


@record(eq=False)
class _Plan:
    """The steps, one after the other; ``moves`` are theirs."""

    steps: tuple[_Step, ...]
    moves: Moves = ()


_plans: Kept[_Plan] = Kept(1024)


def _run(work: Correlation, x: Any, weight: Any, follower: Follower | None = None) -> tuple[Any]:
    source, layout = _readable(work, x)
    address = weight.address  # it is made here, if it is lazy
    plan, values = planned(
        _plans,
        (work, layout, weight.layout),
        source,
        lambda: _Planner(work, source, layout, weight, follower).plan(),
        follower,
    )
    device = source.layout.device
    elements, launch_layout, size_bytes = result_layouts(follower, work.shape, work.dtype, device)
    result = device.allocate(size_bytes)
    for step in plan.steps:
        packed = device.allocate(step.packed_bytes)
        step.pack([0, packed.address, address + step.weights_offset, *step.given])
        given = list(values)
        given[1] = result.address
        for place, distance in step.moves:
            given[place] += distance
        step.run([*given, packed.address, *step.numbers])
    return (type(source)(result, elements, launch_layout),)


def _readable(work: Correlation, x: Any) -> tuple[Any, str]:
    """The image as the kernel can read it, stored or copied where it must be, and its layout."""
    border = work.border()
    if any(border):
        padded = pad(with_five_axes(x, work.layout), ((0, 0), (0, 0), (0, 0), border, (0, 0)))
        _ = padded.buffer  # which is made for who asks
        return padded, "channels_last"
    if type(x.pending) is Structure and work.reads > MOST_FUSED:
        _ = x.buffer
    if work.way not in BY_ELEMENTS:
        return x, work.layout
    leaves = [x.elements] if x.pending is None else layouts_of_leaves(x)
    if all(_has_one_axis(leaf, work.layout) for leaf in leaves):
        return x, work.layout
    return copy_elements(with_five_axes(x, work.layout)), "channels_last"


@lru_cache(maxsize=1024)
def _has_one_axis(elements: Layout, layout: str) -> bool:
    return _in_one_axis(five_axes(elements, layout)) is not None


def _in_one_axis(image: Layout, times: int = 1) -> Layout | None:
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


# --- Plans ---------------------------------------------------------------------------------------


class _Planner:
    """Makes the plan of a convolution.

    Args:
        work: What is done.
        source: The image, whose leaves are in memory.
        layout: Of it.
        weight: In memory.
        follower: What is computed of the result.
    """

    def __init__(
        self, work: Correlation, source: Any, layout: str, weight: Any, follower: Follower | None
    ) -> None:
        from speedmetal.nn.kernels import convolution  # with its first use

        self._kernels = convolution
        self._work = work
        self._source = source
        self._leaves = [five_axes(leaf, layout) for leaf in layouts_of_leaves(source)]
        self._weight = weight
        self._weights = _by_groups(weight.elements, work)
        self._follower = follower
        self._border = work.border()[0]
        self._device: Device = source.layout.device
        result, _, _ = result_layouts(follower, work.shape, work.dtype, self._device)
        self._whole = source.allocate(work.shape, result.dtype, self._device)
        self._followers = follower_layouts(follower, work.shape)

    def plan(self) -> _Plan:
        """The steps."""
        return _Plan(tuple(map(self._step, self._work.parts)))

    def _step(self, part: Part) -> _Step:
        weights = self._weights[(slice(None), slice(None), *_slices(part.taps))]
        place, *followers = (
            _picked(layout, self._work.result_layout, part)
            for layout in (self._whole.elements, *self._followers)
        )
        target, moves = followed(self._follower, self._whole.with_elements(place), followers)
        leaves = self._leaves
        way = self._way(part)
        if way in BY_ELEMENTS:
            times = BY_ELEMENTS[way]
            merged = (_in_one_axis(layout, times) for layout in leaves)
            leaves = [layout for layout in merged if layout is not None]
        source, more = placed(self._source, leaves, 2 + count_values(self._follower))
        prepare = {
            MANY_OUTPUTS: self._many_outputs,
            FEW_OUTPUTS: self._few_outputs,
            CHANNEL_BY_CHANNEL: self._channel_by_channel,
            COLUMNS_FIRST: self._columns_first,
        }[way]
        run, numbers, packed, period = prepare(part, target, source, weights)
        pack, given = self._pack(packed, weights, period)
        own = ((1, place.offset),) if place.offset else ()
        return _Step(
            pack=pack.run,
            packed_bytes=max(1, packed.elements.nbytes),
            weights_offset=weights.offset - self._weight.elements.offset,
            given=given,
            run=run,
            moves=own + moves + more,
            numbers=numbers,
        )

    def _pack(self, packed: Any, weights: Layout, period: int) -> tuple[Any, tuple[int, ...]]:
        """What packs the weights, and the last of its values."""
        target, source = packed.elements, weights
        outputs = weights.shape[1]
        if outputs % period or target.shape[-1] != period:
            held = self._weight.with_elements(weights)
            grid = grid_of(target.shape)
            return self._kernels.pack.prepare(packed, held, period, grid=grid), (period,)
        from speedmetal.arrays.kernels.copy import copy  # with its first use

        # Copies of transposed matrices know how to go over memory.
        split = (weights.shape[0], outputs // period, *target.shape[1:])
        blocks = target.reshape(split)
        parts = source.transpose((0, 2, 3, 4, 5, 1))
        step = parts.strides[-1]
        taken = Layout(
            source.dtype,
            (parts.shape[0], split[1], *parts.shape[1:-1], period),
            (parts.strides[0], step * period, *parts.strides[1:-1], step),
            source.offset,
        )
        assert blocks is not None
        place, read = in_order_of_memory(blocks, taken)
        arguments = (packed.with_elements(place), self._weight.with_elements(read))
        return copy.prepare(*arguments, grid=grid_of(place.shape)), ()

    def _way(self, part: Part) -> str:
        """The kernel of a part; of one without weights, the one that may have none."""
        is_empty = any(span.size == 0 for span in part.spans)
        own = self._work.way
        return MANY_OUTPUTS if is_empty and own in BY_ELEMENTS else own

    # --- Each kernel -------------------------------------------------------------------------

    def _many_outputs(self, part: Part, target: Any, source: Any, weights: Layout) -> Any:
        columns = part.spans[2]
        groups, outputs, *window, channels = weights.shape
        is_wide = self._work.dtype.bits > 32
        vectors = 1 if is_wide or outputs <= self._kernels.LANES else 2
        size = self._kernels.LANES * vectors
        most = _most_pixels(self._device)
        packed = self._packed(weights, size)
        lines = self._lines_at_once(part, packed.elements)
        share, sizes = self._share(part, weights, size, most, lines)
        pixels = _tile(columns.windows // share.parts, most)
        seen = packed.elements
        if groups == 1 and columns.dilation == 1:  # a row of a window is one run of elements
            depth, rows, taps = window
            flat = seen.reshape((seen.shape[0], depth, rows, 1, taps * channels, size))
            assert flat is not None
            seen = flat
        *along, own = self._along(part)
        own = own._replace(before=own.before - self._border)
        statics = (pixels, vectors, columns.stride * groups * channels)
        plan = self._kernels.many_outputs.prepare(
            *(target, source, packed.with_elements(seen), *along, own, share),
            *map(known, statics),
            **sizes,
            work=self._expressions(weights),
        )
        return plan.run, _numbers(*along, own, share), packed, size

    def _few_outputs(self, part: Part, target: Any, source: Any, weights: Layout) -> Any:
        depth, rows, columns = self._along(part)
        span = part.spans[2]
        groups, _, *_, channels = weights.shape
        half = self._kernels.HALF
        share, sizes = self._share(part, weights, half, 2 * half)
        pixels = _tile(span.windows // share.parts // 2, 8)
        packed = self._packed(weights, 2 * half, half)
        statics = (pixels, span.size, span.stride, span.dilation, groups * channels, channels)
        plan = self._kernels.few_outputs.prepare(
            *(target, source, packed, depth, rows, columns.before, share),
            *map(known, statics),
            **sizes,
            work=self._expressions(weights),
        )
        return plan.run, (*depth, *rows, columns.before, *share), packed, half

    def _channel_by_channel(self, part: Part, target: Any, source: Any, weights: Layout) -> Any:
        depth, rows, columns = self._along(part)
        span = part.spans[2]
        channels, outputs, *window, _ = weights.shape
        pixels = _tile(span.windows, 8)
        flat = self._fresh((*window, channels * outputs))
        split = flat.elements.reshape((*window, channels, outputs, 1))
        assert split is not None
        packed = flat.with_elements(split.transpose((3, 0, 1, 2, 5, 4)))
        statics = (pixels, span.size, span.stride, span.dilation, channels, outputs)
        lines = math.prod(target.shape[:3])
        plan = self._kernels.channel_by_channel.prepare(
            *(target, source, flat, depth, rows, columns.before),
            *map(known, statics),
            grid=(channels * outputs, -(-span.windows // pixels), lines),
            work=self._expressions(weights),
        )
        return plan.run, (*depth, *rows, columns.before), packed, outputs

    def _columns_first(self, part: Part, target: Any, source: Any, weights: Layout) -> Any:
        _, outputs, *_ = weights.shape
        each = min(outputs, 8)
        is_wide = self._work.dtype.bits > 32
        vectors = (1 if is_wide else 2) if each > 2 else 4
        share, sizes = self._share(part, weights, each, self._kernels.LANES * vectors)
        packed = self._packed(weights, each)
        along = self._along(part)
        plan = self._kernels.columns_first.prepare(
            *(target, source, packed, *along, share, known(each), known(vectors)),
            **sizes,
            work=self._expressions(weights),
        )
        return plan.run, _numbers(*along, share), packed, each

    # --- What they have in common --------------------------------------------------------------

    def _fresh(self, shape: tuple[int, ...]) -> Any:
        return self._source.allocate(shape, self._work.dtype, self._device)

    def _packed(self, weights: Layout, size: int, period: int = 0) -> Any:
        """Memory for packed weights of blocks of ``size``, which repeat after ``period``."""
        groups, outputs, *window, channels = weights.shape
        blocks = groups * -(-outputs // (period or size))
        return self._fresh((blocks, *window, channels, size))

    def _along(self, part: Part) -> tuple[Any, Any, Any]:
        depth, rows, columns = (
            self._kernels.Along(span.stride, span.dilation, span.before) for span in part.spans
        )
        return depth, rows, columns

    def _lines_at_once(self, part: Part, packed: Layout) -> int:
        """Rows of the result that a threadgroup computes with a block before it takes the next.

        What does not fit into the cache of a core is read anew for each of them.
        """
        if packed.nbytes <= CACHED_BYTES:
            return 1
        return -(-PIXELS_AT_ONCE // part.spans[2].windows)

    def _share(
        self, part: Part, weights: Layout, size: int, pixels: int, lines: int = 1
    ) -> tuple[Any, dict[str, Any]]:
        """What a threadgroup does, and how many there are.

        Args:
            part: What is computed.
            weights: Those of it.
            size: Outputs of a block.
            pixels: Columns that a part of a row must have.
            lines: Rows of the result at once.
        """
        groups, outputs, *_, channels = weights.shape
        columns = part.spans[2]
        all_lines = self._work.image[0] * math.prod(s.windows for s in part.spans[:2])
        group_blocks = -(-outputs // size)
        blocks = groups * group_blocks
        wanted = 64 if self._device.shares_host_memory else 4096
        lines = min(lines, all_lines)
        several = -(-all_lines // lines)
        parts = max(1, min(columns.windows // pixels, -(-wanted // several)))
        shares = min(blocks, -(-wanted // (4 * several * parts)))
        each = -(-blocks // shares)
        share = self._kernels.Share(
            *(lines, parts, each, group_blocks, outputs, channels, groups * channels)
        )
        count = (several * parts, -(-blocks // each))
        return share, {"groups": count, "threads": self._kernels.LANES}

    def _expressions(self, weights: Layout) -> int:
        """About how many the threads compute."""
        products = math.prod(self._work.shape) * math.prod(weights.shape[2:])
        return EXPRESSIONS_OF_OPERATION * products + work_of_follower(self._follower)


def _numbers(*records: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(number for each in records for number in each)


def _by_groups(elements: Layout, work: Correlation) -> Layout:
    """Weights as ``(groups, outputs, depth, rows, columns, channels)``."""
    wide = five_axes(elements, work.layout)
    groups = work.weights[0]
    each, step = wide.shape[0] // groups, wide.strides[0]
    shape = (groups, each, *wide.shape[1:])
    split = Layout(wide.dtype, shape, (each * step, *wide.strides), wide.offset)
    return split.transpose((0, 5, 2, 3, 4, 1)) if work.has_inputs_first else split


def _picked(whole: Layout, layout: str, part: Part) -> Layout:
    """A part's elements of a result, with five axes."""
    return five_axes(whole, layout)[(slice(None), *_slices(part.place))]


def _slices(parts: tuple[Slice, ...]) -> tuple[slice, ...]:
    return tuple(slice(*part) for part in parts)


_PIXELS_OF_TILE = 2
"""What a tile costs beside its pixels, in as many of them."""


def _tile(length: int, most: int) -> int:
    """Pixels of a thread, so that few of a row's tiles are computed twice.

    >>> _tile(254, 14), _tile(28, 14), _tile(32, 14), _tile(5, 14)
    (13, 14, 11, 5)
    """
    sizes = range(min(most, length), max(1, min(most, length) // 2) - 1, -1)
    return min(sizes, key=lambda size: -(-length // size) * (size + _PIXELS_OF_TILE))


@cache
def _most_pixels(device: Device) -> int:
    """Pixels of a thread, each of two vectors of outputs, that registers hold."""
    if device.kind != "cpu":
        return 6
    from speedmetal.backends.cpu.identity import code_identity  # of the CPU alone

    # 32 registers of 16 lanes; else 16 of 8 lanes, or 32 of 4.
    return 14 if "avx512f" in code_identity() else 6
