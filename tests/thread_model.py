"""The threads of a grid in plain Python: what every target's positions are held against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

SIMDGROUP_SIZE = 32


class Triple(NamedTuple):
    """A position or a size."""

    x: int
    y: int
    z: int


def triple(size: int | tuple[int, ...]) -> Triple:
    """One to three sizes as three.

    >>> triple(4), triple((2, 3))
    (Triple(x=4, y=1, z=1), Triple(x=2, y=3, z=1))
    """
    parts = (size,) if isinstance(size, int) else tuple(size)
    return Triple(*(*parts, 1, 1)[:3])


@dataclass(frozen=True, slots=True)
class Thread:
    """Everything that a thread can ask about its place, with the names of the intrinsics."""

    thread_position_in_grid: Triple
    thread_position_in_threadgroup: Triple
    threadgroup_position_in_grid: Triple
    threads_per_threadgroup: Triple
    threadgroups_per_grid: Triple
    threads_per_grid: Triple
    thread_index_in_threadgroup: int
    thread_index_in_simdgroup: int
    simdgroup_index_in_threadgroup: int
    threads_per_simdgroup: int
    simdgroups_per_threadgroup: int


def threadgroups_of(
    grid: int | tuple[int, ...], threads: int | tuple[int, ...]
) -> Iterator[list[Thread]]:
    """The threadgroups of a launch, each a list of its threads in the order of their indices.

    Threadgroups at the edge of the grid are smaller, and count their threads by their own sizes.
    """
    whole, full = triple(grid), triple(threads)
    groups = Triple(*(-(-g // t) for g, t in zip(whole, full, strict=True)))
    for z, y, x in product(range(groups.z), range(groups.y), range(groups.x)):
        yield _threadgroup(Triple(x, y, z), whole, full, groups)


def _threadgroup(group: Triple, whole: Triple, full: Triple, groups: Triple) -> list[Thread]:
    start = Triple(*(p * t for p, t in zip(group, full, strict=True)))
    own = Triple(*(min(t, g - s) for t, g, s in zip(full, whole, start, strict=True)))
    simdgroups = -(-(own.x * own.y * own.z) // SIMDGROUP_SIZE)
    found = []
    for index, (z, y, x) in enumerate(product(range(own.z), range(own.y), range(own.x))):
        found.append(
            Thread(
                thread_position_in_grid=Triple(start.x + x, start.y + y, start.z + z),
                thread_position_in_threadgroup=Triple(x, y, z),
                threadgroup_position_in_grid=group,
                threads_per_threadgroup=own,
                threadgroups_per_grid=groups,
                threads_per_grid=whole,
                thread_index_in_threadgroup=index,
                thread_index_in_simdgroup=index % SIMDGROUP_SIZE,
                simdgroup_index_in_threadgroup=index // SIMDGROUP_SIZE,
                threads_per_simdgroup=SIMDGROUP_SIZE,
                simdgroups_per_threadgroup=simdgroups,
            )
        )
    return found


def simdgroups_of(threadgroup: list[Thread]) -> Iterator[list[Thread]]:
    """The simdgroups of a threadgroup: 32 consecutive threads, fewer in the last."""
    for start in range(0, len(threadgroup), SIMDGROUP_SIZE):
        yield threadgroup[start : start + SIMDGROUP_SIZE]
