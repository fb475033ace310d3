"""Apple's GPU as a device; or the simulator's, which is the same code behind another bridge."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from speedmetal.backends.device import Buffer, BuildOptions, Program
from speedmetal.backends.forks import keep_forever
from speedmetal.backends.metal.driver.address import BufferAddress
from speedmetal.backends.metal.driver.bridge import Bridge, pyobjc_bridge, simulated_bridge
from speedmetal.backends.metal.driver.buffer_pool import (
    CACHING,
    COPY_ALIGNMENT_BYTES,
    EXACT,
    BufferPool,
    Policy,
    Storage,
    current_storage,
)
from speedmetal.backends.metal.driver.commands import Copy, Refresh
from speedmetal.backends.metal.driver.context import MetalContext
from speedmetal.backends.metal.driver.events import Event
from speedmetal.backends.metal.driver.queue import Queue
from speedmetal.backends.metal.target import TARGET
from speedmetal.backends.pool import PoolInfo
from speedmetal.backends.stream_device import StreamDevice, Words
from speedmetal.backends.stream_pool import Allocation, Bytes
from speedmetal.ir.nodes import Kernel

STAGING_BYTES = 64 << 20
"""Copies to and from memory that the host does not see pass through buffers of this size."""


class MetalDevice(StreamDevice):
    """One GPU.

    Args:
        bridge: The way to Metal.
        name: ``"metal"`` or ``"metal-sim"``.
        policy: How memory is made; None: for speed on a GPU, for finding faults in the simulator.

    Attributes:
        bridge: The way to Metal.
        native: The ``MTLDevice``.
        context: Both, and what is known of the GPU.
        queue: Where kernels and copies run, in order.
        queues: ``queue``, and those that :meth:`new_queue` made.
    """

    target = TARGET
    # Several simdgroups of 32, and several threadgroups for each core however many registers a
    # kernel takes.
    default_threads = (256, 256)
    pool: BufferPool

    def __init__(self, bridge: Bridge, name: str, policy: Policy | None = None) -> None:
        self.name = name
        self.bridge = bridge
        self.context = MetalContext(bridge, name)
        self.native = self.context.native
        self.limits = self.context.limits
        self.queues: list[Queue] = []
        policy = policy or (EXACT if bridge.is_simulated else CACHING)
        self.pool = BufferPool(bridge, self.native, self.queues, name, policy)
        self.queue = self.new_queue()
        self.watch_process()

    # --- What it is ----------------------------------------------------------------------------

    @cached_property
    def description(self) -> str:
        return self.context.description

    @cached_property
    def identity(self) -> str:
        return self.context.identity

    @property
    def shares_host_memory(self) -> bool:  # type: ignore[override]
        """Whether new arrays are made in memory that host and GPU share: see ``storage``."""
        return current_storage() is Storage.SHARED

    # --- Queues --------------------------------------------------------------------------------

    @property
    def streams(self) -> list[Queue]:
        return self.queues

    def new_queue(self) -> Queue:
        """Another queue, which runs beside the others; order them with :meth:`new_event`."""
        queue = Queue(self.bridge, self.native, self.name, self._store_arguments)
        if self.queues:
            queue.time_limit_seconds = self.time_limit_seconds
        self.queues.append(queue)
        return queue

    def new_event(self) -> Event:
        """An event for the queues of this device."""
        return Event(self.bridge, self.native)

    # --- Memory --------------------------------------------------------------------------------

    def memory_of(self, address: BufferAddress) -> object:
        """Its buffer: a launch binds 29 at most, each once."""
        return id(address.buffer)

    def allocate(self, size_bytes: int) -> Buffer:
        return self._allocate_buffer(size_bytes, current_storage())

    def _allocate_buffer(self, size_bytes: int, mode: Storage) -> Buffer:
        allocation = self.pool.allocate(size_bytes, mode, is_array=True)
        host = allocation.view() if mode is Storage.SHARED else None
        address = BufferAddress(allocation.block.resource, 0)
        return Buffer(self, address, size_bytes, allocation, host)

    def new_shared_words(self, count: int) -> tuple[Buffer, np.ndarray[Any, np.dtype[np.int64]]]:
        buffer = self._allocate_buffer(8 * count, Storage.SHARED)
        assert buffer.host is not None
        words = buffer.host.view(np.int64)
        words[:] = 0
        return buffer, words

    def wrap(self, host: np.ndarray[Any, Any]) -> Buffer | None:
        """The memory of a NumPy array as a buffer, without a copy.

        The array stays alive as long as the buffer, and until the GPU has finished with it.

        Args:
            host: Contiguous, writable, and made of whole pages of memory.

        Returns:
            None where Metal cannot do that: copy then.
        """
        if not host.flags.c_contiguous or host.dtype.hasobject:
            return None
        view = host.reshape(-1).view(np.uint8)
        allocation = self.pool.wrap(view)
        if allocation is None:
            return None
        address = BufferAddress(allocation.block.resource, 0)
        return Buffer(self, address, view.nbytes, allocation, allocation.view())

    def pool_info(self) -> PoolInfo:
        """What the pool of buffers holds, arrays and cache."""
        return self.pool.held()

    def copy_from_host(self, source: np.ndarray[Any, Any], target: Buffer) -> None:
        content = source.reshape(-1).view(np.uint8)
        if target.host is not None:
            self.synchronize()
            target.host[:] = content
            return
        block = _block(target)
        if block.storage is Storage.MANAGED:
            self.synchronize()
            _host_bytes(block, content.size)[:] = content
            block.resource.didModifyRange_((0, block.capacity_bytes))
            return
        for start in range(0, content.size, STAGING_BYTES):
            piece = content[start : start + STAGING_BYTES]
            size = _round_to_alignment(piece.size)
            staging = self.pool.allocate(size, Storage.SHARED)
            staging.view()[: piece.size] = piece
            self.queue.submit(Copy(staging.block.resource, 0, block.resource, start, size))
        self.queue.flush()

    def copy_to_host(self, source: Buffer, target: np.ndarray[Any, Any]) -> None:
        content = target.reshape(-1).view(np.uint8)
        if source.host is not None:
            self.synchronize()
            content[:] = source.host
            return
        block = _block(source)
        if block.storage is Storage.MANAGED:
            self.queue.submit(Refresh(block.resource))
            self.synchronize()
            content[:] = _host_bytes(block, content.size)
            return
        for start in range(0, content.size, STAGING_BYTES):
            piece = content[start : start + STAGING_BYTES]
            size = _round_to_alignment(piece.size)
            staging = self.pool.allocate(size, Storage.SHARED)
            self.queue.submit(Copy(block.resource, start, staging.block.resource, 0, size))
            self.synchronize()
            piece[:] = staging.view()[: piece.size]

    def _store_arguments(self, content: bytes) -> tuple[Any, object]:
        """Arguments in a buffer: it, and what must live until the launch is noted down."""
        allocation = self.pool.allocate(len(content), Storage.SHARED)
        allocation.view()[:] = np.frombuffer(content, np.uint8)
        return allocation.block.resource, allocation

    # --- Kernels -------------------------------------------------------------------------------

    # What prints and loads is imported when a kernel is built or loaded: the printer takes a while.

    def build(self, kernel: Kernel, options: BuildOptions) -> bytes:
        from speedmetal.backends.metal.driver.build import build_code

        return build_code(self.context, kernel, options)

    def load(self, code: bytes, kernel: str) -> Program:
        from speedmetal.backends.metal.driver.program import load

        return load(self.context, self.queue, code, kernel)

    def new_mailbox(self, words: Words) -> tuple[BufferAddress, Words]:
        allocation = self.pool.allocate(words.nbytes, Storage.SHARED)
        mailbox: Words = allocation.view().view(np.uint32)
        mailbox[:] = words
        return BufferAddress(allocation.block.resource, 0), mailbox

    # --- Forks -------------------------------------------------------------------------------

    def close_in_child(self) -> None:
        super().close_in_child()
        # Letting go of Metal's objects would talk to the parent's connection, so nothing here is
        # ever freed.
        keep_forever((self.context, self.pool, self.queues))


def _block(buffer: Buffer) -> Any:
    assert isinstance(buffer.owner, Allocation)
    return buffer.owner.block


def _host_bytes(block: Any, size_bytes: int) -> Bytes:
    """The host's side of a managed buffer."""
    memory = block.resource.contents().as_buffer(block.capacity_bytes)
    return np.frombuffer(memory, np.uint8, size_bytes)


def _round_to_alignment(size_bytes: int) -> int:
    return -(-size_bytes // COPY_ALIGNMENT_BYTES) * COPY_ALIGNMENT_BYTES


# --- What the registry makes, once in a process --------------------------------------------------


def metal_device() -> MetalDevice:
    """The GPU of this Mac.

    Raises:
        DeviceError: There is none, or something is missing; the message says what to do.
    """
    return MetalDevice(pyobjc_bridge(), "metal")


def simulated_device() -> MetalDevice:
    """The simulated GPU, on which Metal's own source runs on the CPU.

    Raises:
        DeviceError: The simulator's compiler is missing; the message says what to do.
    """
    return MetalDevice(simulated_bridge(), "metal-sim")
