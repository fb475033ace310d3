"""Launches of kernels of layers, which write to memory that nobody else has yet.

So nothing waits to read it, and no launch has to look for what does; that would take as long as all
else of a small launch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from speedmetal.arrays.memory.kept import Kept
from speedmetal.backends.device import SIMDGROUP_SIZE, BoundLaunch
from speedmetal.launch.kernel import Kernel
from speedmetal.launch.modes import stated_math_mode
from speedmetal.launch.readers import read_argument

_plans: Kept[BoundLaunch] = Kept(1024)


def prepared(
    kernel: Kernel, arguments: Sequence[Any], **sizes: Any
) -> tuple[BoundLaunch, list[Any]]:
    """What launches a kernel, and the values for it: a place for the mailbox, then the arguments'.

    Args:
        kernel: One of ours.
        arguments: Those that it writes to are new memory.
        sizes: As :meth:`speedmetal.launch.launcher.Launcher.prepare` takes them.
    """
    key, values = _read(kernel, arguments, sizes)
    run = _plans.get(key)
    if run is None:
        run = kernel.prepare(*arguments, **sizes).run
        # Expressions that the kernel reads more than once are in memory now.
        key, values = _read(kernel, arguments, sizes)
        _plans.keep(key, run)
    return run, values


def launch(kernel: Kernel, arguments: Sequence[Any], grid: tuple[int, ...]) -> None:
    """Launch a kernel with a thread for each place of a grid; see :func:`prepared`."""
    run, values = prepared(kernel, arguments, grid=grid)
    run(values)


def launch_simdgroups(
    kernel: Kernel, arguments: Sequence[Any], groups: int, work: int | None = None
) -> None:
    """Launch a kernel whose threadgroups are simdgroups.

    Args:
        kernel: One of ours.
        arguments: Those that it writes to are new memory.
        groups: How many.
        work: About how many expressions they compute; None: as many as the text has.
    """
    sizes = {"groups": groups, "threads": SIMDGROUP_SIZE, "work": work}
    run, values = prepared(kernel, arguments, **sizes)
    run(values)


def _read(
    kernel: Kernel, arguments: Sequence[Any], sizes: dict[str, Any]
) -> tuple[tuple[Any, ...], list[Any]]:
    key: list[Any] = [kernel, *sizes.items(), stated_math_mode.get()]
    values: list[Any] = [0]
    for argument in arguments:
        read_argument(argument, key, values)
    return tuple(key), values
