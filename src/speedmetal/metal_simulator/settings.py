"""How the simulator runs kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Literal

Order = Literal["forward", "reverse", "random"]
ORDERS: tuple[Order, ...] = ("forward", "reverse", "random")


@dataclass(frozen=True, slots=True)
class Settings:
    """How the simulator runs kernels.

    Args:
        order: In which order threads of a threadgroup, and threadgroups, run between barriers.
        seed: Of the random order.
        check_races: Whether to look for accesses that no barrier orders (slower).
        poison: Whether memory of undefined content is filled with a pattern (0xFF in each byte).
        flush_denormals: Whether numbers below the smallest normal one become 0, as Apple's
            compiler is free to do.
        strict: Whether threads that miss a barrier, and divisions of integers that have no result,
            are an error; else they are only counted.
        timeout: Seconds until the watchdog ends a dispatch; None: never.
        workers: CPU threads that run threadgroups.
        observer: Called after each dispatch that did not fail, with it and what was counted
            (:class:`~speedmetal.metal_simulator.execution.Dispatch` and ``Execution``), on the
            thread that ran it; None: nobody.
    """

    order: Order = "forward"
    seed: int = 0
    check_races: bool = False
    poison: bool = True
    flush_denormals: bool = False
    strict: bool = True
    timeout: float | None = 20.0
    workers: int = 1
    observer: Callable[[Any, Any], None] | None = None


_current: ContextVar[Settings] = ContextVar("simulator_settings", default=Settings())  # noqa: B039 - frozen


def current_settings() -> Settings:
    """The settings of the innermost :func:`simulator_settings` of this thread or task."""
    return _current.get()


@contextmanager
def simulator_settings(**changes: Any) -> Iterator[Settings]:
    """Other settings, inside a ``with`` block.

    Args:
        changes: Fields of :class:`Settings`.

    Raises:
        TypeError: There is no such field.
    """
    token = _current.set(replace(_current.get(), **changes))
    try:
        yield _current.get()
    finally:
        _current.reset(token)
