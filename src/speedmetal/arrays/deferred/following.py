"""Followers: elementwise expressions of a call's result that its kernel computes as it stores.

``softmax(x) * mask + b`` would be a kernel for the softmax, whose result is stored, and another one
that loads it. Where nobody else sees that result, the first kernel stores the expression's elements
in its place: it is given a :class:`~speedmetal.launch.expressions.Followed` for its target.

Who waits for what is told by counting references. A count that is too high costs a kernel; one that
is too low, because another thread takes hold of the result meanwhile, costs that the result is
computed once more: it stays lazy all the same.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

from speedmetal.arrays.deferred.computing import MOST_ARRAYS, lies_alike
from speedmetal.arrays.deferred.pending import Call, LazyArray
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.placement import Moves, moved
from speedmetal.arrays.memory.strided import fresh_layout
from speedmetal.backends.device import Device, LaunchLayout
from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.frontend.structure import Structure
from speedmetal.launch.expressions import FEW_LEAVES, Followed, Number
from speedmetal.launch.readers import read_leaves


@record(eq=False)
class Follower:
    """An expression that follows a call.

    Args:
        array: The lazy array that it makes.
        hole: The number of its leaf that is the call's result.
        call: What it follows.
    """

    array: LazyArray
    hole: int
    call: Call

    @property
    def leaves(self) -> tuple[Any, ...]:
        """What it reads besides the call's result: arrays in memory, and numbers."""
        leaves: tuple[Any, ...] = self.array.leaves
        return leaves[: self.hole] + leaves[self.hole + 1 :]

    @property
    def arrays(self) -> list[Any]:
        """The arrays among these."""
        return [leaf for leaf in self.leaves if type(leaf) is not Number]

    def read(self, key: list[Any], values: list[Any]) -> None:
        """Add to a launch's key what a plan depends on, and to its values those of the leaves."""
        key += (self.array.pending, self.hole)
        read_leaves(self, key, values)


def _references(holder: Any, place: int) -> int:
    return sys.getrefcount(holder[place])


class _Holder:
    """As an array holds its leaves."""

    __slots__ = ("leaves",)

    def __init__(self) -> None:
        self.leaves = (object(),)


def _references_to_leaves(array: Any) -> int:
    return sys.getrefcount(array.leaves)


# How much Python itself counts while it counts differs between its versions.
_ALONE = _references((object(),), 0)
_LEAVES_ALONE = _references_to_leaves(_Holder())


def follower_of(array: LazyArray) -> Follower | None:
    """The array as a follower of a call whose result it alone reads; None: it is none.

    Args:
        array: Any one.
    """
    if not array.depth or type(array.pending) is not Structure:
        return None
    if _references_to_leaves(array) > _LEAVES_ALONE:
        return None  # other arrays read these leaves as well
    leaves = array.leaves
    for hole in range(len(leaves)):  # `enumerate` would hold a reference
        if _is_taken(leaves[hole]) and _references(leaves, hole) <= _ALONE:
            follower = Follower(array, hole, leaves[hole].pending)
            if lies_alike(leaves[hole], array) and _are_few(follower) and _takes(follower):
                return follower
    return None


def _is_taken(leaf: Any) -> bool:
    """Whether a leaf is the result of a call that takes followers."""
    return type(leaf) is not Number and type(leaf.pending) is Call and bool(leaf.pending.takes)


def _takes(follower: Follower) -> bool:
    takes = follower.call.takes
    return takes is not None and takes(follower)


def _are_few(follower: Follower) -> bool:
    """Whether one kernel can be given so many arrays: its target, and one for totals, besides."""
    if len(follower.array.leaves) > FEW_LEAVES:
        return False
    operands = follower.call.operands
    read = [x.leaves if type(x.pending) is Structure else (x,) for x in operands]
    arrays = sum(type(leaf) is not Number for leaves in read for leaf in leaves)
    return arrays + len(follower.arrays) <= MOST_ARRAYS


# --- What calls take -----------------------------------------------------------------------------


def takes_any(_follower: Follower) -> bool:
    """Of a call whose kernel computes any follower."""
    return True


def takes_alike(follower: Follower) -> bool:
    """Of a call whose kernel takes its elements for those of a vector."""
    shape = follower.array.layout.shape
    return all(
        leaf.elements.size == 1 or (leaf.layout.shape == shape and lies_alike(leaf, follower.array))
        for leaf in follower.arrays
    )


# --- For plans -----------------------------------------------------------------------------------


def result_layouts(
    follower: Follower | None, shape: tuple[int, ...], dtype: DType, device: Device
) -> tuple[Layout, LaunchLayout, int]:
    """All about the memory of a call's result, or of its follower's.

    Args:
        follower: None: there is none.
        shape: Of the call's result.
        dtype: Of that.
        device: Where it is.
    """
    return fresh_layout(shape, dtype if follower is None else follower.array.layout.dtype, device)


def follower_layouts(follower: Follower | None, shape: tuple[int, ...]) -> list[Layout]:
    """For each array that a follower reads, where its elements are for those of the result."""
    if follower is None:
        return []
    return [array.elements.broadcast_to(shape) for array in follower.arrays]


def totals_layouts(
    follower: Follower | None, shape: tuple[int, ...], is_reduced: Sequence[bool]
) -> list[Layout]:
    """The same of a reduction, for those of what it reduces: along reduced axes all are one.

    Args:
        follower: None: there is none.
        shape: Of what is reduced.
        is_reduced: For each axis of it. The result has these axes with extent 1, or not at all; or
            it has one element, and any axes.
    """
    if follower is None:
        return []
    result = follower.array.layout.shape
    found = []
    for layout in follower_layouts(follower, result):
        if len(result) == len(shape):
            strides = [*layout.strides]
        else:
            remaining = iter(layout.strides)
            strides = [0 if gone else next(remaining, 0) for gone in is_reduced]
        whole = [0 if gone else step for gone, step in zip(is_reduced, strides, strict=True)]
        found.append(Layout(layout.dtype, shape, tuple(whole), layout.offset))
    return found


def takes_over(axes: tuple[int, ...], follower: Follower) -> bool:
    """Of a reduction over axes, which neither adds up in another order because of its follower.

    What it adds up in which order depends on how many elements its columns are, when axes that lie
    close are one. Those of a follower's arrays may not be.
    """
    if takes_alike(follower):
        return True
    elements = follower.call.operands[0].elements
    # Those along which elements repeat themselves are sorted first.
    steps = [abs(step) or math.inf for step in elements.strides]
    wide = [axis for axis, extent in enumerate(elements.shape) if extent > 1]
    first = max((steps[axis] for axis in wide if axis in axes), default=0)
    behind = [axis for axis in wide if axis not in axes and steps[axis] <= first]
    return len(behind) <= 1


def followed(
    follower: Follower | None, target: Any, layouts: Sequence[Layout]
) -> tuple[Any, Moves]:
    """A target as an argument of a kernel.

    Args:
        follower: None: the target gets what the kernel stores.
        target: In memory.
        layouts: Those of :func:`follower_layouts`, on the axes of the target.

    Returns:
        The argument, and how far its arrays have moved; the target is the first of the values.
    """
    if follower is None:
        return target, ()
    leaves, moves = moved(follower.leaves, layouts, 2)
    return Followed(follower.array.pending, follower.hole, leaves, target), moves


def count_values(follower: Follower | None) -> int:
    """How many of a launch's values are those of a follower's leaves."""
    leaves = () if follower is None else follower.leaves
    return sum(2 if type(leaf) is Number and type(leaf.value) is complex else 1 for leaf in leaves)
