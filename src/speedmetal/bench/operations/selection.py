"""The largest elements along the last axis, in descending order.

The order is part of the operation: a framework whose own function leaves it open sorts the result.
"""

from __future__ import annotations

import numpy as np

from speedmetal.bench.operations.base import (
    Array,
    Arrays,
    Operation,
    Params,
    Work,
    dims,
    distinct,
    elements,
    integer,
    layer,
    shape,
)


def _reference(params: Params, inputs: Arrays) -> tuple[Array, ...]:
    return (np.sort(inputs["x"], axis=-1)[..., : -params["k"] - 1 : -1],)


def _work(params: Params, itemsize: int) -> Work:
    results = [*params["shape"][:-1], params["k"]]
    return Work(elements(params["shape"], results) * itemsize, 0)


def _problem(params: Params) -> str | None:
    if params["k"] > params["shape"][-1]:
        return f"k: expected at most {params['shape'][-1]}, the last axis, got {params['k']}"
    return None


OPERATIONS = (
    Operation(
        name="top_k",
        title="TopK",
        family="ordering",
        parameters={"shape": shape(), "k": integer(1)},
        problem=_problem,
        label=lambda params: f"{dims(params['shape'])} k={params['k']}",
        # Equal elements would have no one gradient.
        inputs=lambda params, generator: {"x": distinct(generator, params["shape"])},
        reference=_reference,
        work=_work,
        exact=True,
        # Whether NaN is the largest number or none at all, frameworks do not agree.
        nan_propagates=False,
        differentiable=("x",),
        cases=layer(
            {"shape": [256, 1000], "k": 5},
            {"shape": [64, 32000], "k": 50},
            {"shape": [4096, 64], "k": 8},
        ),
    ),
)
