"""Rotary position embedding: pairs of features, turned by angles that positions tell.

The place of a pair is the index of its row, then the number of the pair. What gives the cosine and
the sine of its angle is a function of that, and of the dtype to compute in: its other arguments are
given with it, so that there is one kernel for all.
"""

from __future__ import annotations

import math
from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.copy import convert, unravel


@sm.kernel
def turn_pairs(target: Any, x: Any, turn: Any, is_traditional: Any, each: int) -> None:
    """Turn pairs of features: their numbers are along x, rows along y, parts of the tables along z.

    Args:
        target: (..., length, size): tables of (length, size), as x is.
        x: Of float32 or float64.
        turn: ``(place, dtype)``: the cosine and the sine of the angle.
        is_traditional: Whether neighbours are a pair; else the features of both halves are.
        each: How many tables a part has, whose angles are those of its first one.
    """
    pair, row, part = sm.thread_position_in_grid()
    shape = x.shape[:-2]
    first = (*unravel(part * each, shape), row)
    cosine, sine = turn((*first, pair), x.dtype)
    one, other = (2 * pair, 2 * pair + 1) if is_traditional else (pair, pair + x.shape[-1] // 2)
    for table in range(part * each, min(part * each + each, math.prod(shape))):
        before = (*unravel(table, shape), row)
        a, b = x[(*before, one)], x[(*before, other)]
        target[(*before, one)] = convert(a * cosine - b * sine, x.dtype, target.dtype)
        target[(*before, other)] = convert(b * cosine + a * sine, x.dtype, target.dtype)


def given(cosine: Any, sine: Any, place: Any, _dtype: Any) -> Any:
    """Those of tables, of the shape of the pairs."""
    return cosine[place], sine[place]


def in_order(offset: Any, slope: Any, place: Any, dtype: Any) -> Any:
    """Those of the position ``offset`` in the first row, and the next ones in the others."""
    return of_position(dtype(offset + place[-2]), slope, place, dtype)


def at_positions(positions: Any, slope: Any, place: Any, dtype: Any) -> Any:
    """Those of the positions of the rows."""
    return of_position(dtype(positions[place[:-1]]), slope, place, dtype)


def of_position(position: Any, slope: Any, place: Any, dtype: Any) -> Any:
    """Cosine and sine of ``position * 2**(slope * pair)``."""
    angle = position * sm.exp2(slope * dtype(place[-1]))
    sine, cosine = sm.sincos(angle)
    return cosine, sine
