"""What machine the simulated API pretends to be, and which faults it has."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from dataclasses import dataclass, field

from speedmetal.metal_simulator.api.facts import Version

GIBIBYTE = 1 << 30


@dataclass(frozen=True, slots=True)
class CommandBufferFault:
    """How a command buffer fails: what its error says."""

    domain: str
    code: int
    description: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """The simulated Mac.

    Args:
        device_count: GPUs; 0: none, as on a Mac without a display or in a virtual machine.
        name: Of the first GPU; the others have a number behind it.
        architecture: What ``device.architecture().name()`` says.
        families: Of ``MTLGPUFamily``.
        os_version: Of macOS; younger selectors, classes and strings do not exist.
        core_version: Of pyobjc-core. Up to 12.2.2 it retains the results of ``new...`` methods once
            too often, so they live for ever unless their metadata says ``already_retained``.
        memory_bytes: What all buffers may have together; beyond it ``newBuffer...`` gives nil.
        max_buffer_length: Bytes.
        page_size: Bytes; memory that is used without a copy starts and ends at a page.
        max_threads_per_threadgroup: Threads.
        max_threadgroup_memory: Bytes.
        fail_allocations_over: Buffers of more bytes than this are nil.
        fail_compile: Every compilation fails with this text.
        command_buffer_faults: What happens to the n-th committed command buffer, counted from 0.
        device_lost: Every command buffer fails, as when the GPU was removed.
        refuse_archives: Files of binary archives cannot be read.
        hang: Command buffers stay in execution until
            :meth:`~speedmetal.metal_simulator.api.Modules.configure` says otherwise.
    """

    device_count: int = 1
    name: str = "Simulated Apple GPU"
    architecture: str = "applegpu_simulated"
    families: frozenset[int] = frozenset({1007, 2002, 5001, *range(1001, 1007), *range(3001, 3004)})
    os_version: Version = (15, 0, 0)
    core_version: str = "13.0"
    memory_bytes: int = 8 * GIBIBYTE
    max_buffer_length: int = 4 * GIBIBYTE
    page_size: int = mmap.PAGESIZE
    max_threads_per_threadgroup: int = 1024
    max_threadgroup_memory: int = 32768
    fail_allocations_over: int | None = None
    fail_compile: str | None = None
    command_buffer_faults: Mapping[int, CommandBufferFault] = field(default_factory=dict)
    device_lost: bool = False
    refuse_archives: bool = False
    hang: bool = False

    @property
    def over_retains(self) -> bool:
        """Whether this pyobjc-core retains what ``new...`` methods give once too often."""
        return tuple(int(part) for part in self.core_version.split(".")) < (13,)
