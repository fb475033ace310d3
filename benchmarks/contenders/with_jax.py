"""JAX: functions of arrays under `jax.jit`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from side_by_side.cases import BINS, HEAT_RATE, MANDELBROT_ITERATIONS, RATE, SOFTENING, VOLATILITY
from side_by_side.contender import Inputs, Prepare, Ready, Table

STEPS_AT_ONCE = 25  # iterations that XLA may fuse into one pass over memory

jax.config.update("jax_default_matmul_precision", "highest")


def elementwise(a: Array, b: Array) -> Array:
    return a * a + jnp.exp(jnp.sin(b))


def mandelbrot(x: Array, y: Array) -> Array:
    x, y = jnp.broadcast_arrays(x[None, :], y[:, None])

    def step(_: int, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        count, real, imaginary = state
        real2, imaginary2 = real * real, imaginary * imaginary
        count = count + (real2 + imaginary2 <= 4)  # false for what has overflowed, too
        return count, real2 - imaginary2 + x, 2 * real * imaginary + y

    start = (jnp.zeros(x.shape, jnp.int32), jnp.zeros_like(x), jnp.zeros_like(y))
    loop = jax.lax.fori_loop(0, MANDELBROT_ITERATIONS, step, start, unroll=STEPS_AT_ONCE)
    count: Array = loop[0]
    return count


def mandelbrot_for_each(x: Array, y: Array) -> Array:
    """One `while_loop` for each pixel, as a kernel would have it; batched by `vmap`."""

    def escape(x: Array, y: Array) -> Array:
        def goes_on(state: tuple[Array, Array, Array]) -> Array:
            count, real, imaginary = state
            return (count < MANDELBROT_ITERATIONS) & (real * real + imaginary * imaginary <= 4)

        def step(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            count, real, imaginary = state
            return (
                count + 1,
                real * real - imaginary * imaginary + x,
                2 * real * imaginary + y,
            )

        start = (jnp.int32(0), jnp.float32(0), jnp.float32(0))
        count: Array = jax.lax.while_loop(goes_on, step, start)[0]
        return count

    return jax.lax.map(lambda row: jax.vmap(escape, (0, None))(x, row), y)


def nbody(x: Array, y: Array, z: Array, mass: Array) -> tuple[Array, Array, Array]:
    dx, dy, dz = (p[None, :] - p[:, None] for p in (x, y, z))
    squared = dx * dx + dy * dy + dz * dz + SOFTENING
    pull = mass * jax.lax.rsqrt(squared) / squared
    return (dx * pull).sum(1), (dy * pull).sum(1), (dz * pull).sum(1)


def stencil(u: Array) -> Array:
    around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
    return u.at[1:-1, 1:-1].add(HEAT_RATE * (around - 4 * u[1:-1, 1:-1]))


def black_scholes(spot: Array, strike: Array, years: Array) -> tuple[Array, Array]:
    spread = VOLATILITY * jnp.sqrt(years)
    d1 = (jnp.log(spot / strike) + (RATE + VOLATILITY**2 / 2) * years) / spread
    d2 = d1 - spread
    present = strike * jnp.exp(-RATE * years)
    cdf = jax.scipy.stats.norm.cdf
    call = spot * cdf(d1) - present * cdf(d2)
    return call, call + present - spot


def jit(function: Callable[..., Any]) -> Prepare:
    def prepare(inputs: Inputs) -> Ready:
        compiled = jax.jit(function)
        arrays = [jax.block_until_ready(jnp.asarray(array)) for array in inputs.values()]
        return Ready(lambda: jax.block_until_ready(compiled(*arrays)), _fetch)

    return prepare


def _fetch(result: Any) -> tuple[Any, ...]:
    results = result if isinstance(result, tuple) else (result,)
    return tuple(np.atleast_1d(np.asarray(array)) for array in results)


_BLAS = {"reference: its own GEMM": jit(jnp.matmul)}
TABLE: Table = {
    "addition": {"jit": jit(jnp.add)},
    "copy": {"jit": jit(jnp.copy)},
    "elementwise": {"jit": jit(elementwise)},
    "mandelbrot": {"jit": jit(mandelbrot), "jit, vmap of while_loop": jit(mandelbrot_for_each)},
    "nbody": {"jit": jit(nbody)},
    "stencil": {"jit": jit(stencil)},
    "black_scholes": {"jit": jit(black_scholes)},
    "histogram": {"jit, bincount": jit(lambda image: jnp.bincount(image, length=BINS))},
    "matmul_512": _BLAS,
    "matmul_1024": _BLAS,
    "reduction": {"jit": jit(jnp.sum)},
    "scan": {
        "jit, cumsum": jit(jnp.cumsum),
        "jit, associative_scan": jit(lambda x: jax.lax.associative_scan(jnp.add, x)),
    },
}
