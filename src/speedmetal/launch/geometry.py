"""The sizes of a launch: grid, threads per threadgroup, threadgroups; checked, and chosen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from speedmetal.backends.device import Device, DeviceLimits, Sizes, Triple
from speedmetal.common.records import record
from speedmetal.errors import LaunchError

AXES = "xyz"


@record
class LaunchGeometry:
    """What a call says about sizes: ``grid``, or ``groups`` with ``threads``; checked."""

    grid: Triple
    threads: Triple | None
    limits: DeviceLimits = DeviceLimits()

    @property
    def is_empty(self) -> bool:
        """Whether no thread runs."""
        return 0 in self.grid

    def sizes(self, most: int, suitable: Triple | None = None, *, neighbours: int = 1) -> Sizes:
        """With threads chosen where they were not stated.

        Args:
            most: Threads of a threadgroup, at most.
            suitable: Such a choice along each axis, at most, that suits the kernel.
            neighbours: Positions along x that a thread takes.
        """
        g = (-(-self.grid[0] // neighbours), *self.grid[1:])  # of threads that run
        threads = self.threads
        if threads is None and suitable is not None:
            x, y, z = zip(g, suitable, strict=True)
            threads = max(1, min(x)), max(1, min(y)), max(1, min(z))
        t = threads or chosen_threads(g, most, self.limits)
        groups = (-(-g[0] // t[0]), -(-g[1] // t[1]), -(-g[2] // t[2]))
        return Sizes(self.grid, t, groups)


def resolve_geometry(
    kernel: str, device: Device, grid: Any, groups: Any, threads: Any
) -> LaunchGeometry:
    """Check what a call of ``kernel`` says about sizes.

    Raises:
        LaunchError: Neither or both of ``grid`` and ``groups``, or a size that is no integer,
            negative (``threads``: below 1) or beyond the device's limits.
    """
    if grid is None and groups is None:
        raise LaunchError(
            f"kernel {kernel!r}: state how many threads run, grid=..., or how many threadgroups,"
            " groups=..., threads=..."
        )
    if grid is not None and groups is not None:
        raise LaunchError(
            f"kernel {kernel!r}: grid={grid} and groups={groups} are both given; grid counts"
            " threads, groups counts threadgroups: give one of them"
        )
    if groups is not None and threads is None:
        raise LaunchError(
            f"kernel {kernel!r}: groups={groups} needs threads=..., the threads of each threadgroup"
        )
    checked_threads = None if threads is None else _triple(kernel, "threads", threads, least=1)
    _check_threads(kernel, device, checked_threads or (1, 1, 1))
    if grid is not None:
        whole = _triple(kernel, "grid", grid)
    else:
        counts = _triple(kernel, "groups", groups)
        assert checked_threads is not None
        c, t = counts, checked_threads
        whole = (c[0] * t[0], c[1] * t[1], c[2] * t[2])
    for axis, size in zip(AXES, whole, strict=True):
        if size > device.limits.grid_size:
            raise LaunchError(
                f"kernel {kernel!r}: {size} threads along {axis} requested, {device.name} allows"
                f" {device.limits.grid_size}; let each thread do several elements, or launch parts"
            )
    return LaunchGeometry(whole, checked_threads, device.limits)


def _check_threads(kernel: str, device: Device, threads: Triple) -> None:
    allowed = device.limits.threads_per_threadgroup
    total = threads[0] * threads[1] * threads[2]
    if total > allowed:
        product = " * ".join(map(str, threads))
        raise LaunchError(
            f"kernel {kernel!r}: threads={product} = {total} per threadgroup requested,"
            f" {device.name} allows {allowed}; use fewer, or leave threads out"
        )
    for axis, size, most in zip(AXES, threads, device.limits.threadgroup_size, strict=True):
        if size > most:
            raise LaunchError(
                f"kernel {kernel!r}: {size} threads per threadgroup requested along {axis},"
                f" {device.name} allows {most}; use fewer, or leave threads out"
            )


def _triple(kernel: str, what: str, given: Any, least: int = 0) -> Triple:
    parts = tuple(given) if isinstance(given, (tuple, list)) else (given,)
    if not 1 <= len(parts) <= len(AXES):
        raise LaunchError(
            f"kernel {kernel!r}: {what}={given!r} has {len(parts)} sizes; expected one to three"
            " (x, y, z)"
        )
    sizes = list(_integers(kernel, what, given, parts))
    for axis, size in zip(AXES, sizes, strict=False):
        if size < least:
            raise LaunchError(
                f"kernel {kernel!r}: {what} is {size} along {axis}; it must be {least} or more"
            )
    x, y, z = (*sizes, 1, 1)[:3]
    return x, y, z


def _integers(kernel: str, what: str, given: Any, parts: tuple[Any, ...]) -> Iterator[int]:
    for part in parts:
        if isinstance(part, bool) or not hasattr(part, "__index__"):
            raise LaunchError(
                f"kernel {kernel!r}: {what}={given!r}: expected integers, got"
                f" {type(part).__name__}; write int(...) or sm.cdiv(a, b) for a quotient"
            )
        try:
            yield part.__index__()
        except TypeError:
            raise LaunchError(
                f"kernel {kernel!r}: {what}={given!r}: expected integers, got an array;"
                " write a.size or a.shape"
            ) from None


def chosen_threads(grid: Triple, most: int, limits: DeviceLimits) -> Triple:
    """Threads of a threadgroup for a grid: as many along x as there are, then y, then z.

    Along y and z at least so many that there are not more threadgroups than can be.

    >>> chosen_threads((30, 1000, 1), 1024, DeviceLimits())
    (30, 34, 1)
    >>> chosen_threads((512, 100000, 1), 256, DeviceLimits(threadgroups=(2**31, 65535, 65535)))
    (128, 2, 1)
    """
    along = limits.threadgroup_size
    least_y, least_z = (
        -(-size // count) for size, count in zip(grid[1:], limits.threadgroups[1:], strict=True)
    )
    x = max(1, min(grid[0] or 1, most // (max(least_y, 1) * max(least_z, 1)), along[0]))
    y = max(1, min(grid[1] or 1, most // (x * max(least_z, 1)), along[1]))
    z = min(grid[2] or 1, most // (x * y), along[2])
    return x, y, z
