"""PyTorch: its operations as they are, and the same through `torch.compile`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from side_by_side.cases import BINS, HEAT_RATE, MANDELBROT_ITERATIONS, RATE, SOFTENING, VOLATILITY
from side_by_side.contender import Inputs, Prepare, Ready, Table
from torch import Tensor

STEPS_AT_ONCE = 5  # iterations compiled into one pass over memory: more take minutes

torch.set_grad_enabled(False)


def elementwise(a: Tensor, b: Tensor) -> Tensor:
    return a * a + torch.exp(torch.sin(b))


def orbit_steps(
    count: Tensor, real: Tensor, imaginary: Tensor, x: Tensor, y: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    for _ in range(STEPS_AT_ONCE):
        real2, imaginary2 = real * real, imaginary * imaginary
        count = count + (real2 + imaginary2 <= 4)  # false for what has overflowed, too
        imaginary = 2 * real * imaginary + y
        real = real2 - imaginary2 + x
    return count, real, imaginary


def _mandelbrot(steps: Callable[..., Any]) -> Callable[[Tensor, Tensor], Tensor]:
    def run(x: Tensor, y: Tensor) -> Tensor:
        x, y = torch.broadcast_tensors(x[None, :], y[:, None])
        state = (
            torch.zeros(x.shape, dtype=torch.int32),
            torch.zeros(x.shape),
            torch.zeros(x.shape),
        )
        for _ in range(MANDELBROT_ITERATIONS // STEPS_AT_ONCE):
            state = steps(*state, x, y)
        return state[0]

    return run


def nbody(x: Tensor, y: Tensor, z: Tensor, mass: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    dx, dy, dz = (p[None, :] - p[:, None] for p in (x, y, z))
    squared = dx * dx + dy * dy + dz * dz + SOFTENING
    pull = mass * torch.rsqrt(squared) / squared
    return (dx * pull).sum(1), (dy * pull).sum(1), (dz * pull).sum(1)


def stencil(u: Tensor) -> Tensor:
    v = u.clone()
    around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
    v[1:-1, 1:-1] += HEAT_RATE * (around - 4 * u[1:-1, 1:-1])
    return v


def normal_distribution(x: Tensor) -> Tensor:
    return 0.5 + 0.5 * torch.erf(x * math.sqrt(0.5))


def black_scholes(spot: Tensor, strike: Tensor, years: Tensor) -> tuple[Tensor, Tensor]:
    spread = VOLATILITY * torch.sqrt(years)
    d1 = (torch.log(spot / strike) + (RATE + VOLATILITY**2 / 2) * years) / spread
    d2 = d1 - spread
    present = strike * torch.exp(-RATE * years)
    call = spot * normal_distribution(d1) - present * normal_distribution(d2)
    return call, call + present - spot


def fetch(result: Any) -> tuple[Any, ...]:
    results = result if isinstance(result, tuple) else (result,)
    return tuple(np.atleast_1d(tensor.numpy()) for tensor in results)


def on_tensors(function: Callable[..., Any]) -> Prepare:
    """A function of the inputs as tensors, on their memory."""

    def prepare(inputs: Inputs) -> Ready:
        tensors = [torch.from_numpy(array) for array in inputs.values()]
        return Ready(lambda: function(*tensors), fetch)

    return prepare


def both(function: Callable[..., Any]) -> dict[str, Prepare | str]:
    compiled = torch.compile(function, dynamic=False, fullgraph=True)
    return {"eager": on_tensors(function), "compile": on_tensors(compiled)}


def _elementwise_out(inputs: Inputs) -> Ready:
    """The fastest eager way: nothing is allocated."""
    a, b = torch.from_numpy(inputs["a"]), torch.from_numpy(inputs["b"])
    square, c = torch.empty_like(a), torch.empty_like(a)

    def run() -> Tensor:
        torch.mul(a, a, out=square)
        torch.sin(b, out=c)
        return c.exp_().add_(square)

    return Ready(run, fetch, (c.numpy(),))


def _copy(inputs: Inputs) -> Ready:
    source = torch.from_numpy(inputs["a"])
    target = torch.empty_like(source)
    return Ready(lambda: target.copy_(source), fetch, (target.numpy(),))


def _addition(inputs: Inputs) -> Ready:
    a, b = torch.from_numpy(inputs["a"]), torch.from_numpy(inputs["b"])
    c = torch.empty_like(a)
    return Ready(lambda: torch.add(a, b, out=c), fetch, (c.numpy(),))


_BLAS = {"reference: BLAS": on_tensors(torch.matmul)}
TABLE: Table = {
    "addition": {**both(torch.add), "eager": _addition},
    "copy": {"copy_": _copy},
    "elementwise": {**both(elementwise), "eager": _elementwise_out},
    "mandelbrot": {
        "eager": "not timed: 1600 passes over memory, about two seconds a call",
        "compile": on_tensors(_mandelbrot(torch.compile(orbit_steps, dynamic=False))),
    },
    "nbody": both(nbody),
    "stencil": both(stencil),
    "black_scholes": both(black_scholes),
    "histogram": {"bincount": on_tensors(lambda image: torch.bincount(image, minlength=BINS))},
    "matmul_512": _BLAS,
    "matmul_1024": _BLAS,
    "reduction": both(torch.sum),
    "scan": both(lambda x: torch.cumsum(x, 0)),
}
