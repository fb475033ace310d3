"""Objects of the simulated frameworks, and what they share.

A native object is what Objective-C would have. It does not check types, since only the bridge
(:mod:`speedmetal.metal_simulator.api.proxies`) sends it messages, after checking them against the
table. Its methods have the names of the table's rows, take unwrapped values and give native
objects.
"""

# ruff: noqa: N802 - methods have the names of Metal's selectors
from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ClassVar, Self
from weakref import WeakSet, ref

from speedmetal.metal_simulator.api.configuration import Configuration
from speedmetal.metal_simulator.api.validation import MetalValidationError


class System:
    """One simulated Mac: what its objects share.

    Attributes:
        configuration: May be replaced at any time.
        compilations: MSL texts compiled so far.
        reports: Faults that have no call to raise from (an object released too early, say).
        violations: Messages that Metal forbids; each was raised, too.
        buffers: Live buffers and their bytes.
    """

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.messages = 0
        self.compilations = 0
        self.commits = 0
        self.reports: list[str] = []
        self.violations: list[str] = []
        self.live_buffers = 0
        self.live_bytes = 0
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.archive_hits = 0
        # Memory of buffers that are gone while views of it were still in use.
        self.limbo: list[tuple[object, list[ref[Any]], bool]] = []
        # Buffers on memory that Python must keep.
        self.borrowers: WeakSet[Any] = WeakSet()
        self.borrowed = False
        self.gave_addresses = False
        # Kinds of the commands of each command buffer, while a capture runs.
        self.capture: list[list[str]] | None = None
        self.capture_manager: Any = None
        self.wrap: Callable[[Any], Any] = _no_bridge
        self.over_retained: list[Native] = []
        self.unpooled: list[Native] = []
        self._pools = threading.local()

    def report(self, text: str) -> None:
        """Remember a fault that cannot be raised where it belongs."""
        with self.lock:
            self.reports.append(text)

    def reachable(self) -> list[tuple[int, int]]:
        """The memory of which a kernel may have the address: all, once any was asked for."""
        from speedmetal.metal_simulator.memory import live_ranges

        if not self.gave_addresses:
            return []
        lent = [(buffer.address, buffer.address + buffer.size) for buffer in self.borrowers]
        return live_ranges() + lent

    def settle(self) -> None:
        """Free what dead buffers left behind; report views that are still in use."""
        with self.lock:
            kept = []
            for memory, views, known in self.limbo:
                alive = [view for view in views if view() is not None]
                if alive and not known:
                    self.reports.append("a view of a buffer's memory outlives the buffer")
                if alive:
                    kept.append((memory, alive, True))
            self.limbo = kept

    def autorelease(self, native: Native) -> None:
        """Let an object live until the innermost pool of this thread ends."""
        pools = getattr(self._pools, "stack", None)
        (pools[-1] if pools else self.unpooled).append(native)

    def autorelease_pool(self) -> Pool:
        """A pool: what is released into it is let go at its end."""
        return Pool(self._pools.__dict__.setdefault("stack", []))


class Pool:
    """A ``with`` statement whose end lets go what was autoreleased inside."""

    __slots__ = ("_stack",)

    def __init__(self, stack: list[list[Native]]) -> None:
        self._stack = stack

    def __enter__(self) -> None:
        self._stack.append([])

    def __exit__(self, *_: object) -> None:
        self._stack.pop()


def _no_bridge(_: Any) -> Any:
    raise MetalValidationError("no bridge holds this object's system")


class Native:
    """An object of a simulated framework."""

    OWNER: ClassVar[str] = "NSObject"
    # Names of properties with their first values; the table says which have setters.
    PROPERTIES: ClassVar[dict[str, Any]] = {}
    # Whether ``alloc().init()`` makes one.
    CREATABLE: ClassVar[bool] = False

    __slots__ = ("__weakref__", "properties", "proxy", "system")

    def __init__(self, system: System) -> None:
        self.system = system
        self.proxy: ref[Any] | None = None
        self.properties: dict[str, Any] = self.PROPERTIES.copy()

    @classmethod
    def create(cls, system: System) -> Self:
        """A new object, as ``alloc().init()`` makes it.

        Raises:
            MetalValidationError: Objects of this class are made by others.
        """
        if not cls.CREATABLE:
            raise MetalValidationError(f"{cls.OWNER} is not made with alloc().init()")
        return cls(system)

    def description(self) -> str:
        return f"<{self.OWNER}: {id(self):#x}>"

    def respondsToSelector_(self, selector: str) -> bool:
        return hasattr(type(self.system.wrap(self)), selector.replace(":", "_"))

    def copy(self) -> dict[str, Any]:
        """The properties as they are now; what later changes them does not change the copy."""
        return dict(self.properties)


class Labelled(Native):
    """An object with a label and a device."""

    PROPERTIES: ClassVar[dict[str, Any]] = {"label": None}

    __slots__ = ("_device",)

    def __init__(self, system: System, device: Native) -> None:
        # Not through the parent: each launch makes two such objects.
        self.system = system
        self.proxy = None
        self.properties = self.PROPERTIES.copy()
        self._device = device

    def device(self) -> Native:
        return self._device
