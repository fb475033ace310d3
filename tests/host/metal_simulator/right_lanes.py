"""Right Metal kernels: simdgroups and quads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from right_case import HEADER, Array, Made, case, floats, random

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
