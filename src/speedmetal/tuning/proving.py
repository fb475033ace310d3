"""That a configuration did the work: its results are those of the first, and leave no trace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Self

import numpy as np

from speedmetal.arrays.array import Array
from speedmetal.arrays.elementwise.comparisons import array_equal
from speedmetal.errors import SpeedmetalError
from speedmetal.launch.examined import Examined

_FETCHED_BYTES = 1 << 20
"""Larger arrays of a GPU are compared there, first: to fetch them takes a second for a gigabyte."""
_PIECE = 1 << 22
"""Elements that are compared at a time."""
TOLERANCES = {"float64": 4e-11, "float32": 3e-5, "float16": 1e-2, "bfloat16": 4e-2}
"""About eps ** (2/3): how far results may be from each other that were rounded in another order."""


class Saved:
    """The arrays that launches write to, as they were.

    Args:
        launches: Which write to them; nothing of them has run.
    """

    def __init__(self, launches: Iterable[Examined]) -> None:
        arrays = {id(array): array for launch in launches for array in launch.written}
        self.arrays: list[Any] = list(arrays.values())
        self._content = [_copied(array) for array in self.arrays]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # Where a launch has failed, the device may do nothing more: that is what is to be told.
        with suppress(*((SpeedmetalError,) if kind is not None else ())):
            self.restore()

    def restore(self) -> None:
        """Make the arrays what they were."""
        for array, content in zip(self.arrays, self._content, strict=True):
            array[...] = content

    def results(self) -> list[Any]:
        """Copies of what the arrays hold: on the host, unless they take long to get there."""
        return [_copied(a) if _is_far(a) else _on_the_host(a).copy() for a in self.arrays]


def _copied(array: Any) -> Any:
    copy = array.copy()
    if isinstance(copy, Array):
        _ = copy.address  # in memory now, before anything writes
    return copy


def _is_far(array: Any) -> bool:
    is_elsewhere = isinstance(array, Array) and not array.buffer.is_shared
    return is_elsewhere and array.nbytes > _FETCHED_BYTES


def _on_the_host(array: Any) -> np.ndarray[Any, Any]:
    return array.numpy() if isinstance(array, Array) else array


def may_differ_again(launch: Examined) -> bool:
    """Whether a second launch may do something else: it reads what it changes."""
    updated = launch.compiled.metadata.updated
    written = launch.compiled.metadata.written
    leaves = [leaf.value for leaf in launch.bound.leaves]
    arrays = [n for n, leaf in enumerate(leaves) if isinstance(leaf, Array | np.ndarray)]
    return bool(updated) or any(
        n != m and _may_overlap(leaves[n], leaves[m]) for n in written for m in arrays
    )


def _may_overlap(one: Any, other: Any) -> bool:
    hosts = [a if isinstance(a, np.ndarray) else a.buffer.host for a in (one, other)]
    if all(host is not None for host in hosts):
        return np.may_share_memory(hosts[0], hosts[1])
    return one.buffer.owner is other.buffer.owner


def difference(results: Sequence[Any], expected: Sequence[Any], tolerance: float | None) -> str:
    """Where results differ from what is expected; empty where they do not.

    Integers and bools must be equal. Floats ``x`` and ``r`` are where both are NaN, where they are
    equal, and where ``|x - r| <= tolerance * (|r| + largest)``, with the largest finite ``|r|`` of
    the array.

    Args:
        results: The arrays.
        expected: Copies of what they held after the first configuration, see :meth:`Saved.results`.
        tolerance: None: of the dtype, in :data:`TOLERANCES`.
    """
    for number, (x, r) in enumerate(zip(results, expected, strict=True), start=1):
        if _is_far(x) and array_equal(x, r, equal_nan=True):  # as they are, most often
            continue
        flat, right = _on_the_host(x).reshape(-1), _on_the_host(r).reshape(-1)
        if np.array_equal(flat, right):
            continue
        wrong, first = _wrong(flat, right, tolerance)
        if wrong:
            place = [*map(int, np.unravel_index(first, x.shape))]
            return (
                f"its results differ from the first's: {wrong} of {x.size} elements of array"
                f" {number} that it writes, at {place} {flat[first]} in place of {right[first]}"
            )
    return ""


def _wrong(
    x: np.ndarray[Any, Any], r: np.ndarray[Any, Any], tolerance: float | None
) -> tuple[int, int]:
    """How many elements are wrong, and the first of them; in pieces, for want of memory."""
    pieces = [slice(start, start + _PIECE) for start in range(0, x.size, _PIECE)]
    name = x.real.dtype.name
    if name not in TOLERANCES:
        masks = [x[piece] != r[piece] for piece in pieces]
    else:
        stated = TOLERANCES[name] if tolerance is None else tolerance
        largest = max(_largest(r[piece]) for piece in pieces)
        masks = [_far(x[piece], r[piece], stated, largest) for piece in pieces]
    mask = np.concatenate(masks)
    return int(np.count_nonzero(mask)), int(np.argmax(mask))


def _largest(r: np.ndarray[Any, Any]) -> float:
    """The largest finite size."""
    size = np.abs(_widened(r))
    return float(np.max(size, where=np.isfinite(size), initial=0.0))


def _far(
    x: np.ndarray[Any, Any], r: np.ndarray[Any, Any], tolerance: float, largest: float
) -> np.ndarray[Any, Any]:
    """Which elements are not where they should be."""
    with np.errstate(all="ignore"):
        x, r = _widened(x), _widened(r)
        is_near = np.abs(x - r) <= tolerance * (np.abs(r) + largest)
        is_near &= np.isfinite(x) & np.isfinite(r)
        return np.asarray(~(is_near | (x == r) | (np.isnan(x) & np.isnan(r))))


def _widened(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return x.astype(np.complex128 if np.iscomplexobj(x) else np.float64)
