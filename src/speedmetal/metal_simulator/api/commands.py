"""What a command buffer holds: commands that were checked when they were encoded, run later."""

from __future__ import annotations

import ctypes
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from weakref import ref

from speedmetal.errors import SimulationError
from speedmetal.metal_simulator.api.buffers import Buffer
from speedmetal.metal_simulator.api.counters import CounterSampleBuffer
from speedmetal.metal_simulator.api.events import Event
from speedmetal.metal_simulator.api.pipelines import ComputePipelineState
from speedmetal.metal_simulator.settings import Settings

Triple = tuple[int, int, int]
LARGEST_GRID = 1 << 32


class ResourceLostError(Exception):
    """A buffer of a command buffer without retained references is gone."""


class Command(Protocol):
    """One step of a command buffer."""

    def run(self, settings: Settings) -> None:
        """Execute the command, on the queue's thread."""


# A buffer that a command uses, and the offset: the buffer is held, or only known where references
# are not retained. A tuple, since every launch makes several.
Use = tuple[Buffer | ref[Buffer], int]


def used_buffer(use: Use) -> Buffer:
    """The buffer that a command uses.

    Raises:
        ResourceLostError: It was released.
    """
    holder = use[0]
    held = holder() if isinstance(holder, ref) else holder
    if held is None:
        raise ResourceLostError("a buffer was released before its command buffer was executed")
    return held


Binding = Use | bytes


class Dispatch(NamedTuple):
    """A function to run over a grid."""

    pipeline: ComputePipelineState
    bindings: Mapping[int, Binding]
    threadgroup_bytes: Mapping[int, int]
    grid: Triple
    threads: Triple
    indirect: Use | None = None

    def run(self, settings: Settings) -> None:
        from speedmetal.metal_simulator import execution
        from speedmetal.metal_simulator.language.program import region_of
        from speedmetal.metal_simulator.memory import GuardedMemory, edge_of

        compiled = self.pipeline.function.compile_for_host(check_races=settings.check_races)
        regions: dict[int, Any] = {}
        held: list[object] = []  # what must live until the kernel is done
        edge = edge_of(settings.order)
        for parameter in self.pipeline.buffers:
            binding = self.bindings[parameter.index]
            if isinstance(binding, bytes):
                memory = GuardedMemory(len(binding), edge=edge)
                ctypes.memmove(memory.address, binding, len(binding))
                held.append(memory)
                address, size, offset = memory.address, len(binding), 0
            else:
                buffer, offset = used_buffer(binding), binding[1]
                held.append(buffer)
                address, size = buffer.address + offset, buffer.size - offset
            regions[parameter.index] = region_of(parameter, address, size, offset)
        execution.execute(
            execution.Dispatch(
                name=compiled.name,
                entry=compiled.entry,
                uses_fibers=compiled.uses_fibers,
                buffers=regions,
                threadgroup_bytes=self.threadgroup_bytes,
                static_threadgroup_bytes=compiled.static_threadgroup_bytes,
                grid=self._threads_of_grid(),
                threads=self.threads,
                threadgroup_arrays=compiled.threadgroup_arrays(self.threadgroup_bytes),
                text=compiled.text,
                reachable=self.pipeline.system.reachable() if settings.check_races else (),
            ),
            settings,
        )

    def _threads_of_grid(self) -> Triple:
        if self.indirect is None:
            return self.grid
        buffer = used_buffer(self.indirect)
        raw = ctypes.string_at(buffer.address + self.indirect[1], 12)
        groups = struct.unpack("<3I", raw)
        x, y, z = (count * each for count, each in zip(groups, self.threads, strict=True))
        if max(x, y, z) >= LARGEST_GRID:
            raise SimulationError("limits", f"the indirect grid {x} x {y} x {z} is too large")
        return x, y, z


@dataclass(frozen=True, slots=True)
class Copy:
    """Bytes from one buffer to another."""

    source: Use
    destination: Use
    size: int

    def run(self, _: Settings) -> None:
        source, destination = used_buffer(self.source), used_buffer(self.destination)
        ctypes.memmove(
            destination.address + self.destination[1], source.address + self.source[1], self.size
        )


@dataclass(frozen=True, slots=True)
class Fill:
    """One byte into a range of a buffer."""

    target: Use
    size: int
    value: int

    def run(self, _: Settings) -> None:
        ctypes.memset(used_buffer(self.target).address + self.target[1], self.value, self.size)


@dataclass(frozen=True, slots=True)
class Synchronize:
    """Shows the CPU what the GPU wrote to a managed buffer."""

    target: Use

    def run(self, _: Settings) -> None:
        used_buffer(self.target).synchronize()


@dataclass(frozen=True, slots=True)
class Signal:
    """Sets an event to a value."""

    event: Event
    value: int

    def run(self, _: Settings) -> None:
        self.event.signal(self.value)


@dataclass(frozen=True, slots=True)
class Wait:
    """Waits until an event has at least a value."""

    event: Event
    value: int

    def run(self, settings: Settings) -> None:
        if not self.event.wait(self.value, settings.timeout):
            raise SimulationError(
                "timeout",
                f"no one signalled value {self.value} of an event in {settings.timeout} s; it is "
                f"at {self.event.value}",
            )


@dataclass(frozen=True, slots=True)
class Sample:
    """Writes the time into a counter sample buffer."""

    samples: CounterSampleBuffer
    index: int

    def run(self, _: Settings) -> None:
        self.samples.write(self.index, time.monotonic_ns())


@dataclass(frozen=True, slots=True)
class ResolveSamples:
    """Copies counter samples into a buffer."""

    samples: CounterSampleBuffer
    span: tuple[int, int]
    destination: Use

    def run(self, _: Settings) -> None:
        data = self.samples.read(*self.span)
        address = used_buffer(self.destination).address + self.destination[1]
        ctypes.memmove(address, data, len(data))
