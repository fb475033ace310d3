"""Numba: loops over `prange` with fast-math, as its documentation advises for speed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import get_num_threads, njit, prange
from numpy.typing import NDArray
from side_by_side.cases import BINS, HEAT_RATE, MANDELBROT_ITERATIONS, RATE, SOFTENING, VOLATILITY
from side_by_side.contender import Inputs, Ready, Table, in_place

Array = NDArray[Any]
parallel = njit(parallel=True, fastmath=True)
TILE = 32
CHUNKS = 16  # of which each thread takes some: counts and partial sums are kept for each


@parallel
def elementwise(a: Array, b: Array, c: Array) -> None:
    for i in prange(a.size):
        c[i] = a[i] * a[i] + math.exp(math.sin(b[i]))


def add(a: Array, b: Array, c: Array) -> None:
    for i in prange(a.size):
        c[i] = a[i] + b[i]


@parallel
def copy(a: Array, c: Array) -> None:
    for i in prange(a.size):
        c[i] = a[i]


@parallel
def mandelbrot(x: Array, y: Array, counts: Array) -> None:
    for row in prange(y.size):
        for column in range(x.size):
            real = imaginary = np.float32(0)
            count = 0
            while count < MANDELBROT_ITERATIONS:
                real2 = real * real
                imaginary2 = imaginary * imaginary
                if real2 + imaginary2 > np.float32(4):
                    break
                imaginary = np.float32(2) * real * imaginary + y[row]
                real = real2 - imaginary2 + x[column]
                count += 1
            counts[row, column] = count


@parallel
def nbody(x: Array, y: Array, z: Array, mass: Array, ax: Array, ay: Array, az: Array) -> None:
    for i in prange(x.size):
        px = py = pz = np.float32(0)
        for j in range(x.size):
            dx, dy, dz = x[j] - x[i], y[j] - y[i], z[j] - z[i]
            inverse = np.float32(1) / math.sqrt(dx * dx + dy * dy + dz * dz + np.float32(SOFTENING))
            pull = mass[j] * inverse * inverse * inverse
            px += dx * pull
            py += dy * pull
            pz += dz * pull
        ax[i], ay[i], az[i] = px, py, pz


@parallel
def stencil(u: Array, v: Array) -> None:
    rows, columns = u.shape
    for i in prange(rows):
        if i == 0 or i == rows - 1:
            v[i] = u[i]
        else:
            v[i, 0], v[i, columns - 1] = u[i, 0], u[i, columns - 1]
            for j in range(1, columns - 1):
                around = u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1]
                v[i, j] = u[i, j] + np.float32(HEAT_RATE) * (around - np.float32(4) * u[i, j])


@njit(fastmath=True)
def normal_distribution(x: float) -> float:
    return np.float32(0.5) + np.float32(0.5) * math.erf(x * np.float32(math.sqrt(0.5)))


@parallel
def black_scholes(spot: Array, strike: Array, years: Array, call: Array, put: Array) -> None:
    for i in prange(spot.size):
        spread = np.float32(VOLATILITY) * math.sqrt(years[i])
        drift = np.float32(RATE + VOLATILITY**2 / 2) * years[i]
        d1 = (math.log(spot[i] / strike[i]) + drift) / spread
        d2 = d1 - spread
        present = strike[i] * math.exp(np.float32(-RATE) * years[i])
        call[i] = spot[i] * normal_distribution(d1) - present * normal_distribution(d2)
        put[i] = call[i] + present - spot[i]


@parallel
def histogram(image: Array, bins: Array) -> None:
    threads = get_num_threads()
    counts = np.zeros((threads, BINS), np.int32)
    length = (image.size + threads - 1) // threads
    for thread in prange(threads):
        for i in range(thread * length, min((thread + 1) * length, image.size)):
            counts[thread, image[i]] += 1
    bins[:] = counts.sum(0)


@parallel
def product_in_loops(a: Array, b: Array, c: Array) -> None:
    for i in prange(a.shape[0]):
        c[i] = 0
        for k in range(a.shape[1]):
            for j in range(b.shape[1]):
                c[i, j] += a[i, k] * b[k, j]


@parallel
def product_in_tiles(a: Array, b: Array, c: Array) -> None:
    size = a.shape[0]
    for tile in prange(size // TILE):
        sums = np.empty((TILE, TILE), np.float32)
        for left in range(0, size, TILE):
            sums[:] = 0
            for start in range(0, size, TILE):
                for i in range(TILE):
                    for k in range(TILE):
                        value = a[tile * TILE + i, start + k]
                        for j in range(TILE):
                            sums[i, j] += value * b[start + k, left + j]
            c[tile * TILE : (tile + 1) * TILE, left : left + TILE] = sums


@parallel
def total(x: Array) -> float:
    result = np.float32(0)
    for i in prange(x.size):
        result += x[i]
    return result


@parallel
def running_total(x: Array, y: Array) -> None:
    length = (x.size + CHUNKS - 1) // CHUNKS
    sums = np.zeros(CHUNKS, np.float32)
    for chunk in prange(CHUNKS):
        partial = np.float32(0)
        for i in range(chunk * length, min((chunk + 1) * length, x.size)):
            partial += x[i]
        sums[chunk] = partial
    for chunk in prange(CHUNKS):
        partial = np.float32(0)
        for before in range(chunk):
            partial += sums[before]
        for i in range(chunk * length, min((chunk + 1) * length, x.size)):
            partial += x[i]
            y[i] = partial


def _writes(
    function: Callable[..., None], *names: str, outputs: int = 1, dtype: Any = np.float32
) -> Callable[[Inputs], Ready]:
    """A function of these inputs, with outputs like the first of them."""

    def prepare(inputs: Inputs) -> Ready:
        arguments = tuple(inputs[name] for name in names)
        made = tuple(np.empty_like(arguments[0], dtype) for _ in range(outputs))
        return in_place(function, arguments, made)

    return prepare


def _mandelbrot(inputs: Inputs) -> Ready:
    counts = np.empty((inputs["y"].size, inputs["x"].size), np.int32)
    return in_place(mandelbrot, (inputs["x"], inputs["y"]), (counts,))


def _histogram(inputs: Inputs) -> Ready:
    return in_place(histogram, (inputs["image"],), (np.empty(BINS, np.int32),))


def _total(inputs: Inputs) -> Ready:
    x = inputs["x"]
    return Ready(lambda: total(x), lambda result: (np.array([result]),))


_PRODUCTS = {
    "prange, i-k-j loops": _writes(product_in_loops, "a", "b"),
    "prange, tiles": _writes(product_in_tiles, "a", "b"),
}
TABLE: Table = {
    "addition": {
        "njit": _writes(njit(fastmath=True)(add), "a", "b"),
        "njit, prange": _writes(parallel(add), "a", "b"),
    },
    "copy": {"prange": _writes(copy, "a")},
    "elementwise": {"prange": _writes(elementwise, "a", "b")},
    "mandelbrot": {"prange": _mandelbrot},
    "nbody": {"prange": _writes(nbody, "x", "y", "z", "mass", outputs=3)},
    "stencil": {"prange": _writes(stencil, "u")},
    "black_scholes": {"prange": _writes(black_scholes, "spot", "strike", "years", outputs=2)},
    "histogram": {"bins for each thread": _histogram},
    "matmul_512": _PRODUCTS,
    "matmul_1024": _PRODUCTS,
    "reduction": {"prange": _total},
    "scan": {"prange, two passes": _writes(running_total, "x")},
}
