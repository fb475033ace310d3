"""Traces: the launches of one call, to be asked for again with other arrays.

While a trace is taken everything runs as ever; what is launched, and what memory is made for it, is
noted. A launch's arguments are the addresses of its arrays, then numbers and sizes, which are the
same for all arrays that lie alike. So to do the call again, new addresses are written in front of
the old rest. What cannot be done again so (copies from and to the host, waiting, routines of
libraries, kernels that report) spoils a trace. What other threads ask for meanwhile is not of it.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Sequence
from typing import Any

from speedmetal.backends.cuda.driver.commands import Command, Launch
from speedmetal.backends.cuda.driver.stream import CudaStream
from speedmetal.backends.device import BoundLaunch, Buffer, DirectLaunch, Replay

_POINTER_BYTES = 8


class Trace:
    """What one call has asked for.

    Args:
        stream: Of its launches.
        lasting: Memory that lives as long as the device.
    """

    def __init__(self, stream: CudaStream, lasting: Sequence[Buffer]) -> None:
        self._stream = stream
        self._lasting = lasting
        self._launches: list[Launch] = []
        self._made: list[Buffer] = []  # held, so that no two have one address
        self._is_spoiled = False
        self._thread = threading.get_ident()

    @property
    def _is_asked(self) -> bool:
        """Whether it is the thread of the call that asks for something."""
        return threading.get_ident() == self._thread

    def made(self, buffer: Buffer) -> None:
        """Note new memory."""
        if self._is_asked:
            self._made.append(buffer)

    def took(self, command: Command) -> None:
        """Note what the stream was given."""
        if isinstance(command, Launch) and command.is_plain:
            if self._is_asked:
                self._launches.append(command)
        else:
            self.spoil()

    def spoil(self) -> None:
        """Note that the call did something that is not done again by launches alone."""
        if self._is_asked:
            self._is_spoiled = True

    def finish(
        self, given: Sequence[tuple[int, Buffer]], results: Sequence[Buffer]
    ) -> Replay | None:
        """What does the call again; None where it cannot be.

        Args:
            given: The address of each array that the call was given, and its memory; each memory
                once.
            results: The memory of what it gave.
        """
        used = [buffer for buffer in self._made if self._is_used(buffer) or buffer in results]
        if self._is_spoiled or not all(result in used for result in results):
            return None
        known = [*given, *((buffer.address, buffer) for buffer in used)]
        launches = []
        for launch in self._launches:
            sources = [self._source(address, known) for address in launch.addresses()]
            if None in sources:
                return None
            launches.append((launch, sources))
        sizes = [buffer.size_bytes for buffer in used]
        return _replay(self._stream, sizes, launches, [used.index(result) for result in results])

    def _is_used(self, buffer: Buffer) -> bool:
        return any(_is_in(a, buffer) for launch in self._launches for a in launch.addresses())

    def _source(self, address: int, known: list[tuple[int, Buffer]]) -> tuple[int, int] | None:
        """Which array an address belongs to, and its distance; -1: the last value, which is 0.

        None: nobody knows, or it may be one array or another, as where a tensor of another library
        was given twice.
        """
        found = [
            (number, address - start)
            for number, (start, buffer) in enumerate(known)
            if _is_in(address, buffer)
        ]
        if found:
            return found[0] if len(found) == 1 else None
        if any(_is_in(address, buffer) for buffer in self._lasting):
            return -1, address
        return None


def _is_in(address: int, buffer: Buffer) -> bool:
    start: int = buffer.address
    return start <= address < start + buffer.size_bytes


def _replay(
    stream: CudaStream,
    sizes: list[int],
    launches: Sequence[tuple[Launch, Sequence[Any]]],
    results: list[int],
) -> Replay:
    return Replay(sizes, results, [_step(stream, *launch) for launch in launches])


def _step(stream: CudaStream, launch: Launch, sources: Sequence[tuple[int, int]]) -> BoundLaunch:
    """What makes a launch again; each of its sources is a value's place, and a distance."""
    plan, dynamic_bytes = launch.plan, launch.dynamic_bytes
    rest = launch.arguments[len(sources) * _POINTER_BYTES :]
    pack = struct.Struct(f"={len(sources)}Q{len(rest)}s").pack

    def packed(values: list[Any]) -> bytes:
        return pack(*[values[number] + distance for number, distance in sources], rest)

    if dynamic_bytes:

        def run_with_memory(values: list[Any]) -> None:
            command = Launch(plan, packed(values), dynamic_bytes, None)
            stream.launch(command, plan.label, 0, None)

        return run_with_memory

    def run(values: list[Any]) -> None:
        stream.launch_now(plan, packed(values))

    def direct() -> DirectLaunch | None:
        own = plan.anew()
        own.memory[len(own.memory) - len(rest) :] = rest
        places = enumerate(sources)
        numbers = [(n, "Q", place * _POINTER_BYTES, more) for place, (n, more) in places]
        return own.direct(stream, numbers)

    run.direct = direct  # type: ignore[attr-defined]
    return run
