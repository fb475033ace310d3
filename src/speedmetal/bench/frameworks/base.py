"""What the adapter of a framework must do, and what it may leave.

A framework is a folder here. Its ``__init__`` holds a :class:`Framework`, which says what can be
known without importing it; ``adapter.py`` drives it; ``cells.py`` is its column of the table
operation x framework: for every operation a cell, or the reason why there is none.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from speedmetal.bench.contract import CHAIN_STEPS, Layout, Params
from speedmetal.errors import InternalError, UserInputError

Tensor = Any  # a framework's own array type
Function = Callable[..., Any]  # tensors in, a tensor or a tuple of tensors out
Cell = Callable[[Params], Function]  # an operation on a framework: parameters -> function

APPLE_GPU = "Apple GPU"  # the description where a framework has no name for the one of a Mac


def chain_cell(functions: Mapping[str, Function], length: int) -> Cell:
    """The cell of a chain in a framework: its functions, one after the other.

    Args:
        functions: The framework's, by the names of :data:`CHAIN_STEPS`.
        length: How many of the steps it takes.
    """
    steps = [(functions[name], () if c is None else (c,)) for name, c in CHAIN_STEPS[:length]]

    def chain(x: Tensor) -> Tensor:
        for function, constants in steps:
            x = function(x, *constants)
        return x

    return lambda _: chain


@dataclass(frozen=True)
class Settings:
    """What is the same for every framework of a run, and recorded.

    Args:
        threads: CPU threads that a framework may use.
        precision: ``"ieee"``, or ``"tf32"`` where matrix units may round float32 inputs.
        memory: ``"default"``: memory that is freed goes back as the framework's allocator has it;
            ``"kept"``: the C library keeps it for the next call.
        scratch: A folder that is removed after the run, for what a framework caches on disk.
    """

    threads: int
    precision: str = "ieee"
    memory: str = "default"
    scratch: str = ""


@dataclass(frozen=True)
class Device:
    """A device that a framework can compute on.

    Frameworks call one card by several names. ``uuid`` and ``pci`` tell that it is one; a framework
    that knows neither leaves them out, and is taken for the only card of that description.
    """

    name: str  # "cpu", "cuda", "mps", "gpu"
    description: str  # what it is: "NVIDIA H100 80GB HBM3"
    uuid: str = ""  # as NVIDIA's tools have it, with or without "GPU-"
    pci: str = ""  # "0000:01:00.0": domain, bus, device, function
    cache_bytes: int = 0  # of the card's last-level cache; 0 where the framework does not tell


@dataclass(frozen=True)
class Framework:
    """What can be said of a framework without importing it.

    Args:
        name: As in ``--frameworks``. Other packages' frameworks are called by their entry point,
            or by their ``module:NAME``.
        adapter: ``"module:class"`` of its adapter.
        packages: Distributions whose versions are recorded; the first is the framework's own.
        modes: Modes that it has, ``"eager"`` and ``"compiled"``.
        default_modes: Modes that a run takes where none is asked for.
        environment: Variables to set before its process starts, given the settings.
        install: What to type where it is missing.
    """

    name: str
    adapter: str
    packages: tuple[str, ...]
    modes: tuple[str, ...]
    default_modes: tuple[str, ...]
    environment: Callable[[Settings], Mapping[str, str]] = lambda _: {}
    install: str = ""

    def load_adapter(self) -> type[Adapter]:
        """Import the adapter, and with it the framework.

        Raises:
            ImportError: The framework is not installed, or cannot be loaded.
        """
        module_name, _, class_name = self.adapter.partition(":")
        adapter: type[Adapter] = getattr(importlib.import_module(module_name), class_name)
        return adapter


class Adapter(ABC):
    """One framework on one device: moves arrays, runs cells, waits for results.

    An adapter **must** force what it is asked to force: when :meth:`force` returns, the values
    exist. It **must not** change its inputs, nor the result of an earlier call. It **may** decline
    operations, dtypes and directions, with a reason.

    Attributes:
        cells: Its column of the table: a cell by the name of each operation.
        unsupported: Operations that it declines, and why.
        unsupported_dtypes: Dtypes that it declines, and why.
        differentiates: Whether it has gradients.
        reuses_outputs: Why a call may write over the result of the one before, where the
            framework's documentation says that it does; "" where results stay.
        unstable: Operations whose own formula fails on hard inputs (far from zero, very large), and
            what the framework says of it: such a failure is a note beside the time, not the end.
    """

    cells: Mapping[str, Cell] = {}
    unsupported: Mapping[str, str] = {}  # operation -> why not
    unsupported_dtypes: Mapping[str, str] = {}  # dtype -> why not
    differentiates = True
    reuses_outputs = ""
    unstable: Mapping[str, str] = {}

    def __init__(self, device: str, settings: Settings) -> None:
        self.device = device
        self.settings = settings

    @classmethod
    @abstractmethod
    def devices(cls) -> list[Device]:
        """The devices at hand; at least the CPU. **May** import and start drivers."""

    @abstractmethod
    def to_device(self, array: NDArray[Any], layout: Layout) -> Tensor:
        """A copy of a host array, in the native layout, ready on the device."""

    def rewrite(self, tensor: Tensor, array: NDArray[Any], layout: Layout) -> Tensor:
        """A tensor with the values of a host array, in the memory of ``tensor`` where it can be
        written; else, and by default, a new one.

        It is given a tensor of :meth:`to_device` of the same shape, dtype and layout.
        """
        del tensor
        return self.to_device(array, layout)

    @abstractmethod
    def to_host(self, tensor: Tensor, layout: Layout) -> NDArray[Any]:
        """The values of a tensor in the canonical layout; it **may** share memory."""

    def peek(self, tensor: Tensor) -> NDArray[Any]:
        """The first element of a tensor, on the host; the rest is not transferred."""
        return self.to_host(tensor[(0,) * len(tensor.shape)], Layout.PLAIN)

    @abstractmethod
    def force(self, outputs: Sequence[Tensor]) -> None:
        """Return when the values of ``outputs`` exist in device memory."""

    def start(self, outputs: Sequence[Tensor]) -> None:
        """Called after each call of which many are in flight (``--timing throughput``).

        **Must** have the work begin where a call of the framework only writes down what is to be
        done: calls that are alike would be computed as one in the end. It need not wait.
        """

    def begin(self, dtype: str) -> None:
        """Called before the arrays of a case are made. **May** switch what the dtype needs."""

    def compile(self, function: Function) -> Function:
        """The function as the framework's compiler makes it (lazily, on the first call).

        **Must** be there where the framework lists the mode ``"compiled"``.
        """
        raise InternalError(f"{type(self).__name__} has no compiler for {function}")

    def gradient(self, function: Function, positions: Sequence[int], count: int) -> Function:
        """Reverse mode: ``(*inputs, *cotangents) -> gradients`` of the inputs at ``positions``.

        ``count`` is the number of inputs. **Must** be there where ``differentiates`` is true.
        """
        raise InternalError(f"{type(self).__name__} has no automatic differentiation")

    def compile_gradient(
        self, function: Function, positions: Sequence[int], count: int
    ) -> Function:
        """The compiled gradient. **May** be given another order of the two steps."""
        return self.compile(self.gradient(function, positions, count))

    @abstractmethod
    def copy(self, x: Tensor) -> Tensor:
        """Return x + 1: each element read once and written once (for the bandwidth ceiling)."""

    @abstractmethod
    def read(self, x: Tensor) -> Tensor:
        """Return max(x): each element read once (for the bandwidth ceiling)."""

    @abstractmethod
    def product(self, a: Tensor, b: Tensor) -> Tensor:
        """The matrix product (for the FLOP ceiling)."""

    def end_turn(self) -> None:
        """Called after every sample: others need the memory now. **May** do nothing."""

    def release(self) -> None:
        """Give back what was cached for a case: memory, compiled code. **May** do nothing."""

    def report_settings(self) -> dict[str, str]:
        """Threads and precision as the framework itself states them, for the record."""
        return {}

    def device_peak_bytes(self) -> int | None:
        """Highest memory of the framework's allocator since :meth:`release`, where it tells.

        Where it counts from the process's start only, the highest is a case's own where it rose
        above what it was at the last :meth:`release`, and not known otherwise.
        """
        return None

    def device_clock(self) -> DeviceClock | None:
        """Marks in the device's queue that take the time, where the framework has such.

        The host's clock is always read as well.
        """
        return None

    def reason_against(self, operation: str, dtype: str, direction: str) -> str | None:
        """Why a case cannot be done here, or None."""
        if operation in self.unsupported:
            return self.unsupported[operation]
        if operation not in self.cells:
            return f"no cell for {operation}"
        if dtype in self.unsupported_dtypes:
            return self.unsupported_dtypes[dtype]
        if direction == "backward" and not self.differentiates:
            return "no automatic differentiation"
        return None


class DeviceClock(ABC):
    """Times work on the device itself, between two marks in its queue."""

    @abstractmethod
    def start(self) -> None:
        """Put the first mark into the queue."""

    @abstractmethod
    def stop_nanoseconds(self) -> int:
        """Put the second mark, wait for it, and return the time between them."""


def load_framework(path: str, name: str = "") -> Framework:
    """A framework from ``"package.module:NAME"``: how other packages add theirs.

    Args:
        path: Where it is.
        name: What it is called here, whatever it calls itself: a name by which workers and
            continued runs find it again. By default, the path.

    Raises:
        UserInputError: There is no such module or name, or it is no Framework.
    """
    module_name, _, attribute = path.partition(":")
    try:
        framework = getattr(importlib.import_module(module_name), attribute)
    except Exception as error:  # a module of somebody else's may raise anything
        raise UserInputError(
            f"cannot load framework {path!r}: {type(error).__name__}: {error};"
            " expected package.module:NAME of a speedmetal Framework"
        ) from error
    if not isinstance(framework, Framework):
        raise UserInputError(f"{path!r} is a {type(framework).__name__}, expected a Framework")
    return replace(framework, name=name or path)
