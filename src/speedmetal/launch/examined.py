"""A launch that was checked and compiled, and is not made; its sizes are chosen here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from speedmetal.backends.device import Device, Sizes
from speedmetal.common.records import record, replace
from speedmetal.compiler.pipeline import CompiledKernel
from speedmetal.errors import LaunchError
from speedmetal.launch.arguments import BoundArguments, Named, check_writable
from speedmetal.launch.geometry import LaunchGeometry
from speedmetal.launch.threadgroup_memory import MemoryCheck, memory_check


@record(eq=False)
class Examined:
    """What a launch would be.

    Args:
        kernel: The kernel's name.
        device: Where it runs.
        compiled: What runs.
        bound: The arguments, taken apart.
        items: The arguments without tuples and records.
        scalars: The value of each parameter of the compiled kernel.
        sizes: Of the launch.
        may_come_again: Whether a launch with the same key will be the same.
    """

    kernel: str
    device: Device
    compiled: CompiledKernel
    bound: BoundArguments
    items: Sequence[Named]
    scalars: Sequence[Any]
    sizes: Sizes
    may_come_again: bool = True

    @property
    def written(self) -> list[Any]:
        """The arrays that the kernel writes to."""
        return [self.bound.leaves[number].value for number in self.compiled.metadata.written]

    def memory(self) -> tuple[tuple[int, ...], MemoryCheck | None]:
        """The threadgroup arrays that are sized at launch; see :func:`memory_check`.

        Raises:
            LaunchError: They do not fit.
        """
        shapes = tuple(leaf.shape for leaf in self.bound.leaves)
        metadata, threads = self.compiled.metadata, self.sizes.threads
        return memory_check(self.kernel, metadata, self.device, threads, shapes, self.scalars)

    def check(self) -> None:
        """See whether it could be made.

        Raises:
            LaunchError: An array that it writes to is read-only, or threadgroup arrays do not fit.
        """
        check_writable(self.kernel, self.bound, self.compiled.metadata.written)
        self.memory()

    def running(self, threads: int) -> int:
        """How many threads a core keeps at once; -1 where the threadgroup arrays do not fit.

        Args:
            threads: Of a threadgroup.
        """
        try:
            lengths, _ = self.memory()
            return threads * self.compiled.program.groups_at_once(threads, lengths)
        except LaunchError:
            return -1


def with_sizes(found: Examined, geometry: LaunchGeometry) -> Examined:
    """The launch with sizes as they are stated, or chosen.

    Where nobody states threads they are, of a few choices, those with which a core keeps the most
    threads at once, counting the registers and the threadgroup memory that this launch takes. Where
    the device does not tell, they are as many as suit it and the memory suffices for.

    Args:
        found: The launch; its sizes do not count.
        geometry: What is stated.

    Raises:
        LaunchError: The kernel can not run with so many threads.
    """
    device, program = found.device, found.compiled.program
    metadata, together = found.compiled.metadata, program.neighbours
    allowed = program.threads_per_threadgroup
    if program.threadgroups is not None:
        limits = replace(geometry.limits, threadgroups=program.threadgroups)
        geometry = replace(geometry, limits=limits)

    def with_most(most: int) -> Examined:
        sizes = geometry.sizes(most, metadata.threads, neighbours=together)
        if sizes.group_count < device.fewest_groups:
            sizes = geometry.sizes(most, neighbours=together)
        return replace(found, sizes=sizes)

    flat, looping = device.default_threads
    usual = min(allowed, looping if metadata.has_loops else flat)
    choices = [n for n in program.thread_choices if n <= allowed] or [usual]
    if metadata.sized_arrays and not program.thread_choices:
        choices += [usual >> halvings for halvings in range(1, usual.bit_length())]
    if geometry.threads is None and len(choices) > 1:
        chosen = with_most(max(choices, key=lambda most: with_most(most).running(most)))
    else:
        chosen = with_most(choices[0])
    if chosen.sizes.group_size > allowed:
        raise LaunchError(
            f"kernel {found.kernel!r}: {chosen.sizes.group_size} threads per threadgroup"
            f" requested; {device.name} allows {allowed} for this kernel, because of the"
            " registers that it needs; use fewer, or leave threads out"
        )
    return chosen
