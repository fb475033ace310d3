"""Exchange of memory with other libraries on one GPU: what a device must do for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Exchange(Protocol):
    """Lends and borrows a device's memory, in the order of streams; the host waits for nothing.

    Streams are the numbers that DLPack and the CUDA array interface have for them.
    """

    @property
    def stream_number(self) -> int:
        """The stream that this thread's work goes into."""

    def lend(self, buffer: Any, stream: int | None) -> None:
        """Have a stream wait for what was asked for so far, and let others use memory.

        Args:
            buffer: The memory; it is somebody else's as well until its owner is gone.
            stream: Where it will be used; None: the legacy default stream, -1: nothing waits.

        Raises:
            BufferError: There is no such stream, or it cannot wait for ours.
        """

    def lend_to_anyone(self, buffer: Any) -> None:
        """As :meth:`lend`, where nobody says which stream: the default streams wait."""

    def borrow(self, address: int, size_bytes: int, lender: object) -> Any:
        """Another library's memory, as a buffer.

        Args:
            address: Of its first byte.
            size_bytes: Its length.
            lender: What keeps it alive; let go when nothing that was asked for needs it.
        """

    def check_order(self, stream: int) -> None:
        """Refuse to wait for a stream that cannot be waited for.

        Raises:
            DeviceError: There is no such stream; or it captures, and what this thread asks for goes
                elsewhere.
        """

    def follow(self, stream: int) -> Callable[[], None] | None:
        """Have what is asked for from now on come behind what a stream was given so far.

        Returns:
            What has the stream come behind what this thread was asked for by then, soon; None: it
            is the stream that this goes into.

        Raises:
            DeviceError: There is no such stream, or it captures.
        """

    def entered(self, stream: int) -> Any:
        """A context manager in which what is asked for goes into a stream."""
