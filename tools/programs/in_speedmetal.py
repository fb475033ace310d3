"""The programs as the examples have them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import speedmetal as sm

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

import black_scholes as black_scholes_example
import heat_cube
import heat_equation
import histogram as histogram_example
import mandelbrot as mandelbrot_example
import n_body as n_body_example
import reduction
import scan as scan_example
import transpose as transpose_example

from programs import cases

Run = Callable[[], None]
Result = Callable[[], torch.Tensor]

GROUPS_PER_CORE = 8
"""Threadgroups of 256 threads that run at once where nothing is short."""


def _array(tensor: torch.Tensor) -> sm.Array:
    return sm.array(tensor.cpu().numpy(), device="cuda")


def _tensor(array: sm.Array) -> torch.Tensor:
    return torch.from_numpy(array.numpy()).cuda()


def _groups() -> int:
    return GROUPS_PER_CORE * torch.cuda.get_device_properties(0).multi_processor_count


def n_body(positions: torch.Tensor, masses: torch.Tensor) -> tuple[Run, Result]:
    x, m = _array(positions), _array(masses)
    result = sm.empty(x.shape, device="cuda")
    tile = n_body_example.TILE
    groups = sm.cdiv(cases.BODIES, tile)
    return (
        lambda: n_body_example.accelerate(x, m, result, groups=groups, threads=tile),
        lambda: _tensor(result),
    )


def histogram(values: torch.Tensor) -> tuple[Run, Result]:
    words = sm.array(values.cpu().numpy().view(np.uint32), device="cuda")
    rest, counts = sm.empty(0, sm.uint8, device="cuda"), sm.zeros(256, sm.int32, device="cuda")
    groups = _groups()

    def run() -> None:
        counts[...] = 0
        histogram_example.histogram(
            words, rest, counts, groups=groups, threads=histogram_example.THREADS
        )

    return run, lambda: _tensor(counts)


def scan(x: torch.Tensor) -> tuple[Run, Result]:
    given = _array(x)
    result = sm.empty(given.shape, device="cuda")
    return lambda: scan_example.scan(given, result), lambda: _tensor(result)


def scan_by_array(x: torch.Tensor) -> tuple[Run, Result]:
    given = _array(x)
    found: list[sm.Array] = []

    def run() -> None:
        found[:] = [sm.cumulative_sum(given)]
        sm.eval(found[0])

    return run, lambda: _tensor(found[0])


def heat_plate(before: torch.Tensor) -> tuple[Run, Result]:
    given = _array(before)
    result = sm.empty(given.shape, device="cuda")
    return lambda: heat_equation.step(given, result), lambda: _tensor(result)


def heat_3d(before: torch.Tensor) -> tuple[Run, Result]:
    given = _array(before)
    result = sm.empty(given.shape, device="cuda")
    return lambda: heat_cube.step(given, result), lambda: _tensor(result)


def black_scholes(*options: torch.Tensor) -> tuple[Run, Result]:
    given = [_array(x) for x in options]
    calls, puts = (sm.empty(cases.OPTIONS, device="cuda") for _ in range(2))
    market = black_scholes_example.Market(cases.RATE, cases.VOLATILITY)
    return (
        lambda: black_scholes_example.price(*given, market, calls, puts, grid=cases.OPTIONS),
        lambda: torch.stack([_tensor(calls), _tensor(puts)]),
    )


@sm.kernel
def steps_of_pixels(steps: Any, limit: int) -> None:
    """The steps of the example's function alone, without colours."""
    column, row, _ = sm.thread_position_in_grid()
    height, width = steps.shape
    real = cases.LEFT + (cases.RIGHT - cases.LEFT) * (column + 0.5) / width
    imaginary = cases.TOP - (cases.TOP - cases.BOTTOM) * (row + 0.5) / height
    steps[row, column] = mandelbrot_example.escape(real, imaginary, limit)


def fast(make: Callable[..., tuple[Run, Result]]) -> Callable[..., tuple[Run, Result]]:
    """The same program in the fast mode."""

    def made(*inputs: torch.Tensor) -> tuple[Run, Result]:
        run, result = make(*inputs)

        def run_fast() -> None:
            with sm.math_mode("fast"):
                run()

        return run_fast, result

    return made


def mandelbrot() -> tuple[Run, Result]:
    steps = sm.empty((cases.HEIGHT, cases.WIDTH), device="cuda")
    sizes = {"grid": (cases.WIDTH, cases.HEIGHT), "threads": (32, 8)}
    return lambda: steps_of_pixels(steps, cases.LIMIT, **sizes), lambda: _tensor(steps)


def sum_all(x: torch.Tensor) -> tuple[Run, Result]:
    given, groups = _array(x), _groups()
    parts, result = sm.empty(groups, device="cuda"), sm.empty(1, device="cuda")

    def run() -> None:
        for source, target, count in ((given, parts, groups), (parts, result, 1)):
            reduction.reduce(
                *(reduction.plus, 0.0, source, target),
                groups=count,
                threads=reduction.THREADS,
            )

    return run, lambda: _tensor(result)


def sum_by_array(x: torch.Tensor) -> tuple[Run, Result]:
    given = _array(x)
    found: list[sm.Array] = []

    def run() -> None:
        found[:] = [given.sum()]
        sm.eval(found[0])

    return run, lambda: _tensor(found[0])


def transpose(a: torch.Tensor) -> tuple[Run, Result]:
    given = _array(a)
    result = sm.empty(given.shape[::-1], device="cuda")
    return lambda: transpose_example.transposed(given, result), lambda: _tensor(result)


PROGRAMS = {
    "n-body": {"kernel": n_body, "fast mode": fast(n_body)},
    "histogram": {"kernel": histogram},
    "scan": {"kernel": scan, "arrays": scan_by_array},
    "heat, 2-D": {"kernel": heat_plate},
    "heat, 3-D": {"kernel": heat_3d},
    "Black-Scholes": {"kernel": black_scholes, "fast mode": fast(black_scholes)},
    "Mandelbrot": {"kernel": mandelbrot, "fast mode": fast(mandelbrot)},
    "sum": {"kernel": sum_all, "arrays": sum_by_array},
    "transpose": {"kernel": transpose},
}
"""Of each program, by the name of how it is written, what makes it from its inputs."""
