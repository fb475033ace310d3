"""The terms that are the same for all: an honest clock, and nothing between one's turns.

The coordinator has a clock of its own. It cannot see how long a sample took, but no sample takes
longer than its turn; and as a turn begins after it was asked for and ends before it is answered,
the two clocks can be held together over all turns, however long the messages were on their way.

Source of the latter: K. Marzullo and S. Owicki, "Maintaining the time in a distributed system",
PODC 1983 (intersection of intervals).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from speedmetal.bench.runner.protocol import Sampled

# How far two honest clocks may be apart in a turn: the message's way, and a busy machine.
CLOCK_SLACK = 1.02
CLOCK_SLACK_NANOSECONDS = 2_000_000
CPU_SLACK = 1.1
# What threads on other processors have done is added to a process's time at ticks of the system
# (Linux has 100 to 1000 a second): a sample may be told so much of what was done before it.
TICK_NANOSECONDS = 10_000_000
# How far they may drift apart over all turns; the messages' way is not counted in it.
DRIFT_NANOSECONDS = 2_000_000
TURNS_FOR_LATENESS = 6
# Cores that a process may use between its turns: pools that go to sleep, memory that is freed.
IDLE_CORES = 0.5
LEAST_IDLE_SECONDS = 0.05
# A turn ends late that takes this much longer than its calls.
LATE_SECONDS = 0.02


@dataclass(frozen=True)
class Turn:
    """One turn, as the coordinator and its worker saw it."""

    start_nanoseconds: int  # by the coordinator's clock
    taken_nanoseconds: int  # likewise
    sampled: Sampled
    calls: int
    is_verified: bool
    processors: int = 0  # that it had; 0 where it may have had any

    @property
    def seconds(self) -> float:
        return self.taken_nanoseconds / 1e9

    @property
    def end_nanoseconds(self) -> int:
        return self.start_nanoseconds + self.taken_nanoseconds

    def seconds_with(self, calls: int) -> float:
        """What it would have taken with so many calls in its sample."""
        sample = self.sampled.nanoseconds
        rest = max(0, self.taken_nanoseconds - sample)
        return (calls * sample / self.calls + rest) / 1e9

    @property
    def late_seconds(self) -> float:
        """What it took beyond its calls, and beyond what was asked of it besides."""
        expected = self.sampled.nanoseconds + self.sampled.untimed_nanoseconds
        return max(0.0, (self.taken_nanoseconds - expected) / 1e9)

    def clock_failure(self) -> str:
        """Why this one sample cannot be true; "" where it can."""
        sample = self.sampled.nanoseconds
        if sample <= 0:
            return (
                f"the clock of its process stands still or runs backwards: a sample of {self.calls}"
                f" calls took {sample} ns by it"
            )
        if sample > CLOCK_SLACK * self.taken_nanoseconds + CLOCK_SLACK_NANOSECONDS:
            return (
                f"the clock of its process is wrong: a sample took {sample / 1e9:.3g} s by it, in a"
                f" turn that ended after {self.seconds:.3g} s"
            )
        used = self.sampled.cpu_nanoseconds
        slack = CLOCK_SLACK_NANOSECONDS + (self.processors - 1) * TICK_NANOSECONDS
        if self.processors and used > CPU_SLACK * self.processors * sample + slack:
            return (
                f"the clock of its process is wrong: {used / 1e9:.3g} s on {self.processors}"
                f" processors within {sample / 1e9:.3g} s"
            )
        return ""


def wrong_clock(turns: Sequence[Turn]) -> str:
    """Why the clock of a process cannot be believed; "" where it can.

    Each turn bounds how far its clock is behind the coordinator's: from its first reading on one
    side, as that came after the request, and from its last on the other, as that came before the
    answer. An honest clock is within the bounds of all turns at once on the busiest of machines; a
    slow one leaves those of the first turns. One that is set right again before each turn ends is
    not found.
    """
    if not turns:
        return ""
    least = max(turn.start_nanoseconds - turn.sampled.begun_nanoseconds for turn in turns)
    most = min(turn.end_nanoseconds - turn.sampled.clock_nanoseconds for turn in turns)
    if least - most <= DRIFT_NANOSECONDS:
        return ""
    mine = turns[-1].end_nanoseconds - turns[0].start_nanoseconds
    its = turns[-1].sampled.clock_nanoseconds - turns[0].sampled.begun_nanoseconds
    return (
        f"the clock of its process is wrong: {its / 1e9:.3g} s went by on it, while"
        f" {mine / 1e9:.3g} s did on the coordinator's"
    )


def use_between_turns(turns: Sequence[Turn]) -> float:
    """Cores that a process kept busy between its turns; 0.0 where it cannot be told."""
    gaps = [later.start_nanoseconds - earlier.end_nanoseconds for earlier, later in pairwise(turns)]
    used = [turn.sampled.idle_cpu_nanoseconds for turn in turns[1:]]
    total = sum(gaps) / 1e9
    return sum(used) / 1e9 / total if total > LEAST_IDLE_SECONDS else 0.0


def breach(turns: Sequence[Turn]) -> str:
    """What a process did that its turns do not allow; "" where it kept to them."""
    cores = use_between_turns(turns)
    if cores <= IDLE_CORES:
        return ""
    return f"it computed between its turns, on {cores:.1f} cores: the others were slowed by it"


def lateness(turns: Sequence[Turn]) -> str:
    """What to tell of a contender whose turns end late; "" where they do not."""
    quiet = [turn for turn in turns if not turn.is_verified]
    if len(quiet) < TURNS_FOR_LATENESS:
        return ""
    late = float(np.median([turn.late_seconds for turn in quiet]))
    share = float(np.median([turn.late_seconds / turn.seconds for turn in quiet]))
    if late < LATE_SECONDS or share < 0.5:
        return ""
    return (
        f"its turns end {late:.2g} s after its calls; the time is taken from its own samples, not"
        " from the others'"
    )
