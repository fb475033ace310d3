"""Dr.Jit on the CPU: recorded once (`dr.freeze`), compiled by LLVM for each thread's vector.

It finds LLVM's library by itself, or at the path in DRJIT_LIBLLVM_PATH. What it writes is memory of
its own: each call makes its results anew.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import drjit as dr
import numpy as np
from drjit.llvm import Float, UInt
from side_by_side.cases import HEAT_RATE, RATE, SIDE, VOLATILITY
from side_by_side.contender import Inputs, Prepare, Ready, Table

if not dr.has_backend(dr.JitBackend.LLVM):  # it would end the process later
    raise ImportError("Dr.Jit finds no LLVM from version 15: name it in DRJIT_LIBLLVM_PATH")
dr.set_thread_count(int(os.environ["OMP_NUM_THREADS"]))  # the calling one included


def copy(a: Float, one: Float) -> Float:
    return a * one  # a plain copy would only share the memory


def elementwise(a: Float, b: Float) -> Float:
    return a * a + dr.exp(dr.sin(b))


def stencil(u: Float) -> Float:
    index = dr.arange(UInt, dr.width(u))
    i, j = index // SIDE, index % SIDE
    inside = (i > 0) & (j > 0) & (i < SIDE - 1) & (j < SIDE - 1)
    above, below, left, right = (
        dr.gather(Float, u, index + distance, inside)
        for distance in (UInt(2**32 - SIDE), UInt(SIDE), UInt(2**32 - 1), UInt(1))
    )
    change = HEAT_RATE * (above + below + left + right - 4 * u)
    return u + dr.select(inside, change, 0)


def normal_distribution(x: Float) -> Float:
    return 0.5 + 0.5 * dr.erf(x * math.sqrt(0.5))


def black_scholes(spot: Float, strike: Float, years: Float) -> tuple[Float, Float]:
    spread = VOLATILITY * dr.sqrt(years)
    d1 = (dr.log(spot / strike) + (RATE + VOLATILITY**2 / 2) * years) / spread
    d2 = d1 - spread
    present = strike * dr.exp(-RATE * years)
    call = spot * normal_distribution(d1) - present * normal_distribution(d2)
    return call, call + present - spot


def _fetch(result: Any) -> tuple[Any, ...]:
    results = result if isinstance(result, tuple) else (result,)
    return tuple(np.asarray(array) for array in results)


def _of(function: Callable[..., Any], *numbers: float) -> Prepare:
    """A function of the inputs, flat, and of numbers; its results have the first one's shape."""

    def prepare(inputs: Inputs) -> Ready:
        frozen = dr.freeze(function)
        arrays = [Float(array.reshape(-1)) for array in inputs.values()]
        arrays += [dr.opaque(Float, number) for number in numbers]
        shape = next(iter(inputs.values())).shape
        dr.eval(arrays)

        def run() -> Any:
            result = frozen(*arrays)
            dr.eval(result)
            dr.sync_thread()
            return result

        return Ready(run, lambda result: tuple(a.reshape(shape) for a in _fetch(result)))

    return prepare


def _total(inputs: Inputs) -> Ready:
    x = Float(inputs["x"])
    dr.eval(x)
    return Ready(lambda: dr.sum(x)[0], lambda result: (np.array([result]),))


TABLE: Table = {
    "copy": {"freeze": _of(copy, 1.0)},
    "elementwise": {"freeze": _of(elementwise)},
    "stencil": {"freeze": _of(stencil)},
    "black_scholes": {"freeze": _of(black_scholes)},
    "reduction": {"sum": _total},
}
