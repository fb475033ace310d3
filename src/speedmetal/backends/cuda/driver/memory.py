"""The GPU's memory, and the host's that it copies from: blocks from the driver, kept for reuse.

One stream does everything in the order of asking, so a block of the GPU that came back can be used
again at once. What the host writes to waits for the copies out of it.
"""

from __future__ import annotations

import ctypes
from abc import abstractmethod
from typing import Any

import numpy as np

from speedmetal.backends.cuda.driver.context import Context
from speedmetal.backends.cuda.driver.library import OUT_OF_MEMORY, CudaError
from speedmetal.backends.pool import size_class
from speedmetal.backends.stream_pool import Allocation, StreamBlock, StreamPool
from speedmetal.errors import DeviceError

IDLE_FLOOR_BYTES = 256 << 20
"""So much may be idle however little arrays have used."""

STAGING_BYTES = 4 << 20
"""Up to so many bytes are copied through page-locked memory, without waiting."""

_IDLE_STAGING_BYTES = 64 << 20
_STAGING_STEP_BYTES = 4096


class DeviceBlock(StreamBlock):
    """Memory of the GPU, or of the host, page-locked.

    Args:
        address: Of its first byte.
        capacity_bytes: Its length.
        host_address: The same, where it is the host's; else 0.
    """

    __slots__ = ("address",)

    def __init__(self, address: int, capacity_bytes: int, host_address: int) -> None:
        super().__init__(capacity_bytes, capacity_bytes, host_address)
        self.address = address


class _DriversPool(StreamPool[int, DeviceBlock]):
    """Memory that the driver makes.

    Args:
        context: The way to the GPU.
    """

    free_function: str

    def __init__(self, context: Context) -> None:
        super().__init__(context.name, context.streams)
        self._context = context

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

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._blocks: dict[int, DeviceBlock] = {}
        self.blocks_made = 0

    def new_block(self, capacity_bytes: int) -> DeviceBlock:
        address = ctypes.c_uint64()
        self._context.library.call("cuMemAlloc_v2", ctypes.byref(address), capacity_bytes)
        block = DeviceBlock(address.value, capacity_bytes, 0)
        self._blocks[block.address] = block
        self.blocks_made += 1
        return block

    def discard(self, block: DeviceBlock) -> None:
        self._blocks.pop(block.address, None)
        super().discard(block)

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
