"""PyTorch's column: each operation by the function that its documentation names for it."""

from __future__ import annotations

import torch
from torch.nn import functional

from speedmetal.bench.contract import Params
from speedmetal.bench.frameworks.base import Cell, Function, Tensor


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
}
