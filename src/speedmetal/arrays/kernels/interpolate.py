"""Piecewise linear interpolation: each element looks its own place up."""

from __future__ import annotations

from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.copy import own_index


@sm.kernel
def interpolate(target: Any, x: Any, places: Any, heights: Any, left: Any, right: Any) -> None:
    """The height at each x of the line through the points; beyond them the one left or right."""
    index = own_index(target)
    at = x[index]
    first, last = 0, places.shape[0] - 1
    # The last place that is not above, by halving: places[first] <= at < places[last] at the end.
    while first + 1 < last:
        middle = (first + last) // 2
        if places[middle] <= at:
            first = middle
        else:
            last = middle
    target[index] = _height(at, (places, heights), first, last)
    if at < places[0]:
        target[index] = left[0]
    if at > places[places.shape[0] - 1]:
        target[index] = right[0]


def _height(at: Any, points: Any, first: Any, last: Any) -> Any:
    """On the line between two points, counted from either where the other is infinitely far."""
    places, heights = points
    if at == places[last]:
        return heights[last]
    if at == places[first]:
        return heights[first]
    slope = (heights[last] - heights[first]) / (places[last] - places[first])
    found = slope * (at - places[first]) + heights[first]
    if sm.isnan(found):
        found = slope * (at - places[last]) + heights[last]
    if sm.isnan(found) and heights[first] == heights[last] and not sm.isnan(at):
        found = heights[first]
    return found
