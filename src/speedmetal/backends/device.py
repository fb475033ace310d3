"""What every backend implements (devices, programs), and the records that all of them share.

What a device **must** do stands in :class:`Device`, what a compiled kernel must do in
:class:`Program`. How a kernel gets there: the passes make typed IR for the device's ``target``,
:meth:`Device.build` makes bytes of it that can be kept on disk, :meth:`Device.load` a program that
can be launched, :meth:`Program.bind` a function that launches it with sizes and shapes that stay
the same; only addresses and numbers are left for each launch.

Who owns what:

* A :class:`Buffer` owns its memory through ``owner``; whoever holds the buffer, or a host view of
  it, keeps the memory alive, and it goes back to the device's pool when the last of them goes.
  Nobody frees by hand.
* A device outlives its buffers: there is one object for each device in a process.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

import numpy as np

from speedmetal.backends.pool import CachingPool, MemoryInfo
from speedmetal.backends.target import Target
from speedmetal.common.records import record
from speedmetal.dtypes import DType
from speedmetal.errors import DeviceError, InternalError

if TYPE_CHECKING:
    from speedmetal.backends.exchange import Exchange
    from speedmetal.ir.nodes import Kernel

SIMDGROUP_SIZE = 32
"""Threads of a simdgroup, on every device."""

Triple = tuple[int, int, int]
"""Sizes along x, y and z."""

Address = Any
"""Where an element is, as launches on its device take it: what has ``+ bytes``, and the difference
of two in bytes. On the CPU an integer; on Metal a buffer with an offset."""


@record
class DeviceLimits:
    """What one launch may ask of a device.

    Args:
        threads_per_threadgroup: Greatest product of a threadgroup's three sizes.
        threadgroup_memory_bytes: Greatest sum of a threadgroup's arrays.
        grid_size: Greatest number of threads along one axis.
        threadgroup_size: Greatest sizes of a threadgroup along x, y and z.
        threadgroups: Greatest numbers of threadgroups along x, y and z.
    """

    threads_per_threadgroup: int = 1024
    threadgroup_memory_bytes: int = 32768
    grid_size: int = 2**32 - 1
    threadgroup_size: Triple = (1024, 1024, 1024)
    threadgroups: Triple = (2**32 - 1, 2**32 - 1, 2**32 - 1)


class Buffer:
    """A stretch of a device's memory.

    Args:
        device: Where it is.
        address: Of its first byte.
        size_bytes: Its length.
        owner: What keeps the memory alive.
        host: A NumPy array on the memory, which keeps it alive, where the host reads and writes
            the same bytes; else None.
    """

    __slots__ = ("_host", "address", "device", "owner", "size_bytes")

    is_borrowed = False

    device: Device
    address: Address
    size_bytes: int
    owner: object

    def __init__(
        self,
        device: Device,
        address: Address,
        size_bytes: int,
        owner: object,
        host: np.ndarray[Any, Any] | None,
    ) -> None:
        self.device = device
        self.address = address
        self.size_bytes = size_bytes
        self.owner = owner
        self._host = host

    @property
    def is_shared(self) -> bool:
        """Whether the host reads and writes the same bytes."""
        return self._host is not None

    @property
    def host(self) -> np.ndarray[Any, Any] | None:
        """The bytes as a NumPy array that keeps them alive, where they are shared; else None."""
        return self._host

    @property
    def is_zeroed(self) -> bool:
        """Whether it is known, of memory that nobody has written to, that all bytes are zero."""
        return False


class BorrowedBuffer(Buffer):
    """A stretch of another library's memory, which others may have as buffers of their own."""

    __slots__ = ()

    is_borrowed = True


@record(eq=False)
class LaunchLayout:
    """All that a launch must know of an array besides its address. Compared by identity.

    What can be viewed in which way is the matter of ``arrays.layout``, whose values these records
    are made from.

    Args:
        dtype: Of its elements.
        shape: Extents.
        strides: Distances of neighbours along each axis, in bytes.
        device: Where it lives.
        is_readonly: Whether kernels may not write to it.
    """

    dtype: DType
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    device: Device
    is_readonly: bool

    @property
    def is_contiguous(self) -> bool:
        """Whether the elements lie in C order without gaps."""
        expected = self.dtype.itemsize
        if 0 in self.shape:
            return True
        for extent, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if extent != 1 and stride != expected:
                return False
            expected *= extent
        return True


class DeviceArray:
    """What a launch sees of an array: the base of :class:`speedmetal.Array`.

    Attributes:
        address: Of the first element.
        layout: Everything else.
    """

    __slots__ = ("address", "layout")

    address: Address
    layout: LaunchLayout

    def before_write(self) -> bool:
        """Prepare for a kernel that writes to it; whether anything was computed for that."""
        return False


# Arrays of the same layout share one object, so that a launch compares and hashes layouts in no
# time. A layout that was forgotten here costs the next launch a little more, nothing else.
launch_layout = lru_cache(maxsize=4096)(LaunchLayout)
"""The one layout with these values."""


entered_devices: ContextVar[tuple[Device, ...]] = ContextVar("entered_devices", default=())
"""The ``with device:`` around this thread or task, the innermost last."""


def elements_fault(array: np.ndarray[Any, Any]) -> str:
    """Why kernels cannot use the elements of a NumPy array where they are; empty where they can.

    It continues a sentence that begins with the array's name.

    >>> elements_fault(np.zeros(2, "f4"))
    ''
    >>> elements_fault(np.zeros(2, ">f4"))[:42]
    ' has dtype float32 in foreign byte order ('
    """
    dtype = array.dtype
    if not dtype.isnative:
        return (
            f" has dtype {dtype.newbyteorder('=')} in foreign byte order ({dtype.str});"
            " convert it with x.astype(x.dtype.newbyteorder('='))"
        )
    is_uneven = any(stride % (dtype.itemsize or 1) for stride in array.strides)
    if not array.flags.aligned or is_uneven:
        return (
            f": its elements are not aligned to their size of {dtype.itemsize} bytes"
            f" (strides {array.strides}); make a copy with x.copy()"
        )
    return ""


def entered_device() -> Device | None:
    """The device of the innermost ``with device:`` of this thread or task, if there is one."""
    entered = entered_devices.get()
    return entered[-1] if entered else None


# --- Launches


@record
class Sizes:
    """Sizes along x, y and z; ``grid`` counts threads, ``groups`` threadgroups."""

    grid: Triple
    threads: Triple
    groups: Triple

    @property
    def group_count(self) -> int:
        return self.groups[0] * self.groups[1] * self.groups[2]

    @property
    def group_size(self) -> int:
        return self.threads[0] * self.threads[1] * self.threads[2]


@record
class ArrayParameter:
    """An array among a kernel's parameters.

    Args:
        shape: Extents.
        strides: In elements.
        memory: The number of the parameter in whose memory the kernel takes it to lie, if any.
    """

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    memory: int | None = None


@record
class ScalarParameter:
    """A number among a kernel's parameters."""

    dtype: DType


@record
class Launch:
    """What stays the same between launches of a kernel.

    Args:
        sizes: Sizes of the grid and of its threadgroups.
        parameters: The parameters of the compiled kernel, in its order.
        threadgroup_lengths: Bytes of each threadgroup array that is sized at launch, in the
            kernel's order; empty where numbers decide on them.
        work: About how many expressions all threads compute; None where nobody knows.
    """

    sizes: Sizes
    parameters: tuple[ArrayParameter | ScalarParameter, ...]
    threadgroup_lengths: tuple[int, ...] = ()
    work: int | None = None


@record
class Residency:
    """What a core of a device keeps at once of a launch. None: the device does not tell.

    Args:
        cores: Of the device: NVIDIA's multiprocessors; on the CPU the threads that it uses.
        groups: Threadgroups that a core keeps at once.
        most_threads: Threads that a core can keep at once, whatever the kernel.
        limited_by: What lets a core keep no more threadgroups.
        registers: Of a thread.
        spilled_bytes: Of a thread, in device memory instead of registers.
        threadgroup_memory_bytes: Of a threadgroup.
    """

    cores: int | None
    groups: int | None
    most_threads: int | None
    limited_by: tuple[str, ...]
    registers: int | None
    spilled_bytes: int | None
    threadgroup_memory_bytes: int | None


BoundLaunch = Callable[..., None]
"""Launches a kernel: ``run(values)``, or ``run(values, threadgroup_lengths)`` where numbers decide
on these. The values are the mailbox's address (0 if there is none), then for each parameter the
array's address, or the number: a Python or NumPy number, a bfloat16 as its 16 bits."""


@record(eq=False)
class DirectLaunch:
    """How machine code launches what a :data:`BoundLaunch` does, into a batch that has begun.

    A device that has this gives its ``BoundLaunch`` a method ``direct``, which makes one: all
    memory in it is for this one alone, and what the arguments have besides numbers is in it.

    Args:
        driver: Address of ``int launch(given, entry, parameters, NULL)``; 0: done.
        given: Its first argument.
        entry: The second.
        parameters: The third.
        stream: A :class:`speedmetal.backends.stream.Stream`.
        lock: Of the stream, held meanwhile.
        facts: Of what holds where a launch is given to the driver at once: owner, attribute, value.
        label: The kernel's name.
        numbers: Of each number its place among a launch's values, how :mod:`struct` packs it, the
            address where it goes, and what is added to it where it is an address itself.
        pairs: Two places of addresses, and the distances between which the arrays overlap.
        kept: What has the memory of all that.
    """

    driver: int
    given: int
    entry: int
    parameters: int
    stream: Any
    lock: Any
    facts: tuple[tuple[Any, str, Any], ...]
    label: str
    numbers: tuple[tuple[int, str, int, int], ...]
    pairs: tuple[tuple[int, int, int, int], ...]
    kept: tuple[Any, ...]

    def everything(self) -> tuple[Any, ...]:
        """What must live as long as machine code may use it."""
        return (self.stream, self.lock, self.facts, self.label, self.kept)


class Program(ABC):
    """A compiled kernel, ready to be launched any number of times, from any thread."""

    threads_per_threadgroup: int
    """The most that a launch may ask for: the device's limit, or less."""
    thread_choices: tuple[int, ...] = ()
    """Threads of a threadgroup to choose from, where nobody states them: those with which the most
    run at once, the first of equals; none: as many as the device has by default."""
    neighbours: int = 1
    """Positions along x that a thread takes: so many times fewer threads run."""
    threadgroups: Triple | None = None
    """The most threadgroups along each axis; None: as many as the device's limits say."""

    @abstractmethod
    def bind(self, launch: Launch) -> BoundLaunch:
        """What launches the kernel with these sizes and shapes; it keeps the program alive."""

    def groups_at_once(self, threads: int, lengths: Sequence[int]) -> int:  # noqa: ARG002
        """How many threadgroups a core keeps at once; one where the device does not tell.

        Args:
            threads: Of a threadgroup.
            lengths: Bytes of each threadgroup array that is sized at launch.

        Raises:
            LaunchError: The arrays do not fit.
        """
        return 1

    @abstractmethod
    def residency(self, threads: int, lengths: Sequence[int]) -> Residency:
        """What a core keeps at once, and why not more; arguments as for :meth:`groups_at_once`.

        Raises:
            LaunchError: The arrays do not fit.
        """


@record
class BuildOptions:
    """What a kernel's code depends on besides the kernel.

    Args:
        variant: One of the device's ``variants``.
        math_mode: One of the target's ``math_modes``.
    """

    variant: str = ""
    math_mode: str = "safe"


class LaunchGraph(Protocol):
    """Launches that were captured."""

    @property
    def size(self) -> int:
        """How many."""

    def holds(self, address: Address) -> bool:
        """Whether an address lies in memory that the launches use."""

    def replay(self) -> None:
        """Ask for all of them, in their order.

        Raises:
            DeviceError: They were not captured to the end.
        """


class Replay(NamedTuple):
    """The launches of a call, for other arrays.

    Args:
        sizes: Of the memory that the call makes, in bytes.
        results: Which of them it gives.
        steps: The launches. The values of each are the addresses of the arrays that the call is
            given, and of the memory, and at last 0.
    """

    sizes: list[int]
    results: list[int]
    steps: Sequence[BoundLaunch]


class Trace(Protocol):
    """What one call asked a device for."""

    def finish(
        self, given: Sequence[tuple[Address, Buffer]], results: Sequence[Buffer]
    ) -> Replay | None:
        """What does the call again; None where it cannot be.

        Args:
            given: The address of each array that the call was given, and its memory; each memory
                once.
            results: The memory of what it gave.
        """


class Device(ABC):
    """A place where kernels run, with memory of its own or the host's.

    A device is a context manager: inside ``with device:`` new arrays are made on it.

    A device **must** define everything abstract here, and ``limits`` from a query or a named
    source.
    It **may** run kernels and copies later than they are asked for, in the order of asking; then
    ``synchronize`` waits for all of them, and is called before the host touches shared memory.
    """

    name: str
    """What the user writes: ``"cpu"``."""
    target: Target
    """What kernels are compiled to for it."""
    shares_host_memory: bool
    """Whether the host reads and writes the same bytes of new arrays, without copies."""
    takes_numpy_arrays: bool = False
    """Whether kernels read and write NumPy's arrays where they are: an address of theirs is one of
    the device's."""
    dlpack_device: tuple[int, int] | None = None
    """DLPack's pair for memory that the host does not share, which must stay valid there until its
    owner is gone; None: there is no word for it."""
    exchange: Exchange | None = None
    """Lends and borrows memory where other libraries use the same device; None: there are none."""
    routines: Any = None
    """The vendor's routines for matrices and transforms, where the host does not see the memory;
    None: there are none."""
    has_traces: bool = False
    """Whether it notes what calls ask for, see :meth:`trace`."""
    host_copy_bytes: int = 0
    """Up to so many bytes, the host copies within memory that it shares, sooner than a launch."""
    variants: tuple[str, ...] = ("",)
    """Codes that a kernel may have, of which a launch's sizes decide; the usual one first."""
    default_threads: tuple[int, int]
    """Threads of a threadgroup, where nobody states them: of kernels without and with loops."""
    limits: DeviceLimits

    pool: CachingPool[Any, Any]
    """Where the memory of arrays comes from and goes to."""

    @property
    def kind(self) -> str:
        """Of the backend, and the name of its target: ``"cpu"``, ``"cuda"`` or ``"metal"``."""
        return self.target.name

    @cached_property
    @abstractmethod
    def description(self) -> str:
        """The maker's name of it, for people."""

    @abstractmethod
    def allocate(self, size_bytes: int) -> Buffer:
        """New memory of undefined content, aligned for every vector instruction of the device.

        It comes from ``pool``, and **must** go back there with the buffer's last owner.

        Raises:
            DeviceError: The device has not that much.
        """

    def wrap(self, host: np.ndarray[Any, Any]) -> Buffer | None:  # noqa: ARG002 - for those that can
        """A buffer on the memory of a NumPy array, from its first element on; None: impossible.

        The buffer keeps the NumPy array alive. It does not count as the device's memory.
        """
        return None

    @abstractmethod
    def copy_from_host(self, source: np.ndarray[Any, Any], target: Buffer) -> None:
        """Fill ``target`` with the bytes of ``source``, which is contiguous and of that size."""

    @abstractmethod
    def copy_to_host(self, source: Buffer, target: np.ndarray[Any, Any]) -> None:
        """Fill ``target``, which is contiguous and of that size; it is complete at return."""

    def copy_to_page_locked(
        self,
        address: Address,  # noqa: ARG002 - for those that have such memory
        target: np.ndarray[Any, Any],  # noqa: ARG002
    ) -> bool:
        """Have ``target`` filled in the order of asking, where it is in memory made for that.

        Args:
            address: Of the first byte.
            target: Contiguous.

        Returns:
            Whether it will be; nobody has waited.
        """
        return False

    def reaches(self, other: Device) -> bool:  # noqa: ARG002 - for those that can
        """Whether :meth:`copy_from_device` can copy from another device."""
        return False

    def copy_from_device(self, source: Device, address: Address, target: Buffer) -> None:
        """Fill ``target`` from another device's memory, without the host.

        Args:
            source: A device that this one reaches.
            address: Of the first byte there.
            target: Of this device.
        """
        raise InternalError(f"{self.name} does not reach {source.name}: {address}, {target}")

    @abstractmethod
    def synchronize(self) -> None:
        """Wait until everything asked of the device is done.

        Raises:
            KernelError: A kernel failed since the last call.
        """

    def trace(self) -> AbstractContextManager[Trace | None]:
        """Note what is asked of the device inside the block, by this thread; others wait.

        Gives None where that is not possible now.
        """
        return nullcontext()

    def memory_of(self, address: Address) -> object:  # noqa: ARG002 - for those that bind memory
        """What tells the piece of memory that an address lies in from others.

        None where a launch takes any number of addresses; else it binds each piece once, and arrays
        in one piece take one of its places.
        """
        return None

    def variant_for(self, grid: Triple, threads: Triple | None) -> str:  # noqa: ARG002 - see above
        """Which of ``variants`` a launch needs.

        Args:
            grid: Threads of the grid along each axis.
            threads: Threads of a threadgroup; None: not stated, at most the grid's along each axis.
        """
        return self.variants[0]

    def variants_served(self, kernel: Kernel, variant: str) -> tuple[str, ...]:  # noqa: ARG002
        """Those of ``variants``, this one among them, that a kernel's code for this one does for.

        Args:
            kernel: As it comes from the passes.
            variant: That it was built for.
        """
        return self.variants

    def most_threads(self, program: Program) -> int:
        """The most threads of a threadgroup that a launch of a kernel may ask for.

        Args:
            program: The kernel's, of the usual variant.
        """
        return program.threads_per_threadgroup

    @property
    def fewest_groups(self) -> int:
        """Threadgroups that keep it busy: no shape that suits a kernel is chosen for fewer."""
        return 0

    def suitable_threads(self, kernel: Kernel) -> Triple | None:  # noqa: ARG002 - as above
        """Threads of a threadgroup along each axis, at most, that suit a kernel; None: any do.

        They are taken where nobody states any.

        Args:
            kernel: As it comes from the passes.
        """
        return None

    @cached_property
    @abstractmethod
    def identity(self) -> str:
        """What the code of a kernel depends on besides the kernel: part of its key on disk."""

    @abstractmethod
    def build(self, kernel: Kernel, options: BuildOptions) -> bytes:
        """Print and, as far as it can be kept, compile a kernel as it comes from the passes.

        Raises:
            CompileError: The device cannot do what it asks for.
        """

    @abstractmethod
    def load(self, code: bytes, kernel: str) -> Program:
        """A program from what :meth:`build` made, perhaps in an earlier process.

        Args:
            code: What :meth:`build` returned.
            kernel: The user's name of the kernel, for messages and labels.

        Raises:
            InternalError: The code is damaged.
            CompileError: The device's compiler refused it.
        """

    @abstractmethod
    def run_with_mailbox(
        self,
        run: Callable[[list[Any]], None],
        values: list[Any],
        words: np.ndarray[Any, np.dtype[np.uint32]],
        deliver: Callable[[np.ndarray[Any, np.dtype[np.uint32]]], None],
    ) -> None:
        """Launch a kernel that may print or fail.

        Args:
            run: Launches the kernel, as :data:`BoundLaunch` says.
            values: The values for ``run``; the first is set to the address of a mailbox.
            words: The words that the mailbox holds before the launch.
            deliver: Called with the mailbox when the kernel has finished: at once, or in
                ``synchronize``. It prints, and may raise KernelError.
        """

    has_graphs = False
    """Whether it has graphs of launches."""

    @property
    def is_capturing(self) -> bool:
        """Whether launches are being taken into a graph: nothing runs, or can be waited for."""
        return False

    def capture(self) -> AbstractContextManager[LaunchGraph]:
        """Have what is launched inside the block taken into a graph, instead of run.

        Raises:
            DeviceError: The device has no graphs.
        """
        raise DeviceError(f"{self.name} has no graphs of launches, which NVIDIA's GPUs have")

    def memory_info(self) -> MemoryInfo:
        """What speedmetal has allocated here."""
        return self.pool.info()

    def forget_peak(self) -> None:
        """Count ``memory_info().peak_bytes`` anew, from what is in use now."""
        self.pool.forget_peak()

    def empty_cache(self) -> None:
        """Give the memory of deleted arrays back to the system."""
        self.pool.trim()

    def __enter__(self) -> Self:
        entered_devices.set((*entered_devices.get(), self))
        return self

    def __exit__(self, *_: object) -> None:
        entered_devices.set(entered_devices.get()[:-1])

    def __repr__(self) -> str:
        return f"<device {self.name}: {self.description}>"
