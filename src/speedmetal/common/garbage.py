"""Python's garbage collector, while many objects are made that stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

RARE_THRESHOLD = 100_000
"""New objects from one collection to the next, in place of the 700 or 2,000 that Python sets.

The imports and the compilation of a small kernel make some 40,000, nearly all of them modules,
functions and nodes that stay. What is compiled for seconds is still collected now and then.
"""

_MANY = 5_000
"""New objects that are taken for old ones: to look through them takes a millisecond or more."""


@contextmanager
def rare_collections() -> Iterator[None]:
    """Collect garbage rarely inside: a first launch spends a tenth of its time on it otherwise.

    It is the threshold that changes, and it is put back unless somebody else has set it meanwhile;
    whether collections are enabled is left to the program. So blocks may lie in each other, and
    overlap in several threads: whichever ends first puts back what was before all of them.

    >>> before = gc.get_threshold()
    >>> with rare_collections():
    ...     gc.get_threshold()[0]
    100000
    >>> gc.get_threshold() == before
    True
    """
    before = gc.get_threshold()
    if not 0 < before[0] < RARE_THRESHOLD:  # 0: never, by the program's wish
        yield
        return
    gc.set_threshold(RARE_THRESHOLD, *before[1:])
    try:
        yield
    finally:
        if gc.get_count()[0] > _MANY:
            _call_new_objects_old()
        if gc.get_threshold()[0] == RARE_THRESHOLD:
            gc.set_threshold(*before)


def _call_new_objects_old() -> None:
    """Leave all objects to the next full collection, as if each had outlived two others.

    What is thawed joins the oldest generation. A program that has frozen objects keeps them so.
    """
    if gc.get_freeze_count() == 0:
        gc.freeze()
        gc.unfreeze()
