"""The card's own time: the host is ahead of it, or it is told."""

from __future__ import annotations

import time
from typing import Any

from speedmetal.bench.frameworks.base import DeviceClock
from speedmetal.bench.runner.card_samples import DEVICE_CALLS, MOST_WRITES, CardSampler
from speedmetal.bench.runner.protocol import Sampled
from speedmetal.bench.runner.timing import waits

CALL_SECONDS = 2e-4


class FixedClock(DeviceClock):
    def start(self) -> None:
        pass

    def stop_nanoseconds(self) -> int:
        return 5000


class Adapter:
    def device_clock(self) -> DeviceClock:
        return FixedClock()

    def force(self, outputs: Any) -> None:
        pass


class Buffer:
    """A buffer that takes so long to write, and counts its writes."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.writes: list[int] = []

    def queue(self, times: int) -> None:
        self.writes.append(times)


def started() -> tuple[()]:
    time.sleep(CALL_SECONDS)
    return ()


def sampler_of(buffer: Buffer, *, is_cold: bool = False) -> CardSampler:
    adapter: Any = Adapter()
    given: Any = buffer
    return CardSampler(adapter, given, is_cold=is_cold)


def test_writes_double_until_the_host_is_ahead() -> None:
    """Proves that a card which would wait gets more to do, up to a limit, and that it is said."""
    buffer = Buffer(CALL_SECONDS * 4)
    sampler = sampler_of(buffer)
    told = [sampler.beside(started, 4, 100, "latency")["device_waited"] for _ in range(4)]
    assert told[0]
    assert not told[-1]
    assert buffer.writes[0] == 1
    assert buffer.writes[-1] >= 2
    hopeless = Buffer(1e-9)
    endless = sampler_of(hopeless)
    assert all(endless.beside(started, 1, 1, "latency")["device_waited"] for _ in range(9))
    assert hopeless.writes[-1] == MOST_WRITES


def test_calls_of_each_measure() -> None:
    """Proves how many calls each has, with room for few results, and what a cold cache allows."""
    sampler = sampler_of(Buffer(1.0))
    found = sampler.beside(started, 16, 100, "latency")
    assert (found["queued_calls"], found["device_calls"]) == (16, DEVICE_CALLS)
    assert sampler.beside(started, 16, 3, "latency")["queued_calls"] == 3
    assert "queued_calls" not in sampler.beside(started, 16, 100, "throughput")
    cold = sampler_of(Buffer(1.0), is_cold=True).beside(started, 16, 100, "latency")
    assert (cold.get("queued_calls"), cold["device_calls"]) == (None, 1)


def test_waits_for_the_host_are_a_note_where_they_are_the_rule() -> None:
    """Proves the full text, and that the doubling at the start is none."""
    late, early = Sampled(1, device_waited=True), Sampled(1)
    assert waits([late, early, early]) == ""
    assert waits([late, late, early]) == (
        "the card's time has waits for the host in it: a call is not asked for faster, or waits"
    )
