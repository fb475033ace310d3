"""CuPy's cells of the suite ``fused``: what is elementwise is one kernel by ``cupy.fuse``."""

from __future__ import annotations

import math
from typing import Any

import cupy as cp
import cupyx
from cupyx.scipy import special

from speedmetal.bench.contract import ADAM, KEPT_SHARE, LABEL_SMOOTHING, Params
from speedmetal.bench.frameworks.base import Cell, Function

Array = Any


def _bias_gelu_dropout(x: Array, bias: Array, mask: Array, residual: Array) -> Array:
    # Of float16, `erf` is float64 in CuPy.
    return _fused_dropout(x, bias, mask, residual).astype(x.dtype, copy=False)


@cp.fuse()
def _fused_dropout(x: Array, bias: Array, mask: Array, residual: Array) -> Array:
    biased = x + bias
    gelu = biased * (1 + special.erf(biased * math.sqrt(0.5)))
    return residual + cp.where(mask, (0.5 / KEPT_SHARE) * gelu, 0)


@cp.fuse()
def _swiglu(gate: Array, up: Array) -> Array:
    return gate / (1 + cp.exp(-gate)) * up


@cp.fuse()
def _scaled_by_square(x: Array, square: Array, weight: Array) -> Array:
    return x * cupyx.rsqrt(square + 1e-5) * weight


def _rms_norm_half(x: Array, weight: Array) -> Array:
    wide = x.astype(cp.float32)
    square = cp.square(wide).mean(axis=-1, keepdims=True)
    return _scaled_by_square(wide, square, weight).astype(x.dtype)


@cp.fuse()
def _normalised(x: Array, mean: Array, variance: Array, weight: Array, bias: Array) -> Array:
    return (x - mean) * cupyx.rsqrt(variance + 1e-5) * weight + bias


def _residual_layer_norm(
    x: Array, residual: Array, weight: Array, bias: Array
) -> tuple[Array, Array]:
    total = x + residual
    mean = total.mean(axis=-1, keepdims=True)
    return total, _normalised(total, mean, total.var(axis=-1, keepdims=True), weight, bias)


def _masked_softmax(params: Params) -> Function:
    scale = 1 / math.sqrt(params["head_size"])

    def masked_softmax(scores: Array, mask: Array) -> Array:
        masked = cp.where(mask, scores * scale, -cp.inf).astype(scores.dtype, copy=False)
        return special.softmax(masked, axis=-1)

    return masked_softmax


def _smoothed_cross_entropy(logits: Array, target: Array) -> Array:
    log_softmax = special.log_softmax(logits, axis=-1)
    right = log_softmax[cp.arange(len(target)), target]
    smoothed = (1 - LABEL_SMOOTHING) * right + LABEL_SMOOTHING * log_softmax.mean(axis=-1)
    return -smoothed.mean()


@cp.fuse()
def _adam(
    parameter: Array, gradient: Array, first: Array, second: Array
) -> tuple[Array, Array, Array]:
    first = ADAM.first_beta * first + (1 - ADAM.first_beta) * gradient
    second = ADAM.second_beta * second + (1 - ADAM.second_beta) * gradient * gradient
    root = cp.sqrt(second) * (1 / math.sqrt(ADAM.second_correction)) + ADAM.epsilon
    rate = ADAM.learning_rate / ADAM.first_correction
    return parameter - rate * first / root, first, second


FUSED_CELLS: dict[str, Cell] = {
    "bias_gelu_dropout": lambda _: _bias_gelu_dropout,
    "swiglu": lambda _: _swiglu,
    "rms_norm_half": lambda _: _rms_norm_half,
    "residual_layer_norm": lambda _: _residual_layer_norm,
    "masked_softmax": _masked_softmax,
    "smoothed_cross_entropy": lambda _: _smoothed_cross_entropy,
    "adam": lambda _: _adam,
}
