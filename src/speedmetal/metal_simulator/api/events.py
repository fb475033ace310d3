"""Fences, events, and events that the CPU shares."""

# ruff: noqa: N802 - methods have the names of Metal's selectors
from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from speedmetal.metal_simulator.api.native import Labelled, Native, System
from speedmetal.metal_simulator.api.validation import require


class Fence(Labelled):
    """``MTLFence``. Encoders of a queue run one after the other here, so it orders nothing more."""

    OWNER = "MTLFence"

    __slots__ = ("updated",)

    def __init__(self, system: System, device: Native) -> None:
        super().__init__(system, device)
        self.updated = False


class Event(Labelled):
    """``MTLEvent``: a number that command buffers raise and wait for."""

    OWNER = "MTLEvent"

    __slots__ = ("_changed", "_listeners", "value")

    def __init__(self, system: System, device: Native) -> None:
        super().__init__(system, device)
        self.value = 0
        self._changed = threading.Condition()
        self._listeners: list[tuple[int, Callable[..., Any]]] = []

    def signal(self, value: int) -> None:
        """Set the value and wake who waits for it."""
        with self._changed:
            self.value = value
            due = [listener for listener in self._listeners if listener[0] <= value]
            self._listeners = [listener for listener in self._listeners if listener[0] > value]
            self._changed.notify_all()
        for _, block in due:
            block(self, value)

    def wait(self, value: int, timeout: float | None) -> bool:
        """Wait until the value is at least ``value``; False after ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self.value >= value, timeout)


class SharedEvent(Event):
    """``MTLSharedEvent``: an event that the CPU reads, sets and waits for."""

    OWNER = "MTLSharedEvent"

    __slots__ = ()

    def signaledValue(self) -> int:
        return self.value

    def setSignaledValue_(self, value: int) -> None:
        self.signal(value)

    def waitUntilSignaledValue_timeoutMS_(self, value: int, milliseconds: int) -> bool:
        return self.wait(value, milliseconds / 1000)

    def notifyListener_atValue_block_(
        self, listener: SharedEventListener | None, value: int, block: Callable[..., Any] | None
    ) -> None:
        require(listener is not None, "notifyListener: the listener is nil")
        require(block is not None, "notifyListener: the block is nil")
        assert block is not None
        with self._changed:
            reached = self.value >= value
            if not reached:
                self._listeners.append((value, block))
        if reached:
            block(self, self.value)


class SharedEventListener(Native):
    """``MTLSharedEventListener``."""

    OWNER = "MTLSharedEventListener"
    CREATABLE = True

    __slots__ = ()

    @staticmethod
    def sharedListener(system: System) -> SharedEventListener:
        return SharedEventListener(system)


NATIVES: tuple[type[Native], ...] = (Fence, Event, SharedEvent, SharedEventListener)
