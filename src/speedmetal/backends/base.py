"""The contract of a device, and the records that all of them share.

What a device **must** do stands in :class:`Device`. Who owns what:

* A :class:`Buffer` owns its memory through ``owner``; whoever holds the buffer, or a host view of
  it, keeps the memory alive, and it is freed when the last of them goes. Nobody frees by hand.
* A device outlives its buffers: there is one object for each device in a process.
"""

from __future__ import annotations

import threading
import weakref
from abc import ABC, abstractmethod
from collections import deque
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Self

import numpy as np

from speedmetal.dtypes import DType


@dataclass(frozen=True, slots=True)
class DeviceLimits:
    """What one launch may ask of a device.

    Args:
        threads_per_threadgroup: Greatest product of a threadgroup's three sizes.
        threadgroup_memory_bytes: Greatest sum of a threadgroup's arrays.
        grid_size: Greatest number of threads along one axis.
    """

    threads_per_threadgroup: int = 1024
    threadgroup_memory_bytes: int = 32768
    grid_size: int = 2**32 - 1


@dataclass(frozen=True, slots=True)
class MemoryInfo:
    """Memory that speedmetal has allocated on a device.

    Memory of others that an array merely views (a NumPy array, a tensor) does not count.

    Args:
        bytes_in_use: Held by live arrays, and by views that others have of them.
        peak_bytes: The most that was ever in use.
        allocations: How many were made since the process began.
    """

    bytes_in_use: int
    peak_bytes: int
    allocations: int


class MemoryLedger:
    """Counts the allocations of one device. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Finalisers run anywhere, in the middle of the methods below as well: all they do is to
        # append here, which is atomic and takes no lock.
        self._freed: deque[int] = deque()
        self._in_use = self._peak = self._allocations = 0

    def record(self, owner: object, size_bytes: int) -> None:
        """Count ``size_bytes`` as in use for as long as ``owner`` lives."""
        weakref.finalize(owner, self._freed.append, size_bytes).atexit = False
        with self._lock:
            self._subtract_freed()
            self._allocations += 1
            self._in_use += size_bytes
            self._peak = max(self._peak, self._in_use)

    def info(self) -> MemoryInfo:
        with self._lock:
            self._subtract_freed()
            return MemoryInfo(self._in_use, self._peak, self._allocations)

    def _subtract_freed(self) -> None:
        while self._freed:
            self._in_use -= self._freed.popleft()


@dataclass(frozen=True, slots=True, eq=False)
class Buffer:
    """A stretch of a device's memory.

    Args:
        device: Where it is.
        address: Of its first byte, as kernels see it.
        size_bytes: Its length.
        owner: What keeps the memory alive.
        host: The bytes as a NumPy array, where the device shares the host's memory; else None.
    """

    device: Device
    address: int
    size_bytes: int
    owner: object
    host: np.ndarray[Any, Any] | None


@dataclass(frozen=True, slots=True, eq=False)
class ArrayLayout:
    """All that a launch must know of an array besides its address. Compared by identity.

    Args:
        dtype: Of its elements.
        shape: Extents.
        strides: Distances of neighbours along each axis, in bytes.
        device: Where it lives.
        is_readonly: Whether kernels may not write to it.
    """

    dtype: DType
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    device: Device
    is_readonly: bool


class DeviceArray:
    """What a launch sees of an array: the base of :class:`speedmetal.Array`.

    Attributes:
        address: Of the first element, as kernels see it.
        layout: Everything else.
    """

    __slots__ = ("address", "layout")

    address: int
    layout: ArrayLayout


# Arrays of the same layout share one object, so that a launch compares and hashes layouts in no
# time. A layout that was forgotten here costs the next launch a little more, nothing else.
layout_of = lru_cache(maxsize=4096)(ArrayLayout)
"""The one layout with these values."""


_entered: ContextVar[tuple[Device, ...]] = ContextVar("entered_devices", default=())


def entered_device() -> Device | None:
    """The device of the innermost ``with device:`` of this thread or task, if there is one."""
    entered = _entered.get()
    return entered[-1] if entered else None


class Device(ABC):
    """A place where kernels run, with memory of its own or the host's.

    A device is a context manager: inside ``with device:`` new arrays are made on it.

    A device **must** define everything abstract here, and ``limits`` from a query or a named
    source.
    It **may** run kernels and copies later than they are asked for, in the order of asking; then
    ``synchronize`` waits for all of them.
    """

    name: str
    """What the user writes: ``"cpu"``."""
    kind: str
    """Of the backend: ``"cpu"``, ``"cuda"`` or ``"metal"``."""
    shares_host_memory: bool
    """Whether the host reads and writes the same bytes, without copies."""
    limits: DeviceLimits

    def __init__(self) -> None:
        self.ledger = MemoryLedger()

    @cached_property
    @abstractmethod
    def description(self) -> str:
        """The maker's name of it, for people."""

    @abstractmethod
    def allocate(self, size_bytes: int) -> Buffer:
        """New memory of undefined content, aligned for every vector instruction of the device.

        It **must** be recorded in ``ledger`` and be freed with the buffer's last owner.

        Raises:
            DeviceError: The device has not that much.
        """

    @abstractmethod
    def copy_from_host(self, source: np.ndarray[Any, Any], target: Buffer) -> None:
        """Fill ``target`` with the bytes of ``source``, which is contiguous and of that size."""

    @abstractmethod
    def copy_to_host(self, source: Buffer, target: np.ndarray[Any, Any]) -> None:
        """Fill ``target``, which is contiguous and of that size; it is complete at return."""

    @abstractmethod
    def synchronize(self) -> None:
        """Wait until everything asked of the device is done.

        Raises:
            KernelError: A kernel failed since the last call.
        """

    def memory_info(self) -> MemoryInfo:
        """What speedmetal has allocated here."""
        return self.ledger.info()

    def __enter__(self) -> Self:
        _entered.set((*_entered.get(), self))
        return self

    def __exit__(self, *_: object) -> None:
        _entered.set(_entered.get()[:-1])

    def __repr__(self) -> str:
        return f"<device {self.name}: {self.description}>"
