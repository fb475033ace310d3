"""What a queue keeps of the launches and copies that it committed together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from speedmetal.backends.metal.driver.commands import Signal, Wait

Delivery = Callable[[], None]
"""Reads a mailbox when its launch has finished; may raise KernelError."""


@dataclass(slots=True, eq=False)
class Batch:
    """What was committed together.

    Args:
        serial: Its number.
        labels: Of its launches, in order.
        deliveries: Of its mailboxes, in order.
        command_buffer: None where there is nothing to wait for.
        signals: Events that it signals.
        waits: Events that it waits for.
        errors: What went wrong in it.
    """

    serial: int
    labels: tuple[str, ...] = ()
    deliveries: list[Delivery] = field(default_factory=list)
    command_buffer: Any = None
    signals: list[Signal] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
