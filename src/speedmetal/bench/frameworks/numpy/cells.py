"""NumPy's column: each operation as a person who knows NumPy writes it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from speedmetal.bench.contract import Params
from speedmetal.bench.frameworks.base import Cell, Function

Array = NDArray[Any]


def _unary(function: Callable[[Array], Array]) -> Cell:
    return lambda _: function


def _softmax(params: Params) -> Function:
    axis = params["axis"]

    def softmax(x: Array) -> Array:
        result = x - x.max(axis=axis, keepdims=True)
        np.exp(result, out=result)
        result /= result.sum(axis=axis, keepdims=True)
        return result

    return softmax


def _layer_norm(x: Array) -> Array:
    result = x - x.mean(axis=-1, keepdims=True)
    variance = np.einsum("...i,...i->...", result, result)[..., None] / x.shape[-1]
    result /= np.sqrt(variance + 1e-5)
    return result


def _convolution(_: Params) -> Function:
    def convolution(x: Array, weight: Array) -> Array:
        space = tuple(range(1, x.ndim - 1))
        # (batch, out..., channels, kernel...) against (out, kernel..., channels)
        windows = sliding_window_view(x, weight.shape[1:-1], axis=space)
        kernel = tuple(range(1, weight.ndim - 1))
        window_axes = (*range(x.ndim, windows.ndim), x.ndim - 1)
        return np.tensordot(windows, weight, axes=(window_axes, (*kernel, weight.ndim - 1)))

    return convolution


def _attention(params: Params) -> Function:
    scale = 1 / math.sqrt(params["head_size"])

    def attention(query: Array, key: Array, value: Array, mask: Array) -> Array:
        scores = np.matmul(query, np.swapaxes(key, -1, -2))
        scores *= scale
        np.copyto(scores, -np.inf, where=~mask)
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        return np.matmul(scores, value)

    return attention


def _scatter(x: Array, index: Array, updates: Array) -> Array:
    result = x.copy()
    result[index] = updates
    return result


def _scatter_with(combine: Any) -> Cell:
    def scatter(x: Array, index: Array, updates: Array) -> Array:
        result = x.copy()
        combine.at(result, index, updates)
        return result

    return lambda _: scatter


def _matmul(_: Params) -> Function:
    def matmul(a: Array, b: Array) -> Array:
        if b.ndim == 2:  # one BLAS call instead of one per matrix of the batch
            return (a.reshape(-1, a.shape[-1]) @ b).reshape(*a.shape[:-1], b.shape[-1])
        return np.matmul(a, b)

    return matmul


def _linear(_: Params) -> Function:
    def linear(x: Array, weight: Array, bias: Array) -> Array:
        result = x.reshape(-1, x.shape[-1]) @ weight
        result += bias
        return result.reshape(*x.shape[:-1], weight.shape[1])

    return linear


def _bce(probability: Array, target: Array) -> Array:
    positive = target * np.log(probability)
    negative = (1 - target) * np.log1p(-probability)
    return -np.mean(positive + negative)


def _leaky_relu(x: Array) -> Array:
    return np.maximum(x, 0.01 * x)


def _selu(x: Array) -> Array:
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return np.where(x > 0, scale * x, (scale * alpha) * np.expm1(np.minimum(x, 0)))


def _softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _gelu(x: Array) -> Array:
    from scipy import special  # NumPy has no erf; its users take SciPy's

    result: Array = special.erf(x * math.sqrt(0.5))
    result += 1
    result *= x
    result *= 0.5
    return result


CELLS: dict[str, Cell] = {
    "argmax": lambda p: lambda x: np.argmax(x, axis=p["axis"]),
    "sum": lambda p: lambda x: np.sum(x, axis=p["axis"]),
    "sum_all": _unary(np.sum),
    "bce": lambda _: _bce,
    "concat": lambda p: lambda a, b: np.concatenate([a, b], axis=p["axis"]),
    "conv1d": _convolution,
    "conv2d": _convolution,
    "channels_first": _unary(lambda x: np.ascontiguousarray(np.moveaxis(x, -1, 1))),
    "gather": lambda _: lambda x, index: x[index],
    "scatter": lambda _: _scatter,
    "scatter_sum": _scatter_with(np.add),
    "scatter_max": _scatter_with(np.maximum),
    "layer_norm": _unary(_layer_norm),
    "leaky_relu": _unary(_leaky_relu),
    "prelu": lambda _: lambda x, slope: np.where(x >= 0, x, slope * x),
    "relu": _unary(lambda x: np.maximum(x, 0)),
    "selu": _unary(_selu),
    "sigmoid": _unary(lambda x: 1 / (1 + np.exp(-x))),
    "softplus": _unary(_softplus),
    "gelu": _unary(_gelu),
    "silu": _unary(lambda x: x / (1 + np.exp(-x))),
    "matmul": _matmul,
    "linear": _linear,
    "attention": _attention,
    "softmax": _softmax,
    "sort": lambda p: lambda x: np.sort(x, axis=p["axis"]),
}
