"""Device memory of the simulator: an access beyond its end is caught where it happens."""

from __future__ import annotations

import bisect
import functools
import weakref
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from speedmetal.errors import UserInputError
from speedmetal.metal_simulator.runtime import library
from speedmetal.metal_simulator.settings import Order

Edge = Literal["end", "begin"]
EDGES: tuple[Edge, ...] = ("end", "begin")
"""By enum smr_edge."""

LARGEST_ALIGNMENT = 32
"""Of any type of Metal: long4 and ulong4."""

_ALIGNMENTS = (1, 2, 4, 8, 16, LARGEST_ALIGNMENT)


def edge_of(order: Order) -> Edge:
    """Which end of memory is guarded exactly in an order: so a test in all orders meets both."""
    return "begin" if order == "reverse" else "end"


# Begins of all live mappings, sorted, and the mappings. Each change is one operation of a built-in
# type, so that the collector may remove an entry at any time.
_begins: list[int] = []
_mappings: weakref.WeakValueDictionary[int, _Mapping] = weakref.WeakValueDictionary()


class _Mapping:
    """Owns the memory; NumPy arrays refer to it."""

    __slots__ = ("__weakref__", "_runtime", "address", "size_bytes")

    def __init__(self, size_bytes: int, fill: int, alignment: int, edge: Edge) -> None:
        self._runtime = library.runtime()
        self.size_bytes = size_bytes
        self.address: int = self._runtime.smr_buffer_map(
            size_bytes, fill, alignment, EDGES.index(edge)
        )
        if self.address == 0:
            raise MemoryError(f"no memory for a buffer of {size_bytes} bytes")
        _mappings[self.address] = self
        bisect.insort(_begins, self.address)

    def __del__(self) -> None:
        address = getattr(self, "address", 0)
        if address:
            _begins.remove(address)
            self._runtime.smr_buffer_unmap(address, self.size_bytes)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return {
            "version": 3,
            "shape": (self.size_bytes,),
            "typestr": "|u1",
            "data": (self.address, False),
        }


class GuardedMemory:
    """Memory one end of which touches a page without access.

    The memory begins at a multiple of ``alignment``; so where its size is none, some bytes behind
    it are there too, as are up to a page before it. (With the other edge it is a page behind it.)
    Whether these were written is known after a dispatch (`damaged_byte`).

    Args:
        size_bytes: Its size, from 0 on.
        fill: What each byte holds at first, 0 to 255. 0xFF makes floats NaN.
        alignment: A power of two; 32 is enough for the largest vectors.
        edge: Which end touches the page.

    Raises:
        UserInputError: The size, the filling or the alignment is out of range.
        MemoryError: The system has no more memory.

    Example:
        >>> memory = GuardedMemory(8, fill=0)
        >>> memory.array[:4] = 7
        >>> memory.array.view("int16")
        array([1799, 1799,    0,    0], dtype=int16)
    """

    def __init__(
        self,
        size_bytes: int,
        fill: int = 0xFF,
        *,
        alignment: int = LARGEST_ALIGNMENT,
        edge: Edge = "end",
    ) -> None:
        if size_bytes < 0:
            raise UserInputError(f"size_bytes must be 0 or more, got {size_bytes}")
        if not 0 <= fill <= 0xFF:
            raise UserInputError(f"fill must be a byte, 0 to 255, got {fill}")
        if alignment not in _ALIGNMENTS:
            raise UserInputError(f"alignment must be 1, 2, 4, 8, 16 or 32, got {alignment}")
        self._mapping = _Mapping(size_bytes, fill, alignment, edge)

    @property
    def address(self) -> int:
        """Where the memory begins."""
        return self._mapping.address

    @property
    def size_bytes(self) -> int:
        """How large it is."""
        return self._mapping.size_bytes

    @functools.cached_property
    def array(self) -> NDArray[np.uint8]:
        """The bytes, shape ``(size_bytes,)``, shared; keeps the memory alive, as do its views."""
        if self.size_bytes == 0:
            return np.empty(0, np.uint8)
        return np.asarray(self._mapping)


def live_ranges() -> list[tuple[int, int]]:
    """Begin and end of each `GuardedMemory` that there is."""
    mappings = [_mappings.get(begin) for begin in list(_begins)]
    return [(m.address, m.address + m.size_bytes) for m in mappings if m is not None]


def damaged_byte(address: int) -> tuple[int, int] | None:
    """A byte beside a buffer that was written, though it belongs to none.

    Args:
        address: In the buffer; addresses in no `GuardedMemory` have no damage.

    Returns:
        The buffer's begin, and the byte's offset from it (negative: before the buffer); None: all
        is well. The damage is repaired, so that it is told once.
    """
    index = bisect.bisect_right(_begins, address) - 1
    mapping = _mappings.get(_begins[index]) if index >= 0 else None
    if mapping is None or address > mapping.address + mapping.size_bytes:
        return None
    runtime = library.runtime()
    offset: int = runtime.smr_buffer_damage(mapping.address, mapping.size_bytes)
    if offset == 0:
        return None
    runtime.smr_buffer_repair(mapping.address, mapping.size_bytes)
    return mapping.address, offset
