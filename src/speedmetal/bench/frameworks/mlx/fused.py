"""MLX's cells of the suite ``fused``."""

from __future__ import annotations

import math

import mlx.core as mx

from mlx import nn
from speedmetal.bench.contract import ADAM, KEPT_SHARE, LABEL_SMOOTHING, Params
from speedmetal.bench.frameworks.base import Cell, Function, Tensor


def _bias_gelu_dropout(x: Tensor, bias: Tensor, mask: Tensor, residual: Tensor) -> Tensor:
    return residual + mx.where(mask, nn.gelu(x + bias) / KEPT_SHARE, 0)


def _residual_layer_norm(
    x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    total = x + residual
    return total, mx.fast.layer_norm(total, weight, bias, 1e-5)


def _masked_softmax(params: Params) -> Function:
    scale = 1 / math.sqrt(params["head_size"])

    def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
        return mx.softmax(mx.where(mask, scores * scale, -math.inf), axis=-1)

    return masked_softmax


def _smoothed_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    return nn.losses.cross_entropy(
        logits, target, label_smoothing=LABEL_SMOOTHING, reduction="mean"
    )


def _adam(
    parameter: Tensor, gradient: Tensor, first: Tensor, second: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    # As mlx.optimizers.Adam has it, with bias correction.
    first = ADAM.first_beta * first + (1 - ADAM.first_beta) * gradient
    second = ADAM.second_beta * second + (1 - ADAM.second_beta) * mx.square(gradient)
    rate = ADAM.learning_rate / ADAM.first_correction
    root = mx.sqrt(second) / math.sqrt(ADAM.second_correction) + ADAM.epsilon
    return parameter - rate * first / root, first, second


FUSED_CELLS: dict[str, Cell] = {
    "bias_gelu_dropout": lambda _: _bias_gelu_dropout,
    "swiglu": lambda _: lambda gate, up: nn.silu(gate) * up,
    # Its documentation says that the sum is kept in float32.
    "rms_norm_half": lambda _: lambda x, weight: mx.fast.rms_norm(x, weight, 1e-5),
    "residual_layer_norm": lambda _: _residual_layer_norm,
    "masked_softmax": _masked_softmax,
    "smoothed_cross_entropy": lambda _: _smoothed_cross_entropy,
    "adam": lambda _: _adam,
}
