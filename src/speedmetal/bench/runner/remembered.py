"""Whether a call computes each time, or remembers what it computed before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from speedmetal.bench.frameworks.base import Tensor
from speedmetal.bench.measure import clock
from speedmetal.bench.operations.base import Array
from speedmetal.bench.runner.inputs import Inputs

Call = Callable[[Sequence[Tensor]], object]  # a forced call, on these tensors

REMEMBERED_SHARE = 0.6  # of the time that a call on new values takes
ATTEMPTS = 5
MOST_PAIRS, LEAST_PAIRS = 24, 3
ATTEMPT_SECONDS = 0.1
# Of one set of inputs. Larger ones take seconds to make, and what is remembered of them is faster
# than any machine.
MOST_BYTES = 256 << 20


@dataclass(frozen=True)
class Recall:
    """Times of calls on values never seen, and on values that were just seen.

    Waking a framework's threads takes now this long and now that, for no reason that belongs to a
    value: both the least and the middle of the times must tell. By a clock that stands still or
    runs backwards nothing is told of memory; the samples tell of the clock.
    """

    new_seconds: Sequence[float]
    seen_seconds: Sequence[float]

    @property
    def is_remembered(self) -> bool:
        return all(
            0 < statistic(self.seen_seconds) < REMEMBERED_SHARE * statistic(self.new_seconds)
            for statistic in (np.min, np.median)
        )

    @property
    def failure(self) -> str:
        """What to say where results are remembered; "" where they are not."""
        if not self.is_remembered:
            return ""
        return (
            f"results are remembered: a call takes {min(self.new_seconds):.3g} s on inputs never"
            f" seen, {min(self.seen_seconds):.3g} s on inputs seen before"
        )


def is_suspicious(new_seconds: float, known_seconds: float) -> bool:
    """Whether a call was so much quicker on values that it knows that it is worth to look closer.

    A first call on new values that a busy machine slowed down is suspicious too; one that is not
    cannot be of a call that remembers.
    """
    return known_seconds < REMEMBERED_SHARE * new_seconds


def recall(call: Call, inputs: Inputs) -> Recall:
    """Times of a forced call on new values and on ones that it has seen.

    Either is the second of two calls in a row, on inputs that were made by hand just before, in
    memory that no call was given yet; of one it is told apart by the first call's values alone,
    which were the same, or others. Remembered values show in all attempts, a busy machine in some.
    """
    found = _attempt(call, inputs)
    for _ in range(ATTEMPTS - 1):
        if not found.is_remembered:
            break
        found = _attempt(call, inputs)
    return found


def _attempt(call: Call, inputs: Inputs) -> Recall:
    new: list[float] = []
    seen: list[float] = []
    start = clock.now_nanoseconds()
    for number in range(MOST_PAIRS):
        # Both are made before either call, and each call comes first in turn: what the host has
        # just taken and given back decides whether a result gets memory that was there, or pages.
        values, others = inputs.rolled(), inputs.rolled()
        turns = [(seen, values), (new, others)]
        for times, second in turns if number // 2 % 2 else turns[::-1]:
            times.append(_second_call_seconds(call, inputs, values, second, number))
        spent = (clock.now_nanoseconds() - start) / 1e9
        if number + 1 >= LEAST_PAIRS and spent > ATTEMPT_SECONDS:
            break
    return Recall(new, seen)


def _second_call_seconds(
    call: Call, inputs: Inputs, first: Sequence[Array], second: Sequence[Array], number: int
) -> float:
    """Time of a call after one on ``first``; what is made last changes, and lies in the cache."""
    if number % 2:
        after, before = inputs.make(second), inputs.make(first)
    else:
        before, after = inputs.make(first), inputs.make(second)
    call(inputs.sets[0].tensors)  # awake again after the copies
    call(before)
    return _seconds(call, after)


def _seconds(call: Call, tensors: Sequence[Tensor]) -> float:
    start = clock.now_nanoseconds()
    outputs = call(tensors)
    elapsed = (clock.now_nanoseconds() - start) / 1e9
    del outputs  # giving memory back is not timed
    return elapsed
