"""Encoders: they check each command as Metal's validation does, and record it."""

# ruff: noqa: N802 - methods have the names of Metal's selectors
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol
from weakref import ref

from speedmetal.metal_simulator.api import sdk
from speedmetal.metal_simulator.api.buffers import Buffer, Resource
from speedmetal.metal_simulator.api.commands import (
    LARGEST_GRID,
    Binding,
    Command,
    Copy,
    Dispatch,
    Fill,
    ResolveSamples,
    Sample,
    Synchronize,
    Triple,
    Use,
    used_buffer,
)
from speedmetal.metal_simulator.api.counters import CounterSampleBuffer
from speedmetal.metal_simulator.api.events import Fence
from speedmetal.metal_simulator.api.native import Labelled, Native, System
from speedmetal.metal_simulator.api.pipelines import THREADS_PER_SIMDGROUP, ComputePipelineState
from speedmetal.metal_simulator.api.validation import MetalValidationError, require
from speedmetal.msl.parameters import Parameter

# Limits of the Metal feature set tables.
BUFFER_SLOTS = 31
LARGEST_BYTES = 4096
THREADGROUP_SLOTS = 31
THREADGROUP_UNIT = 16
# A `constant` argument's offset on GPUs of the family Mac2, under API validation.
CONSTANT_ALIGNMENT = 256
_MAC2 = sdk.ENUMERATIONS["MTLGPUFamilyMac2"]
_BLIT_ALIGNMENT = 4


class Recording(Protocol):
    """What an encoder needs of its command buffer."""

    system: System
    commands: list[Command]

    def device(self) -> Native: ...

    def retainedReferences(self) -> bool: ...

    def hold(self, buffer: Buffer) -> Buffer | ref[Buffer]:
        """How a command refers to a buffer."""

    def note_encoder_end(self, encoder: CommandEncoder) -> None:
        """Take note that the open encoder has ended, so that another may begin."""


class CommandEncoder(Labelled):
    """``MTLCommandEncoder``: open until ``endEncoding``; only one of a command buffer is."""

    OWNER = "MTLCommandEncoder"

    __slots__ = ("_at_end", "_groups", "_hold", "_retained", "ended", "owner", "signposts")

    def __init__(self, owner: Recording) -> None:
        super().__init__(owner.system, owner.device())
        self.owner = owner
        self.ended = False
        self.signposts: list[str] = []
        self._groups = 0
        self._at_end: Sequence[Sample] = ()
        self._hold: Callable[[Buffer], Buffer | ref[Buffer]] = owner.hold
        self._retained = owner.retainedReferences()

    def __del__(self) -> None:
        if not self.ended:
            self.system.report(f"{self.OWNER} was released without endEncoding")

    def _open(self) -> None:
        if self.ended:
            raise MetalValidationError(f"{self.OWNER} is used after endEncoding")

    def use(self, buffer: Buffer | None, offset: int, what: str) -> Use:
        """A buffer of this encoder's device, from an offset inside it."""
        self._open()
        if buffer is None:
            raise MetalValidationError(f"{what}: the buffer is nil")
        require(
            offset <= buffer.size, f"{what}: offset {offset} of a buffer of {buffer.size} bytes"
        )
        return self._hold(buffer), offset

    def endEncoding(self) -> None:
        self._open()
        require(self._groups == 0, f"{self._groups} debug groups are still open")
        self.owner.commands.extend(self._at_end)
        self.ended = True
        self.owner.note_encoder_end(self)

    def insertDebugSignpost_(self, text: str | None) -> None:
        self._open()
        require(text is not None, "insertDebugSignpost: the text is nil")
        self.signposts.append(str(text))

    def pushDebugGroup_(self, text: str | None) -> None:
        self._open()
        require(text is not None, "pushDebugGroup: the text is nil")
        self.signposts.append(str(text))
        self._groups += 1

    def popDebugGroup(self) -> None:
        self._open()
        require(self._groups, "popDebugGroup: no debug group is open")
        self._groups -= 1

    def updateFence_(self, fence: Fence | None) -> None:
        self._open()
        if fence is None:
            raise MetalValidationError("updateFence: the fence is nil")
        fence.updated = True

    def waitForFence_(self, fence: Fence | None) -> None:
        self._open()
        if fence is None:
            raise MetalValidationError("waitForFence: the fence is nil")
        require(fence.updated, "waitForFence: no encoder before this one updates the fence")


class ComputeCommandEncoder(CommandEncoder):
    """``MTLComputeCommandEncoder``."""

    OWNER = "MTLComputeCommandEncoder"
    PROPERTIES: ClassVar[dict[str, Any]] = {"label": None, "dispatchType": 0}

    __slots__ = ("_bindings", "_pipeline", "_threadgroup_bytes")

    def __init__(
        self,
        owner: Recording,
        dispatch_type: int,
        samples: tuple[Sequence[Sample], Sequence[Sample]],
    ) -> None:
        super().__init__(owner)
        self.properties["dispatchType"] = dispatch_type
        self._bindings: dict[int, Binding] = {}
        self._threadgroup_bytes: dict[int, int] = {}
        self._pipeline: ComputePipelineState | None = None
        at_start, self._at_end = samples
        owner.commands.extend(at_start)

    def setComputePipelineState_(self, pipeline: ComputePipelineState | None) -> None:
        if self.ended:
            self._open()
        if pipeline is None:
            raise MetalValidationError("setComputePipelineState: the pipeline is nil")
        self._pipeline = pipeline

    def setBuffer_offset_atIndex_(self, buffer: Buffer | None, offset: int, index: int) -> None:
        self.setBuffers_offsets_withRange_((buffer,), (offset,), (index, 1))

    def setBuffers_offsets_withRange_(
        self, buffers: Sequence[Buffer | None], offsets: Sequence[int], span: tuple[int, int]
    ) -> None:
        if self.ended:
            self._open()
        index, count = span
        if index + count > BUFFER_SLOTS:
            raise MetalValidationError(
                f"buffer index {index + count - 1}; there are {BUFFER_SLOTS}"
            )
        bindings = self._bindings
        for buffer, offset in zip(buffers, offsets, strict=True):
            if buffer is None:
                bindings.pop(index, None)
            elif offset > buffer.size:
                raise MetalValidationError(
                    f"offset {offset} of a buffer of {buffer.size} bytes, at buffer index {index}"
                )
            else:
                bindings[index] = (buffer if self._retained else self._hold(buffer), offset)
            index += 1

    def setBufferOffset_atIndex_(self, offset: int, index: int) -> None:
        self._open()
        binding = self._bindings.get(index)
        if not isinstance(binding, tuple):
            raise MetalValidationError(f"setBufferOffset: no buffer is set at index {index}")
        size = used_buffer(binding).size
        require(offset <= size, f"setBufferOffset: offset {offset} of a buffer of {size} bytes")
        self._bindings[index] = (binding[0], offset)

    def setBytes_length_atIndex_(self, data: Any, length: int, index: int) -> None:
        if self.ended:
            self._open()
        if index >= BUFFER_SLOTS:
            raise MetalValidationError(f"buffer index {index}; there are {BUFFER_SLOTS}")
        if not 0 < length <= LARGEST_BYTES:
            raise MetalValidationError(f"setBytes: {length} bytes; allowed are 1 to 4096")
        if data.__class__ is not bytes or len(data) != length:
            data = memoryview(data).cast("B")[:length].tobytes()
        self._bindings[index] = data

    def setThreadgroupMemoryLength_atIndex_(self, length: int, index: int) -> None:
        self._open()
        require(
            index < THREADGROUP_SLOTS,
            f"threadgroup memory index {index}; there are {THREADGROUP_SLOTS}",
        )
        require(
            length % THREADGROUP_UNIT == 0,
            f"setThreadgroupMemoryLength: {length} is no multiple of {THREADGROUP_UNIT}",
        )
        if length:
            self._threadgroup_bytes[index] = length
        else:
            self._threadgroup_bytes.pop(index, None)

    def dispatchThreads_threadsPerThreadgroup_(self, grid: Triple, threads: Triple) -> None:
        self._dispatch(grid, threads)

    def dispatchThreadgroups_threadsPerThreadgroup_(self, groups: Triple, threads: Triple) -> None:
        x, y, z = groups
        self._dispatch((x * threads[0], y * threads[1], z * threads[2]), threads)

    def dispatchThreadgroupsWithIndirectBuffer_indirectBufferOffset_threadsPerThreadgroup_(
        self, buffer: Buffer | None, offset: int, threads: Triple
    ) -> None:
        indirect = self.use(buffer, offset, "indirect dispatch")
        require(offset % 4 == 0, f"indirect dispatch: offset {offset} is no multiple of 4")
        require(
            offset + 12 <= used_buffer(indirect).size,
            "indirect dispatch: the buffer has no 12 bytes",
        )
        self._dispatch((1, 1, 1), threads, indirect)

    def _dispatch(self, grid: Triple, threads: Triple, indirect: Use | None = None) -> None:
        self._open()
        pipeline = self._pipeline
        if pipeline is None:
            raise MetalValidationError("dispatch: no compute pipeline is set")
        width, height, depth = threads
        count = width * height * depth
        if not 0 < count <= pipeline.max_threads:
            raise MetalValidationError(
                f"dispatch: {count} threads per threadgroup; allowed are 1 to "
                f"{pipeline.max_threads}"
            )
        if pipeline.multiple and count % THREADS_PER_SIMDGROUP:
            raise MetalValidationError(
                f"dispatch: {count} threads per threadgroup; the pipeline says that it is a "
                f"multiple of {THREADS_PER_SIMDGROUP}"
            )
        if min(grid) < 1 or max(grid) >= LARGEST_GRID:
            raise MetalValidationError(
                f"dispatch: grid {grid}; each side has 1 to 2**32 - 1 threads"
            )
        bindings = self._bindings
        for index, least, parameter in pipeline.required:
            binding = bindings.get(index)
            if binding is None or least or (binding.__class__ is tuple and binding[1]):
                self._check_binding(pipeline, parameter, binding, least)
        if pipeline.threadgroups or self._threadgroup_bytes or pipeline.static_bytes:
            self._check_threadgroup_memory(pipeline)
        self.owner.commands.append(
            Dispatch(
                pipeline,
                bindings.copy(),
                self._threadgroup_bytes.copy(),
                grid,
                threads,
                indirect,
            )
        )

    def _check_binding(
        self,
        pipeline: ComputePipelineState,
        parameter: Parameter,
        binding: Binding | None,
        least: int,
    ) -> None:
        if binding is None:
            raise MetalValidationError(
                f"dispatch of {pipeline.function.name()}: nothing is bound at buffer index "
                f"{parameter.index}, argument {parameter.name!r}"
            )
        if isinstance(binding, bytes):
            available = len(binding)
        else:
            offset = binding[1]
            available = used_buffer(binding).size - offset
            self._check_offset(pipeline, parameter, offset)
        if available < least:
            raise MetalValidationError(
                f"dispatch of {pipeline.function.name()}: argument {parameter.name!r} at buffer "
                f"index {parameter.index} needs {least} bytes, {available} are bound"
            )

    def _check_offset(
        self, pipeline: ComputePipelineState, parameter: Parameter, offset: int
    ) -> None:
        alignment = parameter.alignment
        if parameter.space == "constant" and _MAC2 in self.system.configuration.families:
            alignment = CONSTANT_ALIGNMENT
        require(
            offset % alignment == 0,
            f"dispatch of {pipeline.function.name()}: offset {offset} of {parameter.space} "
            f"argument {parameter.name!r} at buffer index {parameter.index} "
            f"is no multiple of {alignment}",
        )

    def _check_threadgroup_memory(self, pipeline: ComputePipelineState) -> None:
        for parameter in pipeline.threadgroups:
            require(
                parameter.index in self._threadgroup_bytes,
                f"dispatch of {pipeline.function.name()}: no length is set for threadgroup memory "
                f"index {parameter.index}, argument {parameter.name!r}",
            )
        total = pipeline.static_bytes + sum(self._threadgroup_bytes.values())
        limit = self.system.configuration.max_threadgroup_memory
        require(
            total <= limit,
            f"dispatch of {pipeline.function.name()}: {total} bytes of threadgroup memory; the "
            f"device has {limit}",
        )

    def memoryBarrierWithScope_(self, scope: int) -> None:
        self._open()
        require(
            scope == sdk.ENUMERATIONS["MTLBarrierScopeBuffers"],
            f"memoryBarrierWithScope: scope {scope}; a compute encoder has buffers only",
        )

    def memoryBarrierWithResources_count_(self, resources: list[Resource | None], _: int) -> None:
        self._open()
        require(None not in resources, "memoryBarrierWithResources: a resource is nil")

    def useResource_usage_(self, resource: Resource | None, usage: int) -> None:
        self._open()
        require(resource is not None, "useResource: the resource is nil")
        require(0 < usage < 8, f"useResource: {usage} is no MTLResourceUsage")

    def useResources_count_usage_(
        self, resources: list[Resource | None], _: int, usage: int
    ) -> None:
        for resource in resources:
            self.useResource_usage_(resource, usage)

    def sampleCountersInBuffer_atSampleIndex_withBarrier_(
        self,
        samples: CounterSampleBuffer | None,
        index: int,
        barrier: bool,  # noqa: FBT001
    ) -> None:
        raise MetalValidationError(
            "sampleCountersInBuffer: Apple GPUs sample at stage boundaries only; put the sample "
            f"buffer ({samples}, index {index}, barrier {barrier}) into a pass descriptor"
        )


class BlitCommandEncoder(CommandEncoder):
    """``MTLBlitCommandEncoder``."""

    OWNER = "MTLBlitCommandEncoder"

    __slots__ = ()

    def copyFromBuffer_sourceOffset_toBuffer_destinationOffset_size_(
        self,
        source: Buffer | None,
        source_offset: int,
        destination: Buffer | None,
        destination_offset: int,
        size: int,
    ) -> None:
        read = self.use(source, source_offset, "copyFromBuffer")
        write = self.use(destination, destination_offset, "copyFromBuffer")
        for what, number in (
            ("source offset", source_offset),
            ("destination offset", destination_offset),
            ("size", size),
        ):
            require(
                number % _BLIT_ALIGNMENT == 0,
                f"copyFromBuffer: {what} {number} is no multiple of {_BLIT_ALIGNMENT}",
            )
        require(size > 0, "copyFromBuffer: the size is 0")
        first = used_buffer(read)
        second = used_buffer(write)
        first.check_range("copyFromBuffer reads", source_offset, size)
        second.check_range("copyFromBuffer writes", destination_offset, size)
        require(
            first is not second or abs(source_offset - destination_offset) >= size,
            "copyFromBuffer: the ranges overlap",
        )
        self.owner.commands.append(Copy(read, write, size))

    def fillBuffer_range_value_(
        self, buffer: Buffer | None, span: tuple[int, int], value: int
    ) -> None:
        start, size = span
        target = self.use(buffer, start, "fillBuffer")
        for what, number in (("location", start), ("length", size)):
            require(
                number % _BLIT_ALIGNMENT == 0,
                f"fillBuffer: {what} {number} is no multiple of {_BLIT_ALIGNMENT}",
            )
        require(size > 0, "fillBuffer: the length is 0")
        used_buffer(target).check_range("fillBuffer", start, size)
        self.owner.commands.append(Fill(target, size, value & 0xFF))

    def synchronizeResource_(self, resource: Resource | None) -> None:
        self._open()
        if not isinstance(resource, Buffer):
            raise MetalValidationError("synchronizeResource: the resource is no buffer")
        require(
            resource.mode == sdk.ENUMERATIONS["MTLStorageModeManaged"],
            "synchronizeResource: only managed buffers have a copy for the CPU",
        )
        self.owner.commands.append(Synchronize(self.use(resource, 0, "synchronizeResource")))

    def resolveCounters_inRange_destinationBuffer_destinationOffset_(
        self,
        samples: CounterSampleBuffer | None,
        span: tuple[int, int],
        destination: Buffer | None,
        offset: int,
    ) -> None:
        if samples is None:
            raise MetalValidationError("resolveCounters: the sample buffer is nil")
        samples.check_range("resolveCounters", *span)
        target = self.use(destination, offset, "resolveCounters")
        used_buffer(target).check_range("resolveCounters", offset, 8 * span[1])
        self.owner.commands.append(ResolveSamples(samples, span, target))


NATIVES: tuple[type[Native], ...] = (CommandEncoder, ComputeCommandEncoder, BlitCommandEncoder)
