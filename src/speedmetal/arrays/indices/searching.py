"""Where elements are: those that are not 0, and places in sorted arrays.

NumPy looks for them, on memory that it shares, in parts for the processors. On NVIDIA GPUs our
kernels find what is not 0 (:mod:`speedmetal.arrays.indices.finding`); for all else elements are
copied to the host and back.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import asarray
from speedmetal.arrays.hosting import array_beside, comparable, owned
from speedmetal.arrays.indices.finding import finds, places_on_device
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.arrays.spreading import parts_of, run_parts
from speedmetal.errors import UserInputError


def nonzero(x: Any, /) -> tuple[Array, ...]:
    """The indices of the elements that are not 0, an array for each axis, in C order.

    Args:
        x: At least one axis, any dtype.

    Returns:
        int64, one axis each.

    Raises:
        UserInputError: ``x`` has no axis.

    Example:
        >>> import speedmetal as sm
        >>> sm.nonzero(sm.array([[0, 3], [4, 0]]))
        (Array([0, 1], dtype=int64, device='cpu'), Array([1, 0], dtype=int64, device='cpu'))
    """
    array = asarray(x)
    if not array.ndim:
        raise UserInputError("nonzero expected an array with axes, got one without; use x != 0")
    if finds(array):
        found = places_on_device(array)
        return tuple(found[axis] for axis in range(array.ndim))
    places = places_of(comparable(array))
    return tuple(owned(places[axis], array.device) for axis in range(array.ndim))


def flatnonzero(x: Any, /) -> Array:
    """The positions in C order of the elements that are not 0, int64.

    Example:
        >>> import speedmetal as sm
        >>> sm.flatnonzero(sm.array([[0, 3], [4, 0]]))
        Array([1, 2], dtype=int64, device='cpu')
    """
    return nonzero(asarray(x).reshape(-1))[0]


def argwhere(x: Any, /) -> Array:
    """The indices of the elements that are not 0, one in each row, in C order.

    Args:
        x: At least one axis, any dtype.

    Returns:
        ``(count, x.ndim)``, int64.

    Raises:
        UserInputError: ``x`` has no axis.

    Example:
        >>> import speedmetal as sm
        >>> sm.argwhere(sm.array([[0, 3], [4, 0]]))
        Array([[0, 1],
               [1, 0]], dtype=int64, device='cpu')
    """
    array = asarray(x)
    if not array.ndim:
        raise UserInputError("argwhere expected an array with axes, got one without; use x != 0")
    if finds(array):
        return places_on_device(array).T
    return owned(places_of(comparable(array)), array.device).T


def places_of(host: HostArray) -> HostArray:
    """The indices of what is not 0: a row for each axis."""
    parts = parts_of(len(host), host.size)
    flags = host if host.dtype == np.bool_ else np.empty(host.shape, np.bool_)

    def compare(first: int, end: int) -> None:
        np.not_equal(host[first:end], 0, out=flags[first:end])

    if flags is not host:  # of flags NumPy finds the places several times as fast
        run_parts(compare, parts)
    if host.ndim == 1:  # as fast as memory is
        return np.flatnonzero(flags)[None]
    counts = [int(np.count_nonzero(flags[first:end])) for first, end in parts]
    starts = {first: sum(counts[:number]) for number, (first, _) in enumerate(parts)}
    found = np.empty((host.ndim, sum(counts)), np.int64)

    def work(first: int, end: int) -> None:
        start = starts[first]
        for axis, places in enumerate(np.nonzero(flags[first:end])):
            target = found[axis, start : start + len(places)]
            np.add(places, 0 if axis else first, out=target)

    run_parts(work, parts)
    return found


def searchsorted(x1: Any, x2: Any, /, side: str = "left", sorter: Any = None) -> Array:
    """Where elements would have to be put into a sorted array so that it stays sorted.

    Args:
        x1: ``(n,)``, in ascending order, or with ``sorter``; NaN last.
        x2: The elements, any shape.
        side: Where equal ones are: ``"left"`` before them, ``"right"`` behind them.
        sorter: ``(n,)`` integers, the positions of ``x1`` in order.

    Returns:
        int64 from 0 to ``n``, the shape of ``x2``.

    Raises:
        UserInputError: ``x1`` or ``sorter`` has another shape, or the side is no such word.

    Example:
        >>> import speedmetal as sm
        >>> sm.searchsorted(sm.array([1, 3, 5]), sm.array([0, 3, 9]))
        Array([0, 1, 3], dtype=int64, device='cpu')
    """
    known, wanted = array_beside("searchsorted", x1, x2), array_beside("searchsorted", x2, x1)
    if known.ndim != 1:
        raise UserInputError(f"searchsorted expected x1 with one axis, got shape {known.shape}")
    if side not in ("left", "right"):
        raise UserInputError(f"searchsorted expected side 'left' or 'right', got {side!r}")
    order = None if sorter is None else asarray(sorter)
    if order is not None and order.shape != known.shape:
        raise UserInputError(
            f"searchsorted expected a sorter of shape {known.shape}, as x1 has, got {order.shape}"
        )
    ascending = known if order is None else known[order]
    return owned(_insertions(comparable(ascending), comparable(wanted), side), known.device)


def _insertions(known: HostArray, wanted: HostArray, side: Any) -> HostArray:
    """As NumPy's ``searchsorted``, in parts."""
    common = np.result_type(known, wanted)
    known = known.astype(common, copy=False)  # once, where NumPy would for each part
    flat = wanted.reshape(-1)
    found = np.empty(flat.shape, np.int64)

    def work(first: int, end: int) -> None:
        found[first:end] = np.searchsorted(known, flat[first:end], side)

    run_parts(work, parts_of(flat.size, flat.size, 1 << 13))
    return found.reshape(wanted.shape)
