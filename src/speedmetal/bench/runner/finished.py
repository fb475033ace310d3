"""Whether a result was finished when its call had been forced.

Reading an element of a result that exists takes next to nothing; of one that is still being
computed, it takes the rest of the computation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from speedmetal.bench.frameworks.base import Adapter, Tensor

UNFINISHED_SHARE = 0.5  # of a call's time
UNFINISHED_FLOOR_SECONDS = 2e-3
# A busy machine can stop a read for milliseconds; a framework that does not wait is caught every
# time.
ATTEMPTS = 3


def waiting_seconds(call_seconds: float) -> float:
    """How long a read may take before it looks like waiting for the computation."""
    return max(UNFINISHED_SHARE * call_seconds, UNFINISHED_FLOOR_SECONDS)


def peek_seconds(
    adapter: Adapter, forced_call: Callable[[], Sequence[Tensor]], rest_seconds: float = 0.0
) -> float:
    """Seconds to read one element of each output of a forced call, after a rest."""
    outputs = forced_call()
    time.sleep(rest_seconds)
    start = time.perf_counter()
    for output in outputs:
        adapter.peek(output)
    return time.perf_counter() - start


def unfinished_reason(
    adapter: Adapter,
    forced_call: Callable[[], Sequence[Tensor]],
    call_seconds: float,
    rest_seconds: float,
) -> str:
    """Why a forced call seems not to have finished; "" where it has.

    A result that was just forced is held against one that was then left alone for
    ``rest_seconds``: that one is finished, whatever ``force`` did. One read must have been made
    before, as reading an element may be compiled first.

    Args:
        adapter: Whose ``force`` is in question.
        forced_call: Makes a result and forces it.
        call_seconds: What that takes.
        rest_seconds: At least as long as the computation may still run; where it is zero, as
            long as the first read took.
    """
    fresh = peek_seconds(adapter, forced_call)
    if fresh <= waiting_seconds(call_seconds):
        return ""
    rested = peek_seconds(adapter, forced_call, 1.2 * max(rest_seconds, fresh))
    if fresh - rested <= waiting_seconds(call_seconds):
        return ""
    return (
        "the result was not finished when its call had been forced: reading an element took"
        f" {fresh:.3g} s, reading one of a result that had been left alone {rested:.3g} s"
    )
