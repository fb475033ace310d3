"""A step of a recurrent layer: all gates and the next state, from sums of products, in one pass.

The threads of a grid are the layer's units along x, and the rows of the batch along y. What is
added up for the gates comes from two sides: ``projected``, of the inputs, for all steps, and
``recurrent``, of the state before. Both have the gates one after the other along their last axis.
"""

from __future__ import annotations

import math
from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.tiles import LANES


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


# --- With the products in the same kernel, as the CPU's vectors like them -------------------------


@sm.kernel
def lstm_tile(
    outputs: Any,
    cells: Any,
    inputs: Any,
    states: Any,
    input_weight: Any,
    hidden_weight: Any,
    input_bias: Any,
    hidden_bias: Any,
    first: Any,
    units: Any,
    vectors: Any,
    step: int,
    before: int,
    turn: int,
) -> None:
    """A step of :func:`lstm_step` from the inputs and states themselves.

    A threadgroup is a vector of threads. It has the sums of all gates of some units for some
    vectors of rows in registers: each element of the weights meets a vector of rows, so that the
    weights are read as they lie, and only the narrow sides are turned.

    Args:
        outputs: As there, as are ``cells``, ``first``, ``step`` and ``before``.
        cells: See above.
        inputs: (time, features, rows): turned, with rows for whole vectors.
        states: (2, hidden, rows): the hidden states before and after, turned, in turns.
        input_weight: (4 hidden, features).
        hidden_weight: (4 hidden, hidden).
        input_bias: (4 hidden,); None: there is none.
        hidden_bias: (4 hidden,); None: there is none.
        first: See above.
        units: Of a threadgroup, which count along y.
        vectors: Of a threadgroup, which count along x.
        step: See above.
        before: See above.
        turn: Which of the states are those before.
    """
    group, lane = sm.threadgroup_position_in_grid(), sm.thread_index_in_threadgroup()
    size, top, left = outputs.shape[2], group.y * units, group.x * (LANES * vectors) + lane
    totals = sm.thread_array((4 * units, vectors), inputs.dtype)
    own = tuple(min(top + u, size - 1) for u in range(units))
    places = tuple(gate * size + unit for gate in range(4) for unit in own)
    for n in sm.static_range(4 * units):
        start = with_bias(inputs.dtype(0), input_bias, places[n])
        for v in sm.static_range(vectors):
            totals[n, v] = with_bias(start, hidden_bias, places[n])
    into = tuple(range(4 * units))
    add_products(totals, input_weight, inputs[step], places, into, left, vectors)
    add_products(totals, hidden_weight, states[turn], places, into, left, vectors)
    for u in sm.static_range(units):
        for v in sm.static_range(vectors):
            unit, row = top + u, left + LANES * v
            if unit < size and row < outputs.shape[1]:
                last = first[row, unit] if before < 0 else cells[row, unit]
                i, f, g, o = tuple(totals[gate * units + u, v] for gate in range(4))
                cell = sigmoid(f) * last + sigmoid(i) * math.tanh(g)
                cells[row, unit] = cell
                hidden = sigmoid(o) * math.tanh(cell)
                outputs[step, row, unit] = hidden
                states[1 - turn, unit, row] = hidden


@sm.kernel
def gru_tile(
    outputs: Any,
    inputs: Any,
    states: Any,
    input_weight: Any,
    hidden_weight: Any,
    input_bias: Any,
    hidden_bias: Any,
    first: Any,
    units: Any,
    vectors: Any,
    step: int,
    before: int,
    turn: int,
) -> None:
    """A step of :func:`gru_step`, by the ways and with the arguments of :func:`lstm_tile`.

    There are four sums for a unit: r, z, and both sides of n.
    """
    group, lane = sm.threadgroup_position_in_grid(), sm.thread_index_in_threadgroup()
    size, top, left = outputs.shape[2], group.y * units, group.x * (LANES * vectors) + lane
    totals = sm.thread_array((4 * units, vectors), inputs.dtype)
    own = tuple(min(top + u, size - 1) for u in range(units))
    places = tuple(gate * size + unit for gate in range(3) for unit in own)
    for n in sm.static_range(units):
        for v in sm.static_range(vectors):
            for gate in sm.static_range(2):
                start = with_bias(inputs.dtype(0), input_bias, places[gate * units + n])
                totals[gate * units + n, v] = with_bias(
                    start, hidden_bias, places[gate * units + n]
                )
            totals[2 * units + n, v] = with_bias(inputs.dtype(0), input_bias, places[2 * units + n])
            totals[3 * units + n, v] = with_bias(
                inputs.dtype(0), hidden_bias, places[2 * units + n]
            )
    into = tuple(range(3 * units))
    add_products(totals, input_weight, inputs[step], places, into, left, vectors)
    into = (*into[: 2 * units], *range(3 * units, 4 * units))
    add_products(totals, hidden_weight, states[turn], places, into, left, vectors)
    for u in sm.static_range(units):
        for v in sm.static_range(vectors):
            unit, row = top + u, left + LANES * v
            if unit < size and row < outputs.shape[1]:
                last = first[row, unit] if before < 0 else outputs[before, row, unit]
                r, z, x_n, h_n = tuple(totals[gate * units + u, v] for gate in range(4))
                update = sigmoid(z)
                candidate = math.tanh(x_n + sigmoid(r) * h_n)
                hidden = (1 - update) * candidate + update * last
                outputs[step, row, unit] = hidden
                states[1 - turn, unit, row] = hidden


def add_products(
    totals: Any, weight: Any, turned: Any, places: Any, into: Any, left: Any, vectors: Any
) -> None:
    """Add the products of rows of weights, and vectors of rows of what is turned, to sums."""
    for k in range(weight.shape[1]):
        row = tuple(turned[k, left + LANES * v] for v in range(vectors))
        for n in sm.static_range(len(places)):
            element = weight[places[n], k]
            for v in sm.static_range(vectors):
                totals[into[n], v] += element * row[v]


def with_bias(total: Any, bias: Any, column: Any) -> Any:
    """A sum with its column's bias."""
    return total if bias is None else total + bias[column]


def sigmoid(x: Any) -> Any:
    """``1 / (1 + exp(-x))``."""
    return 1 / (1 + math.exp(-x))
