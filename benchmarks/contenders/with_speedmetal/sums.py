"""Sums and running sums: within simdgroups, within threadgroups, then over the threadgroups."""

from __future__ import annotations

from typing import Any

import speedmetal as sm

THREADS = 256
SIMDGROUPS = THREADS // 32
LENGTH = 1 << 14  # of the chunk of consecutive elements that a threadgroup takes: 64 KiB


@sm.kernel
def tree_sums(x: Any, sums: Any, length: int) -> None:
    """The sum of each threadgroup's chunk: halves are added until one number is left."""
    thread = sm.thread_index_in_threadgroup()
    group = sm.threadgroup_position_in_grid().x
    partial = sm.threadgroup_array(THREADS, sm.float32)
    total = 0.0
    for start in range(group * length, (group + 1) * length, THREADS):
        i = start + thread
        total += x[i] if i < x.size else 0.0
    partial[thread] = total
    sm.threadgroup_barrier()
    width = THREADS // 2
    while width > 0:
        if thread < width:
            partial[thread] += partial[thread + width]
        sm.threadgroup_barrier()
        width //= 2
    if thread == 0:
        sums[group] = partial[0]


@sm.kernel
def simd_sums(x: Any, sums: Any, length: int) -> None:
    """The sum of each threadgroup's chunk: simdgroups add up, then the first one their sums."""
    thread = sm.thread_index_in_threadgroup()
    group = sm.threadgroup_position_in_grid().x
    partial = sm.threadgroup_array(SIMDGROUPS, sm.float32)
    total = 0.0
    for start in range(group * length, (group + 1) * length, THREADS):
        i = start + thread
        total += x[i] if i < x.size else 0.0
    total = sm.simd_sum(total)
    if sm.thread_index_in_simdgroup() == 0:
        partial[sm.simdgroup_index_in_threadgroup()] = total
    sm.threadgroup_barrier()
    if thread < 32:
        total = sm.simd_sum(partial[thread] if thread < SIMDGROUPS else 0.0)
        if thread == 0:
            sums[group] = total


@sm.kernel
def scan_chunks(x: Any, sums: Any, y: Any, length: int) -> None:
    """The running sum of each chunk, on top of the sums of the chunks before it."""
    thread = sm.thread_index_in_threadgroup()
    lane, simdgroup = sm.thread_index_in_simdgroup(), sm.simdgroup_index_in_threadgroup()
    group = sm.threadgroup_position_in_grid().x
    ends = sm.threadgroup_array(SIMDGROUPS, sm.float32)
    before = 0.0
    for k in range(group):
        before += sums[k]
    for start in range(group * length, (group + 1) * length, THREADS):
        i = start + thread
        running = sm.simd_prefix_inclusive_sum(x[i] if i < x.size else 0.0)
        if lane == 31:
            ends[simdgroup] = running
        sm.threadgroup_barrier()
        total = 0.0  # of the simdgroups before this one, then of all
        for k in range(SIMDGROUPS):
            if k == simdgroup:
                running += before + total
            total += ends[k]
        if i < x.size:
            y[i] = running
        before += total
        sm.threadgroup_barrier()
