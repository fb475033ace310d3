"""A queue: launches are collected, encoded together and committed as one command buffer.

**Deferred.** A launch is only noted down (under a lock, less than a microsecond); the command
buffer is made, filled and committed in one go by :meth:`Queue.flush`, inside one autorelease pool:
at once where the GPU has nothing to do, else when the batch is full, and before anything waits. So
no encoder is ever open while the user's program runs: none can be left behind by an exception, be
used by two threads, or be inherited by a forked child.

**Order.** Encoders are serial and queues run command buffers in the order of their commits, so what
is asked for first is done first. Each batch has a number, its *serial*.

**Failures.** A command buffer fails after the call that filled it. Every one is looked at when it
has finished, and what it says is raised once, by the next :meth:`Queue.synchronize`, together with
what its kernels reported in their mailboxes, in the order of the launches. The queue stays usable.

**Waiting** polls the status: Metal's own wait knows no time limit and cannot be interrupted with
Ctrl-C.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from speedmetal.backends.metal.driver.batches import Batch, Delivery
from speedmetal.backends.metal.driver.bridge import Bridge
from speedmetal.backends.metal.driver.commands import Command, Signal, Wait, encode
from speedmetal.backends.metal.driver.errors import command_error, first_of
from speedmetal.backends.metal.driver.forks import ForkedLock
from speedmetal.errors import DeviceError, SpeedmetalError
from speedmetal.msl.arguments import MAXIMUM_BYTES

DISPATCHES_PER_COMMAND_BUFFER = 40
"""MLX commits after 20 to 50, by chip, and takes 40 for a plain M (`mlx/backend/metal/device.cpp`);
Metal.jl after 32. More would let the GPU wait, fewer cost more messages."""

BYTES_PER_COMMAND_BUFFER = 64 << 20
"""Of the arrays that its launches touch: Metal.jl's limit; MLX takes 40 to 50 MB. A batch that
takes long need not wait for more work, and returned memory comes back earlier."""

BATCHES_IN_FLIGHT = 16
"""Committed and not finished; the next commit waits for the oldest. Far below the 64 at which Metal
itself would block, without a time limit."""

_SPIN_SECONDS = 200e-6
"""How long to poll without a pause: about the round trip of one small command buffer."""
_LONGEST_NAP_SECONDS = 1e-3

Store = Callable[[bytes], tuple[Any, object]]
"""Puts bytes into a buffer: it, and what keeps it from being used again."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When a command buffer ran.

    Args:
        serial: Its number in the queue.
        labels: Of its launches, in order.
        start_seconds: On the GPU's clock.
        end_seconds: The same.
    """

    serial: int
    labels: tuple[str, ...]
    start_seconds: float
    end_seconds: float


class Queue:
    """One ``MTLCommandQueue``. Safe to use from several threads.

    Args:
        bridge: The way to Metal.
        device: The ``MTLDevice``.
        name: Of the device, for messages.
        store: Where arguments go that are too long for ``setBytes``.

    Attributes:
        open_serial: Number of the batch that is being collected.
        last_serial: Of the last batch that anything was asked of.
        completed_serial: All batches up to this one have finished.
        time_limit_seconds: The longest wait; None: without limit, until Ctrl-C.
        recorder: Called with a :class:`Timing` for each finished command buffer; None: not.
        annotates: Whether each launch has an encoder of its own, with its name, for tools.
        dispatches_per_command_buffer: When to commit.
    """

    def __init__(self, bridge: Bridge, device: Any, name: str, store: Store) -> None:
        self._bridge = bridge
        self._name = name
        self._store = store
        with bridge.objc.autorelease_pool():
            self.native = device.newCommandQueue()
        if self.native is None:
            raise DeviceError(f"{name}: Metal gives no command queue; too many may be in use")
        self._committed_status = bridge.Metal.MTLCommandBufferStatusCommitted
        self._completed_status = bridge.Metal.MTLCommandBufferStatusCompleted
        self._lock: Any = threading.RLock()
        self._delivery_lock: Any = threading.RLock()
        self._pending: list[Command] = []
        self._pending_bytes = 0
        self._batch = Batch(1)
        self._in_flight: deque[Batch] = deque()
        self._finished: deque[Batch] = deque()
        self._local = threading.local()
        # Finalisers and signal handlers may launch kernels in the middle of anything, on the thread
        # that holds the lock.
        self._is_busy = False
        self.open_serial = 1
        self.last_serial = self.completed_serial = 0
        self.pending_deliveries = 0
        self.time_limit_seconds: float | None = None
        self.recorder: Callable[[Timing], None] | None = None
        self.annotates = False
        self.dispatches_per_command_buffer = DISPATCHES_PER_COMMAND_BUFFER
        self.bytes_per_command_buffer = BYTES_PER_COMMAND_BUFFER

    # --- Asking --------------------------------------------------------------------------------

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
        further: tuple[tuple[Any, int, int], ...] = (),
    ) -> None:
        """Launch a kernel.

        Args:
            pipeline: The ``MTLComputePipelineState``.
            buffers: Arrays at the buffer indices from 0; the list must not be changed afterwards.
            offsets: Theirs, in bytes.
            packed: The arguments, at the index after the arrays.
            mailbox: Its buffer and offset, at the index after the arguments; None: it has none.
            lengths: Bytes of threadgroup memory at the threadgroup indices from 0.
            grid: In threads.
            threads: Of a threadgroup.
            label: The kernel's name.
            touched_bytes: Size of the arrays.
            further: What else is bound: ``(buffer, offset, index)`` or ``(bytes, length, index)``.

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
            further = (*further, (*mailbox, len(buffers) + 1))
        with self._lock:
            self.last_serial = self.open_serial
            self._pending.append(
                (pipeline, buffers, offsets, packed, further, lengths, grid, threads, label)
            )
            if mailbox is not None:
                self._expect_delivery()
            self._pending_bytes += touched_bytes
            count = len(self._pending)
            is_full = (
                count >= self.dispatches_per_command_buffer
                or self._pending_bytes >= self.bytes_per_command_buffer
            )
        del kept  # not before the launch is noted down: see `Pool`
        if is_full or (count == 1 and self._is_idle()):
            self.flush()

    def _is_idle(self) -> bool:
        self.poll()
        return not self._in_flight

    def submit(self, command: Command) -> None:
        """Ask for something else than a launch, after everything that was asked before."""
        with self._lock:
            self.last_serial = self.open_serial
            self._pending.append(command)

    def with_delivery(self, delivery: Delivery, run: Callable[[], None]) -> None:
        """Launch a kernel with a mailbox.

        Args:
            delivery: Called in ``synchronize`` when the launch has finished.
            run: Calls ``dispatch`` with the mailbox, on this thread.
        """
        self._local.delivery = delivery
        try:
            run()
        finally:
            self._local.delivery = None

    def _expect_delivery(self) -> None:
        delivery = getattr(self._local, "delivery", None)
        if delivery is not None:
            self._batch.deliveries.append(delivery)
            self.pending_deliveries += 1

    # --- Committing ----------------------------------------------------------------------------

    def flush(self) -> None:
        """Commit what was asked for; wait only where too much is in flight."""
        with self._lock:
            if self._pending and not self._is_busy:
                self._commit()
        while len(self._in_flight) > BATCHES_IN_FLIGHT:
            self._wait_for(self._in_flight[0].serial)

    def _commit(self) -> None:
        """Encode and commit one command buffer. The lock is held."""
        commands, self._pending, self._pending_bytes = self._pending, [], 0
        batch, self._batch = self._batch, Batch(self.open_serial + 1)
        batch.labels = tuple(c[-1] for c in commands if type(c) is tuple)
        batch.signals = [c for c in commands if type(c) is Signal]
        batch.waits = [c for c in commands if type(c) is Wait]
        self.open_serial += 1
        self._is_busy = True
        try:
            with self._bridge.objc.autorelease_pool():
                self._fill(batch, commands)
        except Exception as error:  # noqa: BLE001 - raised by `synchronize`, like all others
            batch.errors.append(self._not_encoded(batch.labels, error))
            self._forget_uncommitted(batch)
        except BaseException as error:
            error.add_note(
                f"{self._name}: {len(commands)} launches or copies may not have been done"
            )
            self._forget_uncommitted(batch)
            raise
        finally:
            self._in_flight.append(batch)
            self._is_busy = False

    def _fill(self, batch: Batch, commands: list[Command]) -> None:
        command_buffer = batch.command_buffer = self.native.commandBuffer()
        if command_buffer is None:
            raise DeviceError("Metal gives no command buffer")
        for command, error in encode(commands, command_buffer, annotates=self.annotates):
            labels = (command[-1],) if type(command) is tuple else ()
            batch.errors.append(self._not_encoded(labels, error))
        command_buffer.commit()

    def _forget_uncommitted(self, batch: Batch) -> None:
        """Nobody must wait for a command buffer that was never committed."""
        buffer = batch.command_buffer
        if buffer is not None and buffer.status() < self._committed_status:
            batch.command_buffer = None

    def _not_encoded(self, labels: tuple[str, ...], error: Exception) -> DeviceError:
        names = ", ".join(map(repr, dict.fromkeys(labels)))
        what = f"the launch of kernel {names}" if labels else "a copy"
        return DeviceError(f"{self._name}: {what} was not done: {type(error).__name__}: {error}")

    # --- Finishing -----------------------------------------------------------------------------

    def poll(self) -> None:
        """Take note of what has finished."""
        if self.completed_serial == self.open_serial - 1:
            return
        with self._lock:
            if self._is_busy:
                return
            self._is_busy = True
            try:
                with self._bridge.objc.autorelease_pool():
                    self._close_finished()
            finally:
                self._is_busy = False
            if not self._in_flight:
                self.completed_serial = self.open_serial - 1

    def _close_finished(self) -> None:
        while self._in_flight:
            batch = self._in_flight[0]
            buffer = batch.command_buffer
            status = self._completed_status if buffer is None else buffer.status()
            if status < self._completed_status:
                return
            self._in_flight.popleft()
            self._close(batch, failed=status > self._completed_status)
            self.completed_serial = batch.serial

    def _close(self, batch: Batch, *, failed: bool) -> None:
        """Take from a finished command buffer what is of use, and let it go."""
        buffer, batch.command_buffer = batch.command_buffer, None
        if failed:
            error = buffer.error()
            is_simulated = self._bridge.is_simulated
            batch.errors.append(
                command_error(self._name, error, batch.labels, is_simulated=is_simulated)
            )
        if failed or buffer is None or batch.errors:
            # Metal signals nothing that a failed command buffer would have signalled.
            for signal in batch.signals:
                signal.event.ensure(signal.value)
        if self.recorder is not None and buffer is not None:
            times = buffer.GPUStartTime(), buffer.GPUEndTime()
            self.recorder(Timing(batch.serial, batch.labels, *times))
        if batch.errors or batch.deliveries:
            self._finished.append(batch)

    def finish(self) -> None:
        """Commit and wait until everything is done; failures wait for ``synchronize``.

        Raises:
            DeviceError: The time limit is over.
        """
        with self._lock:
            if self._is_busy:
                raise DeviceError(
                    f"{self._name} cannot wait inside a finaliser or signal handler that came while"
                    " it was committing work"
                )
        self.flush()
        self._wait_for(self.open_serial - 1)

    def _wait_for(self, serial: int) -> None:
        started = time.monotonic()
        while True:
            self.poll()
            if self.completed_serial >= serial:
                return
            for batch in tuple(self._in_flight)[:1]:
                for wait in batch.waits:
                    wait.event.poll()
            elapsed = time.monotonic() - started
            if self.time_limit_seconds is not None and elapsed > self.time_limit_seconds:
                self._refuse_to_wait(elapsed)
            # A nap of nothing lets other threads of the program run.
            is_soon = elapsed < _SPIN_SECONDS
            time.sleep(0 if is_soon else min(_LONGEST_NAP_SECONDS, elapsed / 8))

    def _refuse_to_wait(self, elapsed: float) -> NoReturn:
        labels = dict.fromkeys(label for batch in tuple(self._in_flight) for label in batch.labels)
        raise DeviceError(
            f"{self._name} has not finished after {elapsed:.1f} s (the time limit is"
            f" {self.time_limit_seconds} s); still running or waiting:"
            f" {', '.join(map(repr, labels)) or 'copies'}; look for a loop that does not end, or"
            " raise the limit"
        )

    def collect_errors(self) -> list[Exception]:
        """Deliver the mailboxes of finished launches in order; what failed since the last call."""
        errors: list[Exception] = []
        with self._delivery_lock:
            while self._finished:
                batch = self._finished.popleft()
                for delivery in batch.deliveries:
                    self.pending_deliveries -= 1
                    try:
                        delivery()
                    except Exception as error:  # noqa: BLE001 - the others' prints must not be lost
                        # A launch that broke off may leave half a report behind.
                        if isinstance(error, SpeedmetalError) or not batch.errors:
                            errors.append(error)
                errors += batch.errors
        return errors

    def synchronize(self) -> None:
        """Wait until everything is done, and say what failed since the last call.

        Raises:
            KernelError: A kernel failed.
            DeviceError: The GPU failed, or the time limit is over.
        """
        self.finish()
        errors = self.collect_errors()
        if errors:
            raise first_of(errors)

    # --- After a fork --------------------------------------------------------------------------

    def close_in_child(self) -> None:
        """Refuse any use from now on: Metal's connection to the GPU is the parent's."""
        self._lock = self._delivery_lock = ForkedLock(self._name)
        self._in_flight.clear()
