"""When memory is made for lazy arrays, and by which kernels.

The rules, all of them:

1. A value is asked for: ``sm.eval``, printing, conversion, ``bool()``, DLPack, an index by value,
   a routine that needs memory, a kernel that writes to it.
2. An array is read a second time, and to compute it costs more than to store it: then it is a leaf
   of what reads it, and is computed first (:func:`is_costly`, in :mod:`speedmetal.arrays.graph`).
3. A kernel reads an element more than once (its :class:`~speedmetal.arrays.pending.Call` says so),
   and the element is costly.
4. An expression would exceed what one kernel does well, or a chain of calls becomes long
   (:mod:`speedmetal.arrays.graph`).
5. Memory is about to be written to: what will read it is computed before (:func:`before_write`).

Nothing else makes any. An evaluation walks over what must be there first without recursion, so that
no graph is too deep for it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from speedmetal.arrays.copying import assign, reads_before_writing
from speedmetal.arrays.layout import Layout
from speedmetal.arrays.pending import Call, LazyArray, View, drop_computed, drop_some
from speedmetal.arrays.placement import grid_of, in_order_of_memory
from speedmetal.backends.device import BoundLaunch
from speedmetal.common.records import record
from speedmetal.frontend.structure import Structure
from speedmetal.launch.expressions import FEW_LEAVES, Expression, Number, shared_memory
from speedmetal.launch.modes import stated_math_mode
from speedmetal.launch.readers import read_leaves

COSTLY_FROM = 12
"""The cost of an expression, see :class:`Structure`, from which to store it costs less than to
compute it again: a store and a load of an element take about as long as so many additions."""

_PLANS_KEPT = 4096

_lock = threading.RLock()
_math_mode = stated_math_mode


def is_costly(structure: Structure) -> bool:
    """Whether an element is sooner read than computed."""
    return structure.cost >= COSTLY_FROM


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
            needed = _needed_before(array)
            if needed:
                waiting += needed
                continue
            waiting.pop()
            if type(array.pending) is Structure:
                _compute(array)
            elif array.pending is not None:
                _make(array, array.pending)


def evaluate_one(array: LazyArray) -> None:
    """As :func:`evaluate`; in less time for what needs nothing before."""
    if array.depth == 0 and type(array.pending) is Structure:
        drop_some()
        with _lock:
            if array.pending is not None:  # another thread may have been sooner
                _compute(array)
    else:
        evaluate((array,))


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
    pending = reader.pending
    operands = pending.operands if type(pending) is Call else reader.leaves
    return any(
        memory is not None and array.shares_bytes(memory) for memory in map(_memory_of, operands)
    )


def _memory_of(operand: Any) -> LazyArray | None:
    """The array in memory that an operand reads, if it is one, or a view of one.

    What it reads while it is lazy itself, it is noted for.
    """
    if type(operand) is Number:
        return None
    if type(operand.pending) is View:
        operand = operand.pending.base
    return operand if operand.pending is None else None


def _needed_before(array: LazyArray) -> list[LazyArray]:
    """The arrays whose memory must be there before this one's can be made."""
    pending = array.pending
    if type(pending) is Structure:
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
            _compute_into(target, source)
            return
    assign(target, source)


def _compute_into(target: LazyArray, source: LazyArray) -> None:
    plan = plan_into(target, source)
    values = [0, target.address]
    read_leaves(source, [], values)
    for place, distance in plan.moves:
        values[place] += distance
    plan.run(values)


# --- Elementwise expressions -------------------------------------------------------------------


@record(eq=False)
class _Plan:
    """What computes expressions of one structure, from arrays of the same layouts.

    Args:
        run: Launches the kernel, with the addresses of the result and of the leaves.
        size_bytes: Of the result.
        moves: How far the first element that the kernel reads is from each leaf's, in bytes, by its
            place among the values; those that do not move are left out.
    """

    run: BoundLaunch
    size_bytes: int
    moves: tuple[tuple[int, int], ...]


_plans: dict[tuple[Any, ...], _Plan] = {}


# In one piece: small arrays are computed often, and each call costs a twentieth of all.
def _compute(array: LazyArray) -> None:
    """Compute an expression into new memory."""
    key: list[Any] = [array.pending, array.layout, _math_mode.get()]
    values: list[Any] = [0, None]
    for leaf in array.leaves:
        if type(leaf) is not Number:
            key.append(leaf.layout)
            values.append(leaf.address)
        elif type(leaf.value) is complex:
            values += (leaf.value.real, leaf.value.imag)
        else:
            values.append(leaf.value)
    if len(key) > FEW_LEAVES:
        key.append(shared_memory(array))
    plan = _plans.get(tuple(key))
    if plan is None:
        plan = _remember(tuple(key), _plan_for(array))
    buffer = array.layout.device.allocate(plan.size_bytes)
    values[1] = buffer.address
    for place, distance in plan.moves:
        values[place] += distance
    plan.run(values)
    array.occupy(buffer)


def _remember(key: tuple[Any, ...], plan: _Plan) -> _Plan:
    if len(_plans) >= _PLANS_KEPT:
        _plans.clear()
    _plans[key] = plan
    return plan


def _plan_for(array: LazyArray) -> _Plan:
    elements = array.elements
    if not elements.size:
        return _Plan(_run_nothing, elements.nbytes, ())
    target = array.allocate(elements.shape, elements.dtype, array.layout.device)
    target = target.with_elements(elements)
    return plan_into(target, array)


def plan_into(target: Any, source: Any) -> _Plan:
    """What computes an expression into an array's memory, whose first address comes first."""
    from speedmetal.arrays.kernels.copy import copy  # with its first use, as in `copying`

    place, leaves, moves = placed(target.elements, source.leaves)
    expression = Expression(source.pending, leaves, place.shape)
    arguments = (target.with_elements(place), expression)
    plan = copy.prepare(*arguments, grid=grid_of(place.shape))
    return _Plan(plan.run, target.elements.nbytes, moves)


def placed(
    target: Layout, leaves: tuple[Any, ...]
) -> tuple[Layout, tuple[Any, ...], tuple[tuple[int, int], ...]]:
    """A target's and leaves' elements on as few axes as possible, sorted as the target lies.

    Returns:
        The target's layout, the leaves, and how far each has moved, see :class:`_Plan`.
    """
    arrays = [leaf for leaf in leaves if type(leaf) is not Number]
    wide = [array.elements.broadcast_to(target.shape) for array in arrays]
    place, *layouts = in_order_of_memory(target, *wide)
    found: list[Any] = []
    moves: list[tuple[int, int]] = []
    position = 2
    remaining = iter(layouts)
    for leaf in leaves:
        if type(leaf) is Number:
            found.append(leaf)
            position += 2 if type(leaf.value) is complex else 1
            continue
        layout = next(remaining)
        distance = layout.offset - leaf.elements.offset
        if distance:
            moves.append((position, distance))
        found.append(leaf.with_elements(layout))
        position += 1
    return place, tuple(found), tuple(moves)


def _run_nothing(_values: list[Any]) -> None:
    pass
