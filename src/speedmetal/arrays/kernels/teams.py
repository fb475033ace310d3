"""Teams: threads that take a row together, a simdgroup's or those of several.

On a CPU a team is a simdgroup, and a threadgroup; each of its threads takes one element of 32
side by side. A GPU keeps its memory busy with more at once: there several teams of a simdgroup are
a threadgroup, or a team is a threadgroup of many, and a thread takes so many elements side by side
as one load moves.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import speedmetal as sm

LANES = 32  # of a simdgroup
LOG_LANES = 5
TOTALS = 4  # of a thread, running at once: an addition takes as long as so many can start in


_ALL_LANES: Any = sm.static(LANES)


class Team(NamedTuple):
    """How rows are shared out, in numbers that a kernel knows while it is compiled.

    Args:
        simdgroups: That take a row together.
        together: Teams of a threadgroup; 1 where they are of several simdgroups.
        width: Elements side by side that a thread takes; rows are a multiple.
        lanes: Of a simdgroup that take a row together; fewer than all where rows are short, and a
            multiple of so many as a simdgroup takes at once. These count as one team.
    """

    simdgroups: Any
    together: Any
    width: Any
    lanes: Any = _ALL_LANES


def own_place(team: Any) -> Any:
    """The thread's number in its team, and that of its team."""
    group = sm.threadgroup_position_in_grid().x
    if team.together == 1:
        return sm.thread_index_in_threadgroup(), group
    number = group * team.together + sm.simdgroup_index_in_threadgroup()
    lane = sm.thread_index_in_simdgroup()
    return lane if team.lanes == LANES else lane % team.lanes, number


def turns_of(team: Any, rows: Any) -> Any:
    """How many turns of teams so many rows are: one of each, or of several at once."""
    return rows if team.lanes == LANES else rows // (LANES // team.lanes)


def own_row(team: Any, turn: Any) -> Any:
    """The row that a thread's lanes take in a turn of its team."""
    if team.lanes == LANES:
        return turn
    return turn * (LANES // team.lanes) + sm.thread_index_in_simdgroup() // team.lanes


def own_part(team: Any, parts: Any) -> Any:
    """The same where rows have so many parts: of the team's rows, and which part it takes."""
    lane, number = own_place(team)
    return lane, number // parts, number % parts


def room(team: Any, dtype: Any) -> Any:
    """Threadgroup memory for :func:`across_team`; None: it needs none."""
    return sm.threadgroup_array(team.simdgroups, dtype) if team.simdgroups > 1 else None


class Across(NamedTuple):
    """What several threads have as one.

    Args:
        combine: ``(one, other)``.
        whole: Of a simdgroup's, for each of them.
    """

    combine: Any
    whole: Any


def _add(one: Any, other: Any) -> Any:
    return one + other


def _greater(one: Any, other: Any) -> Any:
    return max(one, other)


TOTAL = Across(_add, sm.simd_sum)
GREATEST = Across(_greater, sm.simd_max)


def across_team(value: Any, across: Any, start: Any, team: Any, shared: Any) -> Any:
    """What a team's threads have as one, for each of them.

    Args:
        value: A thread's.
        across: The same of a simdgroup.
        start: What changes nothing in ``across``.
        team: A :class:`Team`.
        shared: Of :func:`room`; another call in between must have had another one.
    """
    value = across(value)
    if team.simdgroups > 1:
        lane = sm.thread_index_in_simdgroup()
        if lane == 0:
            shared[sm.simdgroup_index_in_threadgroup()] = value
        sm.threadgroup_barrier()
        value = across(shared[lane] if lane < team.simdgroups else start)
    return value


def across_rows(value: Any, across: Across, start: Any, team: Any, shared: Any) -> Any:
    """As :func:`across_team`, where a simdgroup may take several rows at once."""
    if team.lanes == LANES:
        return across_team(value, across.whole, start, team, shared)
    for step in sm.static_range(LOG_LANES):
        if 1 << step < team.lanes:
            value = across.combine(value, sm.simd_shuffle_xor(value, 1 << step))
    return value


def own_first(team: Any, lane: Any) -> Any:
    """The first element that a thread takes of those that its team takes at once."""
    return lane if team.width == 1 else lane * team.width


def first_of(team: Any, vector: Any, lane: Any) -> Any:
    """The first element that a thread takes of those that its team takes as this one in turn."""
    return step_of(team) * vector + own_first(team, lane)


def step_of(team: Any) -> Any:
    """How many elements a team takes at once."""
    return team.lanes * team.simdgroups * team.width


def in_vectors(length: Any, team: Any) -> Any:
    """The length of parts, which is a multiple of what a thread takes: so that a compiler sees it.

    What begins at the beginning of a part is then known to begin at such a multiple.
    """
    return length if team.width == 1 else length // team.width * team.width


def whole_of(team: Any, length: Any) -> Any:
    """How many of so many elements a team takes, all of its threads as many at once."""
    return length // step_of(team) * step_of(team)


def added_up(kept: Any) -> Any:
    """A thread's elements, added up."""
    totals = sm.thread_array(TOTALS, kept.dtype)
    for k in sm.static_range(TOTALS):
        totals[k] = 0.0
    for v in sm.static_range(kept.shape[0]):
        totals[v % TOTALS] += kept[v]
    return (totals[0] + totals[1]) + (totals[2] + totals[3])


def squares_added_up(kept: Any) -> Any:
    """The squares of a thread's elements, added up."""
    totals = sm.thread_array(TOTALS, kept.dtype)
    for k in sm.static_range(TOTALS):
        totals[k] = 0.0
    for v in sm.static_range(kept.shape[0]):
        totals[v % TOTALS] += kept[v] * kept[v]
    return (totals[0] + totals[1]) + (totals[2] + totals[3])
