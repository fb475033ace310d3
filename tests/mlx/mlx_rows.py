"""MLX's kernels for operations on rows, sorting and searching."""

# ruff: noqa: E501 - declarations of templates read best in one line; flags of kernels

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
from mlx_case import Array, Made, case, floats, int32, int64, random, rows, wide

# --- Rows -----------------------------------------------------------------------------------------


def _softmax(x: Array) -> Array:
    power = np.exp(wide(x) - wide(x).max(-1, keepdims=True))
    return (power / power.sum(-1, keepdims=True)).astype(x.dtype)


def _row_kernel(name: str, files: str, function: str, reference: Callable[[Array], Array]) -> None:
    """A kernel with one threadgroup a row, in float, half and bfloat."""
    for kind, dtype, tolerance in (
        ("float", np.float32, 3e-6),
        ("half", np.float16, 2e-3),
        ("bfloat16_t", ml_dtypes.bfloat16, 2e-2),
    ):
        for columns in (300,) if "looped" not in function else (5000,):

            def make(dtype: Any = dtype, columns: int = columns) -> Made:
                x = floats(3, columns, dtype=dtype)
                out = reference(x)
                return {0: x, 1: np.zeros_like(out), 2: np.int32(columns)}, {1: out}

            threads = 1024 if "looped" in function else rows(np.empty(columns))
            case(
                f"{name}, {kind}",
                files,
                f"{function}<{kind}, float>",
                3 * threads,
                threads,
                tolerance=tolerance,
            )(make)


def _logsumexp(x: Array) -> Array:
    high = wide(x).max(-1)
    return (high + np.log(np.exp(wide(x) - high[:, None]).sum(-1))).astype(x.dtype)


_row_kernel("softmax", "utils.h softmax.h", "softmax_single_row", _softmax)
_row_kernel("softmax of long rows", "utils.h softmax.h", "softmax_looped", _softmax)
_row_kernel("logsumexp", "utils.h logsumexp.h", "logsumexp", _logsumexp)
_row_kernel("logsumexp of long rows", "utils.h logsumexp.h", "logsumexp_looped", _logsumexp)


def _entropy() -> tuple[Array, Array, Array]:
    x = floats(4, 333)
    targets = int32(3, 332, -1, 100)
    loss = _logsumexp(wide(x)) - wide(x)[np.arange(4), targets]
    return x, targets, loss


@case(
    "cross entropy", "utils.h cross_entropy.h", "cross_entropy<float>", 4 * 96, 96, tolerance=3e-6
)
def _cross_entropy() -> Made:
    x, targets, loss = _entropy()
    arguments = {0: x, 1: targets, 2: np.zeros(4, np.float32), 3: np.int32(333)}
    return arguments, {2: loss.astype(np.float32)}


@case(
    "cross entropy, backwards",
    "utils.h cross_entropy.h",
    "cross_entropy_vjp<float>",
    4 * 96,
    96,
    tolerance=3e-6,
)
def _cross_entropy_vjp() -> Made:
    x, targets, loss = _entropy()
    cotangent = floats(4, seed=1)
    right = np.array(_softmax(wide(x)))
    right[np.arange(4), targets] -= 1
    right *= cotangent[:, None]
    arguments = {
        0: x,
        1: targets,
        2: loss.astype(np.float32),
        3: cotangent,
        4: np.zeros_like(x),
        5: np.int32(333),
    }
    return arguments, {4: right.astype(np.float32)}


def _layer_norm(columns: int) -> Made:
    x, w, b = floats(3, columns), floats(columns, seed=1), floats(columns, seed=2)
    mean = wide(x).mean(-1, keepdims=True)
    right = (x - mean) / np.sqrt(wide(x).var(-1, keepdims=True) + 1e-5) * w + b
    one = np.uint32(1)
    arguments = {0: x, 1: w, 2: b, 3: np.zeros_like(x), 4: np.float32(1e-5), 5: np.uint32(columns)}
    return {**arguments, 6: one, 7: one}, {3: right.astype(np.float32)}


NORM = {"constants": {20: True}, "tolerance": 3e-6}
case("layer norm", "layer_norm.metal", "layer_norm_single_row<float>", 3 * 64, 64, **NORM)(
    lambda: _layer_norm(512)
)
case(
    "layer norm of uneven rows",
    "layer_norm.metal",
    "layer_norm_single_row<float>",
    3 * 64,
    64,
    fault="threads behind the row's end write before their own array: `for (int i = n; ...) thread_x[i] = mean` with n < 0",
    **NORM,
)(lambda: _layer_norm(301))
case(
    "layer norm of long rows", "layer_norm.metal", "layer_norm_looped<float>", 3 * 256, 256, **NORM
)(lambda: _layer_norm(1301))


def _rms(columns: int) -> Made:
    x, w = floats(3, columns), floats(columns, seed=1)
    right = x / np.sqrt((wide(x) ** 2).mean(-1, keepdims=True) + 1e-5) * w
    arguments = {
        0: x,
        1: w,
        2: np.zeros_like(x),
        3: np.float32(1e-5),
        4: np.uint32(columns),
        5: np.uint32(1),
    }
    return arguments, {2: right.astype(np.float32)}


case(
    "rms norm",
    "rms_norm.metal",
    "rms_single_row<float>",
    3 * 96,
    96,
    constants={20: True},
    tolerance=3e-6,
)(lambda: _rms(301))
case(
    "rms norm of long rows",
    "rms_norm.metal",
    "rms_looped<float>",
    3 * 1024,
    1024,
    constants={20: True},
    tolerance=3e-6,
)(lambda: _rms(5000))


# --- Sorting and searching ------------------------------------------------------------------------

SORT = "utils.h sort.h"


def _sort(is_argsort: bool, dtype: Any) -> Made:
    x = (100 * floats(3, 700)).astype(dtype)
    if dtype == np.float32:
        x[1, 5] = x[2, 600] = np.nan
    right = np.argsort(x, -1, kind="stable").astype(np.uint32) if is_argsort else np.sort(x, -1)
    arguments = {0: x, 1: np.zeros_like(right), 2: np.int32(700)}
    return {**arguments, 3: np.int32(1), 4: np.int32(1), 5: np.int32(700), 6: np.int32(700)}, {
        1: right
    }


for _type, _dtype in (("float", np.float32), ("int32_t", np.int32), ("half", np.float16)):
    case(
        f"sort, {_type}", SORT, f"block_sort<{_type}, {_type}, false, 128, 8>", (128, 3), (128, 1)
    )(lambda dtype=_dtype: _sort(False, dtype))
    case(
        f"argsort, {_type}",
        SORT,
        f"block_sort<{_type}, uint32_t, true, 128, 8>",
        (128, 3),
        (128, 1),
    )(lambda dtype=_dtype: _sort(True, dtype))


@case("searchsorted", "utils.h sort.h searchsorted.h", "searchsorted<float, true>", 50, 32)
def _searchsorted() -> Made:
    a, v = np.sort(floats(200)), floats(50, seed=1)
    right = np.searchsorted(a, v, "right").astype(np.uint32)
    return {0: a, 1: v, 2: np.zeros(50, np.uint32), 3: np.uint32(200), 4: np.int64(1)}, {2: right}


def _arg_reduce(name: str) -> Made:
    x = random().integers(-50, 50, (4, 500)).astype(np.float32)
    right = (x.argmin(1) if name == "ArgMin" else x.argmax(1)).astype(np.uint32)
    arguments = {0: x, 1: np.zeros(4, np.uint32), 2: int32(4), 3: int64(500), 4: int64(1)}
    return {**arguments, 5: np.uint64(1), 6: np.int64(1), 7: np.uint64(500)}, {1: right}


for _name in ("ArgMin", "ArgMax"):
    case(
        f"{_name.lower()}",
        "arg_reduce.metal",
        f"arg_reduce_general<float, {_name}<float>>",
        (128, 4),
        (128, 1),
    )(lambda name=_name: _arg_reduce(name))
