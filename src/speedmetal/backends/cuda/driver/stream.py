"""A stream of CUDA: launches are given to the driver at once, with a marker behind a few of them.

Order, limits, waiting and failures are those of :class:`speedmetal.backends.stream.Stream`. To
gather launches would save nothing of what the driver takes for each (3.5 us on the machine of an
H200), and to ask whether the GPU is idle takes more than half of that. So a batch is begun by its
first launch, and what it saves is one marker for all of them, and one question after it.

**The context.** A launch names its kernel and its stream, which belong to the context, so that a
driver does not need it to be current, and one that does says so. Where a thread has none, this one
stays current from its first launch on, as with CUDA's own runtime: launches take 1 us less.

**Elsewhere.** A thread may have its work go into a stream of another library
(:mod:`speedmetal.backends.cuda.driver.foreign_streams`). It asks the device's stream as ever, which
hands launches on; who asks for anything else takes :meth:`CudaStream.in_use`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, Protocol

from speedmetal.backends.cuda.driver.commands import (
    Command,
    Launch,
    LaunchPlan,
    Refused,
    RoutineCall,
)
from speedmetal.backends.cuda.driver.context import Context, is_lost
from speedmetal.backends.cuda.driver.library import NOT_READY, SUCCESS, CudaError
from speedmetal.backends.cuda.driver.markers import Marker, Markers
from speedmetal.backends.device import Buffer
from speedmetal.backends.stream import Batch, Stream
from speedmetal.backends.submission import BatchLimits, Counter, Status
from speedmetal.errors import DeviceError

LIMITS = BatchLimits(launches=64, touched_bytes=1 << 62, in_flight=4)
"""Of launches: as many as share a marker. Of bytes: no limit, since nothing gathers. In flight: 320
launches, each with two copies at most, are fewer than the driver's own queue takes, which would
block without a time limit."""

_NEEDS_CONTEXT = (201, 400)
"""Answers of a driver that wants the context to be current: it is invalid, or a handle is."""

_SOON_SECONDS = 200e-6
"""So long a thread asks again and again for the end of its launches, which takes less time than a
marker."""

_NON_BLOCKING = 1  # CUstream_flags: it does not wait for the process's default stream


entered_streams: ContextVar[tuple[CudaStream, ...]] = ContextVar("entered_streams", default=())
"""The streams that this thread's or task's work goes into, of any GPU; the innermost last."""


class Captor(Protocol):
    """What launches go into while a stream captures."""

    def add(self, launch: Launch | RoutineCall) -> None:
        """Take a launch.

        Raises:
            CudaError: The driver refuses it.
        """


class Tracer(Protocol):
    """What notes what a stream is given."""

    def made(self, buffer: Buffer) -> None:
        """Note new memory."""

    def took(self, command: Command) -> None:
        """Note a launch."""

    def spoil(self) -> None:
        """Note what is no launch."""


class CudaStream(Stream[Command]):
    """One ``CUstream``. Safe to use from several threads.

    Args:
        context: Of the GPU.
        markers: Of the context.

    Attributes:
        graph: What takes its launches; None: they run.
        trace: What notes them as well; None: nothing.
        visits: How many blocks of the program, in any thread, have work go into other streams
            instead of this one.
        is_beside: Whether it may run beside the device's first stream now.
        waited_for: For other streams, the number of the last batch that what this one is asked for
            next comes behind.
    """

    __slots__ = ("graph", "trace", "visits")

    capture_advice = (
        " inside sm.capture(): what is asked for there runs when the graph is replayed; do it"
        " before the block, or behind it"
    )

    def __init__(self, context: Context, markers: Markers, native: Any = None) -> None:
        super().__init__(context.name, LIMITS)
        self._context = context
        self._markers = markers
        self.graph: Captor | None = None
        self.trace: Tracer | None = None
        self._query = context.library.prepared("cuStreamQuery")
        self._launches_in_flight = 0
        self.visits = 0
        self.is_beside = bool(context.streams)
        self.waited_for: dict[Stream[Any], int] = {}
        self._native = native
        context.streams.append(self)

    @property
    def native(self) -> Any:
        """The ``CUstream``, made when it is first used.

        Raises:
            DeviceError: The GPU cannot be used.
        """
        if self._native is None:
            with self._lock, self._context as library:
                if self._native is None:  # of another thread
                    self._native = library.handle("cuStreamCreate", _NON_BLOCKING)
        return self._native

    @property
    def turn(self) -> AbstractContextManager[Any]:
        """Held by whoever gives the driver something to do here."""
        lock: AbstractContextManager[Any] = self._lock
        return lock

    def in_use(self) -> CudaStream:
        """Where work goes that this thread or task asks of this stream: mostly here."""
        if self.visits:
            for stream in reversed(entered_streams.get()):
                if stream.is_visited_from(self):
                    return stream
        return self

    def is_visited_from(self, stream: CudaStream) -> bool:  # noqa: ARG002 - of the others
        """Whether work that a stream is asked for may go into this one."""
        return False

    def comes_behind(self, serials: Sequence[int]) -> bool:
        """Whether what it is asked for next comes behind these batches, of all streams in order."""
        return all(
            stream is self
            or stream.completed_serial >= serial
            or self.waited_for.get(stream, 0) >= serial
            for stream, serial in zip(self._context.streams, serials, strict=False)
        )

    # In one piece, because each call of a function costs a launch a twentieth more.
    def launch_now(self, plan: LaunchPlan, arguments: bytes) -> None:
        """Launch a kernel that has no mailbox and asks for no memory; as :meth:`launch`.

        Args:
            plan: The kernel and its sizes, on this stream.
            arguments: Packed.

        Raises:
            DeviceError: In a forked child, or the time limit is over.
        """
        if self.visits and (elsewhere := self.in_use()) is not self:
            elsewhere.launch_now(plan.on(elsewhere.native), arguments)
            return
        with self._lock:
            batch = self._batch
            is_ready = not (
                batch.submission is None
                or self._pending
                or self._is_busy
                or self.recorder is not None
                or self.trace is not None
            )
            if is_ready or self._opens(batch):
                is_ready = True
                # A finaliser or signal handler that comes here and launches must not write over
                # what the plan has laid out: it finds the stream busy.
                self._is_busy = True
                try:
                    batch.labels.append(plan.label)
                    plan.memory[:] = arguments  # as `issue` does it, without a call more
                    code = plan.call(plan.given, plan.entry, plan.parameters, None)
                    if code:
                        self._take_refusal(batch, plan, arguments, code)
                finally:
                    self._is_busy = False
                if len(batch.labels) < self.limits.launches:
                    return
        if is_ready:
            self.flush()
        else:
            self.launch(Launch(plan, arguments, 0, None), plan.label, 0, None)

    def facts_of_plain_launches(self) -> tuple[tuple[Any, str, Any], ...]:
        """What holds where :meth:`launch_now` launches into a batch that has begun.

        Of each the owner, the name of an attribute and the one value; besides, its batch has a
        submission, room for more than one launch, and nothing is pending.
        """
        usual = {"visits": 0, "_is_busy": False, "recorder": None, "trace": None}
        own = tuple((self, name, value) for name, value in usual.items())
        return (*own, (self, "_lock", self._lock), (self._context, "problem", ""))

    def _opens(self, batch: Batch) -> bool:
        """Whether a launch may begin a batch; then it has. The lock is held."""
        is_noted = self.recorder is not None or self.graph is not None or self.trace is not None
        is_other = batch.submission is not None or self._pending or self._is_busy
        if is_noted or is_other or self._context.problem:
            return False
        self._context.stay()
        batch.submission = self.new_submission()
        self.last_serial = self.open_serial
        return True

    def launch(self, command: Command, label: str, touched_bytes: int, mailbox: object) -> None:
        if self.visits and (elsewhere := self.in_use()) is not self:
            elsewhere.launch(command, label, touched_bytes, mailbox)
            return
        with self._lock:
            if self.graph is not None:
                self._capture(self.graph, command, label, mailbox)
                return
        if self.recorder is not None:  # each batch is timed: none may span a pause of the host
            super().launch(command, label, touched_bytes, mailbox)
            return
        with self._lock:
            self.last_serial = self.open_serial
            self._pending.append(command)
            batch = self._batch
            batch.labels.append(label)
            if mailbox is not None:
                self._expect_delivery()
            if self.trace is not None:
                self.trace.took(command)
            if self._is_busy:
                return
            self._is_busy = True
            try:
                self._begin(batch)
            finally:
                self._is_busy = False
            is_full = len(batch.labels) >= self.limits.launches or bool(batch.errors)
        if is_full:
            self.flush()

    # --- Tracing: see `traces` -----------------------------------------------------------------

    @contextmanager
    def tracing(self, trace: Tracer) -> Iterator[bool]:
        """Have what is asked for noted; whether it is: not while another call is traced.

        Other threads go on. If they had to wait here they could hold what the call needs next.
        """
        with self._lock:
            is_free = self.trace is None and self.graph is None
            if is_free:
                self.trace = trace
        try:
            yield is_free
        finally:
            if is_free:
                self.trace = None

    # --- Capturing: see `graphs` ---------------------------------------------------------------

    @contextmanager
    def capturing(self) -> Iterator[None]:
        """Keep other threads from asking for anything meanwhile.

        Raises:
            DeviceError: This thread captures already.
        """
        with self._lock:
            self.refuse_while_capturing("capture another graph")
            self.finish()
            yield

    def _capture(self, graph: Captor, command: Command, label: str, mailbox: object) -> None:
        if mailbox is not None:
            self.refuse_while_capturing(
                f"launch kernel {label!r} where it may print or fail, which it tells the host"
            )
        if not isinstance(command, Launch | RoutineCall):
            self.refuse_while_capturing("replay another graph")
            return
        graph.add(command)

    def refuse_while_capturing(self, what: str) -> None:
        """Refuse what no graph can do.

        Raises:
            DeviceError: The stream captures.
        """
        if self.graph is not None:
            raise DeviceError(f"{self.name} cannot {what}{self.capture_advice}")

    def submit(
        self,
        command: Command,
        *,
        raises: tuple[Counter, int] | None = None,
        awaits: Counter | None = None,
    ) -> None:
        with self._lock:
            self.refuse_while_capturing("copy between the host and arrays, or signal an event,")
            if self.trace is not None:
                self.trace.spoil()
            super().submit(command, raises=raises, awaits=awaits)

    def finish(self) -> None:
        with self._lock:
            self.refuse_while_capturing("wait")
            if self.trace is not None:
                self.trace.spoil()
            if self.is_over_soon():
                return
        super().finish()

    def is_over_soon(self) -> bool:
        """Wait for a batch of launches alone, without a marker, if that is short; whether it was.

        The lock is held. What failed, or takes longer, is left to who waits for all.
        """
        batch = self._batch
        has_more = batch.deliveries or batch.signals or batch.waits or self.recorder
        if has_more or self._in_flight or self._is_busy or self._context.problem:
            return False
        if self._pending:
            self._is_busy = True
            try:
                self._begin(batch)
            finally:
                self._is_busy = False
        if batch.submission is None or batch.errors:
            return False
        fresh, count = Batch(self.open_serial + 1, self.label_list()), len(batch.labels)
        end = time.perf_counter() + _SOON_SECONDS
        with self.driver_scope():
            while (code := self._query(self._native)) == NOT_READY and time.perf_counter() < end:
                pass
        # No call from here on, which a finaliser or a signal handler could come into. One that came
        # before may have launched something since the stream was asked.
        has_grown = self._batch is not batch or self._pending or batch.labels[count:]
        if code != SUCCESS or has_grown:
            return False
        self._batch = fresh
        self.completed_serial, self.open_serial = self.open_serial, self.open_serial + 1
        return True

    # --- Giving launches to the driver ---------------------------------------------------------

    def _begin(self, batch: Batch) -> None:
        """Give the driver what a batch has so far. The lock is held."""
        if batch.submission is None:
            self._context.stay()
        commands, self._pending = self._pending, []
        try:
            with self.driver_scope():
                if batch.submission is None:
                    batch.submission = self.new_submission()
                self._issue(batch, commands)
        except Exception as error:  # noqa: BLE001 - raised by `synchronize`, like all others
            batch.errors.append(self.not_done(batch.labels, error))

    def _issue(self, batch: Batch, commands: Sequence[Command]) -> None:
        submission = batch.submission
        assert isinstance(submission, CudaSubmission)
        for label, error in submission.issue(commands):
            batch.errors.append(self.not_done([] if label is None else [label], error))

    def push(self) -> None:
        """Give the driver what was noted down and not given yet, which is seldom anything."""
        if self._pending:
            self.flush()

    def is_crowded(self) -> bool:
        # A batch may be one launch, where streams wait for each other in between; or one copy.
        is_full = self._launches_in_flight > self.limits.launches * self.limits.in_flight
        return is_full and super().is_crowded()

    def _submit_batch(self) -> None:
        self._launches_in_flight += self._weight(self._batch)
        super()._submit_batch()

    def _close(self, batch: Batch, *, failed: bool) -> None:
        self._launches_in_flight -= self._weight(batch)
        super()._close(batch, failed=failed)

    def _weight(self, batch: Batch) -> int:
        return len(batch.labels) or self.limits.launches

    def _take_refusal(self, batch: Batch, plan: LaunchPlan, arguments: bytes, code: int) -> None:
        """A launch failed: for want of a context, or for good."""
        needs_context = code in _NEEDS_CONTEXT
        again = Launch(plan, arguments, 0, None) if needs_context else Refused(plan.label, code)
        with self.driver_scope():
            self._issue(batch, [again])

    def new_submission(self) -> CudaSubmission:
        return CudaSubmission(
            self._context, self._markers, self.native, is_timed=self.recorder is not None
        )

    def driver_scope(self) -> AbstractContextManager[Any]:
        # What has ended answers for itself that it has failed.
        return nullcontext() if self._context.problem else self._context


class CudaSubmission:
    """What a stream was given at once.

    Args:
        context: Of the GPU.
        markers: Of the context.
        stream: The ``CUstream``.
        is_timed: Whether somebody wants to know how long it takes.

    Raises:
        CudaError: The driver makes no marker for its begin.
        DeviceError: Nothing can be done any more.
    """

    __slots__ = (
        *("_begin", "_code", "_context", "_end", "_is_marked", "_is_started", "_is_timed"),
        *("_markers", "_stream"),
    )

    def __init__(self, context: Context, markers: Markers, stream: Any, *, is_timed: bool) -> None:
        context.check()
        self._context = context
        self._stream = stream
        self._markers = markers
        self._begin = markers.take(is_timed=True) if is_timed else None
        self._end: Marker | None = None
        self._is_timed = is_timed
        self._is_started = self._is_marked = False
        self._code = SUCCESS  # what ended the context

    def start(self, commands: Sequence[Command]) -> Sequence[tuple[str | None, Exception]]:
        failed = self.issue(commands)
        self._is_marked = self._is_ended()
        return failed

    def issue(self, commands: Sequence[Command]) -> Sequence[tuple[str | None, Exception]]:
        """Give commands to the driver; as :meth:`start`, which comes last."""
        if not self._is_started and self._begin is not None and not self._is_recorded(self._begin):
            self._begin = None
        self._is_started = True
        failed: list[tuple[str | None, Exception]] = []
        for command in commands:
            if self._code != SUCCESS:
                break
            try:
                command.issue(self._context.library, self._stream)
            except Exception as error:  # noqa: BLE001 - one bad command must not lose the others
                if not self._ends(error):
                    failed.append((command.label, error))
        return failed

    def _is_ended(self) -> bool:
        try:
            self._end = self._markers.take(is_timed=self._is_timed)
        except CudaError:
            return False
        return self._is_recorded(self._end)

    def _is_recorded(self, marker: Marker) -> bool:
        try:
            marker.record(self._stream)
        except CudaError:  # without a marker the stream itself is asked, which says why
            return False
        return True

    def _ends(self, error: Exception) -> bool:
        """Whether an error means that an earlier launch, not what was asked for, has failed."""
        if isinstance(error, CudaError) and is_lost(error.code):
            self._code = error.code
        return self._code != SUCCESS

    def is_started(self) -> bool:
        return self._is_started

    def status(self) -> Status:
        if self._context.problem or self._code != SUCCESS:
            return Status.FAILED
        code = self._reached()
        if code == NOT_READY:
            return Status.RUNNING
        self._code = code
        return Status.DONE if code == SUCCESS else Status.FAILED

    def _reached(self) -> int:
        if self._end is not None and self._is_marked:
            return self._end.reached()
        return self._context.library.result("cuStreamQuery", self._stream)

    def failure(self, labels: Sequence[str]) -> Exception | None:
        if self._context.problem or is_lost(self._code):
            return self._context.lose(self._code, labels)
        names = ", ".join(map(repr, dict.fromkeys(labels)))
        return DeviceError(
            f"{self._context.name}: nobody knows whether the launches of {names or 'copies'} are"
            f" done: {self._context.library.meaning(self._code)}; was their stream destroyed?"
        )

    def times(self) -> tuple[float, float] | None:
        if self._begin is None or self._end is None or not self._is_marked or self._code:
            return None
        start = self._markers.seconds_at(self._begin)
        return start, start + self._end.seconds_since(self._begin)
