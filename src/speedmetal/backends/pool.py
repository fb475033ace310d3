"""Memory kept for reuse: the rules that all devices share.

A :class:`Block` is memory that the system gave once. It is *in use* by an array, then *idle* in its
device's :class:`CachingPool` until an array of the same size class takes it, or until it is given
back: when memory is short, when more is idle than the device allows, or on request.

**Returning.** Finalisers run on any thread, in the middle of anything, also of the methods here:
all they do is to append the block to ``returned``, which is atomic and takes no lock. The next call
of the pool looks at what came back. Where launches run later than they are asked for, a block waits
first until nothing can still use it.

**One thread inside itself.** The lock may be taken again by its own thread: a finaliser or a signal
handler in the middle of a method may make arrays. So what a method works on it has taken out of its
list before, and no list that another call may hold is ever thrown away.
"""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict, deque
from collections.abc import Hashable
from functools import lru_cache
from typing import Any, Generic, TypeVar

from speedmetal.backends.forks import call_in_children
from speedmetal.common.records import record

_FEW_RETURNED = 4
"""Where no more blocks than this have come back since, one is looked for among them, the last one
first, which takes less time than to sort them in."""

SMALLEST_BYTES = 256
"""The least capacity on a GPU."""

_STEPS_PER_DOUBLING = 8
"""Size classes between a power of two and the next: at most an eighth of a block is not used."""


@lru_cache(maxsize=4096)
def size_class(size_bytes: int, smallest: int = SMALLEST_BYTES, multiple: int = 1) -> int:
    """The capacity of a block for so many bytes.

    Args:
        size_bytes: What is asked for.
        smallest: The least capacity, a multiple of ``multiple``.
        multiple: Capacities are multiples of this power of two.

    Example:
        >>> [size_class(n) for n in (0, 256, 257, 5000, 1_000_000)]
        [256, 256, 288, 5120, 1048576]
        >>> [size_class(n, 64, 64) for n in (0, 100, 257, 5000)]
        [64, 128, 320, 5120]
    """
    if size_bytes <= smallest:
        return smallest
    step = max((1 << (size_bytes - 1).bit_length() - 1) // _STEPS_PER_DOUBLING, multiple)
    return -(-size_bytes // step) * step


@record
class MemoryInfo:
    """Memory that speedmetal has allocated on a device.

    Memory of others that an array merely views (a NumPy array, a tensor) does not count.

    Args:
        bytes_in_use: Held by live arrays, and by views that others have of them.
        peak_bytes: The most that was in use, ever or since ``Device.forget_peak``.
        allocations: How many were made since the process began.
        bytes_cached: Of deleted arrays, kept for later ones, with what sizes are rounded up by.
    """

    bytes_in_use: int
    peak_bytes: int
    allocations: int
    bytes_cached: int = 0


@record
class PoolInfo:
    """What a pool holds.

    Args:
        bytes_in_use: In blocks that are in use, with what is rounded up.
        bytes_cached: In blocks that wait for reuse.
        bytes_allowed: The most that both together may be; 0: no limit is known.
    """

    bytes_in_use: int
    bytes_cached: int
    bytes_allowed: int


class Block:
    """A piece of memory. Each device adds where it is.

    Attributes:
        key: Idle blocks with equal keys stand for each other; None: this one is never reused.
        capacity_bytes: Its length.
        counted_bytes: Of the array that uses it, as asked for; 0 where none does.
        is_fresh: Whether nobody has had it before.
    """

    __slots__ = ("capacity_bytes", "counted_bytes", "is_fresh", "key")

    key: Any
    capacity_bytes: int
    counted_bytes: int
    is_fresh: bool

    def __init__(self, key: Hashable | None, capacity_bytes: int) -> None:
        self.key = key
        self.capacity_bytes = capacity_bytes
        self.counted_bytes = 0
        self.is_fresh = True


KeyType = TypeVar("KeyType", bound=Hashable)
BlockType = TypeVar("BlockType", bound=Block)


class CachingPool(ABC, Generic[KeyType, BlockType]):
    """The memory of one device. Safe to use from several threads.

    A device says how blocks are made (:meth:`make`), and may say when one that came back is no
    longer used (``runs_later``: :meth:`waits`, :meth:`poll`, :meth:`is_over`), what else to do with
    one that lies idle (``rests_from``: :meth:`rest`), and how much may lie idle
    (:meth:`idle_limit`).

    Args:
        reuses: Whether blocks are kept for later arrays at all.
        bytes_allowed: The most that all blocks together may be; 0: no limit is known.

    Attributes:
        lock: Held by every method.
        returned: Where finalisers append blocks.
    """

    runs_later: bool = False
    """Whether launches may still use a block that came back."""
    rests_from: float = math.inf
    """Idle blocks of so many bytes and more are told to rest."""

    def __init__(self, *, reuses: bool = True, bytes_allowed: int = 0) -> None:
        self.lock: Any = threading.RLock()
        self.returned: deque[BlockType] = deque()
        self._reuses = reuses
        self._allowed = bytes_allowed
        self._waiting: deque[BlockType] = deque()  # perhaps still used by a launch
        # By key, the class that a block came back to last at the end.
        self._idle: OrderedDict[KeyType, list[BlockType]] = OrderedDict()
        self._resident = 0  # bytes of all blocks, in use or not
        self._cached = 0  # of those, in blocks that came back
        self._in_use = self._peak = self._allocations = 0  # of arrays, as asked for
        self._idle_limit = self.idle_limit(0)
        call_in_children(self.renew_in_child)

    # --- What a device says ----------------------------------------------------------------------

    @abstractmethod
    def make(self, key: KeyType, capacity_bytes: int) -> BlockType | None:
        """A new block from the system; None: it has no such memory now."""

    def waits(self, block: BlockType) -> bool:  # noqa: ARG002 - of the contract
        """Whether a block that just came back may still be used, where launches run later."""
        return True

    def poll(self) -> None:
        """Called before blocks that wait are asked after."""

    def is_over(self, block: BlockType) -> bool:  # noqa: ARG002 - of the contract
        """Whether nothing uses a block that waited any more."""
        return True

    def take_waiting(self, key: KeyType) -> BlockType | None:  # noqa: ARG002 - of the contract
        """A block that waits, taken out, which who asks may use nevertheless; mostly none."""
        return None

    def take_out(self, block: BlockType) -> bool:
        """Take out a block that waits; whether it was still there."""
        try:
            self._waiting.remove(block)
        except ValueError:
            return False
        self._cached -= block.capacity_bytes
        block.is_fresh = False
        return True

    def rest(self, block: BlockType) -> None:
        """Called with each block of at least ``rests_from`` bytes that becomes idle."""

    def discard(self, block: BlockType) -> None:
        """Called with each block that goes back to the system: what letting go of it does not do.

        A block's own finaliser is no place for it: where arrays die in a cycle of references, the
        collector runs it before the array gives the block back, and the block lives on.
        """

    def idle_limit(self, peak_bytes: int) -> float:  # noqa: ARG002 - of the contract
        """How many bytes may be idle, where arrays had ``peak_bytes`` at most at once."""
        return math.inf

    def renew_in_child(self) -> None:
        """Called in a forked child: other threads, which may have held the lock, are not there.

        What they were making or giving back then is lost to the pool, and stays counted as in use.
        """
        self.lock = threading.RLock()
        self._cached = sum(
            block.capacity_bytes for blocks in self._idle.values() for block in blocks
        ) + sum(block.capacity_bytes for block in self._waiting)

    # --- Taking ----------------------------------------------------------------------------------

    def take(
        self, key: KeyType, capacity_bytes: int, counted_bytes: int | None
    ) -> BlockType | None:
        """A block that nothing else uses, of undefined content.

        Args:
            key: Of the blocks that will do.
            capacity_bytes: Their length.
            counted_bytes: Of the array it is for; None: it is for no array, and not counted.

        Returns:
            None where there is not that much memory, though all that was idle was given back.
        """
        with self.lock:
            block = self._take_idle(key) or self._made(key, capacity_bytes)
            if block is None:
                return None
            if counted_bytes is None:
                block.counted_bytes = 0
                return block
            block.counted_bytes = counted_bytes
            self._allocations += 1
            self._in_use += counted_bytes
            if self._in_use > self._peak:
                self._peak = self._in_use
                self._idle_limit = self.idle_limit(self._peak)
            return block

    def _take_idle(self, key: KeyType) -> BlockType | None:
        returned = self.returned
        if returned and self._reuses:
            # Mostly, what a program has just let go of is what it asks for next.
            block = returned.pop()
            may_wait = self.runs_later and self.waits(block)  # it may take the key away
            if block.key == key and not may_wait:
                self._in_use -= block.counted_bytes
                block.is_fresh = False
                return block
            returned.append(block)
            if 1 < len(returned) <= _FEW_RETURNED and self._brings_last(key):
                return self._take_idle(key)
        if self.returned or self._waiting:
            self._collect()
        idle = self._idle.get(key)
        if not idle:
            return self.take_waiting(key)
        block = idle.pop()
        self._cached -= block.capacity_bytes
        block.is_fresh = False
        return block

    def _brings_last(self, key: KeyType) -> bool:
        """Put the last block with a key that came back behind the others; whether there is one."""
        for block in reversed(tuple(self.returned)):
            if block.key != key or (self.runs_later and self.waits(block)):
                continue
            if block.key == key:
                try:
                    self.returned.remove(block)
                except ValueError:  # a finaliser that came in between has taken it
                    return False
                self.returned.append(block)
                return True
        return False

    def _made(self, key: KeyType, capacity: int) -> BlockType | None:
        if self._exceeds_allowance(capacity):
            self._trim()
            if self._exceeds_allowance(capacity):
                return None
        block = self.make(key, capacity)
        if block is None:
            self._trim()
            block = self.make(key, capacity)
        if block is not None:
            self._resident += block.capacity_bytes
            self._idle.setdefault(key, [])
        return block

    def _exceeds_allowance(self, capacity: int) -> bool:
        return 0 < self._allowed < self._resident + capacity

    # --- Returning -------------------------------------------------------------------------------

    def collect(self) -> None:
        """Make blocks idle that came back and whose last use is over."""
        with self.lock:
            self._collect()

    def _collect(self) -> None:
        while self.returned:
            block = self.returned.popleft()
            self._in_use -= block.counted_bytes
            self._cached += block.capacity_bytes
            if self.runs_later and self.waits(block):
                self._waiting.append(block)
            else:
                self._release(block)
        if not self._waiting:
            return
        self.poll()
        while self._waiting:
            block = self._waiting.popleft()
            if not self.is_over(block):
                self._waiting.appendleft(block)
                break
            self._release(block)

    def _release(self, block: BlockType) -> None:
        key = block.key
        if key is None or not self._reuses or block.capacity_bytes > self._idle_limit:
            self._forget(block)
            return
        if block.capacity_bytes >= self.rests_from:
            self.rest(block)
        self._idle[key].append(block)
        self._idle.move_to_end(key)
        if self._cached > self._idle_limit:
            self._evict()

    def _evict(self) -> None:
        """Give blocks back until no more are idle than may be: of classes unused longest first."""
        for blocks in tuple(self._idle.values()):
            while blocks:
                if self._cached <= self._idle_limit:
                    return
                self._forget(blocks.pop(0))

    def trim(self) -> None:
        """Give all blocks that nothing uses back to the system."""
        with self.lock:
            self._collect()
            self._trim()

    def _trim(self) -> None:
        for blocks in tuple(self._idle.values()):
            while blocks:
                self._forget(blocks.pop())

    def _forget(self, block: BlockType) -> None:
        """Give a block back, which the caller lets go of, and count it no more."""
        self.discard(block)
        self._resident -= block.capacity_bytes
        self._cached -= block.capacity_bytes

    # --- What it holds ---------------------------------------------------------------------------

    def info(self) -> MemoryInfo:
        """What arrays use now, and what is kept for later ones."""
        with self.lock:
            self._collect()
            return MemoryInfo(self._in_use, self._peak, self._allocations, self._cached)

    def forget_peak(self) -> None:
        """Count the most that is in use anew, from what is in use now."""
        with self.lock:
            self._collect()
            self._peak = self._in_use

    def held(self) -> PoolInfo:
        """All blocks, whether arrays use them or something else."""
        with self.lock:
            self._collect()
            return PoolInfo(self._resident - self._cached, self._cached, self._allowed)
