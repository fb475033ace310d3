"""NumPy's Fourier transforms, written to given memory and computed in the operand's precision."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import numpy as np

from speedmetal.arrays.memory.strided import HostArray


def write_transform(
    name: str, host: HostArray, length: int, axis: int, norm: str, out: HostArray
) -> None:
    """Write a transform along one axis.

    Args:
        name: ``"fft"``, ``"ifft"``, ``"rfft"``, ``"irfft"``, ``"hfft"`` or ``"ihfft"``.
        host: Floats or complex numbers.
        length: ``n``, of NumPy's functions.
        axis: Along which.
        norm: Who divides: ``"backward"``, ``"ortho"`` or ``"forward"``.
        out: Of the result's shape and dtype.
    """
    if name == "hfft":  # NumPy's does not write to its ``out`` (2.4)
        write_transform("irfft", np.conjugate(host), length, axis, OTHER_WAY[norm], out)
    elif name == "ihfft":
        write_transform("rfft", host, length, axis, OTHER_WAY[norm], out)
        np.conjugate(out, out=out)
    elif norm == _UNSCALED[name] and (loop := _loop(name, length)) is not None:
        axes = [(axis,), (), (axis,)]
        loop(host, host.real.dtype.type(1), axes=axes, out=out)
    else:
        getattr(np.fft, name)(host, length, axis, norm, out=out)


OTHER_WAY: dict[str, Any] = {"backward": "forward", "ortho": "ortho", "forward": "backward"}
"""The norm of a transform in the other direction that divides by as much."""
_UNSCALED = {"fft": "backward", "rfft": "backward", "ifft": "forward", "irfft": "forward"}


# WORKAROUND(numpy): where nothing is to be divided, `numpy.fft` hands its loops the factor 1 as a
# Python integer, which makes them convert single precision to double and back: three times as
# long. Given the factor in the operand's precision, the same loops stay in it. Remove this once
# NumPy's own functions do so; they are called where a NumPy has no such loops.
def _loop(name: str, length: int) -> Any:
    parity = "odd" if length % 2 else "even"
    return getattr(_loops(), f"rfft_n_{parity}" if name == "rfft" else name, None)


@cache
def _loops() -> Any:
    try:
        return importlib.import_module("numpy.fft._pocketfft_umath")
    except ImportError:
        return None
