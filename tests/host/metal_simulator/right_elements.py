"""Right Metal kernels: one element a thread."""

from __future__ import annotations

import ml_dtypes
import numpy as np
from right_case import HEADER, Made, case, floats, random

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
