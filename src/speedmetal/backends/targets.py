"""The targets by name. A record is loaded when it is first asked for."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from speedmetal.backends.target import Target
from speedmetal.target_names import TARGETS

__all__ = ["TARGETS", "target_named"]


@cache
def target_named(name: str) -> Target:
    """The record of a target.

    Args:
        name: One of ``TARGETS``.

    Example:
        >>> target_named("metal").has_float64
        False
    """
    record = import_module(f"speedmetal.backends.{name}.target").TARGET
    assert isinstance(record, Target)
    return record
