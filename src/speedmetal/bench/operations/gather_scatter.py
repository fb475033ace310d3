"""Rows picked by index, and rows written, added or maximised into place by index.

Indices cover the last row. Where several updates meet in one row of ``scatter``, they are equal,
so that the result is defined on every framework whatever the order of its writes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from speedmetal.bench.operations.base import (
    Array,
    Arrays,
    Case,
    Operation,
    Params,
    Work,
    dims,
    elements,
    indices,
    integer,
    normal,
    published_cases,
    shape,
)

_PARAMETERS = {"shape": shape(2, 2), "count": integer(1)}


def _label(params: Params) -> str:
    return f"{dims(params['shape'])} {dims([params['count']])}"


def _gather_inputs(params: Params, generator: np.random.Generator) -> Arrays:
    return {
        "x": normal(generator, params["shape"]),
        "index": indices(generator, params["count"], params["shape"][0]),
    }


def _scatter_inputs(params: Params, generator: np.random.Generator) -> Arrays:
    rows, columns = params["shape"]
    return {
        "x": normal(generator, params["shape"]),
        "index": indices(generator, params["count"], rows),
        "updates": normal(generator, [params["count"], columns]),
    }


def _scatter_equal_inputs(params: Params, generator: np.random.Generator) -> Arrays:
    inputs = _scatter_inputs(params, generator)
    inputs["updates"] = normal(generator, params["shape"])[inputs["index"]]
    return inputs


def _gather(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    return (inputs["x"][inputs["index"]],)


def _scatter(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    result = inputs["x"].copy()
    result[inputs["index"]] = inputs["updates"]
    return (result,)


def _make_reference(combine: Any) -> Callable[[Params, Arrays], tuple[Array, ...]]:
    def reference(_: Params, inputs: Arrays) -> tuple[Array, ...]:
        result = inputs["x"].copy()
        combine.at(result, inputs["index"], inputs["updates"])
        return (result,)

    return reference


def _gather_work(params: Params, itemsize: int) -> Work:
    rows, columns = params["shape"]
    count = params["count"]
    touched = min(rows, count)
    return Work((touched + count) * columns * itemsize + 4 * count, 0)


def _scatter_work(params: Params, itemsize: int) -> Work:
    # Each row of the result is one of x, or one of the updates: the others need not be read. That
    # there are more of them is work all the same, to whoever writes them one after the other.
    rows, columns = params["shape"]
    count = params["count"]
    return Work(2 * rows * columns * itemsize + 4 * count, count * columns)


def _accumulate_work(params: Params, itemsize: int) -> Work:
    updates = elements([params["count"], params["shape"][1]])
    return Work(_scatter_work(params, itemsize).bytes_minimum + updates * itemsize, updates)


def _cases(*shapes: list[int], quick: int) -> tuple[Case, ...]:
    return published_cases(
        *({"shape": s, "count": n} for s in shapes for n in (10, 1000, 1000000)), quick=quick
    )


def _scatter_operation(name: str, title: str, **differences: Any) -> Operation:
    fields: dict[str, Any] = {
        "inputs": _scatter_inputs,
        "work": _accumulate_work,
        "nan_propagates": False,
    }
    return Operation(
        name=name,
        title=title,
        family="indexing",
        parameters=_PARAMETERS,
        label=_label,
        cases=_cases([64, 16], [1024, 32], quick=1),
        **(fields | differences),
    )


OPERATIONS = (
    Operation(
        name="gather",
        title="Gather",
        family="indexing",
        parameters=_PARAMETERS,
        label=_label,
        inputs=_gather_inputs,
        reference=_gather,
        work=_gather_work,
        exact=True,
        differentiable=("x",),
        cases=_cases([64, 256], [1024, 32], quick=1),
    ),
    _scatter_operation(
        "scatter",
        "Scatter",
        inputs=_scatter_equal_inputs,
        reference=_scatter,
        work=_scatter_work,
        exact=True,
    ),
    _scatter_operation(
        "scatter_sum",
        "ScatterSum",
        reference=_make_reference(np.add),
        differentiable=("x", "updates"),
        # About count / rows updates meet in a row.
        reduction_length=lambda params: 1 + 2 * params["count"] // params["shape"][0],
    ),
    _scatter_operation(
        "scatter_max", "ScatterMax", reference=_make_reference(np.maximum), exact=True
    ),
)
