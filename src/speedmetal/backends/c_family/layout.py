"""How a launch passes what is not an array: one structure, the same bytes on Metal and CUDA.

The structure has three sorts of fields: the grid's size in threads; the sizes and strides (in
elements) of array parameters, only those that the kernel reads; the scalar parameters. All sizes
and strides have the kernel's index type. Fields are ordered by size, the largest first, so that
each is aligned to its own size without padding between them, whatever compiler lays them out; the
end is padded to a multiple of 8. Bytes are little-endian; a bool is one byte, 0 or 1.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from speedmetal.backends.device import ArrayParameter, Launch
from speedmetal.backends.packing import Number, pack_numbers
from speedmetal.dtypes import DType, find_dtype, int64
from speedmetal.ir import analysis
from speedmetal.ir.nodes import Array, Expression, Kernel, Statement, Variable
from speedmetal.ir.walk import expressions, statements

AXES = "xyz"
_ALIGNMENT = 8


class Source(enum.Enum):
    """Where a field's value comes from."""

    GRID = "grid"  # threads along ``axis`` of the grid
    EXTENT = "extent"  # of parameter ``parameter`` along ``axis``
    STRIDE = "stride"  # in elements, of parameter ``parameter`` along ``axis``
    SCALAR = "scalar"  # parameter ``parameter`` itself
    DISTANCE = "distance"  # in bytes, of parameter ``parameter`` from the one that it lies in


@dataclass(frozen=True, slots=True)
class ArgumentField:
    """One field of the structure.

    Args:
        name: Its name in the printed source.
        dtype: Its type.
        offset: The place of its first byte in the structure.
        source: Where its value comes from.
        parameter: Number of the kernel's parameter; -1 for the grid.
        axis: The axis of the grid or of the array; -1 for scalars.
    """

    name: str
    dtype: DType
    offset: int
    source: Source
    parameter: int = -1
    axis: int = -1


@dataclass(frozen=True, slots=True)
class ArgumentLayout:
    """The structure of a kernel's arguments.

    Args:
        fields: In the order of their offsets.
        size: Its size in bytes, a multiple of 8.
    """

    fields: tuple[ArgumentField, ...]
    size: int

    def record(self) -> list[Any]:
        """The layout as JSON can keep it; the inverse of :meth:`from_record`."""
        fields = [
            (f.name, f.dtype.name, f.offset, f.source.value, f.parameter, f.axis)
            for f in self.fields
        ]
        return [self.size, fields]

    @classmethod
    def from_record(cls, record: list[Any]) -> ArgumentLayout:
        """The layout that :meth:`record` has described."""
        size, fields = record
        return cls(
            tuple(
                ArgumentField(name, find_dtype(dtype), offset, Source(source), parameter, axis)
                for name, dtype, offset, source, parameter, axis in fields
            ),
            size,
        )

    def pieces(self, launch: Launch) -> Iterator[bytes | Number]:
        """The structure's bytes and numbers, for :func:`speedmetal.backends.packing.packer`."""
        used = 0
        for field in self.fields:
            used += field.dtype.itemsize
            if field.source in (Source.SCALAR, Source.DISTANCE):
                yield Number(field.parameter + 1, field.dtype)
            else:
                yield pack_numbers(field.dtype, _resolve_field(field, launch))
        yield bytes(self.size - used)


def _resolve_field(field: ArgumentField, launch: Launch) -> int:
    """The value of a field that is no number of the launch's."""
    if field.source is Source.GRID:
        return launch.sizes.grid[field.axis]
    array = launch.parameters[field.parameter]
    assert isinstance(array, ArrayParameter)
    return array.shape[field.axis] if field.source is Source.EXTENT else array.strides[field.axis]


def argument_layout(kernel: Kernel) -> ArgumentLayout:
    """The structure that launches of a kernel fill, for Metal and CUDA alike."""
    wanted = _wanted_fields(kernel)
    ordered = sorted(
        wanted, key=lambda f: -f.dtype.itemsize
    )  # stable: equal sizes keep their order
    fields, offset = [], 0
    for f in ordered:
        fields.append(ArgumentField(f.name, f.dtype, offset, f.source, f.parameter, f.axis))
        offset += f.dtype.itemsize
    return ArgumentLayout(tuple(fields), -(-offset // _ALIGNMENT) * _ALIGNMENT)


def distance_field(array: Array) -> str:
    """The field with an array's distance from the array in whose memory it lies."""
    return f"{array.name}_distance"


def _wanted_fields(kernel: Kernel) -> Iterator[ArgumentField]:
    index = kernel.index_type
    for axis, letter in enumerate(AXES):
        yield ArgumentField(f"grid_{letter}", index, 0, Source.GRID, axis=axis)
    facts = analysis.facts(kernel)
    for number, parameter in enumerate(kernel.parameters):
        if isinstance(parameter, Variable):
            assert isinstance(parameter.type, DType)
            yield ArgumentField(parameter.name, parameter.type, 0, Source.SCALAR, number)
            continue
        if parameter.memory is not None:
            yield ArgumentField(distance_field(parameter), int64, 0, Source.DISTANCE, number)
        for axis in range(parameter.type.rank):
            for used, source in ((facts.extents, Source.EXTENT), (facts.strides, Source.STRIDE)):
                if (parameter, axis) in used:
                    name = f"{parameter.name}_{source.value}{axis}"
                    yield ArgumentField(name, index, 0, source, number, axis)


def all_nodes(kernel: Kernel) -> Iterator[Statement | Expression]:
    """Every statement and expression of a kernel's body and of its arrays' shapes."""
    for statement in statements(kernel.body):
        yield statement
        yield from expressions(statement)
    for array in kernel.arrays:
        for size in array.shape or ():
            if not isinstance(size, int):
                yield from expressions(size)
                yield size


def function_nodes(kernel: Kernel) -> Iterator[Statement | Expression]:
    """Every statement and expression of the functions of a kernel."""
    for function in kernel.functions:
        for statement in statements(function.body):
            yield statement
            yield from expressions(statement)


__all__ = [
    "AXES",
    "ArgumentField",
    "ArgumentLayout",
    "Source",
    "all_nodes",
    "argument_layout",
    "function_nodes",
]
