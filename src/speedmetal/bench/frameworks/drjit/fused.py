"""Dr.Jit's cells of the suite ``fused``."""

from __future__ import annotations

import math

import drjit as dr

from speedmetal.bench.contract import ADAM, KEPT_SHARE, LABEL_SMOOTHING, Params
from speedmetal.bench.frameworks.base import Cell, Function, Tensor


def _bias_gelu_dropout(x: Tensor, bias: Tensor, mask: Tensor, residual: Tensor) -> Tensor:
    x = x + bias
    gelu = 0.5 * x * (1 + dr.erf(x * math.sqrt(0.5)))
    return residual + dr.select(mask, gelu / KEPT_SHARE, 0)


def _rms_norm_half(x: Tensor, weight: Tensor) -> Tensor:
    wide = dr.float32_array_t(type(x))(x)
    mean = dr.mean(dr.square(wide), axis=x.ndim - 1, keepdims=True)
    return type(x)(wide * dr.rsqrt(mean + 1e-5) * weight)


def _residual_layer_norm(
    x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    total = x + residual
    centred = total - dr.mean(total, axis=x.ndim - 1, keepdims=True)
    variance = dr.mean(dr.square(centred), axis=x.ndim - 1, keepdims=True)
    return total, centred * dr.rsqrt(variance + 1e-5) * weight + bias


def _masked_softmax(params: Params) -> Function:
    scale = 1 / math.sqrt(params["head_size"])

    def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
        scaled = dr.select(mask, scores * scale, -math.inf)
        powers = dr.exp(scaled - dr.max(scaled, axis=3, keepdims=True))
        return powers / dr.sum(powers, axis=3, keepdims=True)

    return masked_softmax


def _smoothed_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    rows, classes = logits.shape
    positions = dr.uint32_array_t(type(logits.array))
    places = dr.arange(positions, rows) * classes + positions(target.array)
    right = type(logits)(dr.gather(type(logits.array), logits.array, places), (rows,))
    smoothed = (1 - LABEL_SMOOTHING) * right + LABEL_SMOOTHING * dr.mean(logits, axis=1)
    largest = dr.max(logits, axis=1, keepdims=True)
    total = dr.sum(dr.exp(logits - largest), axis=1, keepdims=True)
    return dr.sum((dr.log(total) + largest)[:, 0] - smoothed, axis=None) / rows


def _adam(
    parameter: Tensor, gradient: Tensor, first: Tensor, second: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    # As drjit.opt.Adam has it.
    first = ADAM.first_beta * first + (1 - ADAM.first_beta) * gradient
    second = ADAM.second_beta * second + (1 - ADAM.second_beta) * dr.square(gradient)
    root = dr.sqrt(second) / math.sqrt(ADAM.second_correction) + ADAM.epsilon
    rate = ADAM.learning_rate / ADAM.first_correction
    return parameter - rate * first / root, first, second


FUSED_CELLS: dict[str, Cell] = {
    "bias_gelu_dropout": lambda _: _bias_gelu_dropout,
    "swiglu": lambda _: lambda gate, up: gate / (1 + dr.exp(-gate)) * up,
    "rms_norm_half": lambda _: _rms_norm_half,
    "residual_layer_norm": lambda _: _residual_layer_norm,
    "masked_softmax": _masked_softmax,
    "smoothed_cross_entropy": lambda _: _smoothed_cross_entropy,
    "adam": lambda _: _adam,
}
