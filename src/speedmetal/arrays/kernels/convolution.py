"""Sums over neighbours."""

from __future__ import annotations

from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.copy import convert


@sm.kernel
def convolve(target: Any, longer: Any, shorter: Any, first: Any) -> None:
    """The sums from the first one on of products of elements whose positions have one sum."""
    i = sm.thread_position_in_grid().x
    position = i + first
    start = 0 if position < longer.shape[0] else position - longer.shape[0] + 1
    total = longer.dtype(0)
    for j in range(start, min(position + 1, shorter.shape[0])):
        total += longer[position - j] * shorter[j]
    target[i] = convert(total, longer.dtype, target.dtype)
