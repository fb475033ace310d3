"""Rows in order by NumPy, with the vector instructions of the CPU, on memory that it shares.

Rows are spread over the processors. Positions of elements of up to 32 bits come from sorting 64-bit
integers, an element's bits above its position: that is stable, and a few times as fast as sorting
positions by what they point to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from speedmetal.arrays.memory.strided import HostArray
from speedmetal.arrays.spreading import Part, parts_of, run_parts

_CLOSE = 1 << 15
"""Elements that stay in the caches of a processor while they are sorted; worth a thread."""


CLOSE_TO_PART = 1 << 18
"""The same of what is only parted: a thread takes 100 us to start, and NumPy so long for 2^16."""
_SHORT = 512
"""Rows up to this length are sorted as soon as they are parted: 4096 of 64 float32 in 0.4 ms, where
parting takes 0.8; of 1000 both take the same time."""
_LONG = 1 << 17
"""Elements of a part of a row that is worth a thread."""
_COUNTED = 32
"""Elements of a byte in a row from which NumPy's stable sort, which counts them, takes less
time than its default: for a row of 2^20 2 instead of 42 ms on an Emerald Rapids."""


def each_row(work: Callable[..., object], *arrays: HostArray, close: int = _CLOSE) -> None:
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


def sort_rows(host: HostArray) -> None:
    """Sort rows, on several threads: each row by one, or where rows are few and long, by all.

    For that each thread gets a part of the row that comes before the next part's elements: to part
    a row so takes less than to merge sorted parts. Measured on an Emerald Rapids, two threads and
    2^20 elements of float32, float64 and int64: NumPy 4.1, 7.7, 9.9 ms, parted 4.3, 7.4, 5.9,
    merged 10.4, 13.5, 11.6; with 2^22 elements 24.7, 38.6, 45.5, parted 16.1, 28.2, 29.9.

    float16 is sorted as float32: in the same time, and right. NumPy's own way, with AVX-512,
    misplaces numbers where infinities and NaN are among them (2.4.6; it can go with a NumPy that
    does not).
    """
    if host.dtype == np.float16:
        wide = host.astype(np.float32)
        sort_rows(wide)
        host[...] = wide
        return
    rows = host.reshape(-1, host.shape[-1]) if host.size else host
    is_counted = host.dtype.itemsize == 1 and host.shape[-1] >= _COUNTED
    parts = parts_of(host.shape[-1], host.shape[-1], _LONG)
    if is_counted or len(parts) <= len(rows):
        kind: Any = "stable" if is_counted else None
        each_row(lambda part: part.sort(axis=-1, kind=kind), host)
        return
    for row in rows:
        _sort_in_parts(row, parts)


def _sort_in_parts(row: HostArray, parts: list[Part]) -> None:
    row.partition([first for first, _ in parts[1:]])
    run_parts(lambda first, end: row[first:end].sort(), parts)


def first_values(host: HostArray, count: int, *, descending: bool) -> HostArray:
    """The first elements alone."""
    if host.dtype == np.float16:  # as in :func:`sort_rows`
        wide = first_values(host.astype(np.float32), count, descending=descending)
        return wide.astype(np.float16)
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
        each_row(work, host, found, close=CLOSE_TO_PART)
    return found


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

    each_row(work, rows, found)
    return found


def first_positions(rows: HostArray, count: int, *, descending: bool) -> HostArray:
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
