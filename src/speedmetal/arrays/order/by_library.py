"""Rows in order by the radix sort of a GPU's vendor, which is stable.

It sorts one row of integers. So elements are sorted by their keys
(:mod:`speedmetal.arrays.kernels.sort`), and several rows of keys of up to 32 bits at once, with the
number of its row above each key; of those of 64 bits one row after the other.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from speedmetal.arrays.array import Array
from speedmetal.arrays.deferred.graph import peeked
from speedmetal.arrays.memory.placement import grid_of
from speedmetal.arrays.user_functions.higher_order import map as map_elementwise
from speedmetal.dtypes import DType, int32, int64, uint8, uint16, uint32, uint64

LONGEST = 2**31 - 1
"""Elements; positions are int32."""
_UNSIGNED = {1: uint8, 2: uint16, 4: uint32, 8: uint64}


def sorted_rows(rows: Array, *, descending: bool) -> Array:
    """The elements in order along the last axis."""
    from speedmetal.arrays.kernels import sort as kernels  # with its first use

    dtype = rows.layout.dtype
    length = rows.shape[-1]
    count = rows.size // length if length else 0
    if not rows.size:
        return Array.allocate(rows.shape, dtype, rows.device)
    if count > 1 and dtype.itemsize == 8:
        return _each(rows, dtype, lambda row: sorted_rows(row, descending=descending))
    if count > 1:
        keys = Array.allocate(rows.shape, uint64, rows.device)
        _pack(keys, None, rows, partial(kernels.key_in_row, descending))
        found, _ = _ordered(keys, None, 32 + (count - 1).bit_length())
        return _decoded(rows, descending, found)
    if dtype.is_integer and not descending:
        found, _ = _ordered(rows, None, 8 * dtype.itemsize)
        return found.reshape(rows.shape)
    keys = map_elementwise(partial(kernels.key_of, descending), rows)
    found, _ = _ordered(keys, None, 8 * dtype.itemsize)
    return _decoded(rows, descending, found)


def _decoded(rows: Array, descending: bool, keys: Array) -> Array:  # noqa: FBT001 - sort's own
    """The elements of rows that have these keys."""
    from speedmetal.arrays.kernels import sort as kernels  # with its first use

    function = partial(kernels.element_of, rows.layout.dtype, descending)
    found: Array = map_elementwise(function, keys.reshape(rows.shape))
    return found


def places_in_order(rows: Array, *, descending: bool) -> Array:
    """The positions of the elements in order along the last axis, int64; equal ones keep theirs."""
    from speedmetal.arrays.kernels import sort as kernels  # with its first use

    dtype = rows.layout.dtype
    length = rows.shape[-1]
    count = rows.size // length if length else 0
    if not rows.size:
        return Array.allocate(rows.shape, int64, rows.device)
    if count > 1 and dtype.itemsize == 8:
        return _each(rows, int64, lambda row: places_in_order(row, descending=descending))
    kind, bits = _UNSIGNED[dtype.itemsize], 8 * dtype.itemsize
    pack = partial(kernels.joined_key_alone, descending)
    if count > 1:
        kind, bits = uint64, 32 + (count - 1).bit_length()
        pack = partial(kernels.joined_key_in_row, descending)
    keys = Array.allocate(rows.shape, kind, rows.device)
    places = Array.allocate(rows.shape, int32, rows.device)
    _pack(keys, places, rows, pack)
    _, found = _ordered(keys, places, bits)
    moved: Any = found
    wide: Array = moved.reshape(rows.shape).astype(int64)
    return wide


def _each(rows: Array, dtype: DType, work: Any) -> Array:
    """What a function gives for each row."""
    found = Array.allocate(rows.shape, dtype, rows.device)
    sources = rows.reshape((-1, rows.shape[-1]))
    targets = found.reshape(sources.shape)
    for number in range(len(sources)):
        targets[number] = work(sources[number])
    return found


def _pack(keys: Array, places: Array | None, rows: Array, pack: Any) -> None:
    """Store keys, and positions in rows, in one launch."""
    from speedmetal.arrays.kernels import sort as kernels  # with its first use

    kernels.pack_rows(keys, places, peeked(rows), pack, grid=grid_of(rows.shape))


def _ordered(keys: Array, places: Array | None, bits: int) -> tuple[Array, Array | None]:
    """Keys in order, all of them in one row, and what was moved with them."""
    sources = [_dense(x) for x in (keys, places) if x is not None]
    size, device = keys.size, keys.device
    targets = [Array.allocate((size,), x.layout.dtype, device) for x in sources]
    kinds = [*(x.layout.dtype for x in sources), None][:2]
    compute = device.routines.compute
    plan = compute.radix_sort(*kinds, size, bits)
    arrays = [x for pair in zip(sources, targets, strict=True) for x in pair]
    compute.run(plan, tuple(x.address for x in arrays), tuple(x.buffer for x in arrays))
    return targets[0], targets[1] if places is not None else None


def _dense(array: Array) -> Array:
    """The elements in memory, side by side in C order."""
    array.buffer  # noqa: B018 - computes it; then its layout is known
    return array if array.layout.is_contiguous else array.copy()
