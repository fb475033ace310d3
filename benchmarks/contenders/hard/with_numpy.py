"""NumPy: whole-array expressions; one thread but for products of matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from side_by_side.contender import Inputs, Prepare, Ready, Table, in_place
from side_by_side.hard_cases import EPSILON, SUMMED, TABLE_ROWS, softmax

from contenders.with_numpy import TABLE as SIMPLER
from contenders.with_numpy import returns

Array = NDArray[Any]


def _layer_norm(x: Array) -> Array:
    centred: Array = x - x.mean(1, keepdims=True)
    centred /= np.sqrt((centred**2).mean(1, keepdims=True) + np.float32(EPSILON))
    return centred


def _cross_entropy(p: Array, t: Array) -> Any:
    return -np.mean(t * np.log(p) + (1 - t) * np.log1p(-p))


def _convolution(x: Array, weights: Array) -> Array:
    """The windows as a matrix, times the weights."""
    outputs, high, wide, channels = weights.shape
    windows = sliding_window_view(x, (high, wide), (1, 2))  # ..., channel, row, column
    matrix = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, high * wide * channels)
    return (matrix @ weights.reshape(outputs, -1).T).reshape(*windows.shape[:3], outputs)


def _convolution_1d(x: Array, weights: Array) -> Array:
    y: Array = _convolution(x[:, None], weights[:, None])
    return y[:, 0]


def _attention(q: Array, k: Array, v: Array) -> Array:
    scores = q @ k.transpose(0, 2, 1) / np.float32(np.sqrt(q.shape[2]))
    attended: Array = softmax(scores) @ v
    return attended


def _scatter_add(rows: Array, places: Array) -> Array:
    return np.stack([np.bincount(places, column, TABLE_ROWS) for column in rows.T], 1)


def _ufunc(function: np.ufunc) -> dict[str, Prepare | str]:
    """Into memory that is made beforehand."""

    def prepare(inputs: Inputs) -> Ready:
        arrays = tuple(inputs.values())
        return in_place(function, arrays, (np.empty_like(arrays[-1]),))

    return {"": prepare}


def _copy_by(step: int) -> dict[str, Prepare | str]:
    def prepare(inputs: Inputs) -> Ready:
        a = inputs["a"][::step]
        return in_place(
            lambda source, target: np.copyto(target, source), (a,), (np.empty(a.shape, a.dtype),)
        )

    return {"copyto": prepare}


def _transposed_sum(inputs: Inputs) -> Ready:
    a, b = inputs["a"].T, inputs["b"]
    return in_place(np.add, (a, b), (np.empty_like(b),))


def _one(function: Callable[..., Any]) -> dict[str, Prepare | str]:
    return {"": returns(function)}


_COLUMN_SUMS = _one(lambda x: x.sum(0))
TABLE: Table = {
    "layer_norm": _one(_layer_norm),
    **{f"softmax_{columns}": _one(softmax) for columns in (8, 64, 128, 1024, 1_000_000)},
    "cross_entropy": _one(_cross_entropy),
    "convolution_3": _one(_convolution),
    "convolution_12": _one(_convolution),
    "convolution_128": _one(_convolution),
    "convolution_1d": _one(_convolution_1d),
    "attention": _one(_attention),
    "column_sums": _COLUMN_SUMS,
    "column_sums_wide": _COLUMN_SUMS,
    "column_sums_narrow": _COLUMN_SUMS,
    "sum_of_all": SIMPLER["reduction"],
    "argmax_rows": _one(lambda x: x.argmax(1)),
    "argmax_columns": _one(lambda x: x.argmax(0)),
    "sum_down_rows": _ufunc(np.add),
    "transposed_sum": {"": _transposed_sum},
    "strided_copy": _copy_by(2),
    "reversed_copy": _copy_by(-1),
    "sort_16": _one(lambda x: np.sort(x, 0)),
    "scatter_add": {"bincount": returns(_scatter_add)},
    "gather": {"take": returns(lambda table, places: np.take(table, places, 0))},
    "product": _one(np.matmul),
    "exponential_by_floor": _ufunc(np.exp),
    "exponential_by_constant": _ufunc(np.exp),
    "sums_of_8": _one(lambda x: x.reshape(-1, SUMMED).sum(1)),
}
