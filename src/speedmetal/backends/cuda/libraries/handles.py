"""What a GPU's libraries need of its device: handles, memory to work in, and a place in the stream.

**Order.** A routine is called where a kernel would be launched: by the device's stream, in its
turn. Nothing here waits for the GPU.

**Threads.** Handles are for one thread at a time. Routines are called by whoever gives the stream
something to do, so whoever asks a library anything else keeps the others from that meanwhile.

**Memory.** What a routine works in comes from the device's pool and goes back when the call was
given to the driver; the stream does everything in order, so that it may be used again then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from speedmetal.backends.cuda.libraries.bindings import Bindings, load
from speedmetal.errors import DeviceError

Call = Callable[[int, int], object]
"""Calls a routine; gets the stream, and the address of memory to work in, as numbers."""


class Caller(Protocol):
    """A device whose stream calls routines."""

    @property
    def identity(self) -> str:
        """What compiled code depends on besides its source."""

    @property
    def architecture(self) -> str:
        """What code is compiled for: ``"sm_90"``."""

    @property
    def context(self) -> AbstractContextManager[Any]:
        """Around what libraries are asked at once."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether what this thread asks for goes into another library's stream."""

    @property
    def turn(self) -> AbstractContextManager[Any]:
        """Held by whoever gives its stream something to do."""

    def allocate(self, size_bytes: int) -> Any:
        """Memory from its pool."""

    def call_routine(
        self,
        label: str,
        call: Call,
        addresses: tuple[int, ...],
        kept: object,
        workspace_bytes: int,
    ) -> None:
        """Have the stream call a routine, in its turn."""


class Handles:
    """The libraries that a device has; handles are made once, and kept.

    Args:
        device: Whose memory and stream they use.
        cuda: The first number of the driver's CUDA version.

    Attributes:
        device: The same.
        cuda: The same.
    """

    def __init__(self, device: Caller, cuda: int) -> None:
        self.device = device
        self.cuda = cuda
        self._handles: dict[str, int] = {}
        self._missing: dict[str, DeviceError] = {}
        self._streams: dict[str, int] = {}  # that handles have

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Around what a library is asked outside of the stream."""
        with self.device.turn, self.device.context:
            yield

    def has(self, name: str) -> bool:
        """Whether a library can be used."""
        return self.missing(name) is None

    def missing(self, name: str) -> DeviceError | None:
        """Why a library cannot be used; None: it can."""
        if name in self._handles:
            return None
        if name not in self._missing:
            try:
                self.bindings(name)
            except DeviceError as error:
                self._missing[name] = error
                return error
            try:
                self.handle(name)
            except DeviceError as error:  # for want of memory, perhaps: it is asked again
                return error
        return self._missing.get(name)

    def bindings(self, name: str) -> Bindings:
        """A library.

        Raises:
            DeviceError: It is not installed.
        """
        with self.device.context:
            return load(name, self.cuda)

    def handle(self, name: str) -> int:
        """A library's handle, made when it is first asked for; 0 of cuFFT, which has none.

        Raises:
            DeviceError: It is not installed, or cannot be used.
        """
        found = self._handles.get(name)
        return self._made(name) if found is None else found

    def _made(self, name: str) -> int:
        library = self.bindings(name)
        with self.asking():
            if (known := self._handles.get(name)) is not None:  # of another thread
                return known
            found = 0 if name == "cufft" else int(library.call("create"))
            self._handles[name] = found
            return found

    def aim(self, name: str, stream: int) -> None:
        """Have a handle work in a stream, where a routine is called."""
        if self._streams.get(name) != stream:
            self.bindings(name).call("set_stream", self.handle(name), stream)
            self._streams[name] = stream

    def run(
        self,
        label: str,
        call: Call,
        addresses: tuple[int, ...],
        kept: object,
        workspace_bytes: int = 0,
    ) -> None:
        """Have the device's stream call a routine, in its turn.

        Args:
            label: The routine's name, for people.
            call: Calls it.
            addresses: Of the arrays that it uses.
            kept: What keeps these alive until then.
            workspace_bytes: What it works in.
        """
        self.device.call_routine(label, call, addresses, kept, workspace_bytes)
