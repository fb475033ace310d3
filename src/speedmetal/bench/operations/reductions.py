"""Sums and positions of maxima along one axis, and over everything."""

from __future__ import annotations

import math

import numpy as np

from speedmetal.bench.operations.base import (
    SHAPE_AXIS,
    Array,
    Arrays,
    Operation,
    Params,
    Work,
    axis_label,
    axis_problem,
    dims,
    distinct,
    elements,
    normal,
    published_cases,
    quick_only,
    shape,
    shape_without_axis,
)


def _normal_input(params: Params, generator: np.random.Generator) -> Arrays:
    return {"x": normal(generator, params["shape"])}


def _distinct_input(params: Params, generator: np.random.Generator) -> Arrays:
    # Without equal values there is exactly one position of each maximum.
    return {"x": distinct(generator, params["shape"])}


def _argmax(params: Params, inputs: Arrays) -> tuple[Array, ...]:
    return (np.asarray(np.argmax(inputs["x"], axis=params["axis"])),)


def _sum(params: Params, inputs: Arrays) -> tuple[Array, ...]:
    return (np.sum(inputs["x"], axis=params["axis"]),)


def _sum_all(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    return (np.asarray(np.sum(inputs["x"])),)


def _axis_length(params: Params) -> int:
    return int(params["shape"][params["axis"]])


def _work(params: Params, itemsize: int) -> Work:
    count = elements(params["shape"])
    return Work((count + elements(shape_without_axis(params))) * itemsize, count)


def _work_argmax(params: Params, itemsize: int) -> Work:
    count = elements(params["shape"])
    return Work(count * itemsize + 4 * elements(shape_without_axis(params)), count)


def _work_all(params: Params, itemsize: int) -> Work:
    return Work((elements(params["shape"]) + 1) * itemsize, elements(params["shape"]))


OPERATIONS = (
    Operation(
        name="argmax",
        title="Argmax",
        family="reduction",
        parameters=SHAPE_AXIS,
        problem=axis_problem,
        label=axis_label,
        inputs=_distinct_input,
        reference=_argmax,
        work=_work_argmax,
        exact=True,
        # Narrower types cannot hold enough distinct values for a unique position.
        dtypes=("float32", "float64"),
        cases=published_cases(
            {"shape": [64, 1024, 128], "axis": 0},
            {"shape": [64, 1024, 128], "axis": 1},
            {"shape": [64, 1024, 128], "axis": 2},
            {"shape": [64, 128, 1024], "axis": 2},
        )
        + quick_only({"shape": [64, 256, 128], "axis": 1}),
    ),
    Operation(
        name="sum",
        title="Sum",
        family="reduction",
        parameters=SHAPE_AXIS,
        problem=axis_problem,
        label=axis_label,
        inputs=_normal_input,
        reference=_sum,
        work=_work,
        reduction_length=_axis_length,
        nan_propagates=True,
        differentiable=("x",),
        cases=published_cases(*({"shape": [64, 128, 128, 128], "axis": axis} for axis in range(4)))
        + quick_only({"shape": [8, 128, 128, 16], "axis": 1}),
    ),
    Operation(
        name="sum_all",
        title="SumAll",
        family="reduction",
        parameters={"shape": shape()},
        label=lambda params: dims(params["shape"]),
        inputs=_normal_input,
        reference=_sum_all,
        work=_work_all,
        reduction_length=lambda params: elements(params["shape"]),
        # The sum of n standard normals is of the order of sqrt(n), and may by chance be near 0.
        scale=lambda params: math.sqrt(elements(params["shape"])),
        nan_propagates=True,
        differentiable=("x",),
        cases=published_cases(
            {"shape": [64, 128, 128, 128]},
            {"shape": [1000000]},
            {"shape": [1000000, 128]},
            {"shape": [128, 1000000]},
            quick=1,
        ),
    ),
)
