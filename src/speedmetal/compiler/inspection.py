"""What a launch must know of a kernel, read from its IR as it goes to the printer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from speedmetal.compiler.metadata import KernelMetadata
from speedmetal.compiler.size_expression import CALL, Formula, SizedArray
from speedmetal.dtypes import DType
from speedmetal.errors import InternalError
from speedmetal.ir import analysis
from speedmetal.ir import nodes as ir
from speedmetal.ir.types import Space
from speedmetal.ir.walk import operands


def metadata_of(kernel: ir.Kernel, name: str) -> KernelMetadata:
    """What a launch must know, read from the IR as it goes to the printer.

    Args:
        kernel: After all passes. Its own name is one that every target allows.
        name: The user's name of it, for messages.
    """
    written = {n for n, parameter in enumerate(kernel.parameters) if parameter in kernel.written}
    return KernelMetadata(
        written=frozenset(written),
        has_loops=analysis.has_loops(kernel),
        uses_simdgroups=analysis.uses_simdgroups(kernel),
        threadgroup_memory_bytes=_threadgroup_bytes(kernel),
        sites=analysis.report_sites(kernel, name),
        sized_arrays=tuple(_sized_arrays(kernel)),
    )


# --- threadgroup memory


def _threadgroup_arrays(kernel: ir.Kernel) -> Iterator[tuple[ir.Array, bool]]:
    """Each array of the threadgroup, and whether its size is constant."""
    for array in kernel.arrays:
        if array.type.space is Space.THREADGROUP:
            yield array, all(isinstance(size, int) for size in array.shape or ())


def _threadgroup_bytes(kernel: ir.Kernel) -> int:
    total = 0
    for array, is_constant in _threadgroup_arrays(kernel):
        if is_constant:
            sizes = (size for size in array.shape or () if isinstance(size, int))
            total += math.prod(sizes) * array.type.dtype.itemsize
    return total


def _sized_arrays(kernel: ir.Kernel) -> Iterator[SizedArray]:
    for array, is_constant in _threadgroup_arrays(kernel):
        if not is_constant:
            shape = tuple(
                size if isinstance(size, int) else formula_of(size, kernel)
                for size in array.shape or ()
            )
            yield SizedArray(array.name, array.type.dtype.itemsize, shape)


def formula_of(expression: ir.Expression, kernel: ir.Kernel) -> Formula:
    """The formula of an expression over a kernel's parameters and ``threads_per_threadgroup``.

    Raises:
        InternalError: It reads what no launch knows.
    """
    assert isinstance(expression.type, DType)
    dtype = expression.type.name
    parts = _known_parts(expression, kernel.parameters)
    if parts:
        return parts[0], dtype, *parts[1:]
    word = _WORDS.get(type(expression)) or getattr(expression, "operator", "")
    if isinstance(expression, ir.Call) and expression.arguments:
        word = CALL + expression.intrinsic.name
    if not word:
        raise InternalError(f"{type(expression).__name__} is in a size that a launch should know")
    return word, dtype, *(formula_of(operand, kernel) for operand in operands(expression))


_WORDS = {ir.Select: "select", ir.Convert: "convert", ir.Bitcast: "bitcast"}


def _known_parts(
    expression: ir.Expression, parameters: tuple[ir.Variable | ir.Array, ...]
) -> tuple[Any, ...]:
    """What a launch knows without evaluating anything; empty for all else."""
    match expression:
        case ir.Constant(value):
            return "constant", value
        case ir.Read(variable) if variable in parameters:
            return "parameter", parameters.index(variable)
        case ir.Extent(array, axis) if array in parameters:
            return "extent", parameters.index(array), axis
        case ir.Call(intrinsic, axis=int(axis)) if intrinsic.is_known_at_launch:
            return "threads", axis
    return ()
