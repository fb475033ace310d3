"""Right Metal kernels: atomics."""

from __future__ import annotations

import numpy as np
from right_case import HEADER, Made, case, floats, random

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
