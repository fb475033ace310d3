"""Events: order between queues, and between a queue and the host."""

from __future__ import annotations

from typing import Any

from speedmetal.backends import event
from speedmetal.backends.metal.driver.bridge import Bridge
from speedmetal.backends.metal.driver.commands import Command, Signal, Wait
from speedmetal.errors import DeviceError


class Event(event.Event[Command]):
    """An ``MTLSharedEvent``.

    Args:
        bridge: The way to Metal.
        device: The ``MTLDevice``.
    """

    def __init__(self, bridge: Bridge, device: Any) -> None:
        super().__init__()
        with bridge.objc.autorelease_pool():
            self._native = device.newSharedEvent()
        if self._native is None:
            raise DeviceError("Metal gives no event; too many may be in use")

    def signal_command(self, value: int) -> Command:
        return Signal(self._native, value)

    def wait_command(self, value: int) -> Command:
        return Wait(self._native, value)

    def value(self) -> int:
        return int(self._native.signaledValue())

    def assign(self, value: int) -> None:
        self._native.setSignaledValue_(value)

    def wait_for(self, value: int, seconds: float) -> bool:
        return bool(self._native.waitUntilSignaledValue_timeoutMS_(value, round(seconds * 1000)))
