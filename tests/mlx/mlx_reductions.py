"""MLX's kernels for reductions and scans."""

# ruff: noqa: E501 - declarations of templates read best in one line; flags of kernels

from __future__ import annotations

from typing import Any

import numpy as np
from mlx_case import Array, Made, case, floats, random, wide

# --- Reductions and scans -------------------------------------------------------------------------

REDUCE = "utils.h atomic.h reduction/ops.h reduce.h"


@case(
    "reduction of everything",
    REDUCE,
    "all_reduce<float, float, Sum<float>>",
    256,
    256,
    tolerance=1e-6,
)
def _all_reduce() -> Made:
    x = random().random(3001).astype(np.float32)
    right = np.array([x.sum(dtype=np.float64)], np.float32)
    return {0: x, 1: np.zeros(1, np.float32), 2: np.uint64(3001), 3: np.uint64(3001)}, {1: right}


@case(
    "reduction of everything, in two steps",
    REDUCE,
    "all_reduce<int32_t, int32_t, Max<int32_t>>",
    (64, 5),
    (64, 1),
)
def _all_reduce_steps() -> Made:
    x = random().integers(-9999, 9999, (5, 600)).astype(np.int32)
    return {0: x, 1: np.zeros(5, np.int32), 2: np.uint64(3000), 3: np.uint64(600)}, {1: x.max(1)}


@case(
    "reduction of rows",
    REDUCE,
    "row_reduce_simple<float, float, Sum<float>>",
    (64, 3),
    (64, 1),
    tolerance=1e-6,
)
def _row_reduce() -> Made:
    x = random().random((10, 700)).astype(np.float32)
    arguments = {0: x, 1: np.zeros(10, np.float32), 2: np.uint64(700), 3: np.int64(10)}
    return arguments, {1: x.sum(1, dtype=np.float64).astype(np.float32)}


def _strided_arguments(
    x: Array, right: Array, row: int, kept: Array, dropped: Array, first: int
) -> Made:
    """Arguments of the reductions with shapes; `kept` and `dropped` are shape and stride in pairs."""
    arguments = {0: x, 1: np.zeros_like(right), 2: np.int64(row), 3: np.int64(first)}
    arguments |= {
        4: kept[:, 0].astype(np.int32),
        5: kept[:, 1].astype(np.int64),
        6: np.int32(len(kept)),
    }
    arguments |= {
        7: dropped[:, 0].astype(np.int32),
        8: dropped[:, 1].astype(np.int64),
        9: np.int32(len(dropped)),
    }
    return arguments, {1: right}


@case(
    "reduction of rows of several axes",
    REDUCE,
    "row_reduce_looped<float, float, Sum<float>, int, 1>",
    (64, 6),
    (64, 1),
    tolerance=1e-6,
)
def _row_reduce_looped() -> Made:
    x = random().random((4, 6, 90)).astype(np.float32)
    right = x.sum((0, 2), dtype=np.float64).astype(np.float32)
    return _strided_arguments(x, right, 90, np.array([[6, 90]]), np.array([[4, 540]]), 4)


@case(
    "reduction of short rows",
    REDUCE,
    "row_reduce_small<int32_t, int32_t, Sum<int32_t>, int, 1>",
    6,
    6,
)
def _row_reduce_small() -> Made:
    x = random().integers(-99, 99, (4, 6, 7)).astype(np.int32)
    right = x.sum((0, 2), dtype=np.int32)
    return _strided_arguments(x, right, 7, np.array([[6, 7]]), np.array([[4, 42]]), 4)


def _columns(x: Array, right: Array) -> Made:
    made, expected = _strided_arguments(
        x, right, x.shape[0], np.zeros((1, 2)), np.array([[x.shape[0], x.shape[1]]]), x.shape[1]
    )
    made |= {2: np.uint64(x.shape[0]), 6: np.int32(0), 10: np.uint64(1), 11: np.int64(0)}
    return made, expected


@case(
    "reduction of short columns",
    REDUCE,
    "col_reduce_small<float, float, Prod<float>, int, 1>",
    (8, 4),
    (8, 4),
    tolerance=1e-6,
)
def _column_reduce_small() -> Made:
    x = (1 + 0.1 * floats(20, 30)).astype(np.float32)
    return _columns(x, wide(x).prod(0).astype(np.float32))


@case(
    "reduction of columns",
    REDUCE,
    "col_reduce_looped<float, float, Sum<float>, int, 1, 32, 32>",
    (256 * 3, 1),
    (256, 1),
    tolerance=1e-6,
)
def _column_reduce() -> Made:
    x = random().random((100, 75)).astype(np.float32)
    return _columns(x, x.sum(0, dtype=np.float64).astype(np.float32))


@case(
    "reduction of long columns",
    REDUCE,
    "col_reduce_longcolumn<float, float, Min<float>, int, 1>",
    (8, 32, 1),
    (8, 32, 1),
)
def _column_reduce_long() -> Made:
    x = floats(500, 8)
    made, expected = _columns(x, x.min(0))
    return {**made, 3: np.uint64(x.shape[1]), 11: np.uint64(1)}, expected


@case("start of a reduction", REDUCE, "init_reduce<float, Min<float>>", 60, 32)
def _init_reduce() -> Made:
    return {0: np.zeros(60, np.float32)}, {0: np.full(60, np.inf, np.float32)}


SCAN = "utils.h binary_ops.h scan.h"


def _scan(dtype: Any, is_inclusive: bool, is_reverse: bool) -> Made:
    x = random().integers(0, 9, (3, 1001)).astype(dtype)
    y = x[:, ::-1] if is_reverse else x
    right = np.cumsum(y, 1, dtype=dtype)
    right = right if is_inclusive else right - y
    right = right[:, ::-1].copy() if is_reverse else right
    return {0: x, 1: np.zeros_like(x), 2: np.uint64(1001)}, {1: right}


for _inclusive, _reverse in ((True, False), (False, False), (True, True), (False, True)):
    _words = f"{'inclusive' if _inclusive else 'exclusive'}{', from the end' if _reverse else ''}"
    _flags = f"{str(_inclusive).lower()}, {str(_reverse).lower()}"
    case(
        f"scan, {_words}",
        SCAN,
        f"contiguous_scan<int32_t, int32_t, CumSum<int32_t>, 4, {_flags}>",
        (96, 3),
        (96, 1),
    )(lambda inclusive=_inclusive, reverse=_reverse: _scan(np.int32, inclusive, reverse))
case(
    "scan, 64-bit",
    SCAN,
    "contiguous_scan<int64_t, int64_t, CumSum<int64_t>, 2, true, false>",
    (96, 3),
    (96, 1),
)(lambda: _scan(np.int64, True, False))


@case(
    "scan of columns",
    SCAN,
    "strided_scan<float, float, CumMax<float>, 4, true, false>",
    (256, 2),
    (256, 1),
)
def _strided_scan() -> Made:
    x = floats(70, 45)
    arguments = {0: x, 1: np.zeros_like(x), 2: np.uint64(70), 3: np.uint64(45), 4: np.uint64(2)}
    return arguments, {1: np.maximum.accumulate(x, 0)}
