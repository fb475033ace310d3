"""Right Metal kernels: simdgroup matrices."""

from __future__ import annotations

import numpy as np
from right_case import HEADER, Made, case, floats

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
