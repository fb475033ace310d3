"""MLX on the CPU: its operations, and the same through `mx.compile`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
from side_by_side.cases import BINS, HEAT_RATE, MANDELBROT_ITERATIONS, RATE, SOFTENING, VOLATILITY
from side_by_side.contender import Inputs, Prepare, Ready, Table

STEPS_AT_ONCE = 10  # what its compiler fuses into one pass over memory has a limit

mx.set_default_device(mx.cpu)


def elementwise(a: mx.array, b: mx.array) -> mx.array:
    return a * a + mx.exp(mx.sin(b))


def orbit_steps(
    count: mx.array, real: mx.array, imaginary: mx.array, x: mx.array, y: mx.array
) -> tuple[mx.array, mx.array, mx.array]:
    for _ in range(STEPS_AT_ONCE):
        real2, imaginary2 = real * real, imaginary * imaginary
        count = count + (real2 + imaginary2 <= 4)  # false for what has overflowed, too
        imaginary = 2 * real * imaginary + y
        real = real2 - imaginary2 + x
    return count, real, imaginary


def _mandelbrot(steps: Callable[..., Any]) -> Callable[[mx.array, mx.array], mx.array]:
    def run(x: mx.array, y: mx.array) -> mx.array:
        shape = (y.size, x.size)
        x = mx.contiguous(mx.broadcast_to(x[None, :], shape))
        y = mx.contiguous(mx.broadcast_to(y[:, None], shape))
        state = (mx.zeros(shape, mx.int32), mx.zeros(shape), mx.zeros(shape))
        for _ in range(MANDELBROT_ITERATIONS // STEPS_AT_ONCE):
            state = steps(*state, x, y)
            mx.eval(*state)  # or the whole graph is kept until its end
        return state[0]

    return run


def nbody(
    x: mx.array, y: mx.array, z: mx.array, mass: mx.array
) -> tuple[mx.array, mx.array, mx.array]:
    dx, dy, dz = (p[None, :] - p[:, None] for p in (x, y, z))
    squared = dx * dx + dy * dy + dz * dz + SOFTENING
    pull = mass * mx.rsqrt(squared) / squared
    return (dx * pull).sum(1), (dy * pull).sum(1), (dz * pull).sum(1)


def stencil(u: mx.array) -> mx.array:
    around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
    return u.at[1:-1, 1:-1].add(HEAT_RATE * (around - 4 * u[1:-1, 1:-1]))


def normal_distribution(x: mx.array) -> mx.array:
    return 0.5 + 0.5 * mx.erf(x * math.sqrt(0.5))


def black_scholes(spot: mx.array, strike: mx.array, years: mx.array) -> tuple[mx.array, mx.array]:
    spread = VOLATILITY * mx.sqrt(years)
    d1 = (mx.log(spot / strike) + (RATE + VOLATILITY**2 / 2) * years) / spread
    d2 = d1 - spread
    present = strike * mx.exp(-RATE * years)
    call = spot * normal_distribution(d1) - present * normal_distribution(d2)
    return call, call + present - spot


def histogram(image: mx.array) -> mx.array:
    return mx.zeros(BINS, mx.int32).at[image].add(mx.array(1, mx.int32))


def fetch(result: Any) -> tuple[Any, ...]:
    results = result if isinstance(result, (tuple, list)) else (result,)
    return tuple(np.atleast_1d(np.array(array)) for array in results)


def eager(function: Callable[..., Any]) -> Prepare:
    def prepare(inputs: Inputs) -> Ready:
        arrays = [mx.array(array) for array in inputs.values()]
        mx.eval(*arrays)

        def run() -> Any:
            result = function(*arrays)
            mx.eval(result)
            return result

        return Ready(run, fetch)

    return prepare


def _both(function: Callable[..., Any]) -> dict[str, Prepare | str]:
    return {"eager": eager(function), "compile": eager(mx.compile(function))}


_BLAS = {"reference: BLAS": eager(mx.matmul)}
TABLE: Table = {
    "addition": _both(mx.add),
    "copy": {"": eager(lambda a: mx.depends(a, []) + 0)},
    "elementwise": _both(elementwise),
    "mandelbrot": {
        "eager": "not timed: 1600 passes over memory, about two seconds a call",
        "compile": eager(_mandelbrot(mx.compile(orbit_steps))),
    },
    "nbody": _both(nbody),
    "stencil": _both(stencil),
    "black_scholes": _both(black_scholes),
    "histogram": {"scatter-add": eager(histogram)},
    "matmul_512": _BLAS,
    "matmul_1024": _BLAS,
    "reduction": {"sum": eager(mx.sum)},
    "scan": {"cumsum": eager(mx.cumsum)},
}
