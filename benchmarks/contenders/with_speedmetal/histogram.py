"""A histogram: each threadgroup counts in its own memory, then adds to the whole."""

from __future__ import annotations

from typing import Any

from side_by_side.cases import BINS

import speedmetal as sm

PIXELS_PER_GROUP = 1 << 16


@sm.kernel
def histogram(image: Any, bins: Any) -> None:
    thread = sm.thread_index_in_threadgroup()
    counts = sm.threadgroup_array(BINS, sm.int32)
    counts[thread] = 0  # a thread for each bin
    sm.threadgroup_barrier()
    first = sm.threadgroup_position_in_grid().x * PIXELS_PER_GROUP
    for start in range(first, first + PIXELS_PER_GROUP, BINS):
        i = start + thread
        if i < image.size:
            sm.atomic_add(counts, int(image[i]), 1)
    sm.threadgroup_barrier()
    sm.atomic_add(bins, thread, counts[thread])
