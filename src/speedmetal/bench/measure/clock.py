"""Timing one sample: the only place where the clock is read around the work of others."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Call = Callable[[], Sequence[Any]]
Force = Callable[[Sequence[Any]], None]


# Bound before any framework is imported: one that puts another function into the module `time`
# changes nothing here.
_now = time.perf_counter_ns
_cpu = time.process_time_ns


class Clock(Protocol):
    """A clock on the device, beside the host's."""

    def start(self) -> None: ...

    def stop_nanoseconds(self) -> int: ...


@dataclass(frozen=True)
class Usage:
    """What a process used up to a moment, or between two: all of its threads together.

    ``context_switches`` are those that it did not ask for: another process took the processor.
    """

    cpu_nanoseconds: int = 0
    page_faults: int = 0
    context_switches: int = 0

    @classmethod
    def now(cls) -> Usage:
        """Since the process started; page faults and switches are 0 where they are not told."""
        faults, switches = _faults_and_switches()
        return cls(_cpu(), faults, switches)

    def __sub__(self, earlier: Usage) -> Usage:
        return Usage(
            self.cpu_nanoseconds - earlier.cpu_nanoseconds,
            self.page_faults - earlier.page_faults,
            self.context_switches - earlier.context_switches,
        )

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.cpu_nanoseconds + other.cpu_nanoseconds,
            self.page_faults + other.page_faults,
            self.context_switches + other.context_switches,
        )


def _faults_and_switches() -> tuple[int, int]:
    if os.name != "posix":
        return 0, 0
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_minflt + used.ru_majflt, used.ru_nivcsw


@dataclass(frozen=True)
class TimedSample:
    """Wall time of a sample in nanoseconds, and the last call's outputs."""

    nanoseconds: int
    outputs: Sequence[Any]
    usage: Usage


def now_nanoseconds() -> int:
    """The clock by which everything is timed: monotonic, of no date."""
    return _now()


def time_latency(call: Call, force: Force, calls: int) -> TimedSample:
    """``start; repeat calls times: force(call()); stop``: each call waits for its result."""
    outputs: Sequence[Any] = ()
    with _CollectorPaused():
        before = Usage.now()
        start = _now()
        for _ in range(calls):
            outputs = call()
            force(outputs)
        stop = _now()
        used = Usage.now() - before
    return TimedSample(stop - start, outputs, used)


def time_apart(call: Call, force: Force, calls: int, between: Callable[[], None]) -> TimedSample:
    """``repeat calls times: between(); start; force(call()); stop``: the sum of the calls alone."""
    outputs: Sequence[Any] = ()
    nanoseconds, used = 0, Usage()
    with _CollectorPaused():
        for _ in range(calls):
            between()
            before = Usage.now()
            start = _now()
            outputs = call()
            force(outputs)
            nanoseconds += _now() - start
            used += Usage.now() - before
    return TimedSample(nanoseconds, outputs, used)


def time_throughput(call: Call, force: Force, calls: int) -> TimedSample:
    """``start; results = [call() for calls]; force(results); stop``: all calls in flight."""
    with _CollectorPaused():
        before = Usage.now()
        start = _now()
        results = [call() for _ in range(calls)]
        force([output for outputs in results for output in outputs])
        stop = _now()
        used = Usage.now() - before
    return TimedSample(stop - start, results[-1], used)


def time_on_device(
    call: Call, calls: int, clock: Clock, keep_busy: Callable[[], None]
) -> tuple[int, int]:
    """``keep_busy(); mark; repeat calls times: call(); mark``, with nothing waited for before.

    Returns:
        Nanoseconds between the marks by the device's clock, and those that the host took to ask for
        all of it: where the device was kept busy for longer, it never waited for the host.
    """
    with _CollectorPaused():
        start = _now()
        keep_busy()
        clock.start()
        results = [call() for _ in range(calls)]
        asked = _now() - start
        device = clock.stop_nanoseconds()
    del results  # not before the device has come to them
    return device, asked


class _CollectorPaused:
    """Python's cyclic collector off: its pauses belong to no call."""

    def __enter__(self) -> None:
        self._was_enabled = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._was_enabled:
            gc.enable()
