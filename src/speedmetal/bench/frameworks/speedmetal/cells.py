"""speedmetal's column: each operation as a person who knows its arrays writes it."""

from __future__ import annotations

import speedmetal as sm
from speedmetal.bench.contract import Params
from speedmetal.bench.frameworks.base import Cell, Function, Tensor, chain_cell
from speedmetal.bench.frameworks.speedmetal.fused import FUSED_CELLS


def _unary(function: Function) -> Cell:
    return lambda _: function


def _group_norm(params: Params) -> Function:
    groups = params["groups"]
    return lambda x, weight, bias: sm.nn.group_norm(x, groups, weight, bias)


def _attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    return sm.nn.scaled_dot_product_attention(query, key, value, mask=mask)


def _lstm_cell(
    x: Tensor,
    hidden: Tensor,
    cell: Tensor,
    input_weight: Tensor,
    hidden_weight: Tensor,
    input_bias: Tensor,
    hidden_bias: Tensor,
) -> tuple[Tensor, Tensor]:
    return sm.nn.lstm_cell(x, (hidden, cell), input_weight, hidden_weight, input_bias, hidden_bias)


def _conv_transpose(params: Params) -> Function:
    return lambda x, weight: sm.nn.conv_transpose2d(x, weight, stride=params["stride"])


def _depthwise(x: Tensor, weight: Tensor) -> Tensor:
    return sm.nn.conv2d(x, weight, groups=x.shape[-1])


_STEPS: dict[str, Function] = {
    "multiply": sm.multiply,
    "add": sm.add,
    "tanh": sm.tanh,
    "sin": sm.sin,
    "square": sm.square,
    "sqrt": sm.sqrt,
    "exp": sm.exp,
    "log": sm.log,
    "reciprocal": sm.reciprocal,
    "negative": sm.negative,
}

CELLS: dict[str, Cell] = {
    "argmax": lambda p: lambda x: sm.argmax(x, axis=p["axis"]),
    "sum": lambda p: lambda x: sm.sum(x, axis=p["axis"]),
    "sum_all": _unary(sm.sum),
    "bce": lambda _: sm.nn.binary_cross_entropy,
    "concat": lambda p: lambda a, b: sm.concat([a, b], axis=p["axis"]),
    "conv1d": lambda _: sm.nn.conv1d,
    "conv2d": lambda _: sm.nn.conv2d,
    "channels_first": _unary(lambda x: sm.moveaxis(x, -1, 1).copy()),
    "gather": lambda _: lambda x, index: x[index],
    "scatter": lambda _: sm.scatter,
    "scatter_sum": lambda _: sm.scatter_add,
    "scatter_max": lambda _: sm.scatter_max,
    "layer_norm": _unary(sm.nn.layer_norm),
    "leaky_relu": _unary(sm.nn.leaky_relu),
    "prelu": lambda _: sm.nn.prelu,
    "relu": _unary(sm.nn.relu),
    "selu": _unary(sm.nn.selu),
    "sigmoid": _unary(sm.nn.sigmoid),
    "softplus": _unary(sm.nn.softplus),
    "gelu": _unary(sm.nn.gelu),
    "silu": _unary(sm.nn.silu),
    "matmul": lambda _: sm.matmul,
    "linear": lambda _: lambda x, weight, bias: sm.nn.linear(x, weight.T, bias),
    "attention": lambda _: _attention,
    "softmax": lambda p: lambda x: sm.nn.softmax(x, axis=p["axis"]),
    "sort": lambda p: lambda x: sm.sort(x, axis=p["axis"]),
    "layer_norm_affine": lambda _: sm.nn.layer_norm,
    "rms_norm": lambda _: sm.nn.rms_norm,
    "group_norm": _group_norm,
    "batch_norm": lambda _: sm.nn.batch_norm,
    "rope": lambda _: lambda x, cosine, sine: sm.nn.rope(x, cosine=cosine, sine=sine),
    "embedding": lambda _: lambda weight, token: sm.nn.embedding(token, weight),
    "cross_entropy": lambda _: sm.nn.cross_entropy,
    "max_pool2d": lambda p: lambda x: sm.nn.max_pool2d(x, p["window"]),
    "avg_pool2d": lambda p: lambda x: sm.nn.avg_pool2d(x, p["window"]),
    "conv_transpose2d": _conv_transpose,
    "depthwise_conv2d": lambda _: _depthwise,
    "cumsum": lambda p: lambda x: sm.cumsum(x, axis=p["axis"]),
    "top_k": lambda p: lambda x: sm.topk(x, p["k"]).values,
    "rfft": _unary(sm.fft.rfft),
    "einsum": lambda _: lambda query, key: sm.einsum("bshd,bthd->bhst", query, key),
    "lstm_cell": lambda _: _lstm_cell,
    "chain5": chain_cell(_STEPS, 5),
    "chain20": chain_cell(_STEPS, 20),
    **FUSED_CELLS,
}
