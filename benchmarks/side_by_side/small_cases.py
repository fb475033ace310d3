"""A case so small that only the launch takes time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from side_by_side.cases import Arrays, Case
from side_by_side.contender import Inputs

THREADS = 64


def _small(generator: np.random.Generator) -> dict[str, NDArray[Any]]:
    return {name: generator.random(THREADS, np.float32) for name in "ab"}


def _add_reference(inputs: Inputs) -> Arrays:
    return (inputs["a"].astype(np.float64) + inputs["b"],)


ADDITION = Case("addition", "c = a + b, 64 float32", _small, _add_reference, relative=1e-6)
