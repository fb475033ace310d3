"""``sm.occupancy``: how many threads of a kernel a device keeps at once, and why not more."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from speedmetal.backends.device import SIMDGROUP_SIZE, Device, Residency, Triple
from speedmetal.errors import UserInputError
from speedmetal.frontend.signature import with_article
from speedmetal.launch.kernel import kernel_of

_MANY_THREADS = 1 << 20
"""Of the grid, where nobody states one: every core of every device gets several threadgroups."""
_LABELS = 20
"""Width of the words on the left of the text."""


@dataclass(frozen=True, slots=True)
class Occupancy:
    """How many threads of a kernel a device keeps at once; made by :func:`occupancy`.

    A core is a multiprocessor of an NVIDIA GPU; of the CPU, a thread of the pool that runs kernels.

    Attributes:
        kernel: Its name.
        device: Where it runs.
        threads: Of a threadgroup, along x, y and z: as stated, or as a launch chooses them.
        suggested_threads: What a launch chooses where nobody states threads: on NVIDIA GPUs those
            with which the most threads run at once; on the others what suits the device.
        most_threads: The most that a launch of this kernel may ask for; its registers may limit it.
            Apple: ``maxTotalThreadsPerThreadgroup``.
        threads_per_simdgroup: Width of a simdgroup. Apple: ``threadExecutionWidth``.
        threadgroup_memory_bytes: Of a threadgroup, in this launch.
        cores: Of the device; None: the device does not tell (Apple), as below.
        groups_per_core: Threadgroups that a core keeps at once. A core of the CPU runs one after
            another.
        threads_per_core: Threads that a core can keep at once, whatever the kernel; None on the
            CPU, where there is no such number.
        fraction: Share of these that this launch keeps, whole simdgroups counted, from 0 to 1.
        limited_by: What lets a core keep no more threadgroups: of ``"registers"``, ``"threads"``,
            ``"threadgroup memory"`` and ``"threadgroups"``; empty where the device does not tell.
        registers: Of a thread.
        spilled_bytes: Of a thread's variables, in device memory because registers did not suffice.
    """

    kernel: str
    device: str
    threads: Triple
    suggested_threads: Triple
    most_threads: int
    threads_per_simdgroup: int
    threadgroup_memory_bytes: int
    cores: int | None
    groups_per_core: int | None
    threads_per_core: int | None
    fraction: float | None
    limited_by: tuple[str, ...]
    registers: int | None
    spilled_bytes: int | None

    def __str__(self) -> str:
        lines = [f"{label:{_LABELS}}{text}" for label, text in self._rows()]
        return "\n".join([f"occupancy of {self.kernel} on {self.device}", *lines])

    def _rows(self) -> Iterator[tuple[str, str]]:
        stated, suggested = map(_product, (self.threads, self.suggested_threads))
        most = self.most_threads
        yield "threads", f"{stated} of a threadgroup; suggested {suggested}, at most {most}"
        yield "at once", self._at_once()
        if self.limited_by:
            yield "limited by", ", ".join(self.limited_by)
        if self.registers is not None:
            yield "registers", f"{self.registers} of a thread, {self.spilled_bytes} bytes spilled"
        yield "threadgroup memory", f"{self.threadgroup_memory_bytes} bytes of a threadgroup"

    def _at_once(self) -> str:
        if self.groups_per_core is None:
            return "not told by Metal"
        if self.fraction is None or self.threads_per_core is None:
            return f"one threadgroup on each of {self.cores} cores, one after another"
        groups, plural = self.groups_per_core, "s" * (self.groups_per_core != 1)
        return (
            f"{groups} threadgroup{plural}, {groups * math.prod(self.threads)} of"
            f" {self.threads_per_core} threads, on each of {self.cores} cores: {self.fraction:.0%}"
        )


def occupancy(
    kernel: Any,
    /,
    *arguments: Any,
    grid: Any = None,
    groups: Any = None,
    threads: Any = None,
    debug: int | None = None,
    device: str | Device | None = None,
    **named: Any,
) -> Occupancy:
    """How many threads of a launch a device keeps at once, and why not more. Nothing is launched.

    The launch is described as it would be made, since threadgroup memory may depend on all of it.
    More threads at once hide more of the time that memory takes; a kernel that computes much in
    registers may be fastest with few. ``sm.autotune`` measures it.

    Args:
        kernel: Made by ``@sm.kernel``.
        arguments: Arrays and numbers, as for its launch.
        grid: As for a launch; None, and no ``groups``: one that is large enough for every core.
        groups: Instead of ``grid``; needs ``threads``.
        threads: Of a threadgroup; None: as a launch chooses them.
        debug: 0, 1 or 2; see :func:`speedmetal.debug_level`.
        device: Where it would run; None: where the arrays are, or the default device.
        named: Arguments by the names of their parameters.

    Raises:
        UserInputError: It is no kernel.
        LaunchError: Such a launch cannot be: a size, or an argument, or its threadgroup memory.
        CompileError: The kernel is wrong, or the device cannot do what it asks for.

    Formula::

        fraction = groups_per_core * simdgroups_per_threadgroup * 32 / threads_per_core

    ``groups_per_core`` is what NVIDIA's driver says
    (``cuOccupancyMaxActiveBlocksPerMultiprocessor``).

    Example:
        >>> import speedmetal as sm
        >>> def twice(a):
        ...     i = sm.thread_position_in_grid().x
        ...     a[i] = 2 * a[i]
        >>> found = occupancy(sm.kernel(twice), sm.zeros(3, device="cpu"), threads=64)
        >>> found.threads, found.most_threads, found.groups_per_core, found.fraction
        ((64, 1, 1), 1024, 1, None)
    """
    made = kernel_of(kernel)
    if made is None:
        raise UserInputError(
            "sm.occupancy expected a kernel, made by @sm.kernel, got"
            f" {with_article(type(kernel).__name__)}"
        )
    if grid is None and groups is None:
        grid = _MANY_THREADS
    found = made.examine(arguments, named, (grid, groups, threads), debug, device)
    usual = found
    if threads is not None:
        usual = made.examine(arguments, named, (found.sizes.grid, None, None), debug, device)
    lengths, _ = found.memory()
    size = found.sizes.group_size
    residency = found.compiled.program.residency(size, lengths)
    memory = residency.threadgroup_memory_bytes
    if memory is None:
        memory = found.compiled.metadata.threadgroup_memory_bytes + sum(lengths)
    return Occupancy(
        made.name,
        found.device.name,
        found.sizes.threads,
        usual.sizes.threads,
        found.device.most_threads(found.compiled.program),
        SIMDGROUP_SIZE,
        memory,
        residency.cores,
        residency.groups,
        residency.most_threads,
        _fraction(residency, size),
        residency.limited_by,
        residency.registers,
        residency.spilled_bytes,
    )


def _fraction(residency: Residency, threads: int) -> float | None:
    if residency.groups is None or residency.most_threads is None:
        return None
    simdgroups = residency.groups * -(-threads // SIMDGROUP_SIZE)
    return simdgroups * SIMDGROUP_SIZE / residency.most_threads


def _product(sizes: Triple) -> str:
    """Sizes without those that are 1 behind the last that is not, for people.

    >>> _product((16, 16, 1)), _product((64, 1, 1))
    ('16 x 16', '64')
    """
    x, y, z = sizes
    kept = (x, y, z) if z > 1 else (x, y) if y > 1 else (x,)
    return " x ".join(map(str, kept))
