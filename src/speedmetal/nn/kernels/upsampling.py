"""Images of another size: each element is a sum of a few of the image's, along each axis.

Images are ``(images, depth, rows, columns, channels)``. The threads of a grid are, along x, what
lies side by side in the result: channels, or columns; along y are parts of the other of both,
along z are rows.
"""

from __future__ import annotations

from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.copy import convert, unravel

CHANNELS, COLUMNS = "channels", "columns"


@sm.kernel
def resize(target: Any, source: Any, places: Any, factors: Any, each: int, lanes: Any) -> None:
    """Each thread computes some elements of a row of the result.

    Args:
        target: The result.
        source: The image.
        places: For each axis of space, which elements: ``(extent, taps)``, a tuple of arrays.
        factors: Their factors, of the type of the sums; without any, elements are taken as they
            are.
        each: How many elements of a thread, of columns or channels.
        lanes: Known while compiling, `CHANNELS` or `COLUMNS`.
    """
    first, part, number = sm.thread_position_in_grid()
    image, z, y = unravel(number, target.shape[:3])
    others = target.shape[3] if lanes == CHANNELS else target.shape[4]
    for second in range(part * each, min(part * each + each, others)):
        x, channel = (second, first) if lanes == CHANNELS else (first, second)
        if len(factors) == 0:
            at = (places[0][z, 0], places[1][y, 0], places[2][x, 0])
            target[image, z, y, x, channel] = convert(
                source[(image, *at, channel)], source.dtype, target.dtype
            )
        else:
            total = weighted(source, places, factors, (image, z, y, x, channel))
            target[image, z, y, x, channel] = convert(total, factors[0].dtype, target.dtype)


def weighted(source: Any, places: Any, factors: Any, index: Any) -> Any:
    """The sum of an element's taps."""
    image, z, y, x, channel = index
    total = factors[0].dtype(0)
    for k in range(places[0].shape[1]):
        plane = factors[0].dtype(0)
        for j in range(places[1].shape[1]):
            row = factors[0].dtype(0)
            for i in range(places[2].shape[1]):
                at = (image, places[0][z, k], places[1][y, j], places[2][x, i], channel)
                row += source[at].astype(factors[0].dtype) * factors[2][x, i]
            plane += row * factors[1][y, j]
        total += plane * factors[0][z, k]
    return total
