"""Other libraries' streams: what a thread or task asks for inside a block goes into one of them.

**Order.** On entry the other stream waits for ours, on exit ours waits for it, by events; the host
waits for nothing. In between, other threads may use ours, or a third stream: then memory that comes
back waits until all streams have done what they were asked for
(:mod:`speedmetal.backends.cuda.driver.memory`).

**Captures.** A stream that its library captures takes launches into that library's graph. They run
when that is replayed, if ever, so nothing waits for them and nothing is asked after; what they use
is held by the block's :class:`StreamWork`.

**A stream that is gone.** The driver answers whatever is asked of a stream that was destroyed by
ending the process (580 does). So nothing is asked of one outside of its block, inside of which who
enters it keeps the object alive that owns it. Of a number there is none. What a stream was given
runs when it is gone as well, and is known by events of ours.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from speedmetal.backends.cuda.driver.commands import Launch, RoutineCall
from speedmetal.backends.cuda.driver.context import Context, is_lost
from speedmetal.backends.cuda.driver.graphs import HeldMemory
from speedmetal.backends.cuda.driver.library import CudaError
from speedmetal.backends.cuda.driver.markers import Markers
from speedmetal.backends.cuda.driver.memory import DevicePool
from speedmetal.backends.cuda.driver.ordering import Ordering
from speedmetal.backends.cuda.driver.stream import CudaStream, entered_streams
from speedmetal.errors import DeviceError

_RELAXED = 2  # CUstreamCaptureMode: this thread may make memory, load code and ask after events


class ForeignStream(CudaStream):
    """A stream of another library, or one that was such.

    Args:
        context: Of the GPU.
        markers: Of the context.
        home: The device's own stream.

    Attributes:
        home: The same.
        users: Blocks that are in it.
    """

    capture_advice = (
        " inside sm.cuda.stream() of a stream that another library captures: what is asked for"
        " there runs when that library replays its graph; do it before the block, or behind it"
    )

    def __init__(self, context: Context, markers: Markers, home: CudaStream) -> None:
        super().__init__(context, markers, ctypes.c_void_p())
        self.home = home
        self.is_beside = False
        self.users = 0

    @property
    def number(self) -> int:
        """The ``CUstream``."""
        return int(self._native.value)

    def is_visited_from(self, stream: CudaStream) -> bool:
        return stream is self.home

    def is_idle(self) -> bool:
        """Whether nobody is in it, and all that it was given is done."""
        self.poll()
        return not self.users and self.completed_serial == self.open_serial - 1

    def become(self, number: int) -> None:
        """Stand for a stream, with nobody in it."""
        if number != self._native.value:
            self._native = ctypes.c_void_p(number)

    def is_over_soon(self) -> bool:
        return False  # to ask after the stream itself is for who knows that it is there

    def finish(self) -> None:
        if self.graph is None:
            super().finish()
        elif self.home.in_use() is self:
            self.refuse_while_capturing("wait")


class StreamWork(HeldMemory):
    """What went into another library's stream inside a block.

    Where that stream was captured, the launches run when the library replays its graph: **keep this
    object as long as the graph**, and until its last replay is done. It holds the memory of the
    arrays that they use, and their code. Tensors of other libraries that were given to kernels as
    they are, are for whoever captures to keep, as those of that library's own operations.

    Attributes:
        is_captured: Whether the stream was captured.
    """

    def __init__(
        self, context: Context, pool: DevicePool, stream: Any, *, is_captured: bool
    ) -> None:
        super().__init__(pool)
        self.is_captured = is_captured
        self._context = context
        self._stream = stream

    def __repr__(self) -> str:
        what = f"{self.size} captured launches" if self.is_captured else "launches that run"
        return f"<work of a stream: {what}>"

    def add(self, launch: Launch | RoutineCall) -> None:
        """Take a launch into the library's graph, and hold the memory that it uses."""
        self.hold(launch)
        with self._context as library:
            launch.issue(library, self._stream)


class ForeignStreams:
    """The streams of other libraries that a device's work goes into. Safe to use from threads.

    Args:
        context: Of the GPU.
        markers: Of the context.
        ordering: Of its streams.
        home: The device's own stream.
        pool: Of the arrays' memory.
    """

    def __init__(
        self,
        context: Context,
        markers: Markers,
        ordering: Ordering,
        home: CudaStream,
        pool: DevicePool,
    ) -> None:
        self._context = context
        self._markers = markers
        self._ordering = ordering
        self._home = home
        self._pool = pool
        self._lock = threading.RLock()
        self._known: list[ForeignStream] = []

    @contextmanager
    def entered(self, number: int) -> Iterator[StreamWork]:
        """Have what this thread or task asks for go into a stream.

        Args:
            number: As :mod:`speedmetal.backends.cuda.driver.ordering` has it.

        Raises:
            DeviceError: It is no stream of this GPU; its capture has failed, began or ended inside
                the block; it was destroyed there; or another stream is captured around the block.
        """
        before = self._home.in_use()
        is_captured = self._ordering.is_capturing(number)
        is_there = before.native.value == number
        if before.graph is not None and not (is_captured or is_there):
            before.refuse_while_capturing("go into another stream, which is not captured,")
        stream = self._arrive(number)
        work = stream.graph  # of a block around this one
        if not isinstance(work, StreamWork):
            work = StreamWork(self._context, self._pool, stream.native, is_captured=is_captured)
        token = entered_streams.set((*entered_streams.get(), stream))
        try:
            if is_there:
                yield work
            elif is_captured:
                with self._captured(stream, work):
                    yield work
            else:
                with self._in_order(stream, before):
                    yield work
        finally:
            entered_streams.reset(token)
            self._leave(stream)

    # --- In order ------------------------------------------------------------------------------

    @contextmanager
    def _in_order(self, stream: ForeignStream, before: CudaStream) -> Iterator[None]:
        self._ordering.follow(stream, before)
        try:
            yield
        finally:
            self._go_back(stream, before)

    def _go_back(self, stream: ForeignStream, before: CudaStream) -> None:
        number, name = stream.number, self._context.name
        try:
            self._ordering.check_not_capturing(number)
            self._ordering.follow(before, stream)
        except DeviceError as error:
            if isinstance(error, CudaError) and is_lost(error.code):
                raise
            # What it was given cannot be told from other work any more, so nothing may overtake it.
            with self._context as library:
                library.result("cuCtxSynchronize")
            raise DeviceError(
                f"sm.cuda.stream(): {name} cannot wait for stream {number:#x}: {error}. Did its"
                " capture begin inside the block, or was it destroyed there?"
            ) from error

    # --- Captured ------------------------------------------------------------------------------

    @contextmanager
    def _captured(self, stream: ForeignStream, work: StreamWork) -> Iterator[None]:
        mode = ctypes.c_int(_RELAXED)
        with self._context as library:
            library.call("cuThreadExchangeStreamCaptureMode", ctypes.byref(mode))
        self._context.captures += 1
        stream.graph = work
        try:
            yield
        finally:
            stream.graph = None
            self._context.captures -= 1
            with self._context as library:
                library.call("cuThreadExchangeStreamCaptureMode", ctypes.byref(mode))
        if not self._ordering.is_capturing(stream.number):
            raise DeviceError(
                f"{self._context.name}: the capture of stream {stream.number:#x} ended inside"
                " sm.cuda.stream(); end it behind the block"
            )

    # --- Which object stands for a stream ------------------------------------------------------

    def _arrive(self, number: int) -> ForeignStream:
        """Count one more block that is in a stream.

        Raises:
            DeviceError: This thread captures a graph of ours.
        """
        with self._lock:
            # Who captures a graph of ours holds this, so that other threads wait here.
            with self._home.turn:
                self._home.refuse_while_capturing("go into another library's stream")
            stream = self._standing_for(number)
            if not stream.users:
                stream.become(number)
                stream.time_limit_seconds = self._home.time_limit_seconds
                stream.recorder = self._home.recorder
                stream.keep_labels_in(self._home.label_list)
            stream.users += 1
            stream.is_beside = True  # before it waits: memory that comes back from now on waits
            self._home.visits += 1
            return stream

    def _leave(self, stream: ForeignStream) -> None:
        with self._lock:
            stream.users -= 1
            stream.is_beside = stream.users > 0
            self._home.visits -= 1

    def _standing_for(self, number: int) -> ForeignStream:
        """One that stood for the stream before, or that nobody needs any more, or a new one.

        So there are no more than were used at once: the pools count what each has done.
        """
        for stream in self._known:
            if stream.number == number:
                return stream
        for stream in self._known:
            if stream.is_idle():
                return stream
        stream = ForeignStream(self._context, self._markers, self._home)
        self._known.append(stream)
        return stream
