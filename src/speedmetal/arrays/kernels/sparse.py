"""Products of a sparse matrix, stored by rows, with dense vectors and matrices.

The matrix is ``data``, ``indices`` and ``starts``: the elements of row ``r`` are
``data[starts[r]:starts[r + 1]]``, in the columns ``indices[starts[r]:starts[r + 1]]``. Both are on
their axes: that was checked. Sums are of the target's dtype.
"""

from __future__ import annotations

from typing import Any

import speedmetal as sm

LANES = 32  # of a simdgroup


@sm.kernel
def multiply_short_rows(target: Any, data: Any, indices: Any, starts: Any, x: Any) -> None:
    """target[row] = the sum of the row's elements times those of ``x``: a thread takes a row."""
    row = sm.thread_position_in_grid().x
    total = target.dtype(0)
    for place in range(starts[row], starts[row + 1]):
        total += data[place] * x[indices[place]]
    target[row] = total


@sm.kernel
def multiply_long_rows(target: Any, data: Any, indices: Any, starts: Any, x: Any) -> None:
    """As :func:`multiply_short_rows`, but a simdgroup takes a row, its lanes elements in turn."""
    row = sm.thread_position_in_grid().x // LANES
    lane = sm.thread_index_in_simdgroup()
    total = target.dtype(0)
    for place in range(starts[row] + lane, starts[row + 1], LANES):
        total += data[place] * x[indices[place]]
    total = sm.simd_sum(total)
    if lane == 0:
        target[row] = total


@sm.kernel
def multiply_columns(target: Any, data: Any, indices: Any, starts: Any, x: Any) -> None:
    """target[row, column] likewise: a thread for each, so that neighbours read neighbours of x."""
    column, row, _ = sm.thread_position_in_grid()
    total = target.dtype(0)
    for place in range(starts[row], starts[row + 1]):
        total += data[place] * x[indices[place], column]
    target[row, column] = total
