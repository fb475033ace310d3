"""The context of one GPU: what is made current around calls, and what can end it.

**One context.** The GPU's primary context, which other libraries of the process use as well. It is
made current around each group of calls, and what was current before is current again behind it, on
whatever thread that is. Where none was, a launch leaves that of the first GPU current, which other
libraries would take as well. It is made when something is first asked of the GPU: it takes 0.2 s,
and half a gigabyte of the GPU's memory, and a process that lists eight GPUs may use one.

**Lost contexts.** Some failures of kernels (an illegal address, a misaligned one) end the context:
the driver answers every later call with the same error, whatever it is. The first one that meets it
says what happened; all later ones that it happened, until the process ends.

**Freeing.** Finalisers run on any thread, in the middle of anything, so they ask the driver for
nothing: what they free is noted down, which is atomic, and freed before the next memory is made or
when something waits, after the work that may use it.
"""

from __future__ import annotations

import contextlib
import ctypes
import weakref
from collections import deque
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from speedmetal.backends.cuda.driver.library import SUCCESS, CudaError, Library
from speedmetal.backends.forks import call_in_children, forked_message
from speedmetal.backends.stream import Stream, finish_all
from speedmetal.errors import DeviceError, KernelError

_LOST = frozenset({214, 700, 702, 709, 710, *range(714, 720), 999})
"""Results after which the context can do nothing more (cuda.h: an illegal address, ...)."""

_FIND = (
    "to find the kernel, launch with debug=1, which checks indices, or call sm.synchronize() after"
    " each launch"
)


class Context:
    """A GPU that can be talked to: ``with context:`` around calls of ``library``.

    Safe to use from several threads.

    Args:
        library: The driver.
        device: The ``CUdevice``, which is its number.
        name: Of the device, for messages.

    Attributes:
        library: The driver.
        device: The ``CUdevice``.
        name: Of the device.
        problem: Why nothing can be done any more; empty as long as something can.
        streams: Of the device, the first one first.
        captures: How many streams capture, so that nothing can be waited for.
    """

    __slots__ = ("__dict__", "__weakref__", "problem")  # looked at for each launch

    def __init__(self, library: Library, device: int, name: str) -> None:
        self.library = library
        self.device = device
        self.name = name
        self._current = library.prepared("cuCtxGetCurrent")
        self.problem = ""
        self.captures = 0
        self.streams: list[Stream[Any]] = []
        self._freed: deque[tuple[str, Any]] = deque()
        self._neighbours: set[int] = set()  # GPUs that were asked whether they can be reached
        call_in_children(self.close_in_child)

    @cached_property
    def native(self) -> Any:
        """The ``CUcontext``.

        Raises:
            DeviceError: The GPU cannot be used now.
        """
        try:
            return self.library.handle("cuDevicePrimaryCtxRetain", self.device)
        except CudaError as error:
            raise DeviceError(
                f"{self.name} cannot be used: {error}; see what nvidia-smi says: another process"
                " may have the GPU for itself (its compute mode), or all of its memory"
            ) from error

    def check(self) -> None:
        """Refuse what is asked for in vain.

        Raises:
            DeviceError: Nothing can be done any more.
        """
        if self.problem:
            raise DeviceError(self.problem)

    def __enter__(self) -> Library:
        self.check()
        self.library.call("cuCtxPushCurrent_v2", self.native)
        return self.library

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self.library.result("cuCtxPopCurrent_v2", ctypes.byref(ctypes.c_void_p()))
        if isinstance(error, CudaError) and is_lost(error.code):
            failure = self.lose(error.code)
            if failure is not None:
                raise failure

    def is_current(self) -> bool:
        """Whether calls need no ``with``: this thread has the context current already."""
        current = ctypes.c_void_p()
        self._current(ctypes.byref(current))
        mine: int = self.native.value
        return current.value == mine

    def stay(self) -> None:
        """Where this thread has no context, let the first GPU's stay current after ``with``."""
        if self.device != 0:
            return
        current = ctypes.c_void_p()
        code = self.library.result("cuCtxGetCurrent", ctypes.byref(current))
        if code == SUCCESS and not current.value:
            self.library.result("cuCtxSetCurrent", self.native)

    def reach(self, other: Context) -> None:
        """Have copies between two GPUs go from one to the other where the machine can do that.

        Where it cannot, the driver takes them through the host's memory.
        """
        if other.device in self._neighbours:
            return
        self._neighbours.add(other.device)
        if self.library.number("cuDeviceCanAccessPeer", self.device, other.device):
            with self as library:  # it may have been done by another library: nothing to say
                library.result("cuCtxEnablePeerAccess", other.native, 0)

    # --- Freeing -------------------------------------------------------------------------------

    def free_with(self, owner: object, function: str, handle: Any) -> None:
        """Free what the driver made some time after ``owner`` is gone.

        Args:
            owner: The last one.
            function: What frees it.
            handle: Its one argument.
        """
        weakref.finalize(owner, self._freed.append, (function, handle)).atexit = False

    def free_later(self, function: str, handle: Any) -> None:
        """Free what the driver made when what was asked of the GPU before is done.

        Args:
            function: What frees it.
            handle: Its one argument.
        """
        self._freed.append((function, handle))

    def free(self) -> None:
        """Free what has no owner any more.

        Raises:
            KernelError, DeviceError: The context is lost, or the time limit is over.
        """
        if not self._freed or self.captures:
            return
        count = len(self._freed)  # of those whose work is among what is waited for
        finish_all(self.streams)
        with self as library, contextlib.suppress(IndexError):  # another thread was sooner
            for _ in range(count):
                function, handle = self._freed.popleft()
                library.call(function, handle)

    # --- The end -------------------------------------------------------------------------------

    def lose(self, code: int, labels: Sequence[str] = ()) -> KernelError | None:
        """Take note of what ended the context; from now on nothing works.

        Args:
            code: The driver's answer.
            labels: Kernels that may have done it, beside those in flight.

        Returns:
            What happened, in full; None where it was told before.
        """
        if self.problem:
            return None
        running = [*labels, *(name for s in self.streams for name in s.labels_in_flight())]
        names = ", ".join(map(repr, dict.fromkeys(running)))
        what = f"{self.library.meaning(code)}, in one of the launches of {names or '?'}"
        end = f"the context of {self.name} is lost with all of its arrays: start the process again"
        self.problem = f"{self.name} failed before: {what}; {end}"
        return KernelError(f"a kernel failed on {self.name}: {what}; {_FIND}; {end}")

    def close_in_child(self) -> None:
        """Refuse any use from now on, in a forked child: the connection is the parent's."""
        self.problem = forked_message(self.name)


def is_lost(code: int) -> bool:
    """Whether an answer of the driver means that the context has ended."""
    return code in _LOST
