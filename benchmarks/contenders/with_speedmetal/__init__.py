"""speedmetal: the kernels of this folder, written as anyone would write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from side_by_side.cases import BINS
from side_by_side.contender import Inputs, Prepare, Ready, Table

import speedmetal as sm
from contenders.with_speedmetal import elementwise, histogram, matmul, nbody, sums


def _each(kernel: Any, outputs: int = 1) -> Prepare:
    """A thread for each element of the outputs, which are like the first input."""

    def prepare(inputs: Inputs) -> Ready:
        arrays = tuple(inputs.values())
        made = tuple(np.empty_like(arrays[0]) for _ in range(outputs))
        grid = arrays[0].shape[::-1]  # x counts columns
        return _ready(lambda: kernel(*arrays, *made, grid=grid), *made)

    return prepare


def _ready(run: Callable[[], None], *made: Any) -> Ready:
    return Ready(run, lambda _: made, made)


def _mandelbrot(inputs: Inputs) -> Ready:
    x, y = inputs["x"], inputs["y"]
    counts = np.empty((y.size, x.size), np.int32)
    return _ready(lambda: elementwise.mandelbrot(x, y, counts, grid=(x.size, y.size)), counts)


def _tiled_nbody(inputs: Inputs) -> Ready:
    arrays = tuple(inputs.values())
    made = tuple(np.empty_like(arrays[0]) for _ in range(3))
    size, threads = arrays[0].size, nbody.TILE
    return _ready(lambda: nbody.tiled(*arrays, *made, grid=size, threads=threads), *made)


def _histogram(inputs: Inputs) -> Ready:
    image, bins = inputs["image"], np.empty(BINS, np.int32)

    groups = sm.cdiv(image.size, histogram.PIXELS_PER_GROUP)

    def run() -> None:
        bins.fill(0)
        histogram.histogram(image, bins, groups=groups, threads=BINS)

    return _ready(run, bins)


def _tiled_product(inputs: Inputs) -> Ready:
    a, b = inputs["a"], inputs["b"]
    c = np.empty_like(a)
    grid, threads = c.shape[::-1], (matmul.TILE, matmul.TILE)
    return _ready(lambda: matmul.tiled(a, b, c, grid=grid, threads=threads), c)


def _matrix_product(inputs: Inputs) -> Ready:
    a, b = inputs["a"], inputs["b"]
    c = np.empty_like(a)
    groups = (c.shape[1] // matmul.BLOCK, c.shape[0] // matmul.BLOCK)
    return _ready(lambda: matmul.matrices(a, b, c, groups=groups, threads=matmul.SIMDGROUP), c)


def _sum(kernel: Any) -> Prepare:
    """Two launches: of many threadgroups, and of one that adds up what they found."""

    def prepare(inputs: Inputs) -> Ready:
        x, total = inputs["x"], np.empty(1, np.float32)
        groups = sm.cdiv(x.size, sums.LENGTH)
        partial = np.empty(groups, np.float32)

        def run() -> None:
            kernel(x, partial, sums.LENGTH, groups=groups, threads=sums.THREADS)
            kernel(partial, total, groups, groups=1, threads=sums.THREADS)

        return _ready(run, total)

    return prepare


def _scan(inputs: Inputs) -> Ready:
    x = inputs["x"]
    groups = sm.cdiv(x.size, sums.LENGTH)
    y, partial = np.empty_like(x), np.empty(groups, np.float32)

    def run() -> None:
        sums.simd_sums(x, partial, sums.LENGTH, groups=groups, threads=sums.THREADS)
        sums.scan_chunks(x, partial, y, sums.LENGTH, groups=groups, threads=sums.THREADS)

    return _ready(run, y)


_PRODUCTS = {"threadgroup memory": _tiled_product, "simdgroup matrices": _matrix_product}


def _addition(inputs: Inputs) -> Ready:
    a, b = inputs["a"], inputs["b"]
    c = np.empty_like(a)
    return _ready(lambda: elementwise.add(a, b, c, grid=64), c)


def _addition_of_arrays(inputs: Inputs) -> Ready:
    a, b = sm.asarray(inputs["a"]), sm.asarray(inputs["b"])
    c = sm.empty(a.shape, dtype=sm.float32)
    return _ready(lambda: elementwise.add(a, b, c, grid=64), np.asarray(c))


TABLE: Table = {
    "addition": {"NumPy's arrays": _addition, "sm.Array": _addition_of_arrays},
    "copy": {"": _each(elementwise.copy)},
    "elementwise": {"": _each(elementwise.elementwise)},
    "mandelbrot": {"": _mandelbrot},
    "nbody": {"plain": _each(nbody.plain, 3), "threadgroup memory": _tiled_nbody},
    "stencil": {"": _each(elementwise.stencil)},
    "black_scholes": {"": _each(elementwise.black_scholes, 2)},
    "histogram": {"threadgroup memory, atomics": _histogram},
    "matmul_512": _PRODUCTS,
    "matmul_1024": _PRODUCTS,
    "reduction": {"tree with barriers": _sum(sums.tree_sums), "simd_sum": _sum(sums.simd_sums)},
    "scan": {"simd_prefix, two passes": _scan},
}
