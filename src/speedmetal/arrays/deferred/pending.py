"""What an array is whose memory is not made yet, and who waits to read memory.

An array is *lazy* while its ``pending`` is one of these:

* a :class:`~speedmetal.frontend.structure.Structure`: an elementwise expression of its ``leaves``;
* a :class:`View` of another lazy array, with which it will share memory;
* a :class:`Call`: an operation with a kernel, or a vendor's routine, of its own.

With None the memory is there.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

from speedmetal.arrays.deferred.origins import outside
from speedmetal.arrays.memory.layout import Layout
from speedmetal.launch.waiting import WAITING

LazyArray = Any
"""A :class:`speedmetal.arrays.deferred.lazy.Lazy`, which knows this module."""

Step = Callable[[Layout], Layout | None]
"""What a view does to a layout; None where that is not possible without a copy."""


class View:
    """Elements of another lazy array.

    Args:
        base: Which is no view itself.
        steps: What makes its elements of the base's.
    """

    __slots__ = ("base", "steps")

    def __init__(self, base: LazyArray, steps: tuple[Step, ...]) -> None:
        self.base = base
        self.steps = steps


class Call:
    """An operation that has a kernel of its own, with one result or several.

    Args:
        name: Of the operation, for people.
        operands: The arrays that it reads, lazy ones among them.
        run: Gives the results with their memory, in order.
        reads: How often it reads an element of an operand.
        callers: How many calls it is, at least, from the user's code to that of this class.
        takes: Whether its kernel computes a
            :class:`~speedmetal.arrays.deferred.following.Follower` of its one result, which
            ``run`` is then given; None: it computes none.

    Attributes:
        written_in: The user's code that asked for it, see
            :mod:`speedmetal.arrays.deferred.origins`.
        written_at: The place of the instruction there.
    """

    __slots__ = (
        *("depth", "name", "operands", "reads", "results", "run", "takes"),
        *("written_at", "written_in"),
    )

    def __init__(
        self,
        name: str,
        operands: Sequence[LazyArray],
        run: Callable[..., Sequence[LazyArray]],
        reads: int = 1,
        callers: int = 2,
        takes: Callable[[Any], bool] | None = None,
    ) -> None:
        self.name = name
        self.operands = tuple(operands)
        self.run = run
        self.reads = reads
        frame = outside(callers)
        self.written_in, self.written_at = frame.f_code, frame.f_lasti
        self.takes = takes
        self.results: list[weakref.ref[LazyArray]] = []
        self.depth = 1 + (
            operands[0].depth
            if len(operands) == 1
            else max((operand.depth for operand in operands), default=0)
        )

    def expect(self, results: Sequence[LazyArray]) -> None:
        """Note the arrays that get the results, in order."""
        self.results = [weakref.ref(result) for result in results]


note = WAITING.append
"""Note a weak reference to an array that is lazy, and will read memory when it is computed."""


_FEW = 1024


class _Limit:
    """How many may be noted before those that are gone are dropped."""

    length = _FEW


def drop_some() -> None:
    """Forget those that are gone or computed, where they may be many."""
    if len(WAITING) > _Limit.length:
        _Limit.length = max(_FEW, 2 * len(drop_computed()))


def drop_computed() -> list[LazyArray]:
    """Forget those that are gone or computed; what is left, all of which is lazy."""
    seen = len(WAITING)
    left = [reader for known in WAITING[:seen] if (reader := known()) is not None]
    left = [reader for reader in left if reader.pending is not None]
    # What another thread notes meanwhile comes behind.
    WAITING[:seen] = [weakref.ref(reader) for reader in left]
    return left
