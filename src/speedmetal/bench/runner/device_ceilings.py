"""Ceilings of each device: the best of everybody who computes on it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from speedmetal.bench.frameworks.base import Settings
from speedmetal.bench.measure.ceilings import host_bandwidth
from speedmetal.bench.record import Contender, CopyPoint
from speedmetal.bench.runner.process import WorkerFailedError, WorkerProcess
from speedmetal.bench.runner.protocol import CeilingsMeasured, MeasureCeilings

CEILING_SECONDS = 0.1  # per rate; a run of six contenders spends about ten seconds on them
CEILING_TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True)
class DeviceCeilings:
    """What a device reaches, as :class:`~speedmetal.bench.record.CeilingRecord` has it."""

    copy: list[CopyPoint]
    read: list[CopyPoint]
    flops_per_second: dict[str, float]
    call_floor_seconds: dict[str, float]


def working_sets(last_level_cache_bytes: int) -> list[int]:
    """Working sets from a small cache's to well beyond the last-level cache, in bytes.

    Example:
        >>> [size >> 10 for size in working_sets(32 << 20)]
        [64, 512, 4096, 32768, 262144]
    """
    largest = max(256 << 20, 4 * last_level_cache_bytes)
    sizes = [64 << 10]
    while sizes[-1] * 8 < largest:
        sizes.append(sizes[-1] * 8)
    return [*sizes, largest]


def measure_ceilings(
    workers: Mapping[str, WorkerProcess],
    contenders: Collection[Contender],
    sizes: Sequence[int],
    dtypes: Sequence[str],
    settings: Settings,
    on_phase: Callable[[str], None],
    on_failure: Callable[[Contender, str], None],
) -> dict[str, DeviceCeilings]:
    """Ceilings by device.

    Args:
        workers: By contender key.
        contenders: Those that were started.
        sizes: Working sets in bytes.
        dtypes: Of the matrix products.
        settings: The run's.
        on_phase: Told what is going on.
        on_failure: Told who could not be measured, and why; the others count.
    """
    measured: dict[str, dict[str, CeilingsMeasured]] = {c.device: {} for c in contenders}
    seen = set()
    for contender in contenders:
        on_phase(f"measuring this machine's ceilings with {contender.key}")
        # A framework's second mode reaches no more, and may compile for each size.
        is_first = (contender.framework, contender.device) not in seen
        seen.add((contender.framework, contender.device))
        request = MeasureCeilings(
            list(sizes) if is_first else [], list(dtypes) if is_first else [], CEILING_SECONDS
        )
        try:
            answer = workers[contender.key].ask(request, CeilingsMeasured, CEILING_TIMEOUT_SECONDS)
        except WorkerFailedError as error:
            on_failure(contender, f"ceilings could not be measured: {error.reason}")
            continue
        measured[contender.device][contender.key] = answer
    on_phase("measuring this machine's ceilings with plain copies and reads")
    return {
        device: _combine_ceilings(answers, _host_points(sizes, settings.threads, device), settings)
        for device, answers in measured.items()
    }


_Points = tuple[list[CopyPoint], list[CopyPoint]]


def _host_points(sizes: Sequence[int], threads: int, device: str) -> _Points:
    """What plain copies and reads on all threads reach: no framework may be needed for it."""
    copy: list[CopyPoint] = []
    read: list[CopyPoint] = []
    if device != "cpu":
        return copy, read
    for size in sizes:
        copied, was_read = host_bandwidth(threads, size, CEILING_SECONDS)
        copy.append(CopyPoint(working_set_bytes=size, bytes_per_second=copied))
        read.append(CopyPoint(working_set_bytes=size, bytes_per_second=was_read))
    return copy, read


def _combine_ceilings(
    answers: Mapping[str, CeilingsMeasured], host: _Points, settings: Settings
) -> DeviceCeilings:
    rates: dict[str, float] = {}
    for answer in answers.values():
        for dtype, rate in answer.flops_per_second.items():
            key = f"{dtype}/{settings.precision}"
            rates[key] = max(rates.get(key, 0.0), rate)
    return DeviceCeilings(
        copy=_best_points([*(answer.copy for answer in answers.values()), host[0]]),
        read=_best_points([*(answer.read for answer in answers.values()), host[1]]),
        flops_per_second=rates,
        call_floor_seconds={key: a.call_floor_seconds for key, a in answers.items()},
    )


def _best_points(curves: Iterable[Sequence[CopyPoint]]) -> list[CopyPoint]:
    best: dict[int, float] = {}
    for curve in curves:
        for point in curve:
            size = point.working_set_bytes
            best[size] = max(best.get(size, 0.0), point.bytes_per_second)
    return [CopyPoint(working_set_bytes=s, bytes_per_second=r) for s, r in sorted(best.items())]
