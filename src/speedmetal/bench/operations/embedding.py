"""Rows of a table of vectors, one for each token of a batch of texts."""

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
    indices,
    layer,
    normal,
    shape,
)


def _inputs(params: Params, generator: np.random.Generator) -> Arrays:
    """The table, and token ids that include the table's last row."""
    count = elements(params["tokens"])
    token = indices(generator, count, params["weight"][0]).reshape(params["tokens"])
    return {"weight": normal(generator, params["weight"]), "token": token}


def _reference(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    return (inputs["weight"][inputs["token"]],)


def _work(params: Params, itemsize: int) -> Work:
    rows, size = params["weight"]
    count = elements(params["tokens"])
    return Work((min(rows, count) + count) * size * itemsize + 4 * count, 0)


OPERATIONS = (
    Operation(
        name="embedding",
        title="Embedding",
        family="indexing",
        parameters={"weight": shape(2, 2), "tokens": shape()},
        label=lambda params: f"{dims(params['weight'])} {dims(params['tokens'])}",
        inputs=_inputs,
        reference=_reference,
        work=_work,
        exact=True,
        nan_propagates=True,
        differentiable=("weight",),
        cases=layer(
            {"weight": [10000, 256], "tokens": [16, 128]},
            {"weight": [50257, 768], "tokens": [8, 1024]},
        ),
    ),
)
