"""Dr.Jit's tensors on the CPU: traced in each call, and recorded once (`dr.freeze`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import drjit as dr
import numpy as np
from drjit.llvm import TensorXf
from numpy.typing import NDArray
from side_by_side.array_cases import Names
from side_by_side.contender import Inputs, Prepare, Ready, Table

import contenders.with_drjit  # noqa: F401 - sets the threads, and says where LLVM is missing
from contenders.arrays import table

Tensor = Any


def _along(reduce: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A reduction whose axis may be counted from the end, as in NumPy."""

    def reduced(x: Tensor, axis: Any, **more: bool) -> Tensor:
        return reduce(x, axis=axis % x.ndim if isinstance(axis, int) else axis, **more)

    return reduced


_sum, _max = _along(dr.sum), _along(dr.max)


def _logsumexp(x: Tensor, axis: int) -> Tensor:
    greatest = _max(x, axis, keepdims=True)
    total = _sum(dr.exp(x - greatest), axis, keepdims=True)
    return (dr.log(total) + greatest)[:, 0]


NAMES = Names(
    dr,
    sum=_sum,
    max=_max,
    mean=_along(dr.mean),
    var=_along(dr.var),
    where=dr.select,
    flip=lambda x: x[::-1],
    logsumexp=_logsumexp,
)


def _fetch(result: Tensor) -> tuple[NDArray[Any], ...]:
    return (np.atleast_1d(np.asarray(result.numpy())),)


def _tensors(inputs: Inputs) -> list[Tensor]:
    tensors = [TensorXf(array) for array in inputs.values()]
    dr.eval(tensors)
    dr.sync_thread()
    return tensors


def _traced(function: Callable[..., Any]) -> Prepare:
    def prepare(inputs: Inputs) -> Ready:
        tensors = _tensors(inputs)

        def run() -> Tensor:
            result = function(*tensors)
            dr.eval(result)
            dr.sync_thread()
            return result

        return Ready(run, _fetch)

    return prepare


def _frozen(function: Callable[..., Any]) -> Prepare:
    return _traced(dr.freeze(function))


def _lazy(function: Callable[..., Any]) -> Prepare:
    def prepare(inputs: Inputs) -> Ready:
        tensors = _tensors(inputs)
        return Ready(lambda: function(*tensors), _fetch)

    return prepare


NO_COMPLEX = "its complex numbers are kept apart, and it has no transforms"
TABLE: Table = table(
    NAMES,
    {"": _traced, "freeze": _frozen},
    _lazy,
    missing={"copy": "a copy would share the memory", "fft": NO_COMPLEX},
)
