"""Arrays in order: ``sort``, ``argsort`` and their like.

NumPy sorts, with the vector instructions of the CPU, on memory that it shares; rows are spread over
the processors. On NVIDIA GPUs elements are sorted where they are, by a library or by our kernels
(:mod:`speedmetal.arrays.order.ways`); for other devices they are copied to the host and back. NaN
counts as greater than every number, as in NumPy.

Positions of elements of up to 32 bits come from sorting 64-bit integers, an element's bits above
its position: that is stable, and a few times as fast as sorting positions by what they point to.
"""

from __future__ import annotations

import operator
import weakref
from collections.abc import Callable, Sequence
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
from speedmetal.arrays.order import by_kernels, by_library
from speedmetal.arrays.order.ways import Way, way_of
from speedmetal.arrays.replaying import replayed
from speedmetal.arrays.spreading import Part, parts_of, run_parts
from speedmetal.arrays.user_functions.higher_order import map as map_elementwise
from speedmetal.dtypes import bfloat16, int64
from speedmetal.errors import UserInputError

_CLOSE = 1 << 15
"""Elements that stay in the caches of a processor while they are sorted; worth a thread."""


_CLOSE_TO_PART = 1 << 18
"""The same of what is only parted: a thread takes 100 us to start, and NumPy so long for 2^16."""
_SHORT = 512
"""Rows up to this length are sorted as soon as they are parted: 4096 of 64 float32 in 0.4 ms, where
parting takes 0.8; of 1000 both take the same time."""
_LONG = 1 << 17
"""Elements of a part of a row that is worth a thread."""
_COUNTED = 32
"""Elements of a byte in a row from which NumPy's stable sort, which counts them, takes less
time than its default: for a row of 2^20 2 instead of 42 ms on an Emerald Rapids."""


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
        _sort(result.on_host())
    else:
        host = np.array(comparable(rows), order="C")
        _sort(host)
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
    found = positions_in_order(comparable(rows), descending=descending, stable=stable)
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
    _each_row(lambda part: part.partition(places, axis=-1), host)
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

    _each_row(work, host, found)
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
        return _topk_on_device(rows, place, k, largest, way)
    rows.buffer  # noqa: B018 - NumPy reads it
    wanted: list[weakref.ref[Array]] = []

    def run() -> list[Array]:
        if any(known() is None for known in wanted):  # the positions are gone: half the work
            values = _first_values(comparable(rows), k, descending=largest)
            return [restored(values, rows)] * 2
        return _first_of(rows, k, descending=largest)

    shape = (*rows.shape[:-1], k)
    results = [(shape, rows.layout.dtype), (shape, int64)]
    found: list[Array] = call(Array, Call("topk", (rows,), run), results, rows.device)
    wanted.append(weakref.ref(found[1]))
    return TopK(*(_back(each, place) for each in found))


def _topk_on_device(rows: Array, place: int, count: int, largest: bool, way: Way) -> TopK:  # noqa: FBT001 - topk's own
    """What :func:`topk` gives, where elements are sorted on the device."""
    if way is Way.LIBRARY:
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
        target[...] = _first_positions(part, count, descending=descending)

    if count:
        _each_row(work, host, found, close=_CLOSE_TO_PART)
    values = np.take_along_axis(rows.numpy(), found, -1)
    return [owned(values, rows.device), owned(found, rows.device)]


def _first_values(host: HostArray, count: int, *, descending: bool) -> HostArray:
    """The first elements alone."""
    length = host.shape[-1]
    found = np.empty((*host.shape[:-1], count), host.dtype)
    chosen = slice(length - count, None) if descending else slice(count)

    def work(part: HostArray, target: HostArray) -> None:
        if length > _SHORT and count < length:
            kth = length - count if descending else count - 1
            part = np.partition(part, kth, axis=-1)[:, chosen]
            ordered = np.sort(part, axis=-1)
        else:
            ordered = np.sort(part, axis=-1)[:, chosen]
        target[...] = ordered[:, ::-1] if descending else ordered

    if count:
        _each_row(work, host, found, close=_CLOSE_TO_PART)
    return found


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


def _each_row(work: Callable[..., object], *arrays: HostArray, close: int = _CLOSE) -> None:
    """Call a function with parts of arrays, each with some rows, on several threads.

    Args:
        work: The function.
        arrays: Of the same rows.
        close: A part has no more elements, but for one long row; so many are worth a thread.
    """
    size = arrays[0].size
    if size <= close:
        if size:
            work(*(array.reshape(-1, array.shape[-1]) for array in arrays))
        return
    rows = [array.reshape(-1, array.shape[-1]) for array in arrays]
    step = max(close // rows[0].shape[1], 1)

    def each(first: int, end: int) -> None:
        for start in range(first, end, step):
            work(*(row[start : min(start + step, end)] for row in rows))

    run_parts(each, parts_of(len(rows[0]), size, close))


def _sort(host: HostArray) -> None:
    """Sort rows, on several threads: each row by one, or where rows are few and long, by all.

    For that each thread gets a part of the row that comes before the next part's elements: to part
    a row so takes less than to merge sorted parts. Measured on an Emerald Rapids, two threads and
    2^20 elements of float32, float64 and int64: NumPy 4.1, 7.7, 9.9 ms, parted 4.3, 7.4, 5.9,
    merged 10.4, 13.5, 11.6; with 2^22 elements 24.7, 38.6, 45.5, parted 16.1, 28.2, 29.9.
    """
    rows = host.reshape(-1, host.shape[-1]) if host.size else host
    is_counted = host.dtype.itemsize == 1 and host.shape[-1] >= _COUNTED
    parts = parts_of(host.shape[-1], host.shape[-1], _LONG)
    if is_counted or len(parts) <= len(rows):
        kind: Any = "stable" if is_counted else None
        _each_row(lambda part: part.sort(axis=-1, kind=kind), host)
        return
    for row in rows:
        _sort_in_parts(row, parts)


def _sort_in_parts(row: HostArray, parts: list[Part]) -> None:
    row.partition([first for first, _ in parts[1:]])
    run_parts(lambda first, end: row[first:end].sort(), parts)


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


def positions_in_order(
    rows: HostArray, *, descending: bool = False, stable: bool = True
) -> HostArray:
    """The positions of elements in order along the last axis, int64."""
    found = np.empty(rows.shape, np.int64)

    def work(part: HostArray, target: HostArray) -> None:
        if _can_pack(part):
            packed = _packed(part, descending=descending)
            packed.sort(axis=-1)
            target[...] = _unpacked(packed)
        elif descending:
            kept = np.argsort(part[:, ::-1], axis=-1, kind="stable" if stable else None)
            np.subtract(part.shape[-1] - 1, kept[:, ::-1], out=target)
        else:
            target[...] = np.argsort(part, axis=-1, kind="stable" if stable else None)

    _each_row(work, rows, found)
    return found


def _first_positions(rows: HostArray, count: int, *, descending: bool) -> HostArray:
    """The positions of the first elements in order along the last axis."""
    length = rows.shape[-1]
    if count == length:
        return positions_in_order(rows, descending=descending)
    found = _within_first(rows, count, descending=descending)
    if found is None:
        kth = length - count if descending else count - 1
        chosen = slice(kth, None) if descending else slice(count)
        found = np.argpartition(rows, kth, axis=-1)[:, chosen]
    order = positions_in_order(np.take_along_axis(rows, found, -1), descending=descending)
    return np.take_along_axis(found, order, -1)


def _within_first(rows: HostArray, count: int, *, descending: bool) -> HostArray | None:
    """The positions of the first elements by the last one's value; None where that is not enough.

    It is where others are equal to that one, or NaN. To part values is what NumPy does fastest.
    """
    length = rows.shape[-1]
    kth = length - count if descending else count - 1
    if length > _SHORT:
        last = np.partition(rows, kth, axis=-1)[:, kth, None]
    else:
        last = np.sort(rows, axis=-1)[:, kth, None]
    places = np.flatnonzero(rows >= last if descending else rows <= last)
    if places.size != count * len(rows):
        return None
    found: HostArray = places.reshape(len(rows), count)
    found -= np.arange(len(rows))[:, None] * length
    return found if found.min(initial=0) >= 0 and found.max(initial=0) < length else None


# --- Elements and positions in one integer -------------------------------------------------------

_LOW, _HIGH = (
    0,
    1,
)  # of the halves of a 64-bit integer in memory: all our machines are little-endian
_GREATEST = np.uint32(0xFFFF_FFFF)
_SIGN = np.uint32(0x8000_0000)


def _can_pack(rows: HostArray) -> bool:
    return rows.dtype.kind in "biuf" and rows.itemsize <= 4 and rows.shape[-1] <= int(_GREATEST)


def _packed(rows: HostArray, *, descending: bool) -> HostArray:
    """Integers that are in the order of elements, and of positions where these are equal."""
    halves = np.empty((*rows.shape, 2), np.uint32)
    keys = _keys(rows)
    halves[..., _HIGH] = ~keys if descending else keys
    halves[..., _LOW] = np.arange(rows.shape[-1], dtype=np.uint32)
    packed: HostArray = halves.view(np.uint64)[..., 0]
    return packed


def _unpacked(packed: HostArray) -> HostArray:
    halves: HostArray = packed.view(np.uint32).reshape(*packed.shape, 2)
    return halves[..., _LOW]


def _keys(rows: HostArray) -> HostArray:
    """Unsigned integers of 32 bits in the order of elements; equal ones have one."""
    if rows.dtype.kind in "ub":
        return rows.astype(np.uint32)
    if rows.dtype.kind == "i":
        return rows.astype(np.int32).view(np.uint32) ^ _SIGN
    floats = rows.astype(np.float32) + np.float32(0)  # which makes -0.0 0.0
    bits = floats.view(np.uint32)
    # Of negative numbers all bits are turned, of others the sign's alone.
    keys = bits ^ ((bits.view(np.int32) >> 31).view(np.uint32) | _SIGN)
    keys[np.isnan(floats)] = _GREATEST
    return keys
