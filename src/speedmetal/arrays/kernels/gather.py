"""Reading elements at places that arrays of integers tell.

Positions are int32 or int64, and on their axes: that was checked. They count from the end where
they are negative.
"""

from __future__ import annotations

from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.copy import own_index


@sm.kernel
def gather(target: Any, source: Any, positions: Any, lead: Any) -> None:
    """Every element of the target becomes the one of the source that the positions tell.

    Args:
        target: Of the axes of the source before ``lead``, those of the positions, and the others.
        source: Has an axis for each array of positions, from ``lead`` on.
        positions: One array or several of one shape.
        lead: See above.
    """
    place = own_index(target)
    target[place] = source[chosen_place(place, positions, source.shape, lead)]


@sm.kernel
def gather_along(target: Any, source: Any, positions: Any, axis: Any) -> None:
    """Every element of the target becomes one of the source with the same other indices."""
    place = own_index(target)
    chosen = counted_from_start(positions[place], source.shape[axis])
    target[place] = source[(*place[:axis], chosen, *place[axis + 1 :])]


@sm.kernel
def note_outside(found: Any, positions: Any, extent: int) -> None:
    """Write 1 where a position is outside of an axis; the positions have one axis."""
    position = positions[sm.thread_position_in_grid().x]
    if position >= extent or position < -extent:
        sm.atomic_store(found, 0, 1)


def chosen_place(place: Any, positions: Any, shape: Any, lead: Any) -> Any:
    """The index in an array of this shape that a place among what is chosen stands for."""
    ndim = positions[0].ndim
    within = place[lead : lead + ndim]
    chosen = tuple(
        counted_from_start(positions[number][within], shape[lead + number])
        for number in range(len(positions))
    )
    return (*place[:lead], *chosen, *place[lead + ndim :])


def counted_from_start(position: Any, extent: Any) -> Any:
    """A position on an axis, as an index of 0 or more."""
    return position + extent if position < 0 else position
