"""Matrix products, with and without a bias."""

from __future__ import annotations

import math

import numpy as np

from speedmetal.bench.operations.base import (
    Array,
    Arrays,
    Operation,
    Params,
    Work,
    dims,
    elements,
    normal,
    published_cases,
    shape,
)


def _product_shape(params: Params) -> list[int]:
    batch = np.broadcast_shapes(tuple(params["a"][:-2]), tuple(params["b"][:-2]))
    return [*batch, params["a"][-2], params["b"][-1]]


def _product(a: Array, b: Array) -> Array:
    # One two-dimensional product where b has no batch: BLAS is called once, not per matrix.
    if b.ndim == 2:
        return (a.reshape(-1, a.shape[-1]) @ b).reshape(*a.shape[:-1], b.shape[-1])
    return np.matmul(a, b)


def _matmul_inputs(params: Params, generator: np.random.Generator) -> Arrays:
    return {"a": normal(generator, params["a"]), "b": normal(generator, params["b"])}


def _matmul_work(params: Params, itemsize: int) -> Work:
    product = _product_shape(params)
    moved = elements(params["a"], params["b"], product) * itemsize
    return Work(moved, 2 * elements(product) * params["a"][-1])


def _matmul_problem(params: Params) -> str | None:
    a, b = params["a"], params["b"]
    if a[-1] != b[-2]:
        return f"b: expected {a[-1]} rows, as a {a} has columns, got {b}"
    try:
        np.broadcast_shapes(tuple(a[:-2]), tuple(b[:-2]))
    except ValueError:
        return f"b: expected batch axes that broadcast with a {a}, got {b}"
    return None


def _linear_inputs(params: Params, generator: np.random.Generator) -> Arrays:
    rows, columns = params["weight"]
    return {
        "x": normal(generator, params["x"]),
        "weight": normal(generator, params["weight"]) / np.float32(math.sqrt(rows)),
        "bias": normal(generator, [columns]),
    }


def _linear(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    result = _product(inputs["x"], inputs["weight"])
    result += inputs["bias"]
    return (result,)


def _linear_work(params: Params, itemsize: int) -> Work:
    rows = elements(params["x"][:-1])
    inner, columns = params["weight"]
    moved = elements(params["x"], params["weight"], [columns], [rows, columns]) * itemsize
    return Work(moved, 2 * rows * inner * columns + rows * columns)


def _linear_problem(params: Params) -> str | None:
    if params["x"][-1] != params["weight"][0]:
        return f"weight: expected {params['x'][-1]} rows, as x has columns, got {params['weight']}"
    return None


def _linear_label(params: Params) -> str:
    return f"{dims(params['x'])} {dims(params['weight'])} {dims(params['weight'][1:])}"


OPERATIONS = (
    Operation(
        name="matmul",
        title="MatMul",
        family="matrix product",
        parameters={"a": shape(2), "b": shape(2)},
        problem=_matmul_problem,
        label=lambda params: f"{dims(params['a'])} {dims(params['b'])}",
        inputs=_matmul_inputs,
        reference=lambda _, inputs: (_product(inputs["a"], inputs["b"]),),
        work=_matmul_work,
        reduction_length=lambda params: int(params["a"][-1]),
        nan_propagates=True,
        differentiable=("a", "b"),
        cases=published_cases(
            {"a": [32, 1, 1000], "b": [32, 1000, 128]},
            {"a": [1000, 64, 256], "b": [256, 32]},
            {"a": [1000, 64, 1024], "b": [1000, 1024, 32]},
            {"a": [1000, 1024, 64], "b": [1000, 64, 256]},
            {"a": [64, 1000000], "b": [1000000, 32]},
            {"a": [1000000, 64], "b": [64, 1024]},
            quick=0,
        ),
    ),
    Operation(
        name="linear",
        title="Linear",
        family="matrix product",
        parameters={"x": shape(2), "weight": shape(2, 2)},
        problem=_linear_problem,
        label=_linear_label,
        inputs=_linear_inputs,
        reference=_linear,
        work=_linear_work,
        reduction_length=lambda params: int(params["x"][-1]),
        nan_propagates=True,
        differentiable=("x", "weight", "bias"),
        cases=published_cases(
            {"x": [100, 1024, 32], "weight": [32, 1024]},
            {"x": [100, 1024, 64], "weight": [64, 1024]},
            {"x": [100, 1024, 256], "weight": [256, 1024]},
            {"x": [100, 1024, 512], "weight": [512, 1024]},
            {"x": [100, 1, 51200], "weight": [51200, 1]},
            quick=4,
        ),
    ),
)
