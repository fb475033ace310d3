"""Arrays as sets: what is in them, how often and where.

Each NaN is an element of its own, as the array API has it. The work is done where
:mod:`speedmetal.arrays.order.sorting` sorts; that of :func:`isin` by the host.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import asarray
from speedmetal.arrays.hosting import array_beside, comparable, owned, restored
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.arrays.order.by_numpy import positions_in_order, sort_rows
from speedmetal.arrays.order.sets_on_device import all_about, different, is_set_here


class UniqueAll(NamedTuple):
    """The different elements, and all about them.

    Args:
        values: In ascending order.
        indices: Where each comes first in C order, int64.
        inverse_indices: Which of them each element is, int64, the array's shape.
        counts: How often each comes, int64.
    """

    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


class UniqueCounts(NamedTuple):
    """The different elements, and how often each comes; see :class:`UniqueAll`."""

    values: Array
    counts: Array


class UniqueInverse(NamedTuple):
    """The different elements, and which each element is; see :class:`UniqueAll`."""

    values: Array
    inverse_indices: Array


def unique_all(x: Any, /) -> UniqueAll:
    """The different elements in ascending order, where each comes first, and how often.

    Returns:
        ``values``, ``indices``, ``inverse_indices`` and ``counts``; see :class:`UniqueAll`.

    Example:
        >>> import speedmetal as sm
        >>> values, indices, inverse, counts = sm.unique_all(sm.array([5, 2, 5]))
        >>> values.tolist(), indices.tolist(), inverse.tolist(), counts.tolist()
        ([2, 5], [1, 0], [1, 0, 1], [1, 2])
    """
    array = asarray(x)
    if is_set_here(array):
        return UniqueAll(*all_about(array))
    host = comparable(array).reshape(-1)
    order = positions_in_order(host)
    ascending = host[order]
    is_first = _is_first(ascending)
    inverse = np.empty(len(order), np.int64)
    inverse[order] = np.cumsum(is_first) - 1
    return UniqueAll(
        restored(ascending[is_first], array),
        owned(order[is_first], array.device),
        owned(inverse.reshape(array.shape), array.device),
        owned(_counts(is_first), array.device),
    )


def unique_counts(x: Any, /) -> UniqueCounts:
    """The different elements in ascending order, and how often each comes (int64).

    Example:
        >>> import speedmetal as sm
        >>> sm.unique_counts(sm.array([5, 2, 5])).counts
        Array([1, 2], dtype=int64, device='cpu')
    """
    array = asarray(x)
    if is_set_here(array):
        return UniqueCounts(*different(array))
    ascending = _in_order(array)
    is_first = _is_first(ascending)
    counts = owned(_counts(is_first), array.device)
    return UniqueCounts(restored(ascending[is_first], array), counts)


def unique_inverse(x: Any, /) -> UniqueInverse:
    """The different elements in ascending order, and which of them each element is (int64).

    Example:
        >>> import speedmetal as sm
        >>> sm.unique_inverse(sm.array([5, 2, 5])).inverse_indices
        Array([1, 0, 1], dtype=int64, device='cpu')
    """
    found = unique_all(x)
    return UniqueInverse(found.values, found.inverse_indices)


def unique_values(x: Any, /) -> Array:
    """The different elements, in ascending order.

    Example:
        >>> import speedmetal as sm
        >>> sm.unique_values(sm.array([5, 2, 5]))
        Array([2, 5], dtype=int32, device='cpu')
    """
    array = asarray(x)
    if is_set_here(array):
        return different(array)[0]
    ascending = _in_order(array)
    return restored(ascending[_is_first(ascending)], array)


def unique(
    x: Any,
    /,
    *,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
) -> Any:
    """The different elements in ascending order, and more about them where it is asked for.

    It is NumPy's way to ask for what :func:`unique_all` gives; but each NaN is one of its own.

    Args:
        x: An array of any shape and dtype.
        return_index: Whether to tell where each comes first in C order, int64.
        return_inverse: Whether to tell which of them each element is, int64, the shape of ``x``.
        return_counts: Whether to tell how often each comes, int64.

    Returns:
        The elements; with more, a tuple of them and of what was asked for, in the order above.

    Example:
        >>> import speedmetal as sm
        >>> sm.unique(sm.array([5, 2, 5]), return_counts=True)
        (Array([2, 5], dtype=int32, device='cpu'), Array([1, 2], dtype=int64, device='cpu'))
    """
    if not (return_index or return_inverse or return_counts):
        return unique_values(x)
    values, *more = unique_all(x)
    asked = (return_index, return_inverse, return_counts)
    return (values, *(each for each, is_asked in zip(more, asked, strict=True) if is_asked))


def isin(x1: Any, x2: Any, /, *, invert: bool = False) -> Array:
    """Whether each element of ``x1`` is among those of ``x2``.

    Args:
        x1: An array or number of any shape.
        x2: Likewise.
        invert: Whether what is not among them is meant.

    Returns:
        bool, the shape of ``x1``.

    Raises:
        UserInputError: The arrays are on different devices.

    Example:
        >>> import speedmetal as sm
        >>> sm.isin(sm.array([1, 2, 3]), sm.array([3, 1]))
        Array([ True, False,  True], dtype=bool_, device='cpu')
    """
    items, among = array_beside("isin", x1, x2), array_beside("isin", x2, x1)
    found = np.isin(comparable(items), comparable(among), invert=invert)
    return owned(np.asarray(found), items.device)


def _in_order(x: Array) -> HostArray:
    host = comparable(x).flatten()
    sort_rows(host)
    return host


def _is_first(ascending: HostArray) -> HostArray:
    """Whether an element differs from the one before it."""
    found = np.ones(len(ascending), bool)
    np.not_equal(ascending[1:], ascending[:-1], out=found[1:])
    return found


def _counts(is_first: HostArray) -> HostArray:
    """How long each run of equal elements is."""
    starts = np.flatnonzero(is_first)
    return np.diff(starts, append=len(is_first)).astype(np.int64, copy=False)
