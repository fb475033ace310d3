"""Kernels over rows: a simdgroup takes a row, vector by vector; its lanes reduce at the end."""

from __future__ import annotations

import math
from typing import Any

from side_by_side.hard_cases import EPSILON

import speedmetal as sm

LANES = 32  # of a simdgroup
ROWS = 8  # that a threadgroup of one simdgroup takes, one after the other
LEAST_LOGARITHM = -100.0  # as PyTorch has it: log(0) must not make the mean infinite


def layer_norm_kept(vectors: int) -> Any:
    """Layer norm of rows of so many vectors, which each thread keeps."""

    @sm.kernel
    def layer_norm(x: Any, y: Any) -> None:
        lane = sm.thread_index_in_threadgroup()
        first = sm.threadgroup_position_in_grid().x * ROWS
        kept = sm.thread_array(vectors, sm.float32)
        for row in range(first, first + ROWS):
            total = 0.0
            for v in sm.static_range(vectors):
                kept[v] = x[row, lane + LANES * v]
                total += kept[v]
            mean = sm.simd_sum(total) / x.shape[1]
            squares = 0.0
            for v in sm.static_range(vectors):
                kept[v] = kept[v] - mean
                squares += kept[v] * kept[v]
            scale = 1.0 / math.sqrt(sm.simd_sum(squares) / x.shape[1] + EPSILON)
            for v in sm.static_range(vectors):
                y[row, lane + LANES * v] = kept[v] * scale

    return layer_norm


@sm.kernel
def layer_norm_read(x: Any, y: Any) -> None:
    """Layer norm that reads a row three times: it stays in the cache."""
    lane = sm.thread_index_in_threadgroup()
    first = sm.threadgroup_position_in_grid().x * ROWS
    columns = x.shape[1]
    for row in range(first, first + ROWS):
        total = 0.0
        for start in range(0, columns, LANES):
            total += x[row, start + lane]
        mean = sm.simd_sum(total) / columns
        squares = 0.0
        for start in range(0, columns, LANES):
            offset = x[row, start + lane] - mean
            squares += offset * offset
        scale = 1.0 / math.sqrt(sm.simd_sum(squares) / columns + EPSILON)
        for start in range(0, columns, LANES):
            y[row, start + lane] = (x[row, start + lane] - mean) * scale


def softmax_kept(vectors: int) -> Any:
    """Softmax of rows of so many vectors, which each thread keeps."""

    @sm.kernel
    def softmax(x: Any, y: Any) -> None:
        lane = sm.thread_index_in_threadgroup()
        first = sm.threadgroup_position_in_grid().x * ROWS
        kept = sm.thread_array(vectors, sm.float32)
        for row in range(first, first + ROWS):
            greatest = -math.inf
            for v in sm.static_range(vectors):
                kept[v] = x[row, lane + LANES * v]
                greatest = max(greatest, kept[v])
            greatest = sm.simd_max(greatest)
            total = 0.0
            for v in sm.static_range(vectors):
                kept[v] = math.exp(kept[v] - greatest)
                total += kept[v]
            scale = 1.0 / sm.simd_sum(total)
            for v in sm.static_range(vectors):
                y[row, lane + LANES * v] = kept[v] * scale

    return softmax


@sm.kernel
def softmax_in_place(x: Any, y: Any) -> None:
    """Softmax that leaves the powers in y, and scales them there."""
    lane = sm.thread_index_in_threadgroup()
    first = sm.threadgroup_position_in_grid().x * ROWS
    columns = x.shape[1]
    for row in range(first, first + ROWS):
        greatest = -math.inf
        for start in range(0, columns, LANES):
            greatest = max(greatest, x[row, start + lane])
        greatest = sm.simd_max(greatest)
        total = 0.0
        for start in range(0, columns, LANES):
            power = math.exp(x[row, start + lane] - greatest)
            y[row, start + lane] = power
            total += power
        scale = 1.0 / sm.simd_sum(total)
        for start in range(0, columns, LANES):
            y[row, start + lane] = y[row, start + lane] * scale


VECTORS = 5  # of a step along a long row


@sm.kernel
def softmax_long(x: Any, y: Any) -> None:
    """Softmax of a row for each threadgroup, longer than caches: powers are taken twice."""
    lane = sm.thread_index_in_threadgroup()
    row = sm.threadgroup_position_in_grid().x
    columns, step = x.shape[1], LANES * VECTORS
    greatest = sm.thread_array(VECTORS, sm.float32)
    totals = sm.thread_array(VECTORS, sm.float32)
    for v in sm.static_range(VECTORS):
        greatest[v] = -math.inf
        totals[v] = 0.0
    for start in range(0, columns, step):
        for v in sm.static_range(VECTORS):
            greatest[v] = max(greatest[v], x[row, start + LANES * v + lane])
    own = greatest[0]
    for v in sm.static_range(1, VECTORS):
        own = max(own, greatest[v])
    base = sm.simd_max(own)
    for start in range(0, columns, step):
        for v in sm.static_range(VECTORS):
            totals[v] = totals[v] + math.exp(x[row, start + LANES * v + lane] - base)
    total = totals[0]
    for v in sm.static_range(1, VECTORS):
        total += totals[v]
    scale = 1.0 / sm.simd_sum(total)
    for start in range(0, columns, step):
        for v in sm.static_range(VECTORS):
            column = start + LANES * v + lane
            y[row, column] = math.exp(x[row, column] - base) * scale


@sm.kernel
def softmax_of_8_by_threads(x: Any, y: Any) -> None:
    """A thread for each row of 8."""
    row = sm.thread_position_in_grid().x
    kept = sm.thread_array(8, sm.float32)
    greatest = -math.inf
    for k in sm.static_range(8):
        kept[k] = x[row, k]
        greatest = max(greatest, kept[k])
    total = 0.0
    for k in sm.static_range(8):
        kept[k] = math.exp(kept[k] - greatest)
        total += kept[k]
    scale = 1.0 / total
    for k in sm.static_range(8):
        y[row, k] = kept[k] * scale


@sm.kernel
def softmax_of_8_by_lanes(x: Any, y: Any) -> None:
    """Four rows of 8 in a simdgroup; x and y are flat."""
    i = sm.thread_position_in_grid().x
    value = x[i]
    greatest = sm.quad_max(value)
    greatest = max(greatest, sm.simd_shuffle_xor(greatest, 4))
    power = math.exp(value - greatest)
    total = sm.quad_sum(power)
    y[i] = power / (total + sm.simd_shuffle_xor(total, 4))


@sm.kernel
def cross_entropies(predicted: Any, wanted: Any, sums: Any) -> None:
    """Each simdgroup's sum over its row."""
    lane = sm.thread_index_in_threadgroup()
    row = sm.threadgroup_position_in_grid().x
    total = 0.0
    for start in range(0, predicted.shape[1], LANES):
        p, t = predicted[row, start + lane], wanted[row, start + lane]
        total -= t * max(math.log(p), LEAST_LOGARITHM)
        total -= (1.0 - t) * max(math.log(1.0 - p), LEAST_LOGARITHM)
    total = sm.simd_sum(total)
    if lane == 0:
        sums[row] = total


@sm.kernel
def mean_of_sums(sums: Any, mean: Any, count: float) -> None:
    """One simdgroup adds up what the others found."""
    lane = sm.thread_index_in_threadgroup()
    total = 0.0
    for k in range(lane, sums.size, LANES):
        total += sums[k]
    total = sm.simd_sum(total)
    if lane == 0:
        mean[0] = total / count
