"""Counters, captures, shader logs and residency sets."""

# ruff: noqa: N802 - methods have the names of Metal's selectors
from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from speedmetal.metal_simulator.api import sdk
from speedmetal.metal_simulator.api.buffers import Allocation
from speedmetal.metal_simulator.api.commands import Sample
from speedmetal.metal_simulator.api.foundation import URL, Data, Error, failure
from speedmetal.metal_simulator.api.native import Labelled, Native, System
from speedmetal.metal_simulator.api.validation import MetalValidationError, require

_ERROR_VALUE = sdk.ENUMERATIONS["MTLCounterErrorValue"]
_DONT_SAMPLE = sdk.ENUMERATIONS["MTLCounterDontSample"]
_LARGEST_SAMPLES = 32768
# Attachments of a compute pass.
_ATTACHMENTS = 4


class Counter(Native):
    """``MTLCounter``."""

    OWNER = "MTLCounter"

    __slots__ = ()

    def name(self) -> str:
        return "MTLCommonCounterTimestamp"


class CounterSet(Native):
    """``MTLCounterSet``: Apple GPUs have the one of timestamps."""

    OWNER = "MTLCounterSet"

    __slots__ = ()

    def name(self) -> str:
        return "MTLCommonCounterSetTimestamp"

    def counters(self) -> list[Counter]:
        return [Counter(self.system)]


class CounterSampleBufferDescriptor(Native):
    """``MTLCounterSampleBufferDescriptor``."""

    OWNER = "MTLCounterSampleBufferDescriptor"
    CREATABLE = True
    PROPERTIES: ClassVar[dict[str, Any]] = {
        "counterSet": None,
        "label": "",
        "storageMode": 0,
        "sampleCount": 0,
    }

    __slots__ = ()


class CounterSampleBuffer(Labelled):
    """``MTLCounterSampleBuffer``: times in nanoseconds."""

    OWNER = "MTLCounterSampleBuffer"

    __slots__ = ("_samples", "_shared")

    def __init__(
        self, system: System, device: Native, descriptor: CounterSampleBufferDescriptor
    ) -> None:
        super().__init__(system, device)
        self.properties["label"] = descriptor.properties["label"]
        self._samples = [_ERROR_VALUE] * descriptor.properties["sampleCount"]
        self._shared = descriptor.properties["storageMode"] == 0

    def sampleCount(self) -> int:
        return len(self._samples)

    def check_range(self, what: str, first: int, count: int) -> None:
        """A range of samples must lie inside."""
        require(
            first + count <= len(self._samples),
            f"{what}: samples {first} to {first + count} of {len(self._samples)}",
        )

    def write(self, index: int, nanoseconds: int) -> None:
        """Store a sample."""
        self._samples[index] = nanoseconds

    def read(self, first: int, count: int) -> bytes:
        """Samples as Metal stores them: 64 bits each, the lowest byte first."""
        return struct.pack(f"<{count}Q", *self._samples[first : first + count])

    def resolveCounterRange_(self, span: tuple[int, int]) -> Data:
        require(
            self._shared, "resolveCounterRange: the sample buffer is private; resolve on the GPU"
        )
        self.check_range("resolveCounterRange", *span)
        return Data(self.read(*span))


def make_sample_buffer(
    system: System, device: Native, descriptor: CounterSampleBufferDescriptor | None
) -> tuple[CounterSampleBuffer | None, Error | None]:
    """A sample buffer, or the error."""
    if descriptor is None:
        raise MetalValidationError("newCounterSampleBufferWithDescriptor: the descriptor is nil")
    count: int = descriptor.properties["sampleCount"]
    if descriptor.properties["counterSet"] is None or not 0 < count * 8 <= _LARGEST_SAMPLES:
        text = f"{count} samples; a counter set and 1 to {_LARGEST_SAMPLES // 8} are needed"
        domain = "MTLCounterErrorDomain"
        return None, failure(system, domain, "MTLCounterSampleBufferErrorInvalid", text)
    return CounterSampleBuffer(system, device, descriptor), None


class ComputePassDescriptor(Native):
    """``MTLComputePassDescriptor``."""

    OWNER = "MTLComputePassDescriptor"
    CREATABLE = True
    PROPERTIES: ClassVar[dict[str, Any]] = {"dispatchType": 0}

    __slots__ = ("_attachments",)

    def __init__(self, system: System) -> None:
        super().__init__(system)
        self._attachments = SampleAttachments(system)

    @staticmethod
    def computePassDescriptor(system: System) -> ComputePassDescriptor:
        return ComputePassDescriptor(system)

    def sampleBufferAttachments(self) -> SampleAttachments:
        return self._attachments

    def samples(self) -> tuple[list[Sample], list[Sample]]:
        """What is sampled when the encoder begins, and when it ends."""
        starts: list[Sample] = []
        ends: list[Sample] = []
        for attachment in self._attachments.items:
            buffer: CounterSampleBuffer | None = attachment.properties["sampleBuffer"]
            if buffer is None:
                continue
            for moment, samples in (("start", starts), ("end", ends)):
                index = attachment.properties[f"{moment}OfEncoderSampleIndex"]
                if index != _DONT_SAMPLE:
                    buffer.check_range("a compute pass", index, 1)
                    samples.append(Sample(buffer, index))
        return starts, ends


class SampleAttachments(Native):
    """``MTLComputePassSampleBufferAttachmentDescriptorArray``."""

    OWNER = "MTLComputePassSampleBufferAttachmentDescriptorArray"

    __slots__ = ("items",)

    def __init__(self, system: System) -> None:
        super().__init__(system)
        self.items = [SampleAttachment(system) for _ in range(_ATTACHMENTS)]

    def objectAtIndexedSubscript_(self, index: int) -> SampleAttachment:
        require(index < _ATTACHMENTS, f"a compute pass has {_ATTACHMENTS} sample attachments")
        return self.items[index]

    def setObject_atIndexedSubscript_(self, item: SampleAttachment | None, index: int) -> None:
        require(index < _ATTACHMENTS, f"a compute pass has {_ATTACHMENTS} sample attachments")
        self.items[index] = SampleAttachment(self.system) if item is None else item


class SampleAttachment(Native):
    """``MTLComputePassSampleBufferAttachmentDescriptor``."""

    OWNER = "MTLComputePassSampleBufferAttachmentDescriptor"
    CREATABLE = True
    PROPERTIES: ClassVar[dict[str, Any]] = {
        "sampleBuffer": None,
        "startOfEncoderSampleIndex": _DONT_SAMPLE,
        "endOfEncoderSampleIndex": _DONT_SAMPLE,
    }

    __slots__ = ()


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
        return CaptureScope(self.system, _given(device, "newCaptureScopeWithDevice"), None)

    def newCaptureScopeWithCommandQueue_(self, queue: Labelled | None) -> CaptureScope:
        given = _given(queue, "newCaptureScopeWithCommandQueue")
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


def _given(native: Native | None, what: str) -> Native:
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
    Counter,
    CounterSet,
    CounterSampleBufferDescriptor,
    CounterSampleBuffer,
    ComputePassDescriptor,
    SampleAttachments,
    SampleAttachment,
    CaptureManager,
    CaptureDescriptor,
    CaptureScope,
    LogStateDescriptor,
    LogState,
    ResidencySetDescriptor,
    ResidencySet,
)
