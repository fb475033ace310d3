"""One step of a long short-term memory.

Formula, with the gates i, f, g, o side by side in this order in the rows of the weights:

    (i, f, g, o) = x Wx^T + bx + h Wh^T + bh
    c' = sigmoid(f) c + sigmoid(i) tanh(g)
    h' = sigmoid(o) tanh(c')

Sources: S. Hochreiter and J. Schmidhuber, "Long short-term memory", 1997; the order of the gates
and the two biases are those of ``torch.nn.LSTMCell``.
"""

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
    integer,
    layer,
    normal,
)

_NAMES = ("batch", "input_size", "hidden_size")


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _inputs(params: Params, generator: np.random.Generator) -> Arrays:
    batch, size, hidden = (params[name] for name in _NAMES)
    return {
        "x": normal(generator, [batch, size]),
        "hidden": normal(generator, [batch, hidden]),
        "cell": normal(generator, [batch, hidden]),
        "input_weight": normal(generator, [4 * hidden, size]) / np.float32(math.sqrt(size)),
        "hidden_weight": normal(generator, [4 * hidden, hidden]) / np.float32(math.sqrt(hidden)),
        "input_bias": normal(generator, [4 * hidden]),
        "hidden_bias": normal(generator, [4 * hidden]),
    }


def _reference(_: Params, inputs: Arrays) -> tuple[Array, ...]:
    gates = inputs["x"] @ inputs["input_weight"].T + inputs["input_bias"]
    gates += inputs["hidden"] @ inputs["hidden_weight"].T + inputs["hidden_bias"]
    i, f, g, o = np.split(gates, 4, axis=-1)
    cell = _sigmoid(f) * inputs["cell"] + _sigmoid(i) * np.tanh(g)
    return _sigmoid(o) * np.tanh(cell), cell


def _work(params: Params, itemsize: int) -> Work:
    batch, size, hidden = (params[name] for name in _NAMES)
    states = elements([batch, size]) + 4 * elements([batch, hidden])
    weights = elements([4 * hidden, size + hidden + 2])
    products = 2 * batch * 4 * hidden * (size + hidden)
    # Nominal: two biases on four gates, three sigmoids, two hyperbolic tangents, four more.
    return Work((states + weights) * itemsize, products + 25 * batch * hidden)


def _label(params: Params) -> str:
    return f"{dims([params['batch'], params['input_size']])} hid={params['hidden_size']}"


def _case(*values: int) -> Params:
    return dict(zip(_NAMES, values, strict=True))


OPERATIONS = (
    Operation(
        name="lstm_cell",
        title="LSTMCell",
        family="recurrent",
        parameters={name: integer(1) for name in _NAMES},
        label=_label,
        inputs=_inputs,
        reference=_reference,
        work=_work,
        reduction_length=lambda params: int(params["input_size"] + params["hidden_size"]),
        nan_propagates=True,
        differentiable=("x", "hidden", "cell", "input_weight", "hidden_weight", "input_bias"),
        cases=layer(_case(64, 256, 256), _case(256, 1024, 1024)),
    ),
)
