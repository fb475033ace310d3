"""Interleaved sampling: rounds in random order, until the ratios are known well enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from speedmetal.bench import environment
from speedmetal.bench.measure import calibrate, statistics
from speedmetal.bench.record import Contender, Status
from speedmetal.bench.runner import terms
from speedmetal.bench.runner.card_watch import CardWatch
from speedmetal.bench.runner.placement import Placement
from speedmetal.bench.runner.plan import TimeAccount
from speedmetal.bench.runner.process import WorkerFailedError, WorkerProcess
from speedmetal.bench.runner.protocol import Prepared, Sample, Sampled

LEAST_SAMPLES = 3
MOST_CALLS = 1 << calibrate.MOST_DOUBLINGS
WAKE_BELOW_SECONDS = 0.1  # a longer call wakes clocks and fills caches by itself
CONTROL_BELOW_SECONDS = 0.2  # the A/A control repeats somebody's samples: not a slow one's
TURN_SECONDS = 1e-3  # what passing the turn costs, for planning
# A contender cannot tell which of its results will be looked at.
VERIFY_SHARE = 1 / 8
# Samples that are thrown away: from them the calls of a sample are found, beside the others and
# on the processors of a round, where the calls of a warm-up say too little.
PILOT_ROUNDS = 3
PILOT_BELOW_SECONDS = 0.05


@dataclass(frozen=True)
class Precision:
    """When to stop: rounds at least and at most, and the wanted half-width of log-ratios.

    All three are of a whole run; :meth:`of_session` is the part of one of its sessions.
    """

    least_rounds: int = 21
    most_rounds: int = 200
    half_width: float = 0.02

    def of_session(self, sessions: int) -> Precision:
        """What each of several sessions must reach, so that all together reach this."""
        return Precision(
            least_rounds=max(statistics.LEAST_ROUNDS, -(-self.least_rounds // sessions)),
            most_rounds=max(statistics.LEAST_ROUNDS, -(-self.most_rounds // sessions)),
            half_width=self.half_width * sessions**0.5,
        )


@dataclass
class Series:
    """The samples of one process in a case, as they come in.

    ``control_of`` is set for a second process of a contender that takes part already.
    """

    contender: Contender
    worker: WorkerProcess
    account: TimeAccount
    prepared: Prepared
    control_of: Series | None = None
    calls: int = 1
    samples: list[Sampled] = field(default_factory=list)
    turns: list[terms.Turn] = field(default_factory=list)
    rounds: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    load: list[float] = field(default_factory=list)
    frequency_mhz: list[float] = field(default_factory=list)
    quota: int = LEAST_SAMPLES
    failure: WorkerFailedError | None = None
    notes: list[str] = field(default_factory=list)
    watch: CardWatch = field(default_factory=CardWatch)

    @property
    def nanoseconds(self) -> list[int]:
        """Wall time of each sample."""
        return [sample.nanoseconds for sample in self.samples]

    @property
    def call_seconds(self) -> float:
        """Time of a call: the least of the samples so far, or what the warm-up took."""
        if self.samples:
            return min(self.nanoseconds) / (1e9 * self.calls)
        return self.prepared.call_nanoseconds / 1e9

    @property
    def wakes(self) -> bool:
        return self.prepared.call_nanoseconds / 1e9 < WAKE_BELOW_SECONDS

    @property
    def turn_seconds(self) -> float:
        """What one turn costs, in seconds: by the turns so far, or by the calibration.

        The turns of the pilot may have had other calls than the next ones have.
        """
        if self.turns:
            return float(np.median([turn.seconds_with(self.calls) for turn in self.turns]))
        return (self.calls + (1 if self.wakes else 0)) * self.call_seconds + TURN_SECONDS

    def wants_more(self) -> bool:
        return self.failure is None and len(self.samples) < self.quota

    def fail(self, status: Status, reason: str) -> None:
        """End the series; its process can go on with another case."""
        self.failure = WorkerFailedError(status, reason, is_alive=True)

    def end_with_whole_rounds(self) -> None:
        """Drop what an interruption left of a turn whose sample was not noted in all places."""
        lists = (*self._noted, self.watch.frequency_mhz)
        whole = min(len(values) for values in lists[:3])
        for values in lists:
            del values[whole:]

    def forget_samples(self) -> None:
        """Begin anew: what was sampled so far only showed how to sample."""
        for values in self._noted:
            values.clear()
        self.watch.forget()

    @property
    def _noted(self) -> tuple[list[Any], ...]:
        """What is noted of each sample, in order."""
        return (self.samples, self.rounds, self.positions, self.load, self.frequency_mhz)


def plan_calls(
    series: Sequence[Series], target_nanoseconds: int, most_calls: int = MOST_CALLS
) -> None:
    """Set the calls of a sample, the same for all whose calls take about as long.

    A sample of many calls hides what a sample of few shows, so contenders of one magnitude are
    sampled alike.

    Args:
        series: Who takes part.
        target_nanoseconds: What a sample lasts at least.
        most_calls: However short they are.
    """
    for group in calibrate.magnitudes([one.call_seconds for one in series]):
        quickest = min(series[i].call_seconds for i in group)
        for i in group:
            calls = calibrate.calls_for(target_nanoseconds, quickest)
            series[i].calls = min(calls, most_calls)


def plan_quotas(series: Sequence[Series], allowance_seconds: float, precision: Precision) -> None:
    """How many samples each may take: equal shares of the time, at least three.

    A slow contender leaves after its three samples and does not cost the others their rounds.
    """
    share = allowance_seconds / max(len(series), 1)
    for one in series:
        affordable = int(share / one.turn_seconds)
        one.quota = min(precision.most_rounds, max(LEAST_SAMPLES, affordable))


def fail_hopeless(series: Sequence[Series]) -> None:
    """A contender whose three samples cannot fit into its time limit fails now, with the reason."""
    for one in series:
        needed = LEAST_SAMPLES * one.turn_seconds
        if needed > one.account.left_seconds:
            one.fail(
                one.account.status,
                f"one call takes {one.call_seconds:.3g} s; {LEAST_SAMPLES} samples do not fit into"
                f" what is left ({one.account.left_seconds:.3g} s) of the case's time limit"
                f" ({one.account.limit_seconds:.3g} s); raise {one.account.option}",
            )


@dataclass
class Sampling:
    """The rounds of one group of processes.

    Args:
        series: Who takes part.
        precision: When to stop.
        placement: The processors of each round.
        target_nanoseconds: What a sample lasts at least.
        generator: Of the orders.
        on_round: Told how many rounds there were.
        most_calls: Of a sample, however short they are.
    """

    series: Sequence[Series]
    precision: Precision
    placement: Placement
    target_nanoseconds: int
    generator: np.random.Generator
    on_round: Callable[[int], None] = lambda _: None
    most_calls: int = MOST_CALLS

    def run(self, allowance_seconds: float) -> None:
        """Sample until all ratios are precise, or quotas or time run out.

        Failures are noted in the series; the others go on.
        """
        deadline = time.monotonic() + allowance_seconds
        plan_calls(self.series, self.target_nanoseconds, self.most_calls)
        fail_hopeless(self.series)
        self._run_pilot()
        standing = [one for one in self.series if one.failure is None]
        left = deadline - time.monotonic()
        plan_quotas(standing, left, self.precision)
        for number in range(self.precision.most_rounds):
            if not any(one.wants_more() for one in self.series if one.control_of is None):
                break
            self._take_round(number)
            self.on_round(number + 1)
            if time.monotonic() > deadline and number + 1 >= LEAST_SAMPLES:
                break
            # Every third round: the check costs little, but not nothing.
            enough = number + 1 >= self.precision.least_rounds and number % 3 == 2
            if enough and all(is_precise(one, self.series, self.precision) for one in self.series):
                break

    def _run_pilot(self) -> None:
        quick = [one for one in self.series if one.turn_seconds < PILOT_BELOW_SECONDS]
        if not quick:
            return
        for number in range(PILOT_ROUNDS):
            self._take_round(number, only=quick)
        sampled = [one for one in quick if one.samples]
        plan_calls(sampled, self.target_nanoseconds, self.most_calls)
        for one in quick:
            one.forget_samples()

    def _take_round(self, number: int, only: Sequence[Series] | None = None) -> None:
        takers = [one for one in only or self.series if one.wants_more() or only]
        state = (environment.waiting_processes(), self.placement.clock_mhz(number))
        for position, index in enumerate(self.generator.permutation(len(takers))):
            one = takers[index]
            if one.failure is None and self._take_turn(one, number):
                one.rounds.append(number)
                one.positions.append(position)
                _note_state(one, *state)

    def _take_turn(self, one: Series, number: int) -> bool:
        # A slow one is not called once more at the end (see case.py): all its samples are verified.
        verify = not one.wakes or self.generator.random() < VERIFY_SHARE
        processors = self.placement.of_round(number, one.prepared.busy_threads)
        request = Sample(calls=one.calls, wake=one.wakes, verify=verify, processors=processors)
        one.watch.begin_turn()
        start = time.monotonic_ns()
        try:
            sampled = one.worker.ask(request, Sampled, max(one.account.left_seconds, 1.0))
        except WorkerFailedError as error:
            if error.status is Status.TIMEOUT and len(one.samples) >= LEAST_SAMPLES:
                one.notes.append(f"stopped early: {error.reason}")
                one.quota = 0
            one.failure = error
            return False
        finally:
            taken = time.monotonic_ns() - start
            one.account.used_seconds += taken / 1e9
        turn = terms.Turn(start, taken, sampled, one.calls, verify, len(processors))
        one.turns.append(turn)
        broken = turn.clock_failure()
        if sampled.failure:
            one.fail(Status.WRONG, sampled.failure)
        elif broken:
            one.fail(Status.IMPLAUSIBLE, broken)
        else:
            one.samples.append(sampled)
            frequency = one.watch.end_turn(taken)
            if frequency is not None:
                one.watch.frequency_mhz.append(frequency)
        return one.failure is None


def _note_state(one: Series, load: float | None, frequency: float | None) -> None:
    if load is not None:
        one.load.append(load)
    if frequency is not None:
        one.frequency_mhz.append(frequency)


def is_precise(one: Series, series: Sequence[Series], precision: Precision) -> bool:
    """Whether the interval of a contender's ratio to the baseline is narrow enough.

    The baseline is the first that is still being sampled; it is itself precise where its own
    median is, or where there is another to compare with.
    """
    if one.failure is not None or one.control_of is not None:
        return True
    partners = [
        s
        for s in series
        if s is not one and s.control_of is None and s.failure is None and s.samples
    ]
    logs = _log_ratios(one, partners[0]) if partners else np.log(one.nanoseconds)
    return statistics.quick_half_width(logs) <= precision.half_width


def _log_ratios(one: Series, other: Series) -> statistics.Floats:
    mine = dict(zip(one.rounds, one.nanoseconds, strict=True))
    theirs = dict(zip(other.rounds, other.nanoseconds, strict=True))
    common = sorted(mine.keys() & theirs.keys())
    return np.log([mine[r] / theirs[r] for r in common])
