"""Right Metal kernels, written by hand as users write them, with what they must compute.

Each source text is compiled once; its cases say how its kernels are launched. A case's `make` gives
the arguments in the order of their buffer indices, and for some of these indices the array that must
be there afterwards.
"""

# ruff: noqa: E501 - the lines of kernels are as long as their writers made them

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Made = tuple[list[Any], dict[int, Array]]


@dataclass(frozen=True)
class Case:
    """One launch of a kernel.

    Args:
        name: Unique.
        source: Metal Shading Language.
        make: Gives new arguments, and the arrays expected by buffer index.
        grid: Threads of the grid.
        threads: Threads of a threadgroup.
        kernel: The function's name; else the case's.
        threadgroup_bytes: Lengths by `[[threadgroup(n)]]`.
        constants: Values of function constants.
        tolerance: The greatest right difference, relative to the greatest magnitude expected; 0: the
            same bits.
    """

    name: str
    source: str
    make: Callable[[], Made]
    grid: Any
    threads: Any
    kernel: str = ""
    threadgroup_bytes: Mapping[int, int] = field(default_factory=dict)
    constants: Mapping[int | str, object] = field(default_factory=dict)
    tolerance: float = 0.0

    @property
    def function(self) -> str:
        return self.kernel or self.name


CASES: list[Case] = []


def case(source: str, **fields: Any) -> Callable[[Callable[[], Made]], Callable[[], Made]]:
    """Makes a case of the function below, whose name the case bears."""

    def add(make: Callable[[], Made]) -> Callable[[], Made]:
        CASES.append(Case(make.__name__, source, make, **fields))
        return make

    return add


def mismatch(arrays: list[Any], expected: Mapping[int, Array], tolerance: float) -> str:
    """What is wrong in the arrays that a launch wrote; empty when nothing is."""
    for index, right in expected.items():
        found = arrays[index]
        if found.shape != right.shape:
            return f"buffer {index}: shape {found.shape}, expected {right.shape}"
        if tolerance == 0.0:
            wrong = (found != right) & ~((found != found) & (right != right))  # noqa: PLR0124 - NaN
        else:
            exact, real = right.astype(np.float64), found.astype(np.float64)
            scale = float(np.max(np.abs(exact[np.isfinite(exact)]), initial=1e-30))
            wrong = ~np.isclose(real, exact, rtol=0.0, atol=tolerance * scale, equal_nan=True)
        if np.any(wrong):
            first = tuple(int(i) for i in np.argwhere(wrong)[0])
            return (
                f"buffer {index}: {int(np.sum(wrong))} of {wrong.size} elements differ, the first at "
                f"{first}: {found[first]}, expected {right[first]}"
            )
    return ""


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def floats(*shape: int, seed: int = 0, dtype: Any = np.float32) -> Array:
    return random(seed).standard_normal(shape).astype(dtype)


HEADER = "#include <metal_stdlib>\nusing namespace metal;\n"
