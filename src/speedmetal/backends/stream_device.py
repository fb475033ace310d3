"""What devices share whose kernels run later than they are asked for: GPUs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from speedmetal.backends.device import Address, Buffer, Device
from speedmetal.backends.forks import EXIT_SECONDS, call_in_children, drain_at_end
from speedmetal.backends.stream import MAILBOXES_PENDING, Stream, finish_all, raise_first

Words = np.ndarray[Any, np.dtype[np.uint32]]


class LateCheck(Protocol):
    """What kernels tell the host of, and nobody waited for."""

    def errors(self) -> list[Exception]:
        """What they told of since the last call, when the device has nothing to do."""


class StreamDevice(Device):
    """A device with streams, of which the first runs its kernels and copies.

    What kernels print, and how they fail, is told by ``synchronize``. Whoever makes one calls
    :meth:`watch_process` when all that it needs has been made.
    """

    _is_forked = False

    @property
    @abstractmethod
    def streams(self) -> Sequence[Stream[Any]]:
        """All of them, the first one first."""

    @abstractmethod
    def new_mailbox(self, words: Words) -> tuple[Address, Words]:
        """A mailbox for one launch.

        Args:
            words: What it holds before the launch.

        Returns:
            Its address, the first of a launch's values; and the host's words, which hold what the
            kernel wrote when the launch has finished.
        """

    @abstractmethod
    def new_shared_words(self, count: int) -> tuple[Buffer, np.ndarray[Any, np.dtype[np.int64]]]:
        """Memory that kernels write to and the host reads: zeros.

        Args:
            count: Of words of 64 bits.

        Returns:
            The memory, and the host's view of it. What kernels wrote is there when they have
            finished.
        """

    @cached_property
    def late_checks(self) -> dict[str, LateCheck]:
        """What :meth:`synchronize` asks for errors when all is done, by name."""
        return {}

    @property
    def stream_in_use(self) -> Stream[Any]:
        """The stream that what this thread or task asks for goes into."""
        return self.streams[0]

    @property
    def time_limit_seconds(self) -> float | None:
        """The longest that anything waits for the GPU; None: without limit, until Ctrl-C."""
        return self.streams[0].time_limit_seconds

    @time_limit_seconds.setter
    def time_limit_seconds(self, limit: float | None) -> None:
        for stream in self.streams:
            stream.time_limit_seconds = limit

    def synchronize(self) -> None:
        """Wait until everything asked of the device is done, and deliver what kernels reported.

        Raises:
            KernelError: A kernel failed since the last call.
            IndexError: One was given a position outside of an array.
            DeviceError: The device failed, or the time limit is over.
        """
        finish_all(self.streams)
        self.pool.collect()
        errors = [error for stream in self.streams for error in stream.collect_errors()]
        for check in self.late_checks.values():
            errors += check.errors()
        raise_first(errors)

    def run_with_mailbox(
        self,
        run: Callable[[list[Any]], None],
        values: list[Any],
        words: Words,
        deliver: Callable[[Words], None],
    ) -> None:
        """Launch a kernel that may print or fail; both reach the user in ``synchronize``.

        Raises:
            KernelError: Of an earlier launch, where so many have mailboxes that it had to wait;
                nothing was launched then.
        """
        stream = self.stream_in_use
        if stream.pending_deliveries >= MAILBOXES_PENDING:
            self.synchronize()
        values[0], content = self.new_mailbox(words)
        stream.with_delivery(lambda: deliver(content), lambda: run(values))

    # --- Forks, and the end --------------------------------------------------------------------

    def watch_process(self) -> None:
        """Be closed in forked children, and drained at the end of the process."""
        call_in_children(self.close_in_child)
        drain_at_end(self)

    def close_in_child(self) -> None:
        """Refuse any use from now on, in a forked child: the connection is the parent's."""
        self._is_forked = True
        for stream in self.streams:
            stream.close_in_child()

    def drain(self) -> None:
        """At the end of the process: let the GPU finish, print what kernels printed."""
        if not self._is_forked:
            limit = self.time_limit_seconds
            self.time_limit_seconds = EXIT_SECONDS if limit is None else min(limit, EXIT_SECONDS)
            StreamDevice.synchronize(self)  # no more than that: the process ends
