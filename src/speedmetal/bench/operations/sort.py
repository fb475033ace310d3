"""Sorting along one axis, ascending."""

from __future__ import annotations

import numpy as np

from speedmetal.bench.operations.base import (
    SHAPE_AXIS,
    Operation,
    Params,
    Work,
    axis_label,
    axis_problem,
    distinct,
    elements,
    published_cases,
    quick_only,
)


def _work(params: Params, itemsize: int) -> Work:
    return Work(2 * elements(params["shape"]) * itemsize, 0)


OPERATIONS = (
    Operation(
        name="sort",
        title="Sort",
        family="ordering",
        parameters=SHAPE_AXIS,
        problem=axis_problem,
        label=axis_label,
        # Equal elements would have no one gradient.
        inputs=lambda params, generator: {"x": distinct(generator, params["shape"])},
        reference=lambda params, inputs: (np.sort(inputs["x"], axis=params["axis"]),),
        work=_work,
        exact=True,
        differentiable=("x",),
        cases=published_cases(*({"shape": [64, 128, 1024], "axis": axis} for axis in range(3)))
        + quick_only({"shape": [64, 128, 128], "axis": 1}),
    ),
)
