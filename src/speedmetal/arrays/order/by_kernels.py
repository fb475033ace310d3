"""Rows in order by our kernels, :mod:`speedmetal.arrays.kernels.sort`, where the elements are.

A row of up to ``PART`` elements is one launch, in threadgroup memory. Longer ones are sorted in
parts so, which are merged in pairs. The first few of a row are those of its parts' first few.

Positions of elements of 64 bits come from sorting twice, by the lower and by the higher half of
their keys: what keeps the order of equal elements may be done one after the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from speedmetal.arrays.array import Array
from speedmetal.arrays.deferred.graph import peeked
from speedmetal.arrays.memory.placement import grid_of
from speedmetal.arrays.user_functions.higher_order import map as map_elementwise
from speedmetal.common.records import record
from speedmetal.dtypes import DType, int64, uint32, uint64
from speedmetal.frontend.static import static

LEVELS = 12
PART = 1 << LEVELS
"""Elements that a threadgroup sorts: as many of 8 bytes as fit into 32 KiB."""
_TOGETHER = 1024
"""Elements that a threadgroup has at least, where there are threadgroups enough."""
_GROUPS = 512
_ONE: static[int] = static(1)
_MOST_THREADS = 512


@record
class _Items:
    """What is sorted; see :mod:`speedmetal.arrays.kernels.sort`.

    Args:
        kind: The items' dtype.
        pack: Makes one of an element and its position.
        unpack: Makes what is stored of one.
        result: Its dtype.
    """

    kind: DType
    pack: Callable[..., Any]
    unpack: Callable[..., Any]
    result: DType


def sorted_rows(rows: Array, *, descending: bool) -> Array:
    """The elements in order along the last axis."""
    from speedmetal.arrays.kernels import sort as kernels  # with its first use

    dtype = rows.layout.dtype
    kind = _key_type(dtype)
    pack = partial(kernels.item_of_key, kind, descending)
    unpack = partial(kernels.element_of, dtype, descending)
    return _sorted(rows, _Items(kind, pack, unpack, dtype))


def places_in_order(rows: Array, *, descending: bool) -> Array:
    """The positions of the elements in order along the last axis, int64; equal ones keep theirs."""
    if _key_type(rows.layout.dtype) is uint64:
        return _places_by_halves(rows, descending=descending)
    return _sorted(rows, _places(descending=descending))


def are_few(rows: Array, count: int) -> bool:
    """Whether the first elements of rows are found without all others in order."""
    is_short = rows.shape[-1] <= PART or count <= PART // 4
    return is_short and _key_type(rows.layout.dtype) is not uint64


def first_places(rows: Array, count: int, *, descending: bool) -> Array:
    """The positions of the first elements in order along the last axis, int64."""
    from speedmetal.arrays.kernels import sort as kernels  # with its first use

    if not are_few(rows, count):
        return places_in_order(rows, descending=descending)[..., :count]
    items = _places(descending=descending)
    source = rows
    while source.shape[-1] > PART:
        shape = (*rows.shape[:-1], -(-source.shape[-1] // PART) * count)
        firsts = Array.allocate(shape, items.kind, rows.device)
        _sort_parts(firsts, source, items.kind, items.pack, kernels.kept_item, count)
        source = firsts
        items = _Items(items.kind, kernels.item_itself, items.unpack, items.result)
    found = Array.allocate((*rows.shape[:-1], count), items.result, rows.device)
    _sort_parts(found, source, items.kind, items.pack, items.unpack, count)
    return found


def elements_at(rows: Array, places: Array) -> Array:
    """The elements at positions along the last axis, none of which is outside."""
    from speedmetal.arrays.kernels.gather import gather_along  # with its first use

    found = Array.allocate(places.shape, rows.layout.dtype, rows.device)
    if found.size:
        axis: static[int] = static(rows.ndim - 1)
        gather_along(found, peeked(rows), places, axis, grid=grid_of(places.shape), debug=0)
    return found


def _key_type(dtype: DType) -> DType:
    return uint64 if dtype.itemsize == 8 else uint32


def _places(*, descending: bool) -> _Items:
    from speedmetal.arrays.kernels import sort as kernels  # with its first use

    return _Items(uint64, partial(kernels.item_of_place, descending), kernels.place_in, int64)


def _places_by_halves(rows: Array, *, descending: bool) -> Array:
    from speedmetal.arrays.kernels import sort as kernels  # with its first use

    halves = map_elementwise(partial(kernels.halves_of_key, descending), rows)
    by_lower = places_in_order(halves[0], descending=False)
    by_higher = places_in_order(elements_at(halves[1], by_lower), descending=False)
    return elements_at(by_lower, by_higher)


def _sorted(rows: Array, items: _Items) -> Array:
    from speedmetal.arrays.kernels import sort as kernels  # with its first use

    target = Array.allocate(rows.shape, items.result, rows.device)
    length = rows.shape[-1]
    if not target.size:
        return target
    if length <= PART:
        _sort_parts(target, rows, items.kind, items.pack, items.unpack, length)
        return target
    count = target.size // length
    runs = Array.allocate((count, length), items.kind, rows.device)
    whole = runs.reshape(rows.shape)
    _sort_parts(whole, rows, items.kind, items.pack, kernels.kept_item, PART)
    run = PART
    while run < length:
        is_last = 2 * run >= length
        merged = target if is_last else Array.allocate(runs.shape, items.kind, rows.device)
        unpack = items.unpack if is_last else kernels.kept_item
        merged = merged.reshape((count, length))
        kernels.merge_runs(merged, runs, unpack, run, grid=(length, count))
        runs, run = merged, 2 * run
    return target


def _sort_parts(
    target: Array,
    source: Array,
    kind: DType,
    pack: Callable[..., Any],
    unpack: Callable[..., Any],
    count: int,
) -> None:
    """One launch that sorts parts of rows, and stores so many items of each."""
    from speedmetal.arrays.kernels import sort as kernels  # with its first use

    if not target.size:
        return
    length, axes = source.shape[-1], source.ndim - 1
    levels = min(max((length - 1).bit_length(), 1), LEVELS)
    parts = -(-length // (1 << levels))
    every = math.prod(source.shape[:-1]) * parts
    size = max(1 << levels, 2 * kernels.LANES)
    while size < _TOGETHER and every > _GROUPS * (size >> levels):
        size *= 2
    threads = min(size // 2, _MOST_THREADS)
    pairs: static[int] = static(size // (2 * threads))
    kernels.sort_parts(
        *(target, peeked(source), pack, unpack, kind),
        *(static(axes), pairs, levels, _ONE if parts == 1 else parts, count),
        groups=-(-every // (size >> levels)),
        threads=threads,
    )
