"""What is found once for a key and kept: plans of launches, and the like."""

from __future__ import annotations

from typing import Any, TypeVar

_Value = TypeVar("_Value")


class Kept(dict[tuple[Any, ...], _Value]):
    """A dictionary that forgets all where it would become too long.

    Args:
        most: Entries that it has at most.

    Example:
        >>> squares: Kept[int] = Kept(1000)
        >>> squares.get((3,)) or squares.keep((3,), 9)
        9
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def keep(self, key: tuple[Any, ...], value: _Value) -> _Value:
        """The value, which is there from now on."""
        if len(self) >= self.most:
            self.clear()
        self[key] = value
        return value
