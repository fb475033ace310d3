"""NumPy's cells of the suite ``fused``: step by step, in the memory of the first result."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speedmetal.bench.contract import ADAM, KEPT_SHARE, LABEL_SMOOTHING, Params
from speedmetal.bench.frameworks.base import Cell, Function

Array = NDArray[Any]


def _bias_gelu_dropout(x: Array, bias: Array, mask: Array, residual: Array) -> Array:
    from scipy import special  # NumPy has no erf; its users take SciPy's

    biased = x + bias
    result: Array = special.erf(biased * math.sqrt(0.5)).astype(x.dtype, copy=False)
    result += 1
    result *= biased
    result *= 0.5 / KEPT_SHARE
    np.copyto(result, 0, where=~mask)
    result += residual
    return result


def _swiglu(gate: Array, up: Array) -> Array:
    result = np.exp(-gate)
    result += 1
    np.divide(gate, result, out=result)
    result *= up
    return result


def _rms_norm_half(x: Array, weight: Array) -> Array:
    wide = x.astype(np.float32)
    square = np.einsum("...i,...i->...", wide, wide)[..., None] / x.shape[-1]
    wide /= np.sqrt(square + 1e-5)
    wide *= weight
    return wide.astype(x.dtype)


def _residual_layer_norm(
    x: Array, residual: Array, weight: Array, bias: Array
) -> tuple[Array, Array]:
    total = x + residual
    result = total - total.mean(axis=-1, keepdims=True)
    variance = np.einsum("...i,...i->...", result, result)[..., None] / x.shape[-1]
    result /= np.sqrt(variance + 1e-5)
    result *= weight
    result += bias
    return total, result


def _masked_softmax(params: Params) -> Function:
    scale = 1 / math.sqrt(params["head_size"])

    def masked_softmax(scores: Array, mask: Array) -> Array:
        result = scores * scale
        np.copyto(result, -np.inf, where=~mask)
        result -= result.max(axis=-1, keepdims=True)
        np.exp(result, out=result)
        result /= result.sum(axis=-1, keepdims=True)
        return result

    return masked_softmax


def _smoothed_cross_entropy(logits: Array, target: Array) -> Array:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    right = shifted[np.arange(len(target)), target]
    smoothed = (1 - LABEL_SMOOTHING) * right + LABEL_SMOOTHING * shifted.mean(axis=-1)
    return np.mean(np.log(np.exp(shifted).sum(axis=-1)) - smoothed)


def _adam(
    parameter: Array, gradient: Array, first: Array, second: Array
) -> tuple[Array, Array, Array]:
    first = first * ADAM.first_beta
    first += (1 - ADAM.first_beta) * gradient
    second = second * ADAM.second_beta
    second += (1 - ADAM.second_beta) * np.square(gradient)
    root = np.sqrt(second / ADAM.second_correction)
    root += ADAM.epsilon
    update = first / root
    update *= ADAM.learning_rate / ADAM.first_correction
    return parameter - update, first, second


FUSED_CELLS: dict[str, Cell] = {
    "bias_gelu_dropout": lambda _: _bias_gelu_dropout,
    "swiglu": lambda _: _swiglu,
    "rms_norm_half": lambda _: _rms_norm_half,
    "residual_layer_norm": lambda _: _residual_layer_norm,
    "masked_softmax": _masked_softmax,
    "smoothed_cross_entropy": lambda _: _smoothed_cross_entropy,
    "adam": lambda _: _adam,
}
