"""Images that one kernel computes from an image, lazily: its arguments, its grid and its plans."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

from speedmetal.arrays.along_axes.reducing import called
from speedmetal.arrays.along_axes.sorted_axes import layouts_of_leaves, placed, work_of_follower
from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import full
from speedmetal.arrays.deferred.following import (
    Follower,
    count_values,
    followed,
    follower_layouts,
    result_layouts,
    takes_any,
)
from speedmetal.arrays.deferred.planned import planned
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.placement import Moves
from speedmetal.backends.device import BoundLaunch
from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.launch.kernel import Kernel
from speedmetal.nn.windows import Extents, five_axes

EACH = 16
"""Elements of a thread: it finds out once which row of the result it computes."""


@record
class Made:
    """An image that is made of another one.

    Args:
        shape: Its shape.
        dtype: Its elements'.
        layout: Of both.
    """

    shape: Extents
    dtype: DType
    layout: str


@record(eq=False)
class Placed:
    """A kernel's first arguments, with five axes: the batch, three of space, the channels.

    Args:
        target: What it writes to.
        source: The image, or the expression that it is.
        size: Elements of the result.
        lanes_are_channels: Whether channels lie beside each other, and so do threads along x; else
            those are columns.
    """

    target: Any
    source: Any
    size: int
    lanes_are_channels: bool


@record(eq=False)
class Prepared:
    """The rest of a launch.

    Args:
        kernel: It takes a target, a source, and what follows.
        arguments: The others.
        expressions: About how many it computes, but for what follows the result.
        numbers: The values of the other arguments.
        kept: What has addresses among them, and must stay alive.
    """

    kernel: Kernel
    arguments: tuple[Any, ...]
    expressions: int
    numbers: tuple[Any, ...]
    kept: tuple[Any, ...] = ()


@record(eq=False)
class _Plan:
    """A launch.

    Args:
        run: Launches the kernel.
        numbers: The last of its values.
        kept: As in :class:`Prepared`.
        moves: As in :class:`speedmetal.arrays.deferred.computing._Plan`.
    """

    run: BoundLaunch
    numbers: tuple[Any, ...]
    kept: tuple[Any, ...]
    moves: Moves


_plans: Kept[_Plan] = Kept(1024)

Prepare = Callable[[Placed], Prepared]


def image_of(name: str, x: Any, made: Made, how: Hashable, prepare: Prepare, reads: int) -> Array:
    """An image that a kernel makes of another one.

    Args:
        name: Of the function.
        x: The other one.
        made: The image.
        how: All that the launch depends on besides both.
        prepare: Tells the launch, once for the same ones.
        reads: How often an element of ``x`` is read, about.

    Returns:
        A lazy array; without elements, none is.
    """
    if 0 in made.shape:
        return full(made.shape, 0, made.dtype, x.device)
    run = partial(_run, x, made, how, prepare)
    found: Array = called(name, x, run, made.shape, made.dtype, reads=reads, takes=takes_any)
    return found


def _run(
    x: Any, made: Made, how: Hashable, prepare: Prepare, follower: Follower | None = None
) -> tuple[Any]:
    plan, values = planned(
        _plans, (made, how), x, lambda: _plan_for(x, made, prepare, follower), follower
    )
    device = x.layout.device
    elements, layout, size_bytes = result_layouts(follower, made.shape, made.dtype, device)
    result = device.allocate(size_bytes)
    values[1] = result.address
    plan.run([*values, *plan.numbers])
    return (type(x)(result, elements, layout),)


def _plan_for(x: Any, made: Made, prepare: Prepare, follower: Follower | None) -> _Plan:
    device = x.layout.device
    result, _, _ = result_layouts(follower, made.shape, made.dtype, device)
    whole = x.allocate(made.shape, result.dtype, device)
    place, *followers = (
        five_axes(layout, made.layout)
        for layout in (whole.elements, *follower_layouts(follower, made.shape))
    )
    target, moves = followed(follower, whole.with_elements(place), followers)
    leaves = [five_axes(layout, made.layout) for layout in layouts_of_leaves(x)]
    source, more = placed(x, leaves, 2 + count_values(follower))
    images, depth, rows, columns, channels = place.shape
    is_last = made.layout == "channels_last"
    first, second = (channels, columns) if is_last else (columns, channels)
    launch = prepare(Placed(target, source, place.size, is_last))
    run = launch.kernel.prepare(
        target,
        source,
        *launch.arguments,
        grid=(first, -(-second // EACH), images * depth * rows),
        work=launch.expressions + work_of_follower(follower),
    ).run
    return _Plan(run, launch.numbers, launch.kept, moves + more)
