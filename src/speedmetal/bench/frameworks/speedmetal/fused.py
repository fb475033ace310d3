"""speedmetal's cells of the suite ``fused``."""

from __future__ import annotations

import math

import speedmetal as sm
from speedmetal.bench.contract import ADAM, KEPT_SHARE, LABEL_SMOOTHING, Params
from speedmetal.bench.frameworks.base import Cell, Function, Tensor


def _bias_gelu_dropout(x: Tensor, bias: Tensor, mask: Tensor, residual: Tensor) -> Tensor:
    return residual + sm.where(mask, sm.nn.gelu(x + bias) / KEPT_SHARE, 0)


def _residual_layer_norm(
    x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    total = x + residual
    return total, sm.nn.layer_norm(total, weight, bias)


def _masked_softmax(params: Params) -> Function:
    scale = 1 / math.sqrt(params["head_size"])

    def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
        return sm.nn.softmax(sm.where(mask, scores * scale, -math.inf), axis=-1)

    return masked_softmax


def _smoothed_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    return sm.nn.cross_entropy(logits, target, label_smoothing=LABEL_SMOOTHING)


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
    "swiglu": lambda _: sm.nn.swiglu,
    # Its documentation says that everything between is in float32.
    "rms_norm_half": lambda _: sm.nn.rms_norm,
    "residual_layer_norm": lambda _: _residual_layer_norm,
    "masked_softmax": _masked_softmax,
    "smoothed_cross_entropy": lambda _: _smoothed_cross_entropy,
    "adam": lambda _: _adam,
}
