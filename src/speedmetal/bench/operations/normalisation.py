"""Normalisations: over the last axis, over groups of channels, over the batch.

Sources: LayerNorm, J. Ba et al. 2016; RMSNorm, B. Zhang and R. Sennrich 2019; GroupNorm, Y. Wu and
K. He 2018; BatchNorm, S. Ioffe and C. Szegedy 2015 (as in training: with the batch's statistics).
All have epsilon 1e-5 inside the root; images are ``(batch, space..., channels)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from speedmetal.bench.operations import stress
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
    published_cases,
    quick_only,
    shape,
)

EPSILON = 1e-5


def normalise(x: Array, axes: int | tuple[int, ...]) -> Array:
    """(x - mean) / sqrt(var + 1e-5) over ``axes``, with the biased variance."""
    mean = x.mean(axis=axes, keepdims=True)
    return (x - mean) / np.sqrt(x.var(axis=axes, keepdims=True) + EPSILON)


def _layer_norm(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    return (normalise(inputs["x"], -1),)


def _work(params: Params, itemsize: int) -> Work:
    count = elements(params["shape"])
    return Work(2 * count * itemsize, 7 * count)


def _affine_inputs(params: Params, generator: np.random.Generator) -> Arrays:
    channels = params["shape"][-1]
    return {
        "x": normal(generator, params["shape"]),
        "weight": normal(generator, [channels]),
        "bias": normal(generator, [channels]),
    }


def _scaled_inputs(params: Params, generator: np.random.Generator) -> Arrays:
    inputs = _affine_inputs(params, generator)
    del inputs["bias"]
    return inputs


def _affine(values: Array, inputs: Arrays) -> tuple[Array, ...]:
    return (values * inputs["weight"] + inputs["bias"],)


def _layer_norm_affine(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    return _affine(normalise(inputs["x"], -1), inputs)


def _rms_norm(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    """Formula: weight * x / sqrt(mean(x^2) + 1e-5)."""
    x = inputs["x"]
    square = np.mean(np.square(x), axis=-1, keepdims=True)
    return (inputs["weight"] * x / np.sqrt(square + EPSILON),)


def _group_norm(params: Params, inputs: Arrays) -> tuple[Array, ...]:
    """Statistics over all positions of an image and the channels of a group."""
    x = inputs["x"]
    grouped = x.reshape(x.shape[0], -1, params["groups"], x.shape[-1] // params["groups"])
    return _affine(normalise(grouped, (1, 3)).reshape(x.shape), inputs)


def _batch_norm(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    """Statistics over the batch and all positions, for each channel."""
    x = inputs["x"]
    return _affine(normalise(x, tuple(range(x.ndim - 1))), inputs)


def _affine_work(params: Params, itemsize: int) -> Work:
    count = elements(params["shape"])
    moved = 2 * count + 2 * params["shape"][-1]
    return Work(moved * itemsize, 9 * count)


def _rms_work(params: Params, itemsize: int) -> Work:
    count = elements(params["shape"])
    return Work((2 * count + params["shape"][-1]) * itemsize, 4 * count)


def _groups_problem(params: Params) -> str | None:
    channels, groups = params["shape"][-1], params["groups"]
    if channels % groups:
        return f"groups: expected a divisor of {channels}, the channels, got {groups}"
    return None


def _split_groups(params: Params) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Images as (batch, positions, groups, channels of a group), and the axes of a group."""
    *space, channels = params["shape"]
    groups = params["groups"]
    return (space[0], math.prod(space[1:]), groups, channels // groups), (1, 3)


def _split_channels(params: Params) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Images, and the axes of a channel."""
    size = tuple(params["shape"])
    return size, tuple(range(len(size) - 1))


def _affine_operation(name: str, title: str, **differences: Any) -> Operation:
    fields: dict[str, Any] = {
        "parameters": {"shape": shape(2)},
        "label": lambda params: dims(params["shape"]),
        "inputs": _affine_inputs,
        "work": _affine_work,
        "reduction_length": lambda params: int(params["shape"][-1]),
        "stress": stress.normalised(stress.split_at(-1)),
        "differentiable": ("x", "weight", "bias"),
        "cases": layer({"shape": [16, 64, 1024]}, {"shape": [64, 128, 1024]}),
    }
    return Operation(
        name=name, title=title, family="normalisation", nan_propagates=True, **fields | differences
    )


_IMAGES: dict[str, Any] = {
    "layouts": {"x": Layout.CHANNELS_LAST},
    "output_layouts": (Layout.CHANNELS_LAST,),
}


OPERATIONS = (
    Operation(
        name="layer_norm",
        title="LayerNorm",
        family="normalisation",
        parameters={"shape": shape(2)},
        label=lambda params: dims(params["shape"]),
        inputs=lambda params, generator: {"x": normal(generator, params["shape"])},
        reference=_layer_norm,
        work=_work,
        reduction_length=lambda params: int(params["shape"][-1]),
        nan_propagates=True,
        stress=stress.normalised(stress.split_at(-1)),
        differentiable=("x",),
        cases=published_cases({"shape": [64, 128, 1024]}, {"shape": [128, 64, 1024]})
        + quick_only({"shape": [16, 64, 1024]}),
    ),
    _affine_operation("layer_norm_affine", "LayerNormAffine", reference=_layer_norm_affine),
    _affine_operation(
        "rms_norm",
        "RMSNorm",
        inputs=_scaled_inputs,
        reference=_rms_norm,
        work=_rms_work,
        stress=stress.scaled(stress.split_at(-1)),
        differentiable=("x", "weight"),
    ),
    _affine_operation(
        "group_norm",
        "GroupNorm",
        parameters={"shape": shape(3), "groups": integer(1)},
        problem=_groups_problem,
        label=lambda params: f"{dims(params['shape'])} grp={params['groups']}",
        reference=_group_norm,
        reduction_length=lambda params: math.prod(params["shape"][1:]) // params["groups"],
        stress=stress.normalised(_split_groups),
        cases=layer(
            {"shape": [8, 32, 32, 64], "groups": 8}, {"shape": [16, 64, 64, 128], "groups": 32}
        ),
        **_IMAGES,
    ),
    _affine_operation(
        "batch_norm",
        "BatchNorm",
        parameters={"shape": shape(3, 4)},
        reference=_batch_norm,
        reduction_length=lambda params: math.prod(params["shape"][:-1]),
        stress=stress.normalised(_split_channels),
        cases=layer({"shape": [16, 32, 32, 64]}, {"shape": [32, 56, 56, 64]}),
        **_IMAGES,
    ),
)
