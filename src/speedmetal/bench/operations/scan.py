"""Running sums along one axis."""

from __future__ import annotations

import numpy as np

from speedmetal.bench.operations.base import (
    SHAPE_AXIS,
    Operation,
    Params,
    Work,
    axis_label,
    axis_problem,
    elements,
    layer,
    normal,
)


def _work(params: Params, itemsize: int) -> Work:
    count = elements(params["shape"])
    return Work(2 * count * itemsize, count)


OPERATIONS = (
    Operation(
        name="cumsum",
        title="Cumsum",
        family="scan",
        parameters=SHAPE_AXIS,
        problem=axis_problem,
        label=axis_label,
        inputs=lambda params, generator: {"x": normal(generator, params["shape"])},
        reference=lambda params, inputs: (np.cumsum(inputs["x"], axis=params["axis"]),),
        work=_work,
        reduction_length=lambda params: int(params["shape"][params["axis"]]),
        nan_propagates=True,
        differentiable=("x",),
        cases=layer(
            {"shape": [1024, 1024], "axis": -1},
            {"shape": [64, 128, 1024], "axis": -1},
            {"shape": [64, 1024, 128], "axis": 1},
        ),
    ),
)
