"""What is done to matrices around the routines of a library."""

from __future__ import annotations

from typing import Any

import speedmetal as sm


@sm.kernel
def keep_triangle(x: Any, upper: Any) -> None:
    """Write zeros above the diagonal, or below it; a thread for each element, columns along x.

    Args:
        x: ``(stack, rows, columns)``.
        upper: Whether the upper triangle is kept; known when it is compiled.
    """
    column, row, place = sm.thread_position_in_grid()
    is_outside = column < row if upper else column > row
    if is_outside:
        x[place, row, column] = 0


@sm.kernel
def write_identity(x: Any) -> None:
    """Write ones on the diagonal, and zeros; a thread for each element, columns along x.

    Args:
        x: ``(stack, rows, columns)``.
    """
    column, row, place = sm.thread_position_in_grid()
    x[place, row, column] = x.dtype(1) if column == row else x.dtype(0)


@sm.kernel
def write_addresses(places: Any, first: Any, step: Any) -> None:
    """Write the addresses of matrices that lie one after the other; a thread for each.

    Args:
        places: ``(stack,)``, uint64.
        first: Of the first one, uint64.
        step: To the next one, in bytes, uint64.
    """
    place = sm.thread_position_in_grid().x
    places[place] = first + sm.uint64(place) * step
