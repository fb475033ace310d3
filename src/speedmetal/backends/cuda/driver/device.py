"""An NVIDIA GPU of the machine as a device."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from speedmetal.backends.cuda.codegen.threadgroups import (
    VARIANTS,
    Threadgroups,
    of_launch,
    of_variant,
)
from speedmetal.backends.cuda.driver import graphs
from speedmetal.backends.cuda.driver.commands import (
    Copy,
    Mailbox,
    PeerCopy,
    RoutineCall,
    download,
    upload,
)
from speedmetal.backends.cuda.driver.context import Context
from speedmetal.backends.cuda.driver.events import Event
from speedmetal.backends.cuda.driver.exchange import CudaExchange
from speedmetal.backends.cuda.driver.foreign_streams import ForeignStreams
from speedmetal.backends.cuda.driver.graphs import Graph
from speedmetal.backends.cuda.driver.library import Library
from speedmetal.backends.cuda.driver.markers import Markers
from speedmetal.backends.cuda.driver.memory import STAGING_BYTES, DevicePool, StagingPool
from speedmetal.backends.cuda.driver.multiprocessor import ATTRIBUTES, Multiprocessor
from speedmetal.backends.cuda.driver.ordering import Ordering
from speedmetal.backends.cuda.driver.stream import CudaStream
from speedmetal.backends.cuda.driver.traces import Trace
from speedmetal.backends.cuda.nvrtc import nvrtc_version, suit_driver
from speedmetal.backends.cuda.target import TARGET
from speedmetal.backends.device import Buffer, BuildOptions, Device, DeviceLimits, Program, Triple
from speedmetal.backends.pool import size_class
from speedmetal.backends.stream import Stream
from speedmetal.backends.stream_device import StreamDevice, Words
from speedmetal.backends.stream_pool import Allocation
from speedmetal.errors import DeviceError, OutOfMemoryError

if TYPE_CHECKING:
    from speedmetal.backends.cuda.libraries.routines import Routines
    from speedmetal.ir.nodes import Kernel

_LONGEST_NAME = 256
_LONGEST_GRID = 2**32 - 1

# CUdevice_attribute, cuda.h
_THREADS_PER_BLOCK = 1
_BLOCK_SIZES = (2, 3, 4)
_GRID_SIZES = (5, 6, 7)
_SHARED_BYTES_OPT_IN = 97
_CAPABILITY = (75, 76)
_L2_CACHE_BYTES = 38


_KDL_CUDA = 2  # DLDeviceType, dlpack.h


class CudaDevice(StreamDevice):
    """One GPU.

    Memory of deleted arrays is kept for later ones. Kernels and copies run later than they are
    asked for, in that order; what they report is delivered by ``synchronize``. To make this object
    asks nothing of the GPU but what it is; its first use makes the context.

    Args:
        library: The driver.
        number: The driver's: 0 is the first that the process sees.

    Attributes:
        name: ``"cuda"`` of the first, ``"cuda:1"`` of the second.
        dlpack_device: ``kDLCUDA``, and the number.
        context: The way to the GPU.
        stream: Where kernels and copies run, in order.
        staging: The host's memory that copies pass through.
        architecture: What kernels are compiled for: ``"sm_90"``.

    Raises:
        DeviceError: NVRTC is not installed, or too new for the driver.
    """

    target = TARGET
    shares_host_memory = False
    has_traces = True
    # Several threadgroups for each multiprocessor, however many registers a kernel takes.
    default_threads = (256, 256)
    variants = VARIANTS
    pool: DevicePool

    def __init__(self, library: Library, number: int = 0) -> None:
        self.name = f"cuda:{number}" if number else "cuda"
        self.dlpack_device = (_KDL_CUDA, number)
        suit_driver(library.number("cuDriverGetVersion"))
        self._compiler = nvrtc_version()
        self._native = library.number("cuDeviceGet", number)
        self._library = library
        self.context = Context(library, self._native, self.name)
        self._markers = Markers(self.context)
        self._lasting: list[Buffer] = []  # of this device, as long as it is there
        self.stream = self.new_stream()
        ordering = Ordering(self.context, self._markers)
        self.pool = DevicePool(self.context, ordering)
        self.staging = StagingPool(self.context)
        guests = ForeignStreams(self.context, self._markers, ordering, self.stream, self.pool)
        self.exchange = CudaExchange(self, self.stream, self.pool, ordering, guests)
        major, minor = map(self._attribute, _CAPABILITY)
        self.architecture = f"sm_{major}{minor}"
        x, y, z = map(self._attribute, _BLOCK_SIZES)
        gx, gy, gz = map(self._attribute, _GRID_SIZES)
        self.limits = DeviceLimits(
            self._attribute(_THREADS_PER_BLOCK),
            self._attribute(_SHARED_BYTES_OPT_IN),
            _LONGEST_GRID,
            (x, y, z),
            (gx, gy, gz),
        )
        self.watch_process()

    def open(self) -> None:
        """Make the GPU's context now.

        Raises:
            DeviceError: The GPU cannot be used.
        """
        with self.context:
            """What is needed is that it can be entered."""

    def _attribute(self, number: int) -> int:
        return self._library.number("cuDeviceGetAttribute", number, self._native)

    # --- What it is ----------------------------------------------------------------------------

    @cached_property
    def description(self) -> str:
        name = ctypes.create_string_buffer(_LONGEST_NAME)
        self._library.call("cuDeviceGetName", name, _LONGEST_NAME, self._native)
        return name.value.decode(errors="replace")

    @cached_property
    def bus_id(self) -> str:
        """Where the card is, as NVIDIA's tools write it: ``"0000:01:00.0"``."""
        text = ctypes.create_string_buffer(_LONGEST_NAME)
        self._library.call("cuDeviceGetPCIBusId", text, _LONGEST_NAME, self._native)
        return text.value.decode(errors="replace")

    @cached_property
    def cache_bytes(self) -> int:
        """Of the cache that all multiprocessors share (L2)."""
        return self._attribute(_L2_CACHE_BYTES)

    @cached_property
    def identity(self) -> str:
        facts = {
            "architecture": self.architecture,
            "driver": self._library.number("cuDriverGetVersion"),
            "nvrtc": self._compiler,
        }
        return json.dumps(facts, sort_keys=True)

    @cached_property
    def multiprocessor(self) -> Multiprocessor:
        """What each of the GPU's multiprocessors has."""
        return Multiprocessor(*map(self._attribute, ATTRIBUTES.values()))

    @cached_property
    def routines(self) -> Routines:
        """NVIDIA's libraries, as far as they are installed."""
        from speedmetal.backends.cuda.libraries.routines import Routines

        return Routines(self, self._library.number("cuDriverGetVersion") // 1000)

    @property
    def stream_in_use(self) -> CudaStream:
        """Where what this thread or task asks for goes: a stream of another library, perhaps."""
        return self.stream.in_use()

    @property
    def is_elsewhere(self) -> bool:
        """Whether that is another stream than the device's own."""
        return self.stream_in_use is not self.stream

    @property
    def turn(self) -> AbstractContextManager[Any]:
        """Held by whoever gives the stream something to do."""
        return self.stream.turn

    def call_routine(
        self,
        label: str,
        call: Callable[[int, int], object],
        addresses: tuple[int, ...],
        kept: object,
        workspace_bytes: int,
    ) -> None:
        """Have the stream call a routine of a library, in its turn.

        Args:
            label: The routine's name, for people.
            call: Calls it; gets the ``CUstream`` and the address of memory to work in.
            addresses: Of the arrays that it uses.
            kept: What keeps these alive until then.
            workspace_bytes: What it works in; 0: nothing, and the address is 0.
        """
        workspace = self.allocate(workspace_bytes) if workspace_bytes else None
        place = 0
        if workspace is not None:
            place = workspace.address
            addresses = (*addresses, place)

        def run(stream: int) -> None:
            with self.turn:  # handles are for one thread at once; other libraries' streams are not
                call(stream, place)

        command = RoutineCall(label, run, addresses, (kept, workspace))
        self.stream.launch(command, label, 0, None)

    # --- Streams -------------------------------------------------------------------------------

    @property
    def streams(self) -> list[Stream[Any]]:
        return self.context.streams

    def new_stream(self) -> CudaStream:
        """Another stream, which runs beside the others; order them with :meth:`new_event`."""
        stream = CudaStream(self.context, self._markers)
        stream.time_limit_seconds = self.time_limit_seconds
        return stream

    def new_event(self) -> Event:
        """An event for the streams of this device."""
        return Event(self.context, self._markers)

    @property
    def has_graphs(self) -> bool:  # type: ignore[override]
        return not self.is_elsewhere

    @property
    def is_capturing(self) -> bool:
        return self.context.captures > 0

    @contextmanager
    def trace(self) -> Iterator[Trace | None]:
        if self.is_elsewhere:
            yield None
            return
        trace = Trace(self.stream, self._lasting)
        with self.stream.tracing(trace) as is_noted:
            yield trace if is_noted else None  # a call inside another one, or of a graph

    @contextmanager
    def capture(self) -> Iterator[Graph]:
        self.stream_in_use.refuse_while_capturing("capture another graph")
        if self.is_elsewhere:
            raise DeviceError(
                f"{self.name} cannot capture inside sm.cuda.stream(): have the other library"
                " capture its stream around that, or leave the block"
            )
        self.synchronize()
        # In this order: who gets memory may wait for the stream, which a capture keeps to itself.
        captured = graphs.capture(self.context, self.stream, self.pool)
        with self.pool.lock, self.staging.lock, captured as graph:
            yield graph

    def synchronize(self) -> None:
        """Wait for the GPU, and deliver what kernels reported.

        Raises:
            KernelError: A kernel failed since the last call; perhaps in a way that ends the
                process's use of the GPU.
            DeviceError: It did before, or the time limit is over.
        """
        super().synchronize()
        self.context.check()
        self.staging.collect()
        self.context.free()

    # --- Memory --------------------------------------------------------------------------------

    def allocate(self, size_bytes: int) -> Buffer:
        return self._allocate_block(size_bytes, size_bytes)

    def _allocate_block(self, size_bytes: int, counted_bytes: int | None) -> Buffer:
        capacity, pool, stream = size_class(size_bytes), self.pool, self.stream
        is_elsewhere = stream.visits and self.is_elsewhere
        is_apart = is_elsewhere and self.stream_in_use.graph is not None
        take = pool.take_apart if is_apart else pool.take_or_wait
        block = take(capacity, capacity, counted_bytes)
        if block is None:
            raise OutOfMemoryError(pool.shortage(size_bytes))
        owner = Allocation(block, size_bytes, pool)
        buffer = Buffer(self, block.address, size_bytes, owner, None)
        if stream.trace is not None:
            stream.trace.made(buffer)
        return buffer

    def new_shared_words(self, count: int) -> tuple[Buffer, np.ndarray[Any, np.dtype[np.int64]]]:
        size = 8 * count
        staging = self.staging.allocate(size)
        words = staging.view().view(np.int64)
        words[:] = 0
        buffer = Buffer(self, staging.block.host_address, size, staging, None)
        self._lasting.append(buffer)
        return buffer, words

    def copy_from_host(self, source: np.ndarray[Any, Any], target: Buffer) -> None:
        """Fill ``target``; a long copy waits for everything that was asked for before.

        What is page-locked (:meth:`page_locked`) is read where it is, when the stream comes to it.

        Raises:
            KernelError, DeviceError: As for :meth:`synchronize`, where it waits.
        """
        self.context.check()
        size = source.nbytes
        if size == 0:
            return
        if self.staging.holds(source):
            self._copy_later(upload(target.address, source.ctypes.data, size))
            return
        if size > STAGING_BYTES:
            self._copy_directly(upload(target.address, source.ctypes.data, size))
            return
        staging = self.staging.allocate(size)
        staging.view()[:] = source.reshape(-1).view(np.uint8)
        self._copy_later(upload(target.address, staging.block.host_address, size))

    def copy_to_host(self, source: Buffer, target: np.ndarray[Any, Any]) -> None:
        """Fill ``target`` when everything that was asked for before is done.

        Raises:
            KernelError, DeviceError: As for :meth:`synchronize`.
        """
        self.context.check()
        size = target.nbytes
        if size == 0:
            return
        if size > STAGING_BYTES:
            self._copy_directly(download(source.address, target.ctypes.data, size))
            return
        staging = self.staging.allocate(size)
        self.stream_in_use.submit(download(source.address, staging.block.host_address, size))
        self.synchronize()
        target.reshape(-1).view(np.uint8)[:] = staging.view()

    def page_locked(self, size_bytes: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Bytes of undefined content in the host's memory that copies begin and end in.

        They go back to ``staging`` with the last NumPy array on them, and are used again when the
        copies are done.

        Raises:
            DeviceError: The host has not that much to lock.
        """
        return self.staging.allocate(size_bytes).view()

    def copy_to_page_locked(self, address: int, target: np.ndarray[Any, Any]) -> bool:
        self.context.check()
        if not self.staging.holds(target):
            return False
        if target.nbytes:
            self._copy_later(download(address, target.ctypes.data, target.nbytes))
        return True

    def _copy_later(self, copy: Copy) -> None:
        """Copy from or to page-locked memory, behind what was asked for before."""
        stream = self.stream_in_use
        stream.submit(copy)
        stream.flush()

    def reaches(self, other: Device) -> bool:
        return isinstance(other, CudaDevice)

    def copy_from_device(self, source: Device, address: int, target: Buffer) -> None:
        """Fill ``target`` from another GPU, in the order of what both are asked for.

        Nobody waits here: each GPU's stream holds back for the other's what comes behind the copy.

        Raises:
            DeviceError: Inside a capture; or one of them can do nothing any more.
        """
        assert isinstance(source, CudaDevice)
        for each in (self, source):
            each.context.check()
            each.stream_in_use.refuse_while_capturing("copy from one device to another")
        if not target.size_bytes:
            return
        self.context.reach(source.context)
        source.context.reach(self.context)
        self.follow(source)
        self.stream_in_use.submit(
            PeerCopy(
                *(target.address, self.context.native, address, source.context.native),
                target.size_bytes,
            )
        )
        source.follow(self)  # what is written to the source's memory next comes after the copy

    def follow(self, other: CudaDevice) -> None:
        """Hold back what is asked from now on until another GPU has done what it was asked."""
        event = other.new_event()
        event.wait(self.stream_in_use, event.signal(other.stream_in_use))

    def _copy_directly(self, copy: Copy) -> None:
        """Copy from or to memory of the host that is not page-locked."""
        # The driver may wait for all that the stream does before, beyond any time limit: that is
        # done by then.
        self.synchronize()
        self.stream_in_use.submit(copy)
        self.synchronize()

    def empty_cache(self) -> None:
        if "routines" in self.__dict__:  # else they have not been asked for anything
            self.routines.forget_memory()
        for pool in (self.pool, self.staging):
            pool.trim()
        self.context.free()

    # --- Kernels: what compiles is imported when something is compiled -------------------------

    def variant_for(self, grid: Triple, threads: Triple | None) -> str:
        return str(of_launch(grid, threads))

    def variants_served(self, kernel: Kernel, variant: str) -> tuple[str, ...]:
        from speedmetal.backends.cuda.codegen.printer import variants_served

        return variants_served(kernel, variant)

    def most_threads(self, program: Program) -> int:  # noqa: ARG002 - of another variant
        return self.limits.threads_per_threadgroup

    def build(self, kernel: Kernel, options: BuildOptions) -> bytes:
        from speedmetal.backends.cuda.driver.build import built

        threadgroups = of_variant(options.variant) if options.variant else Threadgroups()
        return built(kernel, self.architecture, threadgroups, options.math_mode)

    def load(self, code: bytes, kernel: str) -> Program:
        from speedmetal.backends.cuda.driver.program import load

        return load(self.context, self.stream, self.limits, self.multiprocessor, code, kernel)

    def new_mailbox(self, words: Words) -> tuple[Mailbox, Words]:
        size = words.nbytes
        staging = self.staging.allocate(size)
        content: Words = staging.view().view(np.uint32)
        content[:] = words
        memory = self._allocate_block(size, None)
        host_address = staging.block.host_address
        mailbox = Mailbox(
            memory.address,
            upload(memory.address, host_address, size),
            download(memory.address, host_address, size),
            memory,
        )
        return mailbox, content
