"""Device memory: Metal buffers, kept for reuse, and the host's views of them.

Who owns what: an :class:`Allocation` holds a :class:`Block`, one ``MTLBuffer``, for as long as an
array or a NumPy view of it lives. NumPy's views are made through its array interface, so that each
has the allocation as its base: ``contents()`` alone keeps nothing alive. When the last of them
goes, the block returns to its :class:`Pool`.

**When a block may be used again.** Launches run later than they are asked for, and the host may
write to a new array at once. So a block that comes back carries, for each queue, the number of the
last batch that could have used it (``Queue.last_serial`` at that moment: everything asked of the
queue so far), and waits in line until the queues have finished these. Finalisers run on any thread,
in the middle of anything: all they do is to read these numbers and to append to a deque, both
atomic and without a lock.

**One array, one buffer.** Arrays do not share Metal buffers, not even small ones: an access outside
an array is then outside its buffer, which Metal's validation and the simulator can see.
"""

from __future__ import annotations

import enum
import mmap
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from speedmetal.backends.metal.driver.bridge import Bridge
from speedmetal.backends.metal.driver.queue import Queue
from speedmetal.errors import DeviceError, UnknownNameError

Bytes = np.ndarray[Any, np.dtype[np.uint8]]

SMALLEST_BYTES = 256
"""The least capacity."""

_STEPS_PER_DOUBLING = 8
"""Size classes between a power of two and the next: at most an eighth of a block is not used."""

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


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One ``MTLBuffer``.

    Args:
        resource: It.
        address: Of its bytes in the host's memory; 0 where the host has none.
        capacity_bytes: Its length.
        storage: Its storage mode.
        kept: What must live as long; the host's memory behind a buffer without a copy.
    """

    resource: Any
    address: int
    capacity_bytes: int
    storage: Storage
    kept: object = None


_Returned = tuple[Block, tuple[int, ...]]
"""A block, and for each queue the number of the last batch that could have used it."""


class Allocation:
    """The owner of a block: it returns to the pool when this goes.

    NumPy takes it for an array of bytes, where the host sees them.
    """

    __slots__ = ("__array_interface__", "__weakref__", "_queues", "_returned", "block")

    __array_interface__: dict[str, Any]

    def __init__(
        self, block: Block, size_bytes: int, queues: Sequence[Queue], returned: deque[_Returned]
    ) -> None:
        self.block = block
        self._queues = queues
        self._returned = returned
        if block.address:
            self.__array_interface__ = {
                "version": 3,
                "shape": (size_bytes,),
                "typestr": "|u1",
                "data": (block.address, False),
            }

    def __del__(self) -> None:
        self._returned.append((self.block, tuple([q.last_serial for q in self._queues])))

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


@dataclass(frozen=True, slots=True)
class PoolInfo:
    """What a pool holds.

    Args:
        bytes_in_use: In blocks of live arrays, with what is rounded up.
        bytes_cached: In blocks that wait for reuse.
        bytes_allowed: The most that both together may be; 0: no limit is known.
    """

    bytes_in_use: int
    bytes_cached: int
    bytes_allowed: int


def size_class(size_bytes: int) -> int:
    """The capacity of a block for so many bytes.

    Example:
        >>> [size_class(n) for n in (0, 256, 257, 5000, 1_000_000)]
        [256, 256, 288, 5120, 1048576]
    """
    if size_bytes <= SMALLEST_BYTES:
        return SMALLEST_BYTES
    step = (1 << (size_bytes - 1).bit_length() - 1) // _STEPS_PER_DOUBLING
    return -(-size_bytes // step) * step


def exact_size(size_bytes: int) -> int:
    """So many bytes and not one more; Metal has no buffers of none."""
    return max(size_bytes, 1)


CACHING = Policy(size_class, reuses=True)
"""For speed: making a buffer costs far more than a launch."""

EXACT = Policy(exact_size, reuses=False)
"""For the simulator: it fills new buffers with a pattern, and sees any access beyond their end."""


class Pool:
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
        self._policy = policy
        self.lock: Any = threading.RLock()
        self._allowed = int(device.recommendedMaxWorkingSetSize())
        self._longest = int(device.maxBufferLength())
        self._free: dict[tuple[Storage, int], list[Block]] = {}
        self._returned: deque[_Returned] = deque()  # appended to by finalisers
        self._retired: deque[_Returned] = deque()  # perhaps still in use on the GPU
        self._resident = 0  # bytes of all blocks, in use or not
        self._cached = 0  # of those, returned ones

    # --- Making and reusing --------------------------------------------------------------------

    def allocate(self, size_bytes: int, mode: Storage) -> Allocation:
        """A block of at least so many bytes, of undefined content, that nothing else uses.

        Raises:
            DeviceError: There is not that much memory.
        """
        if size_bytes > self._longest:
            raise DeviceError(
                f"{self._name}: an array of {size_bytes} bytes is larger than the longest buffer"
                f" of this GPU, {self._longest} bytes; use several smaller arrays"
            )
        capacity = self._policy.capacity_of(size_bytes)
        if mode is not Storage.SHARED:
            capacity = -(-capacity // COPY_ALIGNMENT_BYTES) * COPY_ALIGNMENT_BYTES
        capacity = min(capacity, self._longest)
        block = self._taken_or_made(capacity, mode)
        if block is None:
            # What was returned is of use only when the GPU has finished with it.
            for queue in self._queues:
                queue.finish()
            block = self._taken_or_made(capacity, mode)
        if block is None:
            raise self._out_of_memory(size_bytes)
        return Allocation(block, size_bytes, self._queues, self._returned)

    def _taken_or_made(self, capacity: int, mode: Storage) -> Block | None:
        with self.lock:
            self.collect()
            free = self._free.get((mode, capacity))
            if free:
                self._cached -= capacity
                return free.pop()
            if self._allowed and self._resident + capacity > self._allowed:
                self.trim()
                if self._resident + capacity > self._allowed:
                    return None
            block = self._made(capacity, mode)
            if block is None:
                self.trim()
                block = self._made(capacity, mode)
            return block

    def _made(self, capacity: int, mode: Storage) -> Block | None:
        with self._bridge.objc.autorelease_pool():
            options = self._options[mode]
            resource = self._device.newBufferWithLength_options_(capacity, options)
            if resource is None:
                return None
            address = 0 if mode is Storage.PRIVATE else _host_address(resource, capacity)
        self._resident += capacity
        return Block(resource, address, capacity, mode)

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
        block = Block(resource, address, 0, Storage.SHARED, host)
        return Allocation(block, host.nbytes, self._queues, self._returned)

    # --- Returning -----------------------------------------------------------------------------

    def collect(self) -> None:
        """Make returned blocks free whose last use is over."""
        with self.lock:
            while self._returned:
                block, serials = self._returned.popleft()
                self._cached += block.capacity_bytes
                if block.storage is Storage.PRIVATE and len(self._queues) == 1:
                    self._release(block)  # used on the GPU alone, whose queue keeps the order
                else:
                    self._retired.append((block, serials))
            if not self._retired:
                return
            for queue in self._queues:
                queue.poll()
            while self._retired and self._is_over(self._retired[0][1]):
                self._release(self._retired.popleft()[0])

    def _release(self, block: Block) -> None:
        if self._policy.reuses and block.kept is None:
            self._free.setdefault((block.storage, block.capacity_bytes), []).append(block)
        else:
            self._resident -= block.capacity_bytes
            self._cached -= block.capacity_bytes

    def _is_over(self, serials: tuple[int, ...]) -> bool:
        # A queue that came later than the block was returned cannot have used it.
        return all(
            queue.completed_serial >= serial
            for queue, serial in zip(self._queues, serials, strict=False)
        )

    def trim(self) -> None:
        """Give all blocks that nothing uses back to the system."""
        with self.lock:
            self.collect()
            freed = sum(b.capacity_bytes for blocks in self._free.values() for b in blocks)
            self._free.clear()
            self._resident -= freed
            self._cached -= freed

    def info(self) -> PoolInfo:
        """What the pool holds now."""
        with self.lock:
            self.collect()
            return PoolInfo(self._resident - self._cached, self._cached, self._allowed)

    def _out_of_memory(self, size_bytes: int) -> DeviceError:
        held = self.info()
        limit = (
            f" of {held.bytes_allowed} that the GPU should hold at most" if self._allowed else ""
        )
        return DeviceError(
            f"{self._name} has no memory for {size_bytes} bytes: {held.bytes_in_use} bytes are in"
            f" use by arrays{limit}; delete some arrays (their views keep them alive), use smaller"
            " ones, or process the data in parts"
        )


def _host_address(resource: Any, size_bytes: int) -> int:
    view = np.frombuffer(resource.contents().as_buffer(size_bytes), np.uint8)
    return int(view.__array_interface__["data"][0])
