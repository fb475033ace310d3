"""Maxima and means of the windows of an image, side by side: the stride is the window's size.

Canonical layout: ``(batch, height, width, channels)``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from speedmetal.bench.operations.base import (
    Array,
    Arrays,
    Layout,
    Operation,
    Params,
    Work,
    dims,
    elements,
    integer,
    layer,
    normal,
    shape,
)

_CASES = ([16, 64, 64, 32], [32, 112, 112, 64])


def _windows(params: Params, x: Array) -> Array:
    """``(batch, rows, window, columns, window, channels)``."""
    batch, height, width, channels = x.shape
    size = params["window"]
    return x.reshape(batch, height // size, size, width // size, size, channels)


def _work(params: Params, itemsize: int) -> Work:
    count = elements(params["shape"])
    return Work((count + count // params["window"] ** 2) * itemsize, count)


def _problem(params: Params) -> str | None:
    _, height, width, _ = params["shape"]
    if height % params["window"] or width % params["window"]:
        return (
            f"window: expected a divisor of height {height} and width {width},"
            f" got {params['window']}"
        )
    return None


def _pooling(name: str, title: str, reduce: Callable[..., Array]) -> Operation:
    is_max = reduce is np.max

    def reference(params: Params, inputs: Arrays) -> tuple[Array, ...]:
        return (reduce(_windows(params, inputs["x"]), axis=(2, 4)),)

    return Operation(
        name=name,
        title=title,
        family="pooling",
        parameters={"shape": shape(4, 4), "window": integer(1)},
        problem=_problem,
        label=lambda params: f"{dims(params['shape'])} win={params['window']}",
        inputs=lambda params, generator: {"x": normal(generator, params["shape"])},
        reference=reference,
        work=_work,
        reduction_length=lambda params: int(params["window"] ** 2),
        exact=is_max,
        # XLA's maximum over windows loses a NaN on the CPU, except in small images.
        nan_propagates=not is_max,
        differentiable=("x",),
        layouts={"x": Layout.CHANNELS_LAST},
        output_layouts=(Layout.CHANNELS_LAST,),
        cases=layer(*({"shape": size, "window": 2} for size in _CASES)),
    )


OPERATIONS = (
    _pooling("max_pool2d", "MaxPool2d", np.max),
    _pooling("avg_pool2d", "AvgPool2d", np.mean),
)
