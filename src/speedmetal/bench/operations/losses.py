"""Losses, averaged over all elements."""

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
    published,
    shape,
    uniform,
)


def _bce_inputs(params: Params, generator: np.random.Generator) -> Arrays:
    """Probabilities, and targets of 0 or 1 in the same float type, for every framework."""
    return {
        "probability": uniform(generator, params["shape"], 0.01, 0.99),
        "target": generator.integers(0, 2, tuple(params["shape"])).astype(np.float32),
    }


def _bce(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    """-mean(t log(p) + (1 - t) log(1 - p))."""
    p, t = inputs["probability"], inputs["target"]
    return (np.asarray(-np.mean(t * np.log(p) + (1 - t) * np.log1p(-p))),)


def _bce_work(params: Params, itemsize: int) -> Work:
    count = elements(params["shape"])
    return Work((2 * count + 1) * itemsize, 7 * count)


OPERATIONS = (
    Operation(
        name="bce",
        title="BCE",
        family="loss",
        parameters={"shape": shape()},
        label=lambda params: f"{dims(params['shape'])} {dims(params['shape'])}",
        inputs=_bce_inputs,
        reference=_bce,
        work=_bce_work,
        reduction_length=lambda params: elements(params["shape"]),
        nan_propagates=True,
        differentiable=("probability",),
        cases=published(
            *({"shape": s} for s in ([1000000], [100000, 32], [100000, 64, 2], [128, 100000])),
            quick=0,
        ),
    ),
)
