"""Kernels with a thread for each element: nothing is shared."""

from __future__ import annotations

import math
from typing import Any

from side_by_side.cases import HEAT_RATE, MANDELBROT_ITERATIONS, RATE, VOLATILITY

import speedmetal as sm


@sm.kernel
def copy(a: Any, b: Any) -> None:
    i = sm.thread_position_in_grid().x
    b[i] = a[i]


@sm.kernel
def add(a: Any, b: Any, c: Any) -> None:
    i = sm.thread_position_in_grid().x
    c[i] = a[i] + b[i]


@sm.kernel
def elementwise(a: Any, b: Any, c: Any) -> None:
    i = sm.thread_position_in_grid().x
    c[i] = a[i] * a[i] + sm.exp(sm.sin(b[i]))


@sm.kernel
def mandelbrot(x: Any, y: Any, counts: Any) -> None:
    position = sm.thread_position_in_grid()
    start_real, start_imaginary = x[position.x], y[position.y]
    real, imaginary, count = 0.0, 0.0, 0
    while count < MANDELBROT_ITERATIONS and real * real + imaginary * imaginary <= 4.0:
        real, imaginary = (
            real * real - imaginary * imaginary + start_real,
            2.0 * real * imaginary + start_imaginary,
        )
        count += 1
    counts[position.y, position.x] = count


@sm.kernel
def stencil(u: Any, v: Any) -> None:
    position = sm.thread_position_in_grid()
    i, j = position.y, position.x
    value = u[i, j]
    if i > 0 and j > 0 and i < u.shape[0] - 1 and j < u.shape[1] - 1:
        around = u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1]
        value += HEAT_RATE * (around - 4.0 * u[i, j])
    v[i, j] = value


def normal_distribution(x: Any) -> Any:
    """The share of a standard normal distribution that is below x."""
    return 0.5 + 0.5 * sm.erf(x * math.sqrt(0.5))


@sm.kernel
def black_scholes(spot: Any, strike: Any, years: Any, call: Any, put: Any) -> None:
    i = sm.thread_position_in_grid().x
    spread = VOLATILITY * sm.sqrt(years[i])
    d1 = (sm.log(spot[i] / strike[i]) + (RATE + VOLATILITY**2 / 2) * years[i]) / spread
    d2 = d1 - spread
    present = strike[i] * sm.exp(-RATE * years[i])
    price = spot[i] * normal_distribution(d1) - present * normal_distribution(d2)
    call[i] = price
    put[i] = price + present - spot[i]
