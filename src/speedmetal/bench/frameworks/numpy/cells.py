"""NumPy's column: each operation as a person who knows NumPy writes it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speedmetal.bench.contract import Params
from speedmetal.bench.frameworks.base import Cell, Function
from speedmetal.bench.frameworks.numpy.fused import FUSED_CELLS
from speedmetal.bench.frameworks.numpy_api import NumPyAPI

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


def _scale_and_shift(values: Array, weight: Array, bias: Array) -> Array:
    """Scale and shift in the memory of ``values``."""
    values *= weight
    values += bias
    return values


def _layer_norm_affine(x: Array, weight: Array, bias: Array) -> Array:
    return _scale_and_shift(_layer_norm(x), weight, bias)


def _rms_norm(x: Array, weight: Array) -> Array:
    square = np.einsum("...i,...i->...", x, x)[..., None] / x.shape[-1]
    result = x / np.sqrt(square + 1e-5)
    result *= weight
    return result


def _standardise(x: Array, axes: tuple[int, ...]) -> Array:
    result = x - x.mean(axis=axes, keepdims=True)
    variance = np.mean(np.square(result), axis=axes, keepdims=True)
    result /= np.sqrt(variance + 1e-5)
    return result


def _group_norm(params: Params) -> Function:
    groups = params["groups"]

    def group_norm(x: Array, weight: Array, bias: Array) -> Array:
        grouped = x.reshape(x.shape[0], -1, groups, x.shape[-1] // groups)
        return _scale_and_shift(_standardise(grouped, (1, 3)).reshape(x.shape), weight, bias)

    return group_norm


def _batch_norm(x: Array, weight: Array, bias: Array) -> Array:
    return _scale_and_shift(_standardise(x, tuple(range(x.ndim - 1))), weight, bias)


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

    result: Array = special.erf(x * math.sqrt(0.5)).astype(x.dtype, copy=False)
    result += 1
    result *= x
    result *= 0.5
    return result


def _cross_entropy(logits: Array, target: Array) -> Array:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=-1))
    return np.mean(log_sum - shifted[np.arange(len(target)), target])


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


_API = NumPyAPI(np)

CELLS: dict[str, Cell] = {
    "argmax": lambda p: lambda x: np.argmax(x, axis=p["axis"]),
    "sum": lambda p: lambda x: np.sum(x, axis=p["axis"]),
    "sum_all": _unary(np.sum),
    "bce": lambda _: _bce,
    "concat": lambda p: lambda a, b: np.concatenate([a, b], axis=p["axis"]),
    "conv1d": _API.convolution,
    "conv2d": _API.convolution,
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
    "sigmoid": _unary(_sigmoid),
    "softplus": _unary(_softplus),
    "gelu": _unary(_gelu),
    "silu": _unary(lambda x: x / (1 + np.exp(-x))),
    "matmul": _API.matmul,
    "linear": _API.linear,
    "attention": _attention,
    "softmax": _softmax,
    "sort": lambda p: lambda x: np.sort(x, axis=p["axis"]),
    "layer_norm_affine": lambda _: _layer_norm_affine,
    "rms_norm": lambda _: _rms_norm,
    "group_norm": _group_norm,
    "batch_norm": lambda _: _batch_norm,
    "rope": _API.rope,
    "embedding": lambda _: lambda weight, token: weight[token],
    "cross_entropy": lambda _: _cross_entropy,
    "max_pool2d": _API.pooling(np.max),
    "avg_pool2d": _API.pooling(np.mean),
    "conv_transpose2d": _API.conv_transpose,
    "depthwise_conv2d": _API.depthwise,
    "cumsum": lambda p: lambda x: np.cumsum(x, axis=p["axis"]),
    "top_k": _API.top_k,
    "rfft": _unary(np.fft.rfft),
    "einsum": lambda _: lambda query, key: np.einsum("bshd,bthd->bhst", query, key, optimize=True),
    "lstm_cell": _API.lstm_cell(_sigmoid),
    "chain5": _API.chain(5),
    "chain20": _API.chain(20),
    **FUSED_CELLS,
}
