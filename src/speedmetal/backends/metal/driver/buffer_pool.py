"""Device memory: Metal buffers, kept for reuse, and the host's views of them.

Who owns what: an :class:`Allocation` holds a :class:`BufferBlock`, one ``MTLBuffer``, for as long
as an array or a NumPy view of it lives. NumPy's views are made through its array interface, so that
each has the allocation as its base: ``contents()`` alone keeps nothing alive. When the last of them
goes, the block returns to its :class:`BufferPool` (:mod:`speedmetal.backends.pool` has the rules).

**When a block may be used again.** Launches run later than they are asked for, and the host may
write to a new array at once. So a block that comes back carries, for each queue, the number of the
last batch that could have used it (``Queue.last_serial`` at that moment: everything asked of the
queue so far), and waits in line until the queues have finished these. Reading these numbers is
atomic and takes no lock, so that finalisers may do it.

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

from speedmetal.backends.forks import ForkedLock
from speedmetal.backends.metal.driver.bridge import Bridge
from speedmetal.backends.metal.driver.queue import Queue
from speedmetal.backends.pool import Block, CachingPool, size_class
from speedmetal.errors import DeviceError, UnknownNameError

Bytes = np.ndarray[Any, np.dtype[np.uint8]]

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


class BufferBlock(Block):
    """One ``MTLBuffer``.

    Args:
        resource: The ``MTLBuffer`` itself.
        address: The address of its bytes in the host's memory; 0 where the host has none.
        capacity_bytes: Its length.
        storage: Its storage mode.
        kept: The host's memory behind a buffer without a copy, which must live as long; such a
            block counts for nothing and is never reused.

    Attributes:
        serials: For each queue, the number of the last batch that could have used it, once it came
            back.
    """

    __slots__ = ("address", "kept", "resource", "serials", "storage")

    serials: tuple[int, ...]

    def __init__(
        self,
        resource: Any,
        address: int,
        capacity_bytes: int,
        storage: Storage,
        kept: object = None,
    ) -> None:
        key = (storage, capacity_bytes) if kept is None else None
        super().__init__(key, capacity_bytes if kept is None else 0)
        self.resource = resource
        self.address = address
        self.storage = storage
        self.kept = kept


class Allocation:
    """The owner of a block, which returns to the pool when the owner is freed.

    NumPy takes it for an array of bytes, where the host sees them.
    """

    __slots__ = ("__array_interface__", "__weakref__", "_pool", "block")

    __array_interface__: dict[str, Any]

    def __init__(self, block: BufferBlock, size_bytes: int, pool: BufferPool) -> None:
        self.block = block
        self._pool = pool
        if block.address:
            self.__array_interface__ = {
                "version": 3,
                "shape": (size_bytes,),
                "typestr": "|u1",
                "data": (block.address, False),
            }

    def __del__(self) -> None:
        self.block.serials = self._pool.last_serials()
        self._pool.returned.append(self.block)

    def view(self) -> Bytes:
        """The host's bytes; the array keeps this object alive."""
        return np.asarray(self)


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


class BufferPool(CachingPool[tuple[Storage, int], BufferBlock]):
    """The buffers of one device. Safe to use from several threads.

    Args:
        bridge: The way to Metal.
        device: The ``MTLDevice``.
        queues: Of the device; may grow.
        name: Of the device, for messages.
        policy: How it makes blocks.
    """

    runs_later = True

    def __init__(
        self,
        bridge: Bridge,
        device: Any,
        queues: list[Queue],
        name: str,
        policy: Policy,
    ) -> None:
        super().__init__(
            reuses=policy.reuses, bytes_allowed=int(device.recommendedMaxWorkingSetSize())
        )
        metal = bridge.Metal
        self._options = {
            Storage.SHARED: metal.MTLResourceStorageModeShared,
            Storage.PRIVATE: metal.MTLResourceStorageModePrivate,
            Storage.MANAGED: metal.MTLResourceStorageModeManaged,
        }
        self._bridge = bridge
        self._device = device
        self._queues = queues
        self._name = name
        self._capacity_of = policy.capacity_of
        self._longest = int(device.maxBufferLength())

    # --- Making --------------------------------------------------------------------------------

    def allocate(self, size_bytes: int, mode: Storage, *, is_array: bool = False) -> Allocation:
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
        block = self.take((mode, capacity), capacity, counted)
        if block is None:
            # What was returned is of use only when the GPU has finished with it.
            for queue in self._queues:
                queue.finish()
            block = self.take((mode, capacity), capacity, counted)
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

    def wrap(self, host: Bytes) -> Allocation | None:
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
        return DeviceError(
            f"{self._name} has no memory for {size_bytes} bytes: {held.bytes_in_use} bytes are in"
            f" use by arrays{limit}; delete some arrays (their views keep them alive), use smaller"
            " ones, or process the data in parts"
        )

    # --- Waiting for the GPU -------------------------------------------------------------------

    def last_serials(self) -> tuple[int, ...]:
        """For each queue, the number of the last batch that was asked of it."""
        return tuple([queue.last_serial for queue in self._queues])

    def waits(self, block: BufferBlock) -> bool:
        # What is used on the GPU alone, whose only queue keeps the order, need not wait.
        return block.storage is not Storage.PRIVATE or len(self._queues) > 1

    def poll(self) -> None:
        for queue in self._queues:
            queue.poll()

    def is_over(self, block: BufferBlock) -> bool:
        # A queue that came later than the block was returned cannot have used it.
        return all(
            queue.completed_serial >= serial
            for queue, serial in zip(self._queues, block.serials, strict=False)
        )

    def renew_in_child(self) -> None:
        """Refuse any use from now on."""
        self.lock = ForkedLock(self._name)


def _host_address(resource: Any, size_bytes: int) -> int:
    view = np.frombuffer(resource.contents().as_buffer(size_bytes), np.uint8)
    return int(view.__array_interface__["data"][0])
