"""Warp: kernels on its CPU device, which runs the threads of a launch one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import warp as wp
from side_by_side.cases import BINS, HEAT_RATE, MANDELBROT_ITERATIONS, RATE, SOFTENING, VOLATILITY
from side_by_side.contender import Inputs, Prepare, Ready, Table

wp.config.quiet = True
wp.init()
wp.set_module_options({"fast_math": True, "enable_backward": False})

ITERATIONS = wp.constant(MANDELBROT_ITERATIONS)
EPSILON = wp.constant(wp.float32(SOFTENING))
HEAT = wp.constant(wp.float32(HEAT_RATE))
DRIFT = wp.constant(wp.float32(RATE + VOLATILITY**2 / 2))
INTEREST = wp.constant(wp.float32(RATE))
SIGMA = wp.constant(wp.float32(VOLATILITY))
ROOT_HALF = wp.constant(wp.float32(math.sqrt(0.5)))

Vector = wp.array(dtype=wp.float32)
Matrix = wp.array2d(dtype=wp.float32)


@wp.kernel
def add(a: Vector, b: Vector, c: Vector) -> None:
    i = wp.tid()
    c[i] = a[i] + b[i]


@wp.kernel
def elementwise(a: Vector, b: Vector, c: Vector) -> None:
    i = wp.tid()
    c[i] = a[i] * a[i] + wp.exp(wp.sin(b[i]))


@wp.kernel
def copy(a: Vector, c: Vector) -> None:
    i = wp.tid()
    c[i] = a[i]


@wp.kernel
def mandelbrot(x: Vector, y: Vector, counts: wp.array2d(dtype=wp.int32)) -> None:
    row, column = wp.tid()
    real = float(0.0)  # noqa: UP018 - `float` makes it a variable to Warp
    imaginary = float(0.0)  # noqa: UP018
    count = int(0)  # noqa: UP018, RUF046
    while count < ITERATIONS and real * real + imaginary * imaginary <= 4.0:
        following = real * real - imaginary * imaginary + x[column]
        imaginary = 2.0 * real * imaginary + y[row]
        real = following
        count += 1
    counts[row, column] = count


@wp.kernel
def nbody(
    x: Vector, y: Vector, z: Vector, mass: Vector, ax: Vector, ay: Vector, az: Vector
) -> None:
    i = wp.tid()
    own = wp.vec3(x[i], y[i], z[i])
    pull = wp.vec3()
    for j in range(x.shape[0]):
        offset = wp.vec3(x[j], y[j], z[j]) - own
        squared = wp.dot(offset, offset) + EPSILON
        pull += offset * (mass[j] / (squared * wp.sqrt(squared)))
    ax[i] = pull[0]
    ay[i] = pull[1]
    az[i] = pull[2]


@wp.kernel
def stencil(u: Matrix, v: Matrix) -> None:
    i, j = wp.tid()
    value = u[i, j]
    if i > 0 and j > 0 and i < u.shape[0] - 1 and j < u.shape[1] - 1:
        around = u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1]
        value += HEAT * (around - 4.0 * u[i, j])
    v[i, j] = value


@wp.func
def normal_distribution(x: float) -> float:
    return 0.5 + 0.5 * wp.erf(x * ROOT_HALF)


@wp.kernel
def black_scholes(spot: Vector, strike: Vector, years: Vector, call: Vector, put: Vector) -> None:
    i = wp.tid()
    spread = SIGMA * wp.sqrt(years[i])
    d1 = (wp.log(spot[i] / strike[i]) + DRIFT * years[i]) / spread
    d2 = d1 - spread
    present = strike[i] * wp.exp(-INTEREST * years[i])
    price = spot[i] * normal_distribution(d1) - present * normal_distribution(d2)
    call[i] = price
    put[i] = price + present - spot[i]


@wp.kernel
def count(image: wp.array(dtype=wp.uint8), bins: wp.array(dtype=wp.int32)) -> None:
    wp.atomic_add(bins, int(image[wp.tid()]), 1)


@wp.kernel
def product(a: Matrix, b: Matrix, c: Matrix) -> None:
    i, j = wp.tid()
    total = float(0.0)  # noqa: UP018
    for k in range(a.shape[1]):
        total += a[i, k] * b[k, j]
    c[i, j] = total


def _launch(kernel: Any, outputs: int = 1, dtype: Any = wp.float32, shape: Any = None) -> Prepare:
    """A kernel with a thread for each element of an output, which are like the first input."""

    def prepare(inputs: Inputs) -> Ready:
        arrays = [wp.from_numpy(array, dtype=wp.float32, device="cpu") for array in inputs.values()]
        size = shape(inputs) if shape else arrays[0].shape
        made = [wp.empty(size, dtype=dtype, device="cpu") for _ in range(outputs)]
        command = wp.launch(
            kernel, dim=size, inputs=arrays, outputs=made, device="cpu", record_cmd=True
        )
        return _ready(command.launch, made)

    return prepare


def _addition(inputs: Inputs) -> Ready:
    a, b = (wp.from_numpy(inputs[name], device="cpu") for name in "ab")
    c = wp.empty_like(a)

    def run() -> None:
        wp.launch(add, dim=a.size, inputs=[a, b, c], device="cpu")

    return _ready(run, [c])


def _ready(run: Callable[[], object], made: list[Any]) -> Ready:
    written = tuple(array.numpy() for array in made)  # views: nothing is copied on the CPU
    return Ready(run, lambda _: written, written)


def _histogram(inputs: Inputs) -> Ready:
    image = wp.from_numpy(inputs["image"], device="cpu")
    bins = wp.zeros(BINS, dtype=wp.int32, device="cpu")
    command = wp.launch(count, dim=image.shape, inputs=[image, bins], device="cpu", record_cmd=True)

    def run() -> None:
        bins.zero_()
        command.launch()

    return _ready(run, [bins])


def _total(inputs: Inputs) -> Ready:
    x = wp.from_numpy(inputs["x"], device="cpu")
    return Ready(lambda: wp.utils.array_sum(x), lambda result: (np.array([result]),))


def _scan(inputs: Inputs) -> Ready:
    x = wp.from_numpy(inputs["x"], device="cpu")
    y = wp.empty_like(x)
    return _ready(lambda: wp.utils.array_scan(x, y, inclusive=True), [y])


def _grid(inputs: Inputs) -> tuple[int, int]:
    return inputs["y"].size, inputs["x"].size


_PRODUCT = {"one thread an element": _launch(product)}
TABLE: Table = {
    "addition": {"launch": _addition, "recorded launch": _launch(add)},
    "copy": {"": _launch(copy)},
    "elementwise": {"": _launch(elementwise)},
    "mandelbrot": {"": _launch(mandelbrot, dtype=wp.int32, shape=_grid)},
    "nbody": {"": _launch(nbody, outputs=3)},
    "stencil": {"": _launch(stencil)},
    "black_scholes": {"": _launch(black_scholes, outputs=2)},
    "histogram": {"atomics": _histogram},
    "matmul_512": _PRODUCT,
    "matmul_1024": _PRODUCT,
    "reduction": {"array_sum": _total},
    "scan": {"array_scan": _scan},
}
