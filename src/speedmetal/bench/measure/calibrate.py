"""How long a call takes once it is warm, and how many calls make a sample."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

MAXIMUM_WARM_CALLS = 50
# The pilot rounds and the untimed call before each sample warm up as well.
WARM_SECONDS = 0.05
TREND = 0.02  # warm: the last five calls are within this of each other's halves
MOST_DOUBLINGS = 17  # 131,072 calls


def warm_up(call: Callable[[], object], first_seconds: float) -> float:
    """Call until the last five times show no trend; returns seconds per call.

    Bounded by 50 calls and 0.05 s; a call that takes longer than that by itself is warm after the
    one that the proof made, and is not repeated.

    Args:
        call: One forced call.
        first_seconds: What a call has taken so far.
    """
    if first_seconds > WARM_SECONDS:
        return first_seconds
    times: list[float] = []
    deadline = time.perf_counter() + WARM_SECONDS
    while len(times) < MAXIMUM_WARM_CALLS and time.perf_counter() < deadline:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
        if len(times) >= 6 and _is_flat(times[-6:]):
            break
    return min(times[-5:])


def _is_flat(times: list[float]) -> bool:
    older, newer = sum(times[:3]), sum(times[3:])
    return abs(newer - older) <= TREND * older


MAGNITUDE = 8.0  # times within this factor of each other are of one magnitude


def magnitudes(seconds: Sequence[float]) -> list[list[int]]:
    """Positions of the times, in groups whose largest is at most 8 times their least.

    Example:
        >>> magnitudes([1e-3, 5e-3, 1e-1, 2e-3])
        [[0, 3, 1], [2]]
    """
    groups: list[list[int]] = []
    for i in sorted(range(len(seconds)), key=lambda i: seconds[i]):
        if groups and seconds[i] <= MAGNITUDE * seconds[groups[-1][0]]:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def calls_for(target_nanoseconds: int, call_seconds: float) -> int:
    """Calls per sample so that a sample lasts at least the target: a power of two.

    Two runs that find slightly different times take the same number all the same.

    Example:
        >>> calls_for(1_000_000, 1e-5), calls_for(1_000_000, 1.0)
        (128, 1)
    """
    wanted = target_nanoseconds / max(call_seconds * 1e9, 1.0)
    return 1 << min(MOST_DOUBLINGS, max(0, math.ceil(math.log2(wanted))))
