"""Activations: one input, one output of the same shape, a record each.

Sources: SELU, G. Klambauer et al. 2017 (constants); GELU, D. Hendrycks and K. Gimpel 2016 (the
exact form, with erf); SiLU, S. Elfwing et al. 2017; PReLU, K. He et al. 2015.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from speedmetal.bench.operations import stress
from speedmetal.bench.operations.base import (
    Array,
    Arrays,
    Case,
    Operation,
    Params,
    Work,
    dims,
    elements,
    layer,
    normal,
    published_cases,
    shape,
)

LEAKY_SLOPE = 0.01
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805

_PUBLISHED_SHAPES = ({"shape": [128, 16, 1024]}, {"shape": [64, 128, 1024]})


def _gelu(x: Array) -> Array:
    from scipy import special

    return x * 0.5 * (1 + special.erf(x / np.sqrt(2.0)))


def _activation(
    name: str,
    title: str,
    function: Callable[[Array], Array],
    flops: int,
    cases: tuple[Case, ...],
    leniency: float = 1.0,
) -> Operation:
    """An elementwise operation; ``flops`` is a nominal count per element, exp and log as one."""

    def work(params: Params, itemsize: int) -> Work:
        count = elements(params["shape"])
        return Work(2 * count * itemsize, flops * count)

    return Operation(
        name=name,
        title=title,
        family="activation",
        parameters={"shape": shape()},
        label=lambda params: dims(params["shape"]),
        inputs=lambda params, generator: {"x": normal(generator, params["shape"])},
        reference=lambda _, inputs: (function(inputs["x"]),),
        work=work,
        nan_propagates=True,
        stress=stress.elementwise(),
        differentiable=("x",),
        leniency=leniency,
        cases=cases,
    )


def _prelu_inputs(params: Params, generator: np.random.Generator) -> Arrays:
    return {
        "x": normal(generator, params["shape"]),
        "slope": np.asarray([generator.uniform(0.1, 0.4)], np.float32),
    }


def _prelu(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    return (np.where(inputs["x"] >= 0, inputs["x"], inputs["slope"] * inputs["x"]),)


def _silu(x: Array) -> Array:
    return x / (1 + np.exp(-x))


def _selu(x: Array) -> Array:
    return SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0)))


_BOTH = published_cases(*_PUBLISHED_SHAPES, quick=0)
_LAYER = layer(*_PUBLISHED_SHAPES)

OPERATIONS = (
    _activation(
        "leaky_relu", "LeakyReLU", lambda x: np.where(x >= 0, x, LEAKY_SLOPE * x), 2, _BOTH
    ),
    Operation(
        name="prelu",
        title="PReLU",
        family="activation",
        parameters={"shape": shape()},
        label=lambda params: f"{dims(params['shape'])} dim=1",
        inputs=_prelu_inputs,
        reference=_prelu,
        work=lambda params, itemsize: Work(
            2 * elements(params["shape"]) * itemsize, 2 * elements(params["shape"])
        ),
        nan_propagates=True,
        stress=stress.elementwise(),
        differentiable=("x",),
        cases=_BOTH,
    ),
    _activation("relu", "ReLU", lambda x: np.maximum(x, 0), 1, _BOTH),
    # MLX writes SELU's constants with six digits, which is the same work: 3e-6 apart.
    _activation("selu", "SeLU", _selu, 4, _BOTH, leniency=8.0),
    _activation("sigmoid", "Sigmoid", lambda x: 1 / (1 + np.exp(-x)), 3, _BOTH),
    _activation("softplus", "Softplus", lambda x: np.logaddexp(x, 0), 3, _BOTH),
    _activation("gelu", "GELU", _gelu, 4, _LAYER),
    _activation("silu", "SiLU", _silu, 4, _LAYER),
)
