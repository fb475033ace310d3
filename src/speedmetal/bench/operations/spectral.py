"""The discrete Fourier transform of real rows.

Formula: X[k] = sum over n of x[n] exp(-2 pi i k n / N), for k = 0 ... N // 2.
"""

from __future__ import annotations

import math

import numpy as np

from speedmetal.bench.operations.base import (
    Operation,
    Params,
    Work,
    dims,
    elements,
    layer,
    normal,
    shape,
)


def _work(params: Params, itemsize: int) -> Work:
    """2.5 N log2 N operations a row, half of the complex transform's.

    Source: FFTW's benchmark, http://www.fftw.org/speed/.
    """
    *rows, length = params["shape"]
    moved = elements([*rows, length]) + 2 * elements([*rows, length // 2 + 1])
    return Work(moved * itemsize, round(2.5 * elements([*rows, length]) * math.log2(length)))


OPERATIONS = (
    Operation(
        name="rfft",
        title="RFFT",
        family="spectral",
        parameters={"shape": shape()},
        label=lambda params: dims(params["shape"]),
        inputs=lambda params, generator: {"x": normal(generator, params["shape"])},
        reference=lambda _, inputs: (np.fft.rfft(inputs["x"], axis=-1),),
        work=_work,
        # A result comes of log2 N additions in a row (N. Higham, "Accuracy and Stability of
        # Numerical Algorithms", 2nd ed., section 24.1).
        reduction_length=lambda params: 1 + int(params["shape"][-1]).bit_length(),
        nan_propagates=True,
        # No gradient: frameworks differ in what the cotangent of a complex number is.
        differentiable=(),
        # No framework has a complex type of half precision on the CPU.
        dtypes=("float32", "float64"),
        cases=layer({"shape": [1024, 1024]}, {"shape": [256, 16384]}),
    ),
)
