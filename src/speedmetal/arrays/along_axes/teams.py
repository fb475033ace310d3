"""How many threads of a GPU take a row together, and how many elements each of them at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from speedmetal.arrays.along_axes.sorted_axes import known
from speedmetal.arrays.memory.layout import Layout
from speedmetal.backends.device import SIMDGROUP_SIZE
from speedmetal.common.records import record
from speedmetal.dtypes import DType

BYTES_AT_ONCE = 16
"""A thread's widest load."""
MOST_WIDE = 8
"""Elements that a thread takes side by side: the code is repeated for each."""
SIMDGROUPS = 8
"""Of a threadgroup whose simdgroups have nothing to do with each other."""
FEW_TOGETHER = 2
"""The same where each keeps a row of :data:`LONG_FOR_FEW` elements or more, twice as many of
shorter ones: those of a threadgroup start and end together."""
FEWEST_LANES = 4
"""Of a simdgroup, that take a short row."""
SIMDGROUPS_OF_SHORT = 4
"""Of a threadgroup, where each takes several rows at once."""
LONG_FOR_FEW = 512
MOST_SIMDGROUPS = 32
"""Of a threadgroup."""

BYTES_OF_COLUMNS = 8
"""A thread's loads of columns: with wider ones, fewer threads run."""
PART_ON_GPU = 4096
"""Elements of a part of a row, at most, but of so long ones that its parts were too many."""
MOST_OF_COLUMN = 256
"""The same of a column, which one thread takes."""
TURNS = 4
"""Rows whose elements are on their way at once to a GPU's thread that takes columns."""
BUSY_THREADS = 1 << 18
"""With so many a large GPU's memory is busy."""
LEAST_OF_THREAD = 16
"""Elements that a thread adds up where there are parts: each part's total is stored."""

MOST_OF_TEAM = 32768
"""Elements of a row that is left to one team, however few rows there are."""
ELEMENTS_OF_TEAM = 8192
"""Short rows are taken several by one team, about so many elements; starting it costs."""
SHORT_ON_GPU = 33
"""Rows shorter than this are a thread's."""


@record
class Team:
    """See :class:`speedmetal.arrays.kernels.teams.Team`."""

    simdgroups: int
    together: int
    width: int
    lanes: int = SIMDGROUP_SIZE

    def known(self) -> Any:
        """As an argument of a kernel."""
        from speedmetal.arrays.kernels import teams  # with its first use, as those of copies

        sizes = (self.simdgroups, self.together, self.width, self.lanes)
        return teams.Team(*map(known, sizes))


ONE_SIMDGROUP = Team(1, 1, 1)


def threads_of(team: Team) -> int:
    """The threads of a threadgroup of teams."""
    return SIMDGROUP_SIZE * team.simdgroups * team.together


def elements_at_once(team: Team) -> int:
    """How many elements a team takes, each of its threads some side by side."""
    return team.lanes * team.simdgroups * team.width


def team_of_row(length: int, width: int, kept: int) -> Team:
    """Who takes rows of a length on a GPU, so that a thread keeps so many elements.

    Those of longer rows keep more: a threadgroup has no more threads.
    """
    simdgroups = 1
    while simdgroups < MOST_SIMDGROUPS and SIMDGROUP_SIZE * kept * simdgroups < length:
        simdgroups *= 2
    team = _team(simdgroups, width, length)
    if simdgroups > 1:
        return team
    together = FEW_TOGETHER if length >= LONG_FOR_FEW else 2 * FEW_TOGETHER
    return Team(1, together, team.width)


def team_of_short_rows(rows: int, length: int, width: int, kept: int) -> Team:
    """As :func:`team_of_row`, but that several short rows may be taken by a simdgroup at once."""
    team = team_of_row(length, width, kept)
    lanes = SIMDGROUP_SIZE
    while lanes > FEWEST_LANES and lanes // 2 * kept >= length:
        lanes //= 2
    while rows % (SIMDGROUP_SIZE // lanes):  # whose simdgroups have a row for each of their lanes
        lanes *= 2
    return Team(1, SIMDGROUPS_OF_SHORT, width, lanes) if lanes < SIMDGROUP_SIZE else team


def groups_of_teams(rows: int, team: Team) -> int:
    """How many threadgroups take so many rows, each team one or several at once."""
    turns = rows // (SIMDGROUP_SIZE // team.lanes)
    return -(-turns // team.together)


def team_of_rows(rows: int, length: int, width: int) -> Team:
    """Who takes so many rows on a GPU, and adds up their elements: enough threads in all."""
    simdgroups = 1
    while (
        simdgroups < MOST_SIMDGROUPS
        and rows * simdgroups * SIMDGROUP_SIZE < BUSY_THREADS
        and simdgroups * SIMDGROUP_SIZE * LEAST_OF_THREAD < length
    ):
        simdgroups *= 2
    return _team(simdgroups, width, length)


def simdgroups_of_rows(length: int, width: int) -> Team:
    """Simdgroups of a GPU that take rows of a length, or parts of them, each alone."""
    return _team(1, math.gcd(width, length), length)


def _team(simdgroups: int, width: int, length: int) -> Team:
    while width > 1 and SIMDGROUP_SIZE * simdgroups * width > length:
        width //= 2
    return Team(simdgroups, SIMDGROUPS if simdgroups == 1 else 1, width)


def teams_of_rows(rows: int, length: int) -> tuple[int, int]:
    """How many teams take rows on a GPU, and how many of them each."""
    each = max(1, min(ELEMENTS_OF_TEAM // length, rows * SIMDGROUP_SIZE // BUSY_THREADS))
    return -(-rows // each), each


def parts_of_row(rows: int, length: int, width: int = 1) -> tuple[int, int]:
    """How many parts each of so many rows has on a GPU, and how long all but the last one are.

    Parts of small elements, of which a thread takes as many as can be, have more of them.
    """
    if length <= MOST_OF_TEAM:
        return 1, length
    most = PART_ON_GPU if width < MOST_WIDE else 2 * PART_ON_GPU
    part = part_of_gpu(rows * length, most, SIMDGROUP_SIZE)
    while part * MOST_OF_TEAM < length:  # so that one team more is enough
        part *= 2
    return -(-length // part), part


def parts_of_column(columns: int, length: int) -> tuple[int, int]:
    """The same of so many columns."""
    part = part_of_gpu(columns * length, MOST_OF_COLUMN, 1)
    if length <= 2 * part:
        return 1, length
    return -(-length // part), part


def part_of_gpu(size: int, most: int, threads: int) -> int:
    """How many elements of a row or a column so many threads of a GPU take, so that enough run.

    Args:
        size: Of all rows or columns.
        most: The most elements of a part.
        threads: That take a part.
    """
    of_thread = max(LEAST_OF_THREAD, size // BUSY_THREADS)
    part: int = 1 << (of_thread * threads - 1).bit_length()
    return min(most, part)


def width_of(elements: Layout, length: int, given: DType | None = None) -> int:
    """How many elements of rows side by side a GPU's thread takes; rows are multiples in length.

    It depends on how the elements are said to lie alone, not on what they are computed from: in
    which order they are added up depends on it.

    Args:
        elements: In the dtype in which is computed.
        length: Of the rows.
        given: The dtype from which they are converted; None: the same.
    """
    if elements.strides[-1] != elements.itemsize:
        return 1
    itemsize = elements.itemsize if given is None else min(elements.itemsize, given.itemsize)
    return math.gcd(min(MOST_WIDE, max(1, BYTES_AT_ONCE // itemsize)), length)


def width_for(layouts: Sequence[Layout], most_bytes: int = BYTES_AT_ONCE) -> int:
    """The same where order does not matter, of what is computed from arrays of these layouts."""
    if not all(layout.strides[-1] in (0, layout.itemsize) for layout in layouts):
        return 1
    sizes = [x.dtype.itemsize for x in layouts if x.strides[-1]]
    widest = min(MOST_WIDE, most_bytes // min(sizes, default=most_bytes))
    return max(1, math.gcd(widest, *(layout.shape[-1] for layout in layouts)))
