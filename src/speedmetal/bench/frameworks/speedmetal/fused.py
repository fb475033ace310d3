"""speedmetal's cells of the suite ``fused``."""

from __future__ import annotations

import math

import speedmetal as sm
from speedmetal.bench.contract import ADAM, KEPT_SHARE, LABEL_SMOOTHING, Params
from speedmetal.bench.frameworks.base import Cell, Function, Tensor


def _bias_gelu_dropout(x: Tensor, bias: Tensor, mask: Tensor, residual: Tensor) -> Tensor:
    return residual + sm.where(mask, sm.gelu(x + bias) / KEPT_SHARE, 0)


def _rms_norm_half(x: Tensor, weight: Tensor) -> Tensor:
    wide = x.astype(sm.float32)
    mean = sm.mean(sm.square(wide), axis=-1, keepdims=True)
    return (wide * sm.rsqrt(mean + 1e-5) * weight).astype(x.dtype)


def _residual_layer_norm(
    x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    total = x + residual
    centred = total - sm.mean(total, axis=-1, keepdims=True)
    variance = sm.mean(sm.square(centred), axis=-1, keepdims=True)
    return total, centred * sm.rsqrt(variance + 1e-5) * weight + bias


def _masked_softmax(params: Params) -> Function:
    scale = 1 / math.sqrt(params["head_size"])

    def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
        return sm.softmax(sm.where(mask, scores * scale, -math.inf), axis=-1)

    return masked_softmax


def _smoothed_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    right = sm.take_along_axis(logits, target[:, None], axis=-1)[:, 0]
    smoothed = (1 - LABEL_SMOOTHING) * right + LABEL_SMOOTHING * sm.mean(logits, axis=-1)
    return sm.mean(sm.logsumexp(logits, axis=-1) - smoothed)


def _adam(
    parameter: Tensor, gradient: Tensor, first: Tensor, second: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    first = ADAM.first_beta * first + (1 - ADAM.first_beta) * gradient
    second = ADAM.second_beta * second + (1 - ADAM.second_beta) * sm.square(gradient)
    root = sm.sqrt(second) / math.sqrt(ADAM.second_correction) + ADAM.epsilon
    rate = ADAM.learning_rate / ADAM.first_correction
    return parameter - rate * first / root, first, second


FUSED_CELLS: dict[str, Cell] = {
    "bias_gelu_dropout": lambda _: _bias_gelu_dropout,
    "swiglu": lambda _: lambda gate, up: sm.silu(gate) * up,
    "rms_norm_half": lambda _: _rms_norm_half,
    "residual_layer_norm": lambda _: _residual_layer_norm,
    "masked_softmax": _masked_softmax,
    "smoothed_cross_entropy": lambda _: _smoothed_cross_entropy,
    "adam": lambda _: _adam,
}
