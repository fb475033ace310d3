"""Losses, averaged over all elements or rows."""

from __future__ import annotations

import numpy as np

from speedmetal.bench.operations import stress
from speedmetal.bench.operations.base import (
    Array,
    Arrays,
    Operation,
    Params,
    Stress,
    Work,
    dims,
    elements,
    indices,
    layer,
    normal,
    published_cases,
    shape,
    uniform,
)


def _bce_inputs(params: Params, generator: np.random.Generator) -> Arrays:
    """Probabilities, and targets of 0 or 1 in the same float type, for every framework."""
    return {
        "probability": uniform(generator, params["shape"], 0.01, 0.99),
        "target": generator.integers(0, 2, tuple(params["shape"])).astype(np.float32),
    }


def _extreme_probabilities(
    _: Params, inputs: Arrays, dtype: str, generator: np.random.Generator
) -> Arrays:
    """Half of the probabilities so near to 0 or 1 that an epsilon in a logarithm would show.

    No two the same: a sum of equal terms is rounded the same way every time, by more than random
    ones are.
    """
    plain = inputs["probability"].astype(np.float64)
    largest = 2.0 ** (-16 if dtype in ("float32", "float64") else -7)
    small = largest * generator.uniform(0.5, 1.0, plain.shape)
    kind = generator.integers(0, 4, plain.shape)
    extreme = np.choose(kind, [plain, plain, small, 1 - small])
    return {**inputs, "probability": np.asarray(extreme)}


def _bce(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    """-mean(t log(p) + (1 - t) log(1 - p))."""
    p, t = inputs["probability"], inputs["target"]
    return (np.asarray(-np.mean(t * np.log(p) + (1 - t) * np.log1p(-p))),)


def _bce_work(params: Params, itemsize: int) -> Work:
    count = elements(params["shape"])
    return Work((2 * count + 1) * itemsize, 7 * count)


def _cross_entropy_inputs(params: Params, generator: np.random.Generator) -> Arrays:
    """Logits, and the index of the right class of every row."""
    rows, classes = params["shape"]
    return {
        "logits": normal(generator, params["shape"]),
        "target": indices(generator, rows, classes),
    }


def _cross_entropy(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    """The mean over rows of log(sum(exp(logits))) - logits[target]."""
    logits = inputs["logits"]
    largest = logits.max(axis=-1, keepdims=True)
    log_sum = largest[:, 0] + np.log(np.sum(np.exp(logits - largest), axis=-1))
    return (np.asarray(np.mean(log_sum - logits[np.arange(len(logits)), inputs["target"]])),)


def _cross_entropy_work(params: Params, itemsize: int) -> Work:
    rows, classes = params["shape"]
    return Work((rows * classes + 1) * itemsize + 4 * rows, 4 * rows * classes)


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
        # Its terms go from 1e-5 to 11: one plain sum after the other loses more of the small ones.
        stress=Stress(_extreme_probabilities, lambda _: 4.0),
        differentiable=("probability",),
        cases=published_cases(
            *({"shape": s} for s in ([1000000], [100000, 32], [100000, 64, 2], [128, 100000])),
            quick=0,
        ),
    ),
    Operation(
        name="cross_entropy",
        title="CrossEntropy",
        family="loss",
        parameters={"shape": shape(2, 2)},
        label=lambda params: f"{dims(params['shape'])} {dims(params['shape'][:1])}",
        inputs=_cross_entropy_inputs,
        reference=_cross_entropy,
        work=_cross_entropy_work,
        # A sum over the classes, and one over the rows.
        reduction_length=lambda params: sum(params["shape"]),
        nan_propagates=True,
        stress=stress.exponential("logits", stress.split_at(-1)),
        differentiable=("logits",),
        cases=layer({"shape": [512, 1000]}, {"shape": [2048, 10000]}, {"shape": [1024, 32000]}),
    ),
)
