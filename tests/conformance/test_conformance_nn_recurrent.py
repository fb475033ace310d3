"""Steps of recurrent layers on every device, against the formulas in double precision."""

from __future__ import annotations

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.bench.operations.recurrent import OPERATIONS
from speedmetal.nn.kernels import recurrent as kernels


def parameters_of(gates, features, hidden):
    generator = np.random.default_rng(hidden)
    shapes = (gates * hidden, features), (gates * hidden, hidden), (gates * hidden,)
    return [generator.standard_normal(shape).astype("f4") / 2 for shape in (*shapes, shapes[2])]


def close(found, expected):
    np.testing.assert_allclose(found.numpy(), expected, rtol=2e-5, atol=2e-5)


def test_a_step_of_a_long_short_term_memory(device):
    (operation,) = OPERATIONS
    params = {"batch": 3, "input_size": 5, "hidden_size": 7}
    inputs = operation.inputs(params, np.random.default_rng(0))
    expected = operation.reference(params, {k: v.astype("f8") for k, v in inputs.items()})
    x, hidden, cell, *parameters = (sm.array(each, device=device) for each in inputs.values())
    found = sm.nn.lstm_cell(x, (hidden, cell), *parameters)
    for one, other in zip(found, expected, strict=True):
        close(one, other)


@pytest.mark.parametrize("has_biases", [True, False])
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_sequences_are_their_steps(device, kind, has_biases):
    """Two layers in both directions, of which one step each is the cell's."""
    gates = 4 if kind == "lstm" else 3
    count = 4 if has_biases else 2
    layers = [parameters_of(gates, width, 3)[:count] for width in (2, 2, 6, 6)]
    layers = [[sm.array(part, device=device) for part in parts] for parts in layers]
    x = sm.array(np.random.default_rng(1).standard_normal((2, 4, 2)).astype("f4"), device=device)
    outputs, _ = getattr(sm.nn, kind)(x, layers, bidirectional=True)
    sequence = x
    for first in (0, 2):
        ways = []
        for way in range(2):
            state = [sm.zeros((2, 3), device=device)] * (gates - 2)
            found = []
            for step in range(4)[:: -1 if way else 1]:
                given = tuple(state) if kind == "lstm" else state[0]
                function = getattr(sm.nn, f"{kind}_cell")
                made = function(sequence[:, step], given, *layers[first + way])
                state = list(made) if kind == "lstm" else [made]
                found.append(state[0])
            ways.append(sm.stack(found[:: -1 if way else 1], axis=1))
        sequence = sm.concat(ways, axis=2)
    close(outputs, sequence.numpy())


@pytest.mark.parametrize("has_biases", [True, False])
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_steps_by_tiles_are_those_of_a_product_and_a_kernel(device, kind, has_biases):
    """The kernels that the CPU takes for batches, with rows and units beyond whole tiles."""
    gates, (time, batch, features, hidden) = 4 if kind == "lstm" else 3, (3, 17, 2, 3)
    generator = np.random.default_rng(4)
    given = parameters_of(gates, features, hidden)
    weights = [sm.array(part, device=device) for part in given[: 4 if has_biases else 2]]
    biases = weights[2:] or [None, None]
    x = generator.standard_normal((time, batch, features)).astype("f4")
    first = [generator.standard_normal((batch, hidden)).astype("f4") for _ in range(gates - 2)]
    turned, states = np.zeros((time, features, 32), "f4"), np.zeros((2, hidden, 32), "f4")
    turned[..., :batch], states[0, :, :batch] = x.swapaxes(1, 2), first[0].T
    outputs, cells = (
        sm.zeros(shape, device=device) for shape in ((time, batch, hidden), (batch, hidden))
    )
    known = [
        *(sm.array(turned, device=device), sm.array(states, device=device)),
        *(*weights[:2], *biases, sm.array(first[-1], device=device), sm.static(2), sm.static(1)),
    ]
    for step in range(time):
        order, sizes = (step, step - 1, step % 2), {"groups": (2, 2), "threads": 16}
        if kind == "lstm":
            kernels.lstm_tile(outputs, cells, *known, *order, **sizes)
        else:
            kernels.gru_tile(outputs, *known, *order, **sizes)
    there = [sm.array(each[None], device=device) for each in first]
    state = tuple(there) if kind == "lstm" else there[0]
    expected, last = getattr(sm.nn, kind)(
        sm.array(x, device=device), [weights], state, time_first=True
    )
    close(outputs, expected.numpy())
    if kind == "lstm":
        close(cells, last[1].numpy()[0])


def test_a_simple_cell(device):
    parameters = parameters_of(1, 5, 4)
    generator = np.random.default_rng(2)
    x, h = (generator.standard_normal((3, width)).astype("f4") for width in (5, 4))
    wx, wh, bx, bh = parameters
    there = [sm.array(each, device=device) for each in (x, h, *parameters)]
    close(sm.nn.rnn_cell(*there), np.tanh(x @ wx.T + bx + h @ wh.T + bh))
