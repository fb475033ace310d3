"""When memory is made for lazy arrays, and by which kernels.

The rules, all of them:

1. A value is asked for: ``sm.eval``, printing, conversion, ``bool()``, DLPack, an index by value,
   a routine that needs memory, a kernel that writes to it.
2. An array is read a second time, and to compute it costs more than to store it: then it is a leaf
   of what reads it, and is computed first (:func:`is_costly`, in
   :mod:`speedmetal.arrays.deferred.graph`).
3. A kernel reads an element more than once, and the element is costly: the call of a kernel of ours
   says so (:class:`~speedmetal.arrays.deferred.pending.Call`), and of a user's own kernel
   :class:`~speedmetal.launch.launcher.Launcher` finds it out.
4. An expression would exceed what one kernel does well, or a chain of calls becomes long
   (:mod:`speedmetal.arrays.deferred.graph`).
5. Memory is about to be written to: what will read it is computed before (:func:`before_write`).
6. The result of a call is read by an expression. But where that reads it as it lies, nobody else
   sees it and the call's kernel says that it can, the kernel stores the expression's elements in
   the result's place (:mod:`speedmetal.arrays.deferred.following`).

Nothing else makes any. An evaluation walks over what must be there first without recursion, so that
no graph is too deep for it.
"""

from __future__ import annotations

import threading
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

from speedmetal.arrays.deferred.computing import (
    compute,
    compute_into,
    compute_together,
    fits_together,
    lies_alike,
)
from speedmetal.arrays.deferred.failures import note_origins
from speedmetal.arrays.deferred.following import Follower, follower_of
from speedmetal.arrays.deferred.origins import evaluates
from speedmetal.arrays.deferred.pending import Call, LazyArray, View, drop_computed, drop_some
from speedmetal.arrays.memory.copying import assign, reads_before_writing
from speedmetal.backends.launch_names import Naming, launches_of
from speedmetal.frontend.structure import COSTLY_FROM, Structure
from speedmetal.launch.expressions import Number

_lock = threading.RLock()

_is_at_once: ContextVar[bool] = ContextVar("is_at_once", default=False)


class AtOnce:
    """How many say now, in any thread, that operations are computed at once: mostly nobody."""

    count = 0


@contextmanager
def at_once() -> Iterator[None]:
    """Compute each operation when it is written, in this thread or task."""
    token = _is_at_once.set(True)
    AtOnce.count += 1
    try:
        yield
    finally:
        AtOnce.count -= 1
        _is_at_once.reset(token)


def evaluating_alone() -> AbstractContextManager[Any]:
    """Have other threads evaluate nothing meanwhile."""
    return _lock


def compute_at_once(array: LazyArray) -> None:
    """Compute a new array if operations are to be computed at once."""
    if _is_at_once.get():
        evaluate((array,))


def is_costly(structure: Structure) -> bool:
    """Whether an element is sooner read than computed."""
    return structure.cost >= COSTLY_FROM


@evaluates
def evaluate(arrays: Iterable[LazyArray]) -> None:
    """Make the memory of these arrays, and of what they need.

    Raises:
        DeviceError: There is not enough; the arrays stay lazy.
    """
    drop_some()
    with _lock:
        waiting = [array for array in arrays if array.pending is not None]
        while waiting:
            array = waiting[-1]
            follower = follower_of(array)
            if follower is not None:
                together = [array]
                needed = _needed_by_follower(follower)
            else:
                together = computed_with(waiting) if type(array.pending) is Structure else [array]
                needed = [other for other in needed_before(array) if not _is_among(other, together)]
            if needed:
                waiting += needed
                continue
            waiting.pop()
            try:
                (_compute_named if Naming.count else _compute)(array, together, follower)
            except Exception as error:
                note_origins(error, together)
                raise


def _compute(array: LazyArray, together: list[LazyArray], follower: Follower | None) -> None:
    if follower is not None:
        _make_follower(follower)
    elif len(together) > 1:
        compute_together(together)
    elif type(array.pending) is Structure:
        compute(array)
    elif array.pending is not None:
        _make(array, array.pending)


def _compute_named(array: LazyArray, together: list[LazyArray], follower: Follower | None) -> None:
    """As :func:`_compute`, with names of the launches for those who record them."""
    from speedmetal.arrays.deferred.wording import described  # most programs record none

    known = [each for each in together if type(each.pending) in (Structure, Call)]
    with launches_of(" and ".join(map(described, known))):
        _compute(array, together, follower)


_MOST_TOGETHER = 8
_LOOKED_AT = 32


def computed_with(
    waiting: Sequence[LazyArray], made: Container[int] = frozenset()
) -> list[LazyArray]:
    """The last of the arrays that wait, and others that one kernel computes along with it.

    They are expressions whose elements lie alike: its lazy leaves, which come first, and what waits
    besides.

    Args:
        waiting: In the order in which they were found to be needed.
        made: The ``id`` of those that are taken to be in memory, though they are lazy.
    """
    array = waiting[-1]
    leaves = _lazy_leaves(array) if array.depth else []
    if len(waiting) == 1 and not leaves:
        return [array]
    found: list[LazyArray] = []
    while _join_one(leaves, array, found, made, _MOST_TOGETHER - 1):
        pass  # a leaf may read another one that comes behind it
    if not all(id(leaf) in made or _is_among(leaf, found) for leaf in leaves):
        return [array]
    found.append(array)
    others = waiting[-_LOOKED_AT:-1]
    while _join_one(others, array, found, made, _MOST_TOGETHER):
        pass
    return found if fits_together(found) else [array]


def _join_one(
    others: Sequence[LazyArray],
    array: LazyArray,
    found: list[LazyArray],
    made: Container[int],
    most: int,
) -> bool:
    """Add the first of some expressions that one kernel computes along with an array.

    All that it reads is in memory, or among those found. Returns whether there is one.
    """
    if len(found) >= most:
        return False
    for other in others:
        is_waiting = type(other.pending) is Structure and id(other) not in made
        if not is_waiting or other is array or _is_among(other, found):
            continue
        needed = _lazy_leaves(other) if other.depth else []
        is_ready = all(id(leaf) in made or _is_among(leaf, found) for leaf in needed)
        if is_ready and lies_alike(other, array):
            found.append(other)
            return True
    return False


def _is_among(array: LazyArray, arrays: list[LazyArray]) -> bool:
    return any(array is other for other in arrays)


@evaluates
def evaluate_one(array: LazyArray) -> None:
    """As :func:`evaluate`; in less time for what needs nothing before."""
    if Naming.count or not _needs_nothing(array):
        evaluate((array,))
        return
    drop_some()
    with _lock:
        try:
            if type(array.pending) is Structure:
                compute(array)
            elif array.pending is not None:  # another thread may have been sooner
                _make(array, array.pending)
        except Exception as error:
            note_origins(error, (array,))
            raise


def _needs_nothing(array: LazyArray) -> bool:
    pending = array.pending
    if type(pending) is Structure:
        return bool(array.depth == 0)
    # A depth of 1: what it reads is in memory, or an expression of what is.
    return type(pending) is Call and pending.depth == 1 and pending.reads == 1


def before_write(array: LazyArray) -> bool:
    """Compute what waits to read memory that is about to be written to.

    Args:
        array: Whose elements will be written; its memory is made if it is not there.

    Returns:
        Whether anything waited.
    """
    if array.pending is not None:
        evaluate((array,))
    readers = [reader for reader in drop_computed() if _will_read(reader, array)]
    evaluate(readers)
    return bool(readers)


def _will_read(reader: LazyArray, array: LazyArray) -> bool:
    """Whether a lazy array reads bytes of an array in memory."""
    return any(array.shares_bytes(memory) for memory in memory_read(reader))


def memory_read(reader: LazyArray) -> list[LazyArray]:
    """The arrays in memory that a lazy array is computed from, but for what is lazy itself."""
    pending = reader.pending
    operands = pending.operands if type(pending) is Call else reader.leaves
    return [memory for memory in map(_memory_of, operands) if memory is not None]


def _memory_of(operand: Any) -> LazyArray | None:
    """The array in memory that an operand reads, if it is one, or a view of one.

    What it reads while it is lazy itself, it is noted for.
    """
    if type(operand) is Number:
        return None
    if type(operand.pending) is View:
        operand = operand.pending.base
    return operand if operand.pending is None else None


def needed_before(array: LazyArray) -> list[LazyArray]:
    """The arrays whose memory must be there before this one's can be made."""
    pending = array.pending
    if type(pending) is Structure:
        follower = follower_of(array)
        if follower is not None:
            return _needed_by_follower(follower)
        return _lazy_leaves(array) if array.depth else []
    if type(pending) is View:
        return [pending.base] if pending.base.pending is not None else []
    return _needed_by_call(pending) if type(pending) is Call else []


def _needed_by_call(call: Call) -> list[LazyArray]:
    needed: list[LazyArray] = []
    for operand in call.operands:
        pending = operand.pending
        if type(pending) is not Structure:
            needed += [operand] if pending is not None else []
        elif call.reads > 1 and is_costly(pending):
            needed.append(operand)
        else:
            needed += _lazy_leaves(operand)
    return needed


def _needed_by_follower(follower: Follower) -> list[LazyArray]:
    others = [leaf for leaf in follower.arrays if leaf.pending is not None]
    return others + _needed_by_call(follower.call)


def _lazy_leaves(array: LazyArray) -> list[LazyArray]:
    return [leaf for leaf in array.leaves if type(leaf) is not Number and leaf.pending is not None]


def _make(array: LazyArray, pending: Any) -> None:
    if type(pending) is View:
        array.occupy(pending.base.buffer)
        return
    assert type(pending) is Call
    made = pending.run()
    for known, result in zip(pending.results, made, strict=True):
        waiting = known()
        if waiting is not None and waiting.pending is not None:
            waiting.occupy(result.buffer, result.elements)


def _make_follower(follower: Follower) -> None:
    """Compute a call with what follows its result, which itself stays lazy, and is gone then."""
    (made,) = follower.call.run(follower)
    follower.array.occupy(made.buffer, made.elements)


@evaluates
def assign_lazily(target: LazyArray, source: LazyArray) -> None:
    """Write an array's elements to another's, straight from what they are computed from.

    Args:
        target: Its memory is there, and nothing waits to read it.
        source: On the same device, of a shape that is broadcast to the target's.

    Raises:
        ValueError: It cannot be broadcast.
    """
    if type(source.pending) is Structure and source.layout.shape == target.layout.shape:
        if source.depth:
            evaluate(_lazy_leaves(source))
        is_apart = all(
            type(leaf) is Number or reads_before_writing(target, leaf) for leaf in source.leaves
        )
        if is_apart and source.elements.size and source.elements.dtype is target.elements.dtype:
            try:
                if Naming.count:
                    _compute_into_named(target, source)
                else:
                    compute_into(target, source)
            except Exception as error:
                note_origins(error, (source,))
                raise
            return
    assign(target, source)


def _compute_into_named(target: LazyArray, source: LazyArray) -> None:
    from speedmetal.arrays.deferred.wording import described  # as in `_compute_named`

    with launches_of(described(source)):
        compute_into(target, source)
