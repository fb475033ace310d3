"""Runs a dispatch and raises what went wrong with it."""

from __future__ import annotations

import ctypes
import functools
import math
import threading

from speedmetal.errors import SimulationError, UserInputError
from speedmetal.metal_simulator import memory
from speedmetal.metal_simulator.runtime import explain, library
from speedmetal.metal_simulator.runtime.records import Dispatch, Execution, Region, Size
from speedmetal.metal_simulator.settings import ORDERS, Settings

MAXIMUM_THREADS = 1024
"""Threads of a threadgroup: Metal feature set tables, all Apple GPUs from Apple4 on."""

MAXIMUM_THREADGROUP_BYTES = 32 << 10
"""Threadgroup memory of a threadgroup: Metal feature set tables, from Apple4 on."""

_THREADGROUP_BYTES_UNIT = 16  # setThreadgroupMemoryLength:atIndex:
_UNBOUND_BYTES = 16 << 20  # addresses that stand for one buffer that is not bound
_lock = threading.Lock()


def execute(dispatch: Dispatch, settings: Settings) -> Execution:
    """Run a kernel over a grid, and wait for its end.

    May be called from any number of threads at once. A kernel that writes where it may not, waits
    for ever or misses a barrier ends the run, not the process; its buffers may then be partly
    written.

    Args:
        dispatch: The kernel, its arguments and the grid.
        settings: How to run it. With ``check_races`` the kernel must have been built for it, and
            there is one worker.

    Returns:
        What was counted.

    Raises:
        SimulationError: A fault of the kernel (``kind`` says which), or a limit exceeded.
    """
    _check_limits(dispatch)
    _check_settings(settings)
    runtime = library.runtime()
    unbound = _unbound()
    record = _record(dispatch, settings, unbound)
    report = library.Report()
    runtime.smr_run(ctypes.byref(record), ctypes.byref(report))
    damage = _damage(dispatch)  # whatever else happened: each is told once
    if report.status != explain.DONE or damage or report.races:
        words = explain.Explainer(dispatch, unbound, MAXIMUM_THREADGROUP_BYTES, settings.timeout)
        if report.status != explain.DONE:
            raise words.failure(report)
        if damage:
            raise words.damage(*damage)
        raise words.races(report.race[: report.distinct_races], report.races)
    execution = Execution(
        divergent_barriers=report.divergent_barriers,
        mixed_collectives=report.mixed_collectives,
        partial_collectives=report.partial_collectives,
        undefined_divisions=report.undefined_divisions,
        races=report.races,
        threadgroup_bytes=report.threadgroup_bytes,
        switches=report.switches,
        seconds=report.nanoseconds * 1e-9,
    )
    if settings.observer is not None:
        settings.observer(dispatch, execution)
    return execution


# ---- limits


def _check_limits(dispatch: Dispatch) -> None:
    name = dispatch.name
    for what, size, end in (
        ("grid", dispatch.grid, 1 << 32),
        ("threads", dispatch.threads, MAXIMUM_THREADS + 1),
    ):
        if len(size) != 3 or not all(1 <= extent < end for extent in size):
            raise _limit(name, f"{what} {size}: each of three extents must be 1 to {end - 1}")
    threads = math.prod(dispatch.threads)
    if threads > MAXIMUM_THREADS:
        raise _limit(
            name,
            f"threads {dispatch.threads} are {threads} in a threadgroup, at most {MAXIMUM_THREADS} "
            "are allowed; use smaller threadgroups and more of them",
        )
    groups = math.prod(-(-g // t) for g, t in zip(dispatch.grid, dispatch.threads, strict=True))
    if groups >= 1 << 62:
        raise _limit(name, f"grid {dispatch.grid}: {groups} threadgroups are beyond any use")
    for index in dispatch.buffers:
        if not 0 <= index < library.BUFFERS:
            raise _limit(
                name, f"buffer index {index}: there are {library.BUFFERS}, 0 to 30; pack arguments"
            )
    _check_threadgroup_memory(dispatch)


def _check_threadgroup_memory(dispatch: Dispatch) -> None:
    for index, size in dispatch.threadgroup_bytes.items():
        if not 0 <= index < library.THREADGROUP_SLOTS:
            raise _limit(dispatch.name, f"threadgroup index {index}: there are 31, 0 to 30")
        if size < 0 or size % _THREADGROUP_BYTES_UNIT:
            raise _limit(
                dispatch.name,
                f"{size} bytes at threadgroup index {index}: Metal wants a multiple of "
                f"{_THREADGROUP_BYTES_UNIT}; round up",
            )
    dynamic = sum(dispatch.threadgroup_bytes.values())
    total = dispatch.static_threadgroup_bytes + dynamic
    if total > MAXIMUM_THREADGROUP_BYTES:
        raise SimulationError(
            "threadgroup memory",
            f"kernel {dispatch.name!r}: {total} bytes of threadgroup memory "
            f"({dispatch.static_threadgroup_bytes} declared, {dynamic} as arguments), "
            f"{MAXIMUM_THREADGROUP_BYTES} are allowed; make the arrays smaller",
        )


def _limit(name: str, message: str) -> SimulationError:
    return SimulationError("limits", f"kernel {name!r}: {message}")


def _check_settings(settings: Settings) -> None:
    if settings.order not in ORDERS:
        raise UserInputError(
            f"order must be one of {', '.join(ORDERS)}, got {settings.order!r}; change it in "
            "simulator_settings"
        )
    if settings.timeout is not None and not settings.timeout > 0:
        raise UserInputError(
            f"timeout must be more than 0 seconds, or None for no end, got {settings.timeout}"
        )


# ---- what the runtime gets


def _record(
    dispatch: Dispatch, settings: Settings, unbound: explain.Unbound
) -> library.DispatchRecord:
    record = library.DispatchRecord()
    ctypes.memmove(record.buffers, _unbound_addresses(unbound), ctypes.sizeof(record.buffers))
    for index, region in dispatch.buffers.items():
        record.buffers[index] = region.address
        record.buffer_bytes[index] = region.size_bytes
        record.buffer_bytes_before[index] = region.bytes_before
    for index, size in dispatch.threadgroup_bytes.items():
        record.threadgroup_bytes[index] = size
    record.entry = dispatch.entry
    record.threadgroup_limit = MAXIMUM_THREADGROUP_BYTES
    record.seed = settings.seed & ((1 << 64) - 1)
    record.timeout_nanoseconds = _nanoseconds(settings.timeout)
    record.grid[:] = dispatch.grid
    record.threads_per_threadgroup[:] = dispatch.threads
    record.order = ORDERS.index(settings.order)
    record.workers = max(1, settings.workers)
    record.uses_fibers = dispatch.uses_fibers
    record.poison = settings.poison
    record.flush_denormals = settings.flush_denormals
    record.strict = settings.strict
    record.check_races = settings.check_races
    record.edge = memory.EDGES.index(memory.edge_of(settings.order))
    if dispatch.reachable:
        limits = [limit for limits in dispatch.reachable for limit in limits]
        record.other_count = len(dispatch.reachable)
        record.others = (ctypes.c_uint64 * len(limits))(*limits)
    record.bindings = dispatch.bindings
    return record


def _nanoseconds(timeout: float | None) -> int:
    if timeout is None or timeout > 1e9:
        return 0
    return max(1, int(timeout * 1e9))


@functools.cache
def _reserve_unbound() -> explain.Unbound:
    address = library.runtime().smr_reserve(_UNBOUND_BYTES * library.BUFFERS)
    return explain.Unbound(address, _UNBOUND_BYTES, library.BUFFERS)


def _unbound() -> explain.Unbound:
    # Addresses without memory: whoever uses a buffer that is not bound is told its index.
    with _lock:
        return _reserve_unbound()


@functools.cache
def _unbound_addresses(unbound: explain.Unbound) -> ctypes.Array[ctypes.c_uint64]:
    steps = range(unbound.count)
    return (ctypes.c_uint64 * unbound.count)(
        *(unbound.address + unbound.step_bytes * i for i in steps)
    )


# ---- what the runtime gives back


def _damage(dispatch: Dispatch) -> tuple[int, int] | None:
    """Check all buffers; index and byte offset of the first beside which a kernel wrote, or
    None.
    """
    first = None
    for index, region in dispatch.buffers.items():
        found = memory.damaged_byte(region.address)
        if found is not None and first is None:
            begin, offset = found
            first = index, begin + offset - region.address
    return first


__all__ = [
    "MAXIMUM_THREADGROUP_BYTES",
    "MAXIMUM_THREADS",
    "Dispatch",
    "Execution",
    "Region",
    "Size",
    "execute",
]
