"""Pooling: what is under each window becomes one number.

Images are ``(images, depth, rows, columns, channels)``. The threads of a grid are, along x, what
lies side by side in the result: channels, or columns; ``lanes`` tells which. Along y are parts of
the other of both, along z are rows.

A window along an axis is a function of its number, the image's extent and some numbers; it gives
the first element and the one behind the last, which may be beyond the image.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import speedmetal as sm
from speedmetal.arrays.kernels.copy import convert, unravel
from speedmetal.arrays.kernels.reduce import lowest

CHANNELS, COLUMNS = "channels", "columns"


class Pooling(NamedTuple):
    """What is done with the elements under a window.

    Args:
        start: ``(dtype)``: what to begin with.
        combine: ``(total, element)``.
        finish: ``(total, count)``: the result, of the number that the window counts.
    """

    start: Any
    combine: Any
    finish: Any


def _zero(dtype: Any) -> Any:
    return dtype(0)


def _greatest(total: Any, element: Any) -> Any:
    return max(total, element)


def _add(total: Any, element: Any) -> Any:
    return total + element


def _as_it_is(total: Any, _count: Any) -> Any:
    return total


def _mean(total: Any, count: Any) -> Any:
    return total / count.astype(total.dtype)


MAXIMUM = Pooling(lowest, _greatest, _as_it_is)
MEAN = Pooling(_zero, _add, _mean)


class Steps(NamedTuple):
    """Windows of one size, at equal distances.

    Args:
        size: Elements of a window.
        stride: From one to the next.
        dilation: From element to element.
        before: Of the border in front of the image.
        after: Of that behind it.
    """

    size: int
    stride: int
    dilation: int
    before: int
    after: int


def stepping(number: Any, extent: Any, steps: Any) -> Any:
    """A window of equal ones: where it begins, how many steps it has, and how many it counts.

    It counts what is in the image or in its border.
    """
    start = number * steps.stride - steps.before
    # A mean's elements have no gaps: these are the ones that are counted.
    return start, steps.size, min(steps.size, extent + steps.after - start)


def sharing(number: Any, extent: Any, steps: Any) -> Any:
    """A window of those that share an image out: they overlap where it cannot be divided.

    ``floor(number * extent / windows)`` to ``ceil((number + 1) * extent / windows)``, as PyTorch
    has it.
    """
    start = number * extent // steps.size
    count = sm.cdiv((number + 1) * extent, steps.size) - start
    return start, count, count


@sm.kernel
def pool(
    target: Any,
    source: Any,
    pooling: Any,
    window: Any,
    steps: Any,
    each: int,
    lanes: Any,
    counts_border: Any,
    is_whole: Any,
) -> None:
    """Each thread computes some elements of a row of the result.

    Args:
        target: The result.
        source: The image; its dtype is that of the sums.
        pooling: A :class:`Pooling`.
        window: :func:`stepping` or :func:`sharing`.
        steps: A :class:`Steps` for each axis of space.
        each: How many elements of a thread, of columns or channels.
        lanes: Known while compiling, `CHANNELS` or `COLUMNS`.
        counts_border: The same: whether elements of the border count.
        is_whole: The same: whether no window reaches beyond the image, or has gaps. Where it is
            known, as much time is saved as two vectors of elements take.
    """
    first, part, number = sm.thread_position_in_grid()
    image, z, y = unravel(number, target.shape[:3])
    start_z, last_z, count_z = window(z, source.shape[1], steps[0])
    start_y, last_y, count_y = window(y, source.shape[2], steps[1])
    first_z, first_y = 0, 0
    if not is_whole:
        first_z, last_z = inside(start_z, last_z, steps[0], source.shape[1])
        first_y, last_y = inside(start_y, last_y, steps[1], source.shape[2])
    others = target.shape[3] if lanes == CHANNELS else target.shape[4]
    for second in range(part * each, min(part * each + each, others)):
        x, channel = (second, first) if lanes == CHANNELS else (first, second)
        start_x, last_x, count_x = window(x, source.shape[3], steps[2])
        first_x = 0
        if not is_whole:
            first_x, last_x = inside(start_x, last_x, steps[2], source.shape[3])
        total = pooling.start(source.dtype)
        for k in range(first_z, last_z):
            for j in range(first_y, last_y):
                for i in range(first_x, last_x):
                    at = (
                        start_z + k * (1 if is_whole else steps[0].dilation),
                        start_y + j * (1 if is_whole else steps[1].dilation),
                        start_x + i * (1 if is_whole else steps[2].dilation),
                    )
                    total = pooling.combine(total, source[(image, *at, channel)])
        if counts_border or is_whole:
            count = count_z * count_y * count_x
        else:
            count = (last_z - first_z) * (last_y - first_y) * (last_x - first_x)
        value = convert(pooling.finish(total, count), source.dtype, target.dtype)
        target[image, z, y, x, channel] = value


def inside(start: Any, size: Any, steps: Any, extent: Any) -> Any:
    """Which elements of a window are in the image: from one to before another."""
    first = min(max(0, sm.cdiv(-start, steps.dilation)), size)
    return first, max(min(size, sm.cdiv(extent - start, steps.dilation)), first)
