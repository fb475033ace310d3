"""The programs with CuPy: CUDA C++ in raw kernels as CUDA's samples have it, and CuPy's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cupy
import numpy as np
import torch

from programs import cases

Run = Callable[[], None]
Result = Callable[[], torch.Tensor]

SOURCE = r"""
extern "C" __global__ void n_body(const float* __restrict__ positions,
                                  const float* __restrict__ masses,
                                  float* __restrict__ pulls, int n, float softening2) {
    __shared__ float4 tile[128];
    int i = blockIdx.x * 128 + threadIdx.x;
    int mine = min(i, n - 1);
    float x = positions[mine], y = positions[n + mine], z = positions[2 * n + mine];
    float px = 0, py = 0, pz = 0;
    for (int first = 0; first < n; first += 128) {
        int j = min(first + int(threadIdx.x), n - 1);
        float mass = first + int(threadIdx.x) < n ? masses[j] : 0.0f;
        tile[threadIdx.x] = make_float4(positions[j], positions[n + j], positions[2 * n + j], mass);
        __syncthreads();
        #pragma unroll 32
        for (int k = 0; k < 128; ++k) {
            float4 body = tile[k];
            float dx = body.x - x, dy = body.y - y, dz = body.z - z;
            float inverse = rsqrtf(dx * dx + dy * dy + dz * dz + softening2);
            float strength = body.w * inverse * inverse * inverse;
            px += strength * dx;
            py += strength * dy;
            pz += strength * dz;
        }
        __syncthreads();
    }
    if (i < n) {
        pulls[i] = px;
        pulls[n + i] = py;
        pulls[2 * n + i] = pz;
    }
}

extern "C" __global__ void histogram(const uint4* __restrict__ words, int* counts, int n) {
    __shared__ int mine[8][256];
    int warp = threadIdx.x / 32;
    for (int copy = 0; copy < 8; ++copy) mine[copy][threadIdx.x] = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
        uint4 piece = words[i];
        unsigned parts[4] = {piece.x, piece.y, piece.z, piece.w};
        #pragma unroll
        for (int p = 0; p < 4; ++p)
            #pragma unroll
            for (int byte = 0; byte < 4; ++byte)
                atomicAdd(&mine[warp][parts[p] >> 8 * byte & 255], 1);
    }
    __syncthreads();
    int total = 0;
    for (int copy = 0; copy < 8; ++copy) total += mine[copy][threadIdx.x];
    atomicAdd(&counts[threadIdx.x], total);
}

#define EACH 16
__device__ float warp_scan(float x) {
    for (int offset = 1; offset < 32; offset *= 2) {
        float other = __shfl_up_sync(~0u, x, offset);
        if (threadIdx.x % 32 >= offset) x += other;
    }
    return x;
}

__device__ float warp_sum(float x) {
    for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(~0u, x, offset);
    return x;
}

extern "C" __global__ void sum_tiles(const float* __restrict__ x, float* totals, int n) {
    __shared__ float shared[8];
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    int start = (blockIdx.x * 8 + warp) * EACH * 32 + lane;
    float total = 0;
    #pragma unroll
    for (int k = 0; k < EACH; ++k) total += start + 32 * k < n ? x[start + 32 * k] : 0;
    total = warp_sum(total);
    if (lane == 0) shared[warp] = total;
    __syncthreads();
    if (threadIdx.x == 0) {
        float sum = 0;
        for (int k = 0; k < 8; ++k) sum += shared[k];
        totals[blockIdx.x] = sum;
    }
}

extern "C" __global__ void scan_tiles(const float* __restrict__ x,
                                      const float* __restrict__ running,
                                      float* __restrict__ y, int n) {
    __shared__ float shared[8];
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    int start = (blockIdx.x * 8 + warp) * EACH * 32 + lane;
    float elements[EACH], total = 0;
    #pragma unroll
    for (int k = 0; k < EACH; ++k) elements[k] = start + 32 * k < n ? x[start + 32 * k] : 0;
    #pragma unroll
    for (int k = 0; k < EACH; ++k) {
        elements[k] = total + warp_scan(elements[k]);
        total = __shfl_sync(~0u, elements[k], 31);
    }
    if (lane == 0) shared[warp] = total;
    __syncthreads();
    float before = blockIdx.x > 0 ? running[blockIdx.x - 1] : 0;
    for (int other = 0; other < warp; ++other) before += shared[other];
    #pragma unroll
    for (int k = 0; k < EACH; ++k)
        if (start + 32 * k < n) y[start + 32 * k] = before + elements[k];
}

extern "C" __global__ void heat_plate(const float* __restrict__ before,
                                      float* __restrict__ after, int height, int width) {
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    int first = 4 * (blockIdx.y * blockDim.y + threadIdx.y);
    if (column >= width) return;
    #pragma unroll
    for (int k = 0; k < 4; ++k) {
        int row = first + k;
        if (row >= height) return;
        float here = before[row * width + column];
        if (0 < row && row < height - 1 && 0 < column && column < width - 1) {
            float around = before[row * width + column - 1] + before[row * width + column + 1] +
                           before[(row - 1) * width + column] + before[(row + 1) * width + column];
            here += 0.24f * (around - 4 * here);
        }
        after[row * width + column] = here;
    }
}

extern "C" __global__ void heat_cube(const float* __restrict__ before, float* __restrict__ after,
                                     int depth, int height, int width) {
    int x = blockIdx.x * blockDim.x + threadIdx.x;
    int y = blockIdx.y * blockDim.y + threadIdx.y;
    int first = 8 * blockIdx.z, plane = height * width;
    if (x >= width || y >= height) return;
    bool inside = 0 < x && x < width - 1 && 0 < y && y < height - 1;
    const float* cell = before + first * plane + y * width + x;
    float above = first > 0 ? cell[-plane] : 0, here = cell[0];
    #pragma unroll
    for (int k = 0; k < 8; ++k) {
        int z = first + k;
        if (z >= depth) return;
        float below = z < depth - 1 ? cell[plane] : 0;
        float result = here;
        if (inside && 0 < z && z < depth - 1) {
            float around = cell[-1] + cell[1] + cell[-width] + cell[width];
            result += 0.12f * (around + above + below - 6 * here);
        }
        after[z * plane + y * width + x] = result;
        above = here;
        here = below;
        cell += plane;
    }
}

extern "C" __global__ void mandelbrot(float* steps, int height, int width, int limit) {
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    int row = blockIdx.y * blockDim.y + threadIdx.y;
    if (column >= width || row >= height) return;
    float real = -2.2f + 3.0f * (column + 0.5f) / width;
    float imaginary = 1.25f - 2.5f * (row + 0.5f) / height;
    float x = 0, y = 0, result = limit;
    for (int step = 0; step < limit; ++step) {
        float next = x * x - y * y + real;
        y = 2 * x * y + imaginary;
        x = next;
        if (x * x + y * y > 256.0f) {
            result = step + 1 - log2f(0.5f * logf(x * x + y * y));
            break;
        }
    }
    steps[row * width + column] = result;
}

extern "C" __global__ void sum(const float* __restrict__ x, float* parts, int n) {
    __shared__ float shared[8];
    float total = 0;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        total += x[i];
    total = warp_sum(total);
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = total;
    __syncthreads();
    total = threadIdx.x % 32 < 8 ? shared[threadIdx.x % 32] : 0;
    total = warp_sum(total);
    if (threadIdx.x == 0) parts[blockIdx.x] = total;
}

extern "C" __global__ void transpose(const float* __restrict__ a, float* __restrict__ b,
                                     int rows, int columns) {
    __shared__ float tile[32][33];
    int row = 32 * blockIdx.y + threadIdx.y, column = 32 * blockIdx.x + threadIdx.x;
    #pragma unroll
    for (int k = 0; k < 32; k += 8)
        if (row + k < rows && column < columns)
            tile[threadIdx.y + k][threadIdx.x] = a[(row + k) * columns + column];
    __syncthreads();
    row = 32 * blockIdx.x + threadIdx.y;
    column = 32 * blockIdx.y + threadIdx.x;
    #pragma unroll
    for (int k = 0; k < 32; k += 8)
        if (row + k < columns && column < rows)
            b[(row + k) * rows + column] = tile[threadIdx.x][threadIdx.y + k];
}
"""
_MODULE = cupy.RawModule(code=SOURCE)

BLACK_SCHOLES = cupy.ElementwiseKernel(
    "T spot, T strike, T years, T rate, T volatility",
    "T call, T put",
    """
    T spread = volatility * sqrt(years);
    T d1 = (log(spot / strike) + (rate + T(0.5) * volatility * volatility) * years) / spread;
    T d2 = d1 - spread;
    T discounted = strike * exp(-rate * years), half = T(0.5), root = T(1.4142135623730951);
    call = spot * (half * erfc(-d1 / root)) - discounted * (half * erfc(-d2 / root));
    put = discounted * (half * erfc(d2 / root)) - spot * (half * erfc(d1 / root));
    """,
    "black_scholes",
)


def _array(tensor: torch.Tensor) -> Any:
    return cupy.from_dlpack(tensor)


def _tensor(array: Any) -> torch.Tensor:
    return torch.from_dlpack(array)


def _kernel(name: str) -> Any:
    return _MODULE.get_function(name)


def _int(value: int) -> Any:
    return np.int32(value)


def n_body(positions: torch.Tensor, masses: torch.Tensor) -> tuple[Run, Result]:
    x, m = _array(positions), _array(masses)
    pulls, kernel = cupy.empty_like(x), _kernel("n_body")
    arguments = (x, m, pulls, _int(cases.BODIES), np.float32(cases.SOFTENING**2))
    blocks = -(-cases.BODIES // 128)
    return lambda: kernel((blocks,), (128,), arguments), lambda: _tensor(pulls)


def _blocks() -> int:
    return 8 * torch.cuda.get_device_properties(0).multi_processor_count


def histogram(values: torch.Tensor) -> tuple[Run, Result]:
    x, counts, kernel = _array(values), cupy.zeros(256, "i4"), _kernel("histogram")
    blocks, pieces = _blocks(), _int(cases.BYTES // 16)

    def run() -> None:
        counts.fill(0)
        kernel((blocks,), (256,), (x, counts, pieces))

    return run, lambda: _tensor(counts)


def histogram_by_function(values: torch.Tensor) -> tuple[Run, Result]:
    x, found = _array(values), []

    def run() -> None:
        found[:] = [cupy.bincount(x, minlength=256)]

    return run, lambda: _tensor(found[0])


def scan(x: torch.Tensor) -> tuple[Run, Result]:
    given, result = _array(x), cupy.empty(cases.SCANNED, "f4")
    sum_tiles, scan_tiles = _kernel("sum_tiles"), _kernel("scan_tiles")

    def scanned(given: Any, result: Any) -> None:
        count, tiles = given.size, -(-given.size // 4096)
        running = cupy.empty(tiles, "f4")
        if tiles > 1:
            totals = cupy.empty(tiles, "f4")
            sum_tiles((tiles,), (256,), (given, totals, _int(count)))
            scanned(totals, running)
        scan_tiles((tiles,), (256,), (given, running, result, _int(count)))

    return lambda: scanned(given, result), lambda: _tensor(result)


def scan_by_function(x: torch.Tensor) -> tuple[Run, Result]:
    given, result = _array(x), cupy.empty(cases.SCANNED, "f4")

    def run() -> None:
        cupy.cumsum(given, out=result)

    return run, lambda: _tensor(result)


def heat_plate(before: torch.Tensor) -> tuple[Run, Result]:
    given, kernel = _array(before), _kernel("heat_plate")
    after, side = cupy.empty_like(given), cases.PLATE
    arguments = (given, after, _int(side), _int(side))
    return (
        lambda: kernel((side // 64, side // 16), (64, 4), arguments),
        lambda: _tensor(after),
    )


def heat_cube(before: torch.Tensor) -> tuple[Run, Result]:
    given, kernel = _array(before), _kernel("heat_cube")
    after, side = cupy.empty_like(given), cases.CUBE
    arguments = (given, after, _int(side), _int(side), _int(side))
    blocks = (side // 64, side // 4, side // 8)
    return lambda: kernel(blocks, (64, 4), arguments), lambda: _tensor(after)


def black_scholes(*options: torch.Tensor) -> tuple[Run, Result]:
    given = [_array(x) for x in options]
    calls, puts = (cupy.empty(cases.OPTIONS, "f4") for _ in range(2))
    rate, volatility = np.float32(cases.RATE), np.float32(cases.VOLATILITY)
    return (
        lambda: BLACK_SCHOLES(*given, rate, volatility, calls, puts),
        lambda: torch.stack([_tensor(calls), _tensor(puts)]),
    )


def mandelbrot() -> tuple[Run, Result]:
    steps, kernel = cupy.empty((cases.HEIGHT, cases.WIDTH), "f4"), _kernel("mandelbrot")
    arguments = (steps, _int(cases.HEIGHT), _int(cases.WIDTH), _int(cases.LIMIT))
    blocks = cases.WIDTH // 32, cases.HEIGHT // 8
    return lambda: kernel(blocks, (32, 8), arguments), lambda: _tensor(steps)


def sum_all(x: torch.Tensor) -> tuple[Run, Result]:
    given, blocks, kernel = _array(x), _blocks(), _kernel("sum")
    parts, result = cupy.empty(blocks, "f4"), cupy.empty(1, "f4")

    def run() -> None:
        kernel((blocks,), (256,), (given, parts, _int(cases.REDUCED)))
        kernel((1,), (256,), (parts, result, _int(blocks)))

    return run, lambda: _tensor(result)


def sum_by_function(x: torch.Tensor) -> tuple[Run, Result]:
    given, found = _array(x), []

    def run() -> None:
        found[:] = [given.sum()]

    return run, lambda: _tensor(found[0])


def transpose(a: torch.Tensor) -> tuple[Run, Result]:
    given, kernel, side = _array(a), _kernel("transpose"), cases.MATRIX
    result = cupy.empty((side, side), "f4")
    arguments = (given, result, _int(side), _int(side))
    return (
        lambda: kernel((side // 32, side // 32), (32, 8), arguments),
        lambda: _tensor(result),
    )


def transpose_by_function(a: torch.Tensor) -> tuple[Run, Result]:
    given, found = _array(a), []

    def run() -> None:
        found[:] = [cupy.ascontiguousarray(given.T)]

    return run, lambda: _tensor(found[0])


PROGRAMS = {
    "n-body": {"RawKernel": n_body},
    "histogram": {"RawKernel": histogram, "bincount": histogram_by_function},
    "scan": {"RawKernel": scan, "cumsum": scan_by_function},
    "heat, 2-D": {"RawKernel": heat_plate},
    "heat, 3-D": {"RawKernel": heat_cube},
    "Black-Scholes": {"ElementwiseKernel": black_scholes},
    "Mandelbrot": {"RawKernel": mandelbrot},
    "sum": {"RawKernel": sum_all, "sum": sum_by_function},
    "transpose": {"RawKernel": transpose, "ascontiguousarray": transpose_by_function},
}
"""Of each program, by the name of how it is written, what makes it from its inputs."""
