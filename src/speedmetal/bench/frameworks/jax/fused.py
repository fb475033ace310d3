"""JAX's cells of the suite ``fused``."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import lax

from speedmetal.bench.contract import ADAM, KEPT_SHARE, LABEL_SMOOTHING, Params
from speedmetal.bench.frameworks.base import Cell, Function, Tensor


def _bias_gelu_dropout(x: Tensor, bias: Tensor, mask: Tensor, residual: Tensor) -> Tensor:
    return residual + jnp.where(mask, jax.nn.gelu(x + bias, approximate=False) / KEPT_SHARE, 0)


def _rms_norm_half(x: Tensor, weight: Tensor) -> Tensor:
    wide = x.astype(jnp.float32)
    mean = jnp.mean(jnp.square(wide), axis=-1, keepdims=True)
    return (wide * lax.rsqrt(mean + 1e-5) * weight).astype(x.dtype)


def _residual_layer_norm(
    x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    total = x + residual
    return total, jax.nn.standardize(total, axis=-1, epsilon=1e-5) * weight + bias


def _masked_softmax(params: Params) -> Function:
    scale = 1 / math.sqrt(params["head_size"])

    def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
        return jax.nn.softmax(jnp.where(mask, scores * scale, -jnp.inf), axis=-1)

    return masked_softmax


def _smoothed_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    right = jnp.take_along_axis(logits, target[:, None], axis=-1)[:, 0]
    smoothed = (1 - LABEL_SMOOTHING) * right + LABEL_SMOOTHING * jnp.mean(logits, axis=-1)
    return jnp.mean(jax.nn.logsumexp(logits, axis=-1) - smoothed)


def _adam(
    parameter: Tensor, gradient: Tensor, first: Tensor, second: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    # As Optax writes it.
    first = (1 - ADAM.first_beta) * gradient + ADAM.first_beta * first
    second = (1 - ADAM.second_beta) * jnp.square(gradient) + ADAM.second_beta * second
    root = jnp.sqrt(second / ADAM.second_correction) + ADAM.epsilon
    update = ADAM.learning_rate * (first / ADAM.first_correction) / root
    return parameter - update, first, second


FUSED_CELLS: dict[str, Cell] = {
    "bias_gelu_dropout": lambda _: _bias_gelu_dropout,
    "swiglu": lambda _: lambda gate, up: jax.nn.silu(gate) * up,
    "rms_norm_half": lambda _: _rms_norm_half,
    "residual_layer_norm": lambda _: _residual_layer_norm,
    "masked_softmax": _masked_softmax,
    "smoothed_cross_entropy": lambda _: _smoothed_cross_entropy,
    "adam": lambda _: _adam,
}
