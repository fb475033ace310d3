"""Kernels that compute elementwise expressions into memory.

What is the same between evaluations of one structure, from arrays of the same layouts, is a *plan*,
kept by a key that takes a look at each leaf.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from speedmetal.arrays.deferred.pending import LazyArray
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.placement import Moves, grid_of, in_order_of_memory, moved
from speedmetal.backends.device import BoundLaunch
from speedmetal.common.records import record
from speedmetal.frontend import structure
from speedmetal.frontend.structure import LEAF, NUMBER, TUPLE, Node, Structure
from speedmetal.launch.expressions import FEW_LEAVES, Expression, Number, shared_memory
from speedmetal.launch.modes import stated_math_mode
from speedmetal.launch.readers import read_leaves

MOST_NODES = 128
"""Operations of one kernel. Beyond, compiling takes longer than what is saved."""
MOST_ARRAYS = 24
"""Arrays that one kernel reads: Metal binds 31 buffers."""
MOST_LEAVES = 96

_math_mode = stated_math_mode


def fits(computed: Structure, leaves: Sequence[Any]) -> bool:
    """Whether one kernel computes it well."""
    arrays = sum(type(leaf) is not Number for leaf in leaves)
    if arrays > MOST_ARRAYS or len(leaves) > MOST_LEAVES:
        return False
    # Nodes are counted where there may be too many: it takes as long as to make the last of them.
    return computed.most_nodes <= MOST_NODES or (
        len(structure.ordered_nodes(computed)) <= MOST_NODES
    )


@record(eq=False)
class _Plan:
    """What computes expressions of one structure, from arrays of the same layouts.

    Args:
        run: Launches the kernel, with the addresses of the result and of the leaves.
        size_bytes: Of the result.
        moves: How far the first element of the kernel is from that of the result, and of each leaf,
            in bytes, by its place among the values; those that do not move are left out.
    """

    run: BoundLaunch
    size_bytes: int
    moves: tuple[tuple[int, int], ...]


_plans: Kept[_Plan] = Kept(4096)


# In one piece: small arrays are computed often, and each call costs a twentieth of all.
def compute(array: LazyArray) -> None:
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
        plan = _plans.keep(tuple(key), _plan_for(array))
    buffer = array.layout.device.allocate(plan.size_bytes)
    values[1] = buffer.address
    for place, distance in plan.moves:
        values[place] += distance
    plan.run(values)
    array.occupy(buffer)


def _plan_for(array: LazyArray) -> _Plan:
    elements = array.elements
    if not elements.size:
        return _Plan(_run_nothing, elements.nbytes, ())
    return plan_into(array.allocate_alike(), array)


def plan_into(target: Any, source: Any) -> _Plan:
    """What computes an expression into an array's memory, whose first address comes first."""
    from speedmetal.arrays.kernels.copy import copy  # with its first use, as in `copying`

    place, leaves, moves = placed(target.elements, source.leaves)
    expression = Expression(source.pending, leaves, place.shape)
    arguments = (target.with_elements(place), expression)
    plan = copy.prepare(*arguments, grid=grid_of(place.shape))
    return _Plan(plan.run, target.elements.nbytes, moves)


def placed(target: Layout, leaves: tuple[Any, ...]) -> tuple[Layout, tuple[Any, ...], Moves]:
    """A target's and leaves' elements on as few axes as possible, sorted as the target lies.

    Returns:
        The target's layout, the leaves, and how far each has moved, see :class:`_Plan`.
    """
    arrays = [leaf for leaf in leaves if type(leaf) is not Number]
    wide = [array.elements.broadcast_to(target.shape) for array in arrays]
    place, *layouts = in_order_of_memory(target, *wide)
    found, moves = moved(leaves, layouts, 2)
    own = ((1, place.offset - target.offset),) if place.offset != target.offset else ()
    return place, found, own + moves


def _run_nothing(_values: list[Any]) -> None:
    pass


_plans_into: Kept[_Plan] = Kept(1024)


def compute_into(target: LazyArray, source: LazyArray) -> None:
    """Compute an expression, no leaf of which is lazy, into an array's memory."""
    key: list[Any] = [source.pending, target.layout, source.layout, _math_mode.get()]
    values = [0, target.address]
    read_leaves(source, key, values)
    plan = _plans_into.get(tuple(key))
    if plan is None:
        plan = _plans_into.keep(tuple(key), plan_into(target, source))
    for place, distance in plan.moves:
        values[place] += distance
    plan.run(values)


# --- Several at once -----------------------------------------------------------------------------


def lies_alike(one: LazyArray, other: LazyArray) -> bool:
    """Whether the elements of two arrays are on one device and in the same order in memory."""
    if one.layout.device is not other.layout.device or one.layout.shape != other.layout.shape:
        return False
    return _order(one.elements) == _order(other.elements)


def _order(elements: Layout) -> list[int]:
    return [stride // elements.itemsize for stride in elements.strides]


def fits_together(arrays: list[LazyArray]) -> bool:
    """Whether one kernel computes all of these expressions well."""
    nodes = sum(len(structure.ordered_nodes(array.pending)) for array in arrays)
    leaves = {id(leaf) for array in arrays for leaf in array.leaves if type(leaf) is not Number}
    return nodes <= MOST_NODES and len(leaves) + len(arrays) <= MOST_ARRAYS


def compute_together(arrays: list[LazyArray]) -> None:
    """Compute expressions whose elements lie alike, what they share once.

    Args:
        arrays: Those that are leaves of others come first; no other leaf is lazy.
    """
    joint, leaves = _join(arrays)
    targets = [array.allocate_alike() for array in arrays]
    if arrays[0].elements.size:
        _run_together(targets, joint, leaves)
    for array, target in zip(arrays, targets, strict=True):
        array.occupy(target.buffer)


def _run_together(targets: list[Any], joint: Structure, leaves: tuple[Any, ...]) -> None:
    from speedmetal.arrays.kernels.copy import copy_together

    shape = targets[0].elements.shape
    arrays = [leaf for leaf in leaves if type(leaf) is not Number]
    layouts = in_order_of_memory(
        *(target.elements for target in targets),
        *(array.elements.broadcast_to(shape) for array in arrays),
    )
    places = layouts[: len(targets)]
    remaining = iter(layouts[len(targets) :])
    placed_leaves = tuple(
        leaf if type(leaf) is Number else leaf.with_elements(next(remaining)) for leaf in leaves
    )
    expression = Expression(joint, placed_leaves, places[0].shape)
    written = tuple(t.with_elements(place) for t, place in zip(targets, places, strict=True))
    copy_together(written, expression, grid=grid_of(places[0].shape), debug=0)


def _join(arrays: list[LazyArray]) -> tuple[Structure, tuple[Any, ...]]:
    """One structure for all, over the leaves of all, each once."""
    leaves: dict[int, Any] = {}
    places: dict[int, int] = {}
    known: dict[int, Node] = {}
    nodes = []
    for array in arrays:
        given = []
        for leaf, dtype in zip(array.leaves, array.pending.leaf_types, strict=True):
            if id(leaf) in known:
                given.append(known[id(leaf)])
                continue
            place = places.setdefault(id(leaf), len(places))
            leaves[place] = leaf
            kind = NUMBER if type(leaf) is Number else LEAF
            given.append((structure.leaf(dtype, kind), (place,)))
        known[id(array)] = structure.substitute(array.pending, given)
        nodes.append(known[id(array)])
    joint, numbers = structure.join(TUPLE, nodes, arrays[0].pending.dtype)
    return joint, tuple(leaves[number] for number in numbers)
