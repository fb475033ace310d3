"""Elementwise operations on arrays, which make no memory: the nodes of the graph.

A node costs one look-up: what an operation makes of operands of these structures and layouts is a
:class:`_Recipe`, found once. The operands' leaves are joined, so that a node knows what it is
computed from, and nothing in between is kept.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from speedmetal.arrays.deferred import schedule
from speedmetal.arrays.deferred.computing import fits
from speedmetal.arrays.deferred.lazy import Lazy, lazy_array
from speedmetal.arrays.deferred.origins import Nobody, note_first
from speedmetal.arrays.deferred.pending import View, note
from speedmetal.arrays.memory.copying import check_computes
from speedmetal.arrays.memory.kept import Kept
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.placement import layout_of_result
from speedmetal.arrays.memory.strided import launch_layout_of
from speedmetal.backends.device import Device, LaunchLayout
from speedmetal.common.records import record
from speedmetal.dtypes import DType, from_numpy
from speedmetal.errors import UserInputError
from speedmetal.frontend.signature import int_type, with_article
from speedmetal.frontend.structure import CAST, COSTLY_FROM, Structure
from speedmetal.launch.expressions import Expression, Number, combine, of_array, packer

MOST_CALLS = 16
"""Calls that may wait for each other."""

_PYTHONS_LEAST, _PYTHONS_GREATEST = -(2**31), 2**31 - 1


@record(eq=False)
class _Recipe:
    """What an operation makes of operands of certain structures and layouts.

    Args:
        array: The class of the result.
        structure: Of the result.
        layout: Of the result, for launches.
        elements: The same as the arithmetic of views.
        packers: For each leaf that is a number, its place and what makes its value of Python's.
        fits: Whether one kernel does it well.
    """

    array: type[Any]
    structure: Structure
    layout: LaunchLayout
    elements: Layout
    packers: tuple[tuple[int, Any], ...]
    fits: bool


_recipes: Kept[_Recipe] = Kept(8192)
_COSTLY_FROM = COSTLY_FROM
_ref = weakref.ref
_new = object.__new__
_AtOnce = schedule.AtOnce
_getframe = sys._getframe  # noqa: SLF001 - documented; nothing else is as fast


# The following are `apply` for what is done most, in less time: each looks its recipe up at once,
# and leaves to `apply` what is more than that. The rule by which an array is joined is the same.


def binary(operation: str, left: Any, right: Any, callers: int = 3) -> Any:
    """The lazy result of an operation on an array and another, an int or a float.

    Args:
        operation: As for :func:`apply`.
        left: An array.
        right: An array of the same class, an int or a float.
        callers: See :func:`_node`.
    """
    kind = type(right)
    if kind is float or kind is int:
        return _numbered(operation, left, right, kind, callers + 1, is_reflected=False)
    if left.pending is None and right.pending is None and left is not right:
        recipe = _recipes.get((operation, None, left.layout, right.layout))
        if recipe is not None:  # which is of one operation, and fits
            left.reads = right.reads = 1
            return _node(recipe, (left, right), 0, callers)
    return _joined(operation, left, right, callers + 1)


def _joined(operation: str, left: Any, right: Any, callers: int) -> Any:
    """The node of an operation on two arrays."""
    pending, other = left.pending, right.pending
    if pending is None:
        leaves: tuple[Any, ...] = (left,)
        key: tuple[Any, ...] = (operation, None, left.layout)
    elif type(pending) is Structure and (not left.reads or pending.cost < _COSTLY_FROM):
        leaves = left.leaves
        key = (operation, None, left.layout, pending)
    else:
        return apply(operation, left, right)
    depth = left.depth
    if other is None:
        for place, leaf in enumerate(leaves):
            if leaf is right:
                key = (*key, right.layout, place)
                return _with_own_leaf(operation, left, right, leaves, key, callers + 1)
        leaves = (*leaves, right)
        key = (*key, right.layout)
    elif type(other) is Structure and (not right.reads or other.cost < _COSTLY_FROM):
        leaves += right.leaves
        key = (*key, right.layout, other)
        depth = max(depth, right.depth)
        names = tuple(map(id, leaves))
        if len(set(names)) < len(names):
            leaves, pattern = _merge(leaves, names)
            key = (*key, pattern)
    else:
        return apply(operation, left, right)
    recipe = _recipes.get(key)
    if recipe is None or not recipe.fits or depth > MOST_CALLS:
        return apply(operation, left, right)
    left.reads = right.reads = 1
    return _node(recipe, leaves, depth, callers)


def _with_own_leaf(
    operation: str,
    left: Any,
    right: Any,
    leaves: tuple[Any, ...],
    key: tuple[Any, ...],
    callers: int,
) -> Any:
    """The node of an operation on an array and one of its leaves, whose place ends the key."""
    recipe = _recipes.get(key)
    if recipe is None:
        made = apply(operation, left, right)
        # The recipe has been found by the pattern of equal leaves, of which the place is a part.
        *rest, place = key
        known = _recipes.get((*rest, (*range(len(leaves)), place)))
        if known is not None:
            _recipes.keep(key, known)
        return made
    if not recipe.fits or left.depth > MOST_CALLS:
        return apply(operation, left, right)
    left.reads = right.reads = 1
    return _node(recipe, leaves, left.depth, callers)


def reflected(operation: str, number: float, array: Any) -> Any:
    """The lazy result of an operation on an int or a float, and an array."""
    return _numbered(operation, array, number, type(number), 4, is_reflected=True)


def _numbered(
    operation: str, array: Any, value: float, kind: type, callers: int, *, is_reflected: bool
) -> Any:
    """The node of an operation on an array and an int or a float, which comes first if reflected.

    Args:
        operation: The operation.
        array: The array.
        value: The number.
        kind: Its type.
        callers: See :func:`_node`.
        is_reflected: Whether it is the first operand.
    """
    pending = array.pending
    number = Number(value)
    if pending is None:
        layout = array.layout
        if is_reflected:
            recipe = _recipes.get((operation, None, kind, layout))
            leaves: tuple[Any, ...] = (number, array)
        else:
            recipe = _recipes.get((operation, None, layout, kind))
            leaves = (array, number)
    elif type(pending) is not Structure or (array.reads and pending.cost >= _COSTLY_FROM):
        recipe = None
        leaves = ()
    elif is_reflected:
        recipe = _recipes.get((operation, None, kind, array.layout, pending))
        leaves = (number, *array.leaves)
    else:
        recipe = _recipes.get((operation, None, array.layout, pending, kind))
        leaves = (*array.leaves, number)
    is_usual = kind is float or _PYTHONS_LEAST <= value <= _PYTHONS_GREATEST
    if recipe is None or not is_usual or not recipe.fits or array.depth > MOST_CALLS:
        operands = (value, array) if is_reflected else (array, value)
        return apply(operation, *operands)
    number.value = recipe.packers[0][1](value)
    array.reads = 1
    return _node(recipe, leaves, array.depth, callers)


def unary(operation: str, array: Any, callers: int = 3) -> Any:
    """The lazy result of an operation on one array; ``callers`` as for :func:`binary`."""
    pending = array.pending
    if pending is None:
        key: tuple[Any, ...] = (operation, None, array.layout)
        leaves: tuple[Any, ...] = (array,)
    elif type(pending) is Structure and (not array.reads or pending.cost < _COSTLY_FROM):
        key = (operation, None, array.layout, pending)
        leaves = array.leaves
    else:
        return apply(operation, array)
    recipe = _recipes.get(key)
    if recipe is None or not recipe.fits or array.depth > MOST_CALLS:
        return apply(operation, array)
    array.reads = 1
    return _node(recipe, leaves, array.depth, callers)


def _node(recipe: _Recipe, leaves: tuple[Any, ...], depth: int, callers: int = 3) -> Any:
    """A node, which knows where it was written, see :mod:`speedmetal.arrays.deferred.origins`.

    Args:
        recipe: Of it.
        leaves: Of it.
        depth: Of it.
        callers: How many calls it is from the user's code to this function, if the user wrote the
            operation; too many would name his function's caller.
    """
    node = _new(recipe.array)
    node.layout = recipe.layout
    node.elements = recipe.elements
    node.pending = recipe.structure
    node.leaves = leaves
    node.depth = depth
    node.reads = 0
    try:
        frame: Any = _getframe(callers)
    except ValueError:  # called by no code of Python's, at its exit for example
        frame = Nobody
    node.written_in = frame.f_code
    node.written_at = frame.f_lasti
    note(_ref(node))
    if _AtOnce.count:
        schedule.compute_at_once(node)
    return node


# In one piece: a node is made for each operation of a program.
def apply(operation: str, *operands: Any, dtype: DType | None = None) -> Any:  # noqa: C901, PLR0912
    """The lazy result of an elementwise operation, broadcast as in the array API.

    Args:
        operation: A name of :data:`speedmetal.frontend.elements.OPERATIONS`, or ``"cast"``.
        operands: Arrays and numbers, an array among them.
        dtype: Of a cast.

    Raises:
        UserInputError: Shapes, dtypes or devices do not go together, or an operand is neither.
    """
    key: list[Any] = [operation, dtype]
    leaves: Any = []
    sources: list[Any] = []
    depth = 0
    for operand in operands:
        kind = type(operand)
        if kind is float or kind is int or not isinstance(operand, Lazy):
            key.append(kind if kind is float else _kind_of_number(operation, operand))
            source: Any = Number(operand)
            leaves.append(source)
        else:
            key.append(operand.layout)
            pending = operand.pending
            if pending is None:
                leaves.append(operand)
                source = operand
            elif type(pending) is Structure and not (
                operand.reads and pending.cost >= _COSTLY_FROM
            ):
                key.append(pending)
                leaves += operand.leaves
                depth = max(depth, operand.depth)
                source = operand
            else:
                source = _read_apart(operand)
                key.append(source.structure)
                leaves += source.leaves
                depth = max(depth, source.depth)
        sources.append(source)
    names = tuple(map(id, leaves))
    if len(set(names)) < len(names):
        leaves, pattern = _merge(leaves, names)
        key.append(pattern)
    recipe = _recipes.get(tuple(key))
    writer = None
    if recipe is None:
        recipe = _recipe_for(operation, operands, sources, leaves, dtype)
        _recipes.keep(tuple(key), recipe)
        writer = note_first(recipe.structure)
    if not recipe.fits or depth > MOST_CALLS:
        return _apply_in_parts(operation, operands, dtype)
    for place, pack in recipe.packers:
        leaves[place].value = pack(leaves[place].value)
    for source in sources:
        if type(source) is recipe.array:
            source.reads = 1
    node = _node(recipe, tuple(leaves), depth)
    if writer is not None:
        node.written_in, node.written_at = writer.f_code, writer.f_lasti
    return node


_Pattern = tuple[int, ...]
_patterns: Kept[tuple[_Pattern, Any]] = Kept(8192)
"""By the identities of leaves, of which all that counts is which are equal: the pattern, and what
takes each leaf once."""


def _merge(leaves: Sequence[Any], names: tuple[int, ...]) -> tuple[tuple[Any, ...], _Pattern]:
    """The leaves, each once, and for each place the first one with the same leaf.

    Args:
        leaves: Some of which are the same.
        names: Their identities.
    """
    known = _patterns.get(names)
    if known is None:
        pattern = tuple(map(names.index, names))
        known = _patterns.keep(names, (pattern, _taker([*dict.fromkeys(pattern)])))
    return known[1](leaves), known[0]


def _taker(places: list[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    if len(places) == 1:
        return lambda leaves: (leaves[places[0]],)
    take: Callable[[Sequence[Any]], tuple[Any, ...]] = itemgetter(*places)
    return take


def _apply_in_parts(operation: str, operands: Sequence[Any], dtype: DType | None) -> Any:
    """The operation on operands that are computed now, where all would be too much for a kernel."""
    schedule.evaluate([operand for operand in operands if isinstance(operand, Lazy)])
    return apply(operation, *operands, dtype=dtype)


@record(eq=False)
class _Source:
    """What stands in an expression for a lazy array that is not joined to it as it is.

    Args:
        structure: Of what is computed in its place; None: the array is a leaf.
        leaves: Of that.
        depth: Of an expression that reads it.
        shape: Of the array.
    """

    structure: Structure | None
    leaves: tuple[Any, ...]
    depth: int
    shape: tuple[int, ...]


def _read_apart(operand: Any) -> _Source:
    shape = operand.layout.shape
    pushed = pushed_down(operand) if type(operand.pending) is View else None
    if pushed is None:
        return _Source(None, (operand,), operand.depth + 1, shape)
    return _Source(pushed.pending, pushed.leaves, pushed.depth, shape)


def pushed_down(array: Any) -> Any:
    """The elements of a view of a lazy expression as an expression of their own; None: impossible.

    It computes no more than the view shows, and shares no memory with the base.
    """
    base, steps = array.pending.base, array.pending.steps
    structure = base.pending
    if type(structure) is not Structure or (schedule.is_costly(structure) and base.reads):
        return None
    leaves: list[Any] = []
    for leaf in base.leaves:
        if type(leaf) is Number:
            leaves.append(leaf)
            continue
        seen = leaf.viewed(_Steps(base.layout.shape, steps))
        if seen is None:
            return None
        leaves.append(seen)
    depth = max((leaf.depth + 1 for leaf in leaves if is_lazy(leaf)), default=0)
    elements = layout_of_result(
        structure.dtype,
        array.layout.shape,
        [leaf.elements for leaf in leaves if type(leaf) is not Number],
    )
    layout = launch_layout_of(elements, array.layout.device, is_readonly=False)
    node = lazy_array(type(array), layout, elements, structure, tuple(leaves), depth)
    node.written_in, node.written_at = base.written_in, base.written_at
    note(_ref(node))
    return node


def peeked(array: Any) -> Any:
    """An array with the same values, for reading alone: of a view no more than it shows."""
    if type(array.pending) is not View:
        return array
    pushed = pushed_down(array)
    return array if pushed is None else pushed


class _Steps:
    """What a view of an expression does to one of its leaves."""

    __slots__ = ("shape", "steps")

    def __init__(self, shape: tuple[int, ...], steps: Sequence[Any]) -> None:
        self.shape = shape
        self.steps = steps

    def __call__(self, elements: Layout) -> Layout | None:
        found: Layout | None = elements.broadcast_to(self.shape)
        for step in self.steps:
            if found is None:
                return None
            found = step(found)
        return found


def is_lazy(leaf: Any) -> bool:
    """Whether a leaf is an array whose memory is not made."""
    return type(leaf) is not Number and leaf.pending is not None


# --- Recipes -----------------------------------------------------------------------------------


def _recipe_for(
    operation: str,
    operands: Sequence[Any],
    sources: Sequence[Any],
    leaves: Sequence[Any],
    dtype: DType | None,
) -> _Recipe:
    arrays = [operand for operand in operands if isinstance(operand, Lazy)]
    device = common_device(operation, arrays)
    parts = [_part(source) for source in sources]
    expression = parts[0].astype(dtype) if operation == CAST else combine(operation, *parts)
    structure, shape = expression.structure, expression.shape
    check_computes(operation, device, structure.dtype, *structure.leaf_types)
    elements = layout_of_result(structure.dtype, shape, [array.elements for array in arrays])
    numbers = {id(source) for source in sources if type(source) is Number}
    packers = tuple(
        (place, packer(operation, structure.leaf_types[place]))
        for place, leaf in enumerate(leaves)
        if id(leaf) in numbers
    )
    layout = launch_layout_of(elements, device, is_readonly=False)
    return _Recipe(type(arrays[0]), structure, layout, elements, packers, fits(structure, leaves))


def common_device(operation: str, arrays: Sequence[Any]) -> Device:
    devices = list({array.layout.device: None for array in arrays})
    if len(devices) > 1:
        names = " and ".join(device.name for device in devices)
        raise UserInputError(
            f"{operation}: the arrays are on {names}; move one of them with x.to(device)"
        )
    found: Device = devices[0]
    return found


def _part(source: Any) -> Any:
    """An operand as `combine` takes it."""
    if type(source) is Number:
        return source.value
    if type(source) is _Source:
        if source.structure is None:
            return of_array(source.leaves[0])
        return Expression(source.structure, source.leaves, source.shape)
    if source.pending is None:
        return of_array(source)
    return Expression(source.pending, source.leaves, source.layout.shape)


def _kind_of_number(operation: str, value: Any) -> Any:
    """What a recipe depends on of a number that is no float of Python's.

    Raises:
        UserInputError: It is no number.
    """
    if type(value) is int:
        is_usual = _PYTHONS_LEAST <= value <= _PYTHONS_GREATEST
        return int if is_usual else int_type(value)
    if isinstance(value, np.generic):
        return from_numpy(value.dtype)
    if isinstance(value, bool | int | float | complex):
        return type(value)
    raise UserInputError(
        f"{operation} takes arrays and numbers, got {with_article(type(value).__name__)}"
    )
