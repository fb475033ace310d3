"""Steps of recurrent layers whose products are in the kernel of the gates, on the CPU.

With rows for a vector or two, and weights of a few megabytes, that takes half to three quarters of
the time of BLAS and a kernel: sums stay in registers, and no library's threads wait for ours.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from speedmetal.arrays.array import Array
from speedmetal.arrays.hosting import is_on_cpu
from speedmetal.arrays.memory.copying import assign
from speedmetal.backends.cpu.identity import has_avx512
from speedmetal.dtypes import float64
from speedmetal.frontend.static import static
from speedmetal.nn.directions import Direction
from speedmetal.nn.launches import prepared

FEWEST_ROWS = 8
"""Of the batch: with less than half of a vector, threads would have nothing to do."""
MOST_STATE_ELEMENTS = 1 << 16
"""Of a state. With more, BLAS copies blocks of the operands better than a cache keeps them."""
_GATES = 4  # sums of a unit
_FEW = 1 << 16
"""Elements that NumPy has turned before a kernel would have."""


def takes_tiles(outputs: Array) -> bool:
    """Whether steps go by tiles, whose hidden states are ``(time, batch, hidden)``."""
    _, batch, size = outputs.shape
    return is_on_cpu(outputs) and batch >= FEWEST_ROWS and batch * size <= MOST_STATE_ELEMENTS


def tile_for(batch: int, *, is_wide: bool) -> tuple[int, int]:
    """Units and vectors of rows whose sums are in registers at once.

    With AVX-512 these were the fastest ones for 16 and for 64 rows of 128 and 256 units.

    Args:
        batch: How many rows.
        is_wide: Whether they are float64, of which a register has half as many.
    """
    from speedmetal.arrays.kernels.tiles import LANES

    is_narrow = is_wide or not has_avx512()
    if batch <= LANES:
        return (3, 1) if is_narrow else (6, 1)
    return (2, 1) if is_narrow else (2, 2)


def take_steps_by_tiles(
    outputs: Array, cells: Array | None, inputs: Array, direction: Direction
) -> None:
    """Write the hidden states ``(time, batch, hidden)``, and the cells, ``(batch, hidden)``.

    Args:
        outputs: New memory.
        cells: New memory; None: the layer has none.
        inputs: ``(time, batch, features)``; of a cell ``(batch, features)``.
        direction: The parameters, and the states before.
    """
    from speedmetal.arrays.kernels.tiles import LANES
    from speedmetal.nn.kernels import recurrent as kernels  # with its first use

    time, batch, size = outputs.shape
    units, vectors = tile_for(batch, is_wide=outputs.layout.dtype is float64)
    blocks = -(-batch // (LANES * vectors))
    rows = blocks * LANES * vectors
    turned = _turned(inputs, (time, inputs.shape[-1], rows))
    states = _turned(direction.hidden, (2, size, rows))
    kernel, written = (kernels.gru_tile, ()) if cells is None else (kernels.lstm_tile, (cells,))
    weights = (direction.input_weight, direction.hidden_weight)
    for weight in weights:
        weight.buffer  # noqa: B018 - which is read over and over, made for who asks
    first = direction.hidden if cells is None else direction.cell
    order = direction.order(time)
    arguments: tuple[Any, ...] = (
        outputs,
        *written,
        turned,
        states,
        *weights,
        *direction.biases,
        first,
        static(units),
        static(vectors),
    )
    groups = (blocks, -(-size // units))
    known = (*arguments, order[0], -1, 0)
    sizes = {"groups": groups, "threads": LANES}
    work = 2 * _GATES * size * rows * (inputs.shape[-1] + size)
    run, values = prepared(kernel, known, **sizes, work=work)
    run(values)
    for number, (before, step) in enumerate(pairwise(order), 1):
        run([*values[:-3], step, before, number % 2])


def _turned(rows: Array, shape: tuple[int, int, int]) -> Array:
    """``(..., batch, features)`` as new memory of a shape, turned; beyond its rows are zeros.

    What memory was before may be numbers that take long to multiply.
    """
    turned = Array.allocate(shape, rows.layout.dtype, rows.layout.device)
    batch, written = rows.shape[-2], turned.on_host()
    if batch < shape[-1]:
        written[..., batch:] = 0
    if turned.size <= _FEW:
        place = written if rows.ndim == 3 else written[0]
        place[..., :batch] = rows.on_host().swapaxes(-1, -2)
        return turned
    rows.buffer  # noqa: B018 - which is made for who asks
    source = rows.with_elements(rows.elements.moveaxis(-1, -2))
    first = () if rows.ndim == 3 else (0,)
    assign(turned.with_elements(turned.elements[(*first, ..., slice(batch))]), source)
    return turned
