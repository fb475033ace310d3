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
from speedmetal.launch.readers import read_each, read_leaves

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


@record(eq=False)
class _JointPlan:
    """What computes several expressions at once, from arrays of the same layouts.

    Args:
        run: As in :class:`_Plan`, with the addresses of all results first.
        sizes: Of the results, in bytes.
        order: The places of the leaves that the kernel takes, among all, in its order.
        moves: As in :class:`_Plan`.
    """

    run: BoundLaunch
    sizes: tuple[int, ...]
    order: tuple[int, ...]
    moves: Moves


_joint_plans: Kept[_JointPlan] = Kept(1024)


class _Joint:
    """Expressions of one kernel, what they are made of, and which have which leaf in common.

    Attributes:
        arrays: The expressions.
        leaves: Of all, each once.
        places: Of each expression a number for each leaf: its place among ``leaves``, or where it
            is an expression before this one, that one's place, counted from the end.
    """

    def __init__(self, arrays: Sequence[LazyArray]) -> None:
        self.arrays = arrays
        self.leaves: list[Any] = []
        self.places: list[tuple[int, ...]] = []
        known: dict[int, int] = {}
        for number, array in enumerate(arrays):
            for leaf in array.leaves:
                if id(leaf) not in known:
                    known[id(leaf)] = len(self.leaves)
                    self.leaves.append(leaf)
            self.places.append(tuple(known[id(leaf)] for leaf in array.leaves))
            known[id(array)] = number - len(arrays)

    def key(self) -> list[Any]:
        """What the kernel depends on besides the leaves' layouts."""
        parts = zip(self.arrays, self.places, strict=True)
        return [part for array, place in parts for part in (array.pending, array.layout, place)]


def compute_together(arrays: list[LazyArray]) -> None:
    """Compute expressions whose elements lie alike, what they share once.

    Args:
        arrays: Those that are leaves of others come first; no other leaf is lazy.
    """
    joint = _Joint(arrays)
    key = [_math_mode.get(), *joint.key()]
    read_leaves(joint, key, [])
    plan = _joint_plans.get(tuple(key))
    if plan is None:
        plan = _joint_plans.keep(tuple(key), _joint_plan_for(joint))
    device = arrays[0].layout.device
    buffers = [device.allocate(size) for size in plan.sizes]
    values = [0, *(buffer.address for buffer in buffers)]
    read_each([joint.leaves[place] for place in plan.order], [], values)
    for place, distance in plan.moves:
        values[place] += distance
    plan.run(values)
    for array, buffer in zip(arrays, buffers, strict=True):
        array.occupy(buffer)


def _joint_plan_for(joint: _Joint) -> _JointPlan:
    from speedmetal.arrays.kernels.copy import copy_together

    sizes = tuple(array.elements.nbytes for array in joint.arrays)
    if not joint.arrays[0].elements.size:
        return _JointPlan(_run_nothing, sizes, (), ())
    computed, order = _join(joint)
    leaves = [joint.leaves[place] for place in order]
    shape = joint.arrays[0].elements.shape
    targets = [array.allocate_alike() for array in joint.arrays]
    layouts = in_order_of_memory(
        *(target.elements for target in targets),
        *(leaf.elements.broadcast_to(shape) for leaf in leaves if type(leaf) is not Number),
    )
    places = layouts[: len(targets)]
    found, moves = moved(leaves, layouts[len(targets) :], 1 + len(targets))
    own = tuple(
        (1 + number, place.offset - target.elements.offset)
        for number, (target, place) in enumerate(zip(targets, places, strict=True))
        if place.offset != target.elements.offset
    )
    written = tuple(t.with_elements(place) for t, place in zip(targets, places, strict=True))
    grid = grid_of(places[0].shape)
    plan = copy_together.prepare(written, Expression(computed, found, places[0].shape), grid=grid)
    return _JointPlan(plan.run, sizes, order, own + moves)


def _join(joint: _Joint) -> tuple[Structure, tuple[int, ...]]:
    """One structure for all, and the places of its leaves among the leaves of all."""
    nodes: list[Node] = []
    for array, places in zip(joint.arrays, joint.places, strict=True):
        given = []
        for place, dtype in zip(places, array.pending.leaf_types, strict=True):
            if place < 0:
                given.append(nodes[place + len(joint.arrays)])
                continue
            kind = NUMBER if type(joint.leaves[place]) is Number else LEAF
            given.append((structure.leaf(dtype, kind), (place,)))
        nodes.append(structure.substitute(array.pending, given))
    return structure.join(TUPLE, nodes, joint.arrays[0].pending.dtype)
