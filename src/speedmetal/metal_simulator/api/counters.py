"""Counters: the GPU's times, in buffers of samples."""

# ruff: noqa: N802 - methods have the names of Metal's selectors
from __future__ import annotations

import struct
from typing import Any, ClassVar

from speedmetal.metal_simulator.api import sdk
from speedmetal.metal_simulator.api.foundation import Data, Error, failure
from speedmetal.metal_simulator.api.native import Labelled, Native, System
from speedmetal.metal_simulator.api.validation import MetalValidationError, require

_ERROR_VALUE = sdk.ENUMERATIONS["MTLCounterErrorValue"]
_LARGEST_SAMPLES = 32768


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


NATIVES: tuple[type[Native], ...] = (
    Counter,
    CounterSet,
    CounterSampleBufferDescriptor,
    CounterSampleBuffer,
)
