"""PyTorch: its operations as they are, and the same through `torch.compile`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from side_by_side.contender import Inputs, Prepare, Ready, Table
from torch import Tensor

from contenders.arrays import table
from contenders.with_torch import on_tensors


class PyTorch:
    """What formulas use; a plain class, which `torch.compile` sees through."""

    sqrt, exp, sin, cos = torch.sqrt, torch.exp, torch.sin, torch.cos
    log, tanh, where = torch.log, torch.tanh, torch.where
    copy, fft = torch.clone, torch.fft.fft
    solve = torch.linalg.solve

    @staticmethod
    def transpose(x: Tensor) -> Tensor:
        return x.T

    @staticmethod
    def flip(x: Tensor) -> Tensor:
        return torch.flip(x, (0,))  # slices have no negative steps

    @staticmethod
    def sum(x: Tensor, axis: Any) -> Tensor:
        return torch.sum(x, axis)

    @staticmethod
    def mean(x: Tensor, axis: Any) -> Tensor:
        return torch.mean(x, axis)

    @staticmethod
    def max(x: Tensor, axis: Any) -> Tensor:
        return torch.max(x) if axis is None else torch.amax(x, axis)

    @staticmethod
    def var(x: Tensor, axis: Any) -> Tensor:
        return torch.var(x, axis, correction=0)

    @staticmethod
    def logsumexp(x: Tensor, axis: int) -> Tensor:
        return torch.logsumexp(x, axis)


def _compiled(function: Callable[..., Any]) -> Prepare:
    def prepare(inputs: Inputs) -> Ready:
        # All formulas come here as one function's code, of which only a few may be compiled.
        torch.compiler.reset()
        return on_tensors(torch.compile(function, dynamic=False, fullgraph=True))(inputs)

    return prepare


TABLE: Table = table(PyTorch, {"eager": on_tensors, "compile": _compiled})
