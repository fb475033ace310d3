"""Guard bytes around every array of a device, which no kernel may change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from speedmetal.backends.device import Buffer

GUARD_BYTES = 256
"""Before and behind each array; the alignment of arrays stays what it is."""
_PATTERN = 0xA5


class GuardedMemory:
    """Allocates in the place of a device whose addresses are numbers, and keeps what it gave.

    Args:
        device: The device.
    """

    def __init__(self, device: Any) -> None:
        self._device = device
        self._allocate = device.allocate
        self._given: list[Buffer] = []

    def allocate(self, size_bytes: int) -> Buffer:
        """As the device does it, with guards around.

        While a graph is captured, which takes nothing from the host, without.
        """
        if getattr(getattr(self._device, "context", None), "captures", 0):
            return self._allocate(size_bytes)
        whole = self._allocate(size_bytes + 2 * GUARD_BYTES)
        self._device.copy_from_host(np.full(whole.size_bytes, _PATTERN, np.uint8), whole)
        self._given.append(whole)
        return self._part(whole, GUARD_BYTES, size_bytes)

    def _part(self, whole: Buffer, begin: int, size_bytes: int) -> Buffer:
        host = None if whole.host is None else whole.host[begin : begin + size_bytes]
        return Buffer(self._device, whole.address + begin, size_bytes, whole.owner, host)

    def check(self) -> None:
        """See that no guard has changed.

        Raises:
            AssertionError: One has.
        """
        self._device.synchronize()
        for whole in self._given:
            size = whole.size_bytes - 2 * GUARD_BYTES
            for begin in (0, GUARD_BYTES + size):
                found = np.empty(GUARD_BYTES, np.uint8)
                self._device.copy_to_host(self._part(whole, begin, GUARD_BYTES), found)
                changed = np.flatnonzero(found != _PATTERN)
                assert not changed.size, (
                    f"byte {begin - GUARD_BYTES + int(changed[0])} of an array of {size} bytes"
                    " was changed"
                )


@contextmanager
def guarded(device: Any) -> Iterator[None]:
    """Every array made on the device inside has guards; they are looked at in the end."""
    if not isinstance(device.allocate(1).address, int):
        yield
        return
    memory = GuardedMemory(device)
    device.allocate = memory.allocate
    try:
        yield
    finally:
        del device.allocate
    memory.check()
