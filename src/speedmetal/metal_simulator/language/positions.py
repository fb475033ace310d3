"""What fills the positions of a kernel: expressions of an entry that has ``smr_of``, the thread."""

from __future__ import annotations

_VECTORS = {
    "thread_position_in_grid": "smr_of->position_in_grid",
    "thread_position_in_threadgroup": "smr_of->position_in_threadgroup",
    "threadgroup_position_in_grid": "smr_of->threadgroup_position",
    "threads_per_grid": "smr_of->threads_per_grid",
    "grid_size": "smr_of->threads_per_grid",
    "grid_origin": "smr::no_origin",  # dispatches have none of their own
    "threads_per_threadgroup": "smr_of->threads_per_threadgroup",
    "dispatch_threads_per_threadgroup": "smr_of->dispatch_threads_per_threadgroup",
    "threadgroups_per_grid": "smr_of->threadgroups_per_grid",
}
_NUMBERS = {
    "thread_index_in_threadgroup": "smr_of->index_in_threadgroup",
    "thread_index_in_simdgroup": "smr_of->lane",
    "thread_index_in_quadgroup": "smr_of->lane & 3u",
    "simdgroup_index_in_threadgroup": "smr_of->simdgroup",
    "quadgroup_index_in_threadgroup": "smr_of->index_in_threadgroup / 4u",
    "simdgroups_per_threadgroup": "smr_of->simdgroups",
    "dispatch_simdgroups_per_threadgroup": "smr_of->dispatch_simdgroups",
    "quadgroups_per_threadgroup": "smr::quadgroups(smr_of->threads_per_threadgroup)",
    "dispatch_quadgroups_per_threadgroup": (
        "smr::quadgroups(smr_of->dispatch_threads_per_threadgroup)"
    ),
    "threads_per_simdgroup": "32u",
    "thread_execution_width": "32u",
}
EXPRESSIONS = {name: f"smr::position{{{text}}}" for name, text in _VECTORS.items()} | {
    name: f"smr::number{{{text}}}" for name, text in _NUMBERS.items()
}
"""By the attribute of the parameter."""
