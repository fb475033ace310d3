"""What chooses elements: arrays of integers that are positions on axes, and masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from speedmetal.arrays.array import Array
from speedmetal.arrays.hosting import is_on_cpu, owned
from speedmetal.arrays.indices.late_checks import looks_later, placed_positions
from speedmetal.arrays.memory.selection import Selection, check_positions
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.backends.device import Device
from speedmetal.dtypes import int32, int64

# --- Positions -----------------------------------------------------------------------------------


def choosers_on_host(chosen: Selection, target: Array | None = None) -> list[HostArray]:
    """The positions as NumPy arrays, all of them on their axes.

    Args:
        chosen: Has them.
        target: What is going to be written to while they are read.

    Raises:
        IndexError: One is outside.
    """
    found = []
    for chooser, axis, extent in zip(chosen.choosers, chosen.axes, chosen.extents, strict=True):
        host = chooser.numpy() if isinstance(chooser, Array) else np.asarray(chooser)
        check_positions(host, axis, extent)
        found.append(host if target is None else apart_on_host(host, target))
    return found


def choosers_on_device(
    chosen: Selection, device: Device, target: Array | None = None
) -> tuple[Array, ...]:
    """The positions on a device, all of them on their axes, broadcast to one shape.

    Args:
        chosen: Has them.
        device: Where to.
        target: What is going to be written to while they are read.

    Raises:
        IndexError: One is outside.
    """
    found = []
    for chooser, axis, extent in zip(chosen.choosers, chosen.axes, chosen.extents, strict=True):
        positions = checked_positions(chooser, axis, extent, device, are_read=target is None)
        kept = positions if target is None else apart(positions, target)
        found.append(kept.broadcast_to(chosen.shape))
    return tuple(found)


def checked_positions(
    chooser: Any, axis: int, extent: int, device: Device, *, are_read: bool = True
) -> Array:
    """An array of integers as positions on an axis: on the device, int32 or int64, in memory.

    Args:
        chooser: An array, of ours or NumPy's.
        axis: For the message.
        extent: Of the axis.
        device: Where to.
        are_read: Whether elements are read there; else they are written.

    Raises:
        IndexError: One is outside; where the device looks, whoever waits for it next raises it.
    """
    if not isinstance(chooser, Array):
        host = np.asarray(chooser)
        check_positions(host, axis, extent)
        return owned(host.astype(np.int32 if extent <= int32.maximum else np.int64), device)
    there = chooser.to(device)
    if looks_later(there):
        return placed_positions(there, axis, extent, are_read=are_read)
    check_positions(there.numpy(), axis, extent)
    if there.layout.dtype in (int32, int64):
        return there
    return there.astype(int64 if there.itemsize > 2 else int32)


def check_again(choosers: tuple[Any, ...], axes: tuple[int, ...], extents: tuple[int, ...]) -> None:
    """Check positions in memory of the CPU when they are used: NumPy may have written to it.

    Raises:
        IndexError: One is outside now.
    """
    for chooser, axis, extent in zip(choosers, axes, extents, strict=True):
        if isinstance(chooser, Array) and is_on_cpu(chooser):
            check_positions(chooser.numpy(), axis, extent)


def within_view(chosen: Selection, positions: list[HostArray]) -> tuple[Any, ...]:
    """The positions as NumPy's index in the view of a selection."""
    return (*(slice(None),) * chosen.lead, *positions)


def apart(values: Array, target: Array) -> Array:
    """The same values in memory that is not the target's."""
    return values.copy() if values.pending is None and target.shares_bytes(values) else values


def apart_on_host(host: HostArray, target: Array) -> HostArray:
    return host.copy() if np.may_share_memory(host, target.on_host()) else host


# --- Few of them, by NumPy -----------------------------------------------------------------------


_ARRAYS = frozenset({Array, np.ndarray, list})


def plain_positions(x: Array, index: Any) -> HostArray | None:
    """The commonest index: an array of integers, few of them, of rows in small memory; else None.

    NumPy does it while other cases are still told apart.
    """
    if type(index) not in _ARRAYS or x.pending is not None or not x.layout.shape:
        return None
    if not x.is_sooner_on_host(x.elements.nbytes):
        return None
    positions = index.numpy() if type(index) is Array else np.asarray(index)
    row_bytes = x.elements.nbytes // max(x.layout.shape[0], 1)
    is_plain = positions.dtype.kind == "i" and positions.ndim
    return positions if is_plain and x.is_sooner_on_host(positions.size * row_bytes) else None


def on_plain(function: Callable[..., Any], x: Array, positions: HostArray, *more: Any) -> Any:
    """NumPy's reading or writing, with our words for a place outside."""
    try:
        return function(x.on_host(), positions, *more)
    except IndexError:
        check_positions(positions, 0, x.shape[0])
        raise


# --- Masks ---------------------------------------------------------------------------------------


def read_mask(mask: Any) -> HostArray:
    return mask.numpy() if isinstance(mask, Array) else np.asarray(mask)


def only_mask(index: Any) -> Any:
    """The index, where it is one mask with axes; else None."""
    if isinstance(index, tuple) and len(index) == 1:
        index = index[0]
    is_array = isinstance(index, Array | np.ndarray)
    return index if is_array and index.ndim and index.dtype == np.bool_ else None


def has_mask(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return any(only_mask(part) is not None for part in parts)


def fits(x: Array, mask: Any) -> bool:
    return tuple(mask.shape) == x.shape[: mask.ndim]
