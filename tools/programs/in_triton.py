"""The programs with Triton, with its defaults: it contracts, and flushes what is subnormal."""

# ruff: noqa: N803, ANN001, ANN201 - Triton wants no types but of constants

from __future__ import annotations

from collections.abc import Callable

import torch
import triton
import triton.language as tl
from triton.language.extra import libdevice

from programs import cases

Run = Callable[[], None]
Result = Callable[[], torch.Tensor]


@triton.jit
def n_body_kernel(
    positions,
    masses,
    pulls,
    n,
    softening,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    i = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    here = i < n
    x = tl.load(positions + i, mask=here, other=0.0)[:, None]
    y = tl.load(positions + n + i, mask=here, other=0.0)[:, None]
    z = tl.load(positions + 2 * n + i, mask=here, other=0.0)[:, None]
    px = tl.zeros([ROWS, COLUMNS], tl.float32)
    py = tl.zeros([ROWS, COLUMNS], tl.float32)
    pz = tl.zeros([ROWS, COLUMNS], tl.float32)
    for first in range(0, n, COLUMNS):
        j = first + tl.arange(0, COLUMNS)
        there = j < n
        dx = tl.load(positions + j, mask=there, other=0.0)[None, :] - x
        dy = tl.load(positions + n + j, mask=there, other=0.0)[None, :] - y
        dz = tl.load(positions + 2 * n + j, mask=there, other=0.0)[None, :] - z
        mass = tl.load(masses + j, mask=there, other=0.0)[None, :]
        inverse = tl.rsqrt(dx * dx + dy * dy + dz * dz + softening)
        strength = mass * inverse * inverse * inverse
        px += strength * dx
        py += strength * dy
        pz += strength * dz
    tl.store(pulls + i, tl.sum(px, 1), mask=here)
    tl.store(pulls + n + i, tl.sum(py, 1), mask=here)
    tl.store(pulls + 2 * n + i, tl.sum(pz, 1), mask=here)


@triton.jit
def histogram_kernel(values, counts, BLOCK: tl.constexpr, TURNS: tl.constexpr):
    start = tl.program_id(0) * BLOCK * TURNS + tl.arange(0, BLOCK)
    total = tl.zeros([256], tl.int32)
    for turn in range(TURNS):
        total += tl.histogram(tl.load(values + start + turn * BLOCK).to(tl.int32), 256)
    tl.atomic_add(counts + tl.arange(0, 256), total)


@triton.jit
def sum_tiles(x, totals, n, TILE: tl.constexpr):
    i = tl.program_id(0) * TILE + tl.arange(0, TILE)
    tl.store(totals + tl.program_id(0), tl.sum(tl.load(x + i, mask=i < n, other=0.0)))


@triton.jit
def scan_tiles(x, running, y, n, TILE: tl.constexpr):
    tile = tl.program_id(0)
    i = tile * TILE + tl.arange(0, TILE)
    before = tl.load(running + tile - 1, mask=tile > 0, other=0.0)
    tl.store(y + i, before + tl.cumsum(tl.load(x + i, mask=i < n, other=0.0)), mask=i < n)


@triton.jit
def heat_plate_kernel(
    before,
    after,
    height,
    width,
    ratio,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    row = (tl.program_id(1) * ROWS + tl.arange(0, ROWS))[:, None]
    column = (tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS))[None, :]
    place = row * width + column
    there = (row < height) & (column < width)
    inner = (row > 0) & (row < height - 1) & (column > 0) & (column < width - 1)
    here = tl.load(before + place, mask=there)
    around = tl.load(before + place - 1, mask=inner, other=0.0)
    around += tl.load(before + place + 1, mask=inner, other=0.0)
    around += tl.load(before + place - width, mask=inner, other=0.0)
    around += tl.load(before + place + width, mask=inner, other=0.0)
    tl.store(after + place, tl.where(inner, here + ratio * (around - 4 * here), here), mask=there)


@triton.jit
def heat_cube_kernel(
    before,
    after,
    depth,
    height,
    width,
    ratio,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    z = tl.program_id(2)
    y = (tl.program_id(1) * ROWS + tl.arange(0, ROWS))[:, None]
    x = (tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS))[None, :]
    plane = height * width
    place = z * plane + y * width + x
    there = (y < height) & (x < width)
    inner = (y > 0) & (y < height - 1) & (x > 0) & (x < width - 1) & (z > 0) & (z < depth - 1)
    here = tl.load(before + place, mask=there)
    around = tl.load(before + place - 1, mask=inner, other=0.0)
    around += tl.load(before + place + 1, mask=inner, other=0.0)
    around += tl.load(before + place - width, mask=inner, other=0.0)
    around += tl.load(before + place + width, mask=inner, other=0.0)
    around += tl.load(before + place - plane, mask=inner, other=0.0)
    around += tl.load(before + place + plane, mask=inner, other=0.0)
    tl.store(after + place, tl.where(inner, here + ratio * (around - 6 * here), here), mask=there)


@triton.jit
def price_kernel(
    spots,
    strikes,
    times,
    calls,
    puts,
    n,
    rate,
    volatility,
    BLOCK: tl.constexpr,
):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = i < n
    spot, strike = tl.load(spots + i, mask=mask), tl.load(strikes + i, mask=mask)
    years = tl.load(times + i, mask=mask)
    spread = volatility * tl.sqrt(years)
    d1 = (tl.log(spot / strike) + (rate + 0.5 * volatility * volatility) * years) / spread
    d2 = d1 - spread
    discounted = strike * tl.exp(-rate * years)
    root = 1.4142135623730951
    call = spot * (0.5 * libdevice.erfc(-d1 / root))
    call -= discounted * (0.5 * libdevice.erfc(-d2 / root))
    put = discounted * (0.5 * libdevice.erfc(d2 / root))
    put -= spot * (0.5 * libdevice.erfc(d1 / root))
    tl.store(calls + i, call, mask=mask)
    tl.store(puts + i, put, mask=mask)


@triton.jit
def mandelbrot_kernel(steps, height, width, limit, BLOCK: tl.constexpr):
    row = tl.program_id(1)
    column = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    real = -2.2 + 3.0 * (column + 0.5) / width
    imaginary = 1.25 - 2.5 * (row + 0.5) / height
    x, y = tl.zeros([BLOCK], tl.float32), tl.zeros([BLOCK], tl.float32)
    result = tl.zeros([BLOCK], tl.float32) + limit
    active = column < width
    step = 0
    # A program goes on until all of its pixels are told: there is no break for one of them.
    while (step < limit) & (tl.max(active.to(tl.int32)) > 0):
        next_x = x * x - y * y + real
        y = tl.where(active, 2 * x * y + imaginary, y)
        x = tl.where(active, next_x, x)
        size = x * x + y * y
        leaves = active & (size > 256.0)
        result = tl.where(leaves, step + 1 - tl.log2(0.5 * tl.log(size)), result)
        active = active & (size <= 256.0)
        step += 1
    tl.store(steps + row * width + column, result, mask=column < width)


@triton.jit
def sum_kernel(x, parts, n, BLOCK: tl.constexpr, TURNS: tl.constexpr):
    start = tl.program_id(0) * BLOCK * TURNS + tl.arange(0, BLOCK)
    total = tl.zeros([BLOCK], tl.float32)
    for turn in range(TURNS):
        i = start + turn * BLOCK
        total += tl.load(x + i, mask=i < n, other=0.0)
    tl.store(parts + tl.program_id(0), tl.sum(total))


@triton.jit
def transpose_kernel(a, b, rows, columns, SIDE: tl.constexpr):
    row = tl.program_id(1) * SIDE + tl.arange(0, SIDE)
    column = tl.program_id(0) * SIDE + tl.arange(0, SIDE)
    inside = (row < rows)[:, None] & (column < columns)[None, :]
    tile = tl.load(a + row[:, None] * columns + column[None, :], mask=inside)
    outside = (column < columns)[:, None] & (row < rows)[None, :]
    tl.store(b + column[:, None] * rows + row[None, :], tl.trans(tile), mask=outside)


def _empty(*shape: int) -> torch.Tensor:
    return torch.empty(shape, device="cuda")


def n_body(positions: torch.Tensor, masses: torch.Tensor) -> tuple[Run, Result]:
    pulls, n = torch.empty_like(positions), cases.BODIES
    softening = cases.SOFTENING**2
    return (
        lambda: n_body_kernel[(n // 64,)](positions, masses, pulls, n, softening, 64, 64),
        lambda: pulls,
    )


def histogram(values: torch.Tensor) -> tuple[Run, Result]:
    counts, n = torch.empty(256, device="cuda", dtype=torch.int32), cases.BYTES

    def run() -> None:
        counts.zero_()
        histogram_kernel[(n // (4096 * 32),)](values, counts, 4096, 32)

    return run, lambda: counts


def scan(x: torch.Tensor) -> tuple[Run, Result]:
    tile, result = 4096, torch.empty_like(x)

    def scanned(given: torch.Tensor, result: torch.Tensor) -> None:
        n = given.numel()
        tiles = triton.cdiv(n, tile)
        running = _empty(tiles)
        if tiles > 1:
            totals = _empty(tiles)
            sum_tiles[(tiles,)](given, totals, n, tile)
            scanned(totals, running)
        scan_tiles[(tiles,)](given, running, result, n, tile)

    return lambda: scanned(x, result), lambda: result


def heat_plate(before: torch.Tensor) -> tuple[Run, Result]:
    after, side = torch.empty_like(before), cases.PLATE
    grid = side // 256, side // 4
    return (
        lambda: heat_plate_kernel[grid](before, after, side, side, cases.RATIO, 4, 256),
        lambda: after,
    )


def heat_cube(before: torch.Tensor) -> tuple[Run, Result]:
    after, side = torch.empty_like(before), cases.CUBE
    grid, ratio = (side // 128, side // 8, side), cases.CUBE_RATIO
    return (
        lambda: heat_cube_kernel[grid](before, after, side, side, side, ratio, 8, 128),
        lambda: after,
    )


def black_scholes(*options: torch.Tensor) -> tuple[Run, Result]:
    results, n = _empty(2, cases.OPTIONS), cases.OPTIONS
    numbers = n, cases.RATE, cases.VOLATILITY
    return (
        lambda: price_kernel[(n // 1024,)](*options, results[0], results[1], *numbers, 1024),
        lambda: results,
    )


def mandelbrot() -> tuple[Run, Result]:
    steps = _empty(cases.HEIGHT, cases.WIDTH)
    sizes = cases.HEIGHT, cases.WIDTH, cases.LIMIT
    grid = cases.WIDTH // 32, cases.HEIGHT
    return lambda: mandelbrot_kernel[grid](steps, *sizes, 32, num_warps=1), lambda: steps


def sum_all(x: torch.Tensor) -> tuple[Run, Result]:
    blocks = cases.REDUCED // (1024 * 64)
    parts, result = _empty(blocks), _empty(1)

    def run() -> None:
        sum_kernel[(blocks,)](x, parts, cases.REDUCED, 1024, 64)
        sum_kernel[(1,)](parts, result, blocks, 1024, triton.cdiv(blocks, 1024))

    return run, lambda: result


def transpose(a: torch.Tensor) -> tuple[Run, Result]:
    result, side = torch.empty_like(a), cases.MATRIX
    grid = side // 64, side // 64
    return lambda: transpose_kernel[grid](a, result, side, side, 64), lambda: result


PROGRAMS = {
    "n-body": {"jit": n_body},
    "histogram": {"jit": histogram},
    "scan": {"jit": scan},
    "heat, 2-D": {"jit": heat_plate},
    "heat, 3-D": {"jit": heat_cube},
    "Black-Scholes": {"jit": black_scholes},
    "Mandelbrot": {"jit": mandelbrot},
    "sum": {"jit": sum_all},
    "transpose": {"jit": transpose},
}
"""Of each program, by the name of how it is written, what makes it from its inputs."""
