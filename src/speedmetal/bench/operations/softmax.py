"""Softmax along one axis: exp(x - max) / sum(exp(x - max))."""

from __future__ import annotations

import numpy as np

from speedmetal.bench.operations import stress
from speedmetal.bench.operations.base import (
    SHAPE_AXIS,
    Array,
    Arrays,
    Operation,
    Params,
    Work,
    axis_label,
    axis_problem,
    elements,
    normal,
    published_cases,
    quick_only,
)


def _reference(params: Params, inputs: Arrays) -> tuple[Array, ...]:
    result = inputs["x"] - np.max(inputs["x"], axis=params["axis"], keepdims=True)
    np.exp(result, out=result)
    result /= np.sum(result, axis=params["axis"], keepdims=True)
    return (result,)


def _work(params: Params, itemsize: int) -> Work:
    count = elements(params["shape"])
    return Work(2 * count * itemsize, 4 * count)


OPERATIONS = (
    Operation(
        name="softmax",
        title="Softmax",
        family="normalisation",
        parameters=SHAPE_AXIS,
        problem=axis_problem,
        label=axis_label,
        inputs=lambda params, generator: {"x": normal(generator, params["shape"])},
        reference=_reference,
        work=_work,
        reduction_length=lambda params: int(params["shape"][params["axis"]]),
        nan_propagates=True,
        stress=stress.exponential("x", stress.split_at_axis),
        differentiable=("x",),
        cases=published_cases(
            *(
                {"shape": shape, "axis": -1}
                for shape in (
                    [64, 1000000],
                    [1000000, 64],
                    [64, 16, 32, 1024],
                    [128, 16, 32, 1024],
                    [1024, 16, 32, 128],
                    [1024, 64, 32, 8],
                )
            ),
        )
        + quick_only({"shape": [64, 16, 32, 64], "axis": -1}),
    ),
)
