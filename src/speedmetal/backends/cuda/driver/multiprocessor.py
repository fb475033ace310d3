"""What a multiprocessor keeps at once: how many threadgroups, and what lets it keep no more.

The driver says how many; it does not say why. The bounds below are those of NVIDIA's own calculator
(``cuda_occupancy.h`` of the toolkit), for the architectures that speedmetal's NVRTC compiles for.
"""

from __future__ import annotations

from speedmetal.backends.device import SIMDGROUP_SIZE
from speedmetal.common.records import record

# CUdevice_attribute, cuda.h
ATTRIBUTES = {
    "count": 16,
    "threads": 39,
    "memory_bytes": 81,
    "registers": 82,
    "groups": 106,
    "reserved_bytes": 111,
}

_REGISTERS_STEP = 256
"""Registers are given to a warp in pieces of so many."""
_PARTITIONS = 4
"""Of a multiprocessor, each with its own registers and a share of the warps."""
_MEMORY_STEP_BYTES = 128
"""Shared memory is given to a block in pieces of so many."""


@record
class Multiprocessor:
    """What one has; the fields are those of :data:`ATTRIBUTES`.

    Args:
        count: How many there are.
        threads: That it keeps at once.
        memory_bytes: Of threadgroup memory.
        registers: Of all its threads.
        groups: That it keeps at once.
        reserved_bytes: Of each threadgroup's memory, for the driver.
    """

    count: int
    threads: int
    memory_bytes: int
    registers: int
    groups: int
    reserved_bytes: int

    def bounds(self, threads: int, registers: int, memory_bytes: int) -> dict[str, int]:
        """How many threadgroups each thing would allow, were it alone.

        Args:
            threads: Of a threadgroup.
            registers: Of a thread.
            memory_bytes: Of a threadgroup's arrays.

        >>> hopper = Multiprocessor(132, 2048, 233472, 65536, 32, 1024)
        >>> hopper.bounds(256, 72, 0)
        {'registers': 3, 'threads': 8, 'threadgroups': 32}
        >>> hopper.bounds(96, 32, 60000)
        {'registers': 21, 'threads': 21, 'threadgroup memory': 3, 'threadgroups': 32}
        """
        warps = -(-threads // SIMDGROUP_SIZE)
        a_warp = _rounded(max(registers, 1) * SIMDGROUP_SIZE, _REGISTERS_STEP)
        kept_warps = self.registers // _PARTITIONS // a_warp * _PARTITIONS
        found = {
            "registers": kept_warps // warps,
            "threads": self.threads // SIMDGROUP_SIZE // warps,
        }
        if memory_bytes:
            needed = _rounded(memory_bytes + self.reserved_bytes, _MEMORY_STEP_BYTES)
            found["threadgroup memory"] = self.memory_bytes // needed
        return found | {"threadgroups": self.groups}


def _rounded(size: int, step: int) -> int:
    return -(-size // step) * step
