"""Where elements are not 0, in order: parts are counted, the counts added up, the places written.

A simdgroup takes a part, 32 elements after 32, so that nothing but the counts is exchanged.
"""

from __future__ import annotations

from typing import Any

import speedmetal as sm
from speedmetal.arrays.kernels.copy import unravel

LANES = 32  # of a simdgroup
THREADS = 1024
"""Of the one threadgroup that adds the counts up."""


@sm.kernel
def count_parts(counts: Any, source: Any, length: int, parts: int) -> None:
    """counts[part]: how many of ``length`` elements are not 0."""
    part = sm.thread_position_in_grid().x // LANES
    lane = sm.thread_index_in_simdgroup()
    begin = part * length
    end = min(begin + length, source.size)
    found = 0
    for start in range(begin, end, LANES):
        found += flag_at(source, start + lane, end)
    total = sm.simd_sum(found)
    if lane == 0 and part < parts:
        counts[part] = total


def flag_at(source: Any, at: Any, end: Any) -> Any:
    """1 where an element is before the end and not 0, else 0."""
    flag = 0
    if at < end and source[unravel(at, source.shape)] != 0:
        flag = 1
    return flag


@sm.kernel
def add_up(starts: Any, counts: Any) -> None:
    """starts[part]: the sum of the counts before it; the last one is that of all.

    One threadgroup, each of whose threads takes counts that are side by side.
    """
    thread = sm.thread_index_in_threadgroup()
    lane, group = thread % LANES, thread // LANES
    parts = counts.size
    each = sm.cdiv(parts, THREADS)
    totals = sm.threadgroup_array(LANES, starts.dtype)
    own = starts.dtype(0)
    for part in range(thread * each, min(thread * each + each, parts)):
        own += counts[part]
    within = sm.simd_prefix_inclusive_sum(own)
    if lane == LANES - 1:
        totals[group] = within
    sm.threadgroup_barrier()
    of_groups = sm.simd_prefix_inclusive_sum(totals[lane])
    sm.threadgroup_barrier()
    if group == 0:
        totals[lane] = of_groups
    sm.threadgroup_barrier()
    running = within - own
    if group > 0:
        running += totals[group - 1]
    for part in range(thread * each, min(thread * each + each, parts)):
        starts[part] = running
        running += counts[part]
    if thread == THREADS - 1:
        starts[parts] = running


@sm.kernel
def write_places(places: Any, source: Any, starts: Any, length: int, parts: int) -> None:
    """places[axis, k]: the index along an axis of the k-th element that is not 0."""
    part = sm.thread_position_in_grid().x // LANES
    lane = sm.thread_index_in_simdgroup()
    begin = part * length
    end = min(begin + length, source.size)
    before = starts[min(part, parts)]
    for start in range(begin, end, LANES):
        flag = flag_at(source, start + lane, end)
        upto = sm.simd_prefix_inclusive_sum(flag)
        if flag > 0:
            index = unravel(start + lane, source.shape)
            for axis in sm.static_range(len(index)):
                places[axis, before + upto - 1] = index[axis]
        before += sm.simd_broadcast(upto, LANES - 1)
