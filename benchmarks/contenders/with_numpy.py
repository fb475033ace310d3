"""NumPy: whole-array expressions into memory that is made beforehand; one thread but for BLAS."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from side_by_side.cases import (
    BINS,
    BODIES,
    HEAT_RATE,
    MANDELBROT_ITERATIONS,
    RATE,
    SOFTENING,
    VOLATILITY,
)
from side_by_side.contender import Inputs, Ready, Table, in_place

Array = NDArray[Any]


def _elementwise(inputs: Inputs) -> Ready:
    def run(a: Array, b: Array, square: Array, c: Array) -> None:
        np.multiply(a, a, out=square)
        np.sin(b, out=c)
        np.exp(c, out=c)
        np.add(c, square, out=c)

    a, b = inputs["a"], inputs["b"]
    return in_place(run, (a, b, np.empty_like(a)), (np.empty_like(a),))


def _addition(inputs: Inputs) -> Ready:
    a, b = inputs["a"], inputs["b"]
    c = np.empty_like(a)
    return Ready(lambda: np.add(a, b, out=c), lambda result: (result,), (c,))


def _copy(inputs: Inputs) -> Ready:
    """Each thread copies its part, as `speedmetal.bench.measure.ceilings` does."""
    threads = int(os.environ["OMP_NUM_THREADS"])
    pool = ThreadPoolExecutor(threads)
    source = inputs["a"]
    target = np.empty_like(source)
    parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))

    def run() -> None:
        list(pool.map(lambda part: np.copyto(*part), parts))

    return Ready(run, lambda _: (target,), (target,))


def _mandelbrot(inputs: Inputs) -> Ready:
    def run(x: Array, y: Array, counts: Array) -> None:
        counts.fill(0)
        flat = counts.ravel()
        real_start = np.tile(x, y.size)
        imaginary_start = np.repeat(y, x.size)
        places = np.arange(flat.size)
        real, imaginary = np.zeros_like(real_start), np.zeros_like(imaginary_start)
        for _ in range(MANDELBROT_ITERATIONS):
            real2, imaginary2 = real * real, imaginary * imaginary
            inside = real2 + imaginary2 <= 4
            if not inside.all():  # only the orbits that have not escaped are carried on
                places = places[inside]
                real_start, imaginary_start = real_start[inside], imaginary_start[inside]
                real, imaginary = real[inside], imaginary[inside]
                real2, imaginary2 = real2[inside], imaginary2[inside]
            flat[places] += 1
            imaginary = 2 * real * imaginary + imaginary_start
            real = real2 - imaginary2 + real_start

    counts = np.empty((inputs["y"].size, inputs["x"].size), np.int32)
    return in_place(run, (inputs["x"], inputs["y"]), (counts,))


def _nbody(inputs: Inputs) -> Ready:
    def run(x: Array, y: Array, z: Array, mass: Array, ax: Array, ay: Array, az: Array) -> None:
        for start in range(0, BODIES, 64):  # rows whose temporaries stay in the cache
            rows = slice(start, start + 64)
            dx, dy, dz = (p - p[rows, None] for p in (x, y, z))
            squared = dx * dx + dy * dy + dz * dz + np.float32(SOFTENING)
            pull = mass / (squared * np.sqrt(squared))
            for offset, result in ((dx, ax), (dy, ay), (dz, az)):
                result[rows] = np.einsum("ij,ij->i", offset, pull)

    x = inputs["x"]
    outputs = tuple(np.empty_like(x) for _ in range(3))
    return in_place(run, (x, inputs["y"], inputs["z"], inputs["mass"]), outputs)


def _stencil(inputs: Inputs) -> Ready:
    def run(u: Array, v: Array) -> None:
        v[[0, -1]] = u[[0, -1]]
        v[:, [0, -1]] = u[:, [0, -1]]
        inner = v[1:-1, 1:-1]
        np.add(u[:-2, 1:-1], u[2:, 1:-1], out=inner)
        inner += u[1:-1, :-2]
        inner += u[1:-1, 2:]
        inner *= np.float32(HEAT_RATE)
        inner += u[1:-1, 1:-1] * np.float32(1 - 4 * HEAT_RATE)

    return in_place(run, (inputs["u"],), (np.empty_like(inputs["u"]),))


def _black_scholes(inputs: Inputs) -> Ready:
    from scipy.special import ndtr

    def run(spot: Array, strike: Array, years: Array, call: Array, put: Array) -> None:
        spread = np.float32(VOLATILITY) * np.sqrt(years)
        d1 = (np.log(spot / strike) + np.float32(RATE + VOLATILITY**2 / 2) * years) / spread
        d2 = d1 - spread
        present = strike * np.exp(np.float32(-RATE) * years)
        np.subtract(spot * ndtr(d1), present * ndtr(d2), out=call)
        np.subtract(call + present, spot, out=put)

    spot = inputs["spot"]
    outputs = (np.empty_like(spot), np.empty_like(spot))
    return in_place(run, (spot, inputs["strike"], inputs["years"]), outputs)


def returns(function: Callable[..., Any]) -> Callable[[Inputs], Ready]:
    """A function of the inputs that makes its result's memory itself."""

    def prepare(inputs: Inputs) -> Ready:
        arrays = tuple(inputs.values())
        return Ready(lambda: function(*arrays), lambda result: (np.atleast_1d(result),))

    return prepare


def _scan(inputs: Inputs) -> Ready:
    x = inputs["x"]
    y = np.empty_like(x)
    return Ready(lambda: np.cumsum(x, out=y), lambda result: (result,), (y,))


def _product(inputs: Inputs) -> Ready:
    a, b = inputs["a"], inputs["b"]
    c = np.empty_like(a)
    return Ready(lambda: np.matmul(a, b, out=c), lambda result: (result,), (c,))


TABLE: Table = {
    "addition": {"add": _addition},
    "copy": {"copyto in threads": _copy},
    "elementwise": {"": _elementwise},
    "mandelbrot": {"": _mandelbrot},
    "nbody": {"": _nbody},
    "stencil": {"": _stencil},
    "black_scholes": {"scipy.special.ndtr": _black_scholes},
    "histogram": {"bincount": returns(lambda image: np.bincount(image, minlength=BINS))},
    "matmul_512": {"reference: BLAS": _product},
    "matmul_1024": {"reference: BLAS": _product},
    "reduction": {"sum": returns(np.sum)},
    "scan": {"cumsum": _scan},
}
