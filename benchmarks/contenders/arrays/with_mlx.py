"""MLX on the CPU: its operations, and the same through `mx.compile`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx
from side_by_side.array_cases import Names
from side_by_side.contender import Inputs, Prepare, Ready, Table

from contenders.arrays import table
from contenders.with_mlx import eager, fetch

NAMES = Names(
    mx,
    copy=lambda x: mx.depends(x, []) + 0,  # `contiguous` would share the memory
    flip=lambda x: x[::-1],
    fft=mx.fft.fft,
    solve=lambda a, b: mx.linalg.solve(a, b, stream=mx.cpu),
)


def _compiled(function: Callable[..., Any]) -> Prepare:
    return eager(mx.compile(function))


def _lazy(function: Callable[..., Any]) -> Prepare:
    def prepare(inputs: Inputs) -> Ready:
        arrays = [mx.array(array) for array in inputs.values()]
        mx.eval(*arrays)
        return Ready(lambda: function(*arrays), fetch)

    return prepare


TABLE: Table = table(NAMES, {"eager": eager, "compile": _compiled}, _lazy)
