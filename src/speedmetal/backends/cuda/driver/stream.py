"""A stream of CUDA: what was asked for is given to the driver together, with a marker behind it.

Order, limits, waiting and failures are those of :class:`speedmetal.backends.stream.Stream`. What a
batch saves here is Python's: the context is made current once, one marker is put behind it, and one
is asked after.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from speedmetal.backends.cuda.driver.commands import Command
from speedmetal.backends.cuda.driver.context import Context, is_lost
from speedmetal.backends.cuda.driver.library import NOT_READY, SUCCESS, CudaError
from speedmetal.backends.cuda.driver.markers import Marker, Markers
from speedmetal.backends.stream import Stream
from speedmetal.backends.submission import BatchLimits, Status

LIMITS = BatchLimits(launches=16, touched_bytes=1 << 62, in_flight=16)
"""Of launches: few, since each costs the driver little more alone than among others, and the GPU
waits while they gather. Of bytes: none, for the same reason. In flight: 256 launches, each with two
copies at most, are fewer than the driver's own queue takes, which would block without a time
limit."""

_NON_BLOCKING = 1  # CUstream_flags: it does not wait for the process's default stream


class CudaStream(Stream[Command]):
    """One ``CUstream``. Safe to use from several threads.

    Args:
        context: Of the GPU.
        markers: Of the context.

    Attributes:
        native: The ``CUstream``.
    """

    def __init__(self, context: Context, markers: Markers) -> None:
        super().__init__(context.name, LIMITS)
        self._context = context
        self._markers = markers
        with context as library:
            self.native = library.handle("cuStreamCreate", _NON_BLOCKING)
        context.streams.append(self)

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
        CudaError: The driver makes no marker.
        DeviceError: Nothing can be done any more.
    """

    __slots__ = (
        *("_begin", "_code", "_context", "_end", "_is_marked", "_is_started", "_markers"),
        "_stream",
    )

    def __init__(self, context: Context, markers: Markers, stream: Any, *, is_timed: bool) -> None:
        context.check()
        self._context = context
        self._stream = stream
        self._markers = markers
        self._begin = markers.take(is_timed=True) if is_timed else None
        self._end = markers.take(is_timed=is_timed)
        self._is_started = self._is_marked = False
        self._code = SUCCESS  # what ended the context

    def start(self, commands: Sequence[Command]) -> Sequence[tuple[str | None, Exception]]:
        self._is_started = True
        failed: list[tuple[str | None, Exception]] = []
        if self._begin is not None and not self._is_recorded(self._begin):
            self._begin = None
        for command in commands:
            if self._code != SUCCESS:
                break
            try:
                command.issue(self._context.library, self._stream)
            except Exception as error:  # noqa: BLE001 - one bad command must not lose the others
                if not self._ends(error):
                    failed.append((command.label, error))
        self._is_marked = self._is_recorded(self._end)
        return failed

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
        if self._is_marked:
            return self._end.reached()
        return self._context.library.result("cuStreamQuery", self._stream)

    def failure(self, labels: Sequence[str]) -> Exception | None:
        return self._context.lose(self._code, labels)

    def times(self) -> tuple[float, float] | None:
        if self._begin is None or not self._is_marked or self._code != SUCCESS:
            return None
        start = self._markers.seconds_at(self._begin)
        return start, start + self._end.seconds_since(self._begin)
