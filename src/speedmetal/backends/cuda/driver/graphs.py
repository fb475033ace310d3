"""Graphs: launches that were captured, and that the driver does again with one call.

**Capturing.** While a stream captures, what it is asked for goes into the graph, and nothing runs.
So nothing can be waited for, and nothing comes from the host or goes there: who tries is told so.
The stream's lock is held all the while; other threads that launch wait until the capture is over.

**Memory.** A graph has the addresses of its arrays, so each of their blocks has one more owner: it
goes back to the pool when both the array and the graph are gone.
"""

from __future__ import annotations

import ctypes
import weakref
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from speedmetal.backends.cuda.driver.commands import Launch, RoutineCall
from speedmetal.backends.cuda.driver.context import Context
from speedmetal.backends.cuda.driver.library import Library
from speedmetal.backends.cuda.driver.memory import DeviceBlock, DevicePool
from speedmetal.backends.cuda.driver.stream import CudaStream
from speedmetal.errors import DeviceError

_RELAXED = 2  # CUstreamCaptureMode: other calls, which make memory or load code, are allowed


class HeldMemory:
    """Launches that were captured, and the memory that they use, which is held as long as this is.

    Args:
        pool: Of the arrays' memory.
    """

    def __init__(self, pool: DevicePool) -> None:
        self._pool = pool
        self._starts: list[int] = []
        self._blocks: list[DeviceBlock] = []
        self._made = -1  # blocks, when these were asked for
        self._held: dict[int, DeviceBlock] = {}  # by their `id`
        self._launches: list[Launch | RoutineCall] = []

    @property
    def size(self) -> int:
        """How many launches it has."""
        return len(self._launches)

    def holds(self, address: int) -> bool:
        """Whether an address lies in memory that its kernels use."""
        return any(block.has(address) for block in self._held.values())

    def hold(self, launch: Launch | RoutineCall) -> None:
        """Keep a launch, and the memory that it uses."""
        if not self._launches:
            weakref.finalize(self, _let_go, self._held, self._pool).atexit = False
        for address in launch.addresses():
            for block in (*self._blocks_at(address), *self._pool.borrowed_at(address)):
                if id(block) not in self._held:
                    block.share()
                    self._held[id(block)] = block
        self._launches.append(launch)

    def _blocks_at(self, address: int) -> list[DeviceBlock]:
        if self._made != self._pool.blocks_made:
            self._starts, self._blocks = self._pool.blocks_by_address()
            self._made = self._pool.blocks_made
        place = bisect_right(self._starts, address) - 1
        block = self._blocks[place] if place >= 0 else None
        return [block] if block is not None and block.has(address) else []


class Graph(HeldMemory):
    """Launches of one stream, to be done again.

    Args:
        context: Of the GPU.
        stream: Where it was captured, and where it runs.
        pool: Of the arrays' memory.
    """

    def __init__(self, context: Context, stream: CudaStream, pool: DevicePool) -> None:
        super().__init__(pool)
        self._context = context
        self._stream = stream
        self._native: Any = None
        self._label = ""

    def replay(self) -> None:
        """Ask for all launches, in their order, after everything that was asked before.

        Raises:
            DeviceError: The capture was not finished, or the device can do nothing any more.
        """
        self._context.check()
        if self._native is None:
            raise DeviceError(
                f"{self._context.name}: this graph is not finished: replay it behind the block of"
                " its capture, which must end without an exception"
            )
        self._stream.launch(_Replay(self, self._label), self._label, 0, None)

    # --- While it is captured ------------------------------------------------------------------

    def add(self, launch: Launch | RoutineCall) -> None:
        """Take a launch into the graph, and hold the memory that it uses."""
        self.hold(launch)
        with self._context as library:
            launch.issue(library, self._stream.native)

    def finish(self, native: Any) -> None:
        """Make what was captured ready to be replayed, inside ``with context:``.

        Args:
            native: The ``CUgraph``.
        """
        self._native = self._context.library.handle("cuGraphInstantiateWithFlags", native, 0)
        names = dict.fromkeys(launch.label for launch in self._launches)
        self._label = f"a graph of {', '.join(names)}"
        self._context.free_with(self, "cuGraphExecDestroy", self._native)

    def issue(self, library: Library, stream: Any) -> None:
        """Give it to the driver, once more."""
        library.call("cuGraphLaunch", self._native, stream)


class _Replay:
    """The command of a stream; it keeps the graph until it was given to the driver."""

    __slots__ = ("_graph", "label")

    def __init__(self, graph: Graph, label: str) -> None:
        self._graph = graph
        self.label = label

    def issue(self, library: Library, stream: Any) -> None:
        self._graph.issue(library, stream)


def _let_go(held: dict[int, DeviceBlock], pool: DevicePool) -> None:
    for block in held.values():
        block.let_go(pool)


@contextmanager
def capture(context: Context, stream: CudaStream, pool: DevicePool) -> Iterator[Graph]:
    """Capture what a stream, which has nothing to do, is asked for inside the block.

    Raises:
        DeviceError: Inside another capture.
    """
    with stream.capturing():
        graph = Graph(context, stream, pool)
        with context as library:
            library.call("cuStreamBeginCapture_v2", stream.native, _RELAXED)
        context.captures += 1
        stream.graph = graph
        is_whole = False
        try:
            yield graph
            is_whole = True
        finally:
            context.captures -= 1
            stream.graph = None
            with context as library:
                _end(library, stream, graph if is_whole else None)


def _end(library: Library, stream: CudaStream, graph: Graph | None) -> None:
    """End a capture; without a graph, of what comes to nothing."""
    native = ctypes.c_void_p()
    code = library.result("cuStreamEndCapture", stream.native, ctypes.byref(native))
    if graph is not None:
        library.check("cuStreamEndCapture", code)
    try:
        if graph is not None:
            graph.finish(native)
    finally:
        if native.value:
            library.result("cuGraphDestroy", native)
