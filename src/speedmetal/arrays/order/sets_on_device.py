"""Arrays as sets where the elements are: sorted, and compared with their neighbours.

How many different elements there are is the size of the results: for that number the host waits.
"""

from __future__ import annotations

from speedmetal.arrays.along_axes.scans import cumulative_sum
from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import full, ones
from speedmetal.arrays.indices.searching import flatnonzero
from speedmetal.arrays.order import by_kernels
from speedmetal.arrays.order.sorting import argsort, sort
from speedmetal.dtypes import bool_, int32, int64


def is_set_here(x: Array) -> bool:
    """Whether elements are compared here: where the host does not see them."""
    return x.device.routines is not None and not x.layout.dtype.is_complex


def different(x: Array) -> tuple[Array, Array]:
    """The different elements in ascending order, and how often each comes."""
    ascending = sort(x.reshape(-1))
    starts = _starts(ascending)
    return by_kernels.elements_at(ascending, starts), _lengths(starts, x.size)


def all_about(x: Array) -> tuple[Array, Array, Array, Array]:
    """These, between them where each comes first, and which of them each element is."""
    flat = x.reshape(-1)
    order = argsort(flat)
    ascending = by_kernels.elements_at(flat, order)
    starts = _starts(ascending)
    numbers = Array.allocate((x.size,), int64, x.device)
    if x.size:
        numbers[order] = _numbers(starts, x.size)
    return (
        by_kernels.elements_at(ascending, starts),
        by_kernels.elements_at(order, starts),
        numbers.reshape(x.shape),
        _lengths(starts, x.size),
    )


def _starts(ascending: Array) -> Array:
    """Where an element differs from the one before it."""
    flags = ones(ascending.shape, bool_, ascending.device)
    flags[1:] = ascending[1:] != ascending[:-1]
    return flatnonzero(flags)


def _lengths(starts: Array, size: int) -> Array:
    """How many positions there are from each start to the next one."""
    ends = full(starts.shape, size, int64, starts.device)
    ends[:-1] = starts[1:]
    lengths: Array = ends - starts
    return lengths


def _numbers(starts: Array, size: int) -> Array:
    """The number of the start at or before each position."""
    kind = int32 if size <= int32.maximum else int64
    steps = full((size,), 0, kind, starts.device)
    steps[starts] = 1
    numbers: Array = cumulative_sum(steps) - 1
    return numbers.astype(int64)
