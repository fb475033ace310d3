"""The steps of recurrent layers one after the other.

A step is a product of the hidden state and a kernel for the gates, or, where the CPU is faster so,
one kernel that does both (:mod:`speedmetal.nn.tiled_steps`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from speedmetal.arrays.algebra.products import matmul, multiply_on_host
from speedmetal.arrays.array import Array
from speedmetal.arrays.deferred.lazy import call
from speedmetal.arrays.deferred.pending import Call
from speedmetal.arrays.hosting import is_on_cpu
from speedmetal.arrays.memory.copying import check_computes
from speedmetal.arrays.memory.strided import fresh_layout
from speedmetal.nn.directions import Direction
from speedmetal.nn.launches import prepared
from speedmetal.nn.tiled_steps import take_steps_by_tiles, takes_tiles


def layer(
    name: str,
    inputs: Array,
    directions: Sequence[Direction],
    *,
    is_time_first: bool = True,
) -> list[Array]:
    """The lazy results of a layer, or of a cell, which takes one step.

    Args:
        name: Of the function.
        inputs: ``(time, batch, features)`` or ``(batch, time, features)``; of a cell ``(batch,
            features)``.
        directions: One or two, all with cells or none.
        is_time_first: Which of them.

    Returns:
        The hidden states after each step, ``(time, batch, directions * hidden)``, of a cell without
        the first axis; then, for each direction that has cells, ``(batch, hidden)``: those after
        its last step.
    """
    batch, size = directions[0].hidden.shape
    dtype, device = inputs.layout.dtype, inputs.layout.device
    check_computes(name, device, dtype)
    times = () if inputs.ndim == 2 else (inputs.shape[0 if is_time_first else 1],)
    shapes: list[tuple[int, ...]] = [(*times, batch, len(directions) * size)]
    shapes += [(batch, size) for each in directions if each.cell is not None]

    def run() -> list[Array]:
        outputs, *cells = (Array.allocate(shape, dtype, device) for shape in shapes)
        steps = outputs if times else _as(outputs, (1, *shapes[0]))
        for number, direction in enumerate(directions if outputs.size else ()):
            own = steps
            if len(directions) > 1:
                columns = slice(number * size, (number + 1) * size)
                own = steps.with_elements(steps.elements[:, :, columns])
            memory = cells[number] if cells else None
            if takes_tiles(own):
                sequence = _in_order_of_time(inputs, is_time_first=is_time_first)
                take_steps_by_tiles(own, memory, sequence, direction)
            else:
                projected = _projected(inputs, direction.input_weight, is_time_first=is_time_first)
                _take_steps(own, memory, projected, direction)
        return [outputs, *cells]

    operands = [inputs, *(array for direction in directions for array in direction.operands)]
    node = Call(name, operands, run, callers=4)
    return call(Array, node, [(shape, dtype) for shape in shapes], device)


def _in_order_of_time(inputs: Array, *, is_time_first: bool) -> Array:
    """The inputs as ``(time, batch, features)``; those of a cell as they are."""
    if is_time_first:
        return inputs
    inputs.buffer  # noqa: B018 - which is made for who asks
    return inputs.with_elements(inputs.elements.transpose((1, 0, 2)))


def _projected(inputs: Array, weight: Array, *, is_time_first: bool) -> Array:
    """The products of the inputs of all steps, ``(time, batch, gates * hidden)``."""
    is_cell = inputs.ndim == 2
    axes = (1, inputs.shape[0]) if is_cell else inputs.shape[:-1]
    if is_on_cpu(inputs):
        product = _product_on_host(inputs, weight, axes)
    else:
        product = matmul(inputs, weight.T).reshape((*axes, weight.shape[0]))
    if is_cell or is_time_first:
        return product
    return product.with_elements(product.elements.transpose((1, 0, 2)))


def _product_on_host(inputs: Array, weight: Array, axes: tuple[int, ...]) -> Array:
    """``inputs @ weight.T``, with these axes before the last one.

    It lies transposed where there are fewer rows of inputs than of weights: beside 1024 of these,
    BLAS took 0.5 to 0.95 of the time for 4 to 256 rows. The kernels read either as fast.
    """
    rows, gates = math.prod(axes), weight.shape[0]
    dtype, device = inputs.layout.dtype, inputs.layout.device
    a, b = inputs.on_host().reshape((rows, inputs.shape[-1])), weight.on_host()
    if rows >= gates:
        product = Array.allocate((*axes, gates), dtype, device)
        multiply_on_host(a, b.T, product.on_host().reshape((rows, gates)))
        return product
    product = Array.allocate((gates, *axes), dtype, device)
    multiply_on_host(b, a.T, product.on_host().reshape((gates, rows)))
    return product.with_elements(product.elements.transpose((1, 2, 0)))


def _as(array: Array, shape: tuple[int, ...]) -> Array:
    """The memory of a new array as one of another shape."""
    elements, layout, _ = fresh_layout(shape, array.layout.dtype, array.layout.device)
    return Array(array.buffer, elements, layout)


_FEW = 1 << 15
"""Elements of a state that the calling thread computes alone: after a product, BLAS's own threads
are still awake, and another thread has to wait for their processors. With 16384 a kernel on two
threads took longer than on one, and much longer where other programs run."""


def _take_steps(
    outputs: Array, cells: Array | None, projected: Array, direction: Direction
) -> None:
    """Write the hidden states ``(time, batch, hidden)``, and the cells, ``(batch, hidden)``."""
    from speedmetal.nn.kernels import recurrent as kernels  # with its first use

    product = _product_of_states(outputs, direction)
    time, batch, size = outputs.shape
    order = direction.order(time)
    kernel, written = (kernels.gru_step, ()) if cells is None else (kernels.lstm_step, (cells,))
    first = direction.hidden if cells is None else direction.cell
    known = (outputs, *written, projected, *direction.biases, first)
    arguments: tuple[Any, ...] = (product(-1), *known, order[0], -1)
    work = 0 if size * batch <= _FEW else None
    run, values = prepared(kernel, arguments, grid=(size, batch), work=work)
    run(values)
    for before, step in pairwise(order):
        sums = product(before)
        run([0, sums.address, *values[2:-2], step, before])


def _product_of_states(outputs: Array, direction: Direction) -> Callable[[int], Array]:
    """What gives the product of the hidden state after a step, -1: before the first, all alike."""
    weight = direction.hidden_weight
    if not is_on_cpu(outputs):
        return lambda step: matmul(direction.hidden if step < 0 else outputs[step], weight.T)
    first, host = direction.hidden.on_host(), weight.on_host()
    states = outputs.on_host() if outputs.shape[0] > 1 else first[None]  # of one, nobody reads it
    shape = (weight.shape[0], first.shape[0])
    sums = Array.allocate(shape, outputs.layout.dtype, outputs.layout.device)
    transposed, written = sums.with_elements(sums.elements.transpose()), sums.on_host()

    def product_on_host(step: int) -> Array:
        multiply_on_host(host, (first if step < 0 else states[step]).T, written)
        return transposed

    return product_on_host
