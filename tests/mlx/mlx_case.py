"""Launches of MLX's Metal kernels with small inputs, and NumPy's results: what a case of `mlx_kernels.py` is.

Shapes are uneven on purpose: rows that no threadgroup divides, tiles that stick out.
"""

# ruff: noqa: E501 - declarations of templates read best in one line; flags of kernels

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Made = tuple[dict[int, Any], dict[int, Array]]


@dataclass(frozen=True)
class Case:
    """One launch.

    Args:
        name: What MLX uses the kernel for.
        files: Where the kernel is, named from MLX's folder of kernels; all are one program.
        function: The kernel: `name<arguments>`, or a name.
        make: Gives the arguments by buffer index, and what must be in some of them afterwards.
        grid: Threads of the grid.
        threads: Threads of a threadgroup.
        constants: Values of function constants.
        tolerance: The greatest right difference, relative to the greatest magnitude expected; 0: the
            same bits.
        fault: What is wrong with the kernel itself; the simulator must find it. Empty: nothing.
        is_strict: Whether threads that miss a barrier are an error.
    """

    name: str
    files: tuple[str, ...]
    function: str
    make: Callable[[], Made]
    grid: Any
    threads: Any
    constants: Mapping[int | str, object] = field(default_factory=dict)
    tolerance: float = 0.0
    fault: str = ""
    is_strict: bool = True

    @property
    def template(self) -> str:
        return self.function.partition("<")[0]


CASES: list[Case] = []


def case(
    name: str, files: str, function: str, grid: Any, threads: Any, **fields: Any
) -> Callable[[Callable[[], Made]], Callable[[], Made]]:
    """Makes a case of the function below, which gives its arguments."""

    def add(make: Callable[[], Made]) -> Callable[[], Made]:
        CASES.append(Case(name, tuple(files.split()), function, make, grid, threads, **fields))
        return make

    return add


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def floats(*shape: int, seed: int = 0, dtype: Any = np.float32) -> Array:
    return random(seed).standard_normal(shape).astype(dtype)


def wide(x: Array) -> Array:
    return x.astype(np.float64)


def int32(*values: int) -> Array:
    return np.array(values, np.int32)


def int64(*values: int) -> Array:
    return np.array(values, np.int64)


def strides(x: Array) -> Array:
    """In elements, as MLX gives them."""
    return np.array([s // x.itemsize for s in x.strides], np.int64)


def rows(x: Array) -> int:
    """Threads for a row of which each thread reads four elements, in whole simdgroups."""
    return (x.shape[-1] + 127) // 128 * 32
