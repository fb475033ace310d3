"""Right Metal kernels: threadgroup memory."""

# ruff: noqa: E501 - the lines of kernels are as long as their writers made them

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from right_case import HEADER, Made, case, floats, random

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
