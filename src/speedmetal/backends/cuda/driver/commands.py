"""What a stream of CUDA is asked to do: launches, calls of NVIDIA's libraries, and copies.

A command has a ``label``, the kernel's name or the routine's (None: it launches nothing), and
``issue``, which gives it to the driver inside ``with context:`` without waiting. For that, the
host's side of a copy must be page-locked; else the driver may wait, beyond any time limit, for all
that the stream does before.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from speedmetal.backends.cuda.driver.library import Library
from speedmetal.backends.device import DirectLaunch

LAUNCH_FUNCTION = "cuLaunchKernelEx"
"""Of its four parameters only one, which the driver copies, differs between launches: half the time
of what ``cuLaunchKernel`` takes with its eleven."""

_STREAMS_KNOWN = 8
"""Other streams for which a plan has been laid out; beyond them all are forgotten."""


class Command(Protocol):
    """What is asked for."""

    @property
    def label(self) -> str | None:
        """The kernel's name; None: it is no launch."""

    def issue(self, library: Library, stream: Any) -> None:
        """Give it to the driver.

        Raises:
            CudaError: The driver refuses it.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """Copy bytes between the host and the GPU.

    Args:
        function: The driver's, for this direction.
        target: Address.
        source: Address.
        size_bytes: How many.
    """

    label: ClassVar[None] = None
    function: str
    target: int
    source: int
    size_bytes: int

    def issue(self, library: Library, stream: Any) -> None:
        library.call(self.function, self.target, self.source, self.size_bytes, stream)


def upload(address: int, host_address: int, size_bytes: int) -> Copy:
    """Copy from the host to the GPU."""
    return Copy("cuMemcpyHtoDAsync_v2", address, host_address, size_bytes)


def download(address: int, host_address: int, size_bytes: int) -> Copy:
    """Copy from the GPU to the host."""
    return Copy("cuMemcpyDtoHAsync_v2", host_address, address, size_bytes)


@dataclass(frozen=True, slots=True, eq=False)
class PeerCopy:
    """Copy bytes from one GPU to another.

    Args:
        target: Address.
        target_context: The ``CUcontext`` that it belongs to.
        source: Address.
        source_context: The same of the source.
        size_bytes: How many.
    """

    label: ClassVar[None] = None
    target: int
    target_context: Any
    source: int
    source_context: Any
    size_bytes: int

    def issue(self, library: Library, stream: Any) -> None:
        library.call(
            "cuMemcpyPeerAsync",
            *(self.target, self.target_context, self.source, self.source_context),
            *(self.size_bytes, stream),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Mailbox:
    """Where one launch reports, as a launch's first value.

    Args:
        address: On the GPU.
        before: Fills it from the host's words.
        after: Brings it to the host's words.
        memory: What keeps the GPU's memory.
    """

    address: int
    before: Copy
    after: Copy
    memory: object


class Configuration(ctypes.Structure):
    """``CUlaunchConfig``, cuda.h."""

    _fields_: ClassVar = [
        *((name, ctypes.c_uint) for name in ("grid_x", "grid_y", "grid_z")),
        *((name, ctypes.c_uint) for name in ("block_x", "block_y", "block_z", "dynamic_bytes")),
        ("stream", ctypes.c_void_p),
        ("attributes", ctypes.c_void_p),
        ("attribute_count", ctypes.c_uint),
    ]


class LaunchPlan:
    """What stays the same between launches of a kernel with the same sizes and shapes.

    All that the driver is told was laid out when this was made. A launch writes its arguments over
    those of the one before; the driver copies them before it returns. So only who holds the
    stream may call :meth:`issue`, or do as it does.

    Args:
        library: The driver.
        label: The kernel's name.
        program: What has the kernel loaded; it is kept so.
        entry: The ``CUfunction``.
        stream: The ``CUstream``.
        sizes: Threadgroups along x, y and z, then threads of each.
        size_bytes: Of the arguments.
        places: Where each of the entry's parameters begins among them.
        array_count: How many of these, the first, are addresses of arrays.

    Attributes:
        label: The kernel's name.
        array_count: How many of the entry's parameters, the first, are addresses of arrays.
        stream: The ``CUstream`` that it launches into.
        memory: Where the arguments go.
        call: Launches, with ``given``, ``entry``, ``parameters`` and None; its ``CUresult``.
    """

    __slots__ = (
        "_configuration",
        "_elsewhere",
        "_made_of",
        "array_count",
        "call",
        "entry",
        "given",
        "label",
        "memory",
        "parameters",
        "stream",
    )

    def __init__(
        self,
        library: Library,
        label: str,
        program: object,
        entry: Any,
        stream: Any,
        sizes: tuple[int, ...],
        size_bytes: int,
        places: list[int],
        array_count: int,
    ) -> None:
        self.label = label
        self.array_count = array_count
        self.stream = stream
        self._made_of = (library, label, program, entry), (sizes, size_bytes, places, array_count)
        self._elsewhere: dict[int | None, LaunchPlan] = {}
        self.call = library.prepared(LAUNCH_FUNCTION)
        self._configuration = Configuration(*sizes, 0, stream)
        self.given = ctypes.byref(self._configuration)
        self.entry = entry
        memory = ctypes.create_string_buffer(size_bytes)
        self.memory = memoryview(memory).cast("B")
        start = ctypes.addressof(memory)
        self.parameters = (ctypes.c_void_p * len(places))(*[start + place for place in places])

    def on(self, stream: Any) -> LaunchPlan:
        """The plan for a stream: of each there is one, whose arguments only that one writes.

        Args:
            stream: A ``CUstream``.
        """
        if stream is self.stream:
            return self
        found = self._elsewhere.get(stream.value)
        if found is None:
            if len(self._elsewhere) >= _STREAMS_KNOWN:
                self._elsewhere.clear()
            what, sizes = self._made_of
            found = self._elsewhere[stream.value] = LaunchPlan(*what, stream, *sizes)
        return found

    def direct(
        self,
        stream: Any,
        numbers: Iterable[tuple[int, str, int, int]],
        pairs: Iterable[tuple[int, int, int, int]] = (),
    ) -> DirectLaunch | None:
        """How machine code makes such launches, and nobody else any more from now on.

        Args:
            stream: The :class:`speedmetal.backends.cuda.driver.stream.CudaStream`.
            numbers: As those of :class:`DirectLaunch`, but for the place in ``memory``.
            pairs: As those there.

        Returns:
            None where the driver has no machine code.
        """
        try:
            function = ctypes.cast(self.call, ctypes.c_void_p).value  # type: ignore[arg-type]
        except (ctypes.ArgumentError, TypeError):
            return None
        start = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        return DirectLaunch(
            function or 0,
            ctypes.addressof(self._configuration),
            self.entry.value,
            ctypes.addressof(self.parameters),
            stream,
            stream.turn,
            stream.facts_of_plain_launches(),
            self.label,
            tuple((place, kind, start + target, more) for place, kind, target, more in numbers),
            tuple(pairs),
            (self, self._configuration, self.entry, self.parameters, self.memory),
        )

    def anew(self) -> LaunchPlan:
        """The same with memory of its own."""
        what, sizes = self._made_of
        return LaunchPlan(*what, self.stream, *sizes)

    def issue(self, arguments: bytes, dynamic_bytes: int = 0) -> int:
        """Give a launch to the driver.

        Args:
            arguments: The entry's parameters, packed.
            dynamic_bytes: Threadgroup memory that it asks for.

        Returns:
            The ``CUresult``.
        """
        self.memory[:] = arguments
        self._configuration.dynamic_bytes = dynamic_bytes
        return self.call(self.given, self.entry, self.parameters, None)


class Launch:
    """Run a kernel.

    Args:
        plan: Which, with its sizes.
        arguments: The entry's parameters, packed.
        dynamic_bytes: Threadgroup memory that the launch asks for.
        mailbox: Where it reports; None: it does not.
    """

    __slots__ = ("_mailbox", "arguments", "dynamic_bytes", "label", "plan")

    def __init__(
        self, plan: LaunchPlan, arguments: bytes, dynamic_bytes: int, mailbox: Mailbox | None
    ) -> None:
        self.label = plan.label
        self.plan = plan
        self.arguments = arguments
        self.dynamic_bytes = dynamic_bytes
        self._mailbox = mailbox

    @property
    def is_plain(self) -> bool:
        """Whether it reports nothing."""
        return self._mailbox is None

    def addresses(self) -> tuple[int, ...]:
        """Of the arrays' first elements."""
        return struct.unpack_from(f"={self.plan.array_count}Q", self.arguments)

    def issue(self, library: Library, stream: Any) -> None:
        mailbox = self._mailbox
        if mailbox is not None:
            mailbox.before.issue(library, stream)
        plan = self.plan.on(stream)
        library.check(LAUNCH_FUNCTION, plan.issue(self.arguments, self.dynamic_bytes))
        if mailbox is not None:
            # In the same batch, so that it is here when the launch has finished, whatever comes
            # after.
            mailbox.after.issue(library, stream)


class RoutineCall:
    """Call a routine of one of NVIDIA's libraries, which launches kernels of its own.

    Args:
        label: The routine's name.
        run: Calls it; gets the ``CUstream`` as a number.
        addresses: Of the memory that it uses.
        kept: What must live until it was called; and for as long as a graph has it.
    """

    __slots__ = ("_addresses", "_kept", "_run", "label")

    def __init__(
        self, label: str, run: Callable[[int], object], addresses: tuple[int, ...], kept: object
    ) -> None:
        self.label = label
        self._run = run
        self._addresses = addresses
        self._kept = kept

    def addresses(self) -> tuple[int, ...]:
        """Of the memory that it uses."""
        return self._addresses

    def issue(self, library: Library, stream: Any) -> None:  # noqa: ARG002 - it has its own way
        self._run(stream.value)


@dataclass(frozen=True, slots=True, eq=False)
class Refused:
    """A launch that the driver has refused.

    Args:
        label: The kernel's name.
        code: The ``CUresult``.
    """

    label: str
    code: int

    def issue(self, library: Library, _stream: Any) -> None:
        library.check(LAUNCH_FUNCTION, self.code)
