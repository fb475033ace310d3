"""Means and variances of channels, lazily, by :mod:`speedmetal.arrays.kernels.moments`."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from speedmetal.arrays.along_axes.normalising import KEPT_BY_THREAD
from speedmetal.arrays.along_axes.reducing import called
from speedmetal.arrays.along_axes.sorted_axes import (
    known,
    layouts_of_leaves,
    placed,
    work_of,
)
from speedmetal.arrays.along_axes.teams import (
    Team,
    elements_at_once,
    part_of_gpu,
    team_of_row,
    team_of_rows,
    threads_of,
    width_of,
)
from speedmetal.arrays.deferred.graph import peeked
from speedmetal.arrays.deferred.planned import planned
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.strided import fresh_layout
from speedmetal.backends.cpu.identity import has_avx512
from speedmetal.backends.device import SIMDGROUP_SIZE, BoundLaunch, Device
from speedmetal.common.records import record

_CACHED = 32768
"""Elements of all channels in a part of columns: so many stay in a core's cache."""
_LEAST_PART, _MOST_PART = 32, 256
"""Elements of a channel in a part of columns."""
_PART_OF_ROW = 16384
"""The same in a part of rows."""
_PARTS_OF_STRIP = 64
_MOST_CHUNKS = 16
"""Of a part of a strip."""
_MOST_VECTORS = 4
"""Of a strip: more do not stay in registers with all that is added up of them."""
_READS = 2
_KEPT_OF_COLUMN = 16
"""Elements of a column that a GPU's thread keeps at once."""
_PART_OF_COLUMN = 1024
"""Those of a part on a GPU, at most."""
_KEPT_OF_ROW = 4096
"""Elements of a row that a threadgroup's threads keep at once."""
_TEAMS = 4096
"""As many keep a large GPU's memory busy: longer parts are fewer to join."""
_MANY_COLUMNS = 8192
"""The parts of so many columns are joined by a thread each."""


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
class PlanOfMoments:
    """The launches: two, or one.

    Args:
        first: That gives the moments of parts.
        length: The last of its values.
        joined: That joins them; None: rows have one part, whose moments the first one finishes.
        numbers: The last of its values, but for epsilon.
        size_bytes: Of the parts.
        moves: None.
    """

    first: BoundLaunch
    length: int
    joined: BoundLaunch | None
    numbers: tuple[int, ...]
    size_bytes: int
    moves: tuple[tuple[int, int], ...] = ()

    def run(self, values: list[Any], result: int, eps: Any, device: Device) -> None:
        """Launch them.

        Args:
            values: Of the source.
            result: The address of the three moments of all channels.
            eps: Added to the variance whose root is taken.
            device: Of all.
        """
        if self.joined is None:
            self.first([0, result, *values, eps, self.length])
            return
        parts = device.allocate(self.size_bytes)
        self.first([0, parts.address, *values, self.length])
        self.joined([0, result, parts.address, eps, *self.numbers])


_plans: Kept[PlanOfMoments] = Kept(256)


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
    plan, values = planned(_plans, (channels,), source, lambda: plan_of_moments(source, channels))
    device = source.layout.device
    elements, layout, size_bytes = fresh_layout(shape, source.layout.dtype, device)
    result = device.allocate(size_bytes)
    plan.run(values[2:], result.address, eps, device)
    return (type(source)(result, elements, layout),)


def plan_of_moments(source: Any, channels: Channels) -> PlanOfMoments:
    """Two launches for sources of a layout; see :func:`moments`.

    Args:
        source: An array whose leaves are in memory, or an expression of such ones.
        channels: What is joined.
    """
    from speedmetal.arrays.kernels import moments as kernels  # with its first use

    outer, inner, count = source.shape
    steps = source.elements.strides
    are_rows = count == 1 or (inner > 1 and abs(steps[1]) < abs(steps[2]))
    device, dtype = source.layout.device, source.layout.dtype
    if device.kind != "cpu":
        return (_plan_of_kept_rows if are_rows else _plan_of_kept_columns)(source, channels)
    vectors = 0 if are_rows else vectors_of_strip(source)
    length = _PART_OF_ROW if are_rows else part_of_strip(inner) if vectors else _part(count)
    run = -(-inner // length)
    parts = source.allocate((3, outer, run, count), dtype, device)
    grid, work = (count, run, outer), _READS * work_of(source)
    if are_rows:
        first = kernels.moments_of_rows.prepare(
            parts, source, length, groups=grid, threads=SIMDGROUP_SIZE, work=work
        )
    elif vectors:
        groups = (count // (kernels.WIDTH * vectors), run, outer)
        first = kernels.moments_of_strips.prepare(
            parts, source, known(vectors), length, groups=groups, threads=kernels.WIDTH, work=work
        )
    else:
        first = kernels.moments_of_columns.prepare(parts, source, length, grid=grid, work=work)
    return _with_joined(first.run, source, parts, channels, length)


def _with_joined(
    first: BoundLaunch, source: Any, parts: Any, channels: Channels, length: int
) -> PlanOfMoments:
    """What gives the moments of parts of a length, and what joins them."""
    from speedmetal.arrays.kernels.moments import joined_moments  # as above

    device, dtype = source.layout.device, source.layout.dtype
    _, outer, run, count = parts.shape
    seen = parts.with_elements(
        Layout.c_contiguous(dtype, (3, channels.outer, outer * run // channels.outer, count))
    )
    last = source.shape[1] - (run - 1) * length
    numbers = (length, last, run, channels.group, channels.spread)
    shape = (3, channels.outer, count // channels.group * channels.spread)
    target = source.allocate(shape, dtype, device)
    eps = dtype.numpy.type(0)
    results = shape[1] * shape[2]
    if device.kind == "cpu" or (channels.group == 1 and results >= _MANY_COLUMNS):
        sizes: dict[str, Any] = {"grid": shape[:0:-1]}
        team = None
    else:
        found = team_of_rows(results, seen.shape[2] * channels.group, 1)
        sizes = {"groups": results, "threads": SIMDGROUP_SIZE * found.simdgroups}
        team = Team(found.simdgroups, 1, 1).known()
    members = known(math.gcd(channels.group, SIMDGROUP_SIZE))
    joined = joined_moments.prepare(target, seen, eps, team, members, *numbers, **sizes)
    return PlanOfMoments(first, length, joined.run, numbers, parts.elements.nbytes)


def _plan_of_kept_columns(source: Any, channels: Channels) -> PlanOfMoments:
    """The launches for columns on a GPU."""
    from speedmetal.arrays.kernels.moments import moments_of_kept_columns  # as above

    outer, inner, count = source.shape
    most = part_of_gpu(source.elements.size, _PART_OF_COLUMN, 1)
    length = min(max(most, _KEPT_OF_COLUMN), inner)
    run = -(-inner // length)
    parts = source.allocate((3, outer, run, count), source.layout.dtype, source.layout.device)
    first = moments_of_kept_columns.prepare(
        *(parts, source, known(_KEPT_OF_COLUMN), length),
        grid=(count, run, outer),
        work=work_of(source),
    )
    return _with_joined(first.run, source, parts, channels, length)


def _plan_of_kept_rows(source: Any, channels: Channels) -> PlanOfMoments:
    """The same for rows: one launch where each is the part of one team."""
    from speedmetal.arrays.kernels.moments import moments_of_kept_rows  # as above

    outer, inner, count = source.shape
    device, dtype = source.layout.device, source.layout.dtype
    share = source.elements.size // _TEAMS // _KEPT_OF_ROW * _KEPT_OF_ROW
    length = min(max(share, _KEPT_OF_ROW), inner)
    run = -(-inner // length)
    is_whole = run == 1 and channels == Channels(outer)
    shape = (3, outer, count) if is_whole else (3, outer, run, count)
    parts = source.allocate(shape, dtype, device)
    rows = source.elements.transpose((0, 2, 1))
    # Of long rows two turns, or more: smaller threadgroups wait less for each other.
    at_once = min(length if length < _KEPT_OF_ROW // 2 else length // 2, _KEPT_OF_ROW)
    width = width_of(rows, math.gcd(length, inner))
    team = team_of_row(at_once, width, KEPT_BY_THREAD)
    vectors = known(-(-at_once // elements_at_once(team)))
    eps = dtype.numpy.type(0) if is_whole else None
    turned = [layout.transpose((0, 2, 1)) for layout in layouts_of_leaves(source)]
    argument, _ = placed(source, turned)  # elements of rows along the last axis
    first = moments_of_kept_rows.prepare(
        *(parts, argument, team.known(), vectors, eps, length),
        groups=-(-outer * run * count // team.together),
        threads=threads_of(team),
        work=work_of(source),
    )
    if is_whole:
        return PlanOfMoments(first.run, length, None, (), 0)
    return _with_joined(first.run, source, parts, channels, length)


def _part(count: int) -> int:
    return min(max(_CACHED // count, _LEAST_PART), _MOST_PART)


def part_of_strip(inner: int) -> int:
    """The rows of a part of a strip: chunks of them, and enough parts for all cores."""
    from speedmetal.arrays.kernels.moments import CHUNK  # as above

    return min(max(inner // _PARTS_OF_STRIP // CHUNK, 1), _MOST_CHUNKS) * CHUNK


def vectors_of_strip(source: Any) -> int:
    """How many vectors of channels, side by side, a threadgroup takes at once; 0: none.

    A vector alone waits for each addition to end before the next one.
    """
    from speedmetal.arrays.kernels.moments import WIDTH  # as above

    layout = source.elements
    if source.layout.device.kind != "cpu" or abs(layout.strides[-1]) != layout.itemsize:
        return 0
    most = _MOST_VECTORS if has_avx512() else _MOST_VECTORS // 2
    fitting = (n for n in range(most, 1, -1) if layout.shape[-1] % (n * WIDTH) == 0)
    return next(fitting, 0)
