"""Types of the IR. A scalar's type is its :class:`~speedmetal.dtypes.DType`."""

from __future__ import annotations

import enum

from speedmetal.common.records import record
from speedmetal.dtypes import DType

SIMDGROUP_MATRIX_SIZE = 8
"""Rows and columns of the smallest simdgroup matrix, of which larger ones are made (Metal Shading
Language specification, section 2.4)."""

INDEX_HEADROOM = 1 << 16
"""How far the positions, sizes and distances of a launch stay below the end of its index type.

So printers may add as much to any of them: a threadgroup that reaches beyond the grid, a loop's
step beyond an extent.
"""


def greatest_index(index_type: DType) -> int:
    """The greatest position, extent, or distance in elements of launches with an index type.

    >>> from speedmetal.dtypes import int32
    >>> greatest_index(int32) + INDEX_HEADROOM == int32.maximum
    True
    """
    return int(index_type.maximum) - INDEX_HEADROOM


class Space(enum.Enum):
    """Where an array lives (Metal's address spaces)."""

    DEVICE = "device"
    THREADGROUP = "threadgroup"
    THREAD = "thread"


@record
class ArrayType:
    """An array's type.

    Args:
        dtype: Of its elements.
        rank: Number of axes.
        unit_axis: The axis along which neighbours are neighbours in memory, or None where no axis
            is known to be so. The strides of the other axes are known at run time only.
        space: Where it lives.
    """

    dtype: DType
    rank: int
    unit_axis: int | None
    space: Space = Space.DEVICE

    @property
    def matrix_axes(self) -> tuple[int, int]:
        """The axes of rows and of columns, along which a block lies: the last two.

        >>> from speedmetal.dtypes import float32
        >>> ArrayType(float32, 3, 2).matrix_axes
        (1, 2)
        """
        return self.rank - 2, self.rank - 1

    def __str__(self) -> str:
        """The text form that the command line takes: ``f32[:,:]``, ``f32[:,:]/strided``.

        >>> from speedmetal.dtypes import float32
        >>> str(ArrayType(float32, 2, 1)), str(ArrayType(float32, 1, None))
        ('f32[:,:]', 'f32[:]/strided')
        """
        axes = ",".join(":" * self.rank)
        layout = {self.rank - 1: "", None: "/strided"}.get(self.unit_axis, f"/unit{self.unit_axis}")
        layout = "" if self.rank == 0 else layout
        return f"{self.dtype.short}[{axes}]{layout}"


@record
class MatrixType:
    """A matrix that the threads of a simdgroup hold together.

    Args:
        dtype: Of its elements.
        rows: A multiple of 8.
        columns: A multiple of 8.
    """

    dtype: DType
    rows: int = SIMDGROUP_MATRIX_SIZE
    columns: int = SIMDGROUP_MATRIX_SIZE

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, self.columns

    @property
    def is_smallest(self) -> bool:
        """Whether it is one of 8x8, which every target has."""
        return self.shape == (SIMDGROUP_MATRIX_SIZE, SIMDGROUP_MATRIX_SIZE)

    def __str__(self) -> str:
        """The text form.

        >>> from speedmetal.dtypes import float16
        >>> str(MatrixType(float16)), str(MatrixType(float16, 64, 16))
        ('simdgroup_matrix<f16>', 'simdgroup_matrix<f16, 64x16>')
        """
        size = "" if self.is_smallest else f", {self.rows}x{self.columns}"
        return f"simdgroup_matrix<{self.dtype.short}{size}>"


ValueType = DType | MatrixType
