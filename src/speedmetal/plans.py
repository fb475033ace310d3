"""Plans: what stays the same between launches that have the same key."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from speedmetal.arguments import fitted, parameter_slots
from speedmetal.backends.cpu.device import address_of
from speedmetal.compiler import CompiledKernel
from speedmetal.compiler import is_current as are_current
from speedmetal.frontend.signature import Argument
from speedmetal.reports import ReportSites
from speedmetal.sizes import Sizes
from speedmetal.threadgroup_memory import MemoryCheck

_THREADS_PER_CHUNK = 4096
"""The least work worth another core's attention, where threads run no loops: about 3 us."""
_CHUNKS_PER_CORE = 4


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Everything about a launch that does not change while its key is the same.

    Args:
        compiled: The kernel; its code lives as long as this.
        sizes: Of grid and threadgroups.
        run: Runs the threadgroups, given the packed arguments, their number and a chunk.
        groups: The number of threadgroups.
        chunk: How many of them a core takes at once.
        pack: Packs the slots.
        slots: What is packed: constants, with the values of a launch at every second place.
        formats: Of the values.
        names: Global names whose values the code depends on: dictionary, name, value.
        attributes: The same for closures' cells and modules' attributes.
        sites: What the kernel may report, if anything.
        memory: What to check of each launch's numbers, if anything.
        is_plain: Whether neither of these two is there.
    """

    compiled: CompiledKernel
    sizes: Sizes
    run: Callable[[bytes, int, int], None]
    groups: int
    chunk: int
    pack: Callable[..., bytes]
    slots: list[Any]
    formats: tuple[str, ...]
    names: tuple[tuple[dict[str, Any], str, Any], ...]
    attributes: tuple[tuple[Any, str, Any], ...]
    sites: ReportSites | None
    memory: MemoryCheck | None
    is_plain: bool


def is_current(plan: Plan) -> bool:
    """Whether every name that the code depends on still has the value that it had."""
    for namespace, name, value in plan.names:
        if namespace.get(name) is not value:
            return False
    return not plan.attributes or are_current(plan.attributes)


def _value_slots(
    arguments: tuple[Any, ...], signature: tuple[Argument, ...]
) -> list[tuple[str, bytes]]:
    slots = [("q", b"")]  # the mailbox's address
    for argument, kind in zip(arguments, signature, strict=True):
        slots += parameter_slots(argument, kind)
    return slots


def plan_for(
    compiled: CompiledKernel,
    sizes: Sizes,
    arguments: tuple[Any, ...],
    signature: tuple[Argument, ...],
    memory: MemoryCheck | None,
) -> Plan:
    """The plan for launches of a compiled kernel with such arguments."""
    values = _value_slots(arguments, signature)
    prefix = struct.pack("9q", *sizes.grid, *sizes.threads, *sizes.groups)
    slots: list[Any] = [prefix]
    layout = f"={len(prefix)}s"
    for value_format, constant in values:
        slots += (0, constant)
        layout += f"{value_format}{len(constant)}s"
    dependencies = compiled.dependencies
    sites = compiled.facts.sites or None
    return Plan(
        compiled,
        sizes,
        compiled.program.launch,
        sizes.group_count,
        _chunk(sizes, has_loops=compiled.facts.has_loops),
        struct.Struct(layout).pack,
        slots,
        tuple(value_format for value_format, _ in values),
        tuple(d for d in dependencies if type(d[0]) is dict),
        tuple(d for d in dependencies if type(d[0]) is not dict),
        sites,
        memory,
        is_plain=sites is None and memory is None,
    )


def _chunk(sizes: Sizes, *, has_loops: bool) -> int:
    from speedmetal.backends.cpu.pool import default_threads

    share = -(-sizes.group_count // (default_threads() * _CHUNKS_PER_CORE))
    least = 1 if has_loops else -(-_THREADS_PER_CHUNK // sizes.group_size)
    return max(share, least)


def run_with_care(plan: Plan, values: list[Any]) -> None:
    """Launch a kernel whose memory depends on numbers, or that may print or fail.

    Raises:
        LaunchError: Its threadgroup arrays do not fit.
        KernelError: A thread failed; what was printed is delivered before.
    """
    if plan.memory is not None:
        plan.memory.check(values[1:])
    if plan.sites is None:
        plan.run(packed_widely(plan, values), plan.groups, plan.chunk)
        return
    mailbox = plan.sites.empty_mailbox()
    values[0] = address_of(mailbox)
    plan.run(packed_widely(plan, values), plan.groups, plan.chunk)
    plan.sites.deliver(mailbox)


def packed_widely(plan: Plan, values: list[Any]) -> bytes:
    """Pack numbers of which one is beyond float32 or float16: it becomes an infinity."""
    slots = plan.slots.copy()
    slots[1::2] = map(fitted, values, plan.formats)
    return plan.pack(*slots)
