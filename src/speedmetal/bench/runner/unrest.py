"""How busy the machine is with other work, and what that lets a run decide."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

import numpy as np

from speedmetal.bench import environment
from speedmetal.bench.measure import statistics
from speedmetal.bench.record import CaseRecord

# Other processes that want to run, on average: below it a machine is quiet.
QUIET_LOAD = 0.5
TRIALS = 60
_TRIAL_BYTES = 1 << 20  # about a millisecond, as a sample lasts
_TRIAL_PAUSE_SECONDS = 0.004  # a run waits between its samples, too


def at_start() -> str:
    """What to tell of other work before a run; "" on a quiet machine.

    Fixed work of this process is timed about as a run times its samples: how far neighbouring
    times are apart says how well twenty rounds will know a ratio.
    """
    loads, times = [], []
    data = bytes(_TRIAL_BYTES)
    for _ in range(TRIALS):
        load = environment.waiting_processes()
        loads += [load] if load is not None else []
        start = time.perf_counter_ns()
        hashlib.sha256(data)
        times.append(time.perf_counter_ns() - start)
        time.sleep(_TRIAL_PAUSE_SECONDS)
    load = float(np.mean(loads)) if loads else 0.0
    if load < QUIET_LOAD:
        return ""
    return (
        f"{_load_in_words(load)}: ratios below {1 + likely_half_width(times):.2g} will not be"
        " decided"
    )


def likely_half_width(nanoseconds: Sequence[int], rounds: int = 20) -> float:
    """How far from 1 a ratio of equal times may lie by chance after as many rounds.

    Args:
        nanoseconds: Of fixed work, at least two; neighbours are taken for a round.
        rounds: Of a run.

    Example:
        >>> likely_half_width([100] * 20)
        0.0
    """
    times = np.log(np.maximum(np.asarray(nanoseconds, np.float64), 1.0))
    half = times.size // 2
    differences = times[: 2 * half : 2] - times[1 : 2 * half : 2]
    # The median of n normal values scatters 1.25 times as far as their mean.
    error = 1.25 * float(np.std(differences)) / float(np.sqrt(rounds))
    return float(np.expm1(statistics.NORMAL_QUANTILE * error))


def at_end(records: Sequence[CaseRecord]) -> str:
    """What to tell of other work after a run; "" where the machine was quiet."""
    loads = [load for r in records if r.timing is not None for load in r.timing.load]
    load = float(np.mean(loads)) if loads else 0.0
    if load < QUIET_LOAD:
        return ""
    return f"{_load_in_words(load)} during the run: the intervals are as wide as that made them"


def _load_in_words(load: float) -> str:
    cores = len(environment.equal_processors(1)) or environment.read_machine().cores
    noun = "core" if cores == 1 else "cores"
    return f"load {load:.1f} from other processes on {cores} {noun}"
