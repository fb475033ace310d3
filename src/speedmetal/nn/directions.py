"""What a recurrent layer computes in one direction of time."""

from __future__ import annotations

from speedmetal.arrays.array import Array
from speedmetal.common.records import record


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

    def order(self, time: int) -> range:
        """The steps in their order."""
        return range(time - 1, -1, -1) if self.is_backward else range(time)
