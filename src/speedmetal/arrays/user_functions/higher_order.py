"""Functions of arrays that take plain Python functions: ``map``, ``reduce`` and their like.

The functions are written in the kernel language: they are compiled, and called for each element
inside one kernel. What operands are computed from elementwise is computed there as well. Numbers
that a function closes over are constants of the kernel, which is compiled anew where they change;
those that ``functools.partial`` gives it are arguments of the launch.

All is computed at once, since what a function closes over may be something else later.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from speedmetal.arrays.array import Array
from speedmetal.arrays.indices.searching import nonzero
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.placement import grid_of, in_order_of_memory, layout_of_result
from speedmetal.arrays.memory.shapes import Shape, axes_of, named_axes
from speedmetal.arrays.user_functions import repeated
from speedmetal.arrays.user_functions.folding import (
    Fold,
    accumulated,
    numbers_of,
    reduced,
    settled_dtypes,
)
from speedmetal.arrays.user_functions.scans_by_library import scanned, scans
from speedmetal.arrays.user_functions.stencils import BOUNDARIES, Stencil, computed
from speedmetal.arrays.user_functions.user_functions import (
    argument_of,
    arguments_of,
    arrays_in,
    checked_function,
    device_of,
    known_argument,
    type_of_call,
)
from speedmetal.arrays.user_functions.user_operands import computed_now, expressions_of, readable
from speedmetal.backends.launch_names import Naming
from speedmetal.dtypes import DType
from speedmetal.errors import UserInputError
from speedmetal.frontend.forms import Tree, flatten, mapped, rebuild
from speedmetal.frontend.signature import with_article
from speedmetal.frontend.static import static
from speedmetal.launch.expressions import broadcast

Axes = int | Sequence[int] | None


# --- Elementwise ---------------------------------------------------------------------------------


def map(f: Any, /, *arrays: Any) -> Any:  # noqa: A001 - Python's name
    """A function's results for the elements of arrays.

    Args:
        f: Takes an element of each array, and gives a number, or a tuple, named tuple or frozen
            dataclass of numbers. It is written in the kernel language, and may print.
        arrays: Of any dtypes, one at least, which are broadcast together; numbers beside them are
            the same for all elements.

    Returns:
        An array of what ``f`` gives, in the type that the kernel language gives it; where that is a
        tuple or record, one of arrays.

    Raises:
        CompileError: ``f`` is not in the kernel language, or gives no numbers.
        UserInputError: ``f`` takes other arguments, or the arrays do not go together.

    Example:
        >>> import speedmetal as sm
        >>> sm.map(lambda x, y: x if x > y else 2 * y, sm.array([1.0, 5.0]), sm.array([2, 3]))
        Array([4., 5.], dtype=float32, device='cpu')
        >>> whole, rest = sm.map(divmod, sm.array([7, 9]), 4)
        >>> whole, rest
        (Array([1, 2], dtype=int32, device='cpu'), Array([3, 1], dtype=int32, device='cpu'))
    """
    from speedmetal.arrays.kernels.higher_order import applied  # with its first use

    function = checked_function("map", "f", f)
    functions = (function,)
    again = _again(("map",), functions, arrays)
    if again is not None:
        return again
    operands = readable(_checked_operands("map", arrays))
    found = [x for x in operands if isinstance(x, Array)]
    device, shape = device_of("map", found), broadcast("map", [x.shape for x in found])
    kinds = (arguments_of(operands, device),)
    dtypes = type_of_call(applied, functions, kinds, device)
    if not math.prod(shape):
        return mapped(lambda dtype: Array.allocate(shape, dtype, device), dtypes)

    def run() -> Sequence[Array]:
        given = repeated.read(("map",), functions, operands)
        return repeated.computed(
            given, lambda: [_step_of_map(function, operands, dtypes, shape)], dtypes
        )

    return computed_now("map", operands, run, (dtypes, shape), device)


def _step_of_map(
    function: Any, operands: Sequence[Any], dtypes: Tree, shape: Shape
) -> repeated.Step:
    from speedmetal.arrays.kernels.higher_order import map_elements  # with its first use

    arrays = [x for x in operands if isinstance(x, Array)]
    layouts = [x.elements for x in arrays]
    made = mapped(lambda dtype: _empty(dtype, shape, layouts, arrays[0]), dtypes)
    results = flatten(made)
    placed: list[Layout] = []

    def arrange(layouts: list[Layout]) -> list[Layout]:
        found = in_order_of_memory(*(x.elements for x in results), *layouts)
        placed[:] = found[: len(results)]
        return [*found[len(results) :]]

    sources = tuple(expressions_of(operands, shape, arrange))
    pairs = zip(results, placed, strict=True)
    targets = rebuild(made, [x.with_elements(place) for x, place in pairs])
    numbers: static[Any] = static(tuple(not isinstance(x, Array) for x in operands))
    grid = grid_of(placed[0].shape)
    plan = map_elements.prepare(targets, function, sources, numbers, grid=grid, debug=None)
    return repeated.Step(plan, repeated.fresh(results), functions=(0,), init=(), numbers=())


def _empty(dtype: DType, shape: Shape, operands: list[Layout], like: Array) -> Array:
    fresh: Array = like.allocate(shape, dtype, like.layout.device)
    return fresh.with_elements(layout_of_result(dtype, shape, operands))


def _checked_operands(name: str, operands: Sequence[Any]) -> tuple[Any, ...]:
    """Arrays and numbers, an array among them.

    Raises:
        UserInputError: They are something else.
    """
    for operand in operands:
        if not isinstance(operand, Array | bool | int | float | complex | np.generic):
            raise UserInputError(
                f"{name} takes a function, then Arrays and numbers, got"
                f" {with_article(type(operand).__name__)}; convert with sm.asarray(x)"
            )
    if not any(isinstance(operand, Array) for operand in operands):
        raise UserInputError(
            f"{name} expected an Array beside the function, got {len(operands)} numbers"
        )
    return tuple(operands)


# --- Folds ---------------------------------------------------------------------------------------


def reduce(
    op: Any, x: Any, /, axis: Axes = None, *, init: Any = None, keepdims: bool = False
) -> Any:
    """The elements along axes combined to one: ``op(op(op(init, x[0]), x[1]), ...)``.

    Which are combined first is left open, so ``op`` has to be associative; their order is kept, so
    it need not be commutative. Of several axes, elements come in C order.

    Args:
        op: Combines two values to one; written in the kernel language.
        x: An array, or a tuple or named tuple of arrays of one shape, the elements of which are
            then tuples of elements.
        axis: An axis, or several; None: all.
        init: What comes before the first element, of the form of an element; None: nothing.
        keepdims: Whether the axes stay, with extent 1.

    Returns:
        An array, or a tuple of arrays, of the dtype of the elements and ``init``; a wider one where
        ``op`` gives that.

    Raises:
        CompileError: ``op`` is not in the kernel language.
        UserInputError: There are no elements and no ``init``, or ``op`` gives what it does not
            take.
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> sm.reduce(lambda a, b: 2 * a + b if a < 10 else a, sm.array([[1, 2, 3], [4, 5, 6]]), 1)
        Array([11, 13], dtype=int32, device='cpu')
        >>> import operator
        >>> sm.reduce(operator.mul, sm.array([1, 2, 3, 4]), init=10)
        Array(240, dtype=int32, device='cpu')
    """
    what = _what("reduce", axis, init, keepdims=keepdims)
    functions = None, checked_function("reduce", "op", op)
    if isinstance(x, Array):
        found = _again(what, functions, (x,))
        if found is not None:
            return found
    arrays = arrays_in("reduce", x)
    element = rebuild(x, [array.layout.dtype for array in arrays])
    return _reduced(what, functions, (arrays, x, element), axis, init, keepdims=keepdims)


def mapreduce(
    f: Any, op: Any, /, *arrays: Any, axis: Axes = None, init: Any = None, keepdims: bool = False
) -> Any:
    """A function's results for the elements of arrays, combined along axes, in one kernel.

    Args:
        f: As for :func:`map`; what it gives may be a tuple, named tuple or frozen dataclass.
        op: As for :func:`reduce`, of what ``f`` gives.
        arrays: As for :func:`map`.
        axis: An axis of what they are broadcast to, or several; None: all.
        init: What comes before the first value, of the form of what ``f`` gives; None: nothing.
        keepdims: Whether the axes stay, with extent 1.

    Returns:
        As for :func:`reduce`.

    Raises:
        CompileError, UserInputError, AxisError: As for :func:`map` and :func:`reduce`.

    Example:
        The greatest element and where it is, in one pass:

        >>> import speedmetal as sm
        >>> x = sm.array([3.0, 7.0, 5.0])
        >>> sm.mapreduce(lambda v, i: (v, i), max, x, sm.arange(3))
        (Array(7., dtype=float32, device='cpu'), Array(1, dtype=int32, device='cpu'))
    """
    from speedmetal.arrays.kernels.higher_order import applied  # with its first use

    what = _what("mapreduce", axis, init, keepdims=keepdims)
    functions = (
        checked_function("mapreduce", "f", f),
        checked_function("mapreduce", "op", op),
    )
    found = _again(what, functions, arrays)
    if found is not None:
        return found
    operands = _checked_operands("mapreduce", arrays)
    device = device_of("mapreduce", [x for x in operands if isinstance(x, Array)])
    kinds = (arguments_of(operands, device),)
    element = type_of_call(applied, functions[:1], kinds, device)
    given = (operands, None, element)
    return _reduced(what, functions, given, axis, init, keepdims=keepdims)


def _what(name: str, axis: Axes, init: Any, *, keepdims: bool) -> tuple[Any, ...]:
    """All that the launches of a fold depend on besides its functions and operands.

    Its numbers are constants of what is kept, so those that compare equal are told apart.
    """
    axes = axis if axis is None or type(axis) is int else named_axes(axis)
    return name, axes, bool(keepdims), repr(init), tuple(type(part) for part in flatten(init))


def _again(what: tuple[Any, ...], functions: tuple[Any, ...], operands: tuple[Any, ...]) -> Any:
    """The results of a call that was made before; None where it was not, or operands are lazy.

    Launches that are recorded go the long way, where they get their names.
    """
    if Naming.count or not repeated.are_in_memory(operands):
        return None
    return repeated.called_again(repeated.read(what, functions, operands))


def _reduced(
    what: tuple[Any, ...],
    functions: tuple[Any, Any],
    given: tuple[tuple[Any, ...], Tree, Tree],
    axis: Axes,
    init: Any,
    *,
    keepdims: bool,
) -> Any:
    (name, axes, *_), (function, operation) = what, functions
    operands, form, element = given
    whole = broadcast(name, [x.shape for x in operands if isinstance(x, Array)])
    gone = tuple(range(len(whole))) if axes is None else axes_of(axes, len(whole))
    shape = tuple(
        1 if place in gone else extent
        for place, extent in enumerate(whole)
        if keepdims or place not in gone
    )
    device = device_of(name, [x for x in operands if isinstance(x, Array)])
    dtypes = settled_dtypes(name, operation, element, init, device)
    numbers = None if init is None else numbers_of(name, init, dtypes)
    if not math.prod(whole[place] for place in gone):
        if numbers is None:
            where = "its axes" if axis is None else f"axis {axis}"
            raise UserInputError(
                f"{name} of no elements: shape {whole} has none along {where}; say with init= what"
                " nothing gives"
            )
        made = [Array.allocate(shape, dtype, device) for dtype in flatten(dtypes)]
        for array, number in zip(made, flatten(numbers), strict=True):
            array[...] = number
        return rebuild(dtypes, made)
    fold = Fold(name, function, operation, operands, form, dtypes, numbers)
    return reduced(fold, tuple(sorted(gone)), shape, what)


def accumulate(op: Any, x: Any, /, axis: int | None = None, *, algorithm: str = "auto") -> Any:
    """The elements up to each, combined: as ``itertools.accumulate``, along an axis.

    Args:
        op: As for :func:`reduce`: associative, not necessarily commutative.
        x: As for :func:`reduce`.
        axis: The axis; it may be left out where there is one.
        algorithm: Who combines: ``"vendor"`` is cuda.compute on NVIDIA GPUs, for one row of numbers
            and an operation that depends on no others; elsewhere, and for all else, our kernels, as
            ``"native"``; ``"auto"`` the faster one.

    Returns:
        An array, or a tuple of arrays, of the shape of ``x``; of the dtypes of :func:`reduce`.

    Raises:
        CompileError: ``op`` is not in the kernel language.
        UserInputError: ``x`` has several axes and none is given, or ``op`` gives what it does not
            take; cuda.compute is asked for several rows.
        AxisError: There is no such axis.
        UnknownNameError: There is no such algorithm.
        DeviceError: cuda.compute is asked for, and not installed.

    Example:
        >>> import speedmetal as sm
        >>> sm.accumulate(max, sm.array([3, 1, 4, 1, 5]))
        Array([3, 3, 4, 4, 5], dtype=int32, device='cpu')

        What a linear recurrence ``y[k] = a[k] * y[k - 1] + b[k]`` gives, by composing its steps:

        >>> a, b = sm.array([2.0, 2.0, 0.5]), sm.array([1.0, 1.0, 4.0])
        >>> sm.accumulate(lambda p, q: (p[0] * q[0], p[1] * q[0] + q[1]), (a, b))[1]
        Array([1. , 3. , 5.5], dtype=float32, device='cpu')
    """
    operation = checked_function("accumulate", "op", op)
    arrays = arrays_in("accumulate", x)
    ndim = arrays[0].ndim
    if axis is None and ndim != 1:
        raise UserInputError(
            f"accumulate of an array of {ndim} axes needs to know along which; give axis=..., or"
            " x.reshape(-1)"
        )
    (along,) = axes_of(0 if axis is None else operator.index(axis), ndim)
    element = rebuild(x, [array.layout.dtype for array in arrays])
    device = arrays[0].layout.device
    dtypes = settled_dtypes("accumulate", operation, element, None, device)
    by_library = scans("accumulate", arrays[0], along, algorithm)
    if by_library and isinstance(x, Array) and dtypes is x.layout.dtype:
        found = scanned(x, operation)
        if found is not None:
            return found
    return accumulated(Fold("accumulate", None, operation, arrays, x, dtypes, None), along)


# --- Predicates ----------------------------------------------------------------------------------


def findall(pred: Any, x: Any, /) -> Any:
    """Where a predicate is true: what ``x`` can be indexed with.

    Args:
        pred: Takes an element; written in the kernel language.
        x: An array of one axis or more.

    Returns:
        The places in order, int64; where there are several axes a tuple, an array for each.

    Raises:
        CompileError: ``pred`` is not in the kernel language.
        UserInputError: ``x`` is no array, or has no axes.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.array([3, 8, 5, 6])
        >>> sm.findall(lambda v: v % 2 == 0, x)
        Array([1, 3], dtype=int64, device='cpu')
    """
    from speedmetal.arrays.kernels.higher_order import holds  # with its first use

    (array,) = _one_array("findall", x)
    if not array.ndim:
        raise UserInputError("findall expected an array of one axis or more, got one of none")
    predicate = checked_function("findall", "pred", pred)
    found = nonzero(map(functools.partial(holds, predicate), array))
    return found[0] if array.ndim == 1 else found


def count(pred: Any, x: Any, /, axis: Axes = None, *, keepdims: bool = False) -> Any:
    """How many elements along axes a predicate is true of, as int32.

    Args:
        pred: Takes an element; written in the kernel language.
        x: An array, of any shape.
        axis: An axis, or several; None: all.
        keepdims: Whether the axes stay, with extent 1.

    Raises:
        CompileError: ``pred`` is not in the kernel language.
        UserInputError: ``x`` is no array.
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> sm.count(lambda v: v > 2, sm.array([[1, 3], [4, 5]]), axis=1)
        Array([1, 2], dtype=int32, device='cpu')
    """
    from speedmetal.arrays.kernels.higher_order import counted  # with its first use

    _one_array("count", x)
    function = functools.partial(counted, checked_function("count", "pred", pred))
    return mapreduce(function, operator.add, x, axis=axis, init=0, keepdims=keepdims)


def holds_for(name: str, pred: Any, x: Any, axis: Axes, *, keepdims: bool) -> Any:
    """Whether a predicate is true of ``"all"`` elements along axes, or of ``"any"``."""
    from speedmetal.arrays.kernels.higher_order import holds  # with its first use

    _one_array(name, x)
    function = functools.partial(holds, checked_function(name, "the predicate", pred))
    op, init = (operator.and_, True) if name == "all" else (operator.or_, False)
    return mapreduce(function, op, x, axis=axis, init=init, keepdims=keepdims)


def _one_array(name: str, x: Any) -> tuple[Array]:
    if not isinstance(x, Array):
        raise UserInputError(
            f"{name} expected an Array for x, got {with_article(type(x).__name__)};"
            " convert with sm.asarray(x)"
        )
    return (x,)


# --- Neighbourhoods ------------------------------------------------------------------------------


def stencil(
    f: Any,
    x: Any,
    radius: int | Sequence[int] = 1,
    *,
    boundary: str = "constant",
    value: complex = 0,
) -> Any:
    """A function's results for the neighbourhood of each element.

    Args:
        f: Takes ``at``: ``at(0, 0)`` is the element, ``at(0, 1)`` the next one along the last of
            two axes. It is written in the kernel language, and gives what :func:`map` allows.
        x: An array of one axis or more; or a tuple, named tuple or frozen dataclass of arrays of
            one shape: then ``at(...)`` is one of elements.
        radius: The greatest offset, of all axes or of each.
        boundary: What is outside: ``"constant"``: ``value``; ``"edge"``: the nearest element;
            ``"wrap"``: the array again; ``"reflect"``: the array backwards, without the element at
            the edge.
        value: For ``"constant"``.

    Returns:
        An array of the shape of ``x``, or a tuple of arrays.

    Raises:
        CompileError: ``f`` is not in the kernel language, or asks for what is beyond the radius.
        UserInputError: ``x`` is no array, or an option is none.

    Example:
        >>> import speedmetal as sm
        >>> x = sm.array([1.0, 2.0, 4.0, 8.0])
        >>> sm.stencil(lambda at: at(1) - at(-1), x, boundary="edge")
        Array([1., 3., 6., 4.], dtype=float32, device='cpu')
    """
    from speedmetal.arrays.kernels.higher_order import applied_to_neighbours  # with its first use

    function = checked_function("stencil", "f", f)
    arrays = arrays_in("stencil", x)
    ndim, device = arrays[0].ndim, arrays[0].layout.device
    if not ndim:
        raise UserInputError("stencil expected arrays of one axis or more, got one of none")
    if boundary not in BOUNDARIES:
        allowed = ", ".join(repr(name) for name in BOUNDARIES)
        raise UserInputError(f"stencil expected boundary to be one of {allowed}, got {boundary!r}")
    extents = _radii(radius, ndim)
    element = rebuild(x, [array.layout.dtype for array in arrays])
    kinds = (argument_of(element), known_argument(extents))
    dtypes = type_of_call(applied_to_neighbours, (function,), kinds, device)
    values = numbers_of("stencil", rebuild(x, [value] * len(arrays)), element)
    return computed(Stencil(function, x, dtypes, extents, boundary, flatten(values)))


def _radii(radius: Any, ndim: int) -> tuple[int, ...]:
    """The radius of each axis.

    Raises:
        UserInputError: There are too few or too many, or one is negative.
    """
    given = (
        (operator.index(radius),) * ndim
        if hasattr(radius, "__index__")
        else tuple(operator.index(extent) for extent in radius)
    )
    if len(given) != ndim or min(given) < 0:
        raise UserInputError(
            f"stencil expected a radius of 0 or more, or one for each of {ndim} axes, got {radius}"
        )
    return given
