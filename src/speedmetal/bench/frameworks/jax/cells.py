"""JAX's column: each operation by the function that its documentation names for it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from speedmetal.bench.contract import Params
from speedmetal.bench.frameworks.base import Cell, Function, Tensor, chain_cell
from speedmetal.bench.frameworks.jax.fused import FUSED_CELLS


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


def _layer_norm_affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return _layer_norm(x) * weight + bias


def _rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    return x * lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + 1e-5) * weight


def _group_norm(params: Params) -> Function:
    groups = params["groups"]

    def group_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        grouped = x.reshape(x.shape[0], -1, groups, x.shape[-1] // groups)
        normalised = jax.nn.standardize(grouped, axis=(1, 3), epsilon=1e-5)
        return normalised.reshape(x.shape) * weight + bias

    return group_norm


def _batch_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    axes = tuple(range(x.ndim - 1))
    return jax.nn.standardize(x, axis=axes, epsilon=1e-5) * weight + bias


def _rope(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    first, second = jnp.split(x, 2, axis=-1)
    cosine, sine = cosine[:, None], sine[:, None]  # x is (batch, length, heads, head_size) here
    return jnp.concatenate(
        [first * cosine - second * sine, second * cosine + first * sine], axis=-1
    )


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    # As Optax writes it: JAX itself has no function for it.
    right = jnp.take_along_axis(logits, target[:, None], axis=-1)[:, 0]
    return jnp.mean(jax.nn.logsumexp(logits, axis=-1) - right)


def _max_pool(params: Params) -> Function:
    window = (1, params["window"], params["window"], 1)
    return lambda x: lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")


def _avg_pool(params: Params) -> Function:
    window = (1, params["window"], params["window"], 1)
    count = params["window"] ** 2
    return lambda x: lax.reduce_window(x, 0.0, lax.add, window, window, "VALID") / count


def _conv_transpose(params: Params) -> Function:
    def conv_transpose(x: Tensor, weight: Tensor) -> Tensor:
        # transpose_kernel makes it the gradient of a convolution; the kernel is then the one of
        # that convolution, (height, width, out, in).
        return lax.conv_transpose(
            x,
            weight,
            (params["stride"],) * 2,
            "VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            transpose_kernel=True,
        )

    return conv_transpose


def _depthwise(x: Tensor, weight: Tensor) -> Tensor:
    return lax.conv_general_dilated(
        x,
        weight,
        (1, 1),
        "VALID",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )


def _lstm_cell(
    x: Tensor,
    hidden: Tensor,
    cell: Tensor,
    input_weight: Tensor,
    hidden_weight: Tensor,
    input_bias: Tensor,
    hidden_bias: Tensor,
) -> tuple[Tensor, Tensor]:
    gates = x @ input_weight.T + input_bias + hidden @ hidden_weight.T + hidden_bias
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(cell), cell


_STEPS: dict[str, Function] = {
    "multiply": jnp.multiply,
    "add": jnp.add,
    "tanh": jnp.tanh,
    "sin": jnp.sin,
    "square": jnp.square,
    "sqrt": jnp.sqrt,
    "exp": jnp.exp,
    "log": jnp.log,
    "reciprocal": jnp.reciprocal,
    "negative": jnp.negative,
}


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
    "layer_norm_affine": lambda _: _layer_norm_affine,
    "rms_norm": lambda _: _rms_norm,
    "group_norm": _group_norm,
    "batch_norm": lambda _: _batch_norm,
    "rope": lambda _: _rope,
    "embedding": lambda _: lambda weight, token: weight[token],
    "cross_entropy": lambda _: _cross_entropy,
    "max_pool2d": _max_pool,
    "avg_pool2d": _avg_pool,
    "conv_transpose2d": _conv_transpose,
    "depthwise_conv2d": lambda _: _depthwise,
    "cumsum": lambda p: lambda x: jnp.cumsum(x, axis=p["axis"]),
    "top_k": lambda p: lambda x: lax.top_k(x, p["k"])[0],
    "rfft": _unary(jnp.fft.rfft),
    "einsum": lambda _: lambda query, key: jnp.einsum("bshd,bthd->bhst", query, key),
    "lstm_cell": lambda _: _lstm_cell,
    "chain5": chain_cell(_STEPS, 5),
    "chain20": chain_cell(_STEPS, 20),
    **FUSED_CELLS,
}
