"""A stream: work that a device does later than it is asked for, in the order of asking.

**Deferred.** A launch is only noted down (under a lock, less than a microsecond). What was noted
down is submitted in one go, as a *batch*, by :meth:`Stream.flush`: at once where the device has
nothing to do, else when the batch is full, and before anything waits. So nothing of a device is
ever half done while the user's program runs: left behind by an exception, used by two threads, or
inherited by a forked child.

**Order.** What is asked of a stream first is done first. Each batch has a number, its *serial*.
Streams run beside each other; events (:mod:`speedmetal.backends.event`) order them.

**Failures.** A launch fails after the call that asked for it. Every batch is looked at when it has
finished, and what went wrong is raised once, by the next :meth:`Stream.synchronize`, together with
what kernels reported in their mailboxes, in the order of the launches. The stream stays usable.

What a device adds stands in :mod:`speedmetal.backends.submission`, and in the methods of
:class:`Stream` that it defines.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Generic, TypeVar

from speedmetal.backends.forks import ForkedLock
from speedmetal.backends.submission import BatchLimits, Counter, Status, Submission, Timing
from speedmetal.backends.waiting import Waiting
from speedmetal.errors import DeviceError, SpeedmetalError

MAILBOXES_PENDING = 32
"""Launches that may print, after which one waits; each may hold a mailbox of 1 MiB."""

Delivery = Callable[[], None]
"""Reads a mailbox when its launch has finished; may raise KernelError."""

Command = TypeVar("Command")
"""What a device is asked to do: a launch or a copy, in its own form."""


class Batch:
    """What is submitted together, or begun and then followed by a marker.

    Args:
        serial: Its number.
        labels: Of its launches, in order: none yet.

    Attributes:
        deliveries: Of its mailboxes, in order.
        signals: Events that it raises, each with the value.
        waits: Events that it waits for.
        errors: What went wrong in it.
        submission: None where there is nothing to wait for; one that is begun before the batch is
            submitted has some of its commands already.
    """

    __slots__ = ("deliveries", "errors", "labels", "serial", "signals", "submission", "waits")

    def __init__(self, serial: int, labels: list[str]) -> None:
        self.serial = serial
        self.labels = labels
        self.deliveries: list[Delivery] = []
        self.signals: list[tuple[Counter, int]] = []
        self.waits: list[Counter] = []
        self.errors: list[Exception] = []
        self.submission: Submission[Any] | None = None


class Stream(Waiting, ABC, Generic[Command]):
    """Work in order. Safe to use from several threads.

    Args:
        name: Of the device, for messages.
        limits: When to submit, and when to wait.

    Attributes:
        limits: When to submit, and when to wait; may be changed at any time.
        open_serial: Number of the batch that is being collected.
        last_serial: Of the last batch that anything was asked of.
        completed_serial: All batches up to this one have finished.
        pending_deliveries: Mailboxes that were not read yet.
        label_list: What keeps the labels of a batch, see :meth:`keep_labels_in`.
        recorder: Called with a :class:`Timing` for each finished batch; None: not.
    """

    # Looked at for each launch; others are in the dictionary that a stream has as well.
    __slots__ = ("_batch", "_is_busy", "_lock", "_pending", "limits", "recorder")

    def __init__(self, name: str, limits: BatchLimits) -> None:
        super().__init__(name)
        self.limits = limits
        self._lock: Any = threading.RLock()
        self._delivery_lock: Any = threading.RLock()
        self._pending: list[Command] = []
        self._pending_bytes = 0
        self.label_list: type[list[str]] = list
        self._batch = Batch(1, [])
        self._in_flight: deque[Batch] = deque()
        self._finished: deque[Batch] = deque()
        self._local = threading.local()
        # Finalisers and signal handlers may launch kernels in the middle of anything, on the thread
        # that holds the lock.
        self._is_busy = False
        self.open_serial = 1
        self.last_serial = self.completed_serial = 0
        self.pending_deliveries = 0
        self.recorder: Callable[[Timing], None] | None = None

    # --- What a device says --------------------------------------------------------------------

    @abstractmethod
    def new_submission(self) -> Submission[Command]:
        """An empty submission.

        Raises:
            DeviceError: The device gives none now.
        """

    def driver_scope(self) -> AbstractContextManager[Any]:
        """Entered around each group of calls to the driver."""
        return nullcontext()

    # --- Asking --------------------------------------------------------------------------------

    def launch(self, command: Command, label: str, touched_bytes: int, mailbox: object) -> None:
        """Ask for a launch.

        Args:
            command: For the device.
            label: The kernel's name.
            touched_bytes: Size of the arrays.
            mailbox: What the delivery of :meth:`with_delivery` reads; None: it has none.

        Raises:
            DeviceError: In a forked child, or the time limit is over.
        """
        with self._lock:
            self.last_serial = self.open_serial
            self._pending.append(command)
            self._batch.labels.append(label)
            if mailbox is not None:
                self._expect_delivery()
            self._pending_bytes += touched_bytes
            count = len(self._pending)
            limits = self.limits
            is_full = count >= limits.launches or self._pending_bytes >= limits.touched_bytes
        if is_full or (count == 1 and self._is_idle()):
            self.flush()

    def keep_labels_in(self, kind: type[list[str]]) -> None:
        """Have another kind of list keep the labels of launches, from now on.

        So those that are recorded can get more of a name, and others cost nothing for it.
        """
        with self._lock:
            self.label_list = kind
            self._batch.labels = kind(self._batch.labels)

    def _is_idle(self) -> bool:
        self.poll()
        return not self._in_flight

    def submit(
        self,
        command: Command,
        *,
        raises: tuple[Counter, int] | None = None,
        awaits: Counter | None = None,
    ) -> None:
        """Ask for something else than a launch, after everything that was asked before.

        Args:
            command: For the device.
            raises: The event that the command gives a value, and that.
            awaits: The event that the command waits for.
        """
        with self._lock:
            self.last_serial = self.open_serial
            self._pending.append(command)
            if raises is not None:
                self._batch.signals.append(raises)
            if awaits is not None:
                self._batch.waits.append(awaits)

    def with_delivery(self, delivery: Delivery, run: Callable[[], None]) -> None:
        """Launch a kernel with a mailbox.

        Args:
            delivery: Called in ``synchronize`` when the launch has finished.
            run: Calls :meth:`launch` with the mailbox, on this thread.
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

    # --- Submitting ----------------------------------------------------------------------------

    def flush(self) -> None:
        """Submit what was asked for; wait only where too much is in flight."""
        with self._lock:
            if self._has_work() and not self._is_busy:
                self._is_busy = True
                try:
                    self._submit_batch()
                finally:
                    self._is_busy = False
        while self.is_crowded():
            self._wait_for(self._in_flight[0].serial)

    def is_crowded(self) -> bool:
        """Whether too much is in flight."""
        return len(self._in_flight) > self.limits.in_flight

    def _has_work(self) -> bool:
        """Whether the batch that is being collected has anything to submit, or to tell."""
        batch = self._batch
        return bool(self._pending) or batch.submission is not None or bool(batch.errors)

    def _submit_batch(self) -> None:
        """Give one batch to the device. The lock is held."""
        fresh: list[Command] = []
        fresh_batch = Batch(self.open_serial + 1, self.label_list())
        # No call from here on, which a finaliser or a signal handler could come into.
        commands, batch = self._pending, self._batch
        self._pending, self._pending_bytes, self._batch = fresh, 0, fresh_batch
        self.open_serial = fresh_batch.serial
        try:
            with self.driver_scope():
                self._start(batch, commands)
        except Exception as error:  # noqa: BLE001 - raised by `synchronize`, like all others
            batch.errors.append(self.not_done(batch.labels, error))
            _forget_unless_started(batch)
        except BaseException as error:
            error.add_note(
                f"{self.name}: {len(commands)} launches or copies may not have been done"
            )
            _forget_unless_started(batch)
            raise
        finally:
            self._in_flight.append(batch)

    def _start(self, batch: Batch, commands: Sequence[Command]) -> None:
        if batch.submission is None:
            if not commands:  # it could not be begun
                return
            batch.submission = self.new_submission()
        for label, error in batch.submission.start(commands):
            batch.errors.append(self.not_done([] if label is None else [label], error))

    def not_done(self, labels: Sequence[str], error: Exception) -> DeviceError:
        """What is told of launches, or of a copy, that the device was not given."""
        names = ", ".join(map(repr, dict.fromkeys(labels)))
        what = f"the launch of kernel {names}" if labels else "a copy"
        return DeviceError(f"{self.name}: {what} was not done: {type(error).__name__}: {error}")

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
                with self.driver_scope():
                    self._close_finished()
            finally:
                self._is_busy = False
            if not self._in_flight:
                self.completed_serial = self.open_serial - 1

    def _close_finished(self) -> None:
        while self._in_flight:
            batch = self._in_flight[0]
            status = Status.DONE if batch.submission is None else batch.submission.status()
            if status is Status.RUNNING:
                return
            self._in_flight.popleft()
            self._close(batch, failed=status is Status.FAILED)
            self.completed_serial = batch.serial

    def _close(self, batch: Batch, *, failed: bool) -> None:
        """Take from a finished submission what is of use, and let it go."""
        submission, batch.submission = batch.submission, None
        if submission is not None and failed:
            error = submission.failure(batch.labels)
            if error is not None:
                batch.errors.append(error)
        if submission is None or failed or batch.errors:
            # A device signals nothing that a failed submission would have signalled.
            for event, value in batch.signals:
                event.ensure(value)
        if self.recorder is not None and submission is not None:
            times = submission.times()
            if times is not None:
                self.recorder(Timing(batch.serial, tuple(batch.labels), *times))
        if batch.errors or batch.deliveries:
            self._finished.append(batch)

    def finish(self) -> None:
        """Submit and wait until everything is done; failures wait for ``synchronize``.

        Raises:
            DeviceError: The time limit is over.
        """
        with self._lock:
            if self._is_busy:
                raise DeviceError(
                    f"{self.name} cannot wait inside a finaliser or signal handler that came while"
                    " it was committing work"
                )
        self.flush()
        self._wait_for(self.open_serial - 1)

    def _wait_for(self, serial: int) -> None:
        self.wait_until(lambda: self._is_completed(serial), self.labels_in_flight)

    def _is_completed(self, serial: int) -> bool:
        self.poll()
        if self.completed_serial >= serial:
            return True
        for batch in tuple(self._in_flight)[:1]:
            for event in batch.waits:
                event.poll()
        return False

    def labels_in_flight(self) -> list[str]:
        """The kernels that were given to the device and not seen to end, in order."""
        begun = () if self._batch.submission is None else (self._batch,)
        return [label for batch in (*self._in_flight, *begun) for label in batch.labels]

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
            DeviceError: The device failed, or the time limit is over.
        """
        self.finish()
        raise_first(self.collect_errors())

    # --- After a fork --------------------------------------------------------------------------

    def close_in_child(self) -> None:
        """Refuse any use from now on: the connection to the device is the parent's."""
        self._lock = self._delivery_lock = ForkedLock(self.name)
        self._in_flight.clear()


def _forget_unless_started(batch: Batch) -> None:
    """Nobody must wait for a submission that never reached the device."""
    if batch.submission is not None and not batch.submission.is_started():
        batch.submission = None


# --- Several streams of a device -----------------------------------------------------------------


def finish_all(streams: Sequence[Stream[Any]]) -> None:
    """Submit what was asked of each, since they may wait for each other; wait for all.

    Raises:
        DeviceError: The time limit is over.
    """
    if len(streams) > 1:
        for stream in streams:
            stream.flush()
    for stream in streams:
        stream.finish()


def raise_first(errors: Sequence[Exception]) -> None:
    """Raise the first exception, if there is one, with the others as notes."""
    if not errors:
        return
    first = errors[0]
    for other in errors[1:]:
        first.add_note(f"and after it: {type(other).__name__}: {other}")
    raise first
