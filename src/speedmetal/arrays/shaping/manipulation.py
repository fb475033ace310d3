"""The same elements with other axes: functions that give views wherever that is possible.

A view shares memory with what it is of, also where that is not computed yet, and keeps it lazy.
Where no view is possible, the elements are copied, by one kernel.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, cast

from speedmetal.arrays.array import Array
from speedmetal.arrays.assembling import dense_copy
from speedmetal.arrays.creation import asarray
from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.shapes import Axes, Shape, axes_of, extents_of
from speedmetal.arrays.operands import arrays_of, viewed
from speedmetal.errors import UserInputError
from speedmetal.launch.expressions import broadcast


def _kept(axes: Axes) -> Axes:
    """Axes that nobody changes any more: a lazy view asks for them later."""
    return operator.index(axes) if hasattr(axes, "__index__") else tuple(axes)


# --- Broadcasting --------------------------------------------------------------------------------


def broadcast_shapes(*shapes: int | Sequence[int]) -> Shape:
    """The shape to which arrays of these shapes are broadcast.

    Raises:
        ValueError: Two extents differ, and neither is 1.

    Example:
        >>> broadcast_shapes((3, 1), (4,))
        (3, 4)
    """
    try:
        return broadcast("broadcast_shapes", [extents_of(shape) for shape in shapes] or [()])
    except UserInputError as error:  # the array API asks for Python's own
        raise ValueError(str(error)) from None


def broadcast_to(x: Any, /, shape: int | tuple[int, ...]) -> Array:
    """The read-only view of this shape, in which axes of extent 1, and new ones in front, repeat.

    Raises:
        ValueError: An extent is neither 1 nor the wanted one, or there are too few axes.

    Example:
        >>> import speedmetal as sm
        >>> sm.broadcast_to(sm.arange(3), (2, 3))
        Array([[0, 1, 2],
               [0, 1, 2]], dtype=int32, device='cpu')
    """
    return asarray(x).broadcast_to(shape)


def broadcast_arrays(*arrays: Any) -> tuple[Array, ...]:
    """The read-only views of all arrays in the shape to which they are broadcast together.

    Raises:
        UserInputError: The shapes do not go together.

    Example:
        >>> import speedmetal as sm
        >>> [x.shape for x in sm.broadcast_arrays(sm.zeros((3, 1)), sm.zeros(4))]
        [(3, 4), (3, 4)]
    """
    given = arrays_of("broadcast_arrays", arrays) if arrays else []
    shape = broadcast("broadcast_arrays", [x.shape for x in given] or [()])
    return tuple(x.broadcast_to(shape) for x in given)


# --- Order of the axes and of the elements -------------------------------------------------------


def permute_dims(x: Any, /, axes: Sequence[int]) -> Array:
    """The view whose axis ``k`` is axis ``axes[k]`` of ``x``.

    Raises:
        AxisError: There is no such axis.
        ValueError: Not every axis comes once.

    Example:
        >>> import speedmetal as sm
        >>> sm.permute_dims(sm.zeros((2, 3, 4)), (2, 0, 1)).shape
        (4, 2, 3)
    """
    order = tuple(axes)
    return viewed(x, lambda elements: elements.transpose(order))


def transpose(x: Any, /, axes: Sequence[int] | None = None) -> Array:
    """As :func:`permute_dims`; None: the axes in reverse order.

    Raises:
        AxisError: There is no such axis.
        ValueError: Not every axis comes once.
    """
    order = None if axes is None else tuple(axes)
    return viewed(x, lambda elements: elements.transpose(order))


def moveaxis(x: Any, source: Axes, destination: Axes, /) -> Array:
    """The view in which axes ``source`` have the positions ``destination``.

    The other axes keep their order.

    Raises:
        AxisError: There is no such axis.
        ValueError: One comes twice, or the numbers of both differ.

    Example:
        >>> import speedmetal as sm
        >>> sm.moveaxis(sm.zeros((2, 3, 4)), 0, -1).shape
        (3, 4, 2)
    """
    moved, places = _kept(source), _kept(destination)
    return viewed(x, lambda elements: elements.moveaxis(moved, places))


def swapaxes(x: Any, axis1: int, axis2: int, /) -> Array:
    """The view in which two axes have changed places.

    Raises:
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> sm.swapaxes(sm.zeros((2, 3, 4)), 0, 2).shape
        (4, 3, 2)
    """

    def step(elements: Layout) -> Layout:
        (first,), (second,) = axes_of(axis1, elements.ndim), axes_of(axis2, elements.ndim)
        order = list(range(elements.ndim))
        order[first], order[second] = second, first
        return elements.transpose(order)

    return viewed(x, step)


def flip(x: Any, /, axis: Axes | None = None) -> Array:
    """The view with the elements in reverse order along these axes; None: along all.

    Raises:
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> sm.flip(sm.arange(3))
        Array([2, 1, 0], dtype=int32, device='cpu')
    """
    axes = None if axis is None else _kept(axis)
    return viewed(x, lambda elements: elements.flip(axes))


def rot90(x: Any, /, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Array:
    """The view turned by ``k`` times 90 degrees, from the first of two axes to the second.

    Raises:
        AxisError: There is no such axis.
        ValueError: The axes are not two different ones.

    Example:
        >>> import speedmetal as sm
        >>> sm.rot90(sm.array([[1, 2], [3, 4]]))
        Array([[2, 4],
               [1, 3]], dtype=int32, device='cpu')
    """
    if len(axes) != 2:
        raise ValueError(f"rot90 expected two axes, got {axes}")
    first, second = axes_of(axes, asarray(x).ndim)
    turns = k % 4
    if turns == 2:
        return flip(x, axis=(first, second))
    if turns == 1:
        return swapaxes(flip(x, axis=second), first, second)
    return flip(swapaxes(x, first, second), axis=second) if turns else viewed(x, lambda e: e)


# --- Number and extents of the axes --------------------------------------------------------------


def reshape(x: Any, /, shape: int | tuple[int, ...], *, copy: bool | None = None) -> Array:
    """The same elements, in C order, in another shape; one extent may be -1.

    Args:
        x: The array.
        shape: The extents.
        copy: None: a view where strides allow it, else a copy; True: a copy; False: a view.

    Raises:
        ValueError: The sizes differ, or ``copy`` is False and a view is not possible.

    Example:
        >>> import speedmetal as sm
        >>> sm.reshape(sm.arange(6), (2, -1))
        Array([[0, 1, 2],
               [3, 4, 5]], dtype=int32, device='cpu')
    """
    return asarray(x).reshape(shape, copy=copy)


def ravel(x: Any, /) -> Array:
    """The elements in C order on one axis: a view where strides allow it, else a copy.

    Example:
        >>> import speedmetal as sm
        >>> sm.ravel(sm.array([[1, 2], [3, 4]]))
        Array([1, 2, 3, 4], dtype=int32, device='cpu')
    """
    return asarray(x).reshape(-1)


def flatten(x: Any, /) -> Array:
    """A copy of the elements, in C order, on one axis."""
    return dense_copy(asarray(x)).reshape(-1)  # type: ignore[no-any-return]


def expand_dims(x: Any, /, axis: Axes) -> Array:
    """The view with new axes of extent 1, which have these positions in the result.

    Raises:
        AxisError: There is no such position.
        ValueError: One comes twice.

    Example:
        >>> import speedmetal as sm
        >>> sm.expand_dims(sm.zeros((2, 3)), axis=(0, -1)).shape
        (1, 2, 3, 1)
    """
    axes = _kept(axis)
    return viewed(x, lambda elements: elements.expand_dims(axes))


def squeeze(x: Any, /, axis: Axes | None = None) -> Array:
    """The view without these axes of extent 1; None: without all such.

    Raises:
        AxisError: There is no such axis.
        ValueError: One has another extent, or comes twice.

    Example:
        >>> import speedmetal as sm
        >>> sm.squeeze(sm.zeros((1, 3, 1)), axis=0).shape
        (3, 1)
    """
    axes = None if axis is None else _kept(axis)
    return viewed(x, lambda elements: elements.squeeze(axes))


def atleast_1d(*arrays: Any) -> Array | tuple[Array, ...]:
    """Arrays with one axis or more; of one array that alone, else a tuple.

    Example:
        >>> import speedmetal as sm
        >>> sm.atleast_1d(5)
        Array([5], dtype=int32, device='cpu')
    """
    return _each(arrays, lambda x: x.reshape(1) if not x.ndim else x)


def atleast_2d(*arrays: Any) -> Array | tuple[Array, ...]:
    """Arrays with two axes or more, of which new ones are in front; of one array that alone."""
    return _each(arrays, lambda x: x[(None,) * (2 - x.ndim)] if x.ndim < 2 else x)


def atleast_3d(*arrays: Any) -> Array | tuple[Array, ...]:
    """Arrays with three axes or more; of one array that alone, else a tuple.

    Shape ``(n,)`` becomes ``(1, n, 1)``, shape ``(m, n)`` becomes ``(m, n, 1)``, as in NumPy.
    """
    indices = {0: (None, None, None), 1: (None, slice(None), None), 2: (..., None)}
    return _each(arrays, lambda x: x[indices[x.ndim]] if x.ndim < 3 else x)


def _each(arrays: tuple[Any, ...], step: Callable[[Array], Array]) -> Array | tuple[Array, ...]:
    found = tuple(step(asarray(x)) for x in arrays)
    return found[0] if len(found) == 1 else found


# --- Parts ---------------------------------------------------------------------------------------


def unstack(x: Any, /, axis: int = 0) -> tuple[Array, ...]:
    """The views at each position along an axis, without that axis.

    Raises:
        AxisError: There is no such axis.

    Example:
        >>> import speedmetal as sm
        >>> sm.unstack(sm.array([[1, 2], [3, 4]]), axis=1)[0]
        Array([1, 3], dtype=int32, device='cpu')
    """
    return tuple(moveaxis(x, axis, 0))


def split(x: Any, /, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Array]:
    """Views of parts that follow each other along an axis.

    Args:
        x: The array.
        indices_or_sections: How many equal parts; or where all but the first begin.
        axis: Along which.

    Raises:
        AxisError: There is no such axis.
        UserInputError: The extent cannot be divided into equal parts.

    Example:
        >>> import speedmetal as sm
        >>> sm.split(sm.arange(5), [2, 3])[0]
        Array([0, 1], dtype=int32, device='cpu')
    """
    if not hasattr(indices_or_sections, "__len__"):
        source = asarray(x)
        (place,) = axes_of(axis, source.ndim)
        extent, sections = source.shape[place], _sections("split", indices_or_sections)
        if extent % sections:
            raise UserInputError(
                f"split: axis {place} of extent {extent} cannot be divided into {sections} equal"
                " parts; array_split gives parts of two extents"
            )
    return array_split(x, indices_or_sections, axis=axis)


def array_split(x: Any, /, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Array]:
    """As :func:`split`; where the extent is no multiple, the first parts are one longer.

    Example:
        >>> import speedmetal as sm
        >>> [part.tolist() for part in sm.array_split(sm.arange(5), 2)]
        [[0, 1, 2], [3, 4]]
    """
    source = asarray(x)
    (place,) = axes_of(axis, source.ndim)
    extent = source.shape[place]
    if hasattr(indices_or_sections, "__len__"):
        inner = list(cast(Sequence[int], indices_or_sections))
    else:
        sections = _sections("array_split", indices_or_sections)
        short, longer = divmod(extent, sections)
        inner = [k * short + min(k, longer) for k in range(1, sections)]
    before = (slice(None),) * place
    borders = zip([0, *inner], [*inner, extent], strict=True)
    return [source[(*before, slice(start, stop))] for start, stop in borders]


def _sections(name: str, number: Any) -> int:
    sections = int(number)
    if sections < 1:
        raise UserInputError(f"{name} expected one part or more, got {number}")
    return sections
