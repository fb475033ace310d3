"""Normalisations over the last axis or over groups of channels."""

from __future__ import annotations

import numpy as np

from speedmetal.bench.operations.base import (
    Array,
    Arrays,
    Operation,
    Params,
    Work,
    dims,
    elements,
    normal,
    published,
    quick_only,
    shape,
)

EPSILON = 1e-5


def normalised(x: Array, axes: int | tuple[int, ...]) -> Array:
    """(x - mean) / sqrt(var + 1e-5) over ``axes``, with the biased variance."""
    mean = x.mean(axis=axes, keepdims=True)
    return (x - mean) / np.sqrt(x.var(axis=axes, keepdims=True) + EPSILON)


def _layer_norm(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    return (normalised(inputs["x"], -1),)


def _work(params: Params, itemsize: int) -> Work:
    count = elements(params["shape"])
    return Work(2 * count * itemsize, 7 * count)


OPERATIONS = (
    Operation(
        name="layer_norm",
        title="LayerNorm",
        family="normalisation",
        parameters={"shape": shape(2)},
        label=lambda params: dims(params["shape"]),
        inputs=lambda params, generator: {"x": normal(generator, params["shape"])},
        reference=_layer_norm,
        work=_work,
        reduction_length=lambda params: int(params["shape"][-1]),
        nan_propagates=True,
        differentiable=("x",),
        cases=published({"shape": [64, 128, 1024]}, {"shape": [128, 64, 1024]})
        + quick_only({"shape": [16, 64, 1024]}),
    ),
)
