"""Memory: resources, buffers, heaps, and the views of memory that Python gets."""

# ruff: noqa: N802 - methods have the names of Metal's selectors
from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import ref

from speedmetal.metal_simulator.api import sdk
from speedmetal.metal_simulator.api.native import Labelled, Native, System
from speedmetal.metal_simulator.api.validation import MetalValidationError, require
from speedmetal.metal_simulator.settings import current_settings

if TYPE_CHECKING:
    from speedmetal.metal_simulator.memory import GuardedMemory

SHARED = sdk.ENUMERATIONS["MTLStorageModeShared"]
MANAGED = sdk.ENUMERATIONS["MTLStorageModeManaged"]
PRIVATE = sdk.ENUMERATIONS["MTLStorageModePrivate"]
_MEMORYLESS = sdk.ENUMERATIONS["MTLStorageModeMemoryless"]
# MTLResourceOptions: four bits of cache mode, four of storage mode, two of hazard tracking.
_KNOWN_OPTIONS = 0x331
POISON = 0xFF


class _Null:
    """``objc.NULL``: a null pointer where a pointer was asked for."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "objc.NULL"

    def __bool__(self) -> bool:
        return False


NULL = _Null()


class VarList:
    """``objc.varlist``: memory whose length the bridge does not know.

    Its views do not keep the memory: it is gone with the buffer.
    """

    __slots__ = ("_buffer",)

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer

    def as_buffer(self, count: int) -> memoryview:
        """A writable view of the first ``count`` bytes."""
        return self._buffer.view(count)

    def as_tuple(self, count: int) -> tuple[int, ...]:
        """The first ``count`` bytes."""
        return tuple(self.as_buffer(count))

    def __getitem__(self, index: int) -> int:
        require(index >= 0, "objc.varlist does not support negative indexes")
        return self.as_buffer(index + 1)[index]


class Allocation(Labelled):
    """``MTLAllocation``."""

    OWNER = "MTLAllocation"

    __slots__ = ()

    def allocatedSize(self) -> int:
        raise MetalValidationError(f"{self.OWNER} has no size")


class Resource(Allocation):
    """``MTLResource``: what its options say."""

    OWNER = "MTLResource"

    __slots__ = ("_heap", "_heap_offset", "_options", "mode")

    def __init__(self, system: System, device: Native, options: int) -> None:
        super().__init__(system, device)
        self._options = options
        self.mode = options >> 4 & 0xF
        self._heap: Heap | None = None
        self._heap_offset = 0

    def storageMode(self) -> int:
        return self.mode

    def cpuCacheMode(self) -> int:
        return self._options & 0xF

    def hazardTrackingMode(self) -> int:
        return self._options >> 8 & 3 or sdk.ENUMERATIONS["MTLHazardTrackingModeTracked"]

    def resourceOptions(self) -> int:
        return self._options

    def setPurgeableState_(self, state: int) -> int:
        require(1 <= state <= 4, f"setPurgeableState: {state} is no MTLPurgeableState")
        return sdk.ENUMERATIONS["MTLPurgeableStateNonVolatile"]

    def heap(self) -> Heap | None:
        return self._heap

    def heapOffset(self) -> int:
        return self._heap_offset

    def allocatedSize(self) -> int:
        return 0


class Buffer(Resource):
    """``MTLBuffer``.

    Managed buffers have two copies of their memory, one for each side, so that a forgotten
    ``didModifyRange:`` or ``synchronizeResource:`` is seen.
    """

    OWNER = "MTLBuffer"

    __slots__ = (
        "_deallocator",
        "_host_memory",
        "_owner",
        "_views",
        "address",
        "host_address",
        "in_flight",
        "memory",
        "size",
    )

    def __init__(
        self, system: System, device: Native, size: int, options: int, memory: GuardedMemory | None
    ) -> None:
        super().__init__(system, device, options)
        self.size = size
        self.memory = memory
        self.address = self.host_address = 0 if memory is None else memory.address
        self.in_flight = 0
        self._owner: Any = None
        self._deallocator: Callable[[int, int], None] | None = None
        self._host_memory: GuardedMemory | None = None
        self._views: list[ref[Any]] = []
        with system.lock:
            system.live_buffers += 1
            system.live_bytes += size

    @classmethod
    def allocate(cls, system: System, device: Native, size: int, options: int) -> Buffer | None:
        """A buffer of undefined content, or nil where there is no memory for it."""
        from speedmetal.metal_simulator.memory import GuardedMemory, edge_of

        _check_options(options)
        require(options >> 4 & 0xF != _MEMORYLESS, "buffers cannot be memoryless")
        if not _can_allocate(system, size):
            return None
        settings = current_settings()
        fill = POISON if settings.poison else 0
        memory = GuardedMemory(size, fill, edge=edge_of(settings.order))
        buffer = cls(system, device, size, options, memory)
        if buffer.mode == MANAGED:
            buffer._host_memory = GuardedMemory(size, fill)
            buffer.host_address = buffer._host_memory.address
        return buffer

    @classmethod
    def borrow(
        cls,
        system: System,
        device: Native,
        owner: Any,
        size: int,
        options: int,
        deallocator: Callable[[int, int], None] | None,
    ) -> Buffer | None:
        """A buffer on memory of Python, which the caller must keep alive."""
        _check_options(options)
        page = system.configuration.page_size
        view = memoryview(owner)
        require(not view.readonly, "newBufferWithBytesNoCopy: the memory cannot be written to")
        address = ctypes.addressof(ctypes.c_char.from_buffer(view.cast("B"))) if size else 0
        require(
            address % page == 0,
            f"newBufferWithBytesNoCopy: address {address:#x} is no multiple of the page, {page}",
        )
        require(
            size % page == 0,
            f"newBufferWithBytesNoCopy: length {size} is no multiple of the page, {page}",
        )
        require(
            options >> 4 & 0xF in {SHARED, MANAGED},
            "newBufferWithBytesNoCopy: only shared and managed buffers can use memory of the CPU",
        )
        if not 0 < size <= system.configuration.max_buffer_length:
            return None
        buffer = cls(system, device, size, options, None)
        buffer.address = buffer.host_address = address
        buffer._owner = _root(owner)
        buffer._deallocator = deallocator
        system.borrowers.add(buffer)
        system.borrowed = True
        return buffer

    def __del__(self) -> None:
        system = self.system
        with system.lock:
            system.live_buffers -= 1
            system.live_bytes -= self.size
        if self.in_flight:
            system.report(
                f"a buffer of {self.size} bytes was released while a command buffer without "
                "retained references used it"
            )
        views = [view for view in self._views if view() is not None]
        if views:
            with system.lock:
                system.limbo.append(((self.memory, self._host_memory), views, False))
        if self._deallocator is not None:
            self._deallocator(self.host_address, self.size)

    def length(self) -> int:
        return self.size

    def allocatedSize(self) -> int:
        return self.size

    def contents(self) -> Any:
        return NULL if self.mode == PRIVATE else VarList(self)

    def view(self, count: int) -> memoryview:
        """The CPU's side of the first bytes."""
        require(
            0 <= count <= self.size,
            f"as_buffer({count}) goes beyond the buffer, which has {self.size} bytes",
        )
        memory = (ctypes.c_char * count).from_address(self.host_address)
        self._views = [view for view in self._views if view() is not None]
        self._views.append(ref(memory))
        return memoryview(memory).cast("B")

    def didModifyRange_(self, span: tuple[int, int]) -> None:
        require(self.mode == MANAGED, "didModifyRange: is only for managed buffers")
        start, length = self.check_range("didModifyRange:", *span)
        ctypes.memmove(self.address + start, self.host_address + start, length)

    def synchronize(self) -> None:
        """Let the CPU see what the GPU wrote."""
        if self.host_address != self.address:
            ctypes.memmove(self.host_address, self.address, self.size)

    def fill(self, data: memoryview) -> None:
        """Write the buffer's first contents to what the CPU sees and to what the GPU sees."""
        for address in {self.address, self.host_address}:
            ctypes.memmove(address, bytes(data), len(data))

    def check_range(self, what: str, start: int, length: int) -> tuple[int, int]:
        """The range itself, which must lie inside the buffer."""
        require(
            start + length <= self.size,
            f"{what} bytes {start} to {start + length} of a buffer of {self.size}",
        )
        return start, length

    def check_owner(self) -> None:
        """Memory that is used without a copy must be held by the one who gave it."""
        require(
            self._owner is None or sys.getrefcount(self._owner) > 2,
            "the memory behind a buffer made with newBufferWithBytesNoCopy is no longer held",
        )

    def gpuAddress(self) -> int:
        self.system.gave_addresses = True
        return self.address

    def addDebugMarker_range_(self, marker: str, span: tuple[int, int]) -> None:
        require(marker is not None, "addDebugMarker: the marker is nil")
        self.check_range("addDebugMarker:", *span)

    def removeAllDebugMarkers(self) -> None:
        pass


def _root(value: Any) -> Any:
    """Who holds the memory: the array behind views of arrays."""
    while True:
        base = getattr(value, "base", None)
        if base is None:
            base = value.obj if isinstance(value, memoryview) else None
        if base is None:
            return value
        value = base


def _check_options(options: int) -> None:
    require(options & ~_KNOWN_OPTIONS == 0, f"resource options {options:#x} are not known")


def _can_allocate(system: System, size: int) -> bool:
    system.settle()
    configuration = system.configuration
    limit = configuration.fail_allocations_over
    return (
        0 < size <= configuration.max_buffer_length
        and (limit is None or size <= limit)
        and system.live_bytes + size <= configuration.memory_bytes
    )


class HeapDescriptor(Native):
    """``MTLHeapDescriptor``."""

    OWNER = "MTLHeapDescriptor"
    CREATABLE = True
    PROPERTIES: ClassVar[dict[str, Any]] = {
        "size": 0,
        "storageMode": PRIVATE,
        "cpuCacheMode": 0,
        "hazardTrackingMode": sdk.ENUMERATIONS["MTLHazardTrackingModeUntracked"],
        "type": sdk.ENUMERATIONS["MTLHeapTypeAutomatic"],
    }

    __slots__ = ()

    def resourceOptions(self) -> int:
        values = self.properties
        hazard: int = values["hazardTrackingMode"]
        storage: int = values["storageMode"]
        cache: int = values["cpuCacheMode"]
        return cache | storage << 4 | hazard << 8

    def setResourceOptions_(self, options: int) -> None:
        _check_options(options)
        self.properties["cpuCacheMode"] = options & 0xF
        self.properties["storageMode"] = options >> 4 & 0xF
        self.properties["hazardTrackingMode"] = options >> 8 & 3


class Heap(Allocation):
    """``MTLHeap``: an amount of memory from which buffers are taken."""

    OWNER = "MTLHeap"

    __slots__ = ("_buffers", "_options", "_size", "_type")

    ALIGNMENT = 256

    def __init__(self, system: System, device: Native, descriptor: HeapDescriptor) -> None:
        super().__init__(system, device)
        self._size: int = descriptor.properties["size"]
        self._type: int = descriptor.properties["type"]
        self._options = descriptor.resourceOptions()
        self._buffers: list[ref[Buffer]] = []

    def _live_buffers(self) -> list[Buffer]:
        held = (buffer() for buffer in self._buffers)
        return [buffer for buffer in held if buffer is not None]

    def size(self) -> int:
        return self._size

    def allocatedSize(self) -> int:
        return self._size

    def currentAllocatedSize(self) -> int:
        return self._size

    def usedSize(self) -> int:
        return sum(
            -(-buffer.size // self.ALIGNMENT) * self.ALIGNMENT for buffer in self._live_buffers()
        )

    def maxAvailableSizeWithAlignment_(self, alignment: int) -> int:
        require(alignment & (alignment - 1) == 0, f"alignment {alignment} is no power of two")
        return self._size - self.usedSize()

    def storageMode(self) -> int:
        return self._options >> 4 & 0xF

    def cpuCacheMode(self) -> int:
        return self._options & 0xF

    def hazardTrackingMode(self) -> int:
        return self._options >> 8 & 3

    def resourceOptions(self) -> int:
        return self._options

    def type(self) -> int:
        return self._type

    def setPurgeableState_(self, state: int) -> int:
        require(1 <= state <= 4, f"setPurgeableState: {state} is no MTLPurgeableState")
        return sdk.ENUMERATIONS["MTLPurgeableStateNonVolatile"]

    def newBufferWithLength_options_(self, size: int, options: int) -> Buffer | None:
        require(
            self._type == sdk.ENUMERATIONS["MTLHeapTypeAutomatic"],
            "newBufferWithLength:options: is for automatic heaps; say an offset",
        )
        return self._take(size, options, self.usedSize())

    def newBufferWithLength_options_offset_(
        self, size: int, options: int, offset: int
    ) -> Buffer | None:
        require(
            self._type == sdk.ENUMERATIONS["MTLHeapTypePlacement"],
            "newBufferWithLength:options:offset: is for placement heaps",
        )
        require(offset % self.ALIGNMENT == 0, f"offset {offset} is no multiple of 256")
        return self._take(size, options, offset)

    def _take(self, size: int, options: int, offset: int) -> Buffer | None:
        require(
            options >> 4 & 0xF == self.storageMode(),
            "a heap's buffers have the heap's storage mode",
        )
        if offset + size > self._size:
            return None
        buffer = Buffer.allocate(self.system, self.device(), size, options)
        if buffer is not None:
            buffer._heap, buffer._heap_offset = self, offset  # noqa: SLF001 - its own buffer
            self._buffers.append(ref(buffer))
        return buffer


NATIVES: tuple[type[Native], ...] = (Allocation, Resource, Buffer, HeapDescriptor, Heap)
