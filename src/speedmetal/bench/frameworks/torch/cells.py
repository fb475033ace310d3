"""PyTorch's column: each operation by the function that its documentation names for it."""

from __future__ import annotations

import torch
from torch.nn import functional

from speedmetal.bench.contract import Params
from speedmetal.bench.frameworks.base import Cell, Function, Tensor, chain_cell
from speedmetal.bench.frameworks.torch.fused import FUSED_CELLS


def _unary(function: Function) -> Cell:
    # A function of our own around it: compilers want Python code, not a built-in.
    return lambda _: lambda x: function(x)


def _conv(function: Function) -> Cell:
    return lambda _: lambda x, weight: function(x, weight)


def _linear(_: Params) -> Function:
    return lambda x, weight, bias: functional.linear(x, weight.T, bias)


def _attention(_: Params) -> Function:
    def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)

    return attention


def _layer_norm(_: Params) -> Function:
    return lambda x: functional.layer_norm(x, x.shape[-1:])


def _layer_norm_affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:], weight, bias)


def _rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    return functional.rms_norm(x, x.shape[-1:], weight, 1e-5)


def _group_norm(params: Params) -> Function:
    return lambda x, weight, bias: functional.group_norm(x, params["groups"], weight, bias)


def _batch_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return functional.batch_norm(x, None, None, weight, bias, training=True)


def _rope(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    # As models in PyTorch write it: there is no function of its own for it.
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)


def _conv_transpose(params: Params) -> Function:
    return lambda x, weight: functional.conv_transpose2d(x, weight, stride=params["stride"])


def _depthwise(x: Tensor, weight: Tensor) -> Tensor:
    return functional.conv2d(x, weight, groups=x.shape[1])


def _top_k(params: Params) -> Function:
    return lambda x: torch.topk(x, params["k"], dim=-1, sorted=True).values


def _lstm_cell(
    x: Tensor, hidden: Tensor, cell: Tensor, *parameters: Tensor
) -> tuple[Tensor, Tensor]:
    # What torch.nn.LSTMCell calls; the parameters come in its order.
    hidden, cell = torch.lstm_cell(x, (hidden, cell), *parameters)
    return hidden, cell


_STEPS: dict[str, Function] = {
    "multiply": torch.mul,
    "add": torch.add,
    "tanh": torch.tanh,
    "sin": torch.sin,
    "square": torch.square,
    "sqrt": torch.sqrt,
    "exp": torch.exp,
    "log": torch.log,
    "reciprocal": torch.reciprocal,
    "negative": torch.neg,
}


CELLS: dict[str, Cell] = {
    "argmax": lambda p: lambda x: torch.argmax(x, dim=p["axis"]),
    "sum": lambda p: lambda x: torch.sum(x, dim=p["axis"]),
    "sum_all": _unary(torch.sum),
    "bce": lambda _: functional.binary_cross_entropy,
    "concat": lambda p: lambda a, b: torch.cat([a, b], dim=p["axis"]),
    "conv1d": _conv(functional.conv1d),
    "conv2d": _conv(functional.conv2d),
    "channels_first": _unary(lambda x: x.movedim(-1, 1).contiguous()),
    "gather": lambda _: lambda x, index: x[index],
    "scatter": lambda _: lambda x, index, updates: torch.index_put(x, (index,), updates),
    "scatter_sum": lambda _: lambda x, index, updates: torch.index_add(x, 0, index, updates),
    "scatter_max": lambda _: (
        lambda x, index, updates: torch.index_reduce(x, 0, index, updates, "amax")
    ),
    "layer_norm": _layer_norm,
    "leaky_relu": _unary(functional.leaky_relu),
    "prelu": lambda _: lambda x, slope: functional.prelu(x, slope),
    "relu": _unary(functional.relu),
    "selu": _unary(functional.selu),
    "sigmoid": _unary(torch.sigmoid),
    "softplus": _unary(functional.softplus),
    "gelu": _unary(functional.gelu),
    "silu": _unary(functional.silu),
    "matmul": lambda _: lambda a, b: torch.matmul(a, b),
    "linear": _linear,
    "attention": _attention,
    "softmax": lambda p: lambda x: torch.softmax(x, dim=p["axis"]),
    "sort": lambda p: lambda x: torch.sort(x, dim=p["axis"]).values,
    "layer_norm_affine": lambda _: _layer_norm_affine,
    "rms_norm": lambda _: _rms_norm,
    "group_norm": _group_norm,
    "batch_norm": lambda _: _batch_norm,
    "rope": lambda _: _rope,
    "embedding": lambda _: lambda weight, token: functional.embedding(token, weight),
    "cross_entropy": lambda _: lambda logits, target: functional.cross_entropy(logits, target),
    "max_pool2d": lambda p: lambda x: functional.max_pool2d(x, p["window"]),
    "avg_pool2d": lambda p: lambda x: functional.avg_pool2d(x, p["window"]),
    "conv_transpose2d": _conv_transpose,
    "depthwise_conv2d": lambda _: _depthwise,
    "cumsum": lambda p: lambda x: torch.cumsum(x, dim=p["axis"]),
    "top_k": _top_k,
    "rfft": _unary(torch.fft.rfft),
    "einsum": lambda _: lambda query, key: torch.einsum("bshd,bthd->bhst", query, key),
    "lstm_cell": lambda _: _lstm_cell,
    "chain5": chain_cell(_STEPS, 5),
    "chain20": chain_cell(_STEPS, 20),
    **FUSED_CELLS,
}
