"""The targets by name. A record is loaded when it is first asked for."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from speedmetal.backends.target import Target
from speedmetal.common.target_names import TARGETS

__all__ = ["TARGETS", "find_target"]


@cache
def find_target(name: str) -> Target:
    """The record of a target.

    Args:
        name: One of ``TARGETS``.

    Example:
        >>> find_target("metal").has_float64
        False
    """
    record = import_module(f"speedmetal.backends.{name}.target").TARGET
    assert isinstance(record, Target)
    return record
