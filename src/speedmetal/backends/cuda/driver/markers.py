"""Markers: places in a stream that can be asked after, and that other streams can wait for.

A marker is a ``CUevent``, which says whether the work before it is done, once. They are made
seldom: one that nobody holds any more is used for the next. That may be while streams still wait
for it: what was asked of the driver before means the place where the event was then.
"""

from __future__ import annotations

import ctypes
from collections import deque
from typing import Any

from speedmetal.backends.cuda.driver.context import Context

_TIMED, _UNTIMED = 0, 2  # CUevent_flags: default, and CU_EVENT_DISABLE_TIMING


class Marker:
    """One ``CUevent``, until this goes. Its methods are called inside ``with context:``.

    Attributes:
        native: The ``CUevent``.
    """

    __slots__ = ("_idle", "_library", "native")

    def __init__(self, native: Any, context: Context, idle: deque[Any]) -> None:
        self.native = native
        self._library = context.library
        self._idle = idle

    def __del__(self) -> None:
        self._idle.append(self.native)

    def record(self, stream: Any) -> None:
        """Put it behind everything that a ``CUstream`` was asked for.

        Raises:
            CudaError: The driver does not.
        """
        self._library.call("cuEventRecord", self.native, stream)

    def reached(self) -> int:
        """The ``CUresult``: whether the stream has come to where it was put last."""
        return self._library.result("cuEventQuery", self.native)

    def seconds_since(self, other: Marker) -> float:
        """The time between two timed markers that were reached.

        Raises:
            CudaError: One was not.
        """
        milliseconds = ctypes.c_float()
        self._library.call(
            "cuEventElapsedTime", ctypes.byref(milliseconds), other.native, self.native
        )
        return milliseconds.value / 1000


class Markers:
    """The markers of one context. Safe to use from several threads.

    Args:
        context: The context.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._idle: dict[bool, deque[Any]] = {False: deque(), True: deque()}
        self._last: tuple[Marker, float] | None = None  # that was asked for its time
        self._record = context.library.prepared("cuEventRecord")
        self._wait = context.library.prepared("cuStreamWaitEvent")

    def take(self, *, is_timed: bool = False) -> Marker:
        """A marker that nobody else holds, inside ``with context:``.

        Args:
            is_timed: Whether it takes the time.

        Raises:
            CudaError: The driver makes none.
        """
        idle = self._idle[is_timed]
        try:
            native = idle.popleft()
        except IndexError:
            flags = _TIMED if is_timed else _UNTIMED
            native = self._context.library.handle("cuEventCreate", flags)
        return Marker(native, self._context, idle)

    def pass_on(self, before: Any, after: Any) -> int:
        """Have a ``CUstream`` wait for where another one is now, while the context is current.

        In few steps: a launch with arrays of other libraries does it twice.

        Returns:
            The ``CUresult``.

        Raises:
            CudaError: The driver makes no marker.
        """
        idle = self._idle[False]
        try:
            native = idle.popleft()
        except IndexError:
            native = self._context.library.handle("cuEventCreate", _UNTIMED)
        code = self._record(native, before) or self._wait(after, native, 0)
        idle.append(native)
        return code

    def seconds_at(self, marker: Marker) -> float:
        """When a timed marker was reached, in seconds since the first one that was asked for.

        The driver measures with 24 bits: so from one to the next, which is short.

        Raises:
            CudaError: It was not.
        """
        seconds = 0.0 if self._last is None else self._last[1] + marker.seconds_since(self._last[0])
        self._last = (marker, seconds)
        return seconds
