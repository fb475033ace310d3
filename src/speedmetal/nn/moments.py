"""Means and variances of channels, lazily, by :mod:`speedmetal.nn.kernels.moments`."""

from __future__ import annotations

from functools import partial
from typing import Any

from speedmetal.arrays.along_axes.reducing import called
from speedmetal.arrays.along_axes.sorted_axes import work_of
from speedmetal.arrays.deferred.graph import peeked
from speedmetal.arrays.deferred.planned import planned
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.strided import fresh_layout
from speedmetal.backends.device import SIMDGROUP_SIZE, BoundLaunch
from speedmetal.common.records import record

_CACHED = 32768
"""Elements of all channels in a part of columns: so many stay in a core's cache."""
_LEAST_PART, _MOST_PART = 32, 256
"""Elements of a channel in a part of columns."""
_PART_OF_ROW = 16384
"""The same in a part of rows."""
_READS = 2


@record
class Channels:
    """How the channels of a result come of those of a source ``(outer, inner, channels)``.

    Args:
        outer: Of the result: that of the source, or 1, where the outer axis is joined as well.
        group: So many channels of the source are one group.
        spread: So many channels of the result get what a group has.
    """

    outer: int
    group: int = 1
    spread: int = 1


@record(eq=False)
class _Plan:
    """Two launches.

    Args:
        first: That gives the moments of parts.
        length: The last of its values.
        joined: That joins them.
        numbers: The last of its values, but for epsilon.
        size_bytes: Of the parts.
        moves: None.
    """

    first: BoundLaunch
    length: int
    joined: BoundLaunch
    numbers: tuple[int, ...]
    size_bytes: int
    moves: tuple[tuple[int, int], ...] = ()


_plans: Kept[_Plan] = Kept(256)


def moments(
    name: str, source: Any, channels: Channels, shape: tuple[int, ...], eps: float = 0.0
) -> Any:
    """The mean, the variance and ``1 / sqrt(variance + eps)`` of each channel, or group of them.

    Args:
        name: Of the function.
        source: ``(outer, inner, channels)``, of float32 or float64, with elements.
        channels: What is joined.
        shape: In which they are given: ``(outer, channels)``, with axes of extent 1.
        eps: See above.

    Returns:
        A lazy array of the three, along its first axis, of the source's dtype.
    """
    seen = peeked(source)
    dtype = seen.layout.dtype
    run = partial(_run, seen, channels, (3, *shape), dtype.numpy.type(eps))
    return called(name, seen, run, (3, *shape), dtype, reads=_READS)


def _run(source: Any, channels: Channels, shape: tuple[int, ...], eps: Any) -> tuple[Any]:
    plan, values = planned(_plans, (channels,), source, lambda: _plan_for(source, channels, eps))
    device = source.layout.device
    elements, layout, size_bytes = fresh_layout(shape, source.layout.dtype, device)
    parts, result = device.allocate(plan.size_bytes), device.allocate(size_bytes)
    values[1] = parts.address
    plan.first([*values, plan.length])
    plan.joined([0, result.address, parts.address, eps, *plan.numbers])
    return (type(source)(result, elements, layout),)


def _plan_for(source: Any, channels: Channels, eps: Any) -> _Plan:
    from speedmetal.nn.kernels import moments as kernels  # with its first use

    outer, inner, count = source.shape
    steps = source.elements.strides
    are_rows = count == 1 or (inner > 1 and abs(steps[1]) < abs(steps[2]))
    length = _PART_OF_ROW if are_rows else min(max(_CACHED // count, _LEAST_PART), _MOST_PART)
    run = -(-inner // length)
    device, dtype = source.layout.device, source.layout.dtype
    parts = source.allocate((2, outer, run, count), dtype, device)
    grid, work = (count, run, outer), _READS * work_of(source)
    if are_rows:
        first = kernels.moments_of_rows.prepare(
            parts, source, length, groups=grid, threads=SIMDGROUP_SIZE, work=work
        )
    else:
        first = kernels.moments_of_columns.prepare(parts, source, length, grid=grid, work=work)
    seen = parts.with_elements(
        Layout.c_contiguous(dtype, (2, channels.outer, outer * run // channels.outer, count))
    )
    numbers = (length, inner - (run - 1) * length, run, channels.group, channels.spread)
    shape = (3, channels.outer, count // channels.group * channels.spread)
    target = source.allocate(shape, dtype, device)
    joined = kernels.joined_moments.prepare(target, seen, eps, *numbers, grid=shape[:0:-1])
    return _Plan(first.run, length, joined.run, numbers, parts.elements.nbytes)
