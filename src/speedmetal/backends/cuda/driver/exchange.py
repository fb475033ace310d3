"""Exchange of memory with other libraries that use the same GPU: see the contract."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial

from speedmetal.backends.cuda.driver.foreign_streams import ForeignStreams, StreamWork
from speedmetal.backends.cuda.driver.memory import DeviceBlock, DevicePool
from speedmetal.backends.cuda.driver.ordering import LEGACY_STREAM, Ordering
from speedmetal.backends.cuda.driver.stream import CudaStream
from speedmetal.backends.device import BorrowedBuffer, Buffer, Device
from speedmetal.backends.stream_pool import Allocation
from speedmetal.errors import DeviceError

_ANY = 0  # stream that nobody named
_NO_ORDER = -1  # of the array API's `__dlpack__`


class CudaExchange:
    """:class:`speedmetal.backends.exchange.Exchange` of one GPU.

    Args:
        device: Whose.
        home: Its own stream.
        pool: Of its arrays' memory.
        ordering: Of its streams.
        streams: Those of other libraries.
    """

    def __init__(
        self,
        device: Device,
        home: CudaStream,
        pool: DevicePool,
        ordering: Ordering,
        streams: ForeignStreams,
    ) -> None:
        self._device = device
        self._home = home
        self._pool = pool
        self._ordering = ordering
        self._streams = streams

    @property
    def stream_number(self) -> int:
        number: int = self._home.in_use().native.value
        return number

    def lend(self, buffer: Buffer, stream: int | None) -> None:
        if stream == 0:
            raise BufferError(
                "stream 0 is ambiguous in DLPack; pass 1 for the legacy default stream, 2 for that"
                " of the thread"
            )
        number = LEGACY_STREAM if stream is None else stream
        try:
            if stream == _NO_ORDER:
                self._home.in_use().push()
            else:
                self._precede(number)
        except DeviceError as error:
            raise BufferError(str(error)) from error
        self._note(buffer, max(number, _ANY))

    def lend_to_anyone(self, buffer: Buffer) -> None:
        # Who reads the interface must look at the stream that it names. PyTorch does not, and
        # works in the default stream mostly.
        if self._home.in_use().graph is None:
            with suppress(DeviceError):  # while a capture forbids that stream to wait
                self._precede(LEGACY_STREAM)
        self._note(buffer, _ANY)

    def _note(self, buffer: Buffer, number: int) -> None:
        owner = buffer.owner
        if isinstance(owner, Allocation) and isinstance(owner.block, DeviceBlock):
            owner.block.lent_to |= {number}

    def borrow(self, address: int, size_bytes: int, lender: object) -> Buffer:
        owner = self._pool.borrow(address, size_bytes, lender)
        return BorrowedBuffer(self._device, address, size_bytes, owner, None)

    def check_order(self, stream: int) -> None:
        self._beside(_normal(stream))

    def follow(self, stream: int) -> Callable[[], None] | None:
        number = _normal(stream)
        own = self._beside(number)
        if own is None:
            return None
        own.push()  # what was asked for before does not wait
        self._ordering.put_behind(own.native, ctypes.c_void_p(number))
        return partial(self._let_follow, number, own)

    def _precede(self, stream: int) -> None:
        """Have what a stream is given from now on come behind what was asked for so far.

        Raises:
            DeviceError: There is no such stream, or it captures.
        """
        number = _normal(stream)
        if own := self._beside(number):
            self._let_follow(number, own)

    def _let_follow(self, number: int, own: CudaStream) -> None:
        own.push()
        self._ordering.put_behind(ctypes.c_void_p(number), own.native)

    def _beside(self, number: int) -> CudaStream | None:
        """The stream that this thread's work goes into; None: it is that one.

        Raises:
            DeviceError: One of both captures, or the number is no stream.
        """
        own = self._home.in_use()
        if own.native.value == number:
            own.push()
            return None
        if own.graph is not None or self._ordering.is_capturing(number):
            raise DeviceError(
                f"{self._device.name}: a stream that is captured cannot wait for work outside of"
                " its capture, nor others for it; inside the capture, launch and exchange memory in"
                " `with sm.cuda.stream(...)` of the stream that is captured"
            )
        return own

    def entered(self, stream: int) -> AbstractContextManager[StreamWork]:
        return self._streams.entered(_normal(stream))


def _normal(stream: int) -> int:
    """The legacy default stream has two numbers of CUDA's; this is the one that DLPack has."""
    return stream or LEGACY_STREAM
