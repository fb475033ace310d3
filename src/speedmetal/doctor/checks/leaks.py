"""Whether memory stays flat over many launches, with arrays that come and go and without."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import psutil

import speedmetal as sm
from speedmetal.doctor.checks.kernel import add
from speedmetal.doctor.results import Finding
from speedmetal.doctor.worker import Task

ARRAY_BYTES = 1 << 20
WITH_ARRAYS = 240
"""Launches whose result is a new array: if each were kept, 240 MiB."""

WITHOUT_ARRAYS = 16_000
"""Launches on the same arrays: 2 KiB lost by each are 24 MiB after the warm-up."""

ALLOWED_GROWTH_BYTES = 12 << 20
"""What allocators may take for themselves after the warm-up."""

WARM_UP_SHARE = 4
"""The first quarter of the launches fills pools and caches, and is not counted."""

BETWEEN_WAITS = 100
"""Launches in flight at once, at most."""

QUICK_SHARE = 4


@dataclass(frozen=True, slots=True)
class Usage:
    """Memory in use, in bytes.

    Args:
        resident: Of the process.
        arrays: Of live arrays on the device, by speedmetal's own account.
        device: By the driver's account of the device; None where it has none.
    """

    resident: int
    arrays: int
    device: int | None = None


def examine(task: Task) -> Finding:
    """Launch many times; what is in use after the warm-up must be in use at the end, no more."""
    device = sm.device(task.subject)
    kernel = sm.kernel(add)
    left, right, out = (sm.ones(ARRAY_BYTES // 4, device=device) for _ in range(3))
    small = [sm.ones(64, device=device) for _ in range(3)]

    def with_new_array() -> None:
        result = sm.empty(ARRAY_BYTES // 4, device=device)
        kernel(left, right, result, grid=result.size)

    def without() -> None:
        kernel(*small, grid=64)

    share = QUICK_SHARE if task.is_quick else 1
    phases: dict[str, tuple[Callable[[], None], int]] = {
        "launches with a new array": (with_new_array, WITH_ARRAYS // share),
        "launches on the same arrays": (without, WITHOUT_ARRAYS // share),
    }
    facts: dict[str, object] = {}
    problems = []
    for number, (name, (launch, count)) in enumerate(phases.items()):
        task.progress(number, len(phases))
        before, after = _usages(device, launch, count)
        facts[name] = {"launches": count, "before": asdict(before), "after": asdict(after)}
        problems += [f"{name}: {text}" for text in describe_growth(before, after, count)]
    kernel(left, right, out, grid=out.size)
    sm.synchronize()
    if not np.array_equal(out.numpy(), np.full(out.size, 2, np.float32)):
        problems.append("after all of them, a sum of two arrays is wrong")
    launches = sum(count for _, count in phases.values())
    return Finding(facts, tuple(problems), note=f"flat over {launches} launches")


def describe_growth(before: Usage, after: Usage, launches: int) -> list[str]:
    """What grew more than it may, a line each.

    Example:
        >>> describe_growth(Usage(10 << 20, 0), Usage(74 << 20, 0), 64)
        ['memory of the process grew by 64.0 MiB in 64 launches']
    """
    grown = {
        "memory of the process": (after.resident - before.resident, ALLOWED_GROWTH_BYTES),
        "memory of arrays": (after.arrays - before.arrays, 0),
    }
    if before.device is not None and after.device is not None:
        grown["memory of the device"] = (after.device - before.device, ALLOWED_GROWTH_BYTES)
    return [
        f"{what} grew by {size / 2**20:.1f} MiB in {launches} launches"
        for what, (size, allowed) in grown.items()
        if size > allowed
    ]


def _usages(device: Any, launch: Callable[[], None], count: int) -> tuple[Usage, Usage]:
    """Usage after the warm-up, and after all launches."""
    warm_up = count // WARM_UP_SHARE
    _repeat(launch, warm_up)
    before = _usage(device)
    _repeat(launch, count - warm_up)
    return before, _usage(device)


def _repeat(launch: Callable[[], None], count: int) -> None:
    for number in range(count):
        launch()
        if number % BETWEEN_WAITS == 0:
            sm.synchronize()
    sm.synchronize()


def _usage(device: Any) -> Usage:
    gc.collect()
    sm.synchronize()
    is_metal = device.kind == "metal"
    return Usage(
        resident=psutil.Process().memory_info().rss,
        arrays=sm.memory_info(device).bytes_in_use,
        device=int(device.native.currentAllocatedSize()) if is_metal else None,
    )
