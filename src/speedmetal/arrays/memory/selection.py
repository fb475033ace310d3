"""Advanced indices taken apart: integer arrays and masks among slices, by NumPy's rules.

``x[index]`` with arrays in it is two steps: a *view* by the slices, new axes and integers, in which
each indexed axis is whole, and then one choice of positions along neighbouring axes of that view.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import EllipsisType
from typing import Any

import numpy as np

from speedmetal.arrays.memory.layout import Layout
from speedmetal.arrays.memory.shapes import Shape
from speedmetal.common.records import record

HostArray = np.ndarray[Any, Any]
Chooser = Any
"""An integer array that is an index: NumPy's, or an :class:`speedmetal.Array`."""


@record(eq=False)
class Selection:
    """What an advanced index means for an array of some shape.

    Args:
        basic: The basic index that gives the view, each chosen axis whole.
        order: How the view's axes are put in order after it; None: as they are.
        lead: The first chosen axis of the view; the others come right behind.
        choosers: For each chosen axis the positions on it, which are broadcast together.
        axes: Of the array, that the chosen axes were, for messages.
        extents: Theirs.
        shape: To which the choosers are broadcast.
    """

    basic: tuple[Any, ...]
    order: tuple[int, ...] | None
    lead: int
    choosers: tuple[Chooser, ...]
    axes: tuple[int, ...]
    extents: tuple[int, ...]
    shape: Shape

    def view(self, elements: Layout) -> Layout:
        """The view's elements, of the array's."""
        found = elements[self.basic]
        return found if self.order is None else found.transpose(self.order)

    def shape_of(self, view: Shape) -> Shape:
        """The shape of what is chosen, for that of the view."""
        return (*view[: self.lead], *self.shape, *view[self.lead + len(self.choosers) :])


def has_arrays(index: Any) -> bool:
    """Whether an index has a part that is no basic one, but may be an advanced one."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(map(_is_advanced, parts))


def _is_advanced(part: Any) -> bool:
    return isinstance(part, bool | np.bool_ | list | tuple | range) or (
        hasattr(part, "dtype") and hasattr(part, "shape")
    )


def select(index: Any, shape: Shape, read_mask: Callable[[Any], HostArray]) -> Selection:
    """Take an advanced index apart.

    Args:
        index: One part, or a tuple of them.
        shape: Of the array.
        read_mask: Gives the NumPy array of a mask.

    Raises:
        IndexError: There are too many parts, a mask has another shape, arrays have another dtype or
            cannot be broadcast together. Integer arrays are not looked into.
        TypeError: A part is no index.
    """
    given = index if isinstance(index, tuple) else (index,)
    parts = _completed([_part(part) for part in given], len(shape))
    reader = _Reader(shape, read_mask)
    for part in parts:
        reader.read(part)
    return reader.selection()


def index_array(part: Any) -> Chooser:
    """An array, list or tuple as an index; an array without axes as Python's number.

    Raises:
        IndexError: Its dtype is neither an integer's nor bool.
    """
    found = part if hasattr(part, "dtype") and hasattr(part, "shape") else np.asarray(part)
    if not math.prod(found.shape) and not hasattr(part, "dtype"):
        found = found.astype(np.int64)  # [] has no dtype of its own
    kind = np.dtype(found.dtype).kind
    if kind not in "iub":
        raise IndexError(
            f"an array that is an index has integers or booleans, got {found.dtype};"
            " convert it with x.astype"
        )
    if not found.shape:
        return bool(found) if kind == "b" else int(found)
    return found


def _part(part: Any) -> Any:
    if part is None or part is Ellipsis or isinstance(part, slice):
        return part
    if isinstance(part, bool | np.bool_):
        return bool(part)
    if _is_advanced(part):
        return index_array(part)
    if hasattr(part, "__index__"):
        return part.__index__()
    raise TypeError(
        "expected integers, slices, None, ... or arrays of integers or booleans as index, got"
        f" {type(part).__name__}"
    )


def _is_mask(part: Any) -> bool:
    return hasattr(part, "dtype") and np.dtype(part.dtype).kind == "b"


def _axes_of(part: Any) -> int:
    """How many axes of the array a part is for."""
    if part is None or part is Ellipsis or type(part) is bool:
        return 0
    return len(part.shape) if _is_mask(part) else 1


def _completed(parts: list[Any], ndim: int) -> list[Any]:
    """The parts with slices in the place of ``...``, behind a mark that it stood there.

    Raises:
        IndexError: They are for more axes than there are, or ``...`` comes twice.
    """
    ellipses = sum(part is Ellipsis for part in parts)
    if ellipses > 1:
        raise IndexError(f"an index can have one ..., got {ellipses}")
    used = sum(map(_axes_of, parts))
    if used > ndim:
        raise IndexError(f"too many indices: the array has {ndim} axes, {used} were indexed")
    if not ellipses:
        parts = [*parts, Ellipsis]
    place = next(number for number, part in enumerate(parts) if part is Ellipsis)
    # Also where it stands for no axis, it parts what is before from what is behind, as in NumPy.
    return [*parts[: place + 1], *[slice(None)] * (ndim - used), *parts[place + 1 :]]


class _Reader:
    """Reads the parts of an index in their order."""

    def __init__(self, shape: Shape, read_mask: Callable[[Any], HostArray]) -> None:
        self.array_shape = shape
        self.read_mask = read_mask
        self.axis = 0  # of the array
        self.basic: list[Any] = []
        self.kept = 0  # axes of the view until now
        self.places: list[int] = []  # of the chosen axes in the view
        self.choosers: list[Chooser] = []
        self.axes: list[int] = []
        self.extents: list[int] = []
        self.runs: list[int] = []  # where in the view each run of advanced parts began
        self.was_advanced = False

    def read(self, part: Any) -> None:
        is_basic = part is None or isinstance(part, slice | EllipsisType)
        if is_basic:
            if part is not Ellipsis:
                self.basic.append(part)
                self.kept += 1
                self.axis += part is not None
        else:
            if not self.was_advanced:
                self.runs.append(self.kept)
            self._read_advanced(part)
        self.was_advanced = not is_basic

    def _read_advanced(self, part: Any) -> None:
        if type(part) is int:  # beside arrays an integer counts as one of them, but for its axis
            self.basic.append(part)
            self.axis += 1
        elif type(part) is bool:
            self.basic.append(None)
            self._choose(np.zeros(int(part), np.int64), self.axis, 1)
        elif _is_mask(part):
            self._read_mask(part)
        else:
            self.basic.append(slice(None))
            self._choose(part, self.axis, self.array_shape[self.axis])
            self.axis += 1

    def _read_mask(self, mask: Any) -> None:
        count = len(mask.shape)
        own = self.array_shape[self.axis : self.axis + count]
        # One of extent 0 chooses nothing, of any axis: the array API and NumPy have it so.
        if len(own) < count or any(m not in (0, n) for m, n in zip(mask.shape, own, strict=True)):
            raise IndexError(
                f"a mask of shape {tuple(mask.shape)} does not fit the axes from {self.axis} on,"
                f" whose extents are {own}; they must be equal, or the mask's 0"
            )
        for extent, positions in zip(own, np.nonzero(self.read_mask(mask)), strict=True):
            self.basic.append(slice(None))
            self._choose(positions, self.axis, extent)
            self.axis += 1

    def _choose(self, positions: Chooser, axis: int, extent: int) -> None:
        self.choosers.append(positions)
        self.places.append(self.kept)
        self.axes.append(axis)
        self.extents.append(extent)
        self.kept += 1

    def selection(self) -> Selection:
        order = None
        lead = self.runs[0] if self.choosers else 0
        if self.choosers and len(self.runs) > 1:
            others = (axis for axis in range(self.kept) if axis not in self.places)
            order, lead = (*self.places, *others), 0
        return Selection(
            tuple(self.basic),
            order,
            lead,
            tuple(self.choosers),
            tuple(self.axes),
            tuple(self.extents),
            broadcast_choosers([tuple(chooser.shape) for chooser in self.choosers]),
        )


def broadcast_choosers(shapes: Sequence[Shape]) -> Shape:
    """The shape to which index arrays are broadcast.

    Raises:
        IndexError: They cannot be.
    """
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        shown = " and ".join(map(str, shapes))
        raise IndexError(
            f"index arrays of shapes {shown} do not go together; counted from the last axis, two"
            " extents must be equal, or one of them 1"
        ) from None


def check_positions(positions: HostArray, axis: int, extent: int) -> None:
    """Check that all positions, counted from the end where negative, are on an axis.

    Raises:
        IndexError: One is outside; the first of them is named.
    """
    if not has_outside(positions, extent):
        return
    flat = positions.reshape(-1)
    is_outside = (flat >= extent) | ((flat < 0) & (flat.astype(np.int64) < -extent))
    first = flat[np.argmax(is_outside)]
    raise IndexError(outside_message(int(first), axis, extent))


def outside_message(position: int, axis: int, extent: int) -> str:
    """What is said of a position that is not on an axis."""
    allowed = f"allowed are {-extent} to {extent - 1}" if extent else "it has no elements"
    return f"index {position} is out of bounds for axis {axis} of extent {extent}: {allowed}"


def has_outside(positions: HostArray, extent: int) -> bool:
    """Whether a position is outside of an axis."""
    if not positions.size:
        return False
    if positions.dtype.isnative:  # as unsigned a negative one is large: mostly one look is enough
        unsigned = positions.view(f"u{positions.itemsize}")
        if int(unsigned.max()) < extent:
            return False
    return int(positions.max()) >= extent or int(positions.min()) < -extent
