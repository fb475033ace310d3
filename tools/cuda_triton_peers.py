"""Softmax and layer normalisation in Triton, as its tutorials write them: a program for each row.

https://triton-lang.org/main/getting-started/tutorials/02-fused-softmax.html and 05-layer-norm.html.
"""
# ruff: noqa: ANN001, ANN202 - Triton reads annotations in its own way

from __future__ import annotations

from typing import Any

try:
    import triton
    import triton.language as tl
except ImportError:  # no peer then
    triton = None

if triton is not None:

    @triton.jit
    def _softmax(target, source, length, width: tl.constexpr):
        row = tl.program_id(0).to(tl.int64)
        at = tl.arange(0, width)
        x = tl.load(source + row * length + at, mask=at < length, other=-float("inf"))
        x = x.to(tl.float32)
        powers = tl.exp(x - tl.max(x, axis=0))
        result = powers / tl.sum(powers, axis=0)
        tl.store(target + row * length + at, result, mask=at < length)

    @triton.jit
    def _layer_norm(target, source, weight, bias, length, width: tl.constexpr):
        row = tl.program_id(0).to(tl.int64)
        at = tl.arange(0, width)
        inside = at < length
        x = tl.load(source + row * length + at, mask=inside, other=0.0).to(tl.float32)
        distance = tl.where(inside, x - tl.sum(x, axis=0) / length, 0.0)
        scale = 1 / tl.sqrt(tl.sum(distance * distance, axis=0) / length + 1e-5)
        w = tl.load(weight + at, mask=inside).to(tl.float32)
        b = tl.load(bias + at, mask=inside).to(tl.float32)
        tl.store(target + row * length + at, distance * scale * w + b, mask=inside)


def _warps(width: int) -> int:
    return min(max(width // 256, 1), 32)


def softmax(x: Any) -> Any:
    """Of the rows of a tensor."""
    import torch

    result = torch.empty_like(x)
    width = triton.next_power_of_2(x.shape[1])
    _softmax[(x.shape[0],)](result, x, x.shape[1], width, num_warps=_warps(width))
    return result


def layer_norm(x: Any, weight: Any, bias: Any) -> Any:
    """Of the rows of a tensor."""
    import torch

    result = torch.empty_like(x)
    width = triton.next_power_of_2(x.shape[1])
    _layer_norm[(x.shape[0],)](result, x, weight, bias, x.shape[1], width, num_warps=_warps(width))
    return result
