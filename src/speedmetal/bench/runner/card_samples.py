"""What is measured of a card beside a sample: calls in flight, and the card's own time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from speedmetal.bench.frameworks.base import Adapter, DeviceClock, Tensor
from speedmetal.bench.measure import clock
from speedmetal.bench.runner.cache_buffer import CacheBuffer
from speedmetal.bench.runner.protocol import Worked

# Calls between two marks in a device's queue: an event tells half a microsecond.
DEVICE_CALLS = 8
MOST_WRITES = 64  # of the buffer, for the host to be ahead
AHEAD = 1.5  # of what the host took: to ask for the writes takes time as well
WORK_CALLS = 32  # at once, where energy is looked at

Call = Callable[[], Sequence[Tensor]]


class CardSampler:
    """Measures calls of one case on a card; ``started`` calls have their work under way.

    Args:
        adapter: Who computes.
        buffer: What keeps the card busy.
        is_cold: Whether each call is to find an empty cache.
    """

    def __init__(self, adapter: Adapter, buffer: CacheBuffer, *, is_cold: bool) -> None:
        self._adapter = adapter
        self._buffer = buffer
        self._is_cold = is_cold
        self._clock = adapter.device_clock()
        self._writes = 1  # of the buffer, before the marks

    def beside(self, started: Call, calls: int, most_in_flight: int, mode: str) -> dict[str, Any]:
        """What else is measured of a turn, as :class:`~.protocol.Sampled` has it.

        Args:
            started: A call.
            calls: Of the sample.
            most_in_flight: Calls whose results have room beside each other.
            mode: The run's, ``"latency"`` or ``"throughput"``: its own is not measured again.
        """
        calls = min(calls, most_in_flight)
        found = {}
        if mode == "latency" and not self._is_cold:
            timed = clock.time_throughput(started, self._adapter.force, calls)
            found = {"queued_nanoseconds": timed.nanoseconds, "queued_calls": calls}
        if self._clock is not None:
            found |= self._time_on_device(started, calls, self._clock)
        return found

    def _time_on_device(
        self, started: Call, most_calls: int, device_clock: DeviceClock
    ) -> dict[str, Any]:
        calls = 1 if self._is_cold else min(most_calls, DEVICE_CALLS)

        def keep_busy() -> None:
            self._buffer.queue(self._writes)
            if not self._is_cold:
                started()  # its inputs are in the cache again, as far as they fit

        taken, asked = clock.time_on_device(started, calls, device_clock, keep_busy)
        is_behind = asked > self._writes * self._buffer.seconds * 1e9
        if is_behind:
            needed = math.ceil(AHEAD * asked / (1e9 * self._buffer.seconds))
            self._writes = min(max(needed, 2 * self._writes), MOST_WRITES)
        return {"device_nanoseconds": taken, "device_calls": calls, "device_waited": is_behind}

    def work(self, started: Call, most_in_flight: int, seconds: float) -> Worked:
        """Call for so long, many calls in flight."""
        at_once = min(WORK_CALLS, most_in_flight)
        begun, calls = time.perf_counter(), 0
        while (passed := time.perf_counter() - begun) < seconds:
            clock.time_throughput(started, self._adapter.force, at_once)
            calls += at_once
        return Worked(calls, passed)
