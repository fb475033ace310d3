"""Where an element is: a Metal buffer and an offset in it."""

from __future__ import annotations

from typing import Any


class BufferAddress:
    """A place in a Metal buffer: what launches take for an array. It does not own the buffer.

    Example:
        >>> start = BufferAddress("buffer", 16)
        >>> start + 8, (start + 8) - start
        (<buffer + 24>, 8)
    """

    __slots__ = ("buffer", "offset")

    def __init__(self, buffer: Any, offset: int) -> None:
        self.buffer = buffer
        self.offset = offset

    def __add__(self, size_bytes: int) -> BufferAddress:
        return BufferAddress(self.buffer, self.offset + size_bytes)

    def __sub__(self, other: BufferAddress) -> int:
        """How many bytes this place lies behind another one in the same buffer."""
        return self.offset - other.offset

    def __repr__(self) -> str:
        return f"<{self.buffer} + {self.offset}>"
