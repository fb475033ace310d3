"""What is read of a card beside its contenders' turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from speedmetal.bench.record import Energy
from speedmetal.bench.runner.card_watch import CardWatch
from speedmetal.bench.runner.protocol import Work, Worked

MILLISECOND = 1_000_000


class FakeCard:
    """Counters that go on by what they are given, a step a reading."""

    def __init__(self, held: Sequence[dict[str, int]] = (), joules: Sequence[float | None] = ()):
        self.held, self.joules = iter(held), iter(joules)

    def held_down_nanoseconds(self) -> dict[str, int]:
        return next(self.held, {})

    def frequency_mhz(self) -> int:
        return 1830

    def energy_joules(self) -> float | None:
        return next(self.joules)


class FakeWorker:
    def ask(self, request: Work, kind: type, timeout_seconds: float) -> Worked:
        assert kind is Worked
        assert timeout_seconds > request.seconds
        return Worked(calls=640, seconds=request.seconds)


def watch_of(card: Any) -> CardWatch:
    return CardWatch(card)


def test_what_held_clocks_down_is_counted_in_the_own_turns_alone() -> None:
    """Proves that what a counter did between two turns is nobody's, and that reasons add up."""
    held = [{"power cap": n * MILLISECOND, "power brake": 7} for n in (10, 13, 50, 52)]
    watch = watch_of(FakeCard(held))
    for _ in range(2):
        watch.begin_turn()
        assert watch.end_turn(10 * MILLISECOND) == 1830
    assert watch.throttling == {"power cap": 5 / 20}


def test_the_pilot_is_forgotten() -> None:
    """Proves that turns whose samples are thrown away do not mark the others."""
    watch = watch_of(FakeCard([{"power cap": 0}, {"power cap": MILLISECOND}]))
    watch.begin_turn()
    watch.end_turn(MILLISECOND)
    watch.forget()
    assert watch.throttling == {}


def test_energy_is_the_difference_of_the_cards_counter() -> None:
    """Proves the joules, calls and seconds of work between two readings."""
    worker: Any = FakeWorker()
    watch = watch_of(FakeCard(joules=[100.0, 430.0]))
    assert watch.energy_of(worker, 1.0) == Energy(joules=330.0, calls=640, seconds=1.0)


@pytest.mark.parametrize("joules", [[None], [100.0, None], [100.0, 100.0]])
def test_a_counter_that_does_not_move_gives_no_energy(joules: list[float | None]) -> None:
    """Proves that nothing is no energy, whether the card does not tell or stands still."""
    worker: Any = FakeWorker()
    assert watch_of(FakeCard(joules=joules)).energy_of(worker, 1.0) is None


def test_without_a_card_there_is_nothing_to_tell() -> None:
    """Proves that processors, and cards that NVML does not know, have none of it."""
    worker: Any = FakeWorker()
    watch = CardWatch()
    watch.begin_turn()
    assert watch.end_turn(MILLISECOND) is None
    assert (watch.throttling, watch.state(), watch.energy_of(worker, 1.0)) == ({}, None, None)
