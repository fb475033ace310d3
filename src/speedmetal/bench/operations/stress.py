"""Inputs on which formulas that are right on paper fail, mixed into arrays of a case's own shape.

Each row is of one kind, at random: far from zero, large, constant, too small for a normal number,
or as it was. A softmax that does not subtract its maximum overflows on the first two; a variance as
E[x^2] - E[x]^2 loses its digits on the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from speedmetal.bench.operations.base import Array, Arrays, Params, Stress

Axes = tuple[int, ...]
Split = Callable[[Params], tuple[tuple[int, ...], Axes]]  # a shape of the array, the axes of a row

CONSTANT = 3.0  # exact in every dtype, as are its sums
DENORMAL = {"float16": 1e-6, "bfloat16": 1e-40, "float32": 1e-40, "float64": 1e-310}
# Far enough for the fault to show, near enough for a spread of 1 to keep its digits.
OFFSET = {"float16": 50.0, "bfloat16": 8.0, "float32": 1000.0, "float64": 1000.0}
# Frameworks that sum squares in float16 reach its largest number, 65504, with a row of 1024.
LARGE = {"float16": 4.0, "bfloat16": 4.0, "float32": 1e4, "float64": 1e4}
# exp overflows in float32 at 89; a half precision is widened to float32 first, or overflows at 12.
EXPONENT = {"float16": 100.0, "bfloat16": 100.0, "float32": 1000.0, "float64": 1000.0}
LARGE_ELEMENT = {"float16": 1e3, "bfloat16": 1e4, "float32": 1e4, "float64": 1e4}


def _mix(
    x: Array,
    axes: Axes,
    kinds: tuple[tuple[float, float], ...],
    generator: np.random.Generator,
) -> Array:
    """Rows along ``axes`` become ``factor * x + shift`` of one of the kinds each."""
    kept = [1 if i in axes else n for i, n in enumerate(x.shape)]
    count = math.prod(kept)
    order = generator.permutation(count) if count > 1 else np.zeros(1, np.int64)
    factor, shift = np.asarray(kinds)[order.reshape(kept) % len(kinds)].transpose(
        (len(kept), *range(len(kept)))
    )
    return np.asarray(x.astype(np.float64) * factor + shift)


def _kinds(
    dtype: str, offset: Mapping[str, float], large: Mapping[str, float]
) -> tuple[tuple[float, float], ...]:
    """(factor, shift) of each kind; the first is what a single row is."""
    return (
        (1.0, offset[dtype]),
        (large[dtype], 0.0),
        (0.0, CONSTANT),
        (DENORMAL[dtype], 0.0),
        (1.0, 0.0),
    )


def split_at(*axes: int) -> Split:
    """Rows along fixed axes of a case's ``shape``."""
    return lambda params: (
        tuple(params["shape"]),
        tuple(axis % len(params["shape"]) for axis in axes),
    )


def split_at_axis(params: Params) -> tuple[tuple[int, ...], Axes]:
    """Rows along a case's ``axis``."""
    return split_at(params["axis"])(params)


def _hard(
    name: str,
    split: Split,
    offset: Mapping[str, float],
    large: Mapping[str, float],
    leniency: Callable[[str], float] = lambda _: 1.0,
) -> Stress:
    def inputs(
        params: Params, arrays: Arrays, dtype: str, generator: np.random.Generator
    ) -> Arrays:
        x = arrays[name]
        shape, axes = split(params)
        hard = _mix(x.reshape(shape), axes, _kinds(dtype, offset, large), generator)
        return {**arrays, name: hard.reshape(x.shape)}

    return Stress(inputs, leniency)


def normalised(split: Split) -> Stress:
    """For what subtracts a row's mean and divides by its spread.

    With a spread of 1 at an offset of c, a mean is known to eps c alone: the condition number of
    x - mean is c, and so is the leniency. The formula E[x^2] - E[x]^2 loses eps c^2.
    """
    return _hard("x", split, OFFSET, LARGE, lambda dtype: OFFSET[dtype])


def scaled(split: Split) -> Stress:
    """For what divides a row by its size: nothing cancels, but squares may overflow."""
    return _hard("x", split, LARGE, LARGE)


def exponential(name: str, split: Split) -> Stress:
    """For sums of exponentials along rows: subtracting the maximum loses nothing."""
    return _hard(name, split, EXPONENT, dict.fromkeys(EXPONENT, 100.0))


def elementwise(name: str = "x") -> Stress:
    """For functions of single elements, which must not overflow where their value does not."""
    return _hard(name, split_at(), EXPONENT, LARGE_ELEMENT)
