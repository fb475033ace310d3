"""That a configuration did the work: its results are those of the first, and leave no trace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from speedmetal.arrays.array import Array
from speedmetal.launch.examined import Examined

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

    def restore(self) -> None:
        """Make the arrays what they were."""
        for array, content in zip(self.arrays, self._content, strict=True):
            array[...] = content

    def results(self) -> list[np.ndarray[Any, Any]]:
        """What the arrays hold, on the host."""
        return [np.array(a.numpy() if isinstance(a, Array) else a) for a in self.arrays]


def _copied(array: Any) -> Any:
    copy = array.copy()
    if isinstance(copy, Array):
        _ = copy.address  # in memory now, before anything writes
    return copy


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


def difference(
    results: Sequence[np.ndarray[Any, Any]],
    expected: Sequence[np.ndarray[Any, Any]],
    tolerance: float | None,
) -> str:
    """Where results differ from what is expected; empty where they do not.

    Integers and bools must be equal. Floats ``x`` and ``r`` are where both are NaN, where they are
    equal, and where ``|x - r| <= tolerance * (|r| + largest)``, with the largest finite ``|r|`` of
    the array.

    Args:
        results: What the arrays hold.
        expected: What they held after the first configuration.
        tolerance: None: of the dtype, in :data:`TOLERANCES`.
    """
    for number, (x, r) in enumerate(zip(results, expected, strict=True)):
        if x.tobytes() == r.tobytes():
            continue
        wrong = _wrong(x, r, tolerance)
        if wrong.any():
            place = tuple(map(int, np.unravel_index(int(np.argmax(wrong)), wrong.shape)))
            return (
                f"its results differ from the first's: {int(wrong.sum())} of {x.size} elements of"
                f" array {number + 1} that it writes, at {list(place)} {x[place]} in place of"
                f" {r[place]}"
            )
    return ""


def _wrong(
    x: np.ndarray[Any, Any], r: np.ndarray[Any, Any], tolerance: float | None
) -> np.ndarray[Any, Any]:
    name = x.real.dtype.name
    if name not in TOLERANCES:
        return np.asarray(x != r)
    stated = TOLERANCES[name] if tolerance is None else tolerance
    wide = np.complex128 if np.iscomplexobj(x) else np.float64
    with np.errstate(all="ignore"):
        x, r = x.astype(wide), r.astype(wide)
        size = np.abs(r)
        largest = np.max(size, where=np.isfinite(size), initial=0.0)
        is_near = np.abs(x - r) <= stated * (size + largest)
        is_near &= np.isfinite(size) & np.isfinite(np.abs(x))
    return np.asarray(~(is_near | (x == r) | (np.isnan(x) & np.isnan(r))))
