"""PyTorch's cells of the suite ``fused``."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from speedmetal.bench.contract import ADAM, KEPT_SHARE, LABEL_SMOOTHING, Params
from speedmetal.bench.frameworks.base import Cell, Function, Tensor


def _bias_gelu_dropout(x: Tensor, bias: Tensor, mask: Tensor, residual: Tensor) -> Tensor:
    return residual + torch.where(mask, functional.gelu(x + bias) / KEPT_SHARE, 0)


def _rms_norm_half(x: Tensor, weight: Tensor) -> Tensor:
    # As models in PyTorch write it, which keep the sum in float32.
    wide = x.float()
    wide = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + 1e-5)
    return (wide * weight).to(x.dtype)


def _residual_layer_norm(
    x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    total = x + residual
    return total, functional.layer_norm(total, total.shape[-1:], weight, bias)


def _masked_softmax(params: Params) -> Function:
    scale = 1 / math.sqrt(params["head_size"])

    def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
        return torch.softmax((scores * scale).masked_fill(~mask, -math.inf), dim=-1)

    return masked_softmax


def _smoothed_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    return functional.cross_entropy(logits, target, label_smoothing=LABEL_SMOOTHING)


def _adam(
    parameter: Tensor, gradient: Tensor, first: Tensor, second: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    # What torch.optim.Adam computes, which writes over its states; here they are new.
    first = torch.lerp(first, gradient, 1 - ADAM.first_beta)
    second = torch.addcmul(
        second * ADAM.second_beta, gradient, gradient, value=1 - ADAM.second_beta
    )
    root = torch.sqrt(second) / math.sqrt(ADAM.second_correction) + ADAM.epsilon
    rate = ADAM.learning_rate / ADAM.first_correction
    return torch.addcdiv(parameter, first, root, value=-rate), first, second


FUSED_CELLS: dict[str, Cell] = {
    "bias_gelu_dropout": lambda _: _bias_gelu_dropout,
    "swiglu": lambda _: lambda gate, up: functional.silu(gate) * up,
    "rms_norm_half": lambda _: _rms_norm_half,
    "residual_layer_norm": lambda _: _residual_layer_norm,
    "masked_softmax": _masked_softmax,
    "smoothed_cross_entropy": lambda _: _smoothed_cross_entropy,
    "adam": lambda _: _adam,
}
