"""The GPU's memory: blocks from the driver, kept for reuse.

All work is done in one stream, in the order of asking. So a block that came back can be used again
at once: what was asked of it before is done before.
"""

from __future__ import annotations

import ctypes

from speedmetal.backends.cuda.driver.context import Context
from speedmetal.backends.cuda.driver.library import OUT_OF_MEMORY, CudaError
from speedmetal.backends.pool import Block, CachingPool

IDLE_FLOOR_BYTES = 256 << 20
"""So much may be idle however little arrays have used."""


class DeviceBlock(Block):
    """Memory of the GPU.

    Args:
        address: Of its first byte, on the GPU.
        capacity_bytes: Its length.
    """

    __slots__ = ("address",)

    def __init__(self, address: int, capacity_bytes: int) -> None:
        super().__init__(capacity_bytes, capacity_bytes)
        self.address = address


class Allocation:
    """The owner of a block: it returns to the pool when this goes."""

    __slots__ = ("_pool", "block")

    def __init__(self, block: DeviceBlock, pool: DevicePool) -> None:
        self.block = block
        self._pool = pool

    def __del__(self) -> None:
        self._pool.returned.append(self.block)


class DevicePool(CachingPool[int, DeviceBlock]):
    """The memory of one GPU.

    As much may be idle as arrays have had at once, at least `IDLE_FLOOR_BYTES`: other programs and
    libraries use the GPU as well.

    Args:
        context: The way to it.
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context

    def make(self, key: int, capacity_bytes: int) -> DeviceBlock | None:  # noqa: ARG002 - equal
        self._context.free()
        address = ctypes.c_uint64()
        try:
            with self._context as library:
                library.call("cuMemAlloc_v2", ctypes.byref(address), capacity_bytes)
        except CudaError as error:
            if error.code != OUT_OF_MEMORY:
                raise
            return None
        return DeviceBlock(address.value, capacity_bytes)

    def discard(self, block: DeviceBlock) -> None:
        self._context.free_later("cuMemFree_v2", block.address)

    def idle_limit(self, peak_bytes: int) -> float:
        # Blocks are up to an eighth longer than what they are for.
        return max(peak_bytes + peak_bytes // 8, IDLE_FLOOR_BYTES)
