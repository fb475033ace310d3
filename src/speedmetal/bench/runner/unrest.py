"""How busy the machine is with other work, and what that lets a run decide."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from speedmetal.bench import environment
from speedmetal.bench.record import CaseRecord

# Other processes that want to run, on average: below it a machine is quiet.
QUIET_LOAD = 0.5
LOOKS = 40
PAUSE_SECONDS = 0.01
# By the A/A control (docs/noise.md): how far from 1 a ratio is known on a quiet shared machine, and
# how much less well for every other process that wants a core.
QUIET_WIDTH, WIDTH_PER_LOAD = 0.05, 0.2


def at_start() -> str:
    """What to tell of other work before a run; "" on a quiet machine."""
    loads = []
    for _ in range(LOOKS):
        loads.append(environment.waiting_processes() or 0.0)
        time.sleep(PAUSE_SECONDS)
    load, cores = float(np.mean(loads)), _cores()
    if load < QUIET_LOAD:
        return ""
    width = QUIET_WIDTH + WIDTH_PER_LOAD * load / cores
    edge = 1 + math.ceil(10 * width) / 10
    return f"{_in_words(load, cores)}: ratios below {edge:.1f} will hardly be decided"


def at_end(records: Sequence[CaseRecord]) -> str:
    """What to tell of other work after a run; "" where the machine was quiet."""
    loads = [load for r in records if r.timing is not None for load in r.timing.load]
    load = float(np.mean(loads)) if loads else 0.0
    if load < QUIET_LOAD:
        return ""
    return f"{_in_words(load, _cores())} during the run; its intervals are the wider for it"


def _cores() -> int:
    return len(environment.equal_processors(1)) or environment.read_machine().cores


def _in_words(load: float, cores: int) -> str:
    return f"load {load:.1f} from other processes on {cores} {'core' if cores == 1 else 'cores'}"
