"""Scaled dot-product attention with a causal mask: softmax(Q K^T / sqrt(d) + mask) V.

Source: A. Vaswani et al., "Attention is all you need", 2017, equation 1. The mask is an input, True
where a query may attend: query i of Tq sees key j of Tk where j <= i + Tk - Tq, so that the last
query sees all keys.
"""

from __future__ import annotations

import math

import numpy as np

from speedmetal.bench.operations.base import (
    Array,
    Arrays,
    Case,
    Layout,
    Operation,
    Params,
    Stress,
    Work,
    dims,
    elements,
    integer,
    normal,
    published_cases,
)

_NAMES = ("batch", "heads", "query_length", "key_length", "head_size")


def _query_shape(params: Params) -> list[int]:
    return [params["batch"], params["heads"], params["query_length"], params["head_size"]]


def _key_shape(params: Params) -> list[int]:
    return [params["batch"], params["heads"], params["key_length"], params["head_size"]]


def causal_mask(query_length: int, key_length: int) -> Array:
    """Bool mask of shape ``(query_length, key_length)``, True where a query may attend."""
    return np.tri(query_length, key_length, key_length - query_length, dtype=np.bool_)


def _inputs(params: Params, generator: np.random.Generator) -> Arrays:
    return {
        "query": normal(generator, _query_shape(params)),
        "key": normal(generator, _key_shape(params)),
        "value": normal(generator, _key_shape(params)),
        "mask": causal_mask(params["query_length"], params["key_length"]),
    }


def _large_queries(
    params: Params, inputs: Arrays, dtype: str, generator: np.random.Generator
) -> Arrays:
    """Every eighth query, at random, so large that exp overflows on its scores.

    In half precision such scores would have no digit left of their weights.
    """
    if dtype not in ("float32", "float64"):
        return inputs
    is_large = generator.integers(0, 8, (*_query_shape(params)[:3], 1)) == 0
    return {**inputs, "query": inputs["query"] * np.where(is_large, 100.0, 1.0)}


def _reference(params: Params, inputs: Arrays) -> tuple[Array, ...]:
    scores = np.matmul(inputs["query"], np.swapaxes(inputs["key"], -1, -2))
    scores /= math.sqrt(params["head_size"])
    scores[..., ~inputs["mask"]] = -np.inf
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    return (np.matmul(scores, inputs["value"]),)


def _work(params: Params, itemsize: int) -> Work:
    attended = int(causal_mask(params["query_length"], params["key_length"]).sum())
    products = params["batch"] * params["heads"] * attended
    moved = elements(_query_shape(params), _query_shape(params)) + 2 * elements(_key_shape(params))
    # Only attended pairs count: an implementation may skip the masked ones.
    return Work(moved * itemsize, products * (4 * params["head_size"] + 4))


def _problem(params: Params) -> str | None:
    if params["key_length"] < params["query_length"]:
        return (
            f"key_length: expected at least query_length ({params['query_length']}),"
            f" got {params['key_length']}: the first queries would attend to nothing"
        )
    return None


def _label(params: Params) -> str:
    key = dims(_key_shape(params))
    return f"{dims(_query_shape(params))} {key} {key}"


def _case(*values: int) -> Params:
    return dict(zip(_NAMES, values, strict=True))


OPERATIONS = (
    Operation(
        name="attention",
        title="ScaledDotProductAttention",
        family="attention",
        parameters={name: integer(1) for name in _NAMES},
        problem=_problem,
        label=_label,
        inputs=_inputs,
        reference=_reference,
        work=_work,
        reduction_length=lambda params: int(params["head_size"] + params["key_length"]),
        # exp turns absolute errors of the scores into relative ones of the weights.
        leniency=2.0,
        nan_propagates=True,
        # An error of eps times a score of some hundreds is a relative error of its weight.
        stress=Stress(_large_queries, lambda _: 100.0),
        differentiable=("query", "key", "value"),
        layouts=dict.fromkeys(("query", "key", "value"), Layout.ATTENTION),
        output_layouts=(Layout.ATTENTION,),
        cases=(
            *published_cases(
                _case(64, 8, 16, 16, 1024),
                _case(64, 8, 16, 64, 1024),
                _case(64, 16, 16, 16, 1024),
                _case(64, 16, 16, 64, 1024),
            ),
            # Head sizes that fused kernels accept.
            Case(_case(4, 8, 256, 256, 64), ("mlx-benchmark", "quick")),
            Case(_case(4, 8, 256, 256, 128), ("mlx-benchmark",)),
        ),
    ),
)
