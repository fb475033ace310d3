"""How many elements are in each of some bins.

NumPy counts, in parts for the processors, whose counts are added in their order: the result is the
same every time. For other devices elements are copied to the host and back.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import asarray
from speedmetal.arrays.hosting import array_beside, comparable, owned
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.arrays.spreading import parts_of, run_parts
from speedmetal.errors import UserInputError


def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Array:
    """How often each number from 0 on comes.

    Args:
        x: ``(n,)`` integers of 0 or more.
        weights: ``(n,)``; added up, in float64, in the place of counting.
        minlength: The least length of the result.

    Returns:
        ``(max(x) + 1,)`` or longer: int64; with floats as weights their dtype, else float64.

    Raises:
        UserInputError: ``x`` is not such an array, or the weights have another shape.

    Example:
        >>> import speedmetal as sm
        >>> sm.bincount(sm.array([0, 2, 2]))
        Array([1, 0, 2], dtype=int64, device='cpu')
    """
    array = asarray(x)
    host = comparable(array)
    if host.ndim != 1 or host.dtype.kind not in "biu":
        raise UserInputError(
            f"bincount expected integers with one axis, got {array.dtype} of shape {array.shape}"
        )
    length = operator.index(minlength)
    if length < 0:
        raise UserInputError(f"bincount expected a minlength of 0 or more, got {length}")
    given = _weights("bincount", weights, array)
    weighed = None if given is None else comparable(given)

    def count(first: int, end: int) -> HostArray:
        part = host[first:end].astype(np.intp, copy=False)
        return np.bincount(part, None if weighed is None else weighed[first:end], length)

    try:
        total = _added(count, host.size, length)
    except ValueError:
        raise UserInputError(f"bincount expected integers of 0 or more, got {host.min()}") from None
    if given is not None and given.layout.dtype.is_float:
        total = total.astype(given.dtype, copy=False)
    return owned(total, array.device)


def histogram(
    x: Any,
    /,
    bins: Any = 10,
    range: tuple[float, float] | None = None,  # noqa: A002 - NumPy's name
    density: bool = False,  # noqa: FBT001, FBT002 - as in NumPy
    weights: Any = None,
) -> tuple[Array, Array]:
    """How many elements are in each bin, and the bins' edges.

    A bin has its lower edge, the last one both.

    Args:
        x: Any shape, no complex numbers.
        bins: How many of equal width, or their edges in ascending order.
        range: The first and the last edge; None: the least and the greatest element.
        density: Whether counts are divided by their sum and the bin's width.
        weights: Of the shape of ``x``; added up in the place of counting.

    Returns:
        ``(bins,)``, int64, or floats with weights or ``density``; ``(bins + 1,)``.

    Raises:
        UserInputError: The weights have another shape, or NumPy says what is wrong with the bins.

    Example:
        >>> import speedmetal as sm
        >>> counts, edges = sm.histogram(sm.array([1.0, 2.0, 2.5, 4.0]), bins=3)
        >>> counts.tolist(), edges.tolist()
        ([1, 2, 1], [1.0, 2.0, 3.0, 4.0])
    """
    array = asarray(x)
    host = comparable(array).reshape(-1)
    given = _weights("histogram", weights, array)
    weighed = None if given is None else comparable(given).reshape(-1)
    wanted: Any = comparable(asarray(bins)) if np.ndim(bins) else bins
    limits: Any = None if range is None else tuple(map(float, range))
    try:
        edges = np.histogram_bin_edges(host, wanted, limits)
    except ValueError as error:
        raise UserInputError(f"histogram: {error}") from error
    same_bins: Any = edges if np.ndim(bins) or isinstance(bins, str) else len(edges) - 1
    outer = (edges[0], edges[-1])

    def count(first: int, end: int) -> HostArray:
        part = None if weighed is None else weighed[first:end]
        return np.histogram(host[first:end], same_bins, outer, weights=part)[0]

    total = _added(count, host.size, len(edges) - 1)
    if density:
        total = total / np.diff(edges) / total.sum()
    return owned(total, array.device), owned(edges, array.device)


def digitize(x: Any, bins: Any, right: bool = False) -> Array:  # noqa: FBT001, FBT002 - as in NumPy
    """In which bin each element is: how many edges are not above it.

    Args:
        x: Any shape.
        bins: ``(n,)`` edges, ascending or descending.
        right: Whether a bin has its upper edge in the place of its lower one.

    Returns:
        int64 from 0 to ``n``, the shape of ``x``.

    Raises:
        UserInputError: The edges are in no order, or have no or several axes.

    Example:
        >>> import speedmetal as sm
        >>> sm.digitize(sm.array([0.5, 1.0, 7.0]), sm.array([0.0, 1.0, 2.0]))
        Array([1, 2, 3], dtype=int64, device='cpu')
    """
    array, edges = array_beside("digitize", x, bins), array_beside("digitize", bins, x)
    host, known = comparable(array).reshape(-1), comparable(edges)
    found = np.empty(host.shape, np.int64)

    def work(first: int, end: int) -> None:
        found[first:end] = np.digitize(host[first:end], known, right)

    try:
        run_parts(work, parts_of(host.size, host.size, 1 << 14))
    except ValueError as error:
        raise UserInputError(f"digitize: {error}") from error
    return owned(found.reshape(array.shape), array.device)


def _weights(name: str, weights: Any, x: Array) -> Array | None:
    if weights is None:
        return None
    given = array_beside(name, weights, x)
    if given.shape != x.shape:
        raise UserInputError(
            f"{name} expected weights of shape {x.shape}, as x has, got {given.shape}"
        )
    return given


def _added(count: Callable[[int, int], HostArray], size: int, length: int) -> HostArray:
    """What a function counts in parts, added in their order.

    Args:
        count: Counts elements from one to before another.
        size: Of all elements.
        length: Of what is counted: a part should have many more elements.
    """
    parts = parts_of(size, size, max(1 << 15, 4 * length))
    found: dict[int, HostArray] = {}

    def work(first: int, end: int) -> None:
        found[first] = count(first, end)

    run_parts(work, parts)
    total = np.zeros(max(map(len, found.values())), found[0].dtype)
    for first, _ in parts:
        total[: len(found[first])] += found[first]
    return total
