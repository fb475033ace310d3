"""Formulas that NumPy and libraries with its interface are given alike, written once.

They are those in which a person who knows NumPy and one who knows CuPy write the same lines. What
either writes otherwise, because it is faster there, stands in the framework's own cells.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

from speedmetal.bench.contract import CHAIN_STEPS, Params
from speedmetal.bench.frameworks.base import Cell, Function

Array = Any  # of the library


@dataclass(frozen=True)
class NumPyAPI:
    """Cells in a library with NumPy's interface.

    Args:
        library: The module, ``numpy`` or ``cupy``.
    """

    library: Any

    def convolution(self, _: Params) -> Function:
        """A convolution in one or two dimensions, channels last."""
        library = self.library

        def convolution(x: Array, weight: Array) -> Array:
            space = tuple(range(1, x.ndim - 1))
            # (batch, out..., channels, kernel...) against (out, kernel..., channels)
            windows = library.lib.stride_tricks.sliding_window_view(
                x, weight.shape[1:-1], axis=space
            )
            kernel = tuple(range(1, weight.ndim - 1))
            window_axes = (*range(x.ndim, windows.ndim), x.ndim - 1)
            return library.tensordot(
                windows, weight, axes=(window_axes, (*kernel, weight.ndim - 1))
            )

        return convolution

    def depthwise(self, _: Params) -> Function:
        """A convolution of each channel with a kernel of its own."""

        def depthwise(x: Array, weight: Array) -> Array:
            _, rows, columns, _ = weight.shape
            height, width = x.shape[1] - rows + 1, x.shape[2] - columns + 1
            result = self.library.zeros((x.shape[0], height, width, x.shape[3]), x.dtype)
            for i, j in product(range(rows), range(columns)):
                result += x[:, i : i + height, j : j + width] * weight[:, i, j, 0]
            return result

        return depthwise

    def conv_transpose(self, params: Params) -> Function:
        """A transposed convolution in two dimensions."""
        stride = params["stride"]
        library = self.library

        def conv_transpose(x: Array, weight: Array) -> Array:
            batch, height, width, _ = x.shape
            channels, rows, columns, _ = weight.shape
            # (batch, height, width, out, rows, columns): what each input position adds.
            products = library.tensordot(x, weight, axes=(3, 3))
            bottom, right = (height - 1) * stride, (width - 1) * stride
            result = library.zeros((batch, bottom + rows, right + columns, channels), x.dtype)
            for i, j in product(range(rows), range(columns)):
                target = result[:, i : i + bottom + 1 : stride, j : j + right + 1 : stride]
                target += products[..., i, j]
            return result

        return conv_transpose

    @staticmethod
    def pooling(reduce: Callable[..., Array]) -> Cell:
        """Pooling over windows side by side, by the library's reduction."""

        def cell(params: Params) -> Function:
            size = params["window"]

            def pool(x: Array) -> Array:
                batch, height, width, channels = x.shape
                blocks = (batch, height // size, size, width // size, size, channels)
                return reduce(x.reshape(blocks), axis=(2, 4))

            return pool

        return cell

    def matmul(self, _: Params) -> Function:
        """A product of matrices, or of stacks of them."""

        def matmul(a: Array, b: Array) -> Array:
            if b.ndim == 2:  # one BLAS call instead of one per matrix of the batch
                return (a.reshape(-1, a.shape[-1]) @ b).reshape(*a.shape[:-1], b.shape[-1])
            return self.library.matmul(a, b)

        return matmul

    def linear(self, _: Params) -> Function:
        """A product with a weight, and a bias."""

        def linear(x: Array, weight: Array, bias: Array) -> Array:
            result = x.reshape(-1, x.shape[-1]) @ weight
            result += bias
            return result.reshape(*x.shape[:-1], weight.shape[1])

        return linear

    def rope(self, _: Params) -> Function:
        """Rotary position embedding of halves."""
        library = self.library

        def rope(x: Array, cosine: Array, sine: Array) -> Array:
            first, second = library.split(x, 2, axis=-1)
            return library.concatenate(
                [first * cosine - second * sine, second * cosine + first * sine], axis=-1
            )

        return rope

    def lstm_cell(self, sigmoid: Function) -> Cell:
        """A step of an LSTM, with the library's sigmoid."""
        library = self.library

        def lstm_cell(
            x: Array,
            hidden: Array,
            cell: Array,
            input_weight: Array,
            hidden_weight: Array,
            input_bias: Array,
            hidden_bias: Array,
        ) -> tuple[Array, Array]:
            gates = x @ input_weight.T
            gates += hidden @ hidden_weight.T
            gates += input_bias + hidden_bias
            i, f, g, o = library.split(gates, 4, axis=-1)
            cell = sigmoid(f) * cell + sigmoid(i) * library.tanh(g)
            return sigmoid(o) * library.tanh(cell), cell

        return lambda _: lstm_cell

    def top_k(self, params: Params) -> Function:
        """The greatest elements of rows, the greatest first."""
        count = params["k"]
        library = self.library

        def top_k(x: Array) -> Array:
            largest = library.partition(x, -count, axis=-1)[..., -count:]
            return library.sort(largest, axis=-1)[..., ::-1]

        return top_k

    def chain(self, length: int) -> Cell:
        """An elementwise chain, step by step in the memory of its result."""
        library = self.library
        steps = [
            (getattr(library, name), () if constant is None else (constant,))
            for name, constant in CHAIN_STEPS[:length]
        ]

        def chain(x: Array) -> Array:
            result = library.empty_like(x)
            source = x
            for function, constants in steps:
                function(source, *constants, out=result)
                source = result
            return result

        return lambda _: chain
