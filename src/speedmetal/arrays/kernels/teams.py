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


class Team(NamedTuple):
    """How rows are shared out, in numbers that a kernel knows while it is compiled.

    Args:
        simdgroups: That take a row together.
        together: Teams of a threadgroup; 1 where they are of several simdgroups.
        width: Elements side by side that a thread takes; rows are a multiple.
    """

    simdgroups: Any
    together: Any
    width: Any


def own_place(team: Any) -> Any:
    """The thread's number in its team, and that of its team."""
    group = sm.threadgroup_position_in_grid().x
    if team.together == 1:
        return sm.thread_index_in_threadgroup(), group
    number = group * team.together + sm.simdgroup_index_in_threadgroup()
    return sm.thread_index_in_simdgroup(), number


def own_part(team: Any, parts: Any) -> Any:
    """The same where rows have so many parts: of the team's rows, and which part it takes."""
    lane, number = own_place(team)
    return lane, number // parts, number % parts


def room(team: Any, dtype: Any) -> Any:
    """Threadgroup memory for :func:`across_team`; None: it needs none."""
    return sm.threadgroup_array(team.simdgroups, dtype) if team.simdgroups > 1 else None


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


def own_first(team: Any, lane: Any) -> Any:
    """The first element that a thread takes of those that its team takes at once."""
    return lane if team.width == 1 else lane * team.width


def first_of(team: Any, vector: Any, lane: Any) -> Any:
    """The first element that a thread takes of those that its team takes as this one in turn."""
    return step_of(team) * vector + own_first(team, lane)


def step_of(team: Any) -> Any:
    """How many elements a team takes at once."""
    return LANES * team.simdgroups * team.width


def whole_of(team: Any, length: Any) -> Any:
    """How many of so many elements a team takes, all of its threads as many at once."""
    return length // step_of(team) * step_of(team)
