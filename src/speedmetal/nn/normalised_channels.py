"""Channels, or groups of them, normalised by their own moments: one lazy result, its launches.

On the CPU, groups of channels that lie side by side are one launch, where there are enough of them
for all cores: what a threadgroup normalises it has in its cache. Else there is a third launch after
those of :mod:`speedmetal.arrays.along_axes.moments`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from speedmetal.arrays.algebra.tiled import takes_follower
from speedmetal.arrays.along_axes.moments import (
    Channels,
    PlanOfMoments,
    part_of_strip,
    plan_of_moments,
    vectors_of_strip,
)
from speedmetal.arrays.along_axes.reducing import called
from speedmetal.arrays.along_axes.sorted_axes import (
    known,
    layouts_of_leaves,
    placed,
    work_of,
    work_of_follower,
)
from speedmetal.arrays.deferred.following import (
    Follower,
    count_values,
    followed,
    follower_layouts,
    result_layouts,
)
from speedmetal.arrays.deferred.graph import peeked
from speedmetal.arrays.deferred.planned import planned
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.placement import Moves, grid_of
from speedmetal.backends.cpu.pool import default_threads
from speedmetal.backends.device import BoundLaunch
from speedmetal.common.records import record

_READS = 3


@record
class _Task:
    """What is to be normalised.

    Args:
        shape: Of the result.
        merged: The same with three axes.
        axis: Of the channels, among these.
        channels: Which of them have moments in common.
    """

    shape: tuple[int, ...]
    merged: tuple[int, int, int]
    axis: int
    channels: Channels


@record(eq=False)
class _Plan:
    """The launches.

    Args:
        moments: The first two; None: the last one finds the moments itself.
        found_bytes: Of the moments.
        run: The last one.
        numbers: The last of its values.
        moves: As in :func:`speedmetal.arrays.deferred.planned.planned`.
    """

    moments: PlanOfMoments | None
    found_bytes: int
    run: BoundLaunch
    numbers: tuple[Any, ...]
    moves: Moves


_plans: Kept[_Plan] = Kept(256)


def normalised_channels(
    name: str, x: Any, merged: tuple[int, int, int], axis: int, channels: Channels, eps: float
) -> Any:
    """``(x - mean) / sqrt(variance + eps)``, for each channel or group of channels.

    Args:
        name: Of the function.
        x: Of float32 or float64, with elements.
        merged: Its shape with three axes: of them the first and, but for the channels, another one
            are normalised over.
        axis: Of the channels, among these.
        channels: Which have moments in common.
        eps: See above.

    Returns:
        A lazy array of the shape and dtype of ``x``.
    """
    seen = x.reshape(merged)
    source = peeked(seen if axis == 2 else seen.transpose(0, 2, 1))
    dtype = source.layout.dtype
    task = _Task(x.layout.shape, merged, axis, channels)
    run = partial(_run, source, task, dtype.numpy.type(eps))
    takes = partial(takes_follower, merged)
    return called(name, source, run, x.layout.shape, dtype, reads=_READS, takes=takes)


def _run(source: Any, task: _Task, eps: Any, follower: Follower | None = None) -> tuple[Any]:
    plan, values = planned(
        _plans, (task,), source, lambda: _plan_for(source, task, eps, follower), follower
    )
    device = source.layout.device
    elements, layout, size_bytes = result_layouts(follower, task.shape, source.layout.dtype, device)
    result = device.allocate(size_bytes)
    values[1] = result.address
    if plan.moments is None:
        plan.run([*values, eps])
    else:
        found = device.allocate(plan.found_bytes)
        plan.moments.run(values[2 + count_values(follower) :], found.address, eps, device)
        plan.run([*values, found.address, *plan.numbers])
    return (type(source)(result, elements, layout),)


def _plan_for(source: Any, task: _Task, eps: Any, follower: Follower | None) -> _Plan:
    from speedmetal.arrays.kernels.moments import WIDTH
    from speedmetal.nn.kernels import channels as kernels  # with its first use

    dtype, device = source.layout.dtype, source.layout.device
    merged = task.merged
    result, _, _ = result_layouts(follower, task.shape, dtype, device)
    target = source.allocate(merged, result.dtype, device)
    seen = [layout.reshape(merged) for layout in follower_layouts(follower, task.shape)]
    stored, moves = followed(follower, target, [layout for layout in seen if layout is not None])
    vectors = vectors_of_strip(source) if task.axis == 2 else 0
    width = WIDTH * vectors
    work = work_of(source) + work_of_follower(follower)
    if vectors and _is_one_launch(merged, width, task.channels):
        given = (known(vectors), known(task.channels.group), eps)
        sizes: Any = {"groups": (merged[2] // width, merged[0]), "threads": WIDTH}
        sizes["work"] = work + (_READS - 1) * work_of(source)
        run = kernels.normalise_strips.prepare(stored, source, *given, **sizes)
        return _Plan(None, 0, run.run, (), moves)
    moments = plan_of_moments(source, task.channels)
    count = merged[task.axis]
    kept = source.allocate((3, task.channels.outer, count), dtype, device)
    found = kept.with_elements(kept.elements.broadcast_to((3, merged[0], count)))
    if not vectors:
        argument, axis = _as_merged(source, task.axis), known(task.axis)
        run = kernels.scale.prepare(stored, argument, found, axis, grid=grid_of(merged))
        return _Plan(moments, kept.elements.nbytes, run.run, (), moves)
    length = part_of_strip(merged[1])
    sizes = {"groups": (count // width, -(-merged[1] // length), merged[0]), "work": work}
    run = kernels.scale_strips.prepare(
        stored, source, found, known(vectors), length, threads=WIDTH, **sizes
    )
    return _Plan(moments, kept.elements.nbytes, run.run, (length,), moves)


def _is_one_launch(merged: tuple[int, ...], width: int, channels: Channels) -> bool:
    """Whether strips have whole groups, and are enough for all cores."""
    is_own = channels.outer == merged[0] and channels.group == channels.spread
    has_whole = width % channels.group == 0
    return is_own and has_whole and merged[0] * (merged[2] // width) >= 2 * default_threads()


def _as_merged(source: Any, axis: int) -> Any:
    """The source as an argument of a kernel that takes it with the axes in their own order."""
    if axis == 2:
        return source
    turned = [layout.transpose((0, 2, 1)) for layout in layouts_of_leaves(source)]
    argument, _ = placed(source, turned)
    return argument
