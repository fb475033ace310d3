"""A stream of Metal: launches are encoded together and committed as one command buffer.

Order, limits, waiting and failures are those of :class:`speedmetal.backends.stream.Stream`. A
command buffer is made, filled and committed in one go, inside one autorelease pool, so no encoder
is ever open while the user's program runs. Encoders are serial, and queues run command buffers in
the order of their commits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from speedmetal.backends.metal.driver.bridge import Bridge
from speedmetal.backends.metal.driver.commands import Command, encode
from speedmetal.backends.metal.driver.errors import command_error
from speedmetal.backends.stream import Stream
from speedmetal.backends.submission import BatchLimits, Status
from speedmetal.errors import DeviceError
from speedmetal.msl.arguments import MAXIMUM_BYTES

LIMITS = BatchLimits(launches=40, touched_bytes=64 << 20, in_flight=16)
"""Of launches: MLX commits after 20 to 50, by chip, and takes 40 for a plain M
(`mlx/backend/metal/device.cpp`); Metal.jl after 32. More would let the GPU wait, fewer cost more
messages. Of bytes: Metal.jl's limit; MLX takes 40 to 50 MB. A batch that takes long need not wait
for more work, and returned memory comes back earlier. In flight: far below the 64 at which Metal
itself would block, without a time limit."""

Store = Callable[[bytes], tuple[Any, object]]
"""Puts bytes into a buffer: it, and what keeps it from being used again."""


class Queue(Stream[Command]):
    """One ``MTLCommandQueue``. Safe to use from several threads.

    Args:
        bridge: The way to Metal.
        device: The ``MTLDevice``.
        name: The device's name, for messages.
        store: Puts arguments that are too long for ``setBytes`` into a buffer.

    Attributes:
        native: The ``MTLCommandQueue``.
        annotates: Whether each launch has an encoder of its own, with its name, for tools.
    """

    def __init__(self, bridge: Bridge, device: Any, name: str, store: Store) -> None:
        super().__init__(name, LIMITS)
        self._bridge = bridge
        self._store = store
        self.annotates = False
        with bridge.objc.autorelease_pool():
            self.native = device.newCommandQueue()
        if self.native is None:
            raise DeviceError(f"{name}: Metal gives no command queue; too many may be in use")

    def new_submission(self) -> CommandBuffer:
        return CommandBuffer(self._bridge, self.native, self.name, annotates=self.annotates)

    def driver_scope(self) -> AbstractContextManager[Any]:
        pool: AbstractContextManager[Any] = self._bridge.objc.autorelease_pool()
        return pool

    def dispatch(
        self,
        pipeline: Any,
        buffers: list[Any],
        offsets: list[int],
        packed: bytes,
        mailbox: tuple[Any, int] | None,
        lengths: tuple[int, ...],
        grid: tuple[int, int, int],
        threads: tuple[int, int, int],
        label: str,
        touched_bytes: int,
        other_bindings: tuple[tuple[Any, int, int], ...] = (),
    ) -> None:
        """Launch a kernel.

        Args:
            pipeline: The ``MTLComputePipelineState``.
            buffers: Arrays at the buffer indices from 0; the list must not be changed afterwards.
            offsets: The offset of each array in its buffer, in bytes.
            packed: The arguments, at the index after the arrays.
            mailbox: The mailbox's buffer and offset, bound at the index after the arguments; None:
                the kernel has no mailbox.
            lengths: Bytes of threadgroup memory at the threadgroup indices from 0.
            grid: Threads along each axis.
            threads: Threads of a threadgroup along each axis.
            label: The kernel's name.
            touched_bytes: Size of the arrays.
            other_bindings: What else is bound: ``(buffer, offset, index)`` or
                ``(bytes, length, index)``.

        Raises:
            DeviceError: In a forked child, or the time limit is over.
        """
        kept = None
        if len(packed) > MAXIMUM_BYTES:
            stored, kept = self._store(packed)
            buffers, offsets, packed = [*buffers, stored], [*offsets, 0], b""
            if mailbox is not None:
                buffers, offsets = [*buffers, mailbox[0]], [*offsets, mailbox[1]]
        elif mailbox is not None:
            other_bindings = (*other_bindings, (*mailbox, len(buffers) + 1))
        command = (
            pipeline,
            buffers,
            offsets,
            packed,
            other_bindings,
            lengths,
            grid,
            threads,
            label,
        )
        self.launch(command, label, touched_bytes, mailbox)
        del kept  # not before the launch is noted down: see the buffers' pool


class CommandBuffer:
    """One ``MTLCommandBuffer``, as a queue submits it.

    Args:
        bridge: The way to Metal.
        queue: The ``MTLCommandQueue``.
        name: Of the device, for messages.
        annotates: Whether each launch has an encoder of its own, with its name, for tools.

    Raises:
        DeviceError: Metal gives none.
    """

    __slots__ = ("_annotates", "_bridge", "_completed", "_name", "_native")

    def __init__(self, bridge: Bridge, queue: Any, name: str, *, annotates: bool) -> None:
        self._bridge = bridge
        self._name = name
        self._annotates = annotates
        self._completed = bridge.Metal.MTLCommandBufferStatusCompleted
        self._native = queue.commandBuffer()
        if self._native is None:
            raise DeviceError("Metal gives no command buffer")

    def start(self, commands: Sequence[Command]) -> Sequence[tuple[str | None, Exception]]:
        failed = encode(commands, self._native, annotates=self._annotates)
        self._native.commit()
        return failed

    def is_started(self) -> bool:
        committed = self._bridge.Metal.MTLCommandBufferStatusCommitted
        return bool(self._native.status() >= committed)

    def status(self) -> Status:
        status = self._native.status()
        if status < self._completed:
            return Status.RUNNING
        return Status.DONE if status == self._completed else Status.FAILED

    def failure(self, labels: Sequence[str]) -> Exception:
        is_simulated = self._bridge.is_simulated
        return command_error(self._name, self._native.error(), labels, is_simulated=is_simulated)

    def times(self) -> tuple[float, float]:
        return self._native.GPUStartTime(), self._native.GPUEndTime()
