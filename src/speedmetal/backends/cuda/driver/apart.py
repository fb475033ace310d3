"""Whether the arrays of a launch lie apart from those that it writes to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from speedmetal.backends.cuda.driver.build import CudaCode
from speedmetal.backends.device import ArrayParameter, Launch

Condition = Callable[[list[Any]], bool]
"""Of the values that a launch brings, of which number n + 1 is the address of parameter n."""


def apart(code: CudaCode, launch: Launch) -> Condition:
    """What tells of the values of a launch whether its arrays lie apart.

    Two arrays lie apart where all elements of one are behind all elements of the other: so two
    columns of one matrix do not.
    """
    pairs = list(overlapping_pairs(code, launch))

    def lie_apart(values: list[Any]) -> bool:
        for first, second, least, greatest in pairs:
            if least < values[second] - values[first] < greatest:
                return False
        return True

    return lie_apart


def overlapping_pairs(code: CudaCode, launch: Launch) -> Iterator[tuple[int, int, int, int]]:
    """Of each pair the places of the addresses, and the distances between which they overlap."""
    extents = [
        _extent(launch.parameters[number], size)
        for number, size in zip(code.arrays, code.item_bytes, strict=True)
    ]
    for first in code.written:
        for second, (begin, end) in enumerate(extents):
            own_begin, own_end = extents[first]
            is_done = second == first or (second < first and second in code.written)
            if is_done or begin == end or own_begin == own_end:
                continue
            numbers = code.arrays[first] + 1, code.arrays[second] + 1
            yield *numbers, own_begin - end, own_end - begin


def _extent(parameter: Any, item_bytes: int) -> tuple[int, int]:
    """Where an array begins and ends, in bytes from its first element; nowhere if it is empty."""
    assert isinstance(parameter, ArrayParameter)
    if 0 in parameter.shape:
        return 0, 0
    reaches = [(n - 1) * s for n, s in zip(parameter.shape, parameter.strides, strict=True)]
    begin = sum(reach for reach in reaches if reach < 0)
    end = sum(reach for reach in reaches if reach > 0)
    return begin * item_bytes, (end + 1) * item_bytes
