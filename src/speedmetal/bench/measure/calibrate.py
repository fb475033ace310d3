"""How long a call takes once it is warm, and how many calls make a sample."""

from __future__ import annotations

import time
from collections.abc import Callable

MAXIMUM_WARM_CALLS = 50
WARM_SECONDS = 0.4
TREND = 0.02  # warm: the last five calls are within this of each other's halves
MAXIMUM_CALLS = 100_000
MARGIN = 1.2  # a sample aims above the least duration, as calls vary


def warm_up(call: Callable[[], object], first_seconds: float) -> float:
    """Call until the last five times show no trend; returns seconds per call.

    Bounded by 50 calls and 0.4 s; a call that takes longer than that by itself is warm after the
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


def calls_for(target_nanoseconds: int, call_seconds: float) -> int:
    """Calls per sample so that a sample lasts at least the target.

    Example:
        >>> calls_for(1_000_000, 1e-5), calls_for(1_000_000, 1.0)
        (120, 1)
    """
    wanted = MARGIN * target_nanoseconds / max(call_seconds * 1e9, 1.0)
    return max(1, min(MAXIMUM_CALLS, -int(-wanted // 1)))
