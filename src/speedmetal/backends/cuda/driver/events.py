"""Events: order between streams, and between a stream and the host.

CUDA's own events know no numbers, so each signal puts a marker of its own behind what its stream
was asked for, and a stream that waits for a value waits for the marker of the first signal that
gives it. A stream can wait for what was asked for alone, never for a signal to come: so none can
wait for ever.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any, ClassVar

from speedmetal.backends import event
from speedmetal.backends.cuda.driver.commands import Command
from speedmetal.backends.cuda.driver.context import Context
from speedmetal.backends.cuda.driver.library import SUCCESS, Library
from speedmetal.backends.cuda.driver.markers import Marker, Markers
from speedmetal.errors import DeviceError

_NAP_SECONDS = 50e-6


class Event(event.Event[Command]):
    """A counter that streams of one GPU raise.

    Args:
        context: Of the GPU.
        markers: Of the context.
    """

    def __init__(self, context: Context, markers: Markers) -> None:
        super().__init__()
        self._context = context
        self._markers = markers
        # A finaliser that waits may come into the middle of it, on the thread that holds the lock.
        self._marker_lock = threading.RLock()
        self._value = 0
        self._recorded: list[tuple[int, Marker]] = []  # signals that were not seen to be reached

    def signal_command(self, value: int) -> Command:
        return _Signal(self, value)

    def wait_command(self, value: int) -> Command:
        """What holds back everything after until the counter has a value.

        Raises:
            DeviceError: Nothing that was asked for gives it this value.
        """
        if value > self._last:
            raise DeviceError(
                f"{self._context.name} can wait for signals that were asked for; this event has"
                f" {self._last} of them, expected {value}: signal it first"
            )
        for stream in tuple(self._signalling):
            stream.flush()  # CUDA waits for what was given to the driver before
        return _Wait(self, value)

    def record(self, value: int, stream: Any) -> None:
        """Give the counter a value when a ``CUstream`` comes here, inside ``with context:``.

        Raises:
            CudaError: The driver refuses it.
        """
        marker = self._markers.take()
        marker.record(stream)
        with self._marker_lock:
            self._recorded.append((value, marker))

    def hold_back(self, value: int, library: Library, stream: Any) -> None:
        """Hold a ``CUstream`` back until the counter has a value, inside ``with context:``.

        Raises:
            CudaError: The driver refuses it.
            DeviceError: The signal was not given to the driver.
        """
        with self._marker_lock:
            if self._value >= value:
                return
            later = [(given, marker) for given, marker in self._recorded if given >= value]
        if not later:
            raise DeviceError(f"the event's signal {value} was not given to {self._context.name}")
        _, marker = min(later, key=lambda signal: signal[0])
        library.call("cuStreamWaitEvent", stream, marker.native, 0)

    def value(self) -> int:
        if not self._recorded or self._context.problem:
            return self._value
        with self._context, self._marker_lock:
            reached = [signal for signal in self._recorded if signal[1].reached() == SUCCESS]
            self._value = max([self._value, *(value for value, _ in reached)])
            self._recorded = [signal for signal in self._recorded if signal[0] > self._value]
            return self._value

    def assign(self, value: int) -> None:
        with self._marker_lock:
            self._value = value
            self._recorded = [signal for signal in self._recorded if signal[0] > value]

    def wait_for(self, value: int, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.value() < value:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(left, _NAP_SECONDS))
        return True


@dataclass(frozen=True, slots=True, eq=False)
class _Signal:
    """Give an event a value when everything before is done."""

    label: ClassVar[None] = None
    event: Event
    value: int

    def issue(self, _library: Library, stream: Any) -> None:
        self.event.record(self.value, stream)


@dataclass(frozen=True, slots=True, eq=False)
class _Wait:
    """Hold back everything after until an event has a value."""

    label: ClassVar[None] = None
    event: Event
    value: int

    def issue(self, library: Library, stream: Any) -> None:
        self.event.hold_back(self.value, library, stream)
