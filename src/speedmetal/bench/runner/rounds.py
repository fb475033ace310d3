"""Interleaved sampling: rounds in random order, until the ratios are known well enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from speedmetal.bench.measure import statistics
from speedmetal.bench.record import Contender, Status
from speedmetal.bench.runner.plan import TimeAccount
from speedmetal.bench.runner.process import WorkerFailedError, WorkerProcess
from speedmetal.bench.runner.protocol import Prepared, Sample, Sampled

LEAST_SAMPLES = 3
WAKE_BELOW_SECONDS = 0.1  # a longer call wakes clocks and fills caches by itself
CONTROL_BELOW_SECONDS = 0.2  # the A/A control repeats somebody's samples: not a slow one's
TURN_SECONDS = 1e-3  # what passing the turn costs, for planning
VERIFY_EVERY = 16


@dataclass(frozen=True)
class Precision:
    """When to stop: rounds at least and at most, and the wanted half-width of log-ratios."""

    least_rounds: int = 20
    most_rounds: int = 200
    half_width: float = 0.02


@dataclass
class Series:
    """One contender's samples of a case, as they come in."""

    contender: Contender
    worker: WorkerProcess
    account: TimeAccount
    prepared: Prepared
    nanoseconds: list[int] = field(default_factory=list)
    device_nanoseconds: list[int] = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    control_nanoseconds: list[int] = field(default_factory=list)
    control_rounds: list[int] = field(default_factory=list)
    quota: int = LEAST_SAMPLES
    failure: WorkerFailedError | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def call_seconds(self) -> float:
        return self.prepared.call_nanoseconds / 1e9

    @property
    def wakes(self) -> bool:
        return self.call_seconds < WAKE_BELOW_SECONDS

    @property
    def turn_seconds(self) -> float:
        """What one turn costs, in seconds, by the calibration."""
        calls = self.prepared.calls_per_sample + (1 if self.wakes else 0)
        return calls * self.call_seconds + TURN_SECONDS

    def wants_more(self) -> bool:
        return self.failure is None and len(self.nanoseconds) < self.quota

    def fail_verification(self) -> None:
        self.failure = WorkerFailedError(
            Status.WRONG, "a timed call gave another result than the proved one", is_alive=True
        )


def plan_quotas(series: Sequence[Series], allowance_seconds: float, precision: Precision) -> None:
    """How many samples each may take: equal shares of the time, at least three.

    A slow contender leaves after its three samples and does not cost the others their rounds.
    """
    share = allowance_seconds / max(len(series) + 1, 1)  # one more: the control
    for one in series:
        affordable = int(share / one.turn_seconds)
        one.quota = min(precision.most_rounds, max(LEAST_SAMPLES, affordable))


def fail_hopeless(series: Sequence[Series]) -> None:
    """A contender whose three samples cannot fit into its time limit fails now, with the reason."""
    for one in series:
        needed = LEAST_SAMPLES * one.turn_seconds
        if needed > one.account.left_seconds:
            one.failure = WorkerFailedError(
                one.account.status,
                f"one call takes {one.call_seconds:.3g} s; {LEAST_SAMPLES} samples do not fit into"
                f" what is left ({one.account.left_seconds:.3g} s) of the case's time limit"
                f" ({one.account.limit_seconds:.3g} s); raise {one.account.option}",
                is_alive=True,
            )


def sample_rounds(
    series: Sequence[Series],
    precision: Precision,
    allowance_seconds: float,
    generator: np.random.Generator,
    control: Series | None,
    on_round: Callable[[int], None] = lambda _: None,
) -> None:
    """Sample in rounds of random order until all ratios are precise, or quotas or time run out.

    Failures are noted in the series; the others go on.
    """
    deadline = time.monotonic() + allowance_seconds
    for round_number in range(precision.most_rounds):
        turns = [(one, False) for one in series if one.wants_more()]
        if control is not None and control.wants_more():
            turns.append((control, True))
        if not turns or not any(one.wants_more() for one in series):
            break
        for position, index in enumerate(generator.permutation(len(turns))):
            one, is_control = turns[index]
            _take_turn(one, round_number, position, is_control=is_control)
        on_round(round_number + 1)
        is_late = time.monotonic() > deadline
        if is_late and round_number + 1 >= LEAST_SAMPLES:
            break
        # Every fifth round: the check costs little, but not nothing.
        enough = round_number + 1 >= precision.least_rounds and round_number % 5 == 4
        if enough and all(is_precise(one, series, precision) for one in series):
            break


def _take_turn(one: Series, round_number: int, position: int, *, is_control: bool) -> None:
    if one.failure is not None:
        return
    request = Sample(
        calls=one.prepared.calls_per_sample,
        wake=one.wakes,
        # A slow one is not called once more at the end (see case.py): all its samples are verified.
        verify=(round_number % VERIFY_EVERY == 0 or not one.wakes) and not is_control,
    )
    start = time.monotonic()
    try:
        sampled = one.worker.ask(request, Sampled, max(one.account.left_seconds, 1.0))
    except WorkerFailedError as error:
        if error.status is Status.TIMEOUT and len(one.nanoseconds) >= LEAST_SAMPLES:
            one.notes.append(f"stopped early: {error.reason}")
            one.quota = 0
        one.failure = error
        return
    finally:
        one.account.used_seconds += time.monotonic() - start
    if not sampled.verified:
        one.fail_verification()
        return
    if is_control:
        one.control_nanoseconds.append(sampled.nanoseconds)
        one.control_rounds.append(round_number)
        return
    one.nanoseconds.append(sampled.nanoseconds)
    one.rounds.append(round_number)
    one.positions.append(position)
    if sampled.device_nanoseconds is not None:
        one.device_nanoseconds.append(sampled.device_nanoseconds)


def is_precise(one: Series, series: Sequence[Series], precision: Precision) -> bool:
    """Whether the interval of a contender's ratio to the baseline is narrow enough.

    The baseline is the first that is still being sampled; it is itself precise where its own
    median is, or where there is another to compare with.
    """
    if one.failure is not None:
        return True
    partners = [s for s in series if s is not one and s.failure is None and s.nanoseconds]
    logs = _log_ratios(one, partners[0]) if partners else np.log(one.nanoseconds)
    return statistics.quick_half_width(logs) <= precision.half_width


def _log_ratios(one: Series, other: Series) -> statistics.Floats:
    mine = dict(zip(one.rounds, one.nanoseconds, strict=True))
    theirs = dict(zip(other.rounds, other.nanoseconds, strict=True))
    common = sorted(mine.keys() & theirs.keys())
    return np.log([mine[r] / theirs[r] for r in common])


def choose_control(series: Sequence[Series], number: int) -> Series | None:
    """Whose samples are taken twice: another one in each case, but never a slow one."""
    quick = [s for s in series if s.failure is None and s.turn_seconds < CONTROL_BELOW_SECONDS]
    return quick[number % len(quick)] if quick else None
