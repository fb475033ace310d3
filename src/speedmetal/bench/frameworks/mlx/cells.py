"""MLX's column: each operation by the function that its documentation names for it."""

from __future__ import annotations

import math

import mlx.core as mx
from mlx import nn

from speedmetal.bench.contract import Params
from speedmetal.bench.frameworks.base import Cell, Function, Tensor


def _unary(function: Function) -> Cell:
    return lambda _: lambda x: function(x)


def _scatter(_: Params) -> Function:
    def scatter(x: Tensor, index: Tensor, updates: Tensor) -> Tensor:
        # Item assignment rebinds the array that it is given: a new one keeps the input as it is.
        result = mx.array(x)
        result[index] = updates
        return result

    return scatter


def _attention(params: Params) -> Function:
    scale = 1 / math.sqrt(params["head_size"])

    def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        return mx.fast.scaled_dot_product_attention(query, key, value, scale=scale, mask=mask)

    return attention


def _bce(_: Params) -> Function:
    def bce(probability: Tensor, target: Tensor) -> Tensor:
        return nn.losses.binary_cross_entropy(
            probability, target, with_logits=False, reduction="mean"
        )

    return bce


CELLS: dict[str, Cell] = {
    "argmax": lambda p: lambda x: mx.argmax(x, axis=p["axis"]),
    "sum": lambda p: lambda x: mx.sum(x, axis=p["axis"]),
    "sum_all": _unary(mx.sum),
    "bce": _bce,
    "concat": lambda p: lambda a, b: mx.concatenate([a, b], axis=p["axis"]),
    "conv1d": lambda _: lambda x, weight: mx.conv1d(x, weight),
    "conv2d": lambda _: lambda x, weight: mx.conv2d(x, weight),
    "channels_first": _unary(lambda x: mx.contiguous(mx.moveaxis(x, -1, 1))),
    "gather": lambda _: lambda x, index: x[index],
    "scatter": _scatter,
    "scatter_sum": lambda _: lambda x, index, updates: x.at[index].add(updates),
    "scatter_max": lambda _: lambda x, index, updates: x.at[index].maximum(updates),
    "layer_norm": _unary(lambda x: mx.fast.layer_norm(x, None, None, 1e-5)),
    "leaky_relu": _unary(nn.leaky_relu),
    "prelu": lambda _: lambda x, slope: nn.prelu(x, slope),
    "relu": _unary(nn.relu),
    "selu": _unary(nn.selu),
    "sigmoid": _unary(mx.sigmoid),
    "softplus": _unary(nn.softplus),
    "gelu": _unary(nn.gelu),
    "silu": _unary(nn.silu),
    "matmul": lambda _: lambda a, b: mx.matmul(a, b),
    "linear": lambda _: lambda x, weight, bias: mx.addmm(bias, x, weight),
    "attention": _attention,
    "softmax": lambda p: lambda x: mx.softmax(x, axis=p["axis"]),
    "sort": lambda p: lambda x: mx.sort(x, axis=p["axis"]),
}
