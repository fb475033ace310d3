"""What is written between two matrix products: steps that a compiler may fuse into one pass.

Sources: dropout, N. Srivastava et al. 2014 (the mask is an input); RMSNorm in float32 on arrays of
half precision, as Llama has it; label smoothing, C. Szegedy et al. 2015; SwiGLU, N. Shazeer 2020;
Adam, D. Kingma and J. Ba 2014; masked scores as in :mod:`speedmetal.bench.operations.attention`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from speedmetal.bench.contract import ADAM, KEPT_SHARE, LABEL_SMOOTHING
from speedmetal.bench.operations import stress
from speedmetal.bench.operations.attention import causal_mask
from speedmetal.bench.operations.base import (
    Array,
    Arrays,
    Operation,
    Parameter,
    Params,
    Stress,
    Work,
    dims,
    elements,
    fused,
    indices,
    integer,
    normal,
    shape,
)
from speedmetal.bench.operations.normalisation import EPSILON, normalise

LARGE = [2048, 4096]
HALVES = ("float16", "bfloat16")
_SCORES = ("batch", "heads", "query_length", "key_length", "head_size")


def _fused(
    name: str,
    title: str,
    work: Callable[[Params, int], Work],
    **fields: Any,
) -> Operation:
    parameters: Mapping[str, Parameter] = {"shape": shape(2, 2)}
    defaults: dict[str, Any] = {
        "parameters": parameters,
        "label": lambda params: dims(params["shape"]),
        "nan_propagates": True,
    }
    return Operation(name=name, title=title, family="fused", work=work, **(defaults | fields))


def _work(arrays: int, flops: int, *, rows: int = 0, masks: int = 0) -> Callable[..., Work]:
    """So many arrays of a case's shape, rows of its last axis and masks of a byte an element."""

    def work(params: Params, itemsize: int) -> Work:
        count, columns = elements(params["shape"]), params["shape"][-1]
        moved = (arrays * count + rows * columns) * itemsize + masks * count
        return Work(moved, flops * count)

    return work


# --- bias, GELU, dropout, residual ---------------------------------------------------------------


def _dropout_inputs(params: Params, generator: np.random.Generator) -> Arrays:
    size = params["shape"]
    return {
        "x": normal(generator, size),
        "bias": normal(generator, size[-1:]),
        "mask": generator.random(tuple(size), dtype=np.float32) < KEPT_SHARE,
        "residual": normal(generator, size),
    }


def _dropout(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    """Formula: residual + gelu(x + bias) / share where the mask keeps it; residual elsewhere."""
    from scipy import special

    x = inputs["x"] + inputs["bias"]
    gelu = 0.5 * x * special.erfc(-x / math.sqrt(2.0))
    return (inputs["residual"] + np.where(inputs["mask"], gelu / KEPT_SHARE, 0.0),)


# --- normalisations ------------------------------------------------------------------------------


def _scaled_inputs(params: Params, generator: np.random.Generator) -> Arrays:
    return {
        "x": normal(generator, params["shape"]),
        "weight": normal(generator, params["shape"][-1:]),
    }


def _rms_norm(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    x = inputs["x"]
    square = np.mean(np.square(x), axis=-1, keepdims=True)
    return (inputs["weight"] * x / np.sqrt(square + EPSILON),)


def _residual_inputs(params: Params, generator: np.random.Generator) -> Arrays:
    columns = params["shape"][-1:]
    return {
        "x": normal(generator, params["shape"]),
        "residual": normal(generator, params["shape"]),
        "weight": normal(generator, columns),
        "bias": normal(generator, columns),
    }


def _residual_layer_norm(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    """The sum, which the next residual needs, and its normalisation."""
    total = inputs["x"] + inputs["residual"]
    return total, normalise(total, -1) * inputs["weight"] + inputs["bias"]


# --- scores --------------------------------------------------------------------------------------


def _score_shape(params: Params) -> list[int]:
    return [params[name] for name in _SCORES[:-1]]


def _score_inputs(params: Params, generator: np.random.Generator) -> Arrays:
    return {
        "scores": normal(generator, _score_shape(params)),
        "mask": causal_mask(params["query_length"], params["key_length"]),
    }


def _masked_softmax(params: Params, inputs: Arrays) -> tuple[Array, ...]:
    scaled = inputs["scores"] / math.sqrt(params["head_size"])
    scaled[..., ~inputs["mask"]] = -np.inf
    scaled -= scaled.max(axis=-1, keepdims=True)
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=-1, keepdims=True)
    return (scaled,)


def _score_work(params: Params, itemsize: int) -> Work:
    count = elements(_score_shape(params))
    moved = 2 * count * itemsize + params["query_length"] * params["key_length"]
    return Work(moved, 5 * count)


def _score_problem(params: Params) -> str | None:
    if params["key_length"] < params["query_length"]:
        return (
            f"key_length: expected at least query_length ({params['query_length']}),"
            f" got {params['key_length']}: the first queries would attend to nothing"
        )
    return None


def _scores(*values: int) -> Params:
    return dict(zip(_SCORES, values, strict=True))


# --- losses and updates --------------------------------------------------------------------------


def _loss_inputs(params: Params, generator: np.random.Generator) -> Arrays:
    rows, classes = params["shape"]
    return {
        "logits": normal(generator, params["shape"]),
        "target": indices(generator, rows, classes),
    }


def _smoothed_cross_entropy(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    """The mean over rows of log(sum(exp(z))) - (1 - s) z[target] - s mean(z)."""
    logits = inputs["logits"]
    largest = logits.max(axis=-1, keepdims=True)
    log_sum = largest[:, 0] + np.log(np.sum(np.exp(logits - largest), axis=-1))
    right = logits[np.arange(len(logits)), inputs["target"]]
    smoothed = (1 - LABEL_SMOOTHING) * right + LABEL_SMOOTHING * logits.mean(axis=-1)
    return (np.asarray(np.mean(log_sum - smoothed)),)


def _loss_work(params: Params, itemsize: int) -> Work:
    rows, classes = params["shape"]
    return Work((rows * classes + 1) * itemsize + 4 * rows, 5 * rows * classes)


def _adam_inputs(params: Params, generator: np.random.Generator) -> Arrays:
    size = params["shape"]
    return {
        "parameter": normal(generator, size),
        "gradient": normal(generator, size),
        "first": normal(generator, size),
        "second": np.square(normal(generator, size)),
    }


def _small_gradients(
    _: Params, inputs: Arrays, dtype: str, generator: np.random.Generator
) -> Arrays:
    """Gradients and moments of zero, and so small that epsilon counts."""
    del dtype
    scale = generator.choice([1.0, 1e-8, 0.0], inputs["gradient"].shape)
    return {
        **inputs,
        "gradient": inputs["gradient"] * scale,
        "first": inputs["first"] * scale,
        "second": inputs["second"] * np.square(scale),
    }


def _adam(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    gradient = inputs["gradient"]
    first = ADAM.first_beta * inputs["first"] + (1 - ADAM.first_beta) * gradient
    second = ADAM.second_beta * inputs["second"] + (1 - ADAM.second_beta) * gradient**2
    root = np.sqrt(second / ADAM.second_correction) + ADAM.epsilon
    update = ADAM.learning_rate * (first / ADAM.first_correction) / root
    return inputs["parameter"] - update, first, second


OPERATIONS = (
    _fused(
        "bias_gelu_dropout",
        "BiasGELUDropout",
        _work(3, 8, rows=1, masks=1),
        inputs=_dropout_inputs,
        reference=_dropout,
        stress=stress.elementwise(),
        differentiable=("x", "bias", "residual"),
        cases=fused({"shape": [1024, 1024]}, {"shape": LARGE}),
    ),
    _fused(
        "swiglu",
        "SwiGLU",
        _work(3, 5),
        inputs=lambda params, generator: {
            "gate": normal(generator, params["shape"]),
            "up": normal(generator, params["shape"]),
        },
        reference=lambda _, inputs: (
            inputs["gate"] / (1 + np.exp(-inputs["gate"])) * inputs["up"],
        ),
        stress=stress.elementwise("gate"),
        differentiable=("gate", "up"),
        cases=fused({"shape": [1024, 1024]}, {"shape": LARGE}),
    ),
    _fused(
        "rms_norm_half",
        "RMSNormHalf",
        _work(2, 6, rows=1),
        inputs=_scaled_inputs,
        reference=_rms_norm,
        # Everything is computed in float32: one rounding at the end, whatever a row's length.
        stress=stress.scaled(stress.split_at(-1)),
        differentiable=("x", "weight"),
        dtypes=HALVES,
        cases=fused({"shape": [1024, 1024]}, {"shape": LARGE}, dtypes=HALVES),
    ),
    _fused(
        "residual_layer_norm",
        "ResidualLayerNorm",
        _work(4, 10, rows=2),
        inputs=_residual_inputs,
        reference=_residual_layer_norm,
        reduction_length=lambda params: int(params["shape"][-1]),
        stress=stress.normalised(stress.split_at(-1)),
        differentiable=("x", "residual", "weight", "bias"),
        cases=fused({"shape": [1024, 1024]}, {"shape": LARGE}),
    ),
    _fused(
        "masked_softmax",
        "MaskedSoftmax",
        _score_work,
        parameters={name: integer(1) for name in _SCORES},
        problem=_score_problem,
        label=lambda params: f"{dims(_score_shape(params))} head={params['head_size']}",
        inputs=_score_inputs,
        reference=_masked_softmax,
        reduction_length=lambda params: int(params["key_length"]),
        # exp turns absolute errors of the scaled scores into relative ones of the weights; hard
        # ones are some hundreds.
        leniency=2.0,
        stress=Stress(
            stress.exponential("scores", lambda params: (tuple(_score_shape(params)), (3,))).inputs,
            lambda _: 100.0,
        ),
        differentiable=("scores",),
        cases=fused(_scores(4, 8, 128, 128, 64), _scores(4, 16, 512, 512, 64)),
    ),
    _fused(
        "smoothed_cross_entropy",
        "SmoothedCrossEntropy",
        _loss_work,
        label=lambda params: f"{dims(params['shape'])} {dims(params['shape'][:1])}",
        inputs=_loss_inputs,
        reference=_smoothed_cross_entropy,
        reduction_length=lambda params: sum(params["shape"]),
        stress=stress.exponential("logits", stress.split_at(-1)),
        differentiable=("logits",),
        cases=fused({"shape": [512, 1000]}, {"shape": [1024, 32000]}),
    ),
    _fused(
        "adam",
        "Adam",
        _work(7, 14),
        parameters={"shape": shape()},
        inputs=_adam_inputs,
        reference=_adam,
        stress=Stress(_small_gradients),
        # The states of an optimiser are kept in float32 at least.
        dtypes=("float32", "float64"),
        cases=fused({"shape": [1000000]}, {"shape": LARGE}),
    ),
)
