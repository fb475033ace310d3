"""Attention in three kernels: scores of queries and keys, their softmax, sums of values."""

from __future__ import annotations

import itertools
import math
from typing import Any

import speedmetal as sm

SIMDGROUP = 32
LANES = 16  # threads of a threadgroup that adds up values
QUERIES, KEYS = 16, 64
QUERY_TILE, KEY_TILE = 4, 2
TILE = tuple(itertools.product(range(QUERY_TILE), range(KEY_TILE)))


@sm.kernel
def scores(q: Any, k: Any, s: Any) -> None:
    """s[head] = q[head] k[head]^T / sqrt(size): a simdgroup for each head, tiles of 4 x 2."""
    head = sm.threadgroup_position_in_grid().x
    lane = sm.thread_index_in_threadgroup()
    size = q.shape[2]
    scale = 1.0 / math.sqrt(float(size))
    sums = sm.thread_array((QUERY_TILE, KEY_TILE), sm.float32)
    keys = sm.thread_array(KEY_TILE, sm.float32)
    for i in range(0, QUERIES, QUERY_TILE):
        for j in range(0, KEYS, KEY_TILE):
            for m, n in TILE:
                sums[m, n] = 0.0
            for start in range(0, size, SIMDGROUP):
                for n in sm.static_range(KEY_TILE):
                    keys[n] = k[head, j + n, start + lane]
                for m in sm.static_range(QUERY_TILE):
                    query = q[head, i + m, start + lane]
                    for n in sm.static_range(KEY_TILE):
                        sums[m, n] = sums[m, n] + query * keys[n]
            for m, n in TILE:
                s[head, i + m, j + n] = sm.simd_sum(sums[m, n]) * scale


@sm.kernel
def softmax_of_64(s: Any) -> None:
    """In place; the 64 scores of a query are two vectors of a simdgroup."""
    head = sm.threadgroup_position_in_grid().x
    lane = sm.thread_index_in_threadgroup()
    for i in range(QUERIES):
        low, high = s[head, i, lane], s[head, i, lane + SIMDGROUP]
        greatest = sm.simd_max(max(low, high))
        low, high = math.exp(low - greatest), math.exp(high - greatest)
        total = sm.simd_sum(low + high)
        s[head, i, lane] = low / total
        s[head, i, lane + SIMDGROUP] = high / total


@sm.kernel
def weighted_values(s: Any, v: Any, y: Any) -> None:
    """y[head] = s[head] v[head]: sixteen threads a head, a sum for each query."""
    head = sm.threadgroup_position_in_grid().x
    lane = sm.thread_index_in_threadgroup()
    sums = sm.thread_array(QUERIES, sm.float32)
    for start in range(0, v.shape[2], LANES):
        for i in sm.static_range(QUERIES):
            sums[i] = 0.0
        for j in range(KEYS):
            value = v[head, j, start + lane]
            for i in sm.static_range(QUERIES):
                sums[i] = sums[i] + s[head, i, j] * value
        for i in sm.static_range(QUERIES):
            y[head, i, start + lane] = sums[i]
