"""Reading elements at places that arrays of integers tell.

Positions are int32 or int64, and on their axes: that was checked, or :func:`place_on_axis` did it.
They count from the end where they are negative.
"""

from __future__ import annotations

from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.copy import own_index


@sm.kernel
def gather(target: Any, source: Any, positions: Any, lead: Any, width: Any, turns: Any) -> None:
    """Every element of the target becomes the one of the source that the positions tell.

    Args:
        target: Of the axes of the source before ``lead``, those of the positions, and the others.
        source: Has an axis for each array of positions, from ``lead`` on.
        positions: One array or several of one shape.
        lead: See above.
        width: So many elements along the last axis a thread takes side by side, and as many so
            often as ``turns`` tell; there is a multiple of all of them, and the grid is as much
            shorter. More than one only where positions tell nothing of that axis.
        turns: See above.
    """
    place = own_index(target)
    if width == 1:
        target[place] = source[chosen_place(place, positions, source.shape, lead)]
    else:
        chosen = chosen_place(place, positions, source.shape, lead)
        columns = sm.threads_per_grid().x
        elements = sm.thread_array(width * turns, source.dtype)
        for turn in sm.static_range(turns):
            first = (place[-1] + turn * columns) * width
            for k in sm.static_range(width):
                elements[turn * width + k] = source[(*chosen[:-1], first + k)]
        for turn in sm.static_range(turns):
            first = (place[-1] + turn * columns) * width
            for k in sm.static_range(width):
                target[(*place[:-1], first + k)] = elements[turn * width + k]


@sm.kernel
def gather_along(target: Any, source: Any, positions: Any, axis: Any) -> None:
    """Every element of the target becomes one of the source with the same other indices."""
    place = own_index(target)
    chosen = counted_from_start(positions[place], source.shape[axis])
    target[place] = source[(*place[:axis], chosen, *place[axis + 1 :])]


@sm.kernel
def place_on_axis(
    places: Any, positions: Any, words: Any, least: int, extent: int, word: int, instead: int
) -> None:
    """Write where positions are on an axis, counted from its start, and tell of those outside.

    Args:
        places: Of the positions' shape.
        positions: Of any integers.
        words: Of :class:`speedmetal.arrays.indices.late_checks.Reports`.
        least: The least position that is not outside.
        extent: Of the axis.
        word: Becomes a position outside; and word 0 becomes 1.
        instead: What is written for a position outside.
    """
    where = own_index(places)
    chosen = told_place(positions[where], words, least, extent, word)
    places[where] = chosen if chosen >= 0 else instead


@sm.kernel
def gather_told(
    target: Any, source: Any, positions: Any, words: Any, least: int, word: int, lead: Any
) -> None:
    """As :func:`gather` with one array of positions, some perhaps outside; see `place_on_axis`.

    An element whose position is outside becomes the one at 0.
    """
    place = own_index(target)
    ndim = positions.ndim
    chosen = told_place(
        positions[place[lead : lead + ndim]], words, least, source.shape[lead], word
    )
    target[place] = source[(*place[:lead], max(chosen, 0), *place[lead + ndim :])]


def told_place(position: Any, words: Any, least: Any, extent: Any, word: Any) -> Any:
    """A position on an axis, counted from its start; -1 where it is outside, which is told."""
    wide = sm.int64(position)  # beyond int64 it is negative
    chosen = counted_from_start(wide, extent)
    if wide >= extent or wide < least:
        words[word] = wide
        words[0] = 1
        chosen = sm.int64(-1)
    return chosen


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


def is_on(places: Any, shape: Any, first: Any) -> Any:
    """Whether places, none of them negative, are on the axes of a shape from the first one on."""
    found = True
    for number in range(len(places)):
        found = found and places[number] < shape[first + number]
    return found
