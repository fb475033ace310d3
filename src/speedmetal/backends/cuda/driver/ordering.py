"""Order between streams of one GPU, of ours and of other libraries, by events: no host waits.

A ``CUstream`` of another library is a number: its address, or 1 for the legacy default stream and 2
for the default stream of the thread, as in DLPack and the CUDA array interface. There 0 is none;
where it comes from CUDA itself it is the legacy default stream as well.
"""

from __future__ import annotations

import ctypes
from contextlib import nullcontext
from typing import Any

from speedmetal.backends.cuda.driver.context import Context
from speedmetal.backends.cuda.driver.library import SUCCESS
from speedmetal.backends.cuda.driver.markers import Markers
from speedmetal.backends.cuda.driver.stream import CudaStream
from speedmetal.backends.stream import Stream
from speedmetal.errors import DeviceError

LEGACY_STREAM = 1  # CU_STREAM_LEGACY, cuda.h
DEFAULT_STREAMS = frozenset({LEGACY_STREAM, 2})
"""And CU_STREAM_PER_THREAD: both are of the current context, and there always."""
_LEAST_ADDRESS = 4096
_RECORD_ALL = "cuCtxRecordEvent"
_NO_CAPTURE, _INVALIDATED = 0, 2  # CUstreamCaptureStatus
_MOST_CHECKED = 256
_AS_IT_IS = nullcontext()


class Ordering:
    """What lets streams of one GPU wait for each other.

    Args:
        context: Of the GPU.
        markers: Of the context.
    """

    def __init__(self, context: Context, markers: Markers) -> None:
        self._context = context
        self._markers = markers
        self._checked: set[int] = set()  # streams of the context
        self._ask_capturing = context.library.prepared("cuStreamIsCapturing")

    def follow(self, after: CudaStream, before: CudaStream) -> None:
        """Have what one stream is asked for next come behind what another was asked for so far.

        Raises:
            CudaError: One of them is not there any more.
        """
        before.flush()  # what comes later has another serial then
        after.flush()
        serial = before.open_serial - 1
        self.put_behind(after.native, before.native)
        waited: dict[Stream[Any], int] = {**after.waited_for, before: serial}
        for stream, number in before.waited_for.items():
            waited[stream] = max(waited.get(stream, 0), number)
        after.waited_for = waited

    def put_behind(self, after: Any, before: Any) -> None:
        """Hold a ``CUstream`` back until another one has come to where it is now.

        Raises:
            CudaError: One of them is not there any more.
        """
        context = self._context
        is_ready = not context.problem and context.is_current()
        if is_ready and self._markers.pass_on(before, after) == SUCCESS:
            return
        with context as library:  # which takes note of what ended it
            library.check("order of streams", self._markers.pass_on(before, after))

    @property
    def can_await_everything(self) -> bool:
        """Whether the driver has an event of all that a GPU was asked for."""
        return self._context.library.has(_RECORD_ALL)

    def put_all_behind(self, streams: list[CudaStream], number: int) -> None:
        """Hold streams back until a stream, which must be there, has come to where it is now."""
        if self._context.problem:
            return
        with self._context as library:
            marker = self._markers.take()
            marker.record(ctypes.c_void_p(number))
            for stream in streams:
                library.call("cuStreamWaitEvent", stream.native, marker.native, 0)

    def put_all_behind_everything(self, streams: list[CudaStream]) -> bool:
        """Hold streams back until all that anybody asked of the GPU so far is done.

        Returns:
            Whether the driver does that: not while something is captured, whose capture it ends.
        """
        if self._context.problem:
            return True
        with self._context as library:
            marker = self._markers.take()
            if library.result(_RECORD_ALL, self._context.native, marker.native) != SUCCESS:
                return False
            for stream in streams:
                library.call("cuStreamWaitEvent", stream.native, marker.native, 0)
        return True

    def is_capturing(self, number: int) -> bool:
        """Whether a stream captures.

        Raises:
            DeviceError: It is no stream of this GPU, or its capture has failed.
        """
        if number == LEGACY_STREAM:
            return False  # it never does
        if number not in self._checked:
            self._check_context(number)
        found = ctypes.c_int()
        # That of the thread is of the context that is current.
        with self._context if number in DEFAULT_STREAMS else _AS_IT_IS:
            code = self._ask_capturing(ctypes.c_void_p(number), ctypes.byref(found))
            if code != SUCCESS:
                self._context.library.check("cuStreamIsCapturing", code)
        if found.value == _INVALIDATED:
            raise DeviceError(
                f"{self._context.name}: the capture of stream {number:#x} has failed before; end it"
            )
        return found.value != _NO_CAPTURE

    def check_not_capturing(self, number: int) -> None:
        """Refuse a stream that captures.

        Raises:
            DeviceError: It does, or is none of this GPU.
        """
        if self.is_capturing(number):
            raise DeviceError(f"stream {number:#x} is captured")

    def _check_context(self, number: int) -> None:
        """Refuse streams of other GPUs, the first time that one is met."""
        if number in DEFAULT_STREAMS:
            return
        name, library = self._context.name, self._context.library
        if number < _LEAST_ADDRESS:  # other numbers that are no streams end the process here
            raise DeviceError(f"{number:#x} is no stream of {name}: streams are addresses")
        found = ctypes.c_void_p()
        library.call("cuStreamGetCtx", ctypes.c_void_p(number), ctypes.byref(found))
        if found.value != self._context.native.value:
            raise DeviceError(
                f"{number:#x} is a stream of another GPU, or of another context, than {name} has"
            )
        if len(self._checked) >= _MOST_CHECKED:
            self._checked.clear()
        self._checked.add(number)
