"""What of an array is printed, so that no more of it is computed."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from speedmetal.arrays.deferred.graph import peeked
from speedmetal.arrays.memory.copying import read_host
from speedmetal.arrays.memory.strided import HostArray


def shown(array: Any) -> HostArray:
    """The elements that NumPy prints, as an array that prints as the whole one does.

    Of a large one these are the edges, and a middle that nobody sees.
    """
    options = np.get_printoptions()
    if array.size <= options["threshold"]:
        return read_host(peeked(array))
    edge = options["edgeitems"]
    small = tuple(min(extent, 2 * edge + 1) for extent in array.shape)
    host = np.zeros(small, array.dtype)
    parts = [
        ((slice(0, edge), slice(-edge, None)) if extent > 2 * edge else (slice(None),))
        for extent in array.shape
    ]
    for corner in product(*parts):
        host[corner] = read_host(peeked(array[corner]))
    return host


def summary_of(array: Any) -> dict[str, Any]:
    """How NumPy prints what :func:`shown` returns."""
    return {"threshold": 0} if array.size > np.get_printoptions()["threshold"] else {}
