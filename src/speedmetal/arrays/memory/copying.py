"""Copies of elements: between layouts and dtypes of one device, and between host and device.

Where a copy runs is one rule: within a device it is a kernel of :mod:`speedmetal.arrays.kernels`,
but for what is so small that the host, where it shares the memory, is done before a launch begins
(``Device.host_copy_bytes``). Both mean the same, to the bit.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any, TypeVar

import numpy as np

from speedmetal.arrays.memory.conversion import convert_on_host
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.placement import grid_of, in_order_of_memory
from speedmetal.arrays.memory.shapes import Shape
from speedmetal.arrays.memory.strided import HostArray, Strided
from speedmetal.backends.device import SIMDGROUP_SIZE, BoundLaunch, Device
from speedmetal.common.records import record
from speedmetal.dtypes import (
    DType,
    float64,
    from_numpy,
    uint8,
    uint16,
    uint32,
    uint64,
)
from speedmetal.errors import UserInputError
from speedmetal.frontend.static import static

_Array = TypeVar("_Array", bound=Strided)

MOVED_BYTES = 1 << 19
"""What lies in one piece, up to so many bytes, the host has moved before a launch has begun."""

MOST_SIDE_BY_SIDE = 4
"""Channels that lie side by side, up to so many, are taken apart by vectors."""

LEAST_OF_TILE = 16
"""Extents from which on elements are copied by tiles where axes change places."""
TILE_WIDTHS = {1: 4, 2: 4, 4: 2, 8: 1}
"""How many elements of so many bytes a thread reads and writes at once of a tile."""
WORD_BYTES = 4
"""What a thread reads and writes at once of smaller elements, where they are whole such words."""
SHORT_ROW = 8
"""Elements side by side, up to so many, that one thread copies."""
TURNS = 4
"""Such rows that it has on their way at once."""

_BITS = {
    "bool_": uint8,
    "int8": uint8,
    "int16": uint16,
    "float16": uint16,
    "bfloat16": uint16,
    "int32": uint32,
    "float32": uint32,
    "int64": uint64,
    "float64": uint64,
}
"""As what elements are copied that keep their dtype, so that one kernel does for many. (complex64
may lie at 4 bytes, where uint64 may not, and nothing has the 16 bytes of complex128.)"""


def assign(target: Strided, source: Strided) -> None:
    """Write the source's elements to the target's, converted to its dtype.

    They may lie over each other; what is written is what the source was before.

    Args:
        target: Its elements lie apart.
        source: On the same device; of the same shape, or of one that is broadcast to it.

    Raises:
        ValueError: It cannot be broadcast.
    """
    source = _broadcast(source, target.elements.shape)
    if not target.elements.size:
        return
    dtype = target.elements.dtype
    if _move_bytes(target, source):
        return
    if target.is_sooner_on_host(source.elements.nbytes):
        target.on_host()[...] = convert_on_host(source.on_host(), dtype)
        return
    if not can_convert(source, dtype):
        source = _convert_by_host(source, dtype)
    elif _may_overlap(target, source):
        source = copy_elements(source)
    key = target.layout, source.layout, _begin_at_words(target, source)
    plan = _plans.get(key)
    if plan is None:
        plan = _plans.keep(key, _plan_for(target, source))
    plan.run([0, target.address + plan.target_moves, source.address + plan.source_moves])


def _move_bytes(target: Strided, source: Strided) -> bool:
    """Copy at once what is few bytes in one piece, if it is."""
    to, of = target.elements, source.elements
    is_alike = to.dtype is of.dtype and to.is_c_contiguous and of.is_c_contiguous
    if not is_alike or to.nbytes > MOVED_BYTES or not (target.is_shared and source.is_shared):
        return False
    if type(target.address) is not int or type(source.address) is not int:
        return False
    target.layout.device.synchronize()
    ctypes.memmove(target.address, source.address, to.nbytes)
    return True


@record(eq=False)
class _Plan:
    """A launch that copies from arrays of one layout to those of another.

    Args:
        run: Launches the kernel, with the addresses of the target and the source.
        target_moves: How far the kernel's first element is from the target's, in bytes.
        source_moves: The same of the source.
    """

    run: BoundLaunch
    target_moves: int
    source_moves: int


_plans: Kept[_Plan] = Kept(1024)


def _plan_for(target: Strided, source: Strided) -> _Plan:
    if source.elements.dtype is target.elements.dtype:
        target, source = _as_bits(target), _as_bits(source)
    # With its first use: what starts without a copy must not wait for it.
    from speedmetal.arrays.kernels.copy import copy, copy_short_rows, split

    to, of = in_order_of_memory(target.elements, source.elements)
    side_by_side = _side_by_side(to, of)
    on_gpu = target.layout.device.kind != "cpu"
    tiles = _axis_of_tiles(to, of) if on_gpu else None
    short = _short_axis(to) if on_gpu and side_by_side is None else None
    if tiles is not None:
        order = [*(k for k in range(to.ndim - 1) if k != tiles), tiles, to.ndim - 1]
        to, of = to.transpose(order), of.transpose(order)
        plan = _plan_of_tiles(target.with_elements(to), source.with_elements(of))
    elif short is not None:
        order = [*(k for k in range(to.ndim) if k != short), short]
        to, of = to.transpose(order), of.transpose(order)
        arguments = (target.with_elements(to), source.with_elements(of))
        *outer, rows, count = to.shape
        turns = math.gcd(TURNS, rows)
        grid = grid_of((*outer, rows // turns))
        plan = copy_short_rows.prepare(*arguments, static(count), static(turns), grid=grid)
    elif side_by_side is None:
        arguments = (target.with_elements(to), source.with_elements(of))
        plan = copy.prepare(*arguments, grid=grid_of(to.shape))
    else:
        outer_extent, count, length = to.shape
        arguments = (target.with_elements(to), source.with_elements(side_by_side))
        plan = split.prepare(*arguments, static(count), grid=(length, outer_extent))
    moves = (to.offset - target.elements.offset, of.offset - source.elements.offset)
    return _Plan(plan.run, *moves)


def _axis_of_tiles(to: Layout, of: Layout) -> int | None:
    """The axis along which a source's neighbours lie, where it is not the target's; None: it is.

    A GPU then reads and writes tiles, both as they lie.
    """
    if to.ndim < 2 or to.dtype.is_complex or of.dtype.is_complex:
        return None
    if to.strides[-1] != to.itemsize or of.strides[-1] in (0, of.itemsize):
        return None
    for axis, step in enumerate(of.strides[:-1]):
        if step == of.itemsize and min(to.shape[axis], to.shape[-1]) >= LEAST_OF_TILE:
            return axis
    return None


def _short_axis(to: Layout) -> int | None:
    """An axis of few elements that lie side by side in a target, which a GPU's thread takes all."""
    if to.ndim < 2 or to.dtype.is_complex:
        return None
    for axis, (step, extent) in enumerate(zip(to.strides, to.shape, strict=True)):
        if step == to.itemsize and extent <= SHORT_ROW:
            return axis
    return None


def _begin_at_words(target: Strided, source: Strided) -> bool:
    """Whether the memory of both begins at multiples of 4 bytes; of Metal all buffers do."""
    addresses = target.address, source.address
    places = [each if type(each) is int else each.offset for each in addresses]
    return not any(place % WORD_BYTES for place in places)


def _plan_of_tiles(target: Strided, source: Strided) -> Any:
    from speedmetal.arrays.kernels.copy import TILE_ROWS, copy_tiles  # as above

    if (words := _as_words(target, source)) is not None:
        return _plan_of_words(*words)
    *outer, high, wide = target.elements.shape
    sizes = (target.elements.itemsize, source.elements.itemsize)
    width = math.gcd(TILE_WIDTHS[max(sizes)], high, wide)
    side = SIMDGROUP_SIZE * width
    if side * (side + 1) * sizes[0] > target.layout.device.limits.threadgroup_memory_bytes:
        width, side = width // 2, side // 2
    groups = math.prod(outer) * -(-high // side) * -(-wide // side)
    threads = SIMDGROUP_SIZE * TILE_ROWS
    return copy_tiles.prepare(target, source, static(width), groups=groups, threads=threads)


def _as_words(target: Strided, source: Strided) -> tuple[Strided, Strided, int] | None:
    """Both as words of several elements side by side, and how many; None: they are no such ones."""
    to, of = target.elements, source.elements
    count = WORD_BYTES // to.itemsize
    sizes = (to.offset, of.offset, *to.strides[:-1], *of.strides[:-2], of.strides[-1])
    if to.dtype is not of.dtype or count < 2 or not _begin_at_words(target, source):
        return None
    if any(size % WORD_BYTES for size in sizes) or any(n % count for n in to.shape[-2:]):
        return None
    *outer, high, wide = to.shape
    shapes = (*outer, high, wide // count), (*outer, high // count, wide)
    strides = (*to.strides[:-1], WORD_BYTES), (*of.strides[:-2], WORD_BYTES, of.strides[-1])
    offsets = to.offset, of.offset
    words = [Layout(uint32, *each) for each in zip(shapes, strides, offsets, strict=True)]
    return target.with_elements(words[0]), source.with_elements(words[1]), count


def _plan_of_words(target: Strided, source: Strided, count: int) -> Any:
    from speedmetal.arrays.kernels.copy import TILE_ROWS, copy_tiles_of_words  # as above

    high, wide = source.elements.shape[-2], target.elements.shape[-1]
    words = 2 * SIMDGROUP_SIZE
    rows = SIMDGROUP_SIZE * count
    if rows * (words + 1) * WORD_BYTES > target.layout.device.limits.threadgroup_memory_bytes:
        words = SIMDGROUP_SIZE
    groups = math.prod(target.elements.shape[:-2])
    groups *= -(-high // SIMDGROUP_SIZE) * -(-wide // words)
    sizes = {"groups": groups, "threads": SIMDGROUP_SIZE * TILE_ROWS}
    return copy_tiles_of_words.prepare(target, source, static(count), static(words), **sizes)


def _side_by_side(to: Layout, of: Layout) -> Layout | None:
    """A source's layout as :func:`speedmetal.arrays.kernels.copy.split` takes it, if it is such."""
    if to.ndim != 3 or not 2 <= to.shape[1] <= MOST_SIDE_BY_SIDE:
        return None
    outer, count, length = to.shape
    step = of.itemsize
    if of.strides[1:] != (step, count * step) or to.strides[2] != to.itemsize:
        return None
    return Layout(of.dtype, (outer, count * length), (of.strides[0], step), of.offset)


def assign_host(target: Strided, host: HostArray) -> None:
    """Write a NumPy array's elements to the target's, converted to its dtype.

    Args:
        target: Its elements lie apart.
        host: Of the same shape, or of one that is broadcast to it.

    Raises:
        ValueError: It cannot be broadcast.
    """
    dtype, device = target.elements.dtype, target.layout.device
    if target.is_sooner_on_host(target.elements.nbytes):
        target.on_host()[...] = convert_on_host(host, dtype)
    elif not host.ndim:
        _fill(target, convert_on_host(host, dtype))
    else:
        source = type(target).wrap(host, device)
        if source is None:
            source = upload_elements(type(target), convert_on_host(host, dtype), device)
        assign(target, source)


def _fill(target: Strided, value: HostArray) -> None:
    """Write one value, of the target's dtype, to all elements."""
    elements = target.elements
    if not elements.size:
        return
    dtype = elements.dtype
    if dtype.is_complex and not _has(target.layout.device, dtype):  # no number is two of bits
        assign(target, upload_elements(type(target), value, target.layout.device))
        return
    if (bits := _BITS.get(dtype.name)) is not None:
        target, value = _view_as(target, bits), value.view(bits.numpy)
    from speedmetal.arrays.kernels.copy import fill  # as above

    (place,) = in_order_of_memory(target.elements)
    fill(target.with_elements(place), value[()], grid=grid_of(place.shape), debug=0)


def copy_elements(source: _Array, dtype: DType | None = None) -> _Array:
    """The elements in new memory in C order, in another dtype where one is given."""
    fresh = type(source).allocate(
        source.elements.shape, dtype or source.elements.dtype, source.layout.device
    )
    assign(fresh, source)
    return fresh


def can_convert(source: Strided, dtype: DType) -> bool:
    """Whether a kernel can: not where the target lacks one of two dtypes."""
    own, device = source.elements.dtype, source.layout.device
    return own is dtype or (_has(device, own) and _has(device, dtype))


def _has(device: Device, dtype: DType) -> bool:
    """Whether the device's kernels compute with a dtype."""
    return dtype.part is not float64 or device.target.has_float64


def check_computes(name: str, device: Device, *dtypes: DType) -> None:
    """Whether the device's kernels compute with all of these dtypes.

    Raises:
        UserInputError: They do not with one of them.
    """
    if device.target.has_float64:
        return
    for dtype in dtypes:
        if not _has(device, dtype):
            narrow = "complex64" if dtype.is_complex else "float32"
            raise UserInputError(
                f"{name} of {dtype.name}: {device.name} does not compute with it; convert with"
                f' x.astype("{narrow}"), or compute on the CPU: x.to("cpu")'
            )


def _as_bits(array: Strided) -> Strided:
    """The same bytes as elements that the device copies, in one kernel for many dtypes."""
    dtype = array.elements.dtype
    if dtype.is_complex and not _has(array.layout.device, dtype):
        return array.with_elements(array.elements.halve(_BITS[dtype.part.name]))
    bits = _BITS.get(dtype.name)
    return array if bits is None else _view_as(array, bits)


def _view_as(array: Strided, dtype: DType) -> Strided:
    return array.with_elements(array.elements.view(dtype))


# --- Layouts -------------------------------------------------------------------------------------


def _broadcast(source: Strided, shape: Shape) -> Strided:
    """An element for every place of this shape; extra axes of extent 1 in front go, as in NumPy.

    Raises:
        ValueError: The source's shape cannot be broadcast.
    """
    elements = source.elements
    if elements.shape == shape:
        return source
    extra = max(elements.ndim - len(shape), 0)
    if elements.shape[:extra] == (1,) * extra:
        elements = elements.squeeze(range(extra))
    return source.with_elements(elements.broadcast_to(shape))


def reads_before_writing(target: Strided, source: Strided) -> bool:
    """Whether each element, broadcast to the target's shape, is read before it is written to."""
    return not _may_overlap(target, _broadcast(source, target.elements.shape))


def _may_overlap(target: Strided, source: Strided) -> bool:
    """Whether an element may be written before it is read."""
    other = target.seen_from(source)
    return other is not None and target.elements != other and target.elements.overlaps(other)


# --- Between host and device ---------------------------------------------------------------------


def read_host(source: Strided) -> HostArray:
    """A NumPy array on the elements where the host shares their memory, else on a copy of them."""
    if source.is_shared:
        return source.on_host().view()  # its own object: to set its shape changes no other
    elements = source.elements
    if not elements.size:  # nothing is copied, which would wait
        source.layout.device.synchronize()
    if elements.nbytes != source.buffer.size_bytes or not elements.is_c_contiguous:
        source = copy_elements(source)  # on the device, so that no other element is fetched
    content = np.empty(source.buffer.size_bytes, np.uint8)
    source.layout.device.copy_to_host(source.buffer, content)
    return source.in_bytes(content)


def write_host(source: Strided, host: HostArray) -> None:
    """Write the elements to a NumPy array, which is complete at return unless it is page-locked.

    Args:
        source: Of any layout.
        host: Of the same shape and dtype.
    """
    device = source.layout.device
    if source.is_shared or not host.flags.c_contiguous:
        host[...] = read_host(source)
        return
    compact = source if source.elements.is_c_contiguous else copy_elements(source)
    if device.copy_to_page_locked(compact.address, host):
        return
    if compact.elements.nbytes == compact.buffer.size_bytes:
        device.copy_to_host(compact.buffer, host)
    else:
        host[...] = read_host(compact)


def upload_elements(cls: type[_Array], host: HostArray, device: Device) -> _Array:
    """A NumPy array of a dtype of ours as a new array on the device, in C order."""
    fresh = cls.allocate(host.shape, from_numpy(host.dtype), device)
    content = fresh.buffer.host
    if content is None:
        device.copy_from_host(np.ascontiguousarray(host), fresh.buffer)
    else:  # without waiting: no kernel knows fresh memory
        fresh.in_bytes(content)[...] = host
    return fresh


def bring_elements(source: _Array, device: Device) -> _Array:
    """The elements in new memory of another device, in C order."""
    own = source.layout.device
    if not device.reaches(own):
        return upload_elements(type(source), read_host(source), device)
    if not source.elements.is_c_contiguous:
        source = copy_elements(source)
    fresh = type(source).allocate(source.elements.shape, source.elements.dtype, device)
    device.copy_from_device(own, source.address, fresh.buffer)
    return fresh


def _convert_by_host(source: Strided, dtype: DType) -> Strided:
    return upload_elements(
        type(source), convert_on_host(read_host(source), dtype), source.layout.device
    )
