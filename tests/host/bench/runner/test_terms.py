"""The terms of a run: clocks that are wrong, work between turns, late turns; and honest noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from speedmetal.bench.runner import terms
from speedmetal.bench.runner.protocol import Sampled
from speedmetal.bench.runner.terms import Turn

MILLISECOND = 1_000_000
Clock = Callable[[int], int]


def turns_by(
    clock: Clock,
    count: int = 10,
    *,
    seed: int = 0,
    delay_milliseconds: float = 0.1,
    late_milliseconds: float = 0.0,
    idle_cores: float = 0.0,
    sample_milliseconds: float = 1.0,
) -> list[Turn]:
    """Turns of a process whose clock shows ``clock(t)`` at the true time t, in nanoseconds.

    Messages are on their way for an exponentially distributed time, in both directions.
    """
    generator = np.random.default_rng(seed)
    now, turns = 10**12, []
    for _ in range(count):
        there, back = (round(generator.exponential(delay_milliseconds) * MILLISECOND) for _ in "ab")
        sample = round(sample_milliseconds * MILLISECOND * generator.lognormal(sigma=0.2))
        begun = now + there
        start, stop = begun + sample, begun + 2 * sample  # after one call that is not timed
        end = stop + round(late_milliseconds * MILLISECOND)
        gap = 5 * MILLISECOND
        sampled = Sampled(
            clock(stop) - clock(start),
            begun_nanoseconds=clock(begun),
            clock_nanoseconds=clock(end),
            idle_cpu_nanoseconds=round(idle_cores * gap),
        )
        turns.append(Turn(now, end + back - now, sampled, calls=1, is_verified=False))
        now = end + back + gap
    return turns


def honest(now: int) -> int:
    """Its zero is another, as every process's may be."""
    return now - 123_456_789


# -- Clocks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay_milliseconds", [0.01, 1.0, 30.0, 300.0])
def test_an_honest_clock_is_believed_on_the_busiest_machine(delay_milliseconds: float) -> None:
    """Proves that no delay of messages accuses a process: 300 series with delays from 10 us to far
    above the time of a turn, each of 3 to 60 turns."""
    for seed in range(300):
        turns = turns_by(honest, 3 + seed % 58, seed=seed, delay_milliseconds=delay_milliseconds)
        assert terms.wrong_clock(turns) == ""
        assert [turn.clock_failure() for turn in turns] == [""] * len(turns)


@pytest.mark.parametrize(
    "clock",
    [
        pytest.param(lambda now: now // 2, id="half speed"),
        pytest.param(lambda now: now * 9 // 10, id="a tenth slow"),
        pytest.param(lambda now: now * 11 // 10, id="a tenth fast"),
        pytest.param(lambda now: -now, id="backwards"),
        pytest.param(lambda now: 7, id="still"),
        pytest.param(lambda now: now // 10**8 * 10**8, id="in steps of 100 ms"),
        pytest.param(
            lambda now: now - 3_600_000 * MILLISECOND * (now > 10**12 + 50 * MILLISECOND),
            id="set back an hour",
        ),
    ],
)
def test_a_wrong_clock_is_found(clock: Clock) -> None:
    """Proves that a clock that goes otherwise than the coordinator's is told within 20 turns of
    2 ms, though each sample by itself may be plausible."""
    found = terms.wrong_clock(turns_by(clock, 20))
    assert found.startswith("the clock of its process is wrong: ")
    assert found.endswith(" s did on the coordinator's")


def test_a_slow_clock_is_found_through_late_messages() -> None:
    """Proves that delays hide little: the quickest messages bound the clock, with delays of 5 ms
    on average about turns of 2 ms."""
    turns = turns_by(lambda now: now // 2, 20, delay_milliseconds=5.0)
    assert terms.wrong_clock(turns)


def test_no_turns_accuse_nobody() -> None:
    """Proves the empty case, and that of a single turn."""
    assert terms.wrong_clock([]) == ""
    assert terms.wrong_clock(turns_by(honest, 1)) == ""


STILL = (
    "the clock of its process stands still or runs backwards: a sample of 4 calls took {} ns by it"
)
LONGER = (
    "the clock of its process is wrong: a sample took 0.1 s by it, in a turn that ended after"
    " 0.05 s"
)


@pytest.mark.parametrize(
    ("sample", "taken", "reason"),
    [
        (1, 1, ""),
        (0, MILLISECOND, STILL.format(0)),
        (-5, MILLISECOND, STILL.format(-5)),
        (100 * MILLISECOND, 99 * MILLISECOND, ""),  # clocks are read one after the other
        (100 * MILLISECOND, 50 * MILLISECOND, LONGER),
    ],
)
def test_one_sample_that_cannot_be_true(sample: int, taken: int, reason: str) -> None:
    """Proves the full texts, and the slack of an honest one."""
    turn = Turn(0, taken, Sampled(sample), calls=4, is_verified=False)
    assert turn.clock_failure() == reason


def test_more_processor_time_than_there_was() -> None:
    """Proves that 20 ms on 2 processors within 2 ms are told, and 10 ms are not, which a tick of
    the system adds of what a thread did before; that there is no such tick on one processor; and
    that nothing is told where the process may have been on any processor."""

    def told(used: int, processors: int) -> str:
        sampled = Sampled(2 * MILLISECOND, cpu_nanoseconds=used)
        turn = Turn(0, 10 * MILLISECOND, sampled, calls=1, is_verified=False, processors=processors)
        return turn.clock_failure()

    assert told(20 * MILLISECOND, 2) == (
        "the clock of its process is wrong: 0.02 s on 2 processors within 0.002 s"
    )
    assert told(10 * MILLISECOND, 2) == ""
    assert told(10 * MILLISECOND, 1) == (
        "the clock of its process is wrong: 0.01 s on 1 processors within 0.002 s"
    )
    assert told(3_500_000, 1) == ""
    assert told(20 * MILLISECOND, 0) == ""


# -- Between the turns -------------------------------------------------------------------------


def test_work_between_turns_is_a_breach() -> None:
    """Proves that one and a half cores between the turns are told, and what a pool needs to go to
    sleep is not."""
    busy = turns_by(honest, 40, idle_cores=1.5)
    assert terms.breach(busy) == (
        "it computed between its turns, on 1.5 cores: the others were slowed by it"
    )
    assert terms.use_between_turns(busy) == pytest.approx(1.5)
    assert terms.breach(turns_by(honest, 40, idle_cores=0.3)) == ""


def test_what_came_before_the_first_turn_is_not_between_turns() -> None:
    """Proves that the proof and the warm-up, which lie before it, accuse nobody, and that a gap
    too short to be measured does not either."""
    first, *others = turns_by(honest, 40)
    prepared = Sampled(MILLISECOND, idle_cpu_nanoseconds=10**12)
    turn = Turn(first.start_nanoseconds, first.taken_nanoseconds, prepared, 1, is_verified=False)
    assert terms.breach([turn, *others]) == ""
    assert terms.breach(turns_by(honest, 3, idle_cores=4.0)) == ""


# -- Late turns --------------------------------------------------------------------------------


def test_late_turns_are_told() -> None:
    """Proves that turns that end 100 ms after their calls are told, and that a machine that
    delivers answers late makes no such note."""
    assert terms.lateness(turns_by(honest, 10, late_milliseconds=100.0)).endswith(
        " s after its calls; the time is taken from its own samples, not from the others'"
    )
    assert terms.lateness(turns_by(honest, 5, late_milliseconds=100.0)) == ""
    noisy = [turns_by(honest, 10, seed=seed, delay_milliseconds=5.0) for seed in range(200)]
    assert [terms.lateness(turns) for turns in noisy] == [""] * 200
