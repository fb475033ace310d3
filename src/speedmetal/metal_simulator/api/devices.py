"""Devices."""

# ruff: noqa: N802 - methods have the names of Metal's selectors
from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from speedmetal.metal_simulator.api import sdk
from speedmetal.metal_simulator.api.buffers import PRIVATE, Buffer, Heap, HeapDescriptor
from speedmetal.metal_simulator.api.command_buffers import (
    DEFAULT_LIMIT,
    CommandQueue,
    CommandQueueDescriptor,
)
from speedmetal.metal_simulator.api.counters import (
    CounterSampleBuffer,
    CounterSampleBufferDescriptor,
    CounterSet,
    make_sample_buffer,
)
from speedmetal.metal_simulator.api.events import Event, Fence, SharedEvent
from speedmetal.metal_simulator.api.foundation import Error
from speedmetal.metal_simulator.api.instruments import (
    LogState,
    LogStateDescriptor,
    ResidencySet,
    ResidencySetDescriptor,
    make_log_state,
)
from speedmetal.metal_simulator.api.libraries import (
    CompileOptions,
    Function,
    Library,
    compile_library,
)
from speedmetal.metal_simulator.api.native import Native, System
from speedmetal.metal_simulator.api.pipelines import (
    BinaryArchive,
    BinaryArchiveDescriptor,
    ComputePipelineDescriptor,
    ComputePipelineState,
    make_pipeline,
    open_archive,
)
from speedmetal.metal_simulator.api.validation import MetalValidationError, require

_STAGE_BOUNDARY = sdk.ENUMERATIONS["MTLCounterSamplingPointAtStageBoundary"]
_APPLE6 = sdk.ENUMERATIONS["MTLGPUFamilyApple6"]
_BUFFER_ALIGNMENT = 256


class Architecture(Native):
    """``MTLArchitecture``."""

    OWNER = "MTLArchitecture"

    __slots__ = ()

    def name(self) -> str:
        return self.system.configuration.architecture


class Device(Native):
    """``MTLDevice``."""

    OWNER = "MTLDevice"

    __slots__ = ("_concurrent_compilation", "_index")

    def __init__(self, system: System, index: int) -> None:
        super().__init__(system)
        self._index = index
        self._concurrent_compilation = False

    # What it is.

    def name(self) -> str:
        suffix = f" {self._index + 1}" if self._index else ""
        return self.system.configuration.name + suffix

    def registryID(self) -> int:
        return 0x1_0000_0001 + self._index

    def architecture(self) -> Architecture:
        return Architecture(self.system)

    def hasUnifiedMemory(self) -> bool:
        return True

    def isLowPower(self) -> bool:
        return False

    def isHeadless(self) -> bool:
        return False

    def isRemovable(self) -> bool:
        return False

    def location(self) -> int:
        return sdk.ENUMERATIONS["MTLDeviceLocationBuiltIn"]

    def locationNumber(self) -> int:
        return self._index

    def maxTransferRate(self) -> int:
        return 0

    def recommendedMaxWorkingSetSize(self) -> int:
        return self.system.configuration.memory_bytes * 3 // 4

    def currentAllocatedSize(self) -> int:
        return self.system.live_bytes

    def maxThreadsPerThreadgroup(self) -> tuple[int, int, int]:
        return (self.system.configuration.max_threads_per_threadgroup,) * 3

    def maxThreadgroupMemoryLength(self) -> int:
        return self.system.configuration.max_threadgroup_memory

    def maxBufferLength(self) -> int:
        return self.system.configuration.max_buffer_length

    def argumentBuffersSupport(self) -> int:
        return sdk.ENUMERATIONS["MTLArgumentBuffersTier2"]

    def supportsFamily_(self, family: int) -> bool:
        return family in self.system.configuration.families

    def supportsDynamicLibraries(self) -> bool:
        return self.supportsFamily_(_APPLE6)

    def supportsFunctionPointers(self) -> bool:
        return self.supportsFamily_(_APPLE6)

    def supportsRaytracing(self) -> bool:
        return self.supportsFamily_(_APPLE6)

    def maximumConcurrentCompilationTaskCount(self) -> int:
        return 1

    def shouldMaximizeConcurrentCompilation(self) -> bool:
        return self._concurrent_compilation

    def setShouldMaximizeConcurrentCompilation_(self, maximize: bool) -> None:  # noqa: FBT001
        self._concurrent_compilation = maximize

    def counterSets(self) -> list[CounterSet]:
        return [CounterSet(self.system)]

    def supportsCounterSampling_(self, point: int) -> bool:
        return point == _STAGE_BOUNDARY

    def sampleTimestamps_gpuTimestamp_(self) -> tuple[int, int]:
        now = time.monotonic_ns()
        return now, now

    # What it makes.

    def newLibraryWithSource_options_error_(
        self, source: str | None, options: CompileOptions | None
    ) -> tuple[Library | None, Error | None]:
        if source is None:
            raise MetalValidationError("newLibraryWithSource: the source is nil")
        return compile_library(self.system, self, source, options)

    def newLibraryWithSource_options_completionHandler_(
        self,
        source: str | None,
        options: CompileOptions | None,
        handler: Callable[..., Any] | None,
    ) -> None:
        if handler is None:
            raise MetalValidationError("newLibraryWithSource: the handler is nil")
        handler(*self.newLibraryWithSource_options_error_(source, options))

    def newComputePipelineStateWithFunction_error_(
        self, function: Function | None
    ) -> tuple[ComputePipelineState | None, Error | None]:
        return self.newComputePipelineStateWithFunction_options_reflection_error_(function, 0)

    def newComputePipelineStateWithFunction_options_reflection_error_(
        self, function: Function | None, flags: int
    ) -> tuple[ComputePipelineState | None, Error | None]:
        options = {**ComputePipelineDescriptor.PROPERTIES, "computeFunction": function}
        return make_pipeline(self.system, self, options, flags)

    def newComputePipelineStateWithDescriptor_options_reflection_error_(
        self, descriptor: ComputePipelineDescriptor | None, flags: int
    ) -> tuple[ComputePipelineState | None, Error | None]:
        if descriptor is None:
            raise MetalValidationError("newComputePipelineState: the descriptor is nil")
        return make_pipeline(self.system, self, descriptor.copy(), flags)

    def newComputePipelineStateWithFunction_completionHandler_(
        self, function: Function | None, handler: Callable[..., Any] | None
    ) -> None:
        if handler is None:
            raise MetalValidationError("newComputePipelineState: the handler is nil")
        handler(*self.newComputePipelineStateWithFunction_error_(function))

    def newBinaryArchiveWithDescriptor_error_(
        self, descriptor: BinaryArchiveDescriptor | None
    ) -> tuple[BinaryArchive | None, Error | None]:
        if descriptor is None:
            raise MetalValidationError("newBinaryArchive: the descriptor is nil")
        return open_archive(self.system, self, descriptor)

    def newBufferWithLength_options_(self, length: int, options: int) -> Buffer | None:
        return Buffer.allocate(self.system, self, length, options)

    def newBufferWithBytes_length_options_(
        self, data: Any, length: int, options: int
    ) -> Buffer | None:
        require(
            options >> 4 & 0xF != PRIVATE,
            "newBufferWithBytes: the CPU cannot write to a private buffer; copy on the GPU",
        )
        buffer = Buffer.allocate(self.system, self, length, options)
        if buffer is not None:
            buffer.fill(memoryview(data).cast("B")[:length])
        return buffer

    def newBufferWithBytesNoCopy_length_options_deallocator_(
        self,
        memory: Any,
        length: int,
        options: int,
        deallocator: Callable[[int, int], None] | None,
    ) -> Buffer | None:
        return Buffer.borrow(self.system, self, memory, length, options, deallocator)

    def heapBufferSizeAndAlignWithLength_options_(self, length: int, _: int) -> tuple[int, int]:
        return -(-length // _BUFFER_ALIGNMENT) * _BUFFER_ALIGNMENT, _BUFFER_ALIGNMENT

    def newHeapWithDescriptor_(self, descriptor: HeapDescriptor | None) -> Heap:
        if descriptor is None:
            raise MetalValidationError("newHeapWithDescriptor: the descriptor is nil")
        require(descriptor.properties["size"], "newHeapWithDescriptor: the size is 0")
        return Heap(self.system, self, descriptor)

    def newCommandQueue(self) -> CommandQueue:
        return CommandQueue(self.system, self, DEFAULT_LIMIT)

    def newCommandQueueWithMaxCommandBufferCount_(self, limit: int) -> CommandQueue:
        return CommandQueue(self.system, self, limit)

    def newCommandQueueWithDescriptor_(
        self, descriptor: CommandQueueDescriptor | None
    ) -> CommandQueue:
        if descriptor is None:
            raise MetalValidationError("newCommandQueueWithDescriptor: the descriptor is nil")
        return CommandQueue(self.system, self, descriptor.properties["maxCommandBufferCount"])

    def newFence(self) -> Fence:
        return Fence(self.system, self)

    def newEvent(self) -> Event:
        return Event(self.system, self)

    def newSharedEvent(self) -> SharedEvent:
        return SharedEvent(self.system, self)

    def newCounterSampleBufferWithDescriptor_error_(
        self, descriptor: CounterSampleBufferDescriptor | None
    ) -> tuple[CounterSampleBuffer | None, Error | None]:
        return make_sample_buffer(self.system, self, descriptor)

    def newLogStateWithDescriptor_error_(
        self, descriptor: LogStateDescriptor | None
    ) -> tuple[LogState | None, Error | None]:
        return make_log_state(self.system, descriptor)

    def newResidencySetWithDescriptor_error_(
        self, descriptor: ResidencySetDescriptor | None
    ) -> tuple[ResidencySet | None, Error | None]:
        if descriptor is None:
            raise MetalValidationError("newResidencySetWithDescriptor: the descriptor is nil")
        return ResidencySet(self.system, self, descriptor), None


NATIVES: tuple[type[Native], ...] = (Architecture, Device)
