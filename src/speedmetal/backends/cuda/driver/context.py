"""The context of one GPU, and the stream in which all of its work runs in the order of asking.

**One context.** The GPU's primary context, which other libraries of the process use as well. It is
made current around each group of calls, and what was current before is current again behind it, on
whatever thread that is.

**Lost contexts.** Some failures of kernels (an illegal address, a misaligned one) end the context:
the driver answers every later call with the same error, whatever it is. The first call that meets
one says what happened; all later ones that it happened, until the process ends.

**Freeing.** Finalisers run on any thread, in the middle of anything, so they ask the driver for
nothing: what they free is noted down, which is atomic, and freed before the next memory is made or
when something waits, after the work that may use it.
"""

from __future__ import annotations

import ctypes
import weakref
from collections import deque
from typing import Any, NoReturn

from speedmetal.backends.cuda.driver.library import NOT_READY, SUCCESS, CudaError, Library
from speedmetal.backends.forks import call_in_children, forked_message
from speedmetal.backends.waiting import Waiting
from speedmetal.errors import DeviceError, KernelError

_LOST = frozenset({214, 700, 702, 709, 710, *range(714, 720), 999})
"""Results after which the context can do nothing more (cuda.h: an illegal address, ...)."""
_STREAM_NON_BLOCKING = 1
_LABELS_KEPT = 16

_FIND = (
    "to find the kernel, launch with debug=1, which checks indices, or call sm.synchronize() after"
    " each launch"
)


class Context(Waiting):
    """A GPU that can be talked to: ``with context:`` around calls of ``library``.

    Safe to use from several threads.

    Args:
        library: The driver.
        device: The ``CUdevice``.
        name: Of the device, for messages.

    Attributes:
        stream: The ``CUstream`` of all work.
        problem: Why nothing can be done any more; empty as long as something can.
    """

    def __init__(self, library: Library, device: int, name: str) -> None:
        super().__init__(name)
        self.library = library
        self.problem = ""
        self._labels: deque[str] = deque(maxlen=_LABELS_KEPT)  # of launches since the last wait
        self._freed: deque[tuple[str, Any]] = deque()
        self._native = library.handle("cuDevicePrimaryCtxRetain", device)
        with self:
            self.stream = library.handle("cuStreamCreate", _STREAM_NON_BLOCKING)
        call_in_children(self.close_in_child)

    def __enter__(self) -> Library:
        if self.problem:
            raise DeviceError(self.problem)
        self.library.call("cuCtxPushCurrent_v2", self._native)
        return self.library

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self.library.result("cuCtxPopCurrent_v2", ctypes.byref(ctypes.c_void_p()))
        if isinstance(error, CudaError) and error.code in _LOST:
            self._lose(error.code)

    def note_launch(self, kernel: str) -> None:
        """Remember a launch, for messages."""
        self._labels.append(kernel)

    def wait(self) -> None:
        """Wait until everything in the stream is done.

        Raises:
            KernelError: A kernel failed in a way that ends the context.
            DeviceError: It has ended before, or the time limit is over.
        """
        self.wait_until(self._is_finished, lambda: self._labels)
        self._labels.clear()

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
            KernelError, DeviceError: As for waiting.
        """
        if not self._freed:
            return
        ready = [self._freed.popleft() for _ in range(len(self._freed))]
        self.wait()
        with self as library:
            for function, handle in ready:
                library.call(function, handle)

    def _is_finished(self) -> bool:
        with self as library:
            code = library.result("cuStreamQuery", self.stream)
        if code not in (SUCCESS, NOT_READY):
            self._lose(code)
        return code == SUCCESS

    def _lose(self, code: int) -> NoReturn:
        """Say what ended the context; from now on nothing works."""
        what = f"{self.library.meaning(code)}, in one of the launches of {self._kernels() or '?'}"
        end = f"the context of {self.name} is lost with all of its arrays: start the process again"
        if not self.problem:
            self.problem = f"{self.name} failed before: {what}; {end}"
        raise KernelError(f"a kernel failed on {self.name}: {what}; {_FIND}; {end}")

    def _kernels(self) -> str:
        return ", ".join(map(repr, dict.fromkeys(self._labels)))

    def close_in_child(self) -> None:
        """Refuse any use from now on, in a forked child: the connection is the parent's."""
        self.problem = forked_message(self.name)
