"""Folds along axes with an operation of the user's: what ``reduce`` and ``accumulate`` launch.

Elements are combined in their order; so an operation has to be associative, but need not be
commutative. Rows of many elements are cut into parts, a thread takes each, and the results of the
parts are folded again. Where they are cut depends on sizes alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from speedmetal.arrays.array import Array
from speedmetal.arrays.memory.layout import Layout, collapse_axes
from speedmetal.arrays.memory.shapes import Shape
from speedmetal.arrays.user_functions import repeated
from speedmetal.arrays.user_functions.user_functions import (
    argument_of,
    have_one_form,
    type_of_call,
)
from speedmetal.arrays.user_functions.user_operands import computed_now, expressions_of, readable
from speedmetal.backends.device import Device
from speedmetal.common.records import record, replace
from speedmetal.dtypes import DType, promote
from speedmetal.errors import UserInputError
from speedmetal.frontend.forms import Tree, flatten, mapped, rebuild
from speedmetal.frontend.static import static
from speedmetal.launch.expressions import Expression, number_type
from speedmetal.launch.readers import read_argument

PART = 1040
"""Elements of a part. Threads side by side read one part each; with a power of two the beginnings
of their parts would share few lines of a cache (scans took four times as long on the CPU)."""
WHOLE = 2 * PART
"""Rows of up to so many have one part."""
LONG_ROWS, MANY_ROWS = 64 * PART, 4096
"""Longer ones as well, where there is enough to do without parts."""


@record(eq=False)
class Fold:
    """What is to be folded.

    Args:
        name: Of the operation, for messages.
        function: Gives what is combined; None: the elements of the operands, as they are.
        op: Combines two values.
        operands: Arrays, and numbers beside them, the arguments of the function.
        form: Where there is no function: the form of what the operands are.
        dtypes: Of the values that are combined.
        init: What comes first, as NumPy's numbers of these dtypes; None: nothing.
    """

    name: str
    function: Any
    op: Any
    operands: tuple[Any, ...]
    form: Tree
    dtypes: Tree
    init: Tree

    @property
    def shape(self) -> Shape:
        """To which the arrays are broadcast."""
        return np.broadcast_shapes(*(x.shape for x in self.operands if isinstance(x, Array)))

    @property
    def device(self) -> Device:
        """Of the arrays."""
        found: Device = next(x for x in self.operands if isinstance(x, Array)).layout.device
        return found


# --- Types -------------------------------------------------------------------------------------


def settled_dtypes(name: str, op: Any, element: Tree, init: Tree, device: Device) -> Tree:
    """The dtypes in which values are combined: those that the operation gives for themselves.

    Raises:
        CompileError: The operation is not valid.
        UserInputError: It gives something of another form, or types that do not settle.
    """
    from speedmetal.arrays.kernels.higher_order import combined_alike  # with its first use

    dtypes = element if init is None else _with_init(name, element, init)
    for _ in range(_MOST_STEPS):
        found = type_of_call(combined_alike, (op,), (argument_of(dtypes),), device)
        if not have_one_form(found, dtypes):
            raise UserInputError(
                f"{name} expected op(a, b) to give what a and b are, {_shown(dtypes)}, got"
                f" {_shown(found)}"
            )
        wider = _joined(name, dtypes, found)
        if flatten(wider) == flatten(dtypes):
            return dtypes
        dtypes = wider
    raise UserInputError(f"{name}: op(a, b) gives another type for each type of a and b")


_MOST_STEPS = 8


def _joined(name: str, one: Tree, other: Tree) -> Tree:
    joined = []
    for left, right in zip(flatten(one), flatten(other), strict=True):
        both = promote(left, right)
        if both is None:
            raise UserInputError(
                f"{name}: no dtype holds both {left} and {right}; convert what op gives"
            )
        joined.append(both)
    return rebuild(one, joined)


def _with_init(name: str, element: Tree, init: Tree) -> Tree:
    if not have_one_form(element, init):
        raise UserInputError(
            f"{name} expected init of the form of an element, {_shown(element)}, got {init!r}"
        )
    own = [
        number_type(name, value, [dtype])
        for value, dtype in zip(flatten(init), flatten(element), strict=True)
    ]
    return _joined(name, element, rebuild(element, own))


def numbers_of(name: str, init: Tree, dtypes: Tree) -> Tree:
    """Numbers of the user's as NumPy's, of these dtypes.

    Raises:
        UserInputError: A dtype does not hold one.
    """
    found = []
    for value, dtype in zip(flatten(init), flatten(dtypes), strict=True):
        if dtype.is_integer and not dtype.minimum <= int(value) <= dtype.maximum:
            raise UserInputError(f"{name}: the number {value} does not fit into {dtype}")
        found.append(dtype.numpy.type(value))
    return rebuild(dtypes, found)


def _shown(dtypes: Tree) -> str:
    if isinstance(dtypes, DType):
        return dtypes.name
    return "(" + ", ".join(map(_shown, flatten(dtypes))) + ")"


# --- Reductions --------------------------------------------------------------------------------


def reduced(fold: Fold, gone: tuple[int, ...], shape: Shape, what: tuple[Any, ...]) -> Tree:
    """The folds along axes.

    Args:
        fold: Of one element or more along them.
        gone: The axes.
        shape: Of the results.
        what: All that they depend on besides functions and operands.
    """
    operands = readable(fold.operands)
    if not math.prod(shape):
        return mapped(lambda dtype: Array.allocate(shape, dtype, fold.device), fold.dtypes)

    def run() -> Sequence[Array]:
        given = repeated.read(what, (fold.function, fold.op), operands)
        steps = partial(_steps_of, fold, operands, gone, shape)
        return repeated.computed(given, steps, fold.dtypes)

    return computed_now(fold.name, operands, run, (fold.dtypes, shape), fold.device)


def _steps_of(
    fold: Fold, operands: Sequence[Any], gone: tuple[int, ...], result: Shape
) -> list[repeated.Step]:
    whole = fold.shape
    kept = tuple(axis for axis in range(len(whole)) if axis not in gone)

    def arrange(layouts: list[Layout]) -> list[Layout]:
        result = Layout.c_contiguous(layouts[0].dtype, tuple(whole[axis] for axis in kept))
        _, *rows = collapse_axes(result, *(_axes(layout, kept) for layout in layouts))
        inner = collapse_axes(*(_axes(layout, gone) for layout in layouts))
        return [_beside(row, part) for row, part in zip(rows, inner, strict=True)]

    sources = expressions_of(operands, whole, arrange)
    shape: Shape = next(x for x in sources if isinstance(x, Expression)).shape
    outer = math.prod(whole[axis] for axis in kept)
    axes = _count_of(shape, outer)
    given = tuple(sources) if fold.function is not None else rebuild(fold.form, sources)
    made, step = _step_of(fold, given, shape, axes, result)
    steps = [step]
    while made is not None:
        rest = replace(fold, function=None, init=None)
        shape = (*shape[:axes], flatten(made)[0].shape[-1])
        made, step = _step_of(rest, made, shape, axes, result)
        steps.append(step)
    return steps


def _count_of(shape: Shape, outer: int) -> int:
    """How many of the first axes have so many elements; the last axis is none of them."""
    return next(n for n in range(len(shape)) if math.prod(shape[:n]) == outer)


def _step_of(
    fold: Fold,
    sources: Tree,
    shape: Shape,
    axes: int,
    result: Shape,
) -> tuple[Tree | None, repeated.Step]:
    """One launch, and what each part gives; None where rows have one part: that is the result."""
    from speedmetal.arrays.kernels.higher_order import fold_parts  # with its first use

    parts, arguments, grid = _parts_of(fold, sources, shape, axes)
    plan = fold_parts.prepare(*arguments, grid=grid, debug=None)
    is_last = flatten(parts)[0].shape[-1] == 1
    made = parts
    if is_last:
        made = mapped(lambda dtype: Array.allocate(result, dtype, fold.device), fold.dtypes)
    init: list[Any] = []
    read_argument(fold.init, [], init)
    functions = (1,) if fold.function is None else (0, 1)
    numbers = (*shape, arguments[-1])
    step = repeated.Step(plan, repeated.fresh(flatten(made)), functions, tuple(init), numbers)
    return None if is_last else parts, step


def _parts_of(
    fold: Fold, sources: Tree, shape: Shape, axes: int
) -> tuple[Tree, tuple[Any, ...], int]:
    """The arrays of what each part of the rows gives, the kernel's arguments, and its grid."""
    rows, count = math.prod(shape[:axes]), math.prod(shape[axes:])
    length = length_of_part(rows, count)
    parts = -(-count // length)
    stored = (*shape[:axes], parts)
    targets = mapped(lambda dtype: Array.allocate(stored, dtype, fold.device), fold.dtypes)
    numbers: static[Any] = static(
        (False,) if fold.function is None else tuple(not isinstance(x, Expression) for x in sources)
    )
    functions = (fold.function, fold.op, fold.init)
    return (
        targets,
        (targets, *functions, sources, numbers, shape, static(axes), length),
        rows * parts,
    )


def length_of_part(rows: int, count: int) -> int:
    """How many elements of a row a thread takes.

    >>> length_of_part(1, 2048), length_of_part(1, 10_000), length_of_part(5000, 10_000)
    (2048, 1040, 10000)
    """
    is_whole = count <= WHOLE or (rows >= MANY_ROWS and count <= LONG_ROWS)
    return count if is_whole else PART


def _axes(layout: Layout, axes: Sequence[int]) -> Layout:
    return Layout(
        layout.dtype,
        tuple(layout.shape[axis] for axis in axes),
        tuple(layout.strides[axis] for axis in axes),
        layout.offset,
    )


def _beside(rows: Layout, inner: Layout) -> Layout:
    """The axes of two layouts of one array; one of extent 1 where the second has none."""
    shape, strides = (inner.shape, inner.strides) if inner.shape else ((1,), (0,))
    return Layout(rows.dtype, rows.shape + shape, rows.strides + strides, rows.offset)


# --- Scans -------------------------------------------------------------------------------------


def accumulated(fold: Fold, axis: int) -> Tree:
    """The folds of the elements up to each along an axis."""
    operands = readable(fold.operands)
    whole = fold.shape

    def run() -> Sequence[Array]:
        made = mapped(lambda dtype: Array.allocate(whole, dtype, fold.device), fold.dtypes)
        if math.prod(whole):
            _launch_scan(fold, operands, axis, made)
        return flatten(made)

    results = (fold.dtypes, whole)
    return computed_now(fold.name, operands, run, results, fold.device, reads=2)


def _launch_scan(fold: Fold, operands: Sequence[Any], axis: int, made: Tree) -> None:
    whole = fold.shape
    kept = tuple(place for place in range(len(whole)) if place != axis)
    results = flatten(made)
    placed: list[Layout] = []

    def arrange(layouts: list[Layout]) -> list[Layout]:
        every = [*(x.elements for x in results), *layouts]
        rows = collapse_axes(*(_axes(layout, kept) for layout in every))
        found = [_beside(row, _axes(x, (axis,))) for row, x in zip(rows, every, strict=True)]
        placed[:] = found[: len(results)]
        return found[len(results) :]

    sources = rebuild(fold.form, expressions_of(operands, whole, arrange))
    targets = rebuild(
        made, [x.with_elements(place) for x, place in zip(results, placed, strict=True)]
    )
    _scan_parts(fold, sources, targets, placed[0].shape)


def _scan_parts(fold: Fold, sources: Tree, targets: Tree, shape: Shape) -> None:
    from speedmetal.arrays.kernels.higher_order import (  # with their first use
        accumulate_parts,
        fold_parts,
    )

    axes = len(shape) - 1
    rows, count = math.prod(shape[:axes]), shape[axes]
    length = length_of_part(rows, count)
    parts = -(-count // length)
    before = None
    if parts > 1:
        totals, arguments, grid = _parts_of(fold, sources, shape, axes)
        fold_parts(*arguments, grid=grid)
        shape_of_parts = (*shape[:axes], parts)
        before = mapped(
            lambda dtype: Array.allocate(shape_of_parts, dtype, fold.device), fold.dtypes
        )
        _scan_parts(fold, totals, before, shape_of_parts)
    accumulate_parts(targets, fold.op, sources, before, static(axes), length, grid=rows * parts)
