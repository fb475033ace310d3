"""CuPy's column: each operation as a person who knows CuPy writes it.

Steps that are elementwise are one kernel by ``cupy.fuse``, as CuPy's guide has it; a library's
function is taken where there is one (``cupyx.scipy.special``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cupy as cp
import cupyx
from cupyx.scipy import special

from speedmetal.bench.contract import Params
from speedmetal.bench.frameworks.base import Cell, Function
from speedmetal.bench.frameworks.cupy.fused import FUSED_CELLS
from speedmetal.bench.frameworks.numpy_api import NumPyAPI

Array = Any


def _unary(function: Callable[[Array], Array]) -> Cell:
    return lambda _: function


def _standardise(x: Array, axes: tuple[int, ...]) -> Array:
    mean = x.mean(axis=axes, keepdims=True)
    return _scaled(x, mean, x.var(axis=axes, keepdims=True))


@cp.fuse()
def _scaled(x: Array, mean: Array, variance: Array) -> Array:
    return (x - mean) * cupyx.rsqrt(variance + 1e-5)


@cp.fuse()
def _scale_and_shift(x: Array, weight: Array, bias: Array) -> Array:
    return x * weight + bias


def _layer_norm_affine(x: Array, weight: Array, bias: Array) -> Array:
    return _scale_and_shift(_standardise(x, (-1,)), weight, bias)


@cp.fuse()
def _scaled_by_square(x: Array, square: Array, weight: Array) -> Array:
    return x * cupyx.rsqrt(square + 1e-5) * weight


def _rms_norm(x: Array, weight: Array) -> Array:
    return _scaled_by_square(x, cp.square(x).mean(axis=-1, keepdims=True), weight)


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
        scores = cp.matmul(query, cp.swapaxes(key, -1, -2))
        scores = cp.where(mask, scores * scale, -cp.inf).astype(query.dtype, copy=False)
        return cp.matmul(special.softmax(scores, axis=-1), value)

    return attention


def _scatter(x: Array, index: Array, updates: Array) -> Array:
    result = x.copy()
    result[index] = updates
    return result


def _scatter_with(combine: Callable[[Array, Array, Array], None]) -> Cell:
    def scatter(x: Array, index: Array, updates: Array) -> Array:
        result = x.copy()
        combine(result, index, updates)
        return result

    return lambda _: scatter


@cp.fuse()
def _negative_log_likelihood(probability: Array, target: Array) -> Array:
    return -(target * cp.log(probability) + (1 - target) * cp.log1p(-probability))


def _bce(probability: Array, target: Array) -> Array:
    return _negative_log_likelihood(probability, target).mean()


@cp.fuse()
def _leaky_relu(x: Array) -> Array:
    return cp.maximum(x, 0.01 * x)


@cp.fuse()
def _prelu(x: Array, slope: Array) -> Array:
    return cp.where(x >= 0, x, slope * x)


@cp.fuse()
def _selu(x: Array) -> Array:
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return cp.where(x > 0, scale * x, (scale * alpha) * cp.expm1(cp.minimum(x, 0)))


@cp.fuse()
def _softplus(x: Array) -> Array:
    return cp.maximum(x, 0) + cp.log1p(cp.exp(-cp.abs(x)))


@cp.fuse()
def _gelu(x: Array) -> Array:
    return 0.5 * x * (1 + special.erf(x * math.sqrt(0.5)))


def _sigmoid(x: Array) -> Array:
    return _as(x, special.expit(x))


def _as(x: Array, result: Array) -> Array:
    """The result in x's dtype: of float16, SciPy's special functions are float64 in CuPy."""
    return result.astype(x.dtype, copy=False)


@cp.fuse()
def _silu(x: Array) -> Array:
    return x / (1 + cp.exp(-x))


def _cross_entropy(logits: Array, target: Array) -> Array:
    log_softmax = special.log_softmax(logits, axis=-1)
    return -log_softmax[cp.arange(len(target)), target].mean()


_API = NumPyAPI(cp)

CELLS: dict[str, Cell] = {
    "argmax": lambda p: lambda x: cp.argmax(x, axis=p["axis"]),
    "sum": lambda p: lambda x: cp.sum(x, axis=p["axis"]),
    "sum_all": _unary(cp.sum),
    "bce": lambda _: _bce,
    "concat": lambda p: lambda a, b: cp.concatenate([a, b], axis=p["axis"]),
    "conv1d": _API.convolution,
    "conv2d": _API.convolution,
    "channels_first": _unary(lambda x: cp.ascontiguousarray(cp.moveaxis(x, -1, 1))),
    "gather": lambda _: lambda x, index: x[index],
    "scatter": lambda _: _scatter,
    "scatter_sum": _scatter_with(cupyx.scatter_add),
    "scatter_max": _scatter_with(cupyx.scatter_max),
    "layer_norm": _unary(lambda x: _standardise(x, (-1,))),
    "leaky_relu": _unary(_leaky_relu),
    "prelu": lambda _: _prelu,
    "relu": _unary(lambda x: cp.maximum(x, 0)),
    "selu": _unary(_selu),
    "sigmoid": _unary(_sigmoid),
    "softplus": _unary(_softplus),
    "gelu": _unary(lambda x: _as(x, _gelu(x))),
    "silu": _unary(_silu),
    "matmul": _API.matmul,
    "linear": _API.linear,
    "attention": _attention,
    "softmax": lambda p: lambda x: special.softmax(x, axis=p["axis"]),
    "sort": lambda p: lambda x: cp.sort(x, axis=p["axis"]),
    "layer_norm_affine": lambda _: _layer_norm_affine,
    "rms_norm": lambda _: _rms_norm,
    "group_norm": _group_norm,
    "batch_norm": lambda _: _batch_norm,
    "rope": _API.rope,
    "embedding": lambda _: lambda weight, token: weight[token],
    "cross_entropy": lambda _: _cross_entropy,
    "max_pool2d": _API.pooling(cp.max),
    "avg_pool2d": _API.pooling(cp.mean),
    "conv_transpose2d": _API.conv_transpose,
    "depthwise_conv2d": _API.depthwise,
    "cumsum": lambda p: lambda x: cp.cumsum(x, axis=p["axis"]),
    "top_k": _API.top_k,
    "rfft": _unary(cp.fft.rfft),
    "einsum": lambda _: lambda query, key: cp.einsum("bshd,bthd->bhst", query, key),
    "lstm_cell": _API.lstm_cell(_sigmoid),
    "chain5": _API.chain(5),
    "chain20": _API.chain(20),
    **FUSED_CELLS,
}
