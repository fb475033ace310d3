"""The programs with Numba's CUDA, as its documentation writes them; ``fastmath`` is off."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

if not hasattr(np, "row_stack"):  # gone from NumPy 2.5; Numba 0.65 asks for it by name
    np.row_stack = np.vstack  # noqa: NPY201

from numba import cuda, float32, int32
from numba.cuda import libdevice

from programs import cases

Run = Callable[[], None]
Result = Callable[[], torch.Tensor]

FULL = 0xFFFFFFFF
EACH = 16
TILE = 256 * EACH
SOFTENING_2 = np.float32(cases.SOFTENING**2)
ZERO, HALF = np.float32(0), np.float32(0.5)
RATE, VOLATILITY = np.float32(cases.RATE), np.float32(cases.VOLATILITY)
DRIFT = np.float32(cases.RATE + cases.VOLATILITY**2 / 2)
ROOT = np.float32(math.sqrt(2))
PLATE_RATIO, CUBE_RATIO = np.float32(cases.RATIO), np.float32(cases.CUBE_RATIO)
FOUR, SIX = np.float32(4), np.float32(6)
LEFT, TOP = np.float32(cases.LEFT), np.float32(cases.TOP)
ACROSS, DOWN = np.float32(cases.RIGHT - cases.LEFT), np.float32(cases.TOP - cases.BOTTOM)
ESCAPED, TWO = np.float32(cases.ESCAPED), np.float32(2)


@cuda.jit
def n_body_kernel(positions: Any, masses: Any, pulls: Any) -> None:
    tile = cuda.shared.array((128, 4), float32)
    i, local, n = cuda.grid(1), cuda.threadIdx.x, masses.size
    mine = min(i, n - 1)
    x, y, z = positions[0, mine], positions[1, mine], positions[2, mine]
    px = py = pz = ZERO
    for first in range(0, n, 128):
        j = min(first + local, n - 1)
        tile[local, 0] = positions[0, j]
        tile[local, 1] = positions[1, j]
        tile[local, 2] = positions[2, j]
        tile[local, 3] = masses[j] if first + local < n else ZERO
        cuda.syncthreads()
        for k in range(128):
            dx, dy, dz = tile[k, 0] - x, tile[k, 1] - y, tile[k, 2] - z
            inverse = libdevice.rsqrtf(dx * dx + dy * dy + dz * dz + SOFTENING_2)
            strength = tile[k, 3] * inverse * inverse * inverse
            px += strength * dx
            py += strength * dy
            pz += strength * dz
        cuda.syncthreads()
    if i < n:
        pulls[0, i] = px
        pulls[1, i] = py
        pulls[2, i] = pz


@cuda.jit
def histogram_kernel(words: Any, counts: Any) -> None:
    mine = cuda.shared.array((8, 256), int32)
    local = cuda.threadIdx.x
    warp = local // 32
    for copy in range(8):
        mine[copy, local] = 0
    cuda.syncthreads()
    for i in range(cuda.grid(1), words.size, cuda.gridsize(1)):
        word = words[i]
        for byte in range(4):
            cuda.atomic.add(mine, (warp, (word >> (8 * byte)) & 255), 1)
    cuda.syncthreads()
    total = 0
    for copy in range(8):
        total += mine[copy, local]
    cuda.atomic.add(counts, local, total)


@cuda.jit
def zero_kernel(counts: Any) -> None:
    counts[cuda.grid(1)] = 0


@cuda.jit(device=True)
def warp_sum(x: Any) -> Any:
    x += cuda.shfl_xor_sync(FULL, x, 16)
    x += cuda.shfl_xor_sync(FULL, x, 8)
    x += cuda.shfl_xor_sync(FULL, x, 4)
    x += cuda.shfl_xor_sync(FULL, x, 2)
    x += cuda.shfl_xor_sync(FULL, x, 1)
    return x


@cuda.jit(device=True)
def warp_scan(x: Any, lane: Any) -> Any:
    offset = 1
    while offset < 32:
        other = cuda.shfl_up_sync(FULL, x, offset)
        if lane >= offset:
            x += other
        offset *= 2
    return x


@cuda.jit
def sum_tiles(x: Any, totals: Any) -> None:
    shared = cuda.shared.array(8, float32)
    warp, lane = cuda.threadIdx.x // 32, cuda.threadIdx.x % 32
    start = (cuda.blockIdx.x * 8 + warp) * EACH * 32 + lane
    total = ZERO
    for k in range(EACH):
        if start + 32 * k < x.size:
            total += x[start + 32 * k]
    total = warp_sum(total)
    if lane == 0:
        shared[warp] = total
    cuda.syncthreads()
    if cuda.threadIdx.x == 0:
        total = ZERO
        for k in range(8):
            total += shared[k]
        totals[cuda.blockIdx.x] = total


@cuda.jit
def scan_tiles(x: Any, running: Any, y: Any) -> None:
    shared = cuda.shared.array(8, float32)
    elements = cuda.local.array(EACH, float32)
    warp, lane = cuda.threadIdx.x // 32, cuda.threadIdx.x % 32
    start = (cuda.blockIdx.x * 8 + warp) * EACH * 32 + lane
    for k in range(EACH):
        elements[k] = x[start + 32 * k] if start + 32 * k < x.size else ZERO
    total = ZERO
    for k in range(EACH):
        elements[k] = total + warp_scan(elements[k], lane)
        total = cuda.shfl_sync(FULL, elements[k], 31)
    if lane == 0:
        shared[warp] = total
    cuda.syncthreads()
    before = running[cuda.blockIdx.x - 1] if cuda.blockIdx.x > 0 else ZERO
    for other in range(warp):
        before += shared[other]
    for k in range(EACH):
        if start + 32 * k < x.size:
            y[start + 32 * k] = before + elements[k]


@cuda.jit
def heat_plate_kernel(before: Any, after: Any) -> None:
    column, row = cuda.grid(2)
    height, width = before.shape
    if row < height and column < width:
        here = before[row, column]
        if row > 0 and row < height - 1 and column > 0 and column < width - 1:
            around = before[row, column - 1] + before[row, column + 1]
            around += before[row - 1, column] + before[row + 1, column]
            here += PLATE_RATIO * (around - FOUR * here)
        after[row, column] = here


@cuda.jit
def heat_cube_kernel(before: Any, after: Any) -> None:
    x, y, z = cuda.grid(3)
    depth, height, width = before.shape
    if x < width and y < height and z < depth:
        here = before[z, y, x]
        if (x > 0 and x < width - 1 and y > 0) and y < height - 1 and (z > 0 and z < depth - 1):
            around = before[z, y, x - 1] + before[z, y, x + 1]
            around += before[z, y - 1, x] + before[z, y + 1, x]
            around += before[z - 1, y, x] + before[z + 1, y, x]
            here += CUBE_RATIO * (around - SIX * here)
        after[z, y, x] = here


@cuda.jit
def price_kernel(spots: Any, strikes: Any, years: Any, calls: Any, puts: Any) -> None:
    i = cuda.grid(1)
    if i < spots.size:
        spot, strike, time = spots[i], strikes[i], years[i]
        spread = VOLATILITY * math.sqrt(time)
        d1 = (math.log(spot / strike) + DRIFT * time) / spread
        d2 = d1 - spread
        discounted = strike * math.exp(-RATE * time)
        calls[i] = spot * (HALF * math.erfc(-d1 / ROOT)) - discounted * (
            HALF * math.erfc(-d2 / ROOT)
        )
        puts[i] = discounted * (HALF * math.erfc(d2 / ROOT)) - spot * (HALF * math.erfc(d1 / ROOT))


@cuda.jit
def mandelbrot_kernel(steps: Any, limit: Any) -> None:
    column, row = cuda.grid(2)
    height, width = steps.shape
    if row < height and column < width:
        real = LEFT + ACROSS * (np.float32(column) + HALF) / np.float32(width)
        imaginary = TOP - DOWN * (np.float32(row) + HALF) / np.float32(height)
        x = y = ZERO
        result = np.float32(limit)
        for step in range(limit):
            x, y = x * x - y * y + real, TWO * x * y + imaginary
            if x * x + y * y > ESCAPED:
                result = np.float32(step + 1) - math.log2(HALF * math.log(x * x + y * y))
                break
        steps[row, column] = result


@cuda.jit
def sum_kernel(x: Any, parts: Any) -> None:
    shared = cuda.shared.array(8, float32)
    lane = cuda.threadIdx.x % 32
    total = ZERO
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        total += x[i]
    total = warp_sum(total)
    if lane == 0:
        shared[cuda.threadIdx.x // 32] = total
    cuda.syncthreads()
    total = warp_sum(shared[lane] if lane < 8 else ZERO)
    if cuda.threadIdx.x == 0:
        parts[cuda.blockIdx.x] = total


@cuda.jit
def transpose_kernel(a: Any, b: Any) -> None:
    tile = cuda.shared.array((32, 33), float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    row, column = 32 * cuda.blockIdx.y + y, 32 * cuda.blockIdx.x + x
    for k in range(0, 32, 8):
        if row + k < a.shape[0] and column < a.shape[1]:
            tile[y + k, x] = a[row + k, column]
    cuda.syncthreads()
    row, column = 32 * cuda.blockIdx.x + y, 32 * cuda.blockIdx.y + x
    for k in range(0, 32, 8):
        if row + k < b.shape[0] and column < b.shape[1]:
            b[row + k, column] = tile[x, y + k]


def _array(tensor: torch.Tensor) -> Any:
    return cuda.as_cuda_array(tensor)


def _empty(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.empty(shape, device="cuda", dtype=dtype)


def _blocks() -> int:
    return 8 * torch.cuda.get_device_properties(0).multi_processor_count


def n_body(positions: torch.Tensor, masses: torch.Tensor) -> tuple[Run, Result]:
    pulls = _empty(3, cases.BODIES)
    run = n_body_kernel[-(-cases.BODIES // 128), 128]
    arguments = _array(positions), _array(masses), _array(pulls)
    return lambda: run(*arguments), lambda: pulls


def histogram(values: torch.Tensor) -> tuple[Run, Result]:
    counts = _empty(256, dtype=torch.int32)
    words, found = _array(values).view(np.uint32), _array(counts)
    zero, count = zero_kernel[1, 256], histogram_kernel[_blocks(), 256]

    def run() -> None:
        zero(found)
        count(words, found)

    return run, lambda: counts


def scan(x: torch.Tensor) -> tuple[Run, Result]:
    result = _empty(cases.SCANNED)
    sizes = [cases.SCANNED]
    while sizes[-1] > 1:
        sizes.append(-(-sizes[-1] // TILE))
    given = [_array(x), *(_array(_empty(size)) for size in sizes[1:])]
    results = [_array(result), *(_array(_empty(size)) for size in sizes[1:])]

    def scanned(level: int) -> None:
        tiles = sizes[level + 1]
        if tiles > 1:
            sum_tiles[tiles, 256](given[level], given[level + 1])
            scanned(level + 1)
        scan_tiles[tiles, 256](given[level], results[level + 1], results[level])

    return lambda: scanned(0), lambda: result


def heat_plate(before: torch.Tensor) -> tuple[Run, Result]:
    after = torch.empty_like(before)
    run, arguments = (
        heat_plate_kernel[(cases.PLATE // 64, cases.PLATE // 4), (64, 4)],
        (before, after),
    )
    given = [_array(x) for x in arguments]
    return lambda: run(*given), lambda: after


def heat_cube(before: torch.Tensor) -> tuple[Run, Result]:
    after, side = torch.empty_like(before), cases.CUBE
    run = heat_cube_kernel[(side // 64, side // 4, side), (64, 4, 1)]
    given = [_array(x) for x in (before, after)]
    return lambda: run(*given), lambda: after


def black_scholes(*options: torch.Tensor) -> tuple[Run, Result]:
    results = _empty(2, cases.OPTIONS)
    given = [_array(x) for x in (*options, results[0], results[1])]
    run = price_kernel[-(-cases.OPTIONS // 256), 256]
    return lambda: run(*given), lambda: results


def mandelbrot() -> tuple[Run, Result]:
    steps = _empty(cases.HEIGHT, cases.WIDTH)
    run, given = mandelbrot_kernel[(cases.WIDTH // 32, cases.HEIGHT // 8), (32, 8)], _array(steps)
    return lambda: run(given, cases.LIMIT), lambda: steps


def sum_all(x: torch.Tensor) -> tuple[Run, Result]:
    blocks = _blocks()
    parts, result = _empty(blocks), _empty(1)
    given, middle, last = _array(x), _array(parts), _array(result)

    def run() -> None:
        sum_kernel[blocks, 256](given, middle)
        sum_kernel[1, 256](middle, last)

    return run, lambda: result


def transpose(a: torch.Tensor) -> tuple[Run, Result]:
    result, side = torch.empty_like(a), cases.MATRIX
    run, given = transpose_kernel[(side // 32, side // 32), (32, 8)], [_array(a), _array(result)]
    return lambda: run(*given), lambda: result


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
