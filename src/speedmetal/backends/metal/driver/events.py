"""Events: order between queues, and between a queue and the host."""

from __future__ import annotations

import threading
from typing import Any

from speedmetal.backends.metal.driver.bridge import Bridge
from speedmetal.backends.metal.driver.commands import Signal, Wait
from speedmetal.backends.metal.driver.queue import Queue
from speedmetal.errors import DeviceError

_SLICE_SECONDS = 0.02
"""How long to wait before looking whether the queue that should signal has failed."""


class Event:
    """A counter that queues and the host raise and wait for. Safe to use from several threads.

    Values are given out in the order of signals. A command buffer that fails signals nothing, so
    whoever waits here looks at the signalling queues as well, which then raise the counter in its
    place; the error is raised where its queue is synchronised.

    Args:
        bridge: The way to Metal.
        device: The ``MTLDevice``.

    Attributes:
        native: The ``MTLSharedEvent``.
    """

    def __init__(self, bridge: Bridge, device: Any) -> None:
        with bridge.objc.autorelease_pool():
            self.native = device.newSharedEvent()
        if self.native is None:
            raise DeviceError("Metal gives no event; too many may be in use")
        self._lock = threading.Lock()
        self._value = 0
        self._signalling: set[Queue] = set()

    def signal(self, queue: Queue) -> int:
        """Have a queue raise the counter when everything asked of it so far is done.

        Returns:
            The value to wait for.
        """
        with self._lock:
            self._value += 1
            value = self._value
            self._signalling.add(queue)
            queue.submit(Signal(self, value))
        # Work that stays uncommitted would let others wait for ever.
        queue.flush()
        return value

    def wait(self, queue: Queue, value: int | None = None) -> None:
        """Have a queue hold back everything asked of it from now on.

        Args:
            queue: Which.
            value: From :meth:`signal`; None: of the last signal.
        """
        queue.submit(Wait(self, self._value if value is None else value))

    def wait_on_host(self, timeout_seconds: float, value: int | None = None) -> None:
        """Wait here.

        Args:
            timeout_seconds: How long at most.
            value: From :meth:`signal`; None: of the last signal.

        Raises:
            DeviceError: The time is over.
        """
        wanted = self._value if value is None else value
        left = timeout_seconds
        while True:
            slice_seconds = min(_SLICE_SECONDS, left)
            if self.native.waitUntilSignaledValue_timeoutMS_(wanted, round(slice_seconds * 1000)):
                return
            self.poll()
            left -= slice_seconds
            if left <= 0:
                raise DeviceError(
                    f"an event was not signalled within {timeout_seconds} s: its value is"
                    f" {self.native.signaledValue()}, expected {wanted}"
                )

    def signal_from_host(self) -> int:
        """Raise the counter now.

        Returns:
            Its new value.
        """
        with self._lock:
            self._value += 1
            self.ensure(self._value)
            return self._value

    def ensure(self, value: int) -> None:
        """Raise the counter to a value, unless it is there already."""
        if self.native.signaledValue() < value:
            self.native.setSignaledValue_(value)

    def poll(self) -> None:
        """Let the signalling queues take note of what has finished, or failed."""
        for queue in tuple(self._signalling):
            queue.poll()
