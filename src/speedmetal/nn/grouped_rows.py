"""Rows of a table combined in groups, by :mod:`speedmetal.nn.kernels.neighbours`."""

from __future__ import annotations

from typing import Any

from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import zeros
from speedmetal.arrays.deferred.following import (
    Follower,
    followed,
    follower_layouts,
    result_layouts,
    takes_any,
)
from speedmetal.arrays.deferred.graph import peeked
from speedmetal.arrays.deferred.lazy import call
from speedmetal.arrays.deferred.pending import Call
from speedmetal.arrays.memory.copying import check_computes
from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.errors import UnknownNameError
from speedmetal.frontend.static import static
from speedmetal.nn.launches import launch

REDUCTIONS = ("sum", "mean", "max")


@record(eq=False)
class Groups:
    """Which rows make each group.

    Args:
        places: ``(count,)``, int32 or int64, within the table; nobody else writes to them.
        starts: ``(groups + 1,)``, where in ``places`` each group begins, and the end; likewise.
        left_out: The place whose row does not count; -1: there is none.
    """

    places: Array
    starts: Array
    left_out: int = -1


def check_reduction(name: str, reduction: Any) -> None:
    """Whether there is such a reduction.

    Raises:
        UnknownNameError: There is not.
    """
    if reduction not in REDUCTIONS:
        raise UnknownNameError(f"{name} reduction", str(reduction), REDUCTIONS)


def combined_rows(
    name: str,
    table: Array,
    groups: Groups,
    reduction: str,
    dtype: DType,
    scales: Array | None = None,
) -> Array:
    """The rows of each group combined; 0 where it has none; lazy.

    Args:
        name: Of the function.
        table: ``(rows, columns)``, of float32 or float64.
        groups: See above.
        reduction: One of :data:`REDUCTIONS`.
        dtype: Of the result.
        scales: ``(count,)``, by what each row is multiplied, not for ``"max"``; None: by nothing.

    Returns:
        ``(groups, columns)``.
    """
    shape, device = (groups.starts.size - 1, table.shape[1]), table.device
    check_computes(name, device, dtype, table.layout.dtype)
    if not groups.places.size or not table.size or not shape[0]:
        return zeros(shape, dtype, device)
    source = peeked(table)
    operands = [source, groups.places, groups.starts, *([] if scales is None else [scales])]

    def run(follower: Follower | None = None) -> list[Array]:
        elements, layout, size_bytes = result_layouts(follower, shape, dtype, device)
        result = Array(device.allocate(size_bytes), elements, layout)
        target, _ = followed(follower, result, follower_layouts(follower, shape))
        _launch(target, source, groups, reduction, scales)
        return [result]

    reads = max(1, groups.places.size // table.shape[0])
    node = Call(name, operands, run, reads, callers=3, takes=takes_any)
    found: list[Array] = call(Array, node, [(shape, dtype)], device)
    return found[0]


def _launch(
    target: Any, table: Array, groups: Groups, reduction: str, scales: Array | None
) -> None:
    from speedmetal.nn.kernels import neighbours as kernels  # with its first use

    common = (target, table, groups.places, groups.starts)
    grid = (target.shape[1], target.shape[0])
    if reduction == "max":
        launch(kernels.greatest_of_rows, (*common, groups.left_out), grid)
    else:
        is_mean: Any = static(reduction == "mean")
        launch(kernels.add_rows, (*common, scales, groups.left_out, is_mean), grid)
