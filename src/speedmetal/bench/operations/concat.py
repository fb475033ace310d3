"""Concatenation of two arrays along an axis."""

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
    normal,
    published_cases,
    quick_only,
    shape,
)


def _inputs(params: Params, generator: np.random.Generator) -> Arrays:
    return {"a": normal(generator, params["a"]), "b": normal(generator, params["b"])}


def _reference(params: Params, inputs: Arrays) -> tuple[Array, ...]:
    return (np.concatenate([inputs["a"], inputs["b"]], axis=params["axis"]),)


def _problem(params: Params) -> str | None:
    a, b, axis = params["a"], params["b"], params["axis"]
    if len(a) != len(b):
        return f"b: expected rank {len(a)} as a has, got {b}"
    if not -len(a) <= axis < len(a):
        return f"axis: expected an axis of {a} ({-len(a)} to {len(a) - 1})"
    if any(m != n for i, (m, n) in enumerate(zip(a, b, strict=True)) if i != axis % len(a)):
        return f"b: expected the shape of a {a} but for axis {axis}, got {b}"
    return None


OPERATIONS = (
    Operation(
        name="concat",
        title="Concat",
        family="data movement",
        parameters={"a": shape(), "b": shape(), "axis": integer()},
        problem=_problem,
        label=lambda params: f"{dims(params['a'])} {dims(params['b'])} axi={params['axis']}",
        inputs=_inputs,
        reference=_reference,
        work=lambda params, itemsize: Work(2 * elements(params["a"], params["b"]) * itemsize, 0),
        exact=True,
        nan_propagates=True,
        differentiable=("a", "b"),
        cases=published_cases(
            {"a": [1000000, 64], "b": [1000000, 32], "axis": 1},
            {"a": [1000000, 64], "b": [1000000, 128], "axis": 1},
            {"a": [1000000, 64], "b": [1000000, 64], "axis": 0},
            {"a": [64, 1000000], "b": [64, 1000000], "axis": 0},
        )
        + quick_only({"a": [20000, 64], "b": [20000, 32], "axis": 1}),
    ),
)
