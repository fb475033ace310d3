"""Windows that move over images: their sizes, steps and borders, and which layout an image has.

Inside this package images have five axes: ``(batch, depth, rows, columns, channels)``; those of one
or two dimensions have an extent of 1 in front of theirs.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from speedmetal.arrays.array import Array
from speedmetal.arrays.deferred.graph import peeked
from speedmetal.arrays.memory.layout import Layout
from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.errors import UnknownNameError, UserInputError
from speedmetal.frontend.signature import with_article

LAYOUTS = ("channels_last", "channels_first")
DIMENSIONS = 3
"""Of space, at most."""
Extents = tuple[int, ...]


@record
class Span:
    """What a window is along one axis.

    Args:
        size: How many elements it has.
        stride: How far the next window is.
        dilation: How far its elements are from each other.
        before: How many elements of the border are in front of the image; fewer than 0: so many of
            the image's first elements are left out.
        windows: How many there are.
    """

    size: int
    stride: int
    dilation: int
    before: int
    windows: int

    @property
    def reach(self) -> int:
        """From its first element to behind its last one."""
        return (self.size - 1) * self.dilation + 1

    def covers(self, extent: int) -> bool:
        """Whether no window reaches beyond an image of this extent."""
        last = (self.windows - 1) * self.stride - self.before + self.reach
        return self.before <= 0 and last <= extent


ALONE = Span(1, 1, 1, 0, 1)
"""Along an axis that an image does not have."""


# --- What users say ------------------------------------------------------------------------------


def check_layout(layout: str) -> None:
    """Raise UnknownNameError where there is no such layout."""
    if layout not in LAYOUTS:
        raise UnknownNameError("layout", str(layout), LAYOUTS)


def each_axis(function: str, name: str, value: Any, rank: int, least: int = 1) -> Extents:
    """A number for each axis of space, of one number or of as many.

    Raises:
        UserInputError: It is neither, or a number is below ``least``.

    >>> each_axis("conv2d", "stride", 2, 2), each_axis("conv2d", "stride", (1, 2), 2)
    ((2, 2), (1, 2))
    """
    given = (value,) * rank if hasattr(value, "__index__") else value
    is_sequence = isinstance(given, Sequence) and not isinstance(given, str)
    numbers = tuple(given) if is_sequence else ()
    is_right = len(numbers) == rank and all(hasattr(n, "__index__") for n in numbers)
    if not is_right or any(operator.index(n) < least for n in numbers):
        many = f" or {rank} of them, one for each axis" if rank > 1 else ""
        raise UserInputError(
            f"{function} expected for {name} an integer of {least} or more{many}, got {value!r}"
        )
    return tuple(operator.index(n) for n in numbers)


def borders(
    function: str,
    padding: Any,
    extents: Extents,
    sizes: Extents,
    strides: Extents,
    dilations: Extents,
) -> tuple[tuple[int, int], ...]:
    """The border before and after the image along each axis.

    ``"valid"``: none; ``"same"``: so many elements that there are ``ceil(extent / stride)``
    windows, half of them in front, rounded down.

    Raises:
        UserInputError: It is no word, number, or pair of numbers for each axis.
    """
    rank = len(extents)
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise UnknownNameError("padding", padding, ("same", "valid"))
        if padding == "valid":
            return ((0, 0),) * rank
        found = []
        for extent, size, stride, dilation in zip(extents, sizes, strides, dilations, strict=True):
            reach = (size - 1) * dilation + 1
            wanted = max((-(-extent // stride) - 1) * stride + reach - extent, 0)
            found.append((wanted // 2, wanted - wanted // 2))
        return tuple(found)
    is_pairs = isinstance(padding, Sequence) and any(isinstance(p, Sequence) for p in padding)
    if is_pairs:
        if len(padding) != rank:
            raise UserInputError(
                f"{function} expected a pair of padding for each of {rank} axes, got {padding!r}"
            )
        pairs = [each_axis(function, "padding (before, after)", p, 2, 0) for p in padding]
        return tuple((before, after) for before, after in pairs)
    return tuple((width, width) for width in each_axis(function, "padding", padding, rank, 0))


# --- Images --------------------------------------------------------------------------------------


def check_image(function: str, x: Any, rank: int, layout: str) -> None:
    """Whether a function was given an image of its rank.

    Raises:
        UserInputError: It was not.
        UnknownNameError: There is no such layout.
    """
    check_layout(layout)
    if not isinstance(x, Array):
        raise UserInputError(
            f"{function} expected an Array for x, got {with_article(type(x).__name__)};"
            " convert with sm.asarray(x)"
        )
    if x.ndim != rank + 2:
        hint = "; give one image as x[None]" if x.ndim == rank + 1 else ""
        raise UserInputError(
            f"{function} expected x of {rank + 2} axes, {words(rank, layout)}, got shape"
            f" {x.shape}{hint}"
        )


def words(rank: int, layout: str) -> str:
    """The names of an image's axes.

    >>> words(2, "channels_first")
    '(batch, channels, rows, columns)'
    """
    space = axis_names(rank)
    named = (*space, "channels") if layout == "channels_last" else ("channels", *space)
    return f"({', '.join(('batch', *named))})"


def axis_names(rank: int) -> tuple[str, ...]:
    """The names of an image's axes of space."""
    return ("depth", "rows", "columns")[DIMENSIONS - rank :] if rank > 1 else ("length",)


def channels_of(shape: Extents, layout: str) -> int:
    """How many channels an image has."""
    return shape[-1] if layout == "channels_last" else shape[1]


def space_of(shape: Extents, layout: str) -> Extents:
    """The extents of an image's space."""
    return shape[1:-1] if layout == "channels_last" else shape[2:]


def shape_of(batch: int, space: Extents, channels: int, layout: str) -> Extents:
    """The shape of an image."""
    if layout == "channels_last":
        return (batch, *space, channels)
    return (batch, channels, *space)


def five_axes(elements: Layout, layout: str) -> Layout:
    """An image's elements with the axes that images have inside this package."""
    if layout == "channels_first":
        elements = elements.moveaxis(1, -1)
    missing = DIMENSIONS + 2 - elements.ndim
    return elements.expand_dims(tuple(range(1, 1 + missing))) if missing else elements


def with_five_axes(x: Any, layout: str) -> Any:
    """An image with the axes that images have inside this package: a view, or an expression."""
    if x.ndim == DIMENSIONS + 2 and layout == "channels_last":
        return peeked(x)
    seen = x.viewed(_FiveAxes(layout))
    return peeked(seen)


class _FiveAxes:
    """The step of a view."""

    __slots__ = ("layout",)

    def __init__(self, layout: str) -> None:
        self.layout = layout

    def __call__(self, elements: Layout) -> Layout:
        return five_axes(elements, self.layout)


def three(spans: Sequence[Span]) -> tuple[Span, Span, Span]:
    """A span for each of three dimensions."""
    depth, rows, columns = (*(ALONE,) * (DIMENSIONS - len(spans)), *spans)
    return depth, rows, columns


def check_floats(function: str, dtype: DType) -> None:
    """Raise UserInputError where a function of floats was given something else."""
    if not dtype.is_float:
        raise UserInputError(
            f"{function} expected floats, got {dtype}; convert with x.astype(sm.float32)"
        )
