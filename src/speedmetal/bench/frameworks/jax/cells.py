"""JAX's column: each operation by the function that its documentation names for it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from speedmetal.bench.contract import Params
from speedmetal.bench.frameworks.base import Cell, Function, Tensor


def _unary(function: Function) -> Cell:
    return lambda _: lambda x: function(x)


def _convolution(space: str) -> Cell:
    layouts = (f"N{space}C", f"{space}IO", f"N{space}C")

    def convolution(x: Tensor, weight: Tensor) -> Tensor:
        strides = (1,) * len(space)
        return lax.conv_general_dilated(x, weight, strides, "VALID", dimension_numbers=layouts)

    return lambda _: convolution


def _bce(probability: Tensor, target: Tensor) -> Tensor:
    positive = target * jnp.log(probability)
    return -jnp.mean(positive + (1 - target) * jnp.log1p(-probability))


def _layer_norm(x: Tensor) -> Tensor:
    return jax.nn.standardize(x, axis=-1, epsilon=1e-5)


def _attention(_: Params) -> Function:
    def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        return jax.nn.dot_product_attention(query, key, value, mask=mask[None, None])

    return attention


CELLS: dict[str, Cell] = {
    "argmax": lambda p: lambda x: jnp.argmax(x, axis=p["axis"]),
    "sum": lambda p: lambda x: jnp.sum(x, axis=p["axis"]),
    "sum_all": _unary(jnp.sum),
    "bce": lambda _: _bce,
    "concat": lambda p: lambda a, b: jnp.concatenate([a, b], axis=p["axis"]),
    "conv1d": _convolution("W"),
    "conv2d": _convolution("HW"),
    "channels_first": _unary(lambda x: jnp.moveaxis(x, -1, 1)),
    "gather": lambda _: lambda x, index: x[index],
    "scatter": lambda _: lambda x, index, updates: x.at[index].set(updates),
    "scatter_sum": lambda _: lambda x, index, updates: x.at[index].add(updates),
    "scatter_max": lambda _: lambda x, index, updates: x.at[index].max(updates),
    "layer_norm": _unary(_layer_norm),
    "leaky_relu": _unary(jax.nn.leaky_relu),
    "prelu": lambda _: lambda x, slope: jnp.where(x >= 0, x, slope * x),
    "relu": _unary(jax.nn.relu),
    "selu": _unary(jax.nn.selu),
    "sigmoid": _unary(jax.nn.sigmoid),
    "softplus": _unary(jax.nn.softplus),
    "gelu": _unary(lambda x: jax.nn.gelu(x, approximate=False)),
    "silu": _unary(jax.nn.silu),
    "matmul": lambda _: lambda a, b: jnp.matmul(a, b),
    "linear": lambda _: lambda x, weight, bias: jnp.matmul(x, weight) + bias,
    "attention": _attention,
    "softmax": lambda p: lambda x: jax.nn.softmax(x, axis=p["axis"]),
    "sort": lambda p: lambda x: jnp.sort(x, axis=p["axis"]),
}
