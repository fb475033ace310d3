"""MLX's column: each operation by the function that its documentation names for it."""

from __future__ import annotations

import math

import mlx.core as mx

from mlx import nn
from speedmetal.bench.contract import Params
from speedmetal.bench.frameworks.base import Cell, Function, Tensor, chain_cell
from speedmetal.bench.frameworks.mlx.fused import FUSED_CELLS


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


def _group_norm(params: Params) -> Function:
    # Grouped as everybody else does, and as the paper says: channels of a group side by side.
    normalise = nn.GroupNorm(
        params["groups"], params["shape"][-1], affine=False, pytorch_compatible=True
    )
    return lambda x, weight, bias: weight * normalise(x) + bias


def _batch_norm(params: Params) -> Function:
    # The layer's own weight and bias are left out: they are inputs here, applied as it does.
    normalise = nn.BatchNorm(params["shape"][-1], affine=False, track_running_stats=False)
    return lambda x, weight, bias: weight * normalise(x) + bias


def _rope(params: Params) -> Function:
    def rope(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        del cosine, sine  # it makes its own
        size = params["head_size"]
        return mx.fast.rope(x, size, traditional=False, base=10000.0, scale=1.0, offset=0)

    return rope


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    return nn.losses.cross_entropy(logits, target, reduction="mean")


def _top_k(params: Params) -> Function:
    def top_k(x: Tensor) -> Tensor:
        # mx.topk leaves the order open.
        return mx.sort(mx.topk(x, params["k"], axis=-1), axis=-1)[..., ::-1]

    return top_k


def _conv_transpose(params: Params) -> Function:
    return lambda x, weight: mx.conv_transpose2d(x, weight, stride=params["stride"])


def _depthwise(x: Tensor, weight: Tensor) -> Tensor:
    return mx.conv2d(x, weight, groups=x.shape[-1])


def _lstm_cell(
    x: Tensor,
    hidden: Tensor,
    cell: Tensor,
    input_weight: Tensor,
    hidden_weight: Tensor,
    input_bias: Tensor,
    hidden_bias: Tensor,
) -> tuple[Tensor, Tensor]:
    # One step of nn.LSTM, which has a single bias.
    gates = mx.addmm(input_bias + hidden_bias, x, input_weight.T)
    gates = mx.addmm(gates, hidden, hidden_weight.T)
    i, f, g, o = mx.split(gates, 4, axis=-1)
    cell = mx.sigmoid(f) * cell + mx.sigmoid(i) * mx.tanh(g)
    return mx.sigmoid(o) * mx.tanh(cell), cell


_STEPS: dict[str, Function] = {
    "multiply": mx.multiply,
    "add": mx.add,
    "tanh": mx.tanh,
    "sin": mx.sin,
    "square": mx.square,
    "sqrt": mx.sqrt,
    "exp": mx.exp,
    "log": mx.log,
    "reciprocal": mx.reciprocal,
    "negative": mx.negative,
}


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
    "layer_norm_affine": lambda _: (
        lambda x, weight, bias: mx.fast.layer_norm(x, weight, bias, 1e-5)
    ),
    "rms_norm": lambda _: lambda x, weight: mx.fast.rms_norm(x, weight, 1e-5),
    "group_norm": _group_norm,
    "batch_norm": _batch_norm,
    "rope": _rope,
    "embedding": lambda _: lambda weight, token: weight[token],
    "cross_entropy": lambda _: _cross_entropy,
    "max_pool2d": lambda p: nn.MaxPool2d(p["window"]),
    "avg_pool2d": lambda p: nn.AvgPool2d(p["window"]),
    "conv_transpose2d": _conv_transpose,
    "depthwise_conv2d": lambda _: _depthwise,
    "cumsum": lambda p: lambda x: mx.cumsum(x, axis=p["axis"]),
    "top_k": _top_k,
    "rfft": _unary(mx.fft.rfft),
    "einsum": lambda _: lambda query, key: mx.einsum("bshd,bthd->bhst", query, key),
    "lstm_cell": lambda _: _lstm_cell,
    "chain5": chain_cell(_STEPS, 5),
    "chain20": chain_cell(_STEPS, 20),
    **FUSED_CELLS,
}
