"""What a dispatch is, and what is known when it has run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Size = tuple[int, int, int]
"""Along x, y and z."""


@dataclass(frozen=True, slots=True)
class Region:
    """Memory that is bound at a buffer index, or threadgroup memory.

    Args:
        address: Where it begins; 0 for threadgroup memory, which lies elsewhere in each run.
        size_bytes: How far the kernel may go.
        name: For messages: that of the parameter or variable.
        element: For messages: the type of an element, as the text has it.
        element_bytes: The size of one; 0: unknown.
        bytes_before: Of the same buffer, before ``address``: where it is bound with an offset, an
            index below 0 stays within it, as in Metal.
    """

    address: int
    size_bytes: int
    name: str = ""
    element: str = ""
    element_bytes: int = 0
    bytes_before: int = 0

    def distance_to(self, address: int) -> int:
        """How far from the buffer an address is, in bytes; 0 within it and just behind it."""
        begin, end = self.address - self.bytes_before, self.address + self.size_bytes
        return max(begin - address, address - end, 0)

    def has(self, address: int) -> bool:
        """Whether the address is one of the buffer's bytes."""
        return -self.bytes_before <= address - self.address < self.size_bytes


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One kernel over one grid.

    Args:
        name: Of the kernel, for messages.
        entry: The address of its ``smr_entry``.
        uses_fibers: Whether it uses a barrier or a simdgroup function.
        buffers: What is bound, by buffer index (0 to 30).
        threadgroup_bytes: Sizes of ``[[threadgroup(n)]]`` arguments, multiples of 16.
        static_threadgroup_bytes: Of the arrays that the kernel declares.
        grid: Threads.
        threads: Of a threadgroup; at the grid's edge threadgroups are smaller.
        threadgroup_arrays: For messages: those that the text declares, by number, and those of
            ``[[threadgroup(n)]]`` by ``-1 - n``.
        text: For messages: the text as it was compiled, with ``#line`` directives.
        reachable: Begin and end of memory that is not bound, but whose address the host asked for,
            so that the kernel may have it.
        bindings: The address of ``smr_bindings``: textures and samplers; 0: there are none.
        textures: The memory of the textures, for messages.
    """

    name: str
    entry: int
    uses_fibers: bool
    buffers: Mapping[int, Region]
    threadgroup_bytes: Mapping[int, int]
    static_threadgroup_bytes: int
    grid: Size
    threads: Size
    threadgroup_arrays: Mapping[int, Region] = field(default_factory=dict)
    text: str = field(default="", repr=False)
    reachable: Sequence[tuple[int, int]] = ()
    bindings: int = 0
    textures: tuple[Region, ...] = ()


@dataclass(frozen=True, slots=True)
class Execution:
    """What was counted while a dispatch ran.

    Args:
        divergent_barriers: Barriers that were released although threads were missing.
        mixed_collectives: Releases of lanes while others of the simdgroup waited elsewhere.
        partial_collectives: Simdgroup functions in which not all lanes took part.
        undefined_divisions: Of integers by zero, or of the least one by -1.
        races: Accesses that conflict with an earlier one; 0 where races were not looked for.
        threadgroup_bytes: Threadgroup memory that one threadgroup used, at most.
        switches: From thread to thread.
        seconds: How long it took.
    """

    divergent_barriers: int
    mixed_collectives: int
    partial_collectives: int
    undefined_divisions: int
    races: int
    threadgroup_bytes: int
    switches: int
    seconds: float
