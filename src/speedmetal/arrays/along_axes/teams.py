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

LEAST_ACROSS = 4
"""Threads beside each other of a strip of columns, at least."""
LEAST_OF_STRIP = 128
"""Its threads, where there are as many columns."""
MOST_DOWN = 16
"""Threads below each other: each takes what all the others have, as one."""
ROWS_OF_STRIP = 16
"""Elements below each other that each of them keeps, or scans at once."""
ROWS_READ = 8
"""The same of columns that are read several times."""
KEPT_OF_COLUMN = 512
"""Elements of a column that a strip's threads keep."""
BYTES_KEPT = 4
"""A thread's loads of strips that are kept."""
FEWER_WIDE = {4: 1, 2: 2}
"""So many times fewer threads than keep a GPU busiest are enough to scan so many columns each."""
COLUMNS_TO_REDUCE = 64
"""Of a strip whose elements are reduced."""
LEAST_TILES_REDUCED = 2
"""Of a part of such a one: each stores its totals."""
MANY_COLUMNS = 1024
"""So many are reduced by a thread each, or for some side by side, as there is enough to do."""
FEW_TO_REDUCE = 1 << 16
"""For so few elements a second launch costs more."""
LEAST_TILES_OF_PART = 4
"""What is begun for a part of a strip costs."""
BUSY_OF_SCAN = 8 * BUSY_THREADS
"""So many threads scan parts of rows, most of them after others."""
VECTORS_OF_SCAN = 4
"""Of a thread that scans a tile of a row, on their way at once."""
MOST_PARTS_TO_SCAN = 64
"""Of a strip: each thread joins what comes before its part."""
MOST_PARTS_TO_READ = 512
"""The same where threads below each other share that out."""

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


@record
class Strip:
    """See :class:`speedmetal.arrays.kernels.strips.Strip`."""

    across: int
    down: int
    rows: int
    width: int

    def known(self) -> Any:
        """As an argument of a kernel."""
        from speedmetal.arrays.kernels import strips  # as above

        sizes = (self.across, self.down, self.rows, self.width)
        return strips.Strip(*(known(size) for size in sizes))

    @property
    def threads(self) -> int:
        """Of a threadgroup."""
        return self.across * self.down

    def strips(self, columns: int) -> int:
        """How many of them so many columns are."""
        return -(-columns // (self.across * self.width))


TILES_TO_SCAN = {4: Strip(16, 16, 8, 4), 2: Strip(16, 32, 8, 2), 1: Strip(32, 16, 16, 1)}
"""What a threadgroup scans at once, for so many columns side by side of a thread."""

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


def team_to_scan(rows: int, length: int, width: int) -> Team | None:
    """Who scans rows on a GPU, or parts of them; None: simdgroups, each alone and whole rows."""
    tile = SIMDGROUP_SIZE * VECTORS_OF_SCAN * width
    if 2 * rows * SIMDGROUP_SIZE >= BUSY_THREADS or length <= 2 * tile:
        return None
    simdgroups = SIMDGROUPS
    while simdgroups > 2 and simdgroups * tile >= 2 * length:
        simdgroups //= 2
    return Team(simdgroups, 1, width)


def parts_to_scan(rows: int, length: int, team: Team) -> tuple[int, int]:
    """How many parts each of so many rows has, so that enough threads run, and their length."""
    tile = elements_at_once(team) * VECTORS_OF_SCAN
    tiles = -(-length // tile)
    wanted = BUSY_OF_SCAN // (rows * threads_of(team))
    parts = max(1, min(wanted, tiles))
    part = -(-tiles // parts) * tile
    return -(-length // part), part


def strip_to_scan(rows: int, columns: int, length: int, width: int) -> Strip:
    """How a threadgroup of a GPU scans columns of a length, a thread up to so many of them."""
    threads = {wide: rows * columns // wide * TILES_TO_SCAN[wide].down for wide in FEWER_WIDE}
    width = min(width, max(FEWER_WIDE))
    while width > 1 and threads[width] * FEWER_WIDE[width] < BUSY_THREADS:
        width //= 2
    return _strip(columns, length, TILES_TO_SCAN[width])


def strip_of_kept(columns: int, length: int, width: int) -> Strip | None:
    """How its threads keep such columns; None: they do not."""
    if length > KEPT_OF_COLUMN:
        return None
    down = KEPT_OF_COLUMN // ROWS_OF_STRIP
    return _strip(columns, length, Strip(SIMDGROUP_SIZE, down, ROWS_OF_STRIP, width))


def strip_to_read(columns: int, length: int, width: int) -> Strip:
    """How it reads them, and more than once."""
    return _strip(columns, length, Strip(SIMDGROUP_SIZE, MOST_DOWN, ROWS_READ, width))


def _strip(columns: int, length: int, most: Strip) -> Strip:
    """As much as there is of a strip."""
    rows, down = most.rows, most.down
    while down > 1 and down * rows >= 2 * length:
        down //= 2
    while rows > 1 and rows >= 2 * length:
        rows //= 2
    across = max(most.across, LEAST_OF_STRIP // down)
    while across > LEAST_ACROSS and across * most.width >= 2 * columns:
        across //= 2
    return Strip(across, down, rows, most.width)


def strip_to_reduce(columns: int, length: int, width: int) -> Strip:
    """How it reduces columns: what decides on the order of operations is that of any width."""
    return _strip(columns, length, Strip(COLUMNS_TO_REDUCE // width, MOST_DOWN, TURNS, width))


def parts_to_reduce(rows: int, columns: int, length: int) -> tuple[int, int]:
    """How many parts each of so many rows of columns has, and their length."""
    strip = strip_to_reduce(columns, length, 1)
    if rows * columns * length <= FEW_TO_REDUCE:
        return 1, length
    tile = strip.down * strip.rows
    wanted = 2 * BUSY_THREADS // (rows * strip.strips(columns) * strip.threads)
    parts = max(1, min(wanted, length // (LEAST_TILES_REDUCED * tile)))
    part = -(-length // (parts * tile)) * tile
    return -(-length // part), part


def parts_of_strips(strips: int, strip: Strip, length: int, few: int, most: int) -> tuple[int, int]:
    """How many parts each of so many strips has, where threads are few otherwise, and their length.

    Args:
        strips: See above.
        strip: Each of them.
        length: Of the columns.
        few: Fewer threads than this are few.
        most: Parts.
    """
    threads = strips * strip.threads
    tile = strip.down * strip.rows
    tiles = -(-length // tile)
    wanted = 1 if threads >= few else BUSY_THREADS // threads
    parts = max(1, min(wanted, most, tiles // LEAST_TILES_OF_PART))
    part = -(-tiles // parts) * tile
    return -(-length // part), part


def width_of_strip(elements: Layout, layouts: Sequence[Layout], most_bytes: int) -> int:
    """Columns side by side of a thread that keeps several rows of them, from such layouts."""
    most = max(1, max(most_bytes, BYTES_OF_COLUMNS) // elements.itemsize)
    return min(width_for(layouts, most_bytes), most)


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
