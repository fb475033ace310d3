"""A step of a recurrent layer: all gates and the next state, from sums of products, in one pass.

The threads of a grid are the layer's units along x, and the rows of the batch along y. What is
added up for the gates comes from two sides: ``projected``, of the inputs, for all steps, and
``recurrent``, of the state before. Both have the gates one after the other along their last axis.
"""

from __future__ import annotations

import math
from typing import Any

import speedmetal as sm


@sm.kernel
def lstm_step(
    recurrent: Any,
    outputs: Any,
    cells: Any,
    projected: Any,
    input_bias: Any,
    hidden_bias: Any,
    first: Any,
    step: int,
    before: int,
) -> None:
    """The hidden state and the cell after a step of a long short-term memory.

    Args:
        recurrent: (batch, 4 hidden): gates i, f, g, o.
        outputs: (time, batch, hidden): the hidden states, of which that of the step is written.
        cells: (batch, hidden): those before, in the place of which those after are written.
        projected: (time, batch, 4 hidden).
        input_bias: (4 hidden,): of ``projected``; None: there is none.
        hidden_bias: (4 hidden,): of ``recurrent``; None: there is none.
        first: (batch, hidden): the cells before the first step.
        step: Which one.
        before: The one before it, in either direction; -1: it is the first.
    """
    unit, row, _ = sm.thread_position_in_grid()
    size = outputs.shape[2]
    i, f, g, o = tuple(
        with_bias(projected[step, row, unit + gate * size], input_bias, unit + gate * size)
        + with_bias(recurrent[row, unit + gate * size], hidden_bias, unit + gate * size)
        for gate in range(4)
    )
    last = first[row, unit] if before < 0 else cells[row, unit]
    cell = sigmoid(f) * last + sigmoid(i) * math.tanh(g)
    cells[row, unit] = cell
    outputs[step, row, unit] = sigmoid(o) * math.tanh(cell)


@sm.kernel
def gru_step(
    recurrent: Any,
    outputs: Any,
    projected: Any,
    input_bias: Any,
    hidden_bias: Any,
    first: Any,
    step: int,
    before: int,
) -> None:
    """The hidden state after a step of gated recurrent units.

    Args are those of :func:`lstm_step`, of 3 gates r, z, n; ``first`` is the hidden state.
    """
    unit, row, _ = sm.thread_position_in_grid()
    size = outputs.shape[2]
    x_r, x_z, x_n = tuple(
        with_bias(projected[step, row, unit + gate * size], input_bias, unit + gate * size)
        for gate in range(3)
    )
    h_r, h_z, h_n = tuple(
        with_bias(recurrent[row, unit + gate * size], hidden_bias, unit + gate * size)
        for gate in range(3)
    )
    update = sigmoid(x_z + h_z)
    candidate = math.tanh(x_n + sigmoid(x_r + h_r) * h_n)
    last = first[row, unit] if before < 0 else outputs[before, row, unit]
    outputs[step, row, unit] = (1 - update) * candidate + update * last


def with_bias(total: Any, bias: Any, column: Any) -> Any:
    """A sum with its column's bias."""
    return total if bias is None else total + bias[column]


def sigmoid(x: Any) -> Any:
    """``1 / (1 + exp(-x))``."""
    return 1 / (1 + math.exp(-x))
