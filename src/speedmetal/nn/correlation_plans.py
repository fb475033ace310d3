"""Plans of the launches that compute a convolution: the kernels' arguments and sizes."""

from __future__ import annotations

import math
from functools import cache
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
)
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.placement import Moves, grid_of, in_order_of_memory
from speedmetal.backends.device import BoundLaunch, Device
from speedmetal.common.records import record
from speedmetal.nn.correlation import (
    BY_ELEMENTS,
    CACHED_BYTES,
    CHANNEL_BY_CHANNEL,
    COLUMNS_FIRST,
    FEW_OUTPUTS,
    MANY_OUTPUTS,
    ON_GPUS,
    PIECES,
    PIXELS_AT_ONCE,
    PIXELS_OF_THREAD,
    TILED,
    Correlation,
    Part,
    Slice,
    in_one_axis,
)
from speedmetal.nn.tiling import is_in_a_row, launch_of, lowest
from speedmetal.nn.windows import five_axes


@record(eq=False)
class Packing:
    """What packs the weights for a kernel.

    Args:
        run: Launches it.
        given: The last of its values.
        size_bytes: Of the packed ones.
    """

    run: BoundLaunch
    given: tuple[int, ...]
    size_bytes: int


@record(eq=False)
class _Packed:
    """Packed weights, while a plan is made: their memory is not kept.

    Args:
        packing: What packs them; None: they are read where they are.
        weights: As the kernel reads them.
        first_tap: Of the three axes of a window, the first one.
    """

    packing: Packing | None
    weights: Any
    first_tap: int

    def of(self, part: Part) -> Any:
        """Those of a part."""
        index = (*(slice(None),) * self.first_tap, *_slices(part.taps))
        return self.weights.with_elements(self.weights.elements[index])


@record(eq=False)
class Step:
    """The launch of a part.

    Args:
        packing: Which of the plan's has its weights.
        first_weight: Where the first of them is, in bytes.
        run: Computes the part.
        moves: As in :class:`speedmetal.arrays.deferred.computing._Plan`.
        numbers: The last of its values.
    """

    packing: int
    first_weight: int
    run: BoundLaunch
    moves: Moves
    numbers: tuple[Any, ...]


@record(eq=False)
class Plan:
    """What packs the weights, and the steps, one after the other; ``moves`` are theirs."""

    packings: tuple[Packing | None, ...]
    steps: tuple[Step, ...]
    moves: Moves = ()


class Planner:
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

    def plan(self) -> Plan:
        """The packings and the steps."""
        ways = [*dict.fromkeys(map(self._way, self._work.parts))]
        packed = {way: self._packed(way) for way in ways}
        steps = []
        for part in self._work.parts:
            way = self._way(part)
            run, moves, numbers, weights = self._step(part, way, packed[way])
            own = weights.elements
            first = lowest(own) if way in ON_GPUS else own.offset
            offset = first - packed[way].weights.elements.offset
            steps.append(Step(ways.index(way), offset, run, moves, numbers))
        return Plan(tuple(each.packing for each in packed.values()), tuple(steps))

    def _step(self, part: Part, way: str, packed: _Packed) -> Any:
        place, *followers = self._places(part, way)
        target, moves = followed(self._follower, self._whole.with_elements(place), followers)
        leaves = self._leaves
        if way in BY_ELEMENTS:
            times = BY_ELEMENTS[way]
            merged = (in_one_axis(layout, times) for layout in leaves)
            leaves = [layout for layout in merged if layout is not None]
        source, more = placed(self._source, leaves, 2 + count_values(self._follower))
        prepare = {
            MANY_OUTPUTS: self._many_outputs,
            FEW_OUTPUTS: self._few_outputs,
            CHANNEL_BY_CHANNEL: self._channel_by_channel,
            COLUMNS_FIRST: self._columns_first,
            TILED: self._on_gpu,
            PIECES: self._on_gpu,
        }[way]
        weights = packed.of(part)
        run, numbers = prepare(part, target, source, weights)
        own = ((1, place.offset),) if place.offset else ()
        return run, own + moves + more, numbers, weights

    def _places(self, part: Part, way: str) -> list[Layout]:
        """A part's elements of the result, and of what follows: with five axes, or pixels as one.

        Where pixels are one axis, finding each takes a kernel no divisions.
        """
        layouts = (self._whole.elements, *self._followers)
        picked = [_picked(layout, self._work.result_layout, part) for layout in layouts]
        if way != TILED:
            return picked
        *pixels, outputs = picked[0].shape
        flat = [layout.reshape((math.prod(pixels), outputs)) for layout in picked]
        merged = [layout for layout in flat if layout is not None]
        return merged if len(merged) == len(picked) else picked

    def _packed(self, way: str) -> _Packed:
        """The weights as a kernel reads them."""
        groups, outputs, *window, channels = self._work.weights
        if way in ON_GPUS:
            return self._side_by_side()
        if way == CHANNEL_BY_CHANNEL:
            packed = self._fresh((*window, groups * outputs))
            split = packed.elements.reshape((*window, groups, outputs, 1))
            assert split is not None
            blocks = split.transpose((3, 0, 1, 2, 5, 4))
            run, given = self._pack(packed.with_elements(blocks), outputs)
            return _Packed(Packing(run, given, packed.elements.nbytes), packed, 0)
        period = self._outputs_of_block(way)
        size = 2 * period if way == FEW_OUTPUTS else period
        packed = self._fresh((groups * -(-outputs // period), *window, channels, size))
        run, given = self._pack(packed, period)
        return _Packed(Packing(run, given, packed.elements.nbytes), packed, 1)

    def _side_by_side(self) -> _Packed:
        """The weights, whose channels lie side by side, copied where they do not."""
        seen, kind = self._weights, self._work.multiplied
        if seen.dtype is kind and is_in_a_row(seen):
            return _Packed(None, self._weight.with_elements(seen), 2)
        from speedmetal.arrays.kernels.copy import copy  # with its first use

        packed = self._source.allocate(seen.shape, kind, self._device)
        place, read = in_order_of_memory(packed.elements, seen)
        arguments = (packed.with_elements(place), self._weight.with_elements(read))
        run = copy.prepare(*arguments, grid=grid_of(place.shape)).run
        return _Packed(Packing(run, (), packed.elements.nbytes), packed, 2)

    def _outputs_of_block(self, way: str) -> int:
        outputs = self._work.weights[1]
        if way == FEW_OUTPUTS:
            return int(self._kernels.HALF)
        if way == COLUMNS_FIRST:
            return min(outputs, 8)
        return int(self._kernels.LANES) * self._vectors()

    def _vectors(self) -> int:
        """Of outputs of a thread, where lanes are outputs."""
        is_narrow = self._work.weights[1] <= self._kernels.LANES
        return 1 if is_narrow or self._work.dtype.bits > 32 else 2

    def _pack(self, packed: Any, period: int) -> tuple[BoundLaunch, tuple[int, ...]]:
        """What packs the weights, and the last of its values."""
        target, source = packed.elements, self._weights
        groups, outputs, *_ = source.shape
        if outputs % period or target.shape[-1] != period:
            held = self._weight.with_elements(source)
            plan = self._kernels.pack.prepare(packed, held, period, grid=grid_of(target.shape))
            return plan.run, (period,)
        from speedmetal.arrays.kernels.copy import copy  # with its first use

        # Copies of transposed matrices know how to go over memory.
        blocks = outputs // period
        step, *rest = target.strides
        split = Layout(
            target.dtype,
            (groups, blocks, *target.shape[1:]),
            (step * blocks, step, *rest),
            target.offset,
        )
        group, output, *steps = source.strides
        taken = Layout(
            source.dtype, split.shape, (group, output * period, *steps, output), source.offset
        )
        place, read = in_order_of_memory(split, taken)
        arguments = (packed.with_elements(place), self._weight.with_elements(read))
        return copy.prepare(*arguments, grid=grid_of(place.shape)).run, ()

    def _way(self, part: Part) -> str:
        """The kernel of a part; of one without weights, the one that may have none."""
        is_empty = any(span.size == 0 for span in part.spans)
        own = self._work.way
        return MANY_OUTPUTS if is_empty and own in BY_ELEMENTS else own

    # --- Each kernel -------------------------------------------------------------------------

    def _many_outputs(self, part: Part, target: Any, source: Any, weights: Any) -> Any:
        columns = part.spans[2]
        groups, *_ = self._work.weights
        vectors, most = self._vectors(), _most_pixels(self._device)
        share, sizes = self._share(part, MANY_OUTPUTS, most, self._lines_at_once(part, weights))
        pixels = _tile(columns.windows // share.parts, most)
        seen = weights.elements
        if groups == 1 and columns.dilation == 1:
            *outer, taps, channels, size = seen.shape
            flat = seen.reshape((*outer, 1, taps * channels, size))
            if flat is not None:  # a row of a window is one run of elements
                seen = flat
        *along, own = self._along(part)
        own = own._replace(before=own.before - self._border)
        statics = (pixels, vectors, columns.stride * self._work.image[-1])
        plan = self._kernels.many_outputs.prepare(
            *(target, source, weights.with_elements(seen), *along, own, share),
            *map(known, statics),
            **sizes,
            work=self._expressions(part),
        )
        return plan.run, _numbers(*along, own, share)

    def _few_outputs(self, part: Part, target: Any, source: Any, weights: Any) -> Any:
        depth, rows, columns = self._along(part)
        span = part.spans[2]
        share, sizes = self._share(part, FEW_OUTPUTS, 2 * self._kernels.HALF)
        pixels = _tile(span.windows // share.parts // 2, 8)
        statics = (pixels, span.size, span.stride, span.dilation, share.width, share.channels)
        plan = self._kernels.few_outputs.prepare(
            *(target, source, weights, depth, rows, columns.before, share),
            *map(known, statics),
            **sizes,
            work=self._expressions(part),
        )
        return plan.run, (*depth, *rows, columns.before, *share)

    def _channel_by_channel(self, part: Part, target: Any, source: Any, weights: Any) -> Any:
        depth, rows, columns = self._along(part)
        span = part.spans[2]
        channels, outputs, *_ = self._work.weights
        pixels = _tile(span.windows, 8)
        tiles = max(1, PIXELS_OF_THREAD // pixels)
        statics = (pixels, span.size, span.stride, span.dilation, channels, outputs)
        lines = math.prod(target.shape[:3])
        plan = self._kernels.channel_by_channel.prepare(
            *(target, source, weights, depth, rows, columns.before, tiles),
            *map(known, statics),
            grid=(channels * outputs, -(-span.windows // (pixels * tiles)), lines),
            work=self._expressions(part),
        )
        return plan.run, (*depth, *rows, columns.before, tiles)

    def _columns_first(self, part: Part, target: Any, source: Any, weights: Any) -> Any:
        each = self._outputs_of_block(COLUMNS_FIRST)
        is_wide = self._work.dtype.bits > 32
        vectors = (1 if is_wide else 2) if each > 2 else 4
        share, sizes = self._share(part, COLUMNS_FIRST, self._kernels.LANES * vectors)
        along = self._along(part)
        plan = self._kernels.columns_first.prepare(
            *(target, source, weights, *along, share, known(each), known(vectors)),
            **sizes,
            work=self._expressions(part),
        )
        return plan.run, _numbers(*along, share)

    def _on_gpu(self, part: Part, target: Any, source: Any, weights: Any) -> Any:
        arrays = (target, source, weights)
        given = (self._along(part), arrays, self._leaves[0], self._device)
        found = launch_of(self._work, part, *given)
        work = self._expressions(part)
        plan = found.kernel.prepare(*found.arguments, **found.sizes, work=work)
        return plan.run, found.numbers

    # --- What they have in common --------------------------------------------------------------

    def _fresh(self, shape: tuple[int, ...]) -> Any:
        return self._source.allocate(shape, self._work.dtype, self._device)

    def _along(self, part: Part) -> tuple[Any, Any, Any]:
        depth, rows, columns = (
            self._kernels.Along(span.stride, span.dilation, span.before) for span in part.spans
        )
        return depth, rows, columns

    def _lines_at_once(self, part: Part, weights: Any) -> int:
        """Rows of the result that a threadgroup computes with a block before it takes the next.

        What does not fit into the cache of a core is read anew for each of them.
        """
        if weights.elements.nbytes <= CACHED_BYTES:
            return 1
        return -(-PIXELS_AT_ONCE // part.spans[2].windows)

    def _share(
        self, part: Part, way: str, pixels: int, lines: int = 1
    ) -> tuple[Any, dict[str, Any]]:
        """What a threadgroup does, and how many there are.

        Args:
            part: What is computed.
            way: By which kernel.
            pixels: Columns that a part of a row must have.
            lines: Rows of the result at once.
        """
        groups, outputs, *_, channels = self._work.weights
        columns = part.spans[2]
        all_lines = self._work.image[0] * math.prod(s.windows for s in part.spans[:2])
        group_blocks = -(-outputs // self._outputs_of_block(way))
        blocks = groups * group_blocks
        wanted = 64 if self._device.shares_host_memory else 4096
        lines = min(lines, all_lines)
        several = -(-all_lines // lines)
        parts = max(1, min(columns.windows // pixels, -(-wanted // several)))
        shares = min(blocks, -(-wanted // (4 * several * parts)))
        each = -(-blocks // shares)
        share = self._kernels.Share(
            *(lines, parts, each, group_blocks, outputs, channels, self._work.image[-1])
        )
        count = (several * parts, -(-blocks // each))
        return share, {"groups": count, "threads": self._kernels.LANES}

    def _expressions(self, part: Part) -> int:
        """About how many the threads compute."""
        count = self._work.image[0] * math.prod(span.windows * span.size for span in part.spans)
        products = count * math.prod(self._work.weights[:2]) * self._work.weights[-1]
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
