"""Intrinsics as compiled kernels."""

from collections.abc import Callable

import numpy as np
import pytest

import speedmetal as sm
from speedmetal.intrinsics import TABLE
from speedmetal.intrinsics.record import Result

_RESULTS = {Result.BOOL: np.bool_, Result.INT32: np.int32}


def _kernel(function, arity):
    @sm.kernel
    def unary(a, out):
        i = sm.thread_position_in_grid().x
        out[i] = function(a[i])

    @sm.kernel
    def binary(a, b, out):
        i = sm.thread_position_in_grid().x
        out[i] = function(a[i], b[i])

    @sm.kernel
    def ternary(a, b, c, out):
        i = sm.thread_position_in_grid().x
        out[i] = function(a[i], b[i], c[i])

    return (unary, binary, ternary)[arity - 1]


@pytest.fixture(scope="session")
def compiled() -> Callable[..., np.ndarray]:
    """``compiled(name, *arrays)``: the intrinsic, compiled for the CPU, on each element."""
    kernels = {}

    def run(name, *arrays):
        record = TABLE[name]
        if name not in kernels:
            kernels[name] = _kernel(record, record.arity)
        arrays = [np.array(array) for array in np.broadcast_arrays(*arrays)]
        out = np.empty(arrays[0].shape, _RESULTS.get(record.result, arrays[0].dtype))
        kernels[name](*arrays, out, grid=max(out.size, 1))
        return out

    return run
