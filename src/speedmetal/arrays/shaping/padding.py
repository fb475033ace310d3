"""Borders around arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from speedmetal.arrays.array import Array
from speedmetal.arrays.assembling import Part, assembled_like, at
from speedmetal.arrays.creation import asarray
from speedmetal.arrays.deferred.pending import Step
from speedmetal.arrays.memory.conversion import HostArray, convert_on_host
from speedmetal.arrays.memory.shapes import Shape
from speedmetal.errors import UserInputError

_MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


def pad(x: Any, /, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Array:
    """The array with borders around it.

    ``constant``: one value; ``edge``: the outermost elements; ``reflect``: mirrored at the
    outermost elements, which are not repeated; ``symmetric``: mirrored behind them, which are;
    ``wrap``: from the other end. Borders that are wider than the array go on so.

    Args:
        x: The array.
        pad_width: How wide: one number, ``(before, after)`` for all axes, or a pair for each.
        mode: One of the above.
        constant_values: Of the mode ``constant``: a number, a pair for all axes, or one for each.

    Raises:
        UserInputError: There is no such mode, a width is negative or there are too many, or an
            empty axis has nothing to repeat.

    Example:
        >>> import speedmetal as sm
        >>> sm.pad(sm.array([1, 2, 3]), (1, 2))
        Array([0, 1, 2, 3, 0, 0], dtype=int32, device='cpu')
        >>> sm.pad(sm.array([1, 2, 3]), 2, "reflect")
        Array([3, 2, 1, 2, 3, 2, 1], dtype=int32, device='cpu')
    """
    source = asarray(x)
    if mode not in _MODES:
        raise UserInputError(f"pad: there is no mode {mode!r}; allowed are {', '.join(_MODES)}")
    widths = _pairs("pad_width", pad_width, source.ndim)
    _check_widths(widths, source.shape, mode)
    shape = tuple(
        before + extent + after
        for extent, (before, after) in zip(source.shape, widths, strict=True)
    )
    inside = [
        slice(before, before + extent)
        for extent, (before, _) in zip(source.shape, widths, strict=True)
    ]
    parts = [Part(at(tuple(inside)), source)]
    values = _pairs("constant_values", constant_values, source.ndim)
    for axis, extent in enumerate(source.shape):
        if mode == "constant":
            fills = convert_on_host(np.array(values[axis]), source.layout.dtype)
            slabs = _constant_slabs(extent, *widths[axis], fills)
        else:
            slabs = _repeated_slabs(extent, *widths[axis], mode)
        along = partial(_slab, axis, inside[axis + 1 :])
        parts += [Part(along(to), along(of) if isinstance(of, slice) else of) for to, of in slabs]
    padded: Array = assembled_like(source, "pad", shape, parts)
    return padded


def _slab(axis: int, behind: Sequence[slice], run: slice) -> Step:
    """A run of an axis: of the axes before with their borders, of those behind without."""
    return at((*(slice(None),) * axis, run, *behind))


def _pairs(name: str, given: Any, ndim: int) -> list[tuple[Any, Any]]:
    """A pair for each axis of what was given for one, for all, or for both ends."""
    host = given.numpy() if isinstance(given, Array) else np.asarray(given)
    try:
        return [tuple(pair) for pair in np.broadcast_to(host, (ndim, 2)).tolist()]
    except ValueError:
        raise UserInputError(
            f"pad: {name} must be a number, a pair or a pair for each of {ndim} axes, got {given}"
        ) from None


def _check_widths(widths: Sequence[tuple[Any, Any]], shape: Shape, mode: str) -> None:
    for axis, pair in enumerate(widths):
        if any(not isinstance(width, int) or width < 0 for width in pair):
            raise UserInputError(
                f"pad expected widths that are integers of 0 or more, got {pair} for axis {axis}"
            )
        if mode != "constant" and not shape[axis] and any(pair):
            raise UserInputError(
                f"pad: axis {axis} of shape {shape} is empty, there is nothing to repeat; only"
                ' mode "constant" can fill it'
            )


def _constant_slabs(
    extent: int, before: int, after: int, values: HostArray
) -> Iterator[tuple[slice, Any]]:
    """Where the borders along an axis are, and what they are filled with."""
    if before:
        yield slice(0, before), values[0]
    if after:
        yield slice(before + extent, before + extent + after), values[1]


def _repeated_slabs(
    extent: int, before: int, after: int, mode: str
) -> Iterator[tuple[slice, slice]]:
    """Parts of the borders along an axis, and what is written already that they are copies of.

    Positions count from the first element of the array itself. What is mirrored comes first, once
    on each side; then everything repeats with a period, and each copy doubles what there is.
    """
    if not extent:  # nor has it borders then
        return
    if mode == "edge" or extent == 1:
        yield from _edge_slabs(extent, before, after)
        return
    mirrored = {"wrap": 0, "symmetric": extent, "reflect": extent - 1}[mode]
    skipped = mode == "reflect"
    period = mirrored + extent - skipped if mirrored else extent
    low, high = -min(before, mirrored), extent + min(after, mirrored)

    def at(start: int, stop: int) -> slice:
        return slice(before + start, before + stop)

    if high > extent:
        yield at(extent, high), _backwards(at(2 * extent - high - skipped, extent - skipped))
    if low < 0:
        yield at(low, 0), _backwards(at(skipped, skipped - low))
    while high < extent + after:
        distance = (high - low) // period * period
        stop = min(extent + after, high + distance)
        yield at(high, stop), at(high - distance, stop - distance)
        high = stop
    while low > -before:
        distance = (high - low) // period * period
        start = max(-before, low - distance)
        yield at(start, low), at(start + distance, low + distance)
        low = start


def _edge_slabs(extent: int, before: int, after: int) -> Iterator[tuple[slice, slice]]:
    last = before + extent
    if before:
        yield slice(0, before), slice(before, before + 1)
    if after:
        yield slice(last, last + after), slice(last - 1, last)


def _backwards(run: slice) -> slice:
    """The same positions from the last to the first."""
    return slice(run.stop - 1, run.start - 1 if run.start else None, -1)
