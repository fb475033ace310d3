"""Timing one sample: the only place where the clock is read around the work of others."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Call = Callable[[], Sequence[Any]]
Force = Callable[[Sequence[Any]], None]


class Clock(Protocol):
    """A clock on the device, beside the host's."""

    def start(self) -> None: ...

    def stop_nanoseconds(self) -> int: ...


@dataclass(frozen=True)
class TimedSample:
    """Wall time of a sample in nanoseconds, the device's own time, and the last call's outputs."""

    nanoseconds: int
    device_nanoseconds: int | None
    outputs: Sequence[Any]


def time_latency(call: Call, force: Force, calls: int, clock: Clock | None = None) -> TimedSample:
    """``start; repeat calls times: force(call()); stop``: each call waits for its result."""
    outputs: Sequence[Any] = ()
    with _CollectorPaused():
        if clock:
            clock.start()
        start = time.perf_counter_ns()
        for _ in range(calls):
            outputs = call()
            force(outputs)
        stop = time.perf_counter_ns()
        device = clock.stop_nanoseconds() if clock else None
    return TimedSample(stop - start, device, outputs)


def time_throughput(
    call: Call, force: Force, calls: int, clock: Clock | None = None
) -> TimedSample:
    """``start; results = [call() for calls]; force(results); stop``: all calls in flight."""
    with _CollectorPaused():
        if clock:
            clock.start()
        start = time.perf_counter_ns()
        results = [call() for _ in range(calls)]
        force([output for outputs in results for output in outputs])
        stop = time.perf_counter_ns()
        device = clock.stop_nanoseconds() if clock else None
    return TimedSample(stop - start, device, results[-1])


class _CollectorPaused:
    """Python's cyclic collector off: its pauses belong to no call."""

    def __enter__(self) -> None:
        self._was_enabled = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._was_enabled:
            gc.enable()
