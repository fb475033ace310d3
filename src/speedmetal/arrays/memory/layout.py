"""Where the elements of an array are in its memory, and what views do to that.

The element at indices ``i`` of a :class:`Layout` begins at the byte

    ``offset + sum(i[k] * strides[k])``    for ``0 <= i[k] < shape[k]``

of the array's buffer. A view is another layout over the same buffer; every function here gives one
by integer arithmetic alone, and touches no memory. The words and rules are NumPy's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from speedmetal.arrays.memory.indexing import Index, index_axes, index_position
from speedmetal.arrays.memory.overlap import may_have_solution
from speedmetal.arrays.memory.shapes import (
    Axes,
    Shape,
    axes_of,
    c_strides,
    complete_shape,
    extents_of,
    has_strides_without_gaps,
)
from speedmetal.common.records import record
from speedmetal.dtypes import DType


@record
class Layout:
    """Dtype, shape, strides and offset of an array: a value, compared and hashed as one.

    It knows neither the buffer nor the device. Nothing is checked when one is made; the methods
    make only layouts whose elements are among those of the layout they start from.

    Args:
        dtype: Of the elements.
        shape: Extents, 0 or more each.
        strides: Distances of neighbours along each axis, in **bytes**; negative ones and 0 too.
        offset: Of the first element from the beginning of the buffer, in **bytes**.

    Example:
        >>> from speedmetal.dtypes import float32
        >>> x = Layout.c_contiguous(float32, (2, 3))
        >>> x
        Layout(dtype=float32, shape=(2, 3), strides=(12, 4), offset=0)
        >>> x[1, ::-1]
        Layout(dtype=float32, shape=(3,), strides=(-4,), offset=20)
    """

    dtype: DType
    shape: Shape
    strides: tuple[int, ...]
    offset: int = 0

    # Each view makes one: in a fifth of the time that a record's own method takes.
    def __init__(
        self, dtype: DType, shape: Shape, strides: tuple[int, ...], offset: int = 0
    ) -> None:
        _set_dtype(self, dtype)
        _set_shape(self, shape)
        _set_strides(self, strides)
        _set_offset(self, offset)

    @classmethod
    def c_contiguous(cls, dtype: DType, shape: Shape, offset: int = 0) -> Layout:
        """The layout without gaps whose last axis runs fastest.

        ``strides[k] = itemsize * shape[k + 1] * shape[k + 2] * ...``, where 0 counts as 1.
        """
        return cls(dtype, shape, c_strides(shape, dtype.itemsize), offset)

    # --- What it is --------------------------------------------------------------------------

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements: the product of the extents."""
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        """The size of one element, in bytes."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """``size * itemsize``: what a copy without gaps takes."""
        return self.size * self.itemsize

    @property
    def is_c_contiguous(self) -> bool:
        """Whether the elements lie in C order without gaps; always if there is at most one.

        >>> from speedmetal.dtypes import int8
        >>> x = Layout.c_contiguous(int8, (4, 3))
        >>> x.is_c_contiguous, x[1:3].is_c_contiguous, x[:, 1:].is_c_contiguous
        (True, True, False)
        """
        return has_strides_without_gaps(reversed(self.shape), reversed(self.strides), self.itemsize)

    @property
    def is_f_contiguous(self) -> bool:
        """Whether the elements lie without gaps with the first axis running fastest."""
        return has_strides_without_gaps(self.shape, self.strides, self.itemsize)

    @property
    def byte_bounds(self) -> tuple[int, int]:
        """The bytes ``[low, high)`` of the buffer that the elements lie in.

        With ``d[k] = (shape[k] - 1) * strides[k]``, ``low`` is the offset plus all negative ``d``,
        ``high`` the offset plus all positive ``d`` plus the item size. Both are the offset if there
        are no elements.

        >>> from speedmetal.dtypes import float32
        >>> Layout.c_contiguous(float32, (2, 3))[:, ::-2].byte_bounds
        (0, 24)
        """
        low = high = self.offset
        for extent, stride in zip(self.shape, self.strides, strict=True):
            if not extent:
                return self.offset, self.offset
            if stride < 0:
                low += (extent - 1) * stride
            else:
                high += (extent - 1) * stride
        return low, high + self.itemsize

    def overlaps(self, other: Layout, *, max_steps: int = 10_000) -> bool:
        """Whether both, over the same buffer, have a byte in common.

        With positive strides ``s`` from the lowest byte up for this layout, and ``t`` from the
        highest byte down for the other, there is one if

            ``sum(s[k] * x[k]) + r + sum(t[k] * y[k]) + q == other.high - 1 - self.low``

        has a solution with ``x`` and ``y`` within the extents, ``r`` and ``q`` within an element.

        Args:
            other: Of any shape and dtype.
            max_steps: The bound of the search. Layouts whose strides divide each other, as those of
                views of one array mostly do, need hardly a step.

        Returns:
            False only if there is none. True if there is one, or if the search ran out of steps.

        Example:
            >>> from speedmetal.dtypes import float32
            >>> x = Layout.c_contiguous(float32, (10,))
            >>> x[::2].overlaps(x[1::2]), x[::2].overlaps(x[1::3])
            (False, True)
        """
        low, high = self.byte_bounds
        other_low, other_high = other.byte_bounds
        if low == high or other_low == other_high or low >= other_high or other_low >= high:
            return False
        terms = [
            (abs(stride), extent - 1)
            for layout in (self, other)
            for extent, stride in zip(layout.shape, layout.strides, strict=True)
        ]
        terms.append((1, self.itemsize + other.itemsize - 2))
        return may_have_solution(terms, other_high - 1 - low, max_steps)

    # --- Elements ----------------------------------------------------------------------------

    def __getitem__(self, index: Index | tuple[Index, ...]) -> Layout:
        """Integers, slices (with negative steps), ``None`` and ``...``, by NumPy's rules.

        An index for every axis gives a layout without axes.

        Raises:
            IndexError: An integer is outside, there are too many, or ``...`` comes twice.
            TypeError: Another kind of index.
            ValueError: A slice's step is 0.
        """
        shape, strides = self.shape, self.strides
        if type(index) is int and shape:  # the quick way of the commonest index
            distance = index_position(index, 0, shape[0]) * strides[0]
            return Layout(self.dtype, shape[1:], strides[1:], self.offset + distance)
        shape, strides, distance = index_axes(index, shape, strides)
        return Layout(self.dtype, shape, strides, self.offset + distance)

    def flip(self, axes: Axes | None = None) -> Layout:
        """The elements in reverse order along these axes; None: along all.

        The stride ``s`` of an axis of extent ``n`` becomes ``-s``, the offset grows by ``(n-1)*s``.

        >>> from speedmetal.dtypes import int8
        >>> Layout.c_contiguous(int8, (2, 3)).flip(-1)
        Layout(dtype=int8, shape=(2, 3), strides=(3, -1), offset=2)
        """
        strides, offset = list(self.strides), self.offset
        for axis in range(self.ndim) if axes is None else axes_of(axes, self.ndim):
            if self.shape[axis]:
                offset += (self.shape[axis] - 1) * strides[axis]
                strides[axis] = -strides[axis]
        return Layout(self.dtype, self.shape, tuple(strides), offset)

    # --- Order of the axes -------------------------------------------------------------------

    def transpose(self, axes: Sequence[int] | None = None) -> Layout:
        """The layout whose axis ``k`` is this one's ``axes[k]``; None: in reverse order.

        Raises:
            AxisError: There is no such axis.
            ValueError: Not every axis comes once.

        >>> from speedmetal.dtypes import int8
        >>> Layout.c_contiguous(int8, (2, 3, 4)).transpose((1, 2, 0)).strides
        (4, 1, 12)
        """
        if axes is None:
            return Layout(self.dtype, self.shape[::-1], self.strides[::-1], self.offset)
        order = axes_of(axes, self.ndim)
        if len(order) != self.ndim:
            raise ValueError(
                f"cannot transpose {self.ndim} axes by {tuple(axes)}: name every axis once"
            )
        return self._permute(order)

    def moveaxis(self, source: Axes, destination: Axes) -> Layout:
        """Axes ``source`` moved to the positions ``destination``; the others keep their order.

        Raises:
            AxisError: There is no such axis.
            ValueError: One comes twice, or the numbers of both differ.

        >>> from speedmetal.dtypes import int8
        >>> Layout.c_contiguous(int8, (2, 3, 4)).moveaxis(0, -1).shape
        (3, 4, 2)
        """
        moved, places = axes_of(source, self.ndim), axes_of(destination, self.ndim)
        if len(moved) != len(places):
            raise ValueError(
                f"cannot move axes {source} to {destination}: give as many of one as of the other"
            )
        order = [axis for axis in range(self.ndim) if axis not in moved]
        for place, axis in sorted(zip(places, moved, strict=True)):
            order.insert(place, axis)
        return self._permute(order)

    def _permute(self, order: Iterable[int]) -> Layout:
        shape, strides = self.shape, self.strides
        pairs = [(shape[axis], strides[axis]) for axis in order]
        return Layout(
            self.dtype, tuple(p[0] for p in pairs), tuple(p[1] for p in pairs), self.offset
        )

    # --- Number and extents of the axes ------------------------------------------------------

    def expand_dims(self, axes: Axes) -> Layout:
        """New axes of extent 1 and stride 0, which have these positions in the result.

        >>> from speedmetal.dtypes import int8
        >>> Layout.c_contiguous(int8, (2, 3)).expand_dims((0, -1)).shape
        (1, 2, 3, 1)
        """
        count = 1 if hasattr(axes, "__index__") else len(axes)
        new = axes_of(axes, self.ndim + count)
        return self[tuple(None if k in new else slice(None) for k in range(self.ndim + count))]

    def squeeze(self, axes: Axes | None = None) -> Layout:
        """Without these axes of extent 1; None: without all such.

        Raises:
            AxisError: There is no such axis.
            ValueError: One has another extent, or comes twice.
        """
        if axes is None:
            gone = tuple(axis for axis, extent in enumerate(self.shape) if extent == 1)
        else:
            gone = axes_of(axes, self.ndim)
        for axis in gone:
            if self.shape[axis] != 1:
                raise ValueError(
                    f"cannot squeeze axis {axis} of shape {self.shape}: its extent must be 1"
                )
        return self._permute(axis for axis in range(self.ndim) if axis not in gone)

    def broadcast_to(self, shape: int | Shape) -> Layout:
        """This shape, in which axes of extent 1, and new ones in front, repeat with stride 0.

        Elements share memory then: who writes to them must know.

        Raises:
            ValueError: An extent is neither 1 nor the wanted one, or there are too few axes.

        >>> from speedmetal.dtypes import int8
        >>> Layout.c_contiguous(int8, (3, 1)).broadcast_to((2, 3, 4)).strides
        (0, 1, 0)
        """
        wanted = extents_of(shape)
        new = len(wanted) - self.ndim
        pairs = zip(self.shape, wanted[max(new, 0) :], strict=False)
        if new < 0 or any(extent not in (1, want) for extent, want in pairs):
            raise ValueError(
                f"cannot broadcast shape {self.shape} to {wanted}: counted from the last axis,"
                " each extent must be 1 or the wanted one"
            )
        kept = zip(self.shape, self.strides, wanted[new:], strict=True)
        strides = (stride if extent == want else 0 for extent, stride, want in kept)
        return Layout(self.dtype, wanted, (0,) * new + tuple(strides), self.offset)

    def reshape(self, shape: int | Shape) -> Layout | None:
        """The same elements, in C order, in another shape; None where that needs a copy.

        The axes are merged as far as possible, each of the runs is then split into new extents. It
        is possible if and only if no new axis crosses the border of two runs.

        Args:
            shape: The extents; one may be -1, for what the others leave.

        Raises:
            ValueError: The sizes differ, or an extent is negative.

        Example:
            >>> from speedmetal.dtypes import int8
            >>> x = Layout.c_contiguous(int8, (2, 6))
            >>> x[:, ::2].reshape((2, 1, 3))
            Layout(dtype=int8, shape=(2, 1, 3), strides=(6, 6, 2), offset=0)
            >>> x[:, ::2].reshape(-1).strides, x[:, 1:].reshape(-1)
            ((2,), None)
        """
        extents = complete_shape(extents_of(shape, least=-1), self.shape)
        if self.strides == c_strides(self.shape, self.itemsize) or not self.size:
            return Layout.c_contiguous(self.dtype, extents, self.offset)
        strides = _split_runs(self.collapse(), extents)
        return None if strides is None else Layout(self.dtype, extents, strides, self.offset)

    def view(self, dtype: DType) -> Layout:
        """The same bytes as elements of another dtype of the same size."""
        assert dtype.itemsize == self.itemsize
        return Layout(dtype, self.shape, self.strides, self.offset)

    def halve(self, dtype: DType) -> Layout:
        """The same bytes as elements of half the size, each pair along a new last axis.

        >>> from speedmetal.dtypes import complex128, uint64
        >>> Layout.c_contiguous(complex128, (3,)).halve(uint64).strides
        (16, 8)
        """
        assert 2 * dtype.itemsize == self.itemsize
        return Layout(dtype, (*self.shape, 2), (*self.strides, dtype.itemsize), self.offset)

    def collapse(self) -> Layout:
        """With as few axes as walk over the elements in the same order; see `collapse_axes`."""
        return collapse_axes(self)[0]


_set_dtype, _set_shape, _set_strides, _set_offset = (
    vars(Layout)[name].__set__ for name in ("dtype", "shape", "strides", "offset")
)


def collapse_axes(*layouts: Layout) -> tuple[Layout, ...]:
    """Layouts of one shape with as few axes as walk over their elements in the same order.

    Axes of extent 1 go. Neighbours ``k`` and ``k + 1`` become one where every layout has
    ``strides[k] == strides[k + 1] * shape[k + 1]``. If there are no elements, one axis of extent 0
    remains; an elementwise kernel over contiguous arrays gets one axis, whatever their shape.

    Args:
        layouts: One or more.

    Returns:
        As many, with one common shape.

    Raises:
        ValueError: The shapes differ.

    Example:
        >>> from speedmetal.dtypes import float32
        >>> x = Layout.c_contiguous(float32, (2, 3, 4))
        >>> row = Layout.c_contiguous(float32, (4,)).broadcast_to((2, 3, 4))
        >>> [layout.strides for layout in collapse_axes(x, row)]
        [(16, 4), (0, 4)]
    """
    shape = layouts[0].shape
    if any(layout.shape != shape for layout in layouts):
        shapes = ", ".join(str(layout.shape) for layout in layouts)
        raise ValueError(
            f"only axes of layouts of one shape can be merged, got {shapes}; broadcast"
        )
    if 0 in shape:
        return tuple(Layout.c_contiguous(x.dtype, (0,), x.offset) for x in layouts)
    runs: list[tuple[int, int]] = []  # extent, and the axis whose strides the run has
    for axis, extent in enumerate(shape):
        if extent == 1:
            continue
        if runs and all(x.strides[runs[-1][1]] == x.strides[axis] * extent for x in layouts):
            runs[-1] = runs[-1][0] * extent, axis
        else:
            runs.append((extent, axis))
    merged = tuple(extent for extent, _ in runs)
    return tuple(
        Layout(x.dtype, merged, tuple(x.strides[axis] for _, axis in runs), x.offset)
        for x in layouts
    )


def _split_runs(runs: Layout, extents: Shape) -> tuple[int, ...] | None:
    """The strides of axes with these extents over the runs of merged axes, from the last one."""
    pending = list(zip(runs.shape, runs.strides, strict=True))
    left, stride = 1, runs.itemsize
    strides: list[int] = []
    for extent in reversed(extents):
        if left == 1 and extent > 1:
            left, stride = pending.pop()
        if left % extent:
            return None
        strides.append(stride)
        left //= extent
        stride *= extent
    return tuple(reversed(strides))
