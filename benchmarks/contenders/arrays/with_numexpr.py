"""NumExpr: a formula compiled once for its virtual machine, which goes over arrays in blocks.

It takes its number of threads from NUMEXPR_NUM_THREADS.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partialmethod
from typing import Any

import numexpr
import numpy as np
from numexpr import expressions
from numpy.typing import NDArray
from side_by_side.array_cases import Names
from side_by_side.contender import Inputs, Prepare, Ready, Table

from contenders.arrays import table


class Formula:
    """A node, in whose operations Python's numbers are float32.

    NumExpr takes them for float64, and computes all that they meet in double precision.
    """

    def __init__(self, node: Any, axes: int) -> None:
        self.node, self.axes = node, axes

    def _binary(self, operation: Callable[..., Any], other: Any) -> Formula:
        return Formula(operation(self.node, _node(other)), max(self.axes, _axes(other)))

    __add__ = partialmethod(_binary, operator.add)
    __sub__ = partialmethod(_binary, operator.sub)
    __mul__ = partialmethod(_binary, operator.mul)
    __truediv__ = partialmethod(_binary, operator.truediv)
    __gt__ = partialmethod(_binary, operator.gt)

    def __pow__(self, exponent: int) -> Formula:
        assert exponent == 2  # which NumExpr writes so itself, in formulas that are text
        return self * self


class Leaf(Formula):
    """An input, or a view of one, which is NumPy's and takes the input's place among the arrays."""

    def __init__(self, array: NDArray[Any], name: str, arrays: dict[str, NDArray[Any]]) -> None:
        super().__init__(expressions.VariableNode(name, "float"), array.ndim)
        self._array, self._name, self._arrays = array, name, arrays
        arrays[name] = array

    def viewed(self, view: Callable[[NDArray[Any]], NDArray[Any]]) -> Leaf:
        return Leaf(view(self._array), self._name, self._arrays)

    def __getitem__(self, index: Any) -> Leaf:
        return self.viewed(lambda array: array[index])


def _node(value: Any) -> Any:
    """The node of a formula, or of a number."""
    if isinstance(value, Formula):
        return value.node
    return expressions.ConstantNode(np.float32(value))


def _axes(value: Any) -> int:
    return value.axes if isinstance(value, Formula) else 0


def _named(name: str) -> Callable[..., Formula]:
    function = expressions.functions[name]
    return lambda *values: Formula(function(*map(_node, values)), max(map(_axes, values)))


def _reduction(name: str) -> Callable[..., Formula]:
    function = expressions.functions[name]

    def reduced(x: Formula, axis: Any) -> Formula:
        if isinstance(axis, tuple):
            raise TypeError(f"{name} goes over one axis, or over all")
        if axis is None:
            return Formula(function(x.node), 0)
        return Formula(function(x.node, axis % x.axes), x.axes - 1)

    return reduced


_FUNCTIONS = ("sqrt", "exp", "log", "sin", "cos", "tanh", "where")
NAMES = Names(
    numexpr,
    **{name: _named(name) for name in _FUNCTIONS},
    sum=_reduction("sum"),
    max=_reduction("max"),
    copy=lambda x: x,
    transpose=lambda x: x.viewed(np.transpose),
    flip=lambda x: x.viewed(np.flip),
)


def _compiled(function: Callable[..., Any]) -> Prepare:
    def prepare(inputs: Inputs) -> Ready:
        views: dict[str, NDArray[Any]] = {}
        formula = function(*(Leaf(array, name, views) for name, array in inputs.items()))
        compiled = numexpr.NumExpr(formula.node, [(name, float) for name in views])
        arrays = tuple(views.values())
        return Ready(lambda: compiled(*arrays), lambda result: (np.atleast_1d(result),))

    return prepare


TABLE: Table = table(
    NAMES,
    {"": _compiled},
    missing={
        "solve": "it computes elements, sums, products, minima and maxima",
        "fft": "it has no complex64",
    },
)
