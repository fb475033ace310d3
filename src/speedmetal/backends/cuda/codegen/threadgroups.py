"""What is known of the threadgroups of a launch while its kernel is printed."""

from __future__ import annotations

import math

from speedmetal.common.records import record

FEW_THREADS = 256
MANY_THREADS = 1024
"""The most that a launch may ask for, where it asks for more than few: the compiler keeps registers
free for as many."""
_SIMDGROUP = 32
_WHOLE = "whole"


@record
class Threadgroups:
    """The threadgroups of launches that one code does for.

    Args:
        most_threads: Of one of them.
        are_whole: Whether each has as many threads as stated, and all its simdgroups 32. Then no
            thread has to be numbered anew, and the threads of a simdgroup are known.
    """

    most_threads: int = FEW_THREADS
    are_whole: bool = False

    def __str__(self) -> str:
        """The name of a variant.

        >>> str(Threadgroups()), str(Threadgroups(1024, are_whole=True))
        ('256', '1024 whole')
        """
        return f"{self.most_threads} {_WHOLE}" if self.are_whole else str(self.most_threads)


def of_variant(variant: str) -> Threadgroups:
    """The inverse of their text.

    >>> of_variant("1024 whole")
    Threadgroups(most_threads=1024, are_whole=True)
    """
    most, _, rest = variant.partition(" ")
    return Threadgroups(int(most), rest == _WHOLE)


def of_launch(grid: tuple[int, ...], threads: tuple[int, ...] | None) -> Threadgroups:
    """Those of a launch.

    Args:
        grid: Threads along each axis.
        threads: Of a threadgroup; None: not stated, at most few.

    >>> str(of_launch((1000, 1, 1), (32, 1, 1))), str(of_launch((960, 4, 1), (32, 2, 1)))
    ('256', '256 whole')
    """
    if threads is None:
        return Threadgroups()
    count = math.prod(threads)
    most = MANY_THREADS if count > FEW_THREADS else FEW_THREADS
    divides = all(size % part == 0 for size, part in zip(grid, threads, strict=True))
    return Threadgroups(most, divides and count % _SIMDGROUP == 0)


VARIANTS = tuple(
    str(Threadgroups(most, whole))
    for most in (FEW_THREADS, MANY_THREADS)
    for whole in (False, True)
)
