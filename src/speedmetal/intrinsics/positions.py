"""Where a thread is: Metal's position intrinsics, counted from 0 and signed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from speedmetal.intrinsics.define import spell_per_target
from speedmetal.intrinsics.record import (
    SIMDGROUP_LANES,
    Intrinsic,
    IntrinsicKind,
    Result,
    Varies,
)
from speedmetal.intrinsics.reference import refuse_outside_kernel

MOST_THREADS = 1024
"""In a threadgroup, on any target."""
_MOST_SIMDGROUPS = MOST_THREADS // SIMDGROUP_LANES

_Bounds = Callable[[int], tuple[int, int]]


def _below(count: int) -> _Bounds:
    return lambda _greatest: (0, count - 1)


def _from_one_to(count: int) -> _Bounds:
    return lambda _greatest: (1, count)


def _below_greatest(greatest: int) -> tuple[int, int]:
    return 0, greatest - 1


def _up_to_greatest(greatest: int) -> tuple[int, int]:
    return 1, greatest


def _position(
    name: str, meaning: str, varies: Varies, bounds: _Bounds, *, axes: bool = False, **more: Any
) -> Intrinsic:
    return Intrinsic(
        name=name,
        kind=IntrinsicKind.POSITION,
        varies=varies,
        operands=(),
        accepts=frozenset(),
        result=Result.INDEX,
        meaning=meaning,
        reference=refuse_outside_kernel(name),
        # For Metal the name of an attribute of a kernel's parameter.
        spellings=spell_per_target(f"@{name}", f"@{name}", name),
        axes=axes,
        bounds=bounds,
        wide=False,
        **more,
    )


RECORDS = (
    _position(
        "thread_position_in_grid",
        "Position of the thread in the grid, in threads.",
        Varies.THREADS,
        _below_greatest,
        axes=True,
    ),
    _position(
        "thread_position_in_threadgroup",
        "Position of the thread in its threadgroup, in threads.",
        Varies.THREADS,
        _below(MOST_THREADS),
        axes=True,
    ),
    _position(
        "threadgroup_position_in_grid",
        "Position of the thread's threadgroup, in threadgroups.",
        Varies.THREADGROUPS,
        _below_greatest,
        axes=True,
    ),
    _position(
        "threads_per_threadgroup",
        "Threads of the thread's own threadgroup; fewer than asked for at the grid's edge.",
        Varies.THREADGROUPS,
        _from_one_to(MOST_THREADS),
        axes=True,
        is_known_at_launch=True,  # as asked for
    ),
    _position(
        "threadgroups_per_grid",
        "Threadgroups in the grid, those at the edge included.",
        Varies.NOWHERE,
        _up_to_greatest,
        axes=True,
    ),
    _position(
        "threads_per_grid",
        "Threads in the grid: what ``grid`` said.",
        Varies.NOWHERE,
        _up_to_greatest,
        axes=True,
    ),
    _position(
        "thread_index_in_threadgroup",
        "``x + width * (y + height * z)`` of the position in the threadgroup.",
        Varies.THREADS,
        _below(MOST_THREADS),
    ),
    _position(
        "thread_index_in_simdgroup",
        "The thread's lane: 0 to 31.",
        Varies.THREADS,
        _below(SIMDGROUP_LANES),
        tells_simdgroups=True,
    ),
    _position(
        "simdgroup_index_in_threadgroup",
        "Number of the thread's simdgroup: thread index // 32.",
        Varies.SIMDGROUPS,
        _below(_MOST_SIMDGROUPS),
        tells_simdgroups=True,
    ),
    _position(
        "threads_per_simdgroup",
        "Threads in a full simdgroup: 32 on every target.",
        Varies.NOWHERE,
        lambda _greatest: (SIMDGROUP_LANES, SIMDGROUP_LANES),
    ),
    _position(
        "simdgroups_per_threadgroup",
        "Simdgroups of the threadgroup: ceil(threads / 32).",
        Varies.THREADGROUPS,
        _from_one_to(_MOST_SIMDGROUPS),
        tells_simdgroups=True,
    ),
)
