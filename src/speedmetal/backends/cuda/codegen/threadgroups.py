"""What is known of the threadgroups of a launch while its kernel is printed."""

from __future__ import annotations

import math
from typing import Any

from speedmetal.common.records import record

FEW_THREADS = 256
MANY_THREADS = 1024
"""The most that a launch may ask for, where it asks for more than few: the compiler keeps registers
free for as many."""
_SIMDGROUP = 32
_WHOLE = "whole"
_AXES = ("x", "y", "z")
_LEAST_THREADS = 128
"""Of a threadgroup, where nobody states them and there are as many."""
MOST_GROUPS = (2**31 - 1, 65535, 65535)
"""Threadgroups along the hardware's axes, for every card since 2012 (CUDA C++ Programming Guide,
Compute Capabilities)."""


@record
class Threadgroups:
    """The threadgroups of launches that one code does for.

    Args:
        most_threads: Of one of them.
        are_whole: Whether each has as many threads as stated, and all its simdgroups 32. Then no
            thread has to be numbered anew, and the threads of a simdgroup are known.
        longest: The axis whose threadgroups lie along the hardware's x, which alone takes many;
            those of x lie along the hardware's axis of this number.
    """

    most_threads: int = FEW_THREADS
    are_whole: bool = False
    longest: int = 0

    def __str__(self) -> str:
        """The name of a variant.

        >>> str(Threadgroups()), str(Threadgroups(1024, are_whole=True, longest=1))
        ('256', '1024 whole y')
        """
        words = [str(self.most_threads)]
        words += [_WHOLE] if self.are_whole else []
        words += [_AXES[self.longest]] if self.longest else []
        return " ".join(words)

    def by_hardware(self, sizes: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        """What is said of threadgroups along x, y and z, along the hardware's axes; and back.

        >>> Threadgroups(longest=2).by_hardware((1, 2, 3))
        (3, 2, 1)
        """
        found = [*sizes]
        found[0], found[self.longest] = found[self.longest], found[0]
        return found[0], found[1], found[2]

    @property
    def most_groups(self) -> tuple[int, int, int]:
        """The most threadgroups along each axis."""
        return self.by_hardware(MOST_GROUPS)


def of_variant(variant: str) -> Threadgroups:
    """The inverse of their text.

    >>> of_variant("1024 whole")
    Threadgroups(most_threads=1024, are_whole=True, longest=0)
    """
    most, *words = variant.split()
    longest = next((_AXES.index(word) for word in words if word in _AXES), 0)
    return Threadgroups(int(most), _WHOLE in words, longest)


def of_launch(grid: tuple[int, ...], threads: tuple[int, ...] | None) -> Threadgroups:
    """Those of a launch.

    Args:
        grid: Threads along each axis.
        threads: Of a threadgroup; None: not stated, at most few.

    >>> str(of_launch((1000, 1, 1), (32, 1, 1))), str(of_launch((960, 4, 1), (32, 2, 1)))
    ('256', '256 whole')
    >>> str(of_launch((64, 10**6, 1), None)), str(of_launch((1, 1, 65536), (1, 1, 1)))
    ('256 y', '256 z')
    """
    if threads is None:
        return Threadgroups(longest=_longest(grid, _least_threads(grid)))
    count = math.prod(threads)
    most = MANY_THREADS if count > FEW_THREADS else FEW_THREADS
    divides = all(size % part == 0 for size, part in zip(grid, threads, strict=True))
    return Threadgroups(most, divides and count % _SIMDGROUP == 0, _longest(grid, threads))


def _least_threads(grid: tuple[int, ...]) -> tuple[int, ...]:
    """Threads of a threadgroup, where they are not stated: along x, then along y."""
    x = min(max(grid[0], 1), _LEAST_THREADS)
    return x, max(_LEAST_THREADS // x, 1), 1


def _longest(grid: tuple[int, ...], threads: tuple[int, ...]) -> int:
    """The axis with more threadgroups than the hardware takes along its own; 0 where none has."""
    groups = [-(-size // part) for size, part in zip(grid, threads, strict=True)]
    return next((axis for axis in (1, 2) if groups[axis] > MOST_GROUPS[axis]), 0)


VARIANTS = tuple(
    str(Threadgroups(most, whole, longest))
    for longest in range(3)
    for most in (FEW_THREADS, MANY_THREADS)
    for whole in (False, True)
)
