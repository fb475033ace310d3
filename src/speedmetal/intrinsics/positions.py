"""Where a thread is: Metal's position intrinsics, counted from 0 and signed."""

from __future__ import annotations

from speedmetal.intrinsics.record import Intrinsic, IntrinsicKind, Result
from speedmetal.intrinsics.reference import outside

_WITH_AXES = {
    "thread_position_in_grid": "Position of the thread in the grid, in threads.",
    "thread_position_in_threadgroup": "Position of the thread in its threadgroup, in threads.",
    "threadgroup_position_in_grid": "Position of the thread's threadgroup, in threadgroups.",
    "threads_per_threadgroup": (
        "Threads of the thread's own threadgroup; fewer than asked for at the grid's edge."
    ),
    "threadgroups_per_grid": "Threadgroups in the grid, those at the edge included.",
    "threads_per_grid": "Threads in the grid: what ``grid`` said.",
}

_WITHOUT_AXES = {
    "thread_index_in_threadgroup": (
        "``x + width * (y + height * z)`` of the position in the threadgroup."
    ),
    "thread_index_in_simdgroup": "The thread's lane: 0 to 31.",
    "simdgroup_index_in_threadgroup": "Number of the thread's simdgroup: thread index // 32.",
    "threads_per_simdgroup": "Threads in a full simdgroup: 32 on every target.",
    "simdgroups_per_threadgroup": "Simdgroups of the threadgroup: ceil(threads / 32).",
}


def _position(name: str, meaning: str, *, axes: bool) -> Intrinsic:
    return Intrinsic(
        name=name,
        kind=IntrinsicKind.POSITION,
        operands=(),
        accepts=frozenset(),
        result=Result.INDEX,
        meaning=meaning,
        reference=outside(name),
        cpu=f"@{name}",
        cuda=f"@{name}",
        metal=name,  # the name of Metal's attribute of a kernel's parameter
        axes=axes,
        wide=False,
    )


RECORDS = (
    *(_position(name, meaning, axes=True) for name, meaning in _WITH_AXES.items()),
    *(_position(name, meaning, axes=False) for name, meaning in _WITHOUT_AXES.items()),
)
