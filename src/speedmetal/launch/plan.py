"""Plans: what stays the same between launches that have the same key."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from speedmetal.backends.device import BoundLaunch, Device, Launch
from speedmetal.common.records import record
from speedmetal.compiler.pipeline import CompiledKernel
from speedmetal.ir.report_sites import ReportSites
from speedmetal.launch.device_reports import deliver, empty_mailbox
from speedmetal.launch.threadgroup_memory import MemoryCheck


@record(eq=False)
class Plan:
    """Everything about a launch that does not change while its key is the same.

    Args:
        device: Where it runs.
        run: Launches the kernel.
        names: Global names whose values the code depends on: dictionary, name, value.
        attributes: Cells of closures, attributes of modules and classes, and replaceable parts of
            functions whose values the code depends on: owner, name, value.
        sites: What the kernel may report, if anything.
        memory: What to check of each launch's numbers, if anything.
        is_plain: Whether a launch needs neither ``sites`` nor ``memory``.
        written: The places of the arrays that the kernel writes to, among the arguments without
            tuples and records.
    """

    device: Device
    run: BoundLaunch
    names: tuple[tuple[dict[str, Any], str, Any], ...]
    attributes: tuple[tuple[Any, str, Any], ...]
    sites: ReportSites | None
    memory: MemoryCheck | None
    is_plain: bool
    written: tuple[int, ...] = ()


def is_current(plan: Plan) -> bool:
    """Whether every name that the code depends on still has the value that it had."""
    try:
        for namespace, name, value in plan.names:
            if namespace[name] is not value:
                return False
        for owner, name, value in plan.attributes:
            if getattr(owner, name) is not value:
                return False
    except (KeyError, AttributeError, ValueError):  # a name is gone; ValueError: an empty cell
        return False
    return True


def plan_for(
    device: Device,
    compiled: CompiledKernel,
    launch: Launch,
    memory: MemoryCheck | None,
    written: tuple[int, ...],
    then: Callable[[Any], None] | None = None,
) -> Plan:
    """The plan for launches of a compiled kernel with such sizes and shapes.

    Args:
        device: Where it runs.
        compiled: The kernel.
        launch: The sizes and shapes.
        memory: See :class:`Plan`.
        written: See :class:`Plan`.
        then: Called with what launches it by machine code, once there is such.
    """
    sites = compiled.metadata.sites or None
    run, is_plain = compiled.program.bind(launch), sites is None and memory is None
    if is_plain and hasattr(run, "direct"):
        from speedmetal.launch.direct import watched  # which only some devices have

        run = watched(run, then)
    return Plan(device, run, *dependencies_of(compiled), sites, memory, is_plain, written)


def empty_plan(device: Device, compiled: CompiledKernel) -> Plan:
    """The plan for launches of no thread: no device has to know that there are such."""
    return Plan(device, _run_nothing, *dependencies_of(compiled), None, None, is_plain=True)


def _run_nothing(_values: list[Any]) -> None:
    pass


def dependencies_of(compiled: CompiledKernel) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The dependencies on global names, which are looked up faster, and all others."""
    found = compiled.dependencies
    return (
        tuple(d for d in found if type(d[0]) is dict),
        tuple(d for d in found if type(d[0]) is not dict),
    )


def run_with_care(plan: Plan, values: list[Any]) -> None:
    """Launch a kernel whose memory depends on numbers, or that may print or fail.

    Raises:
        LaunchError: Its threadgroup arrays do not fit.
        KernelError: A thread failed; what was printed is delivered before.
    """
    run = plan.run
    if plan.memory is not None:
        lengths = plan.memory.lengths(values[1:])
        run = functools.partial(_run_with_lengths, run, lengths)
    if plan.sites is None:
        run(values)
    else:
        sites = plan.sites
        deliver_reports = functools.partial(deliver, sites)
        plan.device.run_with_mailbox(run, values, empty_mailbox(sites), deliver_reports)


def _run_with_lengths(run: BoundLaunch, lengths: tuple[int, ...], values: list[Any]) -> None:
    run(values, lengths)
