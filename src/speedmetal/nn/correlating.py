"""Convolutions by kernels of ours: their launches, and the images that these can read."""

from __future__ import annotations

from functools import partial
from typing import Any

from speedmetal.arrays.along_axes.sorted_axes import (
    known,
    layouts_of_leaves,
    placed,
)
from speedmetal.arrays.deferred.following import (
    Follower,
    result_layouts,
    takes_any,
)
from speedmetal.arrays.deferred.lazy import call
from speedmetal.arrays.deferred.pending import Call
from speedmetal.arrays.deferred.planned import planned
from speedmetal.arrays.memory.copying import check_computes, copy_elements
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.placement import Moves, grid_of
from speedmetal.backends.device import BoundLaunch
from speedmetal.common.records import record
from speedmetal.frontend.structure import Structure
from speedmetal.nn.correlation import (
    BY_ELEMENTS,
    MOST_FUSED,
    ON_GPUS,
    Correlation,
    has_one_axis,
    in_one_axis,
)
from speedmetal.nn.correlation_plans import Plan, Planner
from speedmetal.nn.tiling import is_in_a_row
from speedmetal.nn.windows import five_axes, with_five_axes


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


@record(eq=False)
class _BorderPlan:
    """A launch that puts a border around an image; ``before`` is the last of its values."""

    run: BoundLaunch
    before: int
    moves: Moves


_plans: Kept[Plan] = Kept(1024)


def _run(work: Correlation, x: Any, weight: Any, follower: Follower | None = None) -> tuple[Any]:
    source, layout = _readable(work, x)
    address = weight.address  # it is made here, if it is lazy
    plan, values = planned(
        _plans,
        (work, layout, weight.layout),
        source,
        lambda: Planner(work, source, layout, weight, follower).plan(),
        follower,
    )
    device = source.layout.device
    elements, launch_layout, size_bytes = result_layouts(follower, work.shape, work.dtype, device)
    result = device.allocate(size_bytes)
    packed: list[Any] = []
    for packing in plan.packings:
        if packing is None:
            packed.append(None)
            continue
        packed.append(device.allocate(packing.size_bytes))
        packing.run([0, packed[-1].address, address, *packing.given])
    for step in plan.steps:
        given = list(values)
        given[1] = result.address
        for place, distance in step.moves:
            given[place] += distance
        memory = packed[step.packing]
        weights = address if memory is None else memory.address
        step.run([*given, weights + step.first_weight, *step.numbers])
    return (type(source)(result, elements, launch_layout),)


def _readable(work: Correlation, x: Any) -> tuple[Any, str]:
    """The image as the kernel can read it, stored or copied where it must be, and its layout."""
    border = work.border()
    if any(border):
        return _with_border(work, x, border), "channels_last"
    if work.way in ON_GPUS:
        return _with_channels_side_by_side(work, x)
    if type(x.pending) is Structure and work.reads > MOST_FUSED:
        _ = x.buffer  # which is made for who asks
    if work.way not in BY_ELEMENTS:
        return x, work.layout
    leaves = [x.elements] if x.pending is None else layouts_of_leaves(x)
    if all(has_one_axis(leaf, work.layout) for leaf in leaves):
        return x, work.layout
    return copy_elements(with_five_axes(x, work.layout)), "channels_last"


def _with_channels_side_by_side(work: Correlation, x: Any) -> tuple[Any, str]:
    """The image in memory, in the dtype of what it is multiplied with, and its layout."""
    _ = x.buffer  # which is made for who asks
    elements = five_axes(x.elements, work.layout)
    if is_in_a_row(elements) and elements.dtype is work.multiplied:
        return x, work.layout
    return copy_elements(with_five_axes(x, work.layout), work.multiplied), "channels_last"


_border_plans: Kept[_BorderPlan] = Kept(256)


def _with_border(work: Correlation, x: Any, border: tuple[int, int]) -> Any:
    """The image with columns of zeros before and behind, its channels last."""
    plan, values = planned(
        _border_plans,
        (work.layout, border),
        x,
        lambda: _border_plan(x, work.layout, border),
    )
    *outer, columns, channels = work.image
    shape = (*outer, columns + sum(border), channels)
    found = x.allocate(shape, x.layout.dtype, x.layout.device)
    values[1] = found.address
    plan.run([*values, plan.before])
    return found


def _border_plan(x: Any, layout: str, border: tuple[int, int]) -> _BorderPlan:
    from speedmetal.nn.kernels.convolution import put_border  # with its first use

    before, after = border
    leaves = [five_axes(leaf, layout) for leaf in layouts_of_leaves(x)]
    *outer, columns, channels = leaves[0].shape
    wide = (*outer, columns + before + after, channels)
    target = x.allocate(wide, x.layout.dtype, x.layout.device)
    runs = [in_one_axis(leaf) for leaf in leaves]
    if all(run is not None for run in runs):  # columns and channels are one run of elements
        leaves = [run for run in runs if run is not None]
        flat = in_one_axis(target.elements)
        assert flat is not None
        target = target.with_elements(flat)
        before *= channels
    source, moves = placed(x, leaves)
    grid = grid_of(target.elements.shape)
    run = put_border.prepare(target, source, before, known(3), grid=grid).run
    return _BorderPlan(run, before, moves)
