"""Arrays in order: ``sort``, ``argsort`` and their like.

NumPy sorts on memory that it shares (:mod:`speedmetal.arrays.order.by_numpy`). On NVIDIA GPUs
elements are sorted where they are, by a library or by our kernels
(:mod:`speedmetal.arrays.order.ways`); for other devices they are copied to the host and back. NaN
counts as greater than every number, as in NumPy.
"""

from __future__ import annotations

import operator
import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import asarray
from speedmetal.arrays.deferred.lazy import call
from speedmetal.arrays.deferred.pending import Call
from speedmetal.arrays.hosting import comparable, is_on_cpu, owned, restored
from speedmetal.arrays.indices.taking import take_along_axis
from speedmetal.arrays.memory.shapes import axes_of
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.arrays.order import by_kernels, by_library, by_numpy
from speedmetal.arrays.order.ways import Way, way_of
from speedmetal.arrays.replaying import replayed
from speedmetal.arrays.user_functions.higher_order import map as map_elementwise
from speedmetal.dtypes import bfloat16, int64
from speedmetal.errors import UserInputError


class TopK(NamedTuple):
    """The greatest elements of rows, and where they are.

    Args:
        values: In order.
        indices: Their positions, int64.
    """

    values: Array
    indices: Array


@replayed
def sort(
    x: Any,
    /,
    axis: int = -1,
    *,
    descending: bool = False,
    stable: bool = True,
    key: Any = None,
    algorithm: str = "auto",
) -> Array:
    """The elements in order along an axis.

    Args:
        x: ``(..., n, ...)``, any dtype; complex numbers by their real, then their imaginary parts.
        axis: Which one.
        descending: Whether the greatest comes first.
        stable: Whether elements with equal keys keep their order. Without a key it has no meaning:
            equal elements cannot be told apart, but for the signs of zeros.
        key: A function, written in the kernel language: elements are ordered by what it gives.
        algorithm: Who sorts: ``"vendor"`` is cuda.compute on NVIDIA GPUs, elsewhere NumPy;
            ``"native"`` our kernels; ``"auto"`` the faster one.

    Returns:
        The shape and dtype of ``x``. NaN comes last, and first where ``descending``.

    Raises:
        IndexError: There is no such axis.
        CompileError: ``key`` is not in the kernel language.
        UserInputError: ``key`` gives more than a number, or elements are complex and ``algorithm``
            is ``"native"``.
        UnknownNameError: There is no such algorithm.
        DeviceError: The vendor's library is asked for, and not installed.

    Example:
        >>> import speedmetal as sm
        >>> sm.sort(sm.array([2.0, 3.0, 1.0]), descending=True)
        Array([3., 2., 1.], dtype=float32, device='cpu')
        >>> sm.sort(sm.array([2.0, 3.0, -1.0]), key=lambda v: (v - 2) ** 2)
        Array([ 2.,  3., -1.], dtype=float32, device='cpu')
    """
    if key is not None:
        array = asarray(x)
        options: Any = {"descending": descending, "stable": stable, "algorithm": algorithm}
        places = argsort(array, axis, key=key, **options)
        if array.device.shares_host_memory:
            return take_along_axis(array, places, axis)
        rows, place = _rows(array, axis)
        return _back(by_kernels.elements_at(rows, _rows(places, axis)[0]), place)
    rows, place = _rows(x, axis)
    way = way_of("sort", rows, algorithm)
    if way is not Way.HOST:
        by = by_library if way is Way.LIBRARY else by_kernels
        return _back(by.sorted_rows(rows, descending=descending), place)
    if is_on_cpu(rows) and rows.layout.dtype is not bfloat16:
        result = rows.copy()
        by_numpy.sort_rows(result.on_host())
    else:
        host = np.array(comparable(rows), order="C")
        by_numpy.sort_rows(host)
        result = restored(host, rows)
    return _back(result[..., ::-1] if descending else result, place)


@replayed
def argsort(
    x: Any,
    /,
    axis: int = -1,
    *,
    descending: bool = False,
    stable: bool = True,
    key: Any = None,
    algorithm: str = "auto",
) -> Array:
    """The positions of the elements in order along an axis: ``x[argsort(x)]`` is ``sort(x)``.

    Args:
        x: ``(..., n, ...)``, any dtype.
        axis: Which one.
        descending: Whether the greatest comes first.
        stable: Whether equal elements keep their order.
        key: As for :func:`sort`.
        algorithm: As for :func:`sort`.

    Returns:
        int64, the shape of ``x``. NaN comes last, and first where ``descending``.

    Raises:
        IndexError: There is no such axis.
        CompileError, UserInputError, UnknownNameError, DeviceError: As for :func:`sort`.

    Example:
        >>> import speedmetal as sm
        >>> sm.argsort(sm.array([2.0, 3.0, 1.0]))
        Array([2, 0, 1], dtype=int64, device='cpu')
    """
    if key is not None:
        x = _keys_of(key, asarray(x))
    rows, place = _rows(x, axis)
    way = way_of("argsort", rows, algorithm)
    if way is not Way.HOST:
        by = by_library if way is Way.LIBRARY else by_kernels
        return _back(by.places_in_order(rows, descending=descending), place)
    found = by_numpy.positions_in_order(comparable(rows), descending=descending, stable=stable)
    return _back(owned(found, rows.device), place)


def _keys_of(key: Any, x: Array) -> Array:
    keys = map_elementwise(key, x)
    if not isinstance(keys, Array):
        raise UserInputError(
            "sort by a key that is a tuple: take its items with sm.map, and order by them with"
            " sm.lexsort, which looks at the last one first"
        )
    return keys


def partition(x: Any, kth: int | Sequence[int], axis: int = -1) -> Array:
    """The elements with the ``kth`` where it would be in order: smaller ones before it.

    Args:
        x: ``(..., n, ...)``, any dtype.
        kth: A position, or several, counted from the end where negative.
        axis: Which one.

    Raises:
        IndexError: There is no such axis or position.

    Example:
        >>> import speedmetal as sm
        >>> sm.partition(sm.array([4, 1, 3, 2]), 0)[0]
        Array(1, dtype=int32, device='cpu')
    """
    rows, place = _rows(x, axis)
    places = _places("partition", kth, rows.shape[-1])
    if way_of("partition", rows, "auto") is not Way.HOST:  # what is in order is parted
        return sort(x, axis)
    host = np.array(comparable(rows), order="C")
    by_numpy.each_row(lambda part: part.partition(places, axis=-1), host)
    return _back(restored(host, rows), place)


def argpartition(x: Any, kth: int | Sequence[int], axis: int = -1) -> Array:
    """The positions of the elements as :func:`partition` orders them, int64.

    Args:
        x: ``(..., n, ...)``, any dtype.
        kth: A position, or several, counted from the end where negative.
        axis: Which one.

    Raises:
        IndexError: There is no such axis or position.

    Example:
        >>> import speedmetal as sm
        >>> sm.argpartition(sm.array([4, 1, 3, 2]), 0)[0]
        Array(1, dtype=int64, device='cpu')
    """
    rows, place = _rows(x, axis)
    places = _places("argpartition", kth, rows.shape[-1])
    if way_of("argpartition", rows, "auto") is not Way.HOST:
        return argsort(x, axis)
    host = comparable(rows)
    found = np.empty(host.shape, np.int64)

    def work(part: HostArray, target: HostArray) -> None:
        target[...] = np.argpartition(part, places, axis=-1)

    by_numpy.each_row(work, host, found)
    return _back(owned(found, rows.device), place)


@replayed
def topk(
    x: Any, k: int, /, *, axis: int = -1, largest: bool = True, algorithm: str = "auto"
) -> TopK:
    """The ``k`` greatest elements along an axis, the greatest first, and where they are; lazy.

    Positions that nobody keeps, as in ``topk(x, k).values``, are not looked for.

    Args:
        x: ``(..., n, ...)``, any dtype but complex ones; NaN counts as the greatest.
        k: How many, at most ``n``.
        axis: Which one.
        largest: False: the least, the least first.
        algorithm: As for :func:`sort`.

    Returns:
        ``values`` and ``indices``, ``(..., k, ...)``; of equal elements any may be chosen.

    Raises:
        IndexError: There is no such axis.
        UserInputError: ``k`` is negative or greater than ``n``.
        UnknownNameError, DeviceError: As for :func:`sort`.

    Example:
        >>> import speedmetal as sm
        >>> values, indices = sm.topk(sm.array([2.0, 3.0, 1.0]), 2)
        >>> values, indices
        (Array([3., 2.], dtype=float32, device='cpu'), Array([1, 0], dtype=int64, device='cpu'))
    """
    rows, place = _rows(x, axis)
    length = rows.shape[-1]
    if not 0 <= operator.index(k) <= length:
        raise UserInputError(f"topk expected k from 0 to {length}, the extent of the axis, got {k}")
    way = way_of("topk", rows, algorithm)
    if way is not Way.HOST:
        chosen = algorithm != "auto"
        return _topk_on_device(rows, place, k, way, largest=largest, is_chosen=chosen)
    rows.buffer  # noqa: B018 - NumPy reads it
    wanted: list[weakref.ref[Array]] = []

    def run() -> list[Array]:
        if any(known() is None for known in wanted):  # the positions are gone: half the work
            values = by_numpy.first_values(comparable(rows), k, descending=largest)
            return [restored(values, rows)] * 2
        return _first_of(rows, k, descending=largest)

    shape = (*rows.shape[:-1], k)
    results = [(shape, rows.layout.dtype), (shape, int64)]
    found: list[Array] = call(Array, Call("topk", (rows,), run), results, rows.device)
    wanted.append(weakref.ref(found[1]))
    return TopK(*(_back(each, place) for each in found))


def _topk_on_device(
    rows: Array, place: int, count: int, way: Way, *, largest: bool, is_chosen: bool
) -> TopK:
    """What :func:`topk` gives, where elements are sorted on the device.

    Args:
        rows: Along the last axis.
        place: Of the axis.
        count: How many.
        way: Who sorts all elements.
        largest: Whether the greatest are looked for.
        is_chosen: Whether the user has said so; else our kernels look for few by themselves.
    """
    if way is Way.LIBRARY and (is_chosen or not by_kernels.are_few(rows, count)):
        indices = by_library.places_in_order(rows, descending=largest)[..., :count]
    else:
        indices = by_kernels.first_places(rows, count, descending=largest)
    values = by_kernels.elements_at(rows, indices)
    return TopK(_back(values, place), _back(indices, place))


def _first_of(rows: Array, count: int, *, descending: bool) -> list[Array]:
    """The first elements in order along the last axis, and their positions."""
    host = comparable(rows)
    found = np.empty((*host.shape[:-1], count), np.int64)

    def work(part: HostArray, target: HostArray) -> None:
        target[...] = by_numpy.first_positions(part, count, descending=descending)

    if count:
        by_numpy.each_row(work, host, found, close=by_numpy.CLOSE_TO_PART)
    values = np.take_along_axis(rows.numpy(), found, -1)
    return [owned(values, rows.device), owned(found, rows.device)]


def lexsort(keys: Any, axis: int = -1) -> Array:
    """The positions that sort by several keys: by the last one, of equals by the one before it.

    Args:
        keys: Arrays of one shape, or an array whose rows they are.
        axis: Along which they are sorted.

    Returns:
        int64, the shape of a key.

    Raises:
        UserInputError: There is no key.

    Example:
        >>> import speedmetal as sm
        >>> sm.lexsort([sm.array([2, 1, 0]), sm.array([5, 5, 1])])
        Array([2, 1, 0], dtype=int64, device='cpu')
    """
    arrays = [asarray(key) for key in keys]
    if not arrays:
        raise UserInputError("lexsort expected at least one key, got none")
    if arrays[0].ndim and all(way_of("lexsort", x, "auto") is not Way.HOST for x in arrays):
        return _lexsort_on_device(arrays, axis)
    found = np.lexsort([comparable(key) for key in arrays], axis=axis)
    return owned(np.asarray(found, np.int64), arrays[0].device)


def _lexsort_on_device(keys: list[Array], axis: int) -> Array:
    """Sorted by each key, the first one first: what is stable keeps the order of those before."""
    (order, *others), place = [_rows(key, axis)[0] for key in keys], _rows(keys[0], axis)[1]
    found = argsort(order)
    for key in others:
        found = by_kernels.elements_at(found, argsort(by_kernels.elements_at(key, found)))
    return _back(found, place)


# --- Rows ----------------------------------------------------------------------------------------


def _rows(x: Any, axis: int) -> tuple[Array, int]:
    """An array with an axis moved to the end, and where the axis was."""
    array = asarray(x)
    (place,) = axes_of(axis, array.ndim)
    return _moved(array, place, array.ndim - 1), place


def _back(rows: Array, place: int) -> Array:
    return _moved(rows, rows.ndim - 1, place)


def _moved(x: Array, source: int, destination: int) -> Array:
    order = [axis for axis in range(x.ndim) if axis != source]
    order.insert(destination, source)
    return x if source == destination else x.transpose(order)


def _places(name: str, kth: Any, length: int) -> Any:
    """Positions that :func:`partition` is given.

    Raises:
        IndexError: One is outside.
    """
    places = [operator.index(one) for one in (kth if np.iterable(kth) else (kth,))]
    for one in places:
        if not -length <= one < length:
            raise IndexError(f"{name}: kth {one} is out of bounds for an axis of extent {length}")
    return places
