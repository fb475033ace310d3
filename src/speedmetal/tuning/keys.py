"""For which arguments what was found holds: types, and sizes rounded up to powers of two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from speedmetal.backends.device import ArrayParameter, Device, DeviceArray
from speedmetal.backends.registry import default_device
from speedmetal.backends.registry import device as find_device
from speedmetal.common.records import record
from speedmetal.compiler.fingerprint import Fingerprint, UnkeyableError, package_identity
from speedmetal.compiler.source import KernelSource
from speedmetal.frontend.signature import Argument, is_aggregate, record_items
from speedmetal.launch.arguments import bind, device_among, flatten
from speedmetal.launch.modes import current_math_mode
from speedmetal.tuning.configurations import Candidate

_FORMAT = 1


@record
class TuningKey:
    """What a choice depends on; hashable.

    Args:
        device: Where the kernel runs.
        math_mode: Of its launches.
        signature: The types of the arguments that are not tuned.
        sizes: Of each array its extents, and of the launch what is stated in numbers, rounded; or
            of the arguments that ``key=`` names what they are.
    """

    device: Device
    math_mode: str
    signature: tuple[Argument, ...]
    sizes: tuple[Any, ...]

    def __str__(self) -> str:
        types = " ".join(map(str, self.signature))
        sizes = ", ".join(_shown(size) for size in self.sizes if size not in (None, ()))
        return f"{types}; {sizes}" if sizes else types


def key_of(
    kernel: str,
    names: Sequence[str],
    arguments: Sequence[Any],
    launch_sizes: Sequence[Any],
    device: str | Device | None,
    stated: Sequence[str] | None,
) -> TuningKey:
    """The key of a call.

    Args:
        kernel: Its name, for messages.
        names: Of the parameters that are not tuned.
        arguments: One for each of them.
        launch_sizes: Grid, groups and threads of the call.
        device: As the call states it.
        stated: The names that ``key=`` gives.

    Raises:
        LaunchError: An argument is none for a kernel.
    """
    items = flatten(names, arguments)
    among = device_among(items) if device is None else find_device(device)
    found = among or default_device()
    has_float64 = found.target.has_float64
    bound = bind(kernel, names, arguments, items, found, has_float64=has_float64)
    sizes: list[Any]
    if stated is None:
        arrays = [leaf.parameter for leaf in bound.leaves]
        sizes = [tuple(map(_rounded, a.shape)) for a in arrays if isinstance(a, ArrayParameter)]
        sizes += [_rounded_size(size) for size in launch_sizes]
    else:
        sizes = [exactly(dict(zip(names, arguments, strict=True))[name]) for name in stated]
    return TuningKey(found, current_math_mode(), bound.signature, tuple(sizes))


def exactly(argument: Any) -> Any:
    """What an argument that ``key=`` names counts by: an array by its shape, a number as it is.

    >>> exactly((np.zeros((2, 3)), 5))
    ((2, 3), 5)
    """
    if is_aggregate(argument):
        return tuple(map(exactly, record_items(argument)))
    if isinstance(argument, DeviceArray | np.ndarray):
        return tuple(argument.shape)  # type: ignore[union-attr]
    return argument


def _shown(size: Any) -> str:
    return " x ".join(map(str, size)) if isinstance(size, tuple) else repr(size)


def _rounded(size: int) -> int:
    """The least power of two that is not less.

    >>> list(map(_rounded, (0, 1, 3, 4, 1000)))
    [0, 1, 4, 4, 1024]
    """
    return 1 << (size - 1).bit_length() if size > 0 else 0


def _rounded_size(size: Any) -> Any:
    """A size of a launch; None where a function of the configuration says it."""
    parts = size if isinstance(size, tuple | list) else (size,)
    if all(type(part) is int for part in parts):
        return tuple(map(_rounded, parts))
    return None


def disk_key(
    source: KernelSource,
    key: TuningKey,
    candidates: Sequence[Candidate],
    tolerance: float | None,
) -> str:
    """The name of an entry on disk; empty where something has no text for every process."""
    device = key.device
    fingerprint = Fingerprint(with_places=False)
    try:
        source.add_key(fingerprint)
        for argument in key.signature:
            fingerprint.add_argument(argument)
        for value in (key.sizes, tolerance, *_values(candidates)):
            fingerprint.add(value)
    except UnkeyableError:
        return ""
    # The same code may be fast on one card, or on so many cores, and slow on another.
    place = device.kind, device.description, device.fewest_groups, device.identity
    parts = ("tuning", _FORMAT, *place, package_identity(), key.math_mode, fingerprint.digest())
    return " ".join(map(str, parts))


def _values(candidates: Sequence[Candidate]) -> Iterator[Any]:
    for candidate in candidates:
        yield tuple(vars(candidate.configuration))
        yield from (
            tuple(v) if isinstance(v, list) else v for v in vars(candidate.configuration).values()
        )
