"""The programs that are compared: their inputs, what is right, and how much work they are."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

GIGA = 1e9

BODIES = 1 << 17
SOFTENING = 0.05
BYTES = 1 << 28
SCANNED = 1 << 27
PLATE = 16384
RATIO = 0.24
CUBE, CUBE_RATIO = 512, 0.12
OPTIONS = 1 << 26
RATE, VOLATILITY = 0.02, 0.3
WIDTH, HEIGHT, LIMIT = 4096, 4096, 500
LEFT, RIGHT, BOTTOM, TOP = -2.2, 0.8, -1.25, 1.25
ESCAPED = 256.0
REDUCED = 1 << 28
MATRIX = 16384
SAMPLE = 512
"""Bodies, or rows of the picture, that are compared."""


@dataclass(frozen=True)
class Case:
    """A program.

    Args:
        name: What it does.
        work: How much of ``unit`` one run is.
        unit: Of which thousands of millions a second are told.
        inputs: Makes its tensors.
        error: How far a result is from the same in float64, given the result and the inputs.
        allowed: The greatest error of a right result.
    """

    name: str
    work: float
    unit: str
    inputs: Callable[[], tuple[torch.Tensor, ...]]
    error: Callable[..., float]
    allowed: float


def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, device="cuda") * (high - low) + low


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest difference, in units of the largest number."""
    return ((found.double() - expected).abs().max() / expected.abs().max()).item()


# --- Inputs, and errors --------------------------------------------------------------------------


def bodies() -> tuple[torch.Tensor, ...]:
    """Positions ``(3, BODIES)`` and masses."""
    return torch.randn(3, BODIES, device="cuda"), torch.full((BODIES,), 1 / BODIES, device="cuda")


def pull_error(found: torch.Tensor, positions: torch.Tensor, masses: torch.Tensor) -> float:
    wide = positions.double()
    parts = []
    for some in wide[:, :SAMPLE].split(64, dim=1):
        gaps = wide[:, None, :] - some[:, :, None]
        weights = masses.double() / (gaps.square().sum(0) + SOFTENING**2) ** 1.5
        parts.append((weights * gaps).sum(2))
    return relative(found[:, :SAMPLE], torch.cat(parts, 1))


def some_bytes() -> tuple[torch.Tensor, ...]:
    """A bell of bytes."""
    bell = torch.randn(BYTES, device="cuda") * 30 + 128
    return (bell.clamp(0, 255).to(torch.uint8),)


def histogram_error(found: torch.Tensor, values: torch.Tensor) -> float:
    parts = (torch.bincount(part.int(), minlength=256) for part in values.split(1 << 26))
    return float((found - sum(parts)).abs().max().item())


def scan_error(found: torch.Tensor, x: torch.Tensor) -> float:
    return ((found.double() / x.double().cumsum(0)) - 1).abs().max().item()


def plate_error(found: torch.Tensor, before: torch.Tensor) -> float:
    rows = slice(0, 1024)
    wide, after = before[rows].double(), before[rows].double().clone()
    around = wide[1:-1, :-2] + wide[1:-1, 2:] + wide[:-2, 1:-1] + wide[2:, 1:-1]
    after[1:-1, 1:-1] += RATIO * (around - 4 * wide[1:-1, 1:-1])
    ends = found[-1].double() - before[-1].double()
    return relative(found[:1023], after[:1023]) + ends.abs().max().item()


def cube_error(found: torch.Tensor, before: torch.Tensor) -> float:
    wide, after = before[:64].double(), before[:64].double().clone()
    inner = slice(1, -1)
    here = wide[inner, inner, inner]
    around = wide[inner, inner, :-2] + wide[inner, inner, 2:] + wide[inner, :-2, inner]
    around = around + wide[inner, 2:, inner] + wide[:-2, inner, inner] + wide[2:, inner, inner]
    after[inner, inner, inner] += CUBE_RATIO * (around - 6 * here)
    ends = found[-1].double() - before[-1].double()
    return relative(found[:63], after[:63]) + ends.abs().max().item()


def some_options() -> tuple[torch.Tensor, ...]:
    """Spots, strikes and years."""
    return (
        *(uniform(5, 30, OPTIONS), uniform(1, 100, OPTIONS)),
        uniform(0.25, 10, OPTIONS),
    )


def price_error(found: torch.Tensor, *inputs: torch.Tensor) -> float:
    spot, strike, years = (x[:: 1 << 6].double() for x in inputs)
    spread = VOLATILITY * years.sqrt()
    d1 = ((spot / strike).log() + (RATE + VOLATILITY**2 / 2) * years) / spread
    d2 = d1 - spread
    discounted = strike * (-RATE * years).exp()

    def below(x: torch.Tensor) -> torch.Tensor:
        return 0.5 * torch.erfc(-x / math.sqrt(2))

    call = spot * below(d1) - discounted * below(d2)
    put = discounted * below(-d2) - spot * below(-d1)
    return relative(found[:, :: 1 << 6], torch.stack([call, put]))


def escape_error(found: torch.Tensor) -> float:
    """The share of a sample of pixels whose whole steps are others than those of float64."""
    rows = torch.arange(0, HEIGHT, HEIGHT // SAMPLE, device="cuda")
    y0 = (TOP - (TOP - BOTTOM) * (rows + 0.5) / HEIGHT).double()[:, None]
    x0 = (LEFT + (RIGHT - LEFT) * (torch.arange(WIDTH, device="cuda") + 0.5) / WIDTH).double()
    x, y = torch.zeros(len(rows), WIDTH, device="cuda").double(), torch.zeros(1, device="cuda")
    steps = torch.full(x.shape, LIMIT, device="cuda")
    for step in range(LIMIT):
        x, y = x * x - y * y + x0, 2 * x * y + y0
        steps = torch.where((steps == LIMIT) & (x * x + y * y > ESCAPED), step, steps)
    inside = (steps == LIMIT) != (found[rows] >= LIMIT)
    return inside.double().mean().item()


def sum_error(found: torch.Tensor, x: torch.Tensor) -> float:
    return abs(float(found.item()) / x.double().sum().item() - 1)


def transpose_error(found: torch.Tensor, a: torch.Tensor) -> float:
    return float((found != a.T).sum().item())


CASES = [
    Case("n-body", BODIES**2 / GIGA, "G pairs/s", bodies, pull_error, 1e-4),
    Case("histogram", BYTES / GIGA, "GB/s", some_bytes, histogram_error, 0),
    Case("scan", 8 * SCANNED / GIGA, "GB/s", lambda: (uniform(0, 1, SCANNED),), scan_error, 1e-5),
    Case(
        *("heat, 2-D", 8 * PLATE**2 / GIGA, "GB/s"),
        *(lambda: (uniform(0, 1, PLATE, PLATE),), plate_error, 1e-6),
    ),
    Case(
        *("heat, 3-D", 8 * CUBE**3 / GIGA, "GB/s"),
        *(lambda: (uniform(0, 1, CUBE, CUBE, CUBE),), cube_error, 1e-6),
    ),
    Case("Black-Scholes", 20 * OPTIONS / GIGA, "GB/s", some_options, price_error, 1e-5),
    Case("Mandelbrot", WIDTH * HEIGHT / GIGA, "G pixels/s", tuple, escape_error, 5e-3),
    Case("sum", 4 * REDUCED / GIGA, "GB/s", lambda: (uniform(0, 1, REDUCED),), sum_error, 1e-5),
    Case(
        *("transpose", 8 * MATRIX**2 / GIGA, "GB/s"),
        *(lambda: (torch.randn(MATRIX, MATRIX, device="cuda"),), transpose_error, 0),
    ),
]
