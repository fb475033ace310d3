"""The CPU's memory: blocks of the host, kept for reuse.

Small blocks are NumPy's. Large ones are mappings of their own that begin at a huge page, so that
the system has few pages to fill, and none when the block is used again. While a large block lies
idle, Linux may take its pages away when memory is short for anybody; who uses it next cannot tell.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from functools import cache, lru_cache
from typing import Any

import numpy as np

from speedmetal.backends.cpu.address import address_of
from speedmetal.backends.device import Buffer, Device
from speedmetal.backends.pool import Block, CachingPool, size_class

ALIGNMENT_BYTES = 64
"""Of every allocation: a cache line, and the widest vector register (AVX-512)."""

HUGE_PAGE_BYTES = 2 << 20
"""Of x86-64, and of arm64 with pages of 4 KiB. Blocks from here on are mappings of their own."""

IDLE_FLOOR_BYTES = 256 << 20
"""So much may be idle however little arrays have used; but see `IDLE_SHARE`."""

IDLE_SHARE = 4
"""At most this part of the machine's memory, a quarter, is idle."""

_UNKNOWN_MEMORY_BYTES = 4 << 30
"""Taken for the machine's memory where the system does not tell."""

CHECKED_FROM_BYTES = 256 << 20
"""Blocks from here on are held against what the machine has left: the system would promise them all
the same, and swap, or kill, when they are written to."""

MEMORY_STATE = "/proc/meminfo"
"""Linux's."""

HUGE_PAGE_SETTING = "/sys/kernel/mm/transparent_hugepage/enabled"
"""Linux's; the choice stands in brackets."""


@lru_cache(maxsize=1024)
def capacity_of(size_bytes: int) -> int:
    """The capacity of a block of the CPU: whole cache lines, from 32 KiB on whole pages of 4 KiB.

    >>> [capacity_of(n) for n in (0, 65, 1000, 33_000, 64 << 20)]
    [64, 128, 1024, 36864, 67108864]
    """
    return size_class(size_bytes, ALIGNMENT_BYTES, ALIGNMENT_BYTES)


class HostBlock(Block):
    """Memory of the host.

    Args:
        owner: What gives it back when it goes.
        address: Of the first byte.
        capacity_bytes: Its length.
    """

    __slots__ = ("address", "owner")

    is_zeroed_first = False
    """Whether all its bytes are zero while it is fresh."""

    def __init__(self, owner: object, address: int, capacity_bytes: int) -> None:
        super().__init__(capacity_bytes, capacity_bytes)
        self.owner = owner
        self.address = address


class MappedBlock(HostBlock):
    """Whole pages from the system, huge ones where it has them."""

    __slots__ = ("_huge_bytes", "_start")

    is_zeroed_first = True
    owner: mmap.mmap

    def __init__(self, capacity_bytes: int) -> None:
        huge_bytes = capacity_bytes - capacity_bytes % HUGE_PAGE_BYTES if _has_huge_pages() else 0
        # As much longer as it takes to begin at a huge page; what is beside the block is not used.
        length = capacity_bytes + (HUGE_PAGE_BYTES if huge_bytes else 0)
        mapping = mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANON)
        begin = address_of(np.frombuffer(mapping, np.uint8))
        self._start = -begin % HUGE_PAGE_BYTES if huge_bytes else 0
        self._huge_bytes = huge_bytes
        super().__init__(mapping, begin + self._start, capacity_bytes)
        if huge_bytes:
            self._advise(mmap.MADV_HUGEPAGE)

    def rest(self) -> None:
        """Let the system have the huge pages if it needs them before they are written again."""
        if self._huge_bytes:
            self._advise(mmap.MADV_FREE)

    def _advise(self, advice: int) -> None:
        with contextlib.suppress(OSError):  # it is advice; not all memory can take it
            self.owner.madvise(advice, self._start, self._huge_bytes)


class HostBuffer(Buffer):
    """A block in use, which goes back to its pool with this object.

    NumPy takes it for an array of bytes, and what NumPy makes of it keeps it alive.
    """

    __slots__ = ()

    owner: HostBlock

    def __init__(self, device: Device, block: HostBlock, size_bytes: int) -> None:
        self.device = device
        self.address = block.address
        self.size_bytes = size_bytes
        self.owner = block

    def __del__(self) -> None:
        self.device.pool.returned.append(self.owner)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return {
            "version": 3,
            "shape": (self.size_bytes,),
            "typestr": "|u1",
            "data": (self.address, False),
        }

    @property
    def is_shared(self) -> bool:
        return True

    @property
    def host(self) -> np.ndarray[Any, Any]:
        """Made for each reader: were it kept here, both would keep each other alive."""
        return np.asarray(self)

    @property
    def is_zeroed(self) -> bool:
        return self.owner.is_fresh and self.owner.is_zeroed_first


class NumpyBuffer(Buffer):
    """The memory of a NumPy array in C order, which is kept alive.

    Args:
        device: The CPU.
        array: Of one element or more.
    """

    __slots__ = ()

    owner: np.ndarray[Any, Any]

    def __init__(self, device: Device, array: np.ndarray[Any, Any]) -> None:
        self.device = device
        self.address = address_of(array)
        self.size_bytes = array.nbytes
        self.owner = array

    @property
    def is_shared(self) -> bool:
        return True

    @property
    def host(self) -> np.ndarray[Any, Any]:
        """Made for each reader: few ask, and it takes longer than all else about the buffer."""
        return self.owner.reshape(-1).view(np.uint8)


class HostPool(CachingPool[int, HostBlock]):
    """The CPU's memory.

    As much may be idle as arrays have had at once, at least `IDLE_FLOOR_BYTES`, but no more than a
    quarter of the machine's memory.
    """

    rests_from = HUGE_PAGE_BYTES

    def make(self, key: int, capacity_bytes: int) -> HostBlock | None:  # noqa: ARG002 - equal
        if capacity_bytes >= CHECKED_FROM_BYTES and capacity_bytes > available_bytes():
            return None
        try:
            if capacity_bytes >= HUGE_PAGE_BYTES:
                return MappedBlock(capacity_bytes)
            return _numpys_block(capacity_bytes)
        except (MemoryError, OSError, OverflowError):  # the last: beyond what an address can say
            return None

    def rest(self, block: HostBlock) -> None:
        assert isinstance(block, MappedBlock)
        block.rest()

    def idle_limit(self, peak_bytes: int) -> float:
        # Blocks are up to an eighth longer than what they are for.
        wanted = max(peak_bytes + peak_bytes // 8, IDLE_FLOOR_BYTES)
        return min(wanted, _machine_bytes() // IDLE_SHARE)


def _numpys_block(capacity_bytes: int) -> HostBlock:
    memory = np.empty(capacity_bytes + ALIGNMENT_BYTES, np.uint8)
    begin = address_of(memory)
    return HostBlock(memory, begin + -begin % ALIGNMENT_BYTES, capacity_bytes)


@cache
def _has_huge_pages() -> bool:
    """Whether a mapping can have them: on Linux, unless they are switched off."""
    if not hasattr(mmap, "MADV_HUGEPAGE") or not hasattr(mmap, "MADV_FREE"):
        return False
    with contextlib.suppress(OSError), open(HUGE_PAGE_SETTING) as setting:  # noqa: PTH123 - without pathlib
        return "[never]" not in setting.read()
    return False


def available_bytes() -> int:
    """What the machine can give without swapping, as far as it says: on Linux ``MemAvailable``.

    Elsewhere all of its memory. Others may take of it at any time.
    """
    with contextlib.suppress(OSError, ValueError), open(MEMORY_STATE) as state:  # noqa: PTH123 - without pathlib
        for line in state:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return _machine_bytes()


@cache
def _machine_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return _UNKNOWN_MEMORY_BYTES
