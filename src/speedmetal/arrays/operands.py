"""What functions of arrays are given as arrays: ours, and what can be one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from speedmetal.arrays.array import Array
from speedmetal.arrays.creation import array, asarray
from speedmetal.arrays.memory.layout import Layout
from speedmetal.errors import UserInputError
from speedmetal.frontend.signature import with_article


def arrays_of(name: str, items: Any) -> list[Array]:
    """What was given as arrays: others are copied to the device of the first array among them.

    Raises:
        UserInputError: There are none, or something is no array of numbers.
    """
    if not hasattr(items, "__iter__"):
        raise UserInputError(
            f"{name} expected a list or tuple of arrays, got {with_article(type(items).__name__)}"
        )
    given = list(items)
    if not given:
        raise UserInputError(f"{name} expected one array or more, got none")
    device = next((item.device for item in given if isinstance(item, Array)), None)
    return [item if isinstance(item, Array) else array(item, None, device) for item in given]


def viewed(x: Any, step: Callable[[Layout], Layout]) -> Array:
    """The view of an array, or of what can be one, that a step makes."""
    view = asarray(x).viewed(step)
    assert view is not None
    return view
