"""The GPU's memory, and the host's that it copies from: blocks from the driver, kept for reuse.

One stream does everything in the order of asking, so a block of the GPU that came back can be used
again at once. What the host writes to waits for the copies out of it. While a thread works in
another library's stream (:mod:`speedmetal.backends.cuda.driver.foreign_streams`), a block waits
until all streams are done with it, unless who asks for memory comes behind them anyway: alone, a
thread does.

**Lent.** Other libraries take arrays where they are, and use them in streams of theirs. When the
last of both has let go of such a block, ours waits by an event for the stream that it was lent to.
That must be a default stream, which is there always: others may be gone by then, and the driver
answers a question after such a one by ending the process. For them, and where no stream was named,
the event is one of all that the GPU was asked for; while something is captured there is none, and
where the driver has none ever, the block goes back to the driver, which waits for all as well.

**Borrowed.** When ours lets go of another library's memory, that goes back to an allocator which
knows of that library's streams alone, and may use it again at once. So we let go when our launches
are done, which the host sees when it next looks (when memory is made, or borrowed, or something
waits); where everything ran in that library's own stream, at once. What CuPy does, to let go at
once always, is right for programs alone that run everything in one stream; and to have the other
library's stream wait is impossible: DLPack does not say which it is, nor may finalisers ask the
driver for anything.
"""

from __future__ import annotations

import ctypes
from abc import abstractmethod
from typing import Any, cast

import numpy as np

from speedmetal.backends.cuda.driver.context import Context
from speedmetal.backends.cuda.driver.library import OUT_OF_MEMORY, CudaError
from speedmetal.backends.cuda.driver.ordering import DEFAULT_STREAMS, Ordering
from speedmetal.backends.cuda.driver.stream import CudaStream
from speedmetal.backends.pool import size_class
from speedmetal.backends.stream_pool import Allocation, StreamBlock, StreamPool
from speedmetal.errors import DeviceError

IDLE_FLOOR_BYTES = 256 << 20
"""So much may be idle however little arrays have used."""

STAGING_BYTES = 4 << 20
"""Up to so many bytes are copied through page-locked memory, without waiting."""

_MUCH_WAITING = 4 << 20
_EACH_WAITING = _MUCH_WAITING // 16
"""So many bytes of other libraries, or 16 pieces, may wait for our launches before somebody looks
whether these are done, which takes as long as a launch."""

_APART = -1
"""The key of what no idle block is taken for."""

_IDLE_STAGING_BYTES = 64 << 20
_STAGING_STEP_BYTES = 4096


class DeviceBlock(StreamBlock):
    """Memory of the GPU, or of the host, page-locked.

    Args:
        address: Of its first byte.
        capacity_bytes: Its length.
        host_address: The same, where it is the host's; else 0.
    """

    __slots__ = ("address", "lent_to")

    def __init__(self, address: int, capacity_bytes: int, host_address: int) -> None:
        super().__init__(capacity_bytes, capacity_bytes, host_address)
        self.address = address
        self.lent_to: frozenset[int] = frozenset()  # streams, by their numbers; 0 is any

    weight = 0
    """Of what another library waits for."""

    def has(self, address: int) -> bool:
        """Whether an address lies in it."""
        return self.address <= address < self.address + self.capacity_bytes


class BorrowedBlock(DeviceBlock):
    """Memory of another library, which is never another array's, and counts as nobody's.

    Args:
        address: Of its first byte.
        size_bytes: Its length.
        lender: What keeps it alive.
        stream: That library's, where the array was made in it; else None.
        known: Those that were not let go, by their `id`.
    """

    __slots__ = ("_known", "_native", "_size_bytes", "_stream", "lender")

    def __init__(
        self,
        address: int,
        size_bytes: int,
        lender: object,
        stream: CudaStream | None,
        known: dict[int, BorrowedBlock],
    ) -> None:
        super().__init__(address, 0, 0)
        self.key = None
        self.lender: object = lender
        self._size_bytes = size_bytes
        self._stream = stream
        self._native = None if stream is None else stream.native
        self._known = known
        known[id(self)] = self

    @property
    def weight(self) -> int:  # type: ignore[override]
        """In bytes, and a little for each."""
        return self._size_bytes + _EACH_WAITING

    def has(self, address: int) -> bool:
        return self.address <= address < self.address + self._size_bytes

    def come_back(self, pool: StreamPool[Any, Any]) -> None:
        self._known.pop(id(self), None)
        if self._is_done(pool.last_serials()):
            self.lender = None
        else:
            super().come_back(pool)

    def _is_done(self, serials: tuple[int, ...]) -> bool:
        """Whether its library's stream comes behind our work anyway."""
        stream = self._stream  # which may stand for another one now
        return stream is not None and stream.native is self._native and stream.comes_behind(serials)


class _DriversPool(StreamPool[int, DeviceBlock]):
    """Memory that the driver makes.

    Args:
        context: The way to the GPU.
    """

    free_function: str

    def __init__(self, context: Context) -> None:
        super().__init__(context.name, context.streams)
        self._context = context

    @property
    def streams(self) -> list[CudaStream]:
        """Of the GPU, the first one first."""
        return cast("list[CudaStream]", self._context.streams)

    def waits(self, block: DeviceBlock) -> bool:
        if self.is_seen_by_host(block):
            return True
        return len(self._streams) > 1 and any(stream.is_beside for stream in self.streams[1:])

    def is_over(self, block: DeviceBlock) -> bool:
        return not self.waits(block) or (not block.lent_to and super().is_over(block))

    @abstractmethod
    def new_block(self, capacity_bytes: int) -> DeviceBlock:
        """A block from the driver, inside ``with context:``.

        Raises:
            CudaError: It makes none.
        """

    def make(self, key: int, capacity_bytes: int) -> DeviceBlock | None:  # noqa: ARG002 - equal
        self._context.free()
        try:
            with self._context:
                return self.new_block(capacity_bytes)
        except CudaError as error:
            if error.code != OUT_OF_MEMORY:
                raise
            return None

    def discard(self, block: DeviceBlock) -> None:
        self._context.free_later(self.free_function, block.address)


class DevicePool(_DriversPool):
    """The memory of one GPU.

    As much may be idle as arrays have had at once, at least `IDLE_FLOOR_BYTES`: other programs and
    libraries use the GPU as well.

    Attributes:
        blocks_made: By the driver, so far.
    """

    free_function = "cuMemFree_v2"

    def __init__(self, context: Context, ordering: Ordering) -> None:
        super().__init__(context)
        self._ordering = ordering
        self._blocks: dict[int, DeviceBlock] = {}
        self._borrowed: dict[int, BorrowedBlock] = {}
        self.blocks_made = 0

    def new_block(self, capacity_bytes: int) -> DeviceBlock:
        address = ctypes.c_uint64()
        self._context.library.call("cuMemAlloc_v2", ctypes.byref(address), capacity_bytes)
        block = DeviceBlock(address.value, capacity_bytes, 0)
        self._blocks[block.address] = block
        self.blocks_made += 1
        return block

    def discard(self, block: DeviceBlock) -> None:
        if isinstance(block, BorrowedBlock):
            block.lender = None
            return
        self._blocks.pop(block.address, None)
        super().discard(block)

    def take_apart(
        self, _key: int, capacity_bytes: int, counted_bytes: int | None
    ) -> DeviceBlock | None:
        """As :meth:`take`, of memory that no other array had, or will have.

        A graph of another library uses it when it is replayed: in no order with our streams.
        """
        block = self.take(_APART, capacity_bytes, counted_bytes)
        if block is not None:
            block.key = None
        return block

    def take_waiting(self, key: int) -> DeviceBlock | None:
        home = self.streams[0]
        if not home.visits:
            return None
        asking = home.in_use()
        for block in tuple(self._waiting):
            if block.key != key or block.lent_to or not asking.comes_behind(block.serials):
                continue
            if self.take_out(block):
                return block
        return None

    # --- Lent and borrowed ---------------------------------------------------------------------

    def waits(self, block: DeviceBlock) -> bool:
        if isinstance(block, BorrowedBlock):
            return block.lender is not None
        if block.lent_to and not self._takes_back(block):
            return True
        return len(self._streams) > 1 and super().waits(block)

    def _takes_back(self, block: DeviceBlock) -> bool:
        """Have our streams wait for whatever others did to a block; whether they do now."""
        if self._context.captures:
            return False
        ordering, used = self._ordering, self._used_streams()
        if block.lent_to <= DEFAULT_STREAMS:
            for number in block.lent_to:
                ordering.put_all_behind(used, number)
        elif not ordering.can_await_everything:
            block.key = None
        elif not ordering.put_all_behind_everything(used):
            return False
        block.lent_to = frozenset()
        return True

    def _used_streams(self) -> list[CudaStream]:
        return [s for place, s in enumerate(self.streams) if s.is_beside or not place]

    def poll(self) -> None:
        if self._borrowed_waiting() >= _MUCH_WAITING:
            for stream in self.streams:
                stream.flush()  # what is not marked is never seen to be done
        super().poll()

    def _borrowed_waiting(self) -> int:
        """How much of other libraries' memory was let go and may be in use: each counts some."""
        return sum(block.weight for block in (*tuple(self.returned), *tuple(self._waiting)))

    def borrow(self, address: int, size_bytes: int, lender: object) -> Allocation[DeviceBlock]:
        """Another library's memory.

        Args:
            address: Of its first byte.
            size_bytes: Its length.
            lender: What keeps it alive, as long as our launches need it.
        """
        if (self.returned or self._waiting) and self._borrowed_waiting() >= _MUCH_WAITING:
            self.collect()
        home = self.streams[0]
        stream = home.in_use()
        elsewhere = None if stream is home else stream
        block = BorrowedBlock(address, size_bytes, lender, elsewhere, self._borrowed)
        return Allocation(block, size_bytes, self)

    def borrowed_at(self, address: int) -> list[DeviceBlock]:
        """The memory of other libraries in which an address lies."""
        return [block for block in tuple(self._borrowed.values()) if block.has(address)]

    # --- What it is ----------------------------------------------------------------------------

    def blocks_by_address(self) -> tuple[list[int], list[DeviceBlock]]:
        """Where all blocks begin, in ascending order, and the blocks."""
        with self.lock:
            starts = sorted(self._blocks)
            return starts, [self._blocks[start] for start in starts]

    def free_and_total(self) -> tuple[int, int]:
        """The GPU's bytes that nobody has, and all of them."""
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        with self._context as library:
            library.call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        return free.value, total.value

    def shortage(self, size_bytes: int) -> str:
        """Why there is no memory, for people.

        Args:
            size_bytes: What was asked for.
        """
        free, total = self.free_and_total()
        held, arrays = self.held(), self.info().bytes_in_use
        others = max(total - free - held.bytes_in_use - held.bytes_cached, 0)
        return (
            f"{self._name} has no memory for {size_bytes} bytes in one piece: {free} of its"
            f" {total} are free, {arrays} are in use by arrays, {held.bytes_cached} kept for"
            f" later ones, and {others} in use by others: code, libraries, other programs"
            " (nvidia-smi shows these). Delete arrays, or use smaller ones"
        )

    def is_seen_by_host(self, block: DeviceBlock) -> bool:  # noqa: ARG002 - none is
        return False

    def idle_limit(self, peak_bytes: int) -> float:
        # Blocks are up to an eighth longer than what they are for.
        return max(peak_bytes + peak_bytes // 8, IDLE_FLOOR_BYTES)


class StagingPool(_DriversPool):
    """Page-locked memory of the host: copies pass through it, or begin and end in it."""

    free_function = "cuMemFreeHost"

    def new_block(self, capacity_bytes: int) -> DeviceBlock:
        address: Any = self._context.library.handle("cuMemAllocHost_v2", capacity_bytes).value
        return DeviceBlock(address, capacity_bytes, address)

    def is_seen_by_host(self, block: DeviceBlock) -> bool:  # noqa: ARG002 - all are
        return True

    def idle_limit(self, peak_bytes: int) -> float:  # noqa: ARG002 - none of it is an array's
        return _IDLE_STAGING_BYTES

    def allocate(self, size_bytes: int) -> Allocation[DeviceBlock]:
        """So many bytes of undefined content.

        Raises:
            DeviceError: The host has not that much to lock.
        """
        capacity = size_class(size_bytes, _STAGING_STEP_BYTES, _STAGING_STEP_BYTES)
        block = self.take_or_wait(capacity, capacity, None)
        if block is None:
            raise DeviceError(
                f"{self._context.name}: the host has no {size_bytes} bytes to lock for a copy; see"
                " how much memory is free, and the limit of locked memory (ulimit -l)"
            )
        return Allocation(block, size_bytes, self)

    def holds(self, array: np.ndarray[Any, Any]) -> bool:
        """Whether a NumPy array is a view of what :meth:`allocate` gave, and so keeps it."""
        base: Any = array
        while isinstance(base, np.ndarray):
            base = base.base
        return isinstance(base, Allocation) and base.pool is self
