"""Memory of a device whose streams do work later than it is asked for.

Who owns what: an :class:`Allocation` holds a block for as long as an array or a NumPy view of it
lives. NumPy's views are made through its array interface, so that each has the allocation as its
base. When the last of them goes, the block returns to its :class:`StreamPool`
(:mod:`speedmetal.backends.pool` has the rules).

**When a block may be used again.** The host may write to a block at once where it sees it, and
streams run beside each other. So a block that comes back carries, for each stream, the number of
the last batch that could have used it (``Stream.last_serial`` at that moment: everything asked of
the stream so far), and waits in line until the streams have finished these. Reading these numbers
is atomic and takes no lock, so that finalisers may do it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from speedmetal.backends.forks import ForkedLock
from speedmetal.backends.pool import Block, CachingPool, KeyType
from speedmetal.backends.stream import Stream, finish_all

Bytes = np.ndarray[Any, np.dtype[np.uint8]]


class StreamBlock(Block):
    """Memory that streams use.

    Args:
        key: Idle blocks with equal keys stand for each other; None: this one is never reused.
        capacity_bytes: Its length.
        host_address: Of its bytes in the host's memory; 0 where the host has none.

    Attributes:
        serials: For each stream, the number of the last batch that could have used it, once it came
            back.
    """

    __slots__ = ("_shares", "host_address", "serials")

    serials: tuple[int, ...]

    def __init__(self, key: Hashable | None, capacity_bytes: int, host_address: int) -> None:
        super().__init__(key, capacity_bytes)
        self.host_address = host_address
        self._shares: list[None] | None = None  # one for each owner but the last

    def share(self) -> None:
        """Have one more owner beside the array, which has not let go yet."""
        if self._shares is None:
            self._shares = []
        self._shares.append(None)

    def let_go(self, pool: StreamPool[Any, Any]) -> None:
        """Have one owner less; behind the last one it goes back to its pool."""
        try:
            if self._shares:
                self._shares.pop()  # atomic: of two owners that let go at once, one is the last
                return
        except IndexError:
            pass
        self.come_back(pool)

    def come_back(self, pool: StreamPool[Any, Any]) -> None:
        """Go back to the pool: the last owner has let go. Finalisers call it."""
        self.serials = pool.last_serials()
        pool.returned.append(self)


StreamBlockType = TypeVar("StreamBlockType", bound=StreamBlock)


class Allocation(Generic[StreamBlockType]):
    """The owner of a block, which returns to the pool when the owner is freed.

    NumPy takes it for an array of bytes, where the host sees them.

    Attributes:
        block: The block.
        pool: The pool.
    """

    __slots__ = ("__array_interface__", "__weakref__", "block", "pool")

    __array_interface__: dict[str, Any]
    block: StreamBlockType

    def __init__(
        self, block: StreamBlockType, size_bytes: int, pool: StreamPool[Any, StreamBlockType]
    ) -> None:
        self.block = block
        self.pool = pool
        if block.host_address:
            self.__array_interface__ = {
                "version": 3,
                "shape": (size_bytes,),
                "typestr": "|u1",
                "data": (block.host_address, False),
            }

    def __del__(self) -> None:
        self.block.let_go(self.pool)

    def view(self) -> Bytes:
        """The host's bytes; the array keeps this object alive."""
        return np.asarray(self)


class StreamPool(CachingPool[KeyType, StreamBlockType]):
    """The memory of one device that has streams. Safe to use from several threads.

    Args:
        name: Of the device, for messages.
        streams: Of the device; may grow.
        reuses: Whether blocks are kept for later arrays at all.
        bytes_allowed: The most that all blocks together may be; 0: no limit is known.
    """

    runs_later = True

    def __init__(
        self,
        name: str,
        streams: Sequence[Stream[Any]],
        *,
        reuses: bool = True,
        bytes_allowed: int = 0,
    ) -> None:
        super().__init__(reuses=reuses, bytes_allowed=bytes_allowed)
        self._name = name
        self._streams = streams

    @abstractmethod
    def is_seen_by_host(self, block: StreamBlockType) -> bool:
        """Whether the host may write to it at once, however little of the streams' work is done."""

    def take_or_wait(
        self, key: KeyType, capacity_bytes: int, counted_bytes: int | None
    ) -> StreamBlockType | None:
        """As :meth:`take`; where memory is short, after the work that may use what came back.

        Raises:
            DeviceError: The time limit is over.
        """
        block = self.take(key, capacity_bytes, counted_bytes)
        if block is None:
            finish_all(self._streams)
            block = self.take(key, capacity_bytes, counted_bytes)
        return block

    def last_serials(self) -> tuple[int, ...]:
        """For each stream, the number of the last batch that anything was asked of."""
        streams = self._streams
        if len(streams) == 1:  # in half the time
            return (streams[0].last_serial,)
        return tuple([stream.last_serial for stream in streams])

    def waits(self, block: StreamBlockType) -> bool:
        # What the host does not see, and one stream alone uses in order, need not wait.
        return len(self._streams) > 1 or self.is_seen_by_host(block)

    def poll(self) -> None:
        for stream in self._streams:
            stream.poll()

    def is_over(self, block: StreamBlockType) -> bool:
        # A stream that came later than the block was returned cannot have used it.
        return all(
            stream.completed_serial >= serial
            for stream, serial in zip(self._streams, block.serials, strict=False)
        )

    def renew_in_child(self) -> None:
        """Refuse any use from now on."""
        self.lock = ForkedLock(self._name)
