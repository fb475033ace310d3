"""Captures, shader logs and residency sets."""

# ruff: noqa: N802 - methods have the names of Metal's selectors
from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from speedmetal.metal_simulator.api import sdk
from speedmetal.metal_simulator.api.buffers import Allocation
from speedmetal.metal_simulator.api.foundation import URL, Error, failure
from speedmetal.metal_simulator.api.native import Labelled, Native, System
from speedmetal.metal_simulator.api.validation import MetalValidationError, require


class CaptureManager(Native):
    """``MTLCaptureManager``: writes which commands were committed, as JSON."""

    OWNER = "MTLCaptureManager"
    PROPERTIES: ClassVar[dict[str, Any]] = {"defaultCaptureScope": None}

    __slots__ = ("_path",)

    _TRACE = sdk.ENUMERATIONS["MTLCaptureDestinationGPUTraceDocument"]

    def __init__(self, system: System) -> None:
        super().__init__(system)
        self._path: Path | None = None

    @staticmethod
    def sharedCaptureManager(system: System) -> CaptureManager:
        if system.capture_manager is None:
            system.capture_manager = CaptureManager(system)
        manager: CaptureManager = system.capture_manager
        return manager

    def newCaptureScopeWithDevice_(self, device: Native | None) -> CaptureScope:
        return CaptureScope(self.system, _require_object(device, "newCaptureScopeWithDevice"), None)

    def newCaptureScopeWithCommandQueue_(self, queue: Labelled | None) -> CaptureScope:
        given = _require_object(queue, "newCaptureScopeWithCommandQueue")
        assert isinstance(given, Labelled)
        return CaptureScope(self.system, given.device(), given)

    def supportsDestination_(self, destination: int) -> bool:
        return destination == self._TRACE and os.environ.get("MTL_CAPTURE_ENABLED") == "1"

    def startCaptureWithDescriptor_error_(
        self, descriptor: CaptureDescriptor | None
    ) -> tuple[bool, Error | None]:
        if descriptor is None:
            raise MetalValidationError("startCaptureWithDescriptor: the descriptor is nil")
        values = descriptor.properties
        url: URL | None = values["outputURL"]
        if self.system.capture is not None:
            return self._refuse("AlreadyCapturing", "a capture is running already")
        if not self.supportsDestination_(values["destination"]):
            text = "captures to a document need MTL_CAPTURE_ENABLED=1 in the environment"
            return self._refuse("NotSupported", text)
        if values["captureObject"] is None or url is None or Path(url.path()).exists():
            text = "a capture needs an object, and a path where nothing is yet"
            return self._refuse("InvalidDescriptor", text)
        self._path = Path(url.path())
        self.system.capture = []
        return True, None

    def _refuse(self, code: str, text: str) -> tuple[bool, Error | None]:
        domain = "MTLCaptureErrorDomain"
        return False, failure(self.system, domain, f"MTLCaptureError{code}", text)

    def stopCapture(self) -> None:
        if self._path is not None:
            self._path.mkdir(parents=True)
            (self._path / "commands.json").write_text(json.dumps(self.system.capture))
        self.system.capture = None
        self._path = None

    def isCapturing(self) -> bool:
        return self.system.capture is not None


def _require_object(native: Native | None, what: str) -> Native:
    if native is None:
        raise MetalValidationError(f"{what}: the object is nil")
    return native


class CaptureDescriptor(Native):
    """``MTLCaptureDescriptor``."""

    OWNER = "MTLCaptureDescriptor"
    CREATABLE = True
    PROPERTIES: ClassVar[dict[str, Any]] = {
        "captureObject": None,
        "destination": sdk.ENUMERATIONS["MTLCaptureDestinationDeveloperTools"],
        "outputURL": None,
    }

    __slots__ = ()


class CaptureScope(Labelled):
    """``MTLCaptureScope``."""

    OWNER = "MTLCaptureScope"

    __slots__ = ("_inside", "_queue")

    def __init__(self, system: System, device: Native, queue: Native | None) -> None:
        super().__init__(system, device)
        self._queue = queue
        self._inside = False

    def commandQueue(self) -> Native | None:
        return self._queue

    def beginScope(self) -> None:
        require(not self._inside, "beginScope: the scope has begun already")
        self._inside = True

    def endScope(self) -> None:
        require(self._inside, "endScope: the scope has not begun")
        self._inside = False


class LogStateDescriptor(Native):
    """``MTLLogStateDescriptor``."""

    OWNER = "MTLLogStateDescriptor"
    CREATABLE = True
    PROPERTIES: ClassVar[dict[str, Any]] = {"level": 0, "bufferSize": 1024}

    __slots__ = ()


class LogState(Native):
    """``MTLLogState``. Simulated kernels write no log, so its handlers are never called."""

    OWNER = "MTLLogState"

    __slots__ = ("handlers",)

    def __init__(self, system: System) -> None:
        super().__init__(system)
        self.handlers: list[Callable[..., Any]] = []

    def addLogHandler_(self, handler: Callable[..., Any] | None) -> None:
        if handler is None:
            raise MetalValidationError("addLogHandler: the block is nil")
        self.handlers.append(handler)


def make_log_state(
    system: System, descriptor: LogStateDescriptor | None
) -> tuple[LogState | None, Error | None]:
    """A log state, or the error."""
    if descriptor is None:
        raise MetalValidationError("newLogStateWithDescriptor: the descriptor is nil")
    size: int = descriptor.properties["bufferSize"]
    if size < 1024:
        text = f"a log of {size} bytes; 1024 are the least"
        domain = "MTLLogStateErrorDomain"
        return None, failure(system, domain, "MTLLogStateErrorInvalidSize", text)
    return LogState(system), None


class ResidencySetDescriptor(Native):
    """``MTLResidencySetDescriptor``."""

    OWNER = "MTLResidencySetDescriptor"
    CREATABLE = True
    PROPERTIES: ClassVar[dict[str, Any]] = {"label": None, "initialCapacity": 0}

    __slots__ = ()


class ResidencySet(Labelled):
    """``MTLResidencySet``: changes count once they are committed."""

    OWNER = "MTLResidencySet"

    __slots__ = ("_committed", "_pending")

    def __init__(self, system: System, device: Native, descriptor: ResidencySetDescriptor) -> None:
        super().__init__(system, device)
        self.properties["label"] = descriptor.properties["label"]
        self._pending: list[Allocation] = []
        self._committed: list[Allocation] = []

    def allAllocations(self) -> list[Allocation]:
        return list(self._pending)

    def allocationCount(self) -> int:
        return len(self._pending)

    def allocatedSize(self) -> int:
        return sum(allocation.allocatedSize() for allocation in self._committed)

    def containsAllocation_(self, allocation: Allocation | None) -> bool:
        return allocation in self._pending

    def addAllocation_(self, allocation: Allocation | None) -> None:
        if allocation is None:
            raise MetalValidationError("addAllocation: the allocation is nil")
        if allocation not in self._pending:
            self._pending.append(allocation)

    def removeAllocation_(self, allocation: Allocation | None) -> None:
        if allocation not in self._pending:
            raise MetalValidationError("removeAllocation: the set does not have it")
        self._pending.remove(allocation)

    def removeAllAllocations(self) -> None:
        self._pending.clear()

    def commit(self) -> None:
        self._committed = list(self._pending)

    def requestResidency(self) -> None:
        pass

    def endResidency(self) -> None:
        pass


NATIVES: tuple[type[Native], ...] = (
    CaptureManager,
    CaptureDescriptor,
    CaptureScope,
    LogStateDescriptor,
    LogState,
    ResidencySetDescriptor,
    ResidencySet,
)
