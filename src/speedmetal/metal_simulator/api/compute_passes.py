"""Compute passes: what is sampled where an encoder begins and ends."""

# ruff: noqa: N802 - methods have the names of Metal's selectors
from __future__ import annotations

from typing import Any, ClassVar

from speedmetal.metal_simulator.api import sdk
from speedmetal.metal_simulator.api.commands import Sample
from speedmetal.metal_simulator.api.counters import CounterSampleBuffer
from speedmetal.metal_simulator.api.native import Native, System
from speedmetal.metal_simulator.api.validation import require

_DONT_SAMPLE = sdk.ENUMERATIONS["MTLCounterDontSample"]
# Attachments of a compute pass.
_ATTACHMENTS = 4


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


NATIVES: tuple[type[Native], ...] = (
    ComputePassDescriptor,
    SampleAttachments,
    SampleAttachment,
)
