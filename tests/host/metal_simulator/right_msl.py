"""Right Metal kernels, written by hand as users write them, with what they must compute.

Each source text is compiled once; its cases say how its kernels are launched. A case's `make` gives
the arguments in the order of their buffer indices, and for some of these indices the array that must
be there afterwards.
"""

# ruff: noqa: E501 - the lines of kernels are as long as their writers made them

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np

Array = np.ndarray[Any, Any]
Made = tuple[list[Any], dict[int, Array]]


@dataclass(frozen=True)
class Case:
    """One launch of a kernel.

    Args:
        name: Unique.
        source: Metal Shading Language.
        make: Gives new arguments, and the arrays expected by buffer index.
        grid: Threads of the grid.
        threads: Threads of a threadgroup.
        kernel: The function's name; else the case's.
        threadgroup_bytes: Lengths by `[[threadgroup(n)]]`.
        constants: Values of function constants.
        tolerance: The greatest right difference, relative to the greatest magnitude expected; 0: the
            same bits.
    """

    name: str
    source: str
    make: Callable[[], Made]
    grid: Any
    threads: Any
    kernel: str = ""
    threadgroup_bytes: Mapping[int, int] = field(default_factory=dict)
    constants: Mapping[int | str, object] = field(default_factory=dict)
    tolerance: float = 0.0

    @property
    def function(self) -> str:
        return self.kernel or self.name


CASES: list[Case] = []


def case(source: str, **fields: Any) -> Callable[[Callable[[], Made]], Callable[[], Made]]:
    """Makes a case of the function below, whose name the case bears."""

    def add(make: Callable[[], Made]) -> Callable[[], Made]:
        CASES.append(Case(make.__name__, source, make, **fields))
        return make

    return add


def mismatch(arrays: list[Any], expected: Mapping[int, Array], tolerance: float) -> str:
    """What is wrong in the arrays that a launch wrote; empty when nothing is."""
    for index, right in expected.items():
        found = arrays[index]
        if found.shape != right.shape:
            return f"buffer {index}: shape {found.shape}, expected {right.shape}"
        if tolerance == 0.0:
            wrong = (found != right) & ~((found != found) & (right != right))  # noqa: PLR0124 - NaN
        else:
            exact, real = right.astype(np.float64), found.astype(np.float64)
            scale = float(np.max(np.abs(exact[np.isfinite(exact)]), initial=1e-30))
            wrong = ~np.isclose(real, exact, rtol=0.0, atol=tolerance * scale, equal_nan=True)
        if np.any(wrong):
            first = tuple(int(i) for i in np.argwhere(wrong)[0])
            return (
                f"buffer {index}: {int(np.sum(wrong))} of {wrong.size} elements differ, the first at "
                f"{first}: {found[first]}, expected {right[first]}"
            )
    return ""


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def floats(*shape: int, seed: int = 0, dtype: Any = np.float32) -> Array:
    return random(seed).standard_normal(shape).astype(dtype)


HEADER = "#include <metal_stdlib>\nusing namespace metal;\n"

# --- One element a thread ------------------------------------------------------------------------

ELEMENTS = (
    HEADER
    + """
struct Scaling { float alpha; uint n; };

kernel void vector_add(device const float* a [[buffer(0)]], device const float* b [[buffer(1)]],
                       device float* c [[buffer(2)]], constant uint& n [[buffer(3)]],
                       uint i [[thread_position_in_grid]]) {
  if (i < n) c[i] = a[i] + b[i];
}

kernel void saxpy(constant Scaling& scaling [[buffer(0)]], device const float* x [[buffer(1)]],
                  device float* y [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  Scaling own = scaling;
  if (i >= own.n) return;
  y[i] = fma(own.alpha, x[i], y[i]);
}

// Each operation is rounded to half by itself.
kernel void half_steps(device const half* a [[buffer(0)]], device const half* b [[buffer(1)]],
                       device half* out [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  half product = a[i] * b[i];
  out[i] = product + 0.1h;
}

kernel void bfloat_steps(device const bfloat* a [[buffer(0)]], device const bfloat* b [[buffer(1)]],
                         device bfloat* out [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  bfloat product = a[i] * b[i];
  out[i] = product + bfloat(0.5f);
}

kernel void mandelbrot(device uint* out [[buffer(0)]], constant uint2& size [[buffer(1)]],
                       uint2 p [[thread_position_in_grid]]) {
  float2 c = float2(p) / float2(size) * float2(3.0, 2.0) - float2(2.0, 1.0);
  float2 z = 0;
  uint turns = 0;
  while (turns < 50 && dot(z, z) <= 4.0) {
    z = float2(z.x * z.x - z.y * z.y, 2.0 * z.x * z.y) + c;
    ++turns;
  }
  out[p.y * size.x + p.x] = turns;
}

kernel void life(device const uchar* cells [[buffer(0)]], device uchar* next [[buffer(1)]],
                 constant int2& size [[buffer(2)]], uint2 position [[thread_position_in_grid]]) {
  int2 p = int2(position);
  int alive = 0;
  for (int dy = -1; dy <= 1; ++dy)
    for (int dx = -1; dx <= 1; ++dx) {
      int2 q = (p + int2(dx, dy) + size) % size;
      if (dx != 0 || dy != 0) alive += cells[q.y * size.x + q.x];
    }
  uchar self = cells[p.y * size.x + p.x];
  next[p.y * size.x + p.x] = (alive == 3 || (alive == 2 && self)) ? 1 : 0;
}

// A row of a sparse matrix a thread: rows of unequal length.
kernel void sparse_times_vector(device const uint* starts [[buffer(0)]],
                                device const uint* columns [[buffer(1)]],
                                device const float* values [[buffer(2)]],
                                device const float* x [[buffer(3)]], device float* y [[buffer(4)]],
                                uint row [[thread_position_in_grid]]) {
  float sum = 0;
  for (uint k = starts[row]; k < starts[row + 1]; ++k) sum += values[k] * x[columns[k]];
  y[row] = sum;
}

kernel void wide_integers(device const long* a [[buffer(0)]], device const ulong* b [[buffer(1)]],
                          device long* out [[buffer(2)]], device ulong* high [[buffer(3)]],
                          uint i [[thread_position_in_grid]]) {
  out[i] = a[i] * 3l - (a[i] >> 7) + long(popcount(b[i]));
  high[i] = (b[i] << 3) | (b[i] >> 61);
}
"""
)


@case(ELEMENTS, grid=1000 + 24, threads=64)
def vector_add() -> Made:
    a, b = floats(1000), floats(1000, seed=1)
    return [a, b, np.zeros(1000, np.float32), np.uint32(1000)], {2: a + b}


@case(ELEMENTS, grid=100, threads=32)
def saxpy() -> Made:
    scaling = np.array([(1.5, 100)], [("alpha", np.float32), ("n", np.uint32)])
    x, y = floats(100), floats(100, seed=1)
    exact = (np.float64(1.5) * x.astype(np.float64) + y.astype(np.float64)).astype(np.float32)
    return [scaling.tobytes(), x, y.copy()], {2: exact}


@case(ELEMENTS, grid=512, threads=128)
def half_steps() -> Made:
    a, b = floats(512, dtype=np.float16), floats(512, seed=1, dtype=np.float16)
    return [a, b, np.zeros(512, np.float16)], {2: a * b + np.float16(0.1)}


@case(ELEMENTS, grid=512, threads=128)
def bfloat_steps() -> Made:
    kind = ml_dtypes.bfloat16
    a, b = floats(512).astype(kind), floats(512, seed=1).astype(kind)
    right = a * b + kind(0.5)
    return (
        [a.view(np.uint16), b.view(np.uint16), np.zeros(512, np.uint16)],
        {2: right.view(np.uint16)},
    )


@case(ELEMENTS, grid=(40, 20), threads=(8, 4))
def mandelbrot() -> Made:
    one = np.float32(1)
    x = (np.arange(40, dtype=np.float32) / np.float32(40) * np.float32(3) - 2 * one)[None, :]
    y = (np.arange(20, dtype=np.float32) / np.float32(20) * np.float32(2) - one)[:, None]
    zx, zy = np.zeros((20, 40), np.float32), np.zeros((20, 40), np.float32)
    turns = np.zeros((20, 40), np.uint32)
    for _ in range(50):
        go = zx * zx + zy * zy <= 4
        zx, zy = (
            np.where(go, zx * zx - zy * zy + x, zx),
            np.where(go, np.float32(2) * zx * zy + y, zy),
        )
        turns += go
    return [np.zeros((20, 40), np.uint32), np.array([40, 20], np.uint32)], {0: turns}


@case(ELEMENTS, grid=(30, 17), threads=(16, 8))
def life() -> Made:
    cells = random().integers(0, 2, (17, 30)).astype(np.uint8)
    shifts = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
    alive = sum(np.roll(cells, shift, (0, 1)).astype(int) for shift in shifts)
    right = ((alive == 3) | ((alive == 2) & (cells == 1))).astype(np.uint8)
    return [cells, np.zeros_like(cells), np.array([30, 17], np.int32)], {1: right}


@case(ELEMENTS, grid=51, threads=32, tolerance=1e-6)
def sparse_times_vector() -> Made:
    dense = floats(51, 40) * (random(1).random((51, 40)) < 0.2)
    rows, columns = np.nonzero(dense)
    starts = np.searchsorted(rows, np.arange(52)).astype(np.uint32)
    x = floats(40, seed=2)
    arguments = [
        starts,
        columns.astype(np.uint32),
        dense[rows, columns],
        x,
        np.zeros(51, np.float32),
    ]
    return arguments, {4: dense @ x}


@case(ELEMENTS, grid=64, threads=32)
def wide_integers() -> Made:
    a = random().integers(-(2**63), 2**63 - 1, 64, dtype=np.int64)
    b = random(1).integers(0, 2**64 - 1, 64, dtype=np.uint64)
    out = a * np.int64(3) - (a >> np.int64(7)) + np.bitwise_count(b).astype(np.int64)
    high = (b << np.uint64(3)) | (b >> np.uint64(61))
    return [a, b, np.zeros(64, np.int64), np.zeros(64, np.uint64)], {2: out, 3: high}


# --- Threadgroup memory --------------------------------------------------------------------------

TILES = (
    HEADER
    + """
constant constexpr uint TILE = 16;
struct Sizes { uint M, N, K; };

kernel void matmul(device const float* A [[buffer(0)]], device const float* B [[buffer(1)]],
                   device float* C [[buffer(2)]], constant Sizes& sizes [[buffer(3)]],
                   uint2 local [[thread_position_in_threadgroup]],
                   uint2 group [[threadgroup_position_in_grid]]) {
  threadgroup float a[TILE][TILE];
  threadgroup float b[TILE][TILE + 1];
  uint row = group.y * TILE + local.y, column = group.x * TILE + local.x;
  float sum = 0;
  for (uint k0 = 0; k0 < sizes.K; k0 += TILE) {
    a[local.y][local.x] = (row < sizes.M && k0 + local.x < sizes.K) ? A[row * sizes.K + k0 + local.x] : 0.0f;
    b[local.y][local.x] = (k0 + local.y < sizes.K && column < sizes.N) ? B[(k0 + local.y) * sizes.N + column] : 0.0f;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint k = 0; k < TILE; ++k) sum = fma(a[local.y][k], b[k][local.x], sum);
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  if (row < sizes.M && column < sizes.N) C[row * sizes.N + column] = sum;
}

kernel void transpose(device const float* in [[buffer(0)]], device float* out [[buffer(1)]],
                      constant uint2& size [[buffer(2)]],
                      uint2 local [[thread_position_in_threadgroup]],
                      uint2 group [[threadgroup_position_in_grid]]) {
  threadgroup float tile[TILE][TILE + 1];
  uint x = group.x * TILE + local.x, y = group.y * TILE + local.y;
  if (x < size.x && y < size.y) tile[local.y][local.x] = in[y * size.x + x];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  x = group.y * TILE + local.x;
  y = group.x * TILE + local.y;
  if (x < size.y && y < size.x) out[y * size.y + x] = tile[local.x][local.y];
}

kernel void reduce_sum(device const float* x [[buffer(0)]], device atomic_float* out [[buffer(1)]],
                       constant uint& n [[buffer(2)]], uint i [[thread_position_in_grid]],
                       uint lane [[thread_index_in_simdgroup]],
                       uint simdgroup [[simdgroup_index_in_threadgroup]],
                       uint simdgroups [[simdgroups_per_threadgroup]]) {
  threadgroup float part[32];
  float v = i < n ? x[i] : 0.0f;
  v = simd_sum(v);
  if (lane == 0) part[simdgroup] = v;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (simdgroup == 0) {
    v = lane < simdgroups ? part[lane] : 0.0f;
    v = simd_sum(v);
    if (lane == 0) atomic_fetch_add_explicit(out, v, memory_order_relaxed);
  }
}

kernel void reduce_tree(device const int* x [[buffer(0)]], device int* out [[buffer(1)]],
                        uint lid [[thread_position_in_threadgroup]],
                        uint size [[threads_per_threadgroup]],
                        uint group [[threadgroup_position_in_grid]]) {
  threadgroup int part[256];
  part[lid] = x[group * size + lid];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (uint step = size / 2; step > 0; step /= 2) {
    if (lid < step) part[lid] = max(part[lid], part[lid + step]);
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  if (lid == 0) out[group] = part[0];
}

kernel void histogram(device const uchar* x [[buffer(0)]], device atomic_uint* bins [[buffer(1)]],
                      constant uint& n [[buffer(2)]], uint i [[thread_position_in_grid]],
                      uint lid [[thread_position_in_threadgroup]],
                      uint threads [[threads_per_threadgroup]], uint grid [[threads_per_grid]]) {
  threadgroup atomic_uint own[256];
  for (uint b = lid; b < 256; b += threads) atomic_store_explicit(&own[b], 0, memory_order_relaxed);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (uint j = i; j < n; j += grid) atomic_fetch_add_explicit(&own[x[j]], 1u, memory_order_relaxed);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (uint b = lid; b < 256; b += threads) {
    uint v = atomic_load_explicit(&own[b], memory_order_relaxed);
    if (v) atomic_fetch_add_explicit(&bins[b], v, memory_order_relaxed);
  }
}

constant int RADIUS [[function_constant(0)]];
constant float BIAS [[function_constant(1)]];
constant bool HAS_BIAS = is_function_constant_defined(BIAS);

kernel void conv1d(device const half* x [[buffer(0)]], constant float* weights [[buffer(1)]],
                   device half* y [[buffer(2)]], constant int& n [[buffer(3)]],
                   threadgroup float* tile [[threadgroup(0)]],
                   uint position [[thread_position_in_grid]],
                   uint local [[thread_position_in_threadgroup]],
                   uint size [[threads_per_threadgroup]]) {
  int i = position, lid = local, threads = size;
  int base = i - lid - RADIUS;
  for (int t = lid; t < threads + 2 * RADIUS; t += threads) {
    int g = base + t;
    tile[t] = (g >= 0 && g < n) ? float(x[g]) : 0.0f;
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (i < n) {
    float s = HAS_BIAS ? BIAS : 0.0f;
    for (int k = 0; k <= 2 * RADIUS; ++k) s += weights[k] * tile[lid + k];
    y[i] = half(s);
  }
}

// Sorts 256 keys, each with its place, in threadgroup memory.
kernel void bitonic_sort(device float* keys [[buffer(0)]], device uint* places [[buffer(1)]],
                         uint lid [[thread_position_in_threadgroup]],
                         uint group [[threadgroup_position_in_grid]]) {
  threadgroup float key[256];
  threadgroup ushort place[256];
  key[lid] = keys[group * 256 + lid];
  place[lid] = ushort(lid);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (uint k = 2; k <= 256; k *= 2)
    for (uint j = k / 2; j > 0; j /= 2) {
      uint other = lid ^ j;
      if (other > lid) {
        bool up = (lid & k) == 0;
        if ((key[lid] > key[other]) == up) {
          float t = key[lid]; key[lid] = key[other]; key[other] = t;
          ushort p = place[lid]; place[lid] = place[other]; place[other] = p;
        }
      }
      threadgroup_barrier(mem_flags::mem_threadgroup);
    }
  keys[group * 256 + lid] = key[lid];
  places[group * 256 + lid] = place[lid];
}

kernel void block_scan(device const uint* x [[buffer(0)]], device uint* inclusive [[buffer(1)]],
                       device uint* exclusive [[buffer(2)]],
                       uint lid [[thread_position_in_threadgroup]],
                       uint i [[thread_position_in_grid]],
                       uint lane [[thread_index_in_simdgroup]],
                       uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup uint totals[32];
  uint v = x[i];
  uint before = simd_prefix_exclusive_sum(v);
  if (lane == 31) totals[simdgroup] = before + v;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (simdgroup == 0) {
    uint total = lane < 8 ? totals[lane] : 0;
    totals[lane] = simd_prefix_exclusive_sum(total);
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  exclusive[i] = before + totals[simdgroup];
  inclusive[i] = before + totals[simdgroup] + v;
}

kernel void softmax(device const float* x [[buffer(0)]], device float* y [[buffer(1)]],
                    constant uint& columns [[buffer(2)]], uint row [[threadgroup_position_in_grid]],
                    uint lid [[thread_position_in_threadgroup]],
                    uint threads [[threads_per_threadgroup]],
                    uint lane [[thread_index_in_simdgroup]],
                    uint simdgroup [[simdgroup_index_in_threadgroup]],
                    uint simdgroups [[simdgroups_per_threadgroup]]) {
  threadgroup float part[32];
  device const float* in = x + row * columns;
  float high = -INFINITY;
  for (uint c = lid; c < columns; c += threads) high = fmax(high, in[c]);
  high = simd_max(high);
  if (lane == 0) part[simdgroup] = high;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  high = simd_max(lane < simdgroups ? part[lane] : -INFINITY);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  float sum = 0;
  for (uint c = lid; c < columns; c += threads) sum += precise::exp(in[c] - high);
  sum = simd_sum(sum);
  if (lane == 0) part[simdgroup] = sum;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  sum = simd_sum(lane < simdgroups ? part[lane] : 0.0f);
  for (uint c = lid; c < columns; c += threads) y[row * columns + c] = precise::exp(in[c] - high) / sum;
}

kernel void bodies(device const float4* places [[buffer(0)]], device float4* forces [[buffer(1)]],
                   constant uint& n [[buffer(2)]], threadgroup float4* tile [[threadgroup(1)]],
                   uint i [[thread_position_in_grid]],
                   uint lid [[thread_position_in_threadgroup]],
                   uint threads [[dispatch_threads_per_threadgroup]]) {
  float4 self = places[i];
  float3 force = float3(0.0);
  for (uint start = 0; start < n; start += threads) {
    tile[lid] = places[start + lid];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint j = 0; j < threads; ++j) {
      float3 d = tile[j].xyz - self.xyz;
      float r = rsqrt(dot(d, d) + 0.01);
      force += d * (tile[j].w * r * r * r);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  forces[i] = float4(force, 0.0);
}
"""
)
CONVOLUTION: Mapping[int | str, object] = {0: 3}


@case(TILES, grid=(64, 48), threads=(16, 16), constants=CONVOLUTION, tolerance=1e-6)
def matmul() -> Made:
    a, b = floats(45, 37), floats(37, 50, seed=1)
    sizes = np.array([45, 50, 37], np.uint32)
    exact = (a.astype(np.float64) @ b.astype(np.float64)).astype(np.float32)
    return [a, b, np.zeros((45, 50), np.float32), sizes], {2: exact}


@case(TILES, grid=(48, 32), threads=(16, 16), constants=CONVOLUTION)
def transpose() -> Made:
    x = floats(20, 45)
    return [x, np.zeros((45, 20), np.float32), np.array([45, 20], np.uint32)], {1: x.T.copy()}


@case(TILES, grid=1024, threads=256, constants=CONVOLUTION, tolerance=1e-5)
def reduce_sum() -> Made:
    x = random().random(1000).astype(np.float32)
    right = np.array([x.sum(dtype=np.float64)], np.float32)
    return [x, np.zeros(1, np.float32), np.uint32(1000)], {1: right}


@case(TILES, grid=1024, threads=256, constants=CONVOLUTION)
def reduce_tree() -> Made:
    x = random().integers(-1000, 1000, 1024).astype(np.int32)
    return [x, np.zeros(4, np.int32)], {1: x.reshape(4, 256).max(1)}


@case(TILES, grid=512, threads=128, constants=CONVOLUTION)
def histogram() -> Made:
    x = random().integers(0, 256, 3000).astype(np.uint8)
    right = np.bincount(x, minlength=256).astype(np.uint32)
    return [x, np.zeros(256, np.uint32), np.uint32(3000)], {1: right}


def _convolution(bias: float) -> Made:
    x, weights = floats(700, dtype=np.float16), floats(7, seed=1)
    right = np.convolve(x.astype(np.float64), weights[::-1].astype(np.float64), "same") + bias
    arguments = [x, weights, np.zeros(700, np.float16), np.int32(700)]
    return arguments, {2: right.astype(np.float16)}


@case(
    TILES,
    grid=700,
    threads=128,
    threadgroup_bytes={0: 544},
    constants=CONVOLUTION,
    tolerance=5e-4,
)
def conv1d() -> Made:
    return _convolution(0.0)


@case(
    TILES,
    kernel="conv1d",
    grid=700,
    threads=128,
    threadgroup_bytes={0: 544},
    constants={0: 3, "BIAS": 2.5},
    tolerance=5e-4,
)
def conv1d_with_bias() -> Made:
    return _convolution(2.5)


@case(TILES, grid=512, threads=256, constants=CONVOLUTION)
def bitonic_sort() -> Made:
    keys = random().permutation(512).astype(np.float32).reshape(2, 256)
    arguments = [keys, np.zeros((2, 256), np.uint32)]
    return arguments, {0: np.sort(keys), 1: np.argsort(keys).astype(np.uint32)}


@case(TILES, grid=512, threads=256, constants=CONVOLUTION)
def block_scan() -> Made:
    x = random().integers(0, 100, (2, 256)).astype(np.uint32)
    total = np.cumsum(x, 1, dtype=np.uint32)
    return [x, np.zeros_like(x), np.zeros_like(x)], {1: total, 2: total - x}


@case(TILES, grid=5 * 96, threads=96, constants=CONVOLUTION, tolerance=1e-6)
def softmax() -> Made:
    x = floats(5, 300)
    power = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
    right = power / power.sum(1, keepdims=True)
    return [x, np.zeros_like(x), np.uint32(300)], {1: right.astype(np.float32)}


@case(
    TILES,
    grid=128,
    threads=64,
    threadgroup_bytes={1: 1024},
    constants=CONVOLUTION,
    tolerance=1e-5,
)
def bodies() -> Made:
    places = random().random((128, 4)).astype(np.float32)
    wide = places.astype(np.float64)
    d = wide[None, :, :3] - wide[:, None, :3]
    r = 1 / np.sqrt((d * d).sum(-1) + 0.01)
    right = np.zeros((128, 4))
    right[:, :3] = (d * (wide[None, :, 3] * r**3)[..., None]).sum(1)
    return [places, np.zeros((128, 4), np.float32), np.uint32(128)], {1: right.astype(np.float32)}


# --- Simdgroups and quads ------------------------------------------------------------------------

LANES = (
    HEADER
    + """
kernel void reductions(device const int* x [[buffer(0)]], device int* out [[buffer(1)]],
                       device const float* f [[buffer(2)]], device float* g [[buffer(3)]],
                       uint i [[thread_position_in_grid]], uint n [[threads_per_grid]]) {
  int v = x[i];
  out[0 * n + i] = simd_sum(v);
  out[1 * n + i] = simd_min(v);
  out[2 * n + i] = simd_max(v);
  out[3 * n + i] = simd_and(v);
  out[4 * n + i] = simd_or(v);
  out[5 * n + i] = simd_xor(v);
  out[6 * n + i] = simd_prefix_inclusive_sum(v);
  out[7 * n + i] = simd_prefix_exclusive_sum(v);
  g[0 * n + i] = simd_product(f[i]);
  g[1 * n + i] = simd_prefix_inclusive_product(f[i]);
  g[2 * n + i] = simd_prefix_exclusive_product(f[i]);
  g[3 * n + i] = simd_max(float2(f[i], -f[i])).y;
}

kernel void shuffles(device const uint* x [[buffer(0)]], device uint* out [[buffer(1)]],
                     uint i [[thread_position_in_grid]], uint n [[threads_per_grid]],
                     ushort lane [[thread_index_in_simdgroup]],
                     ushort width [[threads_per_simdgroup]]) {
  uint v = x[i];
  out[0 * n + i] = simd_shuffle(v, ushort((lane * 7 + 3) % width));
  out[1 * n + i] = simd_shuffle_xor(v, 5);
  uint up = simd_shuffle_up(v, 3);
  out[2 * n + i] = lane >= 3 ? up : 0;
  uint down = simd_shuffle_down(v, 2);
  out[3 * n + i] = lane < 30 ? down : 0;
  out[4 * n + i] = simd_shuffle_rotate_up(v, 4);
  out[5 * n + i] = simd_shuffle_rotate_down(v, 9);
  out[6 * n + i] = simd_shuffle_and_fill_up(v, v + 1000, 6);
  out[7 * n + i] = simd_shuffle_and_fill_down(v, v + 1000, 6);
  out[8 * n + i] = simd_broadcast(v, 17);
  out[9 * n + i] = simd_broadcast_first(v);
  out[10 * n + i] = simd_shuffle_xor(ushort2(ushort(v), ushort(v + 1)), 1).y;
  out[11 * n + i] = uint(simd_shuffle_xor(half(lane), 16));
}

kernel void votes(device const int* x [[buffer(0)]], device uint* out [[buffer(1)]],
                  uint i [[thread_position_in_grid]], uint n [[threads_per_grid]]) {
  bool odd = x[i] & 1;
  simd_vote ballot = simd_ballot(odd);
  ulong bits = (simd_vote::vote_t)ballot;
  out[0 * n + i] = uint(bits);
  out[1 * n + i] = ballot.any();
  out[2 * n + i] = ballot.all();
  out[3 * n + i] = simd_any(x[i] > 90);
  out[4 * n + i] = simd_all(x[i] < 99);
  out[5 * n + i] = popcount(uint(bits));
  out[6 * n + i] = simd_is_first();
  out[7 * n + i] = uint((simd_vote::vote_t)simd_active_threads_mask());
}

kernel void quads(device const float* x [[buffer(0)]], device float* out [[buffer(1)]],
                  device const int* k [[buffer(2)]], device int* whole [[buffer(3)]],
                  uint i [[thread_position_in_grid]], uint n [[threads_per_grid]],
                  uint quad_lane [[thread_index_in_quadgroup]],
                  uint quad [[quadgroup_index_in_threadgroup]]) {
  float v = x[i];
  out[0 * n + i] = quad_sum(v);
  out[1 * n + i] = quad_min(v);
  out[2 * n + i] = quad_max(v);
  out[3 * n + i] = quad_product(v);
  out[4 * n + i] = quad_shuffle(v, ushort(3 - quad_lane));
  out[5 * n + i] = quad_shuffle_xor(v, 2);
  out[6 * n + i] = quad_broadcast(v, 1);
  float up = quad_shuffle_up(v, 1);
  out[7 * n + i] = quad_lane >= 1 ? up : 0.0f;
  float down = quad_shuffle_down(v, 1);
  out[8 * n + i] = quad_lane < 3 ? down : 0.0f;
  out[9 * n + i] = quad_prefix_inclusive_sum(v);
  out[10 * n + i] = quad_prefix_exclusive_sum(v);
  whole[0 * n + i] = quad_and(k[i]);
  whole[1 * n + i] = quad_or(k[i]);
  whole[2 * n + i] = quad_xor(k[i]);
  whole[3 * n + i] = int((quad_vote::vote_t)quad_ballot(k[i] & 1));
  whole[4 * n + i] = quad_all(k[i] > 10);
  whole[5 * n + i] = quad_any(k[i] > 90);
  whole[6 * n + i] = int(quad);
}

// The place of the least value, with the first one where several are least.
kernel void arg_min(device const float* x [[buffer(0)]], device uint* out [[buffer(1)]],
                    uint i [[thread_position_in_grid]],
                    uint lane [[thread_index_in_simdgroup]]) {
  float least = simd_min(x[i]);
  uint mine = x[i] == least ? lane : 32u;
  uint place = simd_min(mine);
  if (lane == 0) out[i / 32] = place;
}
"""
)


def _by_simdgroup(x: Array, f: Callable[[Array], Array], width: int = 32) -> Array:
    """Applies `f` to rows of one simdgroup each; its result is spread over the row."""
    rows = x.reshape(-1, width)
    return np.broadcast_to(f(rows), rows.shape).reshape(x.shape)


@case(LANES, grid=128, threads=64, tolerance=1e-6)
def reductions() -> Made:
    x = random().integers(-100, 100, 128).astype(np.int32)
    f = (1 + 0.1 * floats(128)).astype(np.float32)
    keep = {"axis": 1, "keepdims": True}
    sums = _by_simdgroup(x, lambda r: np.cumsum(r, 1))
    whole = [
        _by_simdgroup(x, lambda r: r.sum(**keep)),
        _by_simdgroup(x, lambda r: r.min(**keep)),
        _by_simdgroup(x, lambda r: r.max(**keep)),
        _by_simdgroup(x, lambda r: np.bitwise_and.reduce(r, **keep)),
        _by_simdgroup(x, lambda r: np.bitwise_or.reduce(r, **keep)),
        _by_simdgroup(x, lambda r: np.bitwise_xor.reduce(r, **keep)),
        sums,
        sums - x,
    ]
    wide = f.astype(np.float64)
    products = _by_simdgroup(wide, lambda r: np.cumprod(r, 1))
    real = [
        _by_simdgroup(wide, lambda r: r.prod(**keep)),
        products,
        products / wide,
        _by_simdgroup(wide, lambda r: (-r).max(**keep)),
    ]
    return (
        [x, np.zeros((8, 128), np.int32), f, np.zeros((4, 128), np.float32)],
        {1: np.array(whole, np.int32), 3: np.array(real, np.float32)},
    )


@case(LANES, grid=96, threads=96)
def shuffles() -> Made:
    x = random().integers(0, 1000, 96).astype(np.uint32)
    lane = np.arange(32)

    def take(order: Array) -> Array:
        return _by_simdgroup(x, lambda r: r[:, order])

    def fill(shifted: Array, values: Array) -> Array:
        inside = (shifted >= 0) & (shifted < 32)
        return _by_simdgroup(
            x,
            lambda r: np.where(inside, r[:, shifted % 32], values.reshape(-1, 32)[:, shifted % 32]),
        )

    zero = np.zeros_like(x)
    plus = x + 1000
    first = lane[:3]
    up = fill(lane - 3, zero).reshape(-1, 32).copy()
    up[:, first] = 0
    right = [
        take((lane * 7 + 3) % 32),
        take(lane ^ 5),
        up.reshape(-1),
        fill(lane + 2, zero),
        take((lane - 4) % 32),
        take((lane + 9) % 32),
        fill(lane - 6, plus),
        fill(lane + 6, plus),
        take(np.full(32, 17)),
        take(np.zeros(32, int)),
        take(lane ^ 1) + 1,
        np.tile(lane ^ 16, 3),
    ]
    return [x, np.zeros((12, 96), np.uint32)], {1: np.array(right, np.uint32)}


@case(LANES, grid=64, threads=64)
def votes() -> Made:
    x = random().integers(0, 100, 64).astype(np.int32)
    rows = x.reshape(-1, 32)
    odd = rows & 1
    bits = (odd.astype(np.uint64) << np.arange(32, dtype=np.uint64)).sum(1, keepdims=True)
    first = np.tile(np.arange(32) == 0, (2, 1))
    right = [
        bits,
        odd.any(1, keepdims=True),
        odd.all(1, keepdims=True),
        (rows > 90).any(1, keepdims=True),
        (rows < 99).all(1, keepdims=True),
        odd.sum(1, keepdims=True),
        first,
        np.full((2, 1), 0xFFFFFFFF),
    ]
    spread = [np.broadcast_to(r, rows.shape).reshape(-1) for r in right]
    return [x, np.zeros((8, 64), np.uint32)], {1: np.array(spread, np.uint32)}


@case(LANES, grid=64, threads=32, tolerance=1e-6)
def quads() -> Made:
    x = floats(64)
    k = random(1).integers(0, 100, 64).astype(np.int32)
    keep = {"axis": 1, "keepdims": True}

    def four(f: Callable[[Array], Array], of: Array = x) -> Array:
        return _by_simdgroup(of, f, 4)

    running = four(lambda r: np.cumsum(r, 1, dtype=np.float32))
    out = [
        four(lambda r: r.sum(**keep)),
        four(lambda r: r.min(**keep)),
        four(lambda r: r.max(**keep)),
        four(lambda r: r.prod(**keep)),
        four(lambda r: r[:, ::-1]),
        four(lambda r: r[:, [2, 3, 0, 1]]),
        four(lambda r: r[:, 1:2]),
        four(lambda r: np.pad(r[:, :-1], ((0, 0), (1, 0)))),
        four(lambda r: np.pad(r[:, 1:], ((0, 0), (0, 1)))),
        running,
        running - x,
    ]
    whole = [
        four(lambda r: np.bitwise_and.reduce(r, **keep), k),
        four(lambda r: np.bitwise_or.reduce(r, **keep), k),
        four(lambda r: np.bitwise_xor.reduce(r, **keep), k),
        four(lambda r: ((r & 1) << np.arange(4)).sum(**keep), k),
        four(lambda r: (r > 10).all(**keep), k),
        four(lambda r: (r > 90).any(**keep), k),
        np.arange(64) % 32 // 4,
    ]
    return (
        [x, np.zeros((11, 64), np.float32), k, np.zeros((7, 64), np.int32)],
        {1: np.array(out, np.float32), 3: np.array(whole, np.int32)},
    )


@case(LANES, grid=96, threads=32)
def arg_min() -> Made:
    x = random().integers(0, 20, (3, 32)).astype(np.float32)
    return [x, np.zeros(3, np.uint32)], {1: x.argmin(1).astype(np.uint32)}


# --- Simdgroup matrices --------------------------------------------------------------------------

MATRICES = (
    HEADER
    + """
#include <metal_simdgroup_matrix>

kernel void matrix_product(device const float* A [[buffer(0)]], device const float* B [[buffer(1)]],
                           device float* C [[buffer(2)]], constant uint& K [[buffer(3)]],
                           constant uint& N [[buffer(4)]],
                           uint2 g [[threadgroup_position_in_grid]]) {
  simdgroup_float8x8 a, b, c = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
  for (uint k = 0; k < K; k += 8) {
    simdgroup_load(a, A + g.y * 8 * K + k, K);
    simdgroup_load(b, B + k * N + g.x * 8, N);
    simdgroup_multiply_accumulate(c, a, b, c);
  }
  simdgroup_store(c, C + g.y * 8 * N + g.x * 8, N);
}

// Four simdgroups share what they read; B is stored transposed.
kernel void half_product(device const half* A [[buffer(0)]], device const half* B [[buffer(1)]],
                         device float* C [[buffer(2)]], constant uint& K [[buffer(3)]],
                         uint lid [[thread_index_in_threadgroup]],
                         uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup half a[16][8];
  threadgroup half b[16][8];
  uint row = simdgroup / 2 * 8, column = simdgroup % 2 * 8;
  simdgroup_matrix<float, 8, 8> sum = simdgroup_matrix<float, 8, 8>(0.0f);
  for (uint k = 0; k < K; k += 8) {
    a[lid / 8][lid % 8] = A[lid / 8 * K + k + lid % 8];
    b[lid / 8][lid % 8] = B[lid / 8 * K + k + lid % 8];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    simdgroup_half8x8 x, y;
    simdgroup_load(x, &a[row][0], 8);
    simdgroup_load(y, &b[column][0], 8, ulong2(0, 0), true);
    simdgroup_multiply_accumulate(sum, x, y, sum);
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  simdgroup_store(sum, C + row * 16 + column, 16);
}

kernel void identity_product(device const float* A [[buffer(0)]], device float* C [[buffer(1)]]) {
  simdgroup_float8x8 a, one(1.0f), c;
  simdgroup_load(a, A);
  simdgroup_multiply(c, a, one);
  simdgroup_store(c, C, 8, ulong2(0, 0), true);
}
"""
)


@case(MATRICES, grid=(6 * 32, 4), threads=(32, 1), tolerance=1e-6)
def matrix_product() -> Made:
    a, b = floats(32, 64), floats(64, 48, seed=1)
    arguments = [a, b, np.zeros((32, 48), np.float32), np.uint32(64), np.uint32(48)]
    return arguments, {2: (a.astype(np.float64) @ b.astype(np.float64)).astype(np.float32)}


@case(MATRICES, grid=128, threads=128, tolerance=1e-6)
def half_product() -> Made:
    a, b = floats(16, 40, dtype=np.float16), floats(16, 40, seed=1, dtype=np.float16)
    right = a.astype(np.float64) @ b.astype(np.float64).T
    return [a, b, np.zeros((16, 16), np.float32), np.uint32(40)], {2: right.astype(np.float32)}


@case(MATRICES, grid=32, threads=32)
def identity_product() -> Made:
    a = floats(8, 8)
    return [a, np.zeros((8, 8), np.float32)], {1: a.T.copy()}


# --- Vectors, matrices, bits, functions ----------------------------------------------------------

VALUES = (
    HEADER
    + """
kernel void vectors(device float4* o [[buffer(0)]], device packed_float3* p [[buffer(1)]],
                    device const float4* in [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  float4 v = in[i];
  v.xy = v.wz;
  float3 w = float3(v.zyx);
  w *= 2;
  float4 q = float4(w.xy, float2(1, 2));
  q.w = dot(w, float3(1.0));
  q = select(q, v, q > v);
  o[i] = mix(q, float4(int4(v)), 0.25f) + float4(as_type<float>(as_type<uint>(1.5f)));
  p[i] = w;
}

kernel void packed(device const packed_short4* a [[buffer(0)]], device packed_short4* b [[buffer(1)]],
                   device const packed_uchar3* c [[buffer(2)]], device uchar4* d [[buffer(3)]],
                   uint i [[thread_position_in_grid]]) {
  short4 v = a[i];
  b[i] = packed_short4(v.wzyx + short4(1, 2, 3, 4));
  uchar3 t = c[i];
  d[i] = uchar4(t.bgr, uchar(255));
  d[i].r = t[1];
}

kernel void geometry(device const packed_float3* a [[buffer(0)]],
                     device const packed_float3* b [[buffer(1)]], device packed_float3* out [[buffer(2)]],
                     device float* numbers [[buffer(3)]], uint i [[thread_position_in_grid]],
                     uint n [[threads_per_grid]]) {
  float3 x = a[i], y = b[i];
  out[i] = cross(x, y);
  out[n + i] = normalize(x);
  out[2 * n + i] = reflect(x, normalize(y));
  numbers[i] = dot(x, y);
  numbers[n + i] = length(x);
  numbers[2 * n + i] = distance(x, y);
  numbers[3 * n + i] = length_squared(y);
}

kernel void small_matrices(device const float4x4* m [[buffer(0)]], device const float4* v [[buffer(1)]],
                           device float4* out [[buffer(2)]], device float* numbers [[buffer(3)]],
                           uint i [[thread_position_in_grid]], uint n [[threads_per_grid]]) {
  float4x4 a = m[i];
  out[i] = a * v[i];
  out[n + i] = v[i] * a;
  out[2 * n + i] = (transpose(a) * a)[1];
  float2x2 s = float2x2(a[0][0], a[0][1], a[1][0], a[1][1]);
  numbers[i] = determinant(s);
  float3x2 r = float3x2(float2(1, 2), float2(3, 4), float2(5, 6));
  numbers[n + i] = (r * float3(1.0, v[i].x, 0.5)).y;
}

kernel void bits(device const uint* a [[buffer(0)]], device const uint* b [[buffer(1)]],
                 device uint* out [[buffer(2)]], device int* whole [[buffer(3)]],
                 uint i [[thread_position_in_grid]], uint n [[threads_per_grid]]) {
  uint x = a[i], y = b[i];
  out[0 * n + i] = popcount(x);
  out[1 * n + i] = clz(x);
  out[2 * n + i] = ctz(x);
  out[3 * n + i] = reverse_bits(x);
  out[4 * n + i] = mulhi(x, y);
  out[5 * n + i] = rotate(x, 5u);
  out[6 * n + i] = absdiff(x, y);
  out[7 * n + i] = addsat(x, y);
  out[8 * n + i] = subsat(x, y);
  out[9 * n + i] = hadd(x, y);
  out[10 * n + i] = rhadd(x, y);
  out[11 * n + i] = extract_bits(x, 5, 11);
  out[12 * n + i] = insert_bits(x, y, 8, 6);
  out[13 * n + i] = clamp(x, 1000u, 4000000000u);
  out[14 * n + i] = max3(x, y, 7u) - min3(x, y, 7u) + median3(x, y, 7u);
  out[15 * n + i] = madhi(x, y, 3u);
  whole[0 * n + i] = abs(int(x));
  whole[1 * n + i] = addsat(int(x), int(y));
  whole[2 * n + i] = mulhi(int(x), int(y));
  whole[3 * n + i] = mul24(int(x & 0xFFFF), int(y & 0xFF)) + mad24(3, 4, 5);
  whole[4 * n + i] = extract_bits(int(x), 20, 12);
  whole[5 * n + i] = int(as_type<short2>(x).y);
}

kernel void relations(device const float* a [[buffer(0)]], device const float* b [[buffer(1)]],
                      device float* out [[buffer(2)]], device uint* truth [[buffer(3)]],
                      uint i [[thread_position_in_grid]], uint n [[threads_per_grid]]) {
  float x = a[i], y = b[i];
  out[0 * n + i] = fmin(x, y);
  out[1 * n + i] = fmax(x, y);
  out[2 * n + i] = clamp(x, -0.5f, 0.5f);
  out[3 * n + i] = saturate(x);
  out[4 * n + i] = step(y, x);
  out[5 * n + i] = sign(x);
  out[6 * n + i] = floor(x) + ceil(y) + trunc(x) + rint(y);
  out[7 * n + i] = copysign(x, y);
  out[8 * n + i] = select(x, y, x > y);
  out[9 * n + i] = fract(fabs(y));
  out[10 * n + i] = fmod(x, 0.75f);
  out[11 * n + i] = fdim(x, y);
  out[12 * n + i] = round(x * 2.0);
  truth[0 * n + i] = isnan(y);
  truth[1 * n + i] = isinf(x);
  truth[2 * n + i] = isfinite(x);
  truth[3 * n + i] = signbit(y);
  truth[4 * n + i] = all(float2(x, y) > float2(0.0)) ? 1 : 0;
  truth[5 * n + i] = any(bool2(x > 0, y > 0));
  truth[6 * n + i] = isnormal(x) && !isunordered(x, y);
}

kernel void elementary(device const float* a [[buffer(0)]], device float* out [[buffer(1)]],
                       uint i [[thread_position_in_grid]], uint n [[threads_per_grid]]) {
  float x = a[i];
  out[0 * n + i] = precise::exp(x);
  out[1 * n + i] = fast::exp(x);
  out[2 * n + i] = exp2(x);
  out[3 * n + i] = log(x);
  out[4 * n + i] = precise::log2(x);
  out[5 * n + i] = sin(x);
  out[6 * n + i] = metal::precise::cos(x);
  out[7 * n + i] = tanh(x);
  out[8 * n + i] = sqrt(x);
  out[9 * n + i] = rsqrt(x);
  out[10 * n + i] = pow(x, 1.5);
  out[11 * n + i] = atan2(x, 2.0f);
  out[12 * n + i] = exp10(x);
  out[13 * n + i] = powr(x, 0.25f);
  out[14 * n + i] = sinpi(x);
  float cosine;
  float sine = sincos(x, cosine);
  out[15 * n + i] = sine * cosine;
  out[16 * n + i] = log10(x) + log(x) * asin(x / 4) + acos(x / 4) + atan(x);
  out[17 * n + i] = sinh(x) - cosh(x) + asinh(x) + acosh(x + 1) + atanh(x / 4) + tan(x / 3);
  out[18 * n + i] = pow(2, x) + pow(x, 2) + fmax(x, 1);
}

kernel void parts(device const float* a [[buffer(0)]], device float* out [[buffer(1)]],
                  device int* powers [[buffer(2)]], uint i [[thread_position_in_grid]],
                  uint n [[threads_per_grid]]) {
  float x = a[i];
  int power;
  out[i] = frexp(x, power);
  powers[i] = power;
  float whole;
  out[n + i] = modf(x, whole);
  out[2 * n + i] = whole;
  out[3 * n + i] = ldexp(x, 3);
  out[4 * n + i] = nextafter(x, 10.0f);
  powers[n + i] = ilogb(x);
}

kernel void limits(device float* out [[buffer(0)]], device uint* whole [[buffer(1)]]) {
  out[0] = INFINITY;
  out[1] = numeric_limits<float>::max();
  out[2] = numeric_limits<float>::lowest();
  out[3] = float(numeric_limits<half>::max());
  out[4] = M_PI_F;
  out[5] = NAN;
  out[6] = numeric_limits<float>::epsilon();
  out[7] = MAXFLOAT;
  whole[0] = numeric_limits<uint>::max();
  whole[1] = uint(numeric_limits<int>::min());
  whole[2] = sizeof(float3) * 10000 + sizeof(packed_float3) * 100 + alignof(float3);
  whole[3] = sizeof(half4) * 10000 + sizeof(bool) * 100 + sizeof(long);
  whole[4] = sizeof(float3x3) * 1000 + sizeof(ushort3);
}

kernel void packing(device const float4* a [[buffer(0)]], device uint* out [[buffer(1)]],
                    device float4* back [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  out[i] = pack_float_to_unorm4x8(a[i]);
  back[i] = unpack_unorm4x8_to_float(out[i]);
}
"""
)


@case(VALUES, grid=64, threads=64, tolerance=1e-6)
def vectors() -> Made:
    given = floats(64, 4)
    v = given.copy()
    v[:, 0], v[:, 1] = given[:, 3], given[:, 2]
    w = v[:, [2, 1, 0]] * 2
    q = np.stack([w[:, 0], w[:, 1], np.ones(64), w.sum(1)], 1).astype(np.float32)
    q = np.where(q > v, v, q)
    out = (q + (np.trunc(v) - q) * 0.25 + 1.5).astype(np.float32)
    return [np.zeros((64, 4), np.float32), np.zeros((64, 3), np.float32), given], {0: out, 1: w}


@case(VALUES, grid=32, threads=32)
def packed() -> Made:
    a = random().integers(-100, 100, (32, 4)).astype(np.int16)
    c = random(1).integers(0, 256, (32, 3)).astype(np.uint8)
    d = np.concatenate([c[:, ::-1], np.full((32, 1), 255, np.uint8)], 1)
    d[:, 0] = c[:, 1]
    return (
        [a, np.zeros_like(a), c, np.zeros((32, 4), np.uint8)],
        {1: a[:, ::-1] + np.array([1, 2, 3, 4], np.int16), 3: d},
    )


@case(VALUES, grid=40, threads=32, tolerance=1e-6)
def geometry() -> Made:
    a, b = floats(40, 3), floats(40, 3, seed=1)
    x, y = a.astype(np.float64), b.astype(np.float64)
    unit = y / np.linalg.norm(y, axis=1, keepdims=True)
    out = [
        np.cross(x, y),
        x / np.linalg.norm(x, axis=1, keepdims=True),
        x - 2 * (x * unit).sum(1, keepdims=True) * unit,
    ]
    numbers = [
        (x * y).sum(1),
        np.linalg.norm(x, axis=1),
        np.linalg.norm(x - y, axis=1),
        (y * y).sum(1),
    ]
    return (
        [a, b, np.zeros((3, 40, 3), np.float32), np.zeros((4, 40), np.float32)],
        {2: np.array(out, np.float32), 3: np.array(numbers, np.float32)},
    )


@case(VALUES, grid=32, threads=32, tolerance=1e-6)
def small_matrices() -> Made:
    m, v = floats(32, 4, 4), floats(32, 4, seed=1)  # m[i][column][row]
    columns, x = m.astype(np.float64), v.astype(np.float64)
    out = [
        np.einsum("icr,ic->ir", columns, x),
        np.einsum("icr,ir->ic", columns, x),
        np.einsum("icr,ir->ic", columns, columns[:, 1]),
    ]
    numbers = [
        columns[:, 0, 0] * columns[:, 1, 1] - columns[:, 1, 0] * columns[:, 0, 1],
        2 + 4 * x[:, 0] + 3,
    ]
    return (
        [m, v, np.zeros((3, 32, 4), np.float32), np.zeros((2, 32), np.float32)],
        {2: np.array(out, np.float32), 3: np.array(numbers, np.float32)},
    )


@case(VALUES, grid=64, threads=32)
def bits() -> Made:
    a = random().integers(1, 2**32, 64).astype(np.uint32)
    b = random(1).integers(1, 2**32, 64).astype(np.uint32)
    a[0], b[0] = 0, 0xFFFFFFFF
    x, y = [int(v) for v in a], [int(v) for v in b]

    def signed(v: int, width: int = 32) -> int:
        return (v & (1 << width) - 1) - ((v >> width - 1 & 1) << width)

    def each(f: Callable[[int, int], int]) -> list[int]:
        return [f(p, q) & 0xFFFFFFFF for p, q in zip(x, y, strict=True)]

    out = [
        each(lambda p, q: p.bit_count()),
        each(lambda p, q: 32 - p.bit_length()),
        each(lambda p, q: (p & -p).bit_length() - 1 if p else 32),
        each(lambda p, q: int(f"{p:032b}"[::-1], 2)),
        each(lambda p, q: p * q >> 32),
        each(lambda p, q: p << 5 | p >> 27),
        each(lambda p, q: abs(p - q)),
        each(lambda p, q: min(p + q, 0xFFFFFFFF)),
        each(lambda p, q: max(p - q, 0)),
        each(lambda p, q: p + q >> 1),
        each(lambda p, q: p + q + 1 >> 1),
        each(lambda p, q: p >> 5 & 0x7FF),
        each(lambda p, q: p & ~(0x3F << 8) | (q & 0x3F) << 8),
        each(lambda p, q: min(max(p, 1000), 4000000000)),
        each(lambda p, q: max(p, q, 7) - min(p, q, 7) + sorted((p, q, 7))[1]),
        each(lambda p, q: (p * q >> 32) + 3),
    ]
    whole = [
        each(lambda p, q: abs(signed(p))),
        each(lambda p, q: min(max(signed(p) + signed(q), -(2**31)), 2**31 - 1)),
        each(lambda p, q: signed(p) * signed(q) >> 32),
        each(lambda p, q: (p & 0xFFFF) * (q & 0xFF) + 17),
        each(lambda p, q: signed(p >> 20, 12)),
        each(lambda p, q: signed(p >> 16, 16)),
    ]
    return (
        [a, b, np.zeros((16, 64), np.uint32), np.zeros((6, 64), np.int32)],
        {2: np.array(out, np.uint32), 3: np.array(whole, np.uint32).view(np.int32)},
    )


@case(VALUES, grid=64, threads=32, tolerance=1e-6)
def relations() -> Made:
    a, b = 2 * floats(64), 2 * floats(64, seed=1)
    a[1], b[2] = np.inf, np.nan
    a[3] = b[3] = 0.0
    half = np.float32(0.5)
    with np.errstate(invalid="ignore"):
        out = [
            np.fmin(a, b),
            np.fmax(a, b),
            np.clip(a, -half, half),
            np.clip(a, 0, 1),
            np.where(a < b, 0.0, 1.0),
            np.sign(a),
            np.floor(a) + np.ceil(b) + np.trunc(a) + np.rint(b),
            np.copysign(a, b),
            np.where(a > b, b, a),
            np.modf(np.abs(b))[0],
            np.fmod(a, np.float32(0.75)),
            np.where(np.isnan(b), b, np.maximum(a - b, 0)),
            np.trunc(2 * a + np.copysign(half, a)),
        ]
        truth = [
            np.isnan(b),
            np.isinf(a),
            np.isfinite(a),
            np.signbit(b),
            (a > 0) & (b > 0),
            (a > 0) | (b > 0),
            np.isfinite(a) & (a != 0) & ~np.isnan(b),
        ]
    return (
        [a, b, np.zeros((13, 64), np.float32), np.zeros((7, 64), np.uint32)],
        {2: np.array(out, np.float32), 3: np.array(truth, np.uint32)},
    )


@case(VALUES, grid=64, threads=32, tolerance=2e-6)
def elementary() -> Made:
    a = (0.1 + 3 * random().random(64)).astype(np.float32)
    x = a.astype(np.float64)
    rows = [
        np.exp(x),
        np.exp(x),
        np.exp2(x),
        np.log(x),
        np.log2(x),
        np.sin(x),
        np.cos(x),
        np.tanh(x),
        np.sqrt(x),
        1 / np.sqrt(x),
        x**1.5,
        np.arctan2(x, 2),
        10**x,
        x**0.25,
        np.sin(np.pi * x),
        np.sin(x) * np.cos(x),
        np.log10(x) + np.log(x) * np.arcsin(x / 4) + np.arccos(x / 4) + np.arctan(x),
        np.sinh(x)
        - np.cosh(x)
        + np.arcsinh(x)
        + np.arccosh(x + 1)
        + np.arctanh(x / 4)
        + np.tan(x / 3),
        2**x + x**2 + np.fmax(x, 1),
    ]
    return [a, np.zeros((19, 64), np.float32)], {1: np.array(rows, np.float32)}


@case(VALUES, grid=32, threads=32)
def parts() -> Made:
    a = 5 * floats(32)
    mantissa, power = np.frexp(a)
    fraction, whole = np.modf(a)
    out = [mantissa, fraction, whole, a * 8, np.nextafter(a, np.float32(10))]
    return (
        [a, np.zeros((5, 32), np.float32), np.zeros((2, 32), np.int32)],
        {1: np.array(out, np.float32), 2: np.array([power, power - 1], np.int32)},
    )


@case(VALUES, grid=1, threads=1)
def limits() -> Made:
    info = np.finfo(np.float32)
    out = [np.inf, info.max, info.min, 65504, np.pi, np.nan, info.eps, info.max]
    whole = [2**32 - 1, 2**31, 16 * 10000 + 1200 + 16, 80000 + 100 + 8, 48 * 1000 + 8]
    return (
        [np.zeros(8, np.float32), np.zeros(5, np.uint32)],
        {0: np.array(out, np.float32), 1: np.array(whole, np.uint32)},
    )


@case(VALUES, grid=32, threads=32, tolerance=1e-6)
def packing() -> Made:
    levels = random().integers(0, 256, (32, 4))
    a = (levels / 255).astype(np.float32)
    right = levels.astype(np.uint8).view(np.uint32)[:, 0]
    return [a, np.zeros(32, np.uint32), np.zeros_like(a)], {1: right, 2: a}


# --- Atomics -------------------------------------------------------------------------------------

ATOMICS = (
    HEADER
    + """
kernel void atomics(device const int* x [[buffer(0)]], device atomic_int* out [[buffer(1)]],
                    device atomic_uint* bits [[buffer(2)]], device atomic_float* sum [[buffer(3)]],
                    uint i [[thread_position_in_grid]]) {
  int v = x[i];
  atomic_fetch_add_explicit(&out[0], v, memory_order_relaxed);
  atomic_fetch_sub_explicit(&out[1], v, memory_order_relaxed);
  atomic_fetch_min_explicit(&out[2], v, memory_order_relaxed);
  atomic_fetch_max_explicit(&out[3], v, memory_order_relaxed);
  atomic_fetch_and_explicit(&bits[0], uint(v), memory_order_relaxed);
  atomic_fetch_or_explicit(&bits[1], uint(v), memory_order_relaxed);
  atomic_fetch_xor_explicit(&bits[2], uint(v), memory_order_relaxed);
  atomic_fetch_add_explicit(sum, float(v), memory_order_relaxed);
}

// A number for each thread, none twice.
kernel void tickets(device atomic_uint& next [[buffer(0)]], device uint* taken [[buffer(1)]]) {
  uint own = atomic_fetch_add_explicit(&next, 1u, memory_order_relaxed);
  taken[own] = own + 1;
}

// The greatest of floats by compare and exchange, first in the threadgroup, then in the device.
kernel void float_max(device const float* x [[buffer(0)]], device atomic_uint* out [[buffer(1)]],
                      uint i [[thread_position_in_grid]],
                      uint lid [[thread_position_in_threadgroup]]) {
  threadgroup atomic_uint own;
  if (lid == 0) atomic_store_explicit(&own, as_type<uint>(-INFINITY), memory_order_relaxed);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  uint seen = atomic_load_explicit(&own, memory_order_relaxed);
  while (as_type<float>(seen) < x[i] &&
         !atomic_compare_exchange_weak_explicit(&own, &seen, as_type<uint>(x[i]),
                                                memory_order_relaxed, memory_order_relaxed)) {
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (lid != 0) return;
  uint best = atomic_load_explicit(&own, memory_order_relaxed);
  uint now = atomic_load_explicit(out, memory_order_relaxed);
  while (as_type<float>(now) < as_type<float>(best) &&
         !atomic_compare_exchange_weak_explicit(out, &now, best, memory_order_relaxed,
                                                memory_order_relaxed)) {
  }
}

kernel void exchange(device atomic<int>* out [[buffer(0)]], device int* before [[buffer(1)]],
                     device atomic_bool* flag [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  before[i] = atomic_exchange_explicit(&out[i], int(i) + 10, memory_order_relaxed);
  if (i == 0) atomic_store_explicit(flag, true, memory_order_relaxed);
}
"""
)


@case(ATOMICS, grid=200, threads=64)
def atomics() -> Made:
    x = random().integers(0, 1000, 200).astype(np.int32)
    out = [x.sum(), -x.sum(), x.min(), x.max()]
    bits = [np.bitwise_and.reduce(x), np.bitwise_or.reduce(x), np.bitwise_xor.reduce(x)]
    start = np.array([0, 0, 5000, -5000], np.int32)
    return (
        [x, start, np.array([2**32 - 1, 0, 0], np.uint32), np.zeros(1, np.float32)],
        {
            1: np.array(out, np.int32),
            2: np.array(bits, np.uint32),
            3: np.array([x.sum()], np.float32),
        },
    )


@case(ATOMICS, grid=100, threads=32)
def tickets() -> Made:
    right = np.arange(1, 101, dtype=np.uint32)
    return [np.zeros(1, np.uint32), np.zeros(100, np.uint32)], {
        0: np.array([100], np.uint32),
        1: right,
    }


@case(ATOMICS, grid=256, threads=64)
def float_max() -> Made:
    x = floats(256)
    start = np.array([-100.0], np.float32).view(np.uint32)
    return [x, start], {1: np.array([x.max()]).view(np.uint32)}


@case(ATOMICS, grid=40, threads=32)
def exchange() -> Made:
    old = random().integers(0, 100, 40).astype(np.int32)
    return (
        [old.copy(), np.zeros(40, np.int32), np.zeros(1, np.uint8)],
        {0: np.arange(10, 50, dtype=np.int32), 1: old, 2: np.ones(1, np.uint8)},
    )


# --- The language --------------------------------------------------------------------------------

LANGUAGE = (
    HEADER
    + """
#define SQUARE(x) ((x) * (x))
namespace shapes {
enum class Kind : uint { box = 2, ball, dot };
constant float table[2][3] = {{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}};
template <typename T> inline T twice(T x) { return x + x; }
template <> inline int twice<int>(int x) { return 2 * x + 1; }
}  // namespace shapes

struct Complex {
  float re, im;
  Complex(float re_ = 0, float im_ = 0) : re(re_), im(im_) {}
  Complex operator*(Complex o) const { return Complex(re * o.re - im * o.im, re * o.im + im * o.re); }
  float norm() const { return re * re + im * im; }
};

struct Inner { float weights[3]; short tag; };
struct Job { Inner inner; uint count; packed_float3 offset; bool is_on; };

template <typename T, int N>
struct Block {
  T values[N];
  threadgroup T* shared;
  Block(threadgroup T* shared_) : shared(shared_) {}
  void load(device const T* from, uint at) thread {
    for (int k = 0; k < N; ++k) values[k] = from[at * N + k];
  }
  T sum() const thread {
    T s = T(0);
    for (int k = 0; k < N; ++k) s += values[k];
    return s;
  }
  void share(uint at) { shared[at] = sum(); }
};

template <typename T>
[[kernel]] void block_sums(device const T* in [[buffer(0)]], device T* out [[buffer(1)]],
                           uint i [[thread_position_in_grid]],
                           uint lid [[thread_position_in_threadgroup]]) {
  threadgroup T shared[64];
  Block<T, 4> block(shared);
  block.load(in, i);
  block.share(lid);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = shared[63 - lid];
}
template [[host_name("block_sums_float")]] [[kernel]] decltype(block_sums<float>) block_sums<float>;
template [[host_name("block_sums_int")]] [[kernel]] decltype(block_sums<int>) block_sums<int>;

inline float picked(constant Job& job, uint k) { return job.inner.weights[k % 3]; }
inline void add_to(device float& place, float amount) { place += amount; }
inline void exchange_values(thread float& a, thread float& b) { float t = a; a = b; b = t; }
static float powers(float x, thread float* squares) { *squares = SQUARE(x); return x * *squares; }

kernel void structures(constant Job& job [[buffer(0)]], device float* out [[buffer(1)]],
                       uint i [[thread_position_in_grid]]) {
  out[i] = 0;
  if (i >= job.count) return;
  float3 offset = job.offset;
  float a = picked(job, i), b = offset.y;
  exchange_values(a, b);
  add_to(out[i], a + 10 * b + float(job.inner.tag) + (job.is_on ? 1000.0f : 0.0f));
}

kernel void statements(device const int* in [[buffer(0)]], device int* out [[buffer(1)]],
                       device float* real [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  int x = in[i], y = 0;
  switch (x % 5) {
    case 0: y = 10; break;
    case 1: y += 1;  // and on to the next
    case 2: y += 20; break;
    default: y = -x;
  }
  do { y += 3; if (y % 7 == 0) break; } while (y < 0);
  for (int k = 0;; ++k) {
    if (k == 2) continue;
    if (k > x % 4) break;
    y ^= k << 2;
  }
  shapes::Kind kind = (x & 1) ? shapes::Kind::ball : shapes::Kind::box;
  y += int(kind) * 100;
  out[i] = shapes::twice(y);
  float squares;
  float cubes = powers(float(x % 10), &squares);
  Complex c = Complex(1, 2) * Complex(float(x % 3));
  array<float, 3> three = {1.0f, 2.0f, 3.0f};
  const auto tail = three[2];
  using Real = float;
  constexpr int choice = sizeof(Real) == 4 ? 1 : 0;
  static_assert(is_same_v<decltype(1.0), float>, "no double");
  real[i] = cubes + squares + c.norm() + shapes::table[choice][x % 3] + tail + shapes::twice(0.25f);
  if constexpr (sizeof(Real) == 8) real[i] = 0;
}

// Where a thread is, of a grid whose edges no whole threadgroup fits.
kernel void positions(device uint* out [[buffer(0)]], uint3 p [[thread_position_in_grid]],
                      uint3 local [[thread_position_in_threadgroup]],
                      uint3 group [[threadgroup_position_in_grid]],
                      uint3 size [[threads_per_threadgroup]],
                      uint3 whole [[dispatch_threads_per_threadgroup]],
                      uint3 groups [[threadgroups_per_grid]], uint3 grid [[threads_per_grid]],
                      uint index [[thread_index_in_threadgroup]],
                      uint lane [[thread_index_in_simdgroup]],
                      uint simdgroup [[simdgroup_index_in_threadgroup]],
                      uint simdgroups [[simdgroups_per_threadgroup]],
                      uint dispatch_simdgroups [[dispatch_simdgroups_per_threadgroup]]) {
  device uint* o = out + ((p.z * grid.y + p.y) * grid.x + p.x) * 12;
  o[0] = local.x + 100 * local.y + 10000 * local.z;
  o[1] = group.x + 100 * group.y + 10000 * group.z;
  o[2] = size.x + 100 * size.y + 10000 * size.z;
  o[3] = whole.x + 100 * whole.y + 10000 * whole.z;
  o[4] = groups.x + 100 * groups.y + 10000 * groups.z;
  o[5] = index;
  o[6] = lane;
  o[7] = simdgroup;
  o[8] = simdgroups;
  o[9] = dispatch_simdgroups;
  o[10] = grid.x + 100 * grid.y + 10000 * grid.z;
  o[11] = p.x + 100 * p.y + 10000 * p.z;
}

// Addresses of one parameter in three widths, and the order of a short-circuit.
kernel void narrow(device uchar* out [[buffer(0)]], ushort2 p [[thread_position_in_grid]],
                   ushort2 size [[threads_per_grid]]) {
  ushort at = p.y * size.x + p.x;
  device uchar* place = &out[at];
  bool is_inside = at < 20 && place[0] == 0;
  *place = is_inside ? uchar(at) : uchar(99);
}

constant bool DOUBLED [[function_constant(0)]];
constant bool is_doubled = is_function_constant_defined(DOUBLED) ? DOUBLED : false;
constant uint COUNT [[function_constant(7)]];

kernel void specialised(device uint* out [[buffer(0)]],
                        device const uint* more [[buffer(1), function_constant(is_doubled)]],
                        uint i [[thread_position_in_grid]]) {
  out[i] = i * COUNT;
  if (is_doubled) out[i] += more[i];
}
"""
)


def _blocks(dtype: Any) -> Made:
    x = random().integers(-50, 50, (128, 4)).astype(dtype)
    right = x.sum(1, dtype=dtype).reshape(2, 64)[:, ::-1].reshape(-1)
    return [x, np.zeros(128, dtype)], {1: right}


@case(LANGUAGE, kernel="block_sums_float", grid=128, threads=64)
def block_sums_float() -> Made:
    return _blocks(np.float32)


@case(LANGUAGE, kernel="block_sums_int", grid=128, threads=64)
def block_sums_int() -> Made:
    return _blocks(np.int32)


@case(LANGUAGE, grid=40, threads=32)
def structures() -> Made:
    job = np.zeros(
        1,
        np.dtype(
            {
                "names": ["weights", "tag", "count", "offset", "is_on"],
                "formats": [(np.float32, 3), np.int16, np.uint32, (np.float32, 3), np.uint8],
                "offsets": [0, 12, 16, 20, 32],
                "itemsize": 36,
            }
        ),
    )
    job["weights"], job["tag"], job["count"], job["is_on"] = [1.5, 2.5, 3.5], -7, 33, 1
    job["offset"] = [4, 5, 6]
    right = np.zeros(40, np.float32)
    for i in range(33):
        right[i] = 5 + 10 * (1.5 + i % 3) - 7 + 1000
    return [job.tobytes(), np.full(40, 9, np.float32)], {1: right}


@case(LANGUAGE, grid=64, threads=32, tolerance=1e-6)
def statements() -> Made:
    given = random().integers(0, 1000, 64).astype(np.int32)
    out, real = [], []
    for x in given.tolist():
        y = {0: 10, 1: 21, 2: 20}.get(x % 5, -x)
        while True:
            y += 3
            if y % 7 == 0 or y >= 0:
                break
        for k in (0, 1, 3):
            if k > x % 4:
                break
            y ^= k << 2
        out.append(2 * (y + (3 if x & 1 else 2) * 100) + 1)
        number = x % 10
        complex_norm = abs((1 + 2j) * (x % 3)) ** 2
        real.append(number**3 + number**2 + complex_norm + (4 + x % 3) + 3 + 0.5)
    return (
        [given, np.zeros(64, np.int32), np.zeros(64, np.float32)],
        {1: np.array(out, np.int32), 2: np.array(real, np.float32)},
    )


@case(LANGUAGE, grid=(11, 7, 3), threads=(8, 4, 2))
def positions() -> Made:
    grid, threads = np.array([11, 7, 3]), np.array([8, 4, 2])
    z, y, x = np.meshgrid(np.arange(3), np.arange(7), np.arange(11), indexing="ij")
    p = np.stack([x, y, z], -1)
    local, group = p % threads, p // threads
    size = np.minimum(threads, grid - group * threads)
    index = local[..., 0] + size[..., 0] * (local[..., 1] + size[..., 1] * local[..., 2])
    count = size.prod(-1)
    weights = np.array([1, 100, 10000])
    rows = [
        local @ weights,
        group @ weights,
        size @ weights,
        np.full_like(x, threads @ weights),
        np.full_like(x, -(-grid // threads) @ weights),
        index,
        index % 32,
        index // 32,
        -(-count // 32),
        np.full_like(x, 2),
        np.full_like(x, grid @ weights),
        p @ weights,
    ]
    right = np.stack(rows, -1).astype(np.uint32)
    return [np.zeros_like(right)], {0: right}


@case(LANGUAGE, grid=(6, 5), threads=(4, 4))
def narrow() -> Made:
    right = np.where(np.arange(30) < 20, np.arange(30), 99).astype(np.uint8)
    return [np.zeros(30, np.uint8)], {0: right}


@case(LANGUAGE, kernel="specialised", grid=32, threads=32, constants={"COUNT": 5})
def specialised_once() -> Made:
    return [np.zeros(32, np.uint32), None], {0: 5 * np.arange(32, dtype=np.uint32)}


@case(LANGUAGE, kernel="specialised", grid=32, threads=32, constants={0: True, 7: 5})
def specialised_twice() -> Made:
    i = np.arange(32, dtype=np.uint32)
    return [np.zeros(32, np.uint32), i + 1], {0: 6 * i + 1}
