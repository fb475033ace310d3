"""Plain loops over elements of arrays with strides; conversions; reductions of eight lanes."""

from __future__ import annotations

import math
from typing import Any

from side_by_side.hard_cases import SUMMED

import speedmetal as sm

LOG2_HIGH, LOG2_LOW = 0.693359375, -2.12194440e-4  # log(2), its first bits and the rest
LARGE = 12582912.0  # 1.5 * 2^23: what is added to it loses its fraction
POWERS = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1)
"""Coefficients of exp near 0, after those of S. L. Moshier, Cephes (1989), `expf`."""


def near_zero(x: Any) -> Any:
    """exp(x) for x within log(2) / 2 of 0."""
    value = POWERS[0]
    for coefficient in POWERS[1:]:
        value = value * x + coefficient
    return (value * x + 0.5) * x * x + x + 1.0


def rest_beyond(x: Any, whole: Any) -> Any:
    """X - whole * log(2), in two steps."""
    return x - whole * LOG2_HIGH - whole * LOG2_LOW


@sm.kernel
def exponential_by_floor(x: Any, y: Any) -> None:
    i = sm.thread_position_in_grid().x
    whole = sm.floor(x[i] * (1.0 / math.log(2.0)) + 0.5)
    exponent = whole.astype(sm.int32)
    y[i] = near_zero(rest_beyond(x[i], whole)) * sm.bitcast((exponent + 127) << 23, sm.float32)


@sm.kernel
def exponential_by_constant(x: Any, y: Any) -> None:
    """The whole number is in the last bits of a sum with a large constant: nothing is converted."""
    i = sm.thread_position_in_grid().x
    shifted = x[i] * (1.0 / math.log(2.0)) + LARGE
    whole = shifted - LARGE
    exponent = sm.bitcast(shifted, sm.int32)
    y[i] = near_zero(rest_beyond(x[i], whole)) * sm.bitcast((exponent + 127) << 23, sm.float32)


@sm.kernel
def product(a: Any, b: Any, c: Any) -> None:
    position = sm.thread_position_in_grid()
    total = 0.0
    for k in range(a.shape[1]):
        total += a[position.y, k] * b[k, position.x]
    c[position.y, position.x] = total


@sm.kernel
def sum_of_matrices(a: Any, b: Any, c: Any) -> None:
    position = sm.thread_position_in_grid()
    i, j = position.y, position.x
    c[i, j] = a[i, j] + b[i, j]


@sm.kernel
def sums_of_8_by_shuffles(x: Any, sums: Any) -> None:
    i = sm.thread_position_in_grid().x
    total = sm.quad_sum(x[i])
    total += sm.simd_shuffle_xor(total, 4)
    if i % SUMMED == 0:
        sums[i // SUMMED] = total


@sm.kernel
def sums_of_8_by_width(x: Any, sums: Any) -> None:
    i = sm.thread_position_in_grid().x
    total = sm.simd_sum(x[i], width=SUMMED)
    if i % SUMMED == 0:
        sums[i // SUMMED] = total


@sm.kernel
def sums_of_8_by_threads(x: Any, sums: Any) -> None:
    """A thread for each sum: no lane knows of another."""
    i = sm.thread_position_in_grid().x
    total = 0.0
    for k in sm.static_range(SUMMED):
        total += x[i * SUMMED + k]
    sums[i] = total
