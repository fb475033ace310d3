"""Einstein summation: the scores of attention, "bshd,bthd->bhst", as ``einsum`` takes it.

The axes are batch, length, heads and head size, as projections leave them: a library has to find
out that this is a batch of matrix products, and to reorder axes where its products want it.
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
    elements,
    integer,
    layer,
    normal,
)

_NAMES = ("batch", "query_length", "key_length", "heads", "head_size")


def _query_shape(params: Params) -> list[int]:
    return [params[name] for name in ("batch", "query_length", "heads", "head_size")]


def _key_shape(params: Params) -> list[int]:
    return [params[name] for name in ("batch", "key_length", "heads", "head_size")]


def _inputs(params: Params, generator: np.random.Generator) -> Arrays:
    return {
        "query": normal(generator, _query_shape(params)),
        "key": normal(generator, _key_shape(params)),
    }


def _reference(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    query = inputs["query"].transpose(0, 2, 1, 3)
    return (np.matmul(query, inputs["key"].transpose(0, 2, 3, 1)),)


def _work(params: Params, itemsize: int) -> Work:
    batch, queries, keys, heads, size = (params[name] for name in _NAMES)
    scores = batch * heads * queries * keys
    moved = elements(_query_shape(params), _key_shape(params)) + scores
    return Work(moved * itemsize, 2 * scores * size)


def _case(*values: int) -> Params:
    return dict(zip(_NAMES, values, strict=True))


OPERATIONS = (
    Operation(
        name="einsum",
        title="Einsum",
        family="matrix product",
        parameters={name: integer(1) for name in _NAMES},
        label=lambda params: f"{dims(_query_shape(params))} {dims(_key_shape(params))}",
        inputs=_inputs,
        reference=_reference,
        work=_work,
        reduction_length=lambda params: int(params["head_size"]),
        nan_propagates=True,
        differentiable=("query", "key"),
        cases=layer(_case(4, 64, 64, 8, 64), _case(4, 512, 512, 8, 64)),
    ),
)
