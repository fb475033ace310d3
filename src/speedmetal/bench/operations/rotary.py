"""Rotary position embedding (RoPE), half-split: element i turns with element i + head_size / 2.

Formula, for position p and i < d / 2 with angle a = p * 10000^(-2 i / d):

    y[i]         = x[i] cos a - x[i + d / 2] sin a
    y[i + d / 2] = x[i + d / 2] cos a + x[i] sin a

Sources: J. Su et al., "RoFormer", 2021, which turns neighbours (2 i, 2 i + 1); the half-split order
is that of GPT-NeoX and Llama, and ``mx.fast.rope``'s without ``traditional``.

The cosines and sines are inputs: models make them once and use them in every layer. A framework
with a function of its own for RoPE may make them anew inside it.
"""

from __future__ import annotations

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
)

BASE = 10000.0
_NAMES = ("batch", "heads", "length", "head_size")


def _shape(params: Params) -> list[int]:
    return [params[name] for name in _NAMES]


def _angles(params: Params) -> Array:
    """float64 angles of shape ``(length, head_size / 2)``."""
    size = params["head_size"]
    frequencies = BASE ** (-np.arange(0, size, 2) / size)
    return np.outer(np.arange(params["length"]), frequencies)


def _inputs(params: Params, generator: np.random.Generator) -> Arrays:
    angles = _angles(params)
    return {
        "x": normal(generator, _shape(params)),
        "cosine": np.cos(angles).astype(np.float32),
        "sine": np.sin(angles).astype(np.float32),
    }


def _reference(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    cosine, sine = inputs["cosine"], inputs["sine"]
    first, second = np.split(inputs["x"], 2, axis=-1)
    turned = (first * cosine - second * sine, second * cosine + first * sine)
    return (np.concatenate(turned, axis=-1),)


def _work(params: Params, itemsize: int) -> Work:
    count = elements(_shape(params))
    return Work(2 * count * itemsize, 3 * count)


def _problem(params: Params) -> str | None:
    if params["head_size"] % 2:
        return f"head_size: expected an even number, got {params['head_size']}"
    return None


def _case(*values: int) -> Params:
    return dict(zip(_NAMES, values, strict=True))


OPERATIONS = (
    Operation(
        name="rope",
        title="RoPE",
        family="position",
        parameters={name: integer(1) for name in _NAMES},
        problem=_problem,
        label=lambda params: dims(_shape(params)),
        inputs=_inputs,
        reference=_reference,
        work=_work,
        # Angles made in float32 are off by half an eps of up to `length` radians, twice; this
        # moves a result by as much of the largest inputs, five times their root mean square.
        reduction_length=lambda params: 1 + (3 * int(params["length"]) // 4) ** 2,
        nan_propagates=True,
        differentiable=("x",),
        layouts={"x": Layout.ATTENTION},
        output_layouts=(Layout.ATTENTION,),
        cases=layer(_case(4, 8, 256, 64), _case(8, 16, 1024, 64), _case(4, 32, 512, 128)),
    ),
)
