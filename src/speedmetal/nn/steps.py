"""The steps of recurrent layers one after the other: a product and a kernel for the gates each."""

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
from speedmetal.common.records import record
from speedmetal.nn.launches import prepared


@record(eq=False)
class Direction:
    """What a layer computes in one direction of time.

    Args:
        input_weight: ``(gates * hidden, features)``.
        hidden_weight: ``(gates * hidden, hidden)``.
        biases: Of both, ``(gates * hidden,)`` each; None: there is none.
        hidden: ``(batch, hidden)``: the hidden state before the first step.
        cell: ``(batch, hidden)``: the memory cell before it; None: the layer has none.
        is_backward: Whether the last step comes first.
    """

    input_weight: Array
    hidden_weight: Array
    biases: tuple[Array | None, Array | None]
    hidden: Array
    cell: Array | None
    is_backward: bool = False

    @property
    def operands(self) -> list[Array]:
        """The arrays that it reads."""
        given = (self.input_weight, self.hidden_weight, *self.biases, self.hidden, self.cell)
        return [array for array in given if array is not None]


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
            projected = _projected(inputs, direction.input_weight, is_time_first=is_time_first)
            _take_steps(own, cells[number] if cells else None, projected, direction)
        return [outputs, *cells]

    operands = [inputs, *(array for direction in directions for array in direction.operands)]
    node = Call(name, operands, run, callers=4)
    return call(Array, node, [(shape, dtype) for shape in shapes], device)


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


def _take_steps(
    outputs: Array, cells: Array | None, projected: Array, direction: Direction
) -> None:
    """Write the hidden states ``(time, batch, hidden)``, and the cells, ``(batch, hidden)``."""
    from speedmetal.nn.kernels import recurrent as kernels  # with its first use

    product = _product_of_states(outputs, direction)
    time, batch, size = outputs.shape
    order = range(time - 1, -1, -1) if direction.is_backward else range(time)
    kernel, written = (kernels.gru_step, ()) if cells is None else (kernels.lstm_step, (cells,))
    first = direction.hidden if cells is None else direction.cell
    known = (outputs, *written, projected, *direction.biases, first)
    arguments: tuple[Any, ...] = (product(-1), *known, order[0], -1)
    run, values = prepared(kernel, arguments, (size, batch))
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
