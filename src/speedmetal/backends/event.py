"""Events: order between streams, and between a stream and the host."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Any, Generic

from speedmetal.backends.stream import Command, Stream
from speedmetal.errors import DeviceError

_SLICE_SECONDS = 0.02
"""How long to wait before looking whether the stream that should signal has failed."""


class Event(ABC, Generic[Command]):
    """A counter that streams and the host raise and wait for. Safe to use from several threads.

    Values are given out in the order of signals. A batch that fails signals nothing, so whoever
    waits here looks at the signalling streams as well, which then raise the counter in its place;
    the error is raised where its stream is synchronised.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0
        self._signalling: set[Stream[Any]] = set()

    # --- What a device says --------------------------------------------------------------------

    @abstractmethod
    def signal_command(self, value: int) -> Command:
        """What gives the counter a value when everything before is done."""

    @abstractmethod
    def wait_command(self, value: int) -> Command:
        """What holds back everything after until the counter has a value."""

    @abstractmethod
    def value(self) -> int:
        """The counter now."""

    @abstractmethod
    def assign(self, value: int) -> None:
        """Give the counter a value at once, from the host."""

    @abstractmethod
    def wait_for(self, value: int, seconds: float) -> bool:
        """Wait on the host, no longer than this.

        Returns:
            Whether the counter has the value.
        """

    # --- Streams -------------------------------------------------------------------------------

    def signal(self, stream: Stream[Command]) -> int:
        """Have a stream raise the counter when everything asked of it so far is done.

        Returns:
            The value to wait for.
        """
        with self._lock:
            self._last += 1
            value = self._last
            self._signalling.add(stream)
            stream.submit(self.signal_command(value), raises=(self, value))
        # Work that stays with the host would let others wait for ever.
        stream.flush()
        return value

    def wait(self, stream: Stream[Command], value: int | None = None) -> None:
        """Have a stream hold back everything asked of it from now on.

        Args:
            stream: Which.
            value: From :meth:`signal`; None: of the last signal.
        """
        with self._lock:  # the last signal has been asked for, then
            wanted = self._last if value is None else value
        stream.submit(self.wait_command(wanted), awaits=self)

    # --- The host ------------------------------------------------------------------------------

    def wait_on_host(self, timeout_seconds: float, value: int | None = None) -> None:
        """Wait here.

        Args:
            timeout_seconds: How long at most.
            value: From :meth:`signal`; None: of the last signal.

        Raises:
            DeviceError: The time is over.
        """
        wanted = self._last if value is None else value
        left = timeout_seconds
        while True:
            slice_seconds = min(_SLICE_SECONDS, left)
            if self.wait_for(wanted, slice_seconds):
                return
            self.poll()
            left -= slice_seconds
            if left <= 0:
                raise DeviceError(
                    f"an event was not signalled within {timeout_seconds} s: its value is"
                    f" {self.value()}, expected {wanted}"
                )

    def signal_from_host(self) -> int:
        """Raise the counter now.

        Returns:
            Its new value.
        """
        with self._lock:
            self._last += 1
            self.ensure(self._last)
            return self._last

    def ensure(self, value: int) -> None:
        """Raise the counter to a value, unless it is there already."""
        if self.value() < value:
            self.assign(value)

    def poll(self) -> None:
        """Let the signalling streams take note of what has finished, or failed."""
        for stream in tuple(self._signalling):
            stream.poll()
