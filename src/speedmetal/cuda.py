"""CUDA itself: kernels that are written by hand in CUDA C++, on :class:`sm.Array`.

They run on NVIDIA GPUs (``sm.device("cuda")``); NVIDIA's run-time compiler, which makes machine
code of them, needs none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from speedmetal.arrays.arguments import checked_extents
from speedmetal.backends import registry
from speedmetal.backends.cuda.driver.device import CudaDevice
from speedmetal.backends.cuda.driver.foreign_streams import StreamWork
from speedmetal.backends.cuda.handwritten.calls import passed
from speedmetal.backends.cuda.handwritten.declared import Parameter, declared_kernels
from speedmetal.backends.cuda.handwritten.module import Entry, Module
from speedmetal.backends.cuda.nvrtc import RefusedSourceError, compile_library
from speedmetal.backends.device import Device, DeviceArray
from speedmetal.dtypes import DEFAULT_FLOAT, as_dtype
from speedmetal.errors import (
    CompileError,
    DeviceError,
    Diagnostic,
    LaunchError,
    UnknownNameError,
    UserInputError,
)
from speedmetal.launch.foreign_arguments import call_among_others
from speedmetal.launch.geometry import resolve_geometry
from speedmetal.launch.given_streams import device_of_stream, number_of_stream
from speedmetal.launch.waiting import WAITING
from speedmetal.source import SourceSpan, SourceText

MATH_MODES = {
    "safe": ("--fmad=false",),
    "relaxed": (),
    "fast": ("--use_fast_math",),
}
"""NVRTC's options for each."""

_COMPLAINT = re.compile(
    r"^source\.cu\((?P<line>\d+)\): (?:catastrophic )?error(?: #[\w-]+)?: (?P<message>.*)$"
)


class CudaSourceError(CompileError):
    """NVIDIA's compiler refused a source; ``diagnostics`` has every error with its line."""

    def __init__(self, name: str, diagnostics: list[Diagnostic]) -> None:
        super().__init__(name, diagnostics)
        first, _, rest = str(self).partition("\n")
        count = first.partition(" in ")[0]
        self.args = (f"{count} in CUDA source\n{rest}",)


def device(name: str | Device = "cuda") -> CudaDevice:
    """An NVIDIA GPU.

    Args:
        name: ``"cuda"``.

    Raises:
        DeviceError: It is not here, or no NVIDIA GPU; the message says what to do.

    Example:
        >>> device("cpu")
        Traceback (most recent call last):
            ...
        speedmetal.errors.DeviceError: cpu is no NVIDIA GPU; that is cuda
    """
    found = registry.device(name)
    if not isinstance(found, CudaDevice):
        raise DeviceError(f"{found.name} is no NVIDIA GPU; that is cuda")
    return found


# --- Page-locked memory --------------------------------------------------------------------------


def pinned_empty(
    shape: int | Sequence[int], dtype: Any = None, *, device: str | Device = "cuda"
) -> np.ndarray[Any, Any]:
    """A NumPy array of undefined content in page-locked memory, which a GPU copies from and to.

    Copies between it and arrays of that GPU are direct, and nobody waits for them:
    ``sm.array(host)``, ``x[...] = host`` and ``x.copy_to(host)``, with contiguous views of it as
    well. So, until ``sm.synchronize()``, what was copied **must** not be written to, nor what is
    filled be read. Its memory goes back to the GPU's pool when it and all of its views are gone,
    and is used again when the copies are done.

    Args:
        shape: Extents.
        dtype: As :func:`speedmetal.zeros` takes it; None: float32.
        device: The GPU.

    Raises:
        DeviceError: There is no such device, or the host has not that much memory to lock.

    Example:
        The GPU copies and computes while the host prepares the next batch::

            host = sm.cuda.pinned_empty((4096, 4096))
            for batch in batches:
                sm.synchronize()  # what was copied before is there
                host[...] = batch
                total = sm.eval(total + sm.array(host).sum())
    """
    where = globals()["device"](device)
    wanted = DEFAULT_FLOAT if dtype is None else as_dtype(dtype)
    extents = checked_extents(shape)
    content = where.page_locked(math.prod(extents) * wanted.itemsize)
    host: np.ndarray[Any, Any] = content.view(wanted.numpy).reshape(extents)
    return host


# --- Streams of other libraries ------------------------------------------------------------------


@contextmanager
def stream(stream: Any, *, device: str | Device | None = None) -> Iterator[StreamWork]:
    """Have what this thread or task asks for go into another library's stream.

    On entry that stream waits for what was asked for before, on exit what is asked for later waits
    for it: by events, the host waits for nothing. So inside the block this library and the other
    one work in one order, as operations of one library do, and memory is reused in that order.

    Where the other library captures its stream (``torch.cuda.graph``, CuPy's ``begin_capture``),
    launches go into its graph and run when that is replayed. Nothing can be waited for, nor copied
    from or to the host; kernels are compiled all the same. The block gives a
    :class:`~speedmetal.cuda.StreamWork`, which holds the memory that the launches use: **keep it as
    long as the graph**. Replay inside such a block as well, or know that nothing else uses the
    arrays: a replay waits for its own stream alone.

    Args:
        stream: A ``CUstream`` as a number (0 and 1 are the legacy default stream, 2 is that of the
            thread), or an object with one: ``cuda_stream`` (PyTorch), ``ptr`` (CuPy), or the
            protocol ``__cuda_stream__``. An object is kept alive inside the block. Whoever
            gives a number must see to it that the stream is there until the block's end: the driver
            may end a process that uses one which was destroyed.
        device: The GPU; None: the stream's where it says so, else the first.

    Raises:
        UserInputError: It is no stream.
        DeviceError: It is none of this GPU, or its capture began or ended inside the block.

    Example:
        >>> import torch, speedmetal as sm  # doctest: +SKIP
        >>> with sm.cuda.stream(torch.cuda.current_stream()):  # doctest: +SKIP
        ...     y = sm.sqrt(sm.asarray(x)) + 1
        ...     z = torch.from_dlpack(y)
    """
    number = number_of_stream(stream)
    where = globals()["device"](device_of_stream(stream) if device is None else device)
    with where.exchange.entered(number) as work:
        yield work


# --- Libraries -----------------------------------------------------------------------------------


def library(
    source: str,
    *,
    device: str | Device = "cuda",
    math_mode: str = "safe",
    defines: Mapping[str, object] | None = None,
    options: Sequence[str] = (),
) -> Library:
    """Compile CUDA C++ source.

    Args:
        source: With its kernels: ``__global__`` functions outside of namespaces that are no
            templates, with ``extern "C"`` or without. CUDA's headers are found where a toolkit, or
            the package ``nvidia-cuda-runtime``, is installed.
        device: Where they will run.
        math_mode: ``"safe"``: each operation is rounded by itself, as in kernels of ``@sm.kernel``.
            ``"relaxed"`` is CUDA's own default: products and sums may be contracted. ``"fast"``
            takes functions of less precision as well, and subnormals for 0.
        defines: Macros for the preprocessor.
        options: More of NVRTC's, ``"--maxrregcount=64"``.

    Raises:
        CudaSourceError: The source has errors; the message shows lines and carets.
        DeviceError: There is no such device, or no NVRTC.
        UserInputError: An option is wrong.
    """
    where = globals()["device"](device)
    kernels = declared_kernels(source)
    cubin, symbols = compiled(
        source, where.architecture, tuple(kernels), math_mode, defines or {}, options
    )
    return Library(where, Module(where, cubin), kernels, symbols)


def compiled(
    source: str,
    architecture: str,
    kernels: Sequence[str],
    math_mode: str = "safe",
    defines: Mapping[str, object] | None = None,
    options: Sequence[str] = (),
) -> tuple[bytes, dict[str, str]]:
    """The machine code of a source, and the name of each kernel in it: without a GPU.

    Args:
        source: As in :func:`library`.
        architecture: ``"sm_90"``.
        kernels: Their names in the source.
        math_mode: As in :func:`library`.
        defines: The same.
        options: The same.

    Raises:
        CudaSourceError: The source has errors.
        DeviceError: NVRTC is not installed.
        UserInputError: An option is wrong.
    """
    if math_mode not in MATH_MODES:
        raise UnknownNameError("math mode", str(math_mode), tuple(MATH_MODES))
    given = [*MATH_MODES[math_mode], *_defined(defines or {}), *options]
    try:
        return compile_library(source, architecture, given, kernels)
    except RefusedSourceError as error:
        raise CudaSourceError("source", list(_faults(source, str(error)))) from None


def _defined(defines: Mapping[str, object]) -> Iterator[str]:
    for name, value in defines.items():
        text = str(int(value) if isinstance(value, bool) else value)
        if not re.fullmatch(r"[A-Za-z_]\w*(\([\w, ]*\))?", name) or "\n" in text:
            raise UserInputError(
                f"defines: expected a macro's name and a text of one line, got {name!r}: {value!r}"
            )
        yield f"--define-macro={name}={text}"


def _faults(source: str, log: str) -> Iterator[Diagnostic]:
    """What NVRTC complains about; where it names no line, its whole log."""
    text = SourceText("source.cu", 1, tuple(source.splitlines()))
    lines = log.splitlines()
    found = [(place, _COMPLAINT.match(line)) for place, line in enumerate(lines)]
    complaints = [(place, match) for place, match in found if match is not None]
    if not complaints:
        yield Diagnostic(SourceSpan(SourceText(text.name, 1, ()), 1, 0, 1, 1), log.strip())
    for place, match in complaints:
        number = int(match["line"])
        column = _column(text.line(number), lines[place + 1 : place + 3])
        word = re.match(r"\w*", text.line(number)[column:])
        width = max(1, len(word[0]) if word else 1)
        span = SourceSpan(text, number, column, number, column + width)
        yield Diagnostic(span, match["message"])


def _column(line: str, excerpt: list[str]) -> int:
    """Where the caret under NVRTC's excerpt of a line is in the line itself."""
    if len(excerpt) == 2 and excerpt[1].strip() == "^":
        shown = excerpt[0]
        begin = len(shown) - len(shown.lstrip())
        return max(excerpt[1].index("^") - begin + len(line) - len(line.lstrip()), 0)
    return len(line) - len(line.lstrip())


class Library:
    """Compiled CUDA source; made by :func:`library`.

    Attributes:
        device: Where its kernels run.
        functions: Their names.
    """

    def __init__(
        self,
        device: CudaDevice,
        module: Module,
        kernels: Mapping[str, tuple[Parameter, ...]],
        symbols: Mapping[str, str],
    ) -> None:
        self.device = device
        self.functions = tuple(kernels)
        self._module = module
        self._kernels = kernels
        self._symbols = symbols

    def __repr__(self) -> str:
        return f"<CUDA library on {self.device.name}: {', '.join(self.functions)}>"

    def function(self, name: str) -> Function:
        """A kernel of the library, ready to be called.

        Args:
            name: One of ``functions``.

        Raises:
            UnknownNameError: There is no such kernel.
        """
        if name not in self._kernels:
            raise UnknownNameError("function", str(name), self.functions)
        entry = Entry(self._module, name, self._symbols[name])
        return Function(self.device, name, entry, self._kernels[name])


# --- Functions -----------------------------------------------------------------------------------


class Function:
    """A kernel of a :class:`Library`; calling it launches it.

    Attributes:
        device: Where it runs.
        name: In the source.
        threads_per_threadgroup: The most that a launch may ask for: registers limit it.
        threadgroup_memory_bytes: Of the arrays whose sizes the source states.
    """

    def __init__(
        self, device: CudaDevice, name: str, entry: Entry, parameters: tuple[Parameter, ...]
    ) -> None:
        self.device = device
        self.name = name
        self.threads_per_threadgroup = entry.threads_per_threadgroup
        self.threadgroup_memory_bytes = entry.threadgroup_memory_bytes
        self._entry = entry
        self._parameters = parameters

    def __repr__(self) -> str:
        return f"<CUDA function {self.name} on {self.device.name}>"

    def __call__(
        self,
        *arguments: Any,
        grid: Any = None,
        threads: Any = None,
        groups: Any = None,
        threadgroup_bytes: int = 0,
    ) -> None:
        """Run the kernel; ``sm.synchronize()`` waits for it.

        CUDA launches whole threadgroups (its blocks). With ``grid`` there are as many as hold so
        many threads, and those beyond must do nothing: the kernel itself **must** see to that, ``if
        (i < n)``.

        Args:
            arguments: For each parameter of the kernel, in order. Contiguous arrays of this device,
                views and other libraries' among them, or None for the null pointer; Python numbers,
                which get the declared type; NumPy's numbers of exactly that type; structures of
                NumPy's, or bytes, for what is passed by its value.
            grid: How many threads run at least: an integer, or up to three (x, y, z).
            threads: Threads of a threadgroup; None: chosen.
            groups: Instead of ``grid``: how many threadgroups run; needs ``threads``.
            threadgroup_bytes: Of the array that the source declares ``extern __shared__``.

        Raises:
            LaunchError: The call is wrong; nothing was launched.
        """
        if any(map(_is_foreign, arguments)):
            stated = {"grid": grid, "threads": threads, "groups": groups}
            call = partial(self, **stated, threadgroup_bytes=threadgroup_bytes)
            names = [parameter.text for parameter in self._parameters]
            call_among_others(self.name, call, arguments, {}, names)
            return
        request = resolve_geometry(self.name, self.device, grid, groups, threads)
        sizes = request.sizes(min(self.device.default_threads[0], self.threads_per_threadgroup))
        if sizes.group_size > self.threads_per_threadgroup:
            raise LaunchError(
                f"kernel {self.name!r}: {sizes.group_size} threads per threadgroup requested;"
                f" {self.device.name} allows {self.threads_per_threadgroup} for this kernel,"
                " because of the registers that it needs; use fewer, or leave threads out"
            )
        needed = self.threadgroup_memory_bytes + threadgroup_bytes
        allowed = self.device.limits.threadgroup_memory_bytes
        if needed > allowed:
            raise LaunchError(
                f"kernel {self.name!r} needs {needed} bytes of threadgroup memory,"
                f" {self.device.name} allows {allowed}; make its threadgroup arrays smaller"
            )
        what = passed(self.name, self._parameters, self.device, arguments)
        if request.is_empty:
            return
        computed = [array.before_write() for array in what.written] if WAITING else []
        if any(computed):  # memory may be another then
            what = passed(self.name, self._parameters, self.device, arguments)
        self._entry.launch(sizes, what, threadgroup_bytes)


def _is_foreign(argument: Any) -> bool:
    kind = type(argument)
    return not issubclass(kind, DeviceArray) and hasattr(kind, "__cuda_array_interface__")


__all__ = [
    "CudaSourceError",
    "Function",
    "Library",
    "StreamWork",
    "compiled",
    "device",
    "library",
    "pinned_empty",
    "stream",
]
