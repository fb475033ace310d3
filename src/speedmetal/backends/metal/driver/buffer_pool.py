"""Device memory: Metal buffers, kept for reuse, and the host's views of them.

A block is one ``MTLBuffer``; :mod:`speedmetal.backends.stream_pool` says who owns it, and when it
may be used again. The host's views keep it alive: ``contents()`` alone keeps nothing alive.

**One array, one buffer.** Arrays do not share Metal buffers, not even small ones: an access outside
an array is then outside its buffer, which Metal's validation and the simulator can see.
"""

from __future__ import annotations

import enum
import mmap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from speedmetal.backends.metal.driver.bridge import Bridge
from speedmetal.backends.metal.driver.queue import Queue
from speedmetal.backends.pool import size_class
from speedmetal.backends.stream_pool import Allocation, Bytes, StreamBlock, StreamPool
from speedmetal.errors import DeviceError, OutOfMemoryError, UnknownNameError

COPY_ALIGNMENT_BYTES = 4
"""Sizes and offsets of copies between buffers are multiples of it on macOS."""


class Storage(enum.Enum):
    """Where a buffer lives; the names are Metal's."""

    SHARED = "shared"
    """One memory for host and GPU."""
    PRIVATE = "private"
    """The GPU's alone; the host copies."""
    MANAGED = "managed"
    """A copy on each side, for GPUs with memory of their own."""


_storage: ContextVar[Storage] = ContextVar("storage", default=Storage.SHARED)


@contextmanager
def storage(mode: str) -> Iterator[None]:
    """Choose where new arrays on Metal devices live, inside a ``with`` block.

    Args:
        mode: ``"shared"``, ``"private"`` or ``"managed"``.

    Raises:
        UserInputError: It is none of them.

    Example:
        >>> with storage("private"):
        ...     current_storage().value
        'private'
    """
    modes = [known.value for known in Storage]
    if mode not in modes:
        raise UnknownNameError("storage mode", str(mode), modes)
    token = _storage.set(Storage(mode))
    try:
        yield
    finally:
        _storage.reset(token)


def current_storage() -> Storage:
    """The storage mode of new arrays."""
    return _storage.get()


class BufferBlock(StreamBlock):
    """One ``MTLBuffer``.

    Args:
        resource: The ``MTLBuffer`` itself.
        host_address: The address of its bytes in the host's memory; 0 where the host has none.
        capacity_bytes: Its length.
        storage: Its storage mode.
        kept: The host's memory behind a buffer without a copy, which must live as long; such a
            block counts for nothing and is never reused.
    """

    __slots__ = ("kept", "resource", "storage")

    def __init__(
        self,
        resource: Any,
        host_address: int,
        capacity_bytes: int,
        storage: Storage,
        kept: object = None,
    ) -> None:
        key = (storage, capacity_bytes) if kept is None else None
        super().__init__(key, capacity_bytes if kept is None else 0, host_address)
        self.resource = resource
        self.storage = storage
        self.kept = kept


@dataclass(frozen=True, slots=True)
class Policy:
    """How a pool makes blocks.

    Args:
        capacity_of: Rounds sizes up.
        reuses: Whether returned blocks are kept for later arrays.
    """

    capacity_of: Callable[[int], int]
    reuses: bool


def exact_size(size_bytes: int) -> int:
    """So many bytes and not one more; Metal has no buffers of none."""
    return max(size_bytes, 1)


CACHING = Policy(size_class, reuses=True)
"""For speed: making a buffer costs far more than a launch."""

EXACT = Policy(exact_size, reuses=False)
"""For the simulator: it fills new buffers with a pattern, and sees any access beyond their end."""


class BufferPool(StreamPool[tuple[Storage, int], BufferBlock]):
    """The buffers of one device. Safe to use from several threads.

    Args:
        bridge: The way to Metal.
        device: The ``MTLDevice``.
        queues: Of the device; may grow.
        name: Of the device, for messages.
        policy: How it makes blocks.
    """

    def __init__(
        self,
        bridge: Bridge,
        device: Any,
        queues: list[Queue],
        name: str,
        policy: Policy,
    ) -> None:
        super().__init__(
            name,
            queues,
            reuses=policy.reuses,
            bytes_allowed=int(device.recommendedMaxWorkingSetSize()),
        )
        metal = bridge.Metal
        self._options = {
            Storage.SHARED: metal.MTLResourceStorageModeShared,
            Storage.PRIVATE: metal.MTLResourceStorageModePrivate,
            Storage.MANAGED: metal.MTLResourceStorageModeManaged,
        }
        self._bridge = bridge
        self._device = device
        self._capacity_of = policy.capacity_of
        self._longest = int(device.maxBufferLength())

    # --- Making --------------------------------------------------------------------------------

    def allocate(
        self, size_bytes: int, mode: Storage, *, is_array: bool = False
    ) -> Allocation[BufferBlock]:
        """A block of at least so many bytes, of undefined content, that nothing else uses.

        Args:
            size_bytes: How many.
            mode: Where.
            is_array: Whether it counts as an array's in :meth:`info`.

        Raises:
            DeviceError: There is not that much memory.
        """
        if size_bytes > self._longest:
            raise DeviceError(
                f"{self._name}: an array of {size_bytes} bytes is larger than the longest buffer"
                f" of this GPU, {self._longest} bytes; use several smaller arrays"
            )
        capacity = self._capacity_of(size_bytes)
        if mode is not Storage.SHARED:
            capacity = -(-capacity // COPY_ALIGNMENT_BYTES) * COPY_ALIGNMENT_BYTES
        capacity = min(capacity, self._longest)
        counted = size_bytes if is_array else None
        block = self.take_or_wait((mode, capacity), capacity, counted)
        if block is None:
            raise self._out_of_memory(size_bytes)
        return Allocation(block, size_bytes, self)

    def make(self, key: tuple[Storage, int], capacity_bytes: int) -> BufferBlock | None:
        mode, _ = key
        with self._bridge.objc.autorelease_pool():
            options = self._options[mode]
            resource = self._device.newBufferWithLength_options_(capacity_bytes, options)
            if resource is None:
                return None
            address = 0 if mode is Storage.PRIVATE else _host_address(resource, capacity_bytes)
        return BufferBlock(resource, address, capacity_bytes, mode)

    def wrap(self, host: Bytes) -> Allocation[BufferBlock] | None:
        """A buffer on memory of the host, without a copy; None where Metal cannot do that.

        Metal takes whole pages, from the first byte of one.

        Args:
            host: Writable bytes, kept alive until the GPU has finished with them.
        """
        address = int(host.__array_interface__["data"][0])
        is_paged = not address % mmap.PAGESIZE and not host.nbytes % mmap.PAGESIZE
        if not is_paged or not 0 < host.nbytes <= self._longest or not host.flags.writeable:
            return None
        with self.lock, self._bridge.objc.autorelease_pool():
            self.collect()
            resource = self._device.newBufferWithBytesNoCopy_length_options_deallocator_(
                host, host.nbytes, self._options[Storage.SHARED], None
            )
        if resource is None:
            return None
        block = BufferBlock(resource, address, host.nbytes, Storage.SHARED, host)
        return Allocation(block, host.nbytes, self)

    def _out_of_memory(self, size_bytes: int) -> DeviceError:
        held = self.held()
        limit = (
            f" of {held.bytes_allowed} that the GPU should hold at most"
            if held.bytes_allowed
            else ""
        )
        return OutOfMemoryError(
            f"{self._name} has no memory for {size_bytes} bytes: {held.bytes_in_use} bytes are in"
            f" use by arrays{limit}; delete some arrays (their views keep them alive), use smaller"
            " ones, or process the data in parts"
        )

    def is_seen_by_host(self, block: BufferBlock) -> bool:
        return block.storage is not Storage.PRIVATE


def _host_address(resource: Any, size_bytes: int) -> int:
    view = np.frombuffer(resource.contents().as_buffer(size_bytes), np.uint8)
    return int(view.__array_interface__["data"][0])
