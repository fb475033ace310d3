"""Positions that a device looks at when it comes to them: nobody waits for what it finds.

A GPU with memory of its own does its work later than it is asked to. To look at an array of
positions on the host would wait for all of that, so a kernel does: it writes where each position is
on its axis, counted from the start, and what it finds outside it tells in words of the host's
memory. Whoever waits for the device next (``sm.synchronize()``, ``x.numpy()``, ``print``) gets the
:class:`IndexError`. Until then what is read for such a position is the first element, and what
would be written to it is not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from speedmetal.arrays.array import Array
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.placement import grid_of
from speedmetal.arrays.memory.selection import outside_message
from speedmetal.arrays.memory.strided import fresh_layout
from speedmetal.backends.device import BoundLaunch, Device
from speedmetal.backends.stream_device import StreamDevice
from speedmetal.dtypes import int32, int64

_lock = threading.Lock()
_WORDS = 1024
_ANY, _UNNAMED = 0, 1
"""The word that tells whether there is anything to read, and the one of all axes that came when
each of the others had its axis."""


class Reports:
    """Where kernels of a device tell of positions outside.

    Args:
        device: Has kernels that run later than they are asked for.

    Attributes:
        words: int64, 0 where nothing was found: a word for each axis that is told apart, which
            becomes the position that was found last: on an axis with elements 0 is none of them.
    """

    def __init__(self, device: StreamDevice) -> None:
        buffer, host = device.new_shared_words(_WORDS)
        elements, layout, _ = fresh_layout((_WORDS,), int64, device)
        self.words = Array(buffer, elements, layout)
        self._host = host
        self._places: dict[tuple[int, int, int], int] = {}

    def place_of(self, axis: int, extent: int, least: int) -> int:
        """The word for positions on such an axis, which are ``least`` or more."""
        key = axis, extent, least
        place = self._places.get(key)
        if place is None:
            with _lock:
                place = len(self._places) + _UNNAMED + 1
                if place == _WORDS:
                    return _UNNAMED
                place = self._places.setdefault(key, place)
        return place

    def errors(self) -> list[Exception]:
        """What was found since the last call; the device has nothing to do."""
        if not self._host[_ANY]:
            return []
        found = [
            _error(int(self._host[place]), axis, extent, least)
            for (axis, extent, least), place in self._places.items()
            if self._host[place]
        ]
        if self._host[_UNNAMED]:
            found.append(IndexError("an index is out of bounds for its axis"))
        self._host[:] = 0
        return found


def _error(word: int, axis: int, extent: int, least: int) -> Exception:
    return IndexError(outside_message(word if least else word % 2**64, axis, extent))


_plans: Kept[BoundLaunch] = Kept(1024)


def looks_later(positions: Array) -> bool:
    """Whether positions are where the host cannot look at them."""
    device = positions.device
    is_apart = not device.shares_host_memory or not positions.is_shared
    return is_apart and isinstance(device, StreamDevice)


def reporting(positions: Array, axis: int, extent: int) -> tuple[Array, int, int]:
    """What a kernel that looks at positions needs for it.

    Returns:
        The words, the least position that is not outside, and the word for those outside.

    Raises:
        IndexError: The axis has no elements, and there are positions.
    """
    if not extent and positions.size:
        raise IndexError(outside_message(0, axis, 0))
    reports = _reports_of(positions.device)
    least = -extent if positions.layout.dtype.is_signed else 0
    return reports.words, least, reports.place_of(axis, extent, least)


def placed_positions(positions: Array, axis: int, extent: int, *, are_read: bool) -> Array:
    """Positions counted from the start of an axis, as soon as the device comes to it.

    Args:
        positions: Integers of any shape, some perhaps outside; lazy ones are computed here.
        axis: For the message.
        extent: Of the axis.
        are_read: Whether elements are read there: then a position outside becomes 0; else
            ``extent``, where nothing is written.

    Returns:
        int32, or int64 where the axis needs it; of the same shape.

    Raises:
        IndexError: The axis has no elements, and there are positions.
    """
    words, least, word = reporting(positions, axis, extent)
    dtype = int32 if extent < int32.maximum else int64
    places = Array.allocate(positions.shape, dtype, positions.device)
    if places.size:
        _launch(places, positions, words, (least, extent, word, 0 if are_read else extent))
    return places


def _reports_of(device: Device) -> Reports:
    assert isinstance(device, StreamDevice)
    found = device.late_checks.get(Reports.__name__)
    if found is None:
        # Of two threads that come here at once, both get the same.
        found = device.late_checks.setdefault(Reports.__name__, Reports(device))
    assert isinstance(found, Reports)
    return found


def _launch(places: Array, positions: Array, words: Array, numbers: tuple[int, ...]) -> None:
    from speedmetal.arrays.kernels.gather import (
        place_on_axis,  # with its first use, as in `copying`
    )

    sizes: dict[str, Any] = {"grid": grid_of(places.shape), "debug": 0}
    if positions.pending is not None:
        place_on_axis(places, positions, words, *numbers, **sizes)
        return
    key = places.layout, positions.layout
    run: Callable[..., None] | None = _plans.get(key)
    if run is None:
        run = _plans.keep(
            key, place_on_axis.prepare(places, positions, words, *numbers, **sizes).run
        )
    run([0, places.address, positions.address, words.address, *numbers])
