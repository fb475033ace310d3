"""Chains of cheap elementwise functions, which a compiler may fuse into one pass over memory.

The steps are :data:`speedmetal.bench.contract.CHAIN_STEPS`; ``chain5`` takes the first five.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from speedmetal.bench.contract import CHAIN_STEPS
from speedmetal.bench.operations import stress
from speedmetal.bench.operations.base import (
    Array,
    Arrays,
    Operation,
    Params,
    Work,
    dims,
    elements,
    layer,
    normal,
    shape,
)

_FUNCTIONS: dict[str, Callable[..., Array]] = {
    "multiply": np.multiply,
    "add": np.add,
    "tanh": np.tanh,
    "sin": np.sin,
    "square": np.square,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "reciprocal": np.reciprocal,
    "negative": np.negative,
}


def _chain(length: int, *sizes: list[int]) -> Operation:
    def reference(_: Params, inputs: Arrays) -> tuple[Array, ...]:
        result = inputs["x"]
        for name, constant in CHAIN_STEPS[:length]:
            arguments = () if constant is None else (constant,)
            result = _FUNCTIONS[name](result, *arguments)
        return (result,)

    def work(params: Params, itemsize: int) -> Work:
        count = elements(params["shape"])
        return Work(2 * count * itemsize, length * count)

    return Operation(
        name=f"chain{length}",
        title=f"Chain{length}",
        family="chain",
        parameters={"shape": shape()},
        label=lambda params: dims(params["shape"]),
        inputs=lambda params, generator: {"x": normal(generator, params["shape"])},
        reference=reference,
        work=work,
        # Each step adds a rounding to what came before, as each term of a sum does.
        reduction_length=lambda _: length,
        nan_propagates=True,
        stress=stress.elementwise(),
        differentiable=("x",),
        cases=layer(*({"shape": size} for size in sizes)),
    )


OPERATIONS = tuple(_chain(length, [512, 1024], [64, 128, 1024]) for length in (5, len(CHAIN_STEPS)))
