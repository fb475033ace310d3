"""The commands of a command buffer, and their encoding.

A launch is a plain tuple, because most commands are launches; the rest are small records with a
method ``encode``. Encoders live inside :func:`encode` alone: whatever happens there, they are
ended, because Metal aborts the process when an encoder that was not ended goes away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from speedmetal.errors import DeviceError

LONGEST_COPY_BYTES = 1 << 31
"""Longer copies are split: beyond 4 GiB they fail without a word."""

LENGTH_ALIGNMENT_BYTES = 16
"""Of threadgroup memory sized at launch (Metal Feature Set Tables, "Threadgroup memory length
alignment")."""

Dispatch = tuple[
    Any,  # pipeline
    "list[Any]",  # buffers at the indices from 0
    "list[int]",  # their offsets
    bytes,  # the bytes at the index after them; none if empty
    "tuple[tuple[Any, int, int], ...]",  # (buffer, offset, index) or (bytes, length, index)
    "tuple[int, ...]",  # lengths of threadgroup memory
    "tuple[int, int, int]",  # grid
    "tuple[int, int, int]",  # threads of a threadgroup
    str,  # label
]


class Encoding:
    """A command buffer while it is filled: at most one open encoder, and what is set in it."""

    def __init__(self, command_buffer: Any) -> None:
        self.command_buffer = command_buffer
        self._compute: Any = None
        self._blit: Any = None
        self._pipeline: Any = None
        self._lengths: tuple[int, ...] = ()

    def dispatch(
        self,
        pipeline: Any,
        buffers: list[Any],
        offsets: list[int],
        packed: bytes,
        other_bindings: Sequence[tuple[Any, int, int]],
        lengths: tuple[int, ...],
        grid: tuple[int, int, int],
        threads: tuple[int, int, int],
        _label: str,
    ) -> None:
        """Encode a launch; see :data:`Dispatch`."""
        encoder = self._compute
        # Memory at a higher index, left from an earlier launch, would count as this one's.
        if encoder is None or len(lengths) < len(self._lengths):
            encoder = self._open_compute()
        if pipeline is not self._pipeline:
            encoder.setComputePipelineState_(pipeline)
            self._pipeline = pipeline
        count = len(buffers)
        if count:
            encoder.setBuffers_offsets_withRange_(buffers, offsets, (0, count))
        if packed:
            encoder.setBytes_length_atIndex_(packed, len(packed), count)
        for item, place, index in other_bindings:
            if type(item) is bytes:
                encoder.setBytes_length_atIndex_(item, place, index)
            else:
                encoder.setBuffer_offset_atIndex_(item, place, index)
        if lengths != self._lengths:
            for index, length in enumerate(lengths):
                padded = -(-length // LENGTH_ALIGNMENT_BYTES) * LENGTH_ALIGNMENT_BYTES
                encoder.setThreadgroupMemoryLength_atIndex_(padded, index)
            self._lengths = lengths
        encoder.dispatchThreads_threadsPerThreadgroup_(grid, threads)

    def annotated_dispatch(self, *command: Any) -> None:
        """Encode a launch as a debug group of its own encoder, which has its label."""
        self.end()
        encoder = self._open_compute()
        encoder.setLabel_(command[-1])
        encoder.pushDebugGroup_(command[-1])
        try:
            self.dispatch(*command)
        finally:
            encoder.popDebugGroup()

    def _open_compute(self) -> Any:
        self.end()
        encoder = self.command_buffer.computeCommandEncoder()
        if encoder is None:
            raise DeviceError("Metal gives no encoder for kernels")
        self._compute = encoder
        return encoder

    def blit(self) -> Any:
        """An encoder for copies."""
        if self._blit is None:
            self.end()
            self._blit = self.command_buffer.blitCommandEncoder()
            if self._blit is None:
                raise DeviceError(
                    "Metal gives no encoder for copies; see the device's other errors"
                )
        return self._blit

    def end(self) -> None:
        """End the open encoder, if there is one."""
        encoder = self._compute if self._compute is not None else self._blit
        self._compute = self._blit = self._pipeline = None
        self._lengths = ()
        if encoder is not None:
            encoder.endEncoding()


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """Copy bytes between buffers; offsets and size are multiples of 4."""

    source: Any
    source_offset: int
    target: Any
    target_offset: int
    size_bytes: int

    def encode(self, encoding: Encoding) -> None:
        encoder = encoding.blit()
        for start in range(0, self.size_bytes, LONGEST_COPY_BYTES):
            encoder.copyFromBuffer_sourceOffset_toBuffer_destinationOffset_size_(
                self.source,
                self.source_offset + start,
                self.target,
                self.target_offset + start,
                min(LONGEST_COPY_BYTES, self.size_bytes - start),
            )


@dataclass(frozen=True, slots=True, eq=False)
class Refresh:
    """Bring the host's side of a managed buffer up to date."""

    resource: Any

    def encode(self, encoding: Encoding) -> None:
        encoding.blit().synchronizeResource_(self.resource)


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """Give an ``MTLSharedEvent`` a value when everything before is done."""

    event: Any
    value: int

    def encode(self, encoding: Encoding) -> None:
        encoding.end()
        encoding.command_buffer.encodeSignalEvent_value_(self.event, self.value)


@dataclass(frozen=True, slots=True, eq=False)
class Wait:
    """Hold back everything after until an ``MTLSharedEvent`` has a value."""

    event: Any
    value: int

    def encode(self, encoding: Encoding) -> None:
        encoding.end()
        encoding.command_buffer.encodeWaitForEvent_value_(self.event, self.value)


Command = Dispatch | Copy | Refresh | Signal | Wait


def encode(
    commands: Sequence[Command], command_buffer: Any, *, annotates: bool
) -> list[tuple[str | None, Exception]]:
    """Fill a command buffer.

    Args:
        commands: In order.
        command_buffer: An empty one, which is not committed here.
        annotates: Whether each launch has an encoder and a debug group with its label, for tools.

    Returns:
        For each command that could not be encoded, the launch's label (None: a copy) and the
        reason; all others are in.
    """
    encoding = Encoding(command_buffer)
    dispatch = encoding.annotated_dispatch if annotates else encoding.dispatch
    failed: list[tuple[str | None, Exception]] = []
    try:
        for command in commands:
            try:
                if type(command) is tuple:
                    dispatch(*command)
                else:
                    command.encode(encoding)  # type: ignore[union-attr]
            except Exception as error:  # noqa: BLE001 - one bad command must not lose the others
                failed.append((command[-1] if type(command) is tuple else None, error))
    finally:
        encoding.end()
    return failed
