"""speedmetal's arrays, on the inputs' memory: each call makes its nodes and evaluates them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from side_by_side.array_cases import Names
from side_by_side.contender import Inputs, Prepare, Ready, Table

import speedmetal as sm
from contenders.arrays import table


def _fft(x: Any) -> Any:
    return sm.fft.fft(x)  # looked up here: a checkout may have arrays and no transforms


def _solve(a: Any, b: Any) -> Any:
    return sm.linalg.solve(a, b)  # as above


NAMES = Names(
    sm,
    copy=lambda x: x.copy(),
    transpose=lambda x: x.T,
    flip=lambda x: x[::-1],
    fft=_fft,
    solve=_solve,
)


def _fetch(result: Any) -> tuple[NDArray[Any], ...]:
    return (np.atleast_1d(result.numpy()),)


def evaluated(function: Callable[..., Any]) -> Prepare:
    """A function of the inputs as arrays, whose result is computed in each call."""

    def prepare(inputs: Inputs) -> Ready:
        arrays = [sm.asarray(array) for array in inputs.values()]

        def run() -> Any:
            result = function(*arrays)
            sm.eval(result)
            return result

        return Ready(run, _fetch)

    return prepare


def lazy(function: Callable[..., Any]) -> Prepare:
    """The same, whose result is computed when it is proved."""

    def prepare(inputs: Inputs) -> Ready:
        arrays = [sm.asarray(array) for array in inputs.values()]
        return Ready(lambda: function(*arrays), _fetch)

    return prepare


TABLE: Table = table(NAMES, {"": evaluated}, lazy)
