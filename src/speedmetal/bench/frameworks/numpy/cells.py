"""NumPy's column: each operation as a person who knows NumPy writes it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from speedmetal.bench.contract import CHAIN_STEPS, Params
from speedmetal.bench.frameworks.base import Cell, Function
from speedmetal.bench.frameworks.numpy.fused import FUSED_CELLS

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


def _convolution(_: Params) -> Function:
    def convolution(x: Array, weight: Array) -> Array:
        space = tuple(range(1, x.ndim - 1))
        # (batch, out..., channels, kernel...) against (out, kernel..., channels)
        windows = sliding_window_view(x, weight.shape[1:-1], axis=space)
        kernel = tuple(range(1, weight.ndim - 1))
        window_axes = (*range(x.ndim, windows.ndim), x.ndim - 1)
        return np.tensordot(windows, weight, axes=(window_axes, (*kernel, weight.ndim - 1)))

    return convolution


def _depthwise(x: Array, weight: Array) -> Array:
    _, rows, columns, _ = weight.shape
    height, width = x.shape[1] - rows + 1, x.shape[2] - columns + 1
    result = np.zeros((x.shape[0], height, width, x.shape[3]), x.dtype)
    for i, j in np.ndindex(rows, columns):
        result += x[:, i : i + height, j : j + width] * weight[:, i, j, 0]
    return result


def _conv_transpose(params: Params) -> Function:
    stride = params["stride"]

    def conv_transpose(x: Array, weight: Array) -> Array:
        batch, height, width, _ = x.shape
        channels, rows, columns, _ = weight.shape
        # (batch, height, width, out, rows, columns): what each input position adds.
        products = np.tensordot(x, weight, axes=(3, 3))
        bottom, right = (height - 1) * stride, (width - 1) * stride
        result = np.zeros((batch, bottom + rows, right + columns, channels), x.dtype)
        for i, j in np.ndindex(rows, columns):
            target = result[:, i : i + bottom + 1 : stride, j : j + right + 1 : stride]
            target += products[..., i, j]
        return result

    return conv_transpose


def _pooling(reduce: Callable[..., Array]) -> Cell:
    def cell(params: Params) -> Function:
        size = params["window"]

        def pool(x: Array) -> Array:
            batch, height, width, channels = x.shape
            blocks = (batch, height // size, size, width // size, size, channels)
            return reduce(x.reshape(blocks), axis=(2, 4))

        return pool

    return cell


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

    result: Array = special.erf(x * math.sqrt(0.5)).astype(x.dtype, copy=False)
    result += 1
    result *= x
    result *= 0.5
    return result


def _cross_entropy(logits: Array, target: Array) -> Array:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=-1))
    return np.mean(log_sum - shifted[np.arange(len(target)), target])


def _rope(x: Array, cosine: Array, sine: Array) -> Array:
    first, second = np.split(x, 2, axis=-1)
    return np.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _lstm_cell(
    x: Array,
    hidden: Array,
    cell: Array,
    input_weight: Array,
    hidden_weight: Array,
    input_bias: Array,
    hidden_bias: Array,
) -> tuple[Array, Array]:
    gates = x @ input_weight.T
    gates += hidden @ hidden_weight.T
    gates += input_bias + hidden_bias
    i, f, g, o = np.split(gates, 4, axis=-1)
    cell = _sigmoid(f) * cell + _sigmoid(i) * np.tanh(g)
    return _sigmoid(o) * np.tanh(cell), cell


def _top_k(params: Params) -> Function:
    count = params["k"]

    def top_k(x: Array) -> Array:
        largest = np.partition(x, -count, axis=-1)[..., -count:]
        return np.sort(largest, axis=-1)[..., ::-1]

    return top_k


_STEPS: dict[str, Any] = {
    "multiply": np.multiply,
    "add": np.add,
    "tanh": np.tanh,
    "sin": np.sin,
    "square": np.square,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "reciprocal": np.reciprocal,
    "negative": np.negative,
}


def _chain(length: int) -> Cell:
    steps = [(_STEPS[name], () if c is None else (c,)) for name, c in CHAIN_STEPS[:length]]

    def chain(x: Array) -> Array:
        result = np.empty_like(x)
        source = x
        for function, constants in steps:
            function(source, *constants, out=result)
            source = result
        return result

    return lambda _: chain


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
    "sigmoid": _unary(_sigmoid),
    "softplus": _unary(_softplus),
    "gelu": _unary(_gelu),
    "silu": _unary(lambda x: x / (1 + np.exp(-x))),
    "matmul": _matmul,
    "linear": _linear,
    "attention": _attention,
    "softmax": _softmax,
    "sort": lambda p: lambda x: np.sort(x, axis=p["axis"]),
    "layer_norm_affine": lambda _: _layer_norm_affine,
    "rms_norm": lambda _: _rms_norm,
    "group_norm": _group_norm,
    "batch_norm": lambda _: _batch_norm,
    "rope": lambda _: _rope,
    "embedding": lambda _: lambda weight, token: weight[token],
    "cross_entropy": lambda _: _cross_entropy,
    "max_pool2d": _pooling(np.max),
    "avg_pool2d": _pooling(np.mean),
    "conv_transpose2d": _conv_transpose,
    "depthwise_conv2d": lambda _: _depthwise,
    "cumsum": lambda p: lambda x: np.cumsum(x, axis=p["axis"]),
    "top_k": _top_k,
    "rfft": _unary(np.fft.rfft),
    "einsum": lambda _: lambda query, key: np.einsum("bshd,bthd->bhst", query, key, optimize=True),
    "lstm_cell": lambda _: _lstm_cell,
    "chain5": _chain(5),
    "chain20": _chain(20),
    **FUSED_CELLS,
}
