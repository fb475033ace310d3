"""A stand-in for NVIDIA's driver: memory is the host's, and streams do their work late.

What is loaded must be machine code that has the entry. Kernels do not run; a test that wants to see
what they would do says so in Python. Everything else is as the driver has it: work is queued in its
stream, and done, a piece at a time, when somebody asks whether a stream or an event is over. So
whoever reads too early reads what was there before, and whoever frees or writes too early is seen.
"""

from __future__ import annotations

import ctypes
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from speedmetal.backends import registry
from speedmetal.backends.cuda.driver.commands import LAUNCH_FUNCTION, Configuration, LaunchPlan
from speedmetal.backends.cuda.driver.device import CudaDevice
from speedmetal.backends.cuda.driver.library import NOT_READY, SUCCESS, Library

ATTRIBUTES = {1: 1024, 2: 1024, 3: 1024, 4: 64, 5: 2**31 - 1, 6: 65535, 7: 65535, 97: 232448,
              75: 9, 76: 0, 16: 132, 38: 50 << 20, 39: 2048, 81: 233472, 82: 65536, 106: 32,
              111: 1024}  # fmt: skip
"""Of an H100, by their numbers in cuda.h."""
INVALID_CONTEXT = 201
CAPTURE_UNSUPPORTED = 900
NO_BINARY_FOR_GPU = 209
NOT_FOUND = 500
OUT_OF_MEMORY = 2
MEMORY_BYTES = 1 << 30
OTHERS_BYTES = 1 << 20
"""Of these, in use by other programs."""
ARRAYS_OWN = ("copy", "fill")
"""Kernels that arrays launch by themselves, of which tests are not told."""
CONTEXT = 0x1000
"""Of the first card; those of the others follow it."""
PEER_ACCESS_ALREADY_ENABLED = 704
FIRST_STREAM = 0x2000
DEFAULT_STREAMS = (1, 2)
"""The legacy one, and that of the thread: they belong to whatever context is current."""
GLOBAL, RELAXED = 0, 2
"""What threads may do while a stream captures: nothing that is not safe; anything."""
FREED = 0xDD
"""What memory is filled with when it goes back."""
AFTER_A_LOSS = (
    *("cuCtxPushCurrent_v2", "cuCtxPopCurrent_v2", "cuCtxGetCurrent", "cuCtxSetCurrent"),
    *("cuGetErrorName", "cuGetErrorString"),
)
"""What answers when the context has ended."""


@dataclass
class Launched:
    """A launch, as the driver is asked for it."""

    entry: str
    groups: tuple[int, ...]
    threads: tuple[int, ...]
    dynamic_bytes: int
    parameters: tuple[int, ...]
    code: bytes

    def bytes_of(self, number: int, size: int) -> bytes:
        """What a parameter of the entry begins with, while the launch goes on."""
        return ctypes.string_at(self.parameters[number], size)


class Fault(Exception):  # noqa: N818 - as the card has it
    """Raised by what a test has a kernel do: it ends the context."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(eq=False)
class Mark:
    """Where an event was recorded, once."""

    stream: int
    reached_at: float | None = None


def _nothing() -> None:
    """What a wait does when it is over."""


@dataclass(eq=False)
class Work:
    """A piece of a stream's work.

    Attributes:
        run: Does it.
        touches: Address and size of all memory that it needs; None: of any.
        waits_for: What must be reached before.
    """

    run: Callable[[], object] = _nothing
    touches: tuple[tuple[int, int], ...] | None = ()
    waits_for: Mark | None = None


class DryDriver:
    """What ``ctypes.CDLL("libcuda.so.1")`` gives elsewhere.

    Attributes:
        launches: So far.
        busy_polls: How many more times a stream or an event says that it is not over.
        is_held: Whether no work is done at all.
        is_eager: Whether work is done as soon as it can be.
        failures: The ``CUresult`` of the next calls of a function, by its name.
        calls: Names of the functions called so far.
        current: Contexts that are current, the innermost last.
        on_launch: Called with each launch, when the driver is asked for it; what it gives is
            called when the kernel runs.
        lost: What ended a context, by the context.
        card_count: How many cards there are.
        reachable: Pairs of cards of which the first can reach the second's memory.
        enabled: Pairs of contexts that do.
        untold: Kernels of which ``on_launch`` is not told, and which do nothing.
        registers: Of a thread, by the entry's name; 32 where nothing is said.
        bounds: The most threads of a threadgroup, by the entry's name; 1024 where nothing is said.
    """

    def __init__(self) -> None:
        self.launches: list[Launched] = []
        self.busy_polls = 0
        self.is_held = self.is_eager = False
        self.failures: dict[str, list[int]] = {}
        self.calls: list[str] = []
        self.current: list[int] = []
        self.on_launch: Any = self.launches.append
        self.lost: dict[int, int] = {}
        self.card_count = 1
        self.reachable: set[tuple[int, int]] = set()
        self.enabled: set[tuple[int, int]] = set()
        self.memory: dict[int, Any] = {}
        self.host_memory: dict[int, Any] = {}
        self.modules: dict[int, bytes] = {}
        self.entries: dict[int, str] = {}
        self.codes: dict[int, bytes] = {}
        self.dynamic_limit: dict[int, int] = {}
        self.untold = ARRAYS_OWN
        self.captures: dict[int, list[Callable[[], object]]] = {}
        self.graphs: dict[int, list[Callable[[], object]]] = {}
        self.graph_numbers = itertools.count(0x7000)
        self.own_captures: set[int] = set()
        self.capture_mode = GLOBAL
        self.destroyed: set[int] = set()  # streams: whoever names one ends the process
        self.registers: dict[str, int] = {}
        self.bounds: dict[str, int] = {}
        self.streams: dict[int, deque[Work]] = {number: deque() for number in DEFAULT_STREAMS}
        # Contexts of streams, events, memory and code.
        self.owners: dict[int, int] = dict.fromkeys(DEFAULT_STREAMS, CONTEXT)
        self.events: dict[int, Mark | None] = {}
        self.clock = 0.0

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("cu"):
            raise AttributeError(name)
        method = getattr(type(self), f"_{name.lower()}")

        def call(*arguments: Any) -> int:
            self.calls.append(name)
            current = self.current[-1] if self.current else CONTEXT
            if current in self.lost and name not in AFTER_A_LOSS:
                return self.lost[current]
            if failures := self.failures.get(name):
                return failures.pop(0)
            return int(method(self, *arguments) or SUCCESS)

        return call

    # --- The card ------------------------------------------------------------------------------

    def _ask(self, stream: int, work: Work) -> None:
        self._needs_context(self.owners[stream])
        self._must_be_there(stream)
        if stream in self.captures:
            assert work.touches is None, "only launches are captured"
            self.captures[stream].append(work.run)
            return
        self.streams[stream].append(work)
        while self.is_eager and not self._is_lost(stream) and self._does_some(stream):
            pass

    def _is_lost(self, stream: int) -> bool:
        return self.owners[stream] in self.lost

    def _does_some(self, stream: int) -> bool:
        """Do the next piece of a stream's work, or of the work that it waits for."""
        queue = self.streams[stream]
        if not queue or self.is_held:
            return False
        waits_for = queue[0].waits_for
        if waits_for is not None and waits_for.reached_at is None:
            return self._does_some(waits_for.stream)
        work = queue.popleft()
        self.clock += 1
        try:
            work.run()
        except Fault as fault:
            self.lost[self.owners[stream]] = fault.code
        return True

    def _poll(self, stream: int, is_over: Callable[[], bool]) -> int:
        owner = self.owners[stream]
        self._needs_context(owner)
        self._needs_no_capture()
        if self.busy_polls:
            self.busy_polls -= 1
            return NOT_READY
        if not is_over():
            self._does_some(stream)
        return self.lost.get(owner) or (SUCCESS if is_over() else NOT_READY)

    def _needs_no_capture(self) -> None:
        """Nothing is asked after while a stream captures, but by who says that it may be."""
        assert not self.captures or self.capture_mode == RELAXED, "a stream captures"
        assert not self.own_captures, "nobody can wait for what we capture"

    def _left(self, context: int | None = None) -> list[Work]:
        """Work that is not done, of one context or of all."""
        queues = self.streams.items()
        return [
            work
            for stream, queue in queues
            for work in queue
            if context in (None, self.owners[stream])
        ]

    def _holds(self, known: dict[int, Any], address: int, size: int) -> bool:
        return any(
            begin <= address and address + size <= memory.ctypes.data + memory.size
            for begin, memory in known.items()
        )

    def _new_memory(self, known: dict[int, Any], size: int) -> int:
        self._needs_context()
        assert self.own_captures or not self.captures or self.capture_mode == RELAXED
        memory = np.full(size + 256, 0xCD, np.uint8)
        address = int(memory.ctypes.data) + -memory.ctypes.data % 256
        known[address] = memory
        self.owners[address] = self.current[-1]
        return address

    # --- Graphs --------------------------------------------------------------------------------

    def _custreambegincapture_v2(self, stream: Any, mode: int) -> None:
        self._needs_context()
        assert mode == RELAXED
        assert not self.streams[stream.value]
        self.captures[stream.value] = []
        self.own_captures.add(stream.value)

    def _custreamendcapture(self, stream: Any, found: Any) -> None:
        found._obj.value = next(self.graph_numbers)
        self.graphs[found._obj.value] = self.captures.pop(stream.value)
        self.own_captures.discard(stream.value)

    def _cugraphinstantiatewithflags(self, found: Any, graph: Any, flags: int) -> None:
        assert flags == 0
        found._obj.value = next(self.graph_numbers)
        self.graphs[found._obj.value] = self.graphs[graph.value]

    def _cugraphlaunch(self, graph: Any, stream: Any) -> None:
        for run in self.graphs[graph.value]:
            self._ask(stream.value, Work(run, None))

    def _cugraphdestroy(self, graph: Any) -> None:
        del self.graphs[graph.value]

    def _cugraphexecdestroy(self, graph: Any) -> None:
        left = self._left(self.current[-1])
        assert all(work.touches is not None for work in left), "destroyed too early"
        del self.graphs[graph.value]

    def _free(self, known: dict[int, Any], address: int) -> None:
        context = self.owners.pop(address)
        self._needs_context(context)
        memory = known.pop(address)
        end = memory.ctypes.data + memory.size
        launches = [work for work in self._left(context) if work.touches is None]
        assert not launches, "memory is freed before a launch that may need it"
        for work in self._left():
            for begin, size in work.touches or ():
                assert end <= begin or begin + size <= address, "memory is freed before a copy"
        memory[:] = FREED

    # --- The driver ----------------------------------------------------------------------------

    def _needs_context(self, context: int | None = None) -> None:
        """Some card's context is current, or the one that is named."""
        assert self.current[-1:], "no context is current"
        current = self.current[-1]
        assert 0 <= current - CONTEXT < self.card_count, "the context is not a card's"
        assert context in (None, current), "another card's context is current"

    def _cuinit(self, flags: int) -> None:
        assert flags == 0

    def _cudrivergetversion(self, found: Any) -> None:
        found._obj.value = 13000

    def _cudevicegetcount(self, found: Any) -> None:
        found._obj.value = self.card_count

    def _cudeviceget(self, found: Any, number: int) -> None:
        assert number < self.card_count
        found._obj.value = number

    def _cudevicecanaccesspeer(self, found: Any, device: int, other: int) -> None:
        assert device != other
        found._obj.value = (device, other) in self.reachable

    def _cuctxenablepeeraccess(self, other: Any, flags: int) -> int:
        assert flags == 0
        self._needs_context()
        pair = (self.current[-1], other.value)
        assert tuple(context - CONTEXT for context in pair) in self.reachable
        if pair in self.enabled:
            return PEER_ACCESS_ALREADY_ENABLED
        self.enabled.add(pair)
        return SUCCESS

    def _cudevicegetname(self, text: Any, size: int, device: int) -> None:
        assert 0 <= device < self.card_count
        text.value = b"a card that is not there"[: size - 1]

    def _cudevicegetpcibusid(self, text: Any, size: int, device: int) -> None:
        assert device == 0
        text.value = b"0000:0A:00.0"[: size - 1]

    def _cudevicegetattribute(self, found: Any, number: int, device: int) -> None:
        assert 0 <= device < self.card_count
        found._obj.value = ATTRIBUTES[number]

    def _cudeviceprimaryctxretain(self, found: Any, device: int) -> None:
        found._obj.value = CONTEXT + device

    def _cuctxpushcurrent_v2(self, context: Any) -> None:
        self.current.append(context.value)

    def _cuctxpopcurrent_v2(self, found: Any) -> None:
        found._obj.value = self.current.pop()

    def _cuctxgetcurrent(self, found: Any) -> None:
        found._obj.value = self.current[-1] if self.current else None

    def _cuctxsetcurrent(self, context: Any) -> None:
        self.current[-1:] = [context.value]

    def _custreamcreate(self, found: Any, flags: int) -> None:
        assert flags == 1
        self._needs_context()
        number = FIRST_STREAM + len(self.streams)
        self.streams[number] = deque()
        self.owners[number] = self.current[-1]
        found._obj.value = number

    def _must_be_there(self, stream: int) -> None:
        assert stream in self.streams, "a driver ends the process"
        assert stream not in self.destroyed, "a driver ends the process"

    def _custreamgetctx(self, stream: Any, found: Any) -> int:
        self._must_be_there(stream.value)
        found._obj.value = self.owners[stream.value]
        return SUCCESS

    def _custreamiscapturing(self, stream: Any, found: Any) -> int:
        self._must_be_there(stream.value)
        found._obj.value = stream.value in self.captures
        return SUCCESS

    def _cuthreadexchangestreamcapturemode(self, mode: Any) -> None:
        self.capture_mode, mode._obj.value = mode._obj.value, self.capture_mode

    def _cuctxsynchronize(self) -> int:
        self._needs_context()
        if self.captures:
            return CAPTURE_UNSUPPORTED
        while any(self._does_some(stream) for stream in tuple(self.streams)):
            pass
        return SUCCESS

    def _cuctxrecordevent(self, context: Any, event: Any) -> None:
        """Behind the streams' ends there is another stream, which waits for all of them."""
        ending = [stream for stream in self.captures if self.owners[stream] == context.value]
        assert not ending, "it ends captures"
        everything = -context.value
        self.streams.setdefault(everything, deque())
        self.owners[everything] = context.value
        for stream, queue in tuple(self.streams.items()):
            if queue and stream != everything and self.owners[stream] == context.value:
                end = Mark(stream)
                queue.append(Work(lambda end=end: self._reach(end)))
                self.streams[everything].append(Work(waits_for=end))
        mark = self.events[event.value] = Mark(everything)
        self.streams[everything].append(Work(lambda: self._reach(mark)))

    def _reach(self, mark: Mark) -> None:
        mark.reached_at = self.clock

    def _custreamquery(self, stream: Any) -> int:
        self._must_be_there(stream.value)
        return self._poll(stream.value, lambda: not self.streams[stream.value])

    def _custreamwaitevent(self, stream: Any, event: Any, flags: int) -> int:
        assert flags == 0
        assert stream.value not in self.captures, "a capture would wait for what is outside of it"
        self._ask(stream.value, Work(waits_for=self.events[event.value]))
        return SUCCESS

    def _cueventcreate(self, found: Any, flags: int) -> None:
        self._needs_context()
        assert flags in (0, 2)
        number = 0x4000 + 2 * len(self.events) + (flags == 0)
        self.events[number] = None
        self.owners[number] = self.current[-1]
        found._obj.value = number

    def _cueventrecord(self, event: Any, stream: Any) -> int:
        self._must_be_there(stream.value)
        assert stream.value not in self.captures, "what waits for it would become part of a capture"
        assert self.owners[event.value] == self.owners[stream.value], "another card's event"
        mark = self.events[event.value] = Mark(stream.value)
        self._ask(stream.value, Work(lambda: self._reach(mark)))
        return SUCCESS

    def _cueventquery(self, event: Any) -> int:
        mark = self.events[event.value]
        if mark is None:
            return SUCCESS
        return self._poll(mark.stream, lambda: mark.reached_at is not None)

    def _cueventelapsedtime(self, found: Any, begin: Any, end: Any) -> int:
        """A millisecond for each piece of work."""
        assert begin.value % 2 == end.value % 2 == 1, "an event that takes no time"
        first, last = self.events[begin.value], self.events[end.value]
        if first is None or last is None or None in (first.reached_at, last.reached_at):
            return NOT_READY
        found._obj.value = last.reached_at - first.reached_at  # type: ignore[operator]
        return SUCCESS

    def _cumemalloc_v2(self, found: Any, size: int) -> int:
        if size > self._free_bytes():
            return OUT_OF_MEMORY
        found._obj.value = self._new_memory(self.memory, size)
        return SUCCESS

    def _free_bytes(self) -> int:
        self._needs_context()
        owned = (
            memory.size
            for address, memory in self.memory.items()
            if self.owners[address] == self.current[-1]
        )
        return MEMORY_BYTES - OTHERS_BYTES - sum(owned)

    def _cumemgetinfo_v2(self, free: Any, total: Any) -> None:
        free._obj.value, total._obj.value = self._free_bytes(), MEMORY_BYTES

    def _cumemfree_v2(self, address: int) -> None:
        self._free(self.memory, address)

    def _cumemallochost_v2(self, found: Any, size: int) -> None:
        found._obj.value = self._new_memory(self.host_memory, size)

    def _cumemfreehost(self, address: int) -> None:
        self._free(self.host_memory, address)

    def _cumemcpyhtodasync_v2(self, target: int, source: int, size: int, stream: Any) -> None:
        self._copy(target, source, size, stream.value, on_card=target, of_host=source)

    def _cumemcpydtohasync_v2(self, target: int, source: int, size: int, stream: Any) -> None:
        self._copy(target, source, size, stream.value, on_card=source, of_host=target)

    def _copy(
        self, target: int, source: int, size: int, stream: int, *, on_card: int, of_host: int
    ) -> None:
        assert self._holds(self.memory, on_card, size), "a copy outside the card's memory"
        assert self._owner(on_card) == self.owners[stream], "memory of another card"
        ranges = ((target, size), (source, size))
        if self._holds(self.host_memory, of_host, size):
            self._ask(stream, Work(lambda: ctypes.memmove(target, source, size), ranges))
            return
        # Not page-locked: the driver waits for what the stream does before.
        self._needs_context()
        is_stuck = bool(self.streams[stream]) and (self.is_held or self.busy_polls > 0)
        assert not is_stuck, "the driver waits here, without a limit"
        while self.streams[stream] and not self._is_lost(stream):
            self._does_some(stream)
        ctypes.memmove(target, source, size)

    def _owner(self, address: int) -> int:
        """The context of a piece of a card's memory."""
        return next(self.owners[begin] for begin in self.memory if self._holds_at(begin, address))

    def _holds_at(self, begin: int, address: int) -> bool:
        return begin <= address < begin + self.memory[begin].size

    def _cumemcpypeerasync(
        self, target: int, to: Any, source: int, of: Any, size: int, stream: Any
    ) -> None:
        for address, context in ((target, to), (source, of)):
            assert self._holds(self.memory, address, size), "a copy outside a card's memory"
            assert self._owner(address) == context.value, "memory of another card"
        ranges = ((target, size), (source, size))
        self._ask(stream.value, Work(lambda: ctypes.memmove(target, source, size), ranges))

    def _cumoduleloaddata(self, found: Any, code: bytes) -> int:
        self._needs_context()
        if not code.startswith(b"\x7fELF"):
            return NO_BINARY_FOR_GPU
        number = 0x3000 + len(self.entries)
        self.modules[number] = code
        self.owners[number] = self.current[-1]
        found._obj.value = number
        return SUCCESS

    def _cumoduleunload(self, module: Any) -> None:
        self._needs_context()
        left = self._left(self.current[-1])
        assert all(work.touches is not None for work in left), "code is freed too early"
        del self.modules[module.value]

    def _cumodulegetfunction(self, found: Any, module: Any, name: bytes) -> int:
        if b"\0" + name + b"\0" not in self.modules[module.value]:
            return NOT_FOUND
        number = 0x100000 + len(self.entries)
        self.owners[number] = self.owners[module.value]
        self.entries[number] = name.decode()
        self.codes[number] = self.modules[module.value]
        found._obj.value = number
        return SUCCESS

    def _cufuncgetattribute(self, found: Any, number: int, entry: Any) -> None:
        assert entry.value in self.entries
        bounds = self.bounds.get(self.entries[entry.value], 1024)
        registers = self.registers.get(self.entries[entry.value], 32)
        found._obj.value = {0: bounds, 1: 0, 3: 8 * (registers > 128), 4: registers}[number]

    def _cuoccupancymaxactiveblockspermultiprocessor(
        self, found: Any, entry: Any, threads: int, dynamic_bytes: int
    ) -> None:
        assert 0 <= dynamic_bytes <= max(self.dynamic_limit.get(entry.value, 0), 48 << 10)
        registers = self.registers.get(self.entries[entry.value], 32)
        memory = dynamic_bytes + ATTRIBUTES[111] if dynamic_bytes else 0
        found._obj.value = min(
            ATTRIBUTES[39] // threads,
            ATTRIBUTES[82] // (registers * threads),
            ATTRIBUTES[81] // memory if memory else ATTRIBUTES[106],
            ATTRIBUTES[106],
        )

    def _cufuncsetattribute(self, entry: Any, number: int, value: int) -> None:
        assert number == 8
        self.dynamic_limit[entry.value] = value

    def _culaunchkernelex(self, given: Any, entry: Any, parameters: Any, extra: Any) -> int:
        """As a driver that wants the context to be current, which some do not."""
        asked = given._obj
        if self.current[-1:] != [self.owners[asked.stream]]:
            return INVALID_CONTEXT
        self._must_be_there(asked.stream)
        assert self.owners[entry.value] == self.owners[asked.stream], "code of another card"
        assert extra is None
        assert asked.attribute_count == 0
        assert asked.dynamic_bytes <= self.dynamic_limit.get(entry.value, 0)
        groups = (asked.grid_x, asked.grid_y, asked.grid_z)
        threads = (asked.block_x, asked.block_y, asked.block_z)
        assert all(1 <= size <= ATTRIBUTES[5 + axis] for axis, size in enumerate(groups))
        assert all(1 <= size <= ATTRIBUTES[2 + axis] for axis, size in enumerate(threads))
        addresses = tuple(parameters)
        assert all(addresses)
        name = self.entries[entry.value]
        run = None
        if name not in self.untold:
            run = self.on_launch(
                Launched(
                    name, groups, threads, asked.dynamic_bytes, addresses, self.codes[entry.value]
                )
            )
        self._ask(asked.stream, Work(run or _nothing, None))
        return SUCCESS

    def _cugeterrorname(self, code: int, text: Any) -> None:
        text._obj.value = f"CUDA_ERROR_{code}".encode()

    def _cugeterrorstring(self, code: int, text: Any) -> None:
        del code
        text._obj.value = b"what the driver says"


def dry_device(driver: DryDriver | None = None) -> CudaDevice:
    """A device behind a driver that runs no kernel."""
    return CudaDevice(Library(driver or DryDriver()))


def addressed_device(driver: DryDriver, patch: pytest.MonkeyPatch) -> CudaDevice:
    """The same behind a driver whose launches have an address, so that machine code can ask it."""
    library, counts = Library(driver), dict[int, int]()
    ask, lay_out = library.prepared(LAUNCH_FUNCTION), LaunchPlan.__init__

    def noted(plan: LaunchPlan, *given: Any) -> None:
        lay_out(plan, *given)
        counts[ctypes.addressof(plan.parameters)] = len(plan.parameters)

    def launch(given: int, entry: int, parameters: int, _extra: None) -> int:
        asked = SimpleNamespace(_obj=Configuration.from_address(given))
        addresses = (ctypes.c_void_p * counts[parameters]).from_address(parameters)
        return int(ask(asked, ctypes.c_void_p(entry), addresses, None))

    patch.setattr(LaunchPlan, "__init__", noted)
    kind = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 4)
    patch.setitem(library._functions, LAUNCH_FUNCTION, kind(launch))
    return CudaDevice(library)


def forget_devices() -> None:
    """Let the machine's devices be asked for again: a test's own would be told of for ever."""
    for found in (registry.devices, registry._best_device, registry._make_device):
        found.cache_clear()
