"""The CPU as a device. A launch has finished when it returns."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from speedmetal.backends.cpu.address import address_of
from speedmetal.backends.cpu.memory import (
    HostBuffer,
    HostPool,
    NumpyBuffer,
    available_bytes,
    capacity_of,
)
from speedmetal.backends.cpu.target import TARGET
from speedmetal.backends.device import (
    SIMDGROUP_SIZE,
    Buffer,
    BuildOptions,
    Device,
    DeviceLimits,
    Program,
    Triple,
)
from speedmetal.errors import OutOfMemoryError

if TYPE_CHECKING:
    from speedmetal.backends.cpu.codegen.decisions.rows import Rows
    from speedmetal.ir.nodes import Kernel

_FEWEST_EIGHTS = 64
"""Rows of 8 or 24 threads, for fewer of which vectors of 8 are not worth code of their own."""


class CpuDevice(Device):
    """All cores of the machine, as one device.

    Example:
        >>> buffer = CpuDevice().allocate(100)
        >>> buffer.size_bytes, buffer.address % 64
        (100, 0)
    """

    name = "cpu"
    target = TARGET
    shares_host_memory = True
    takes_numpy_arrays = True
    host_copy_bytes = 1 << 16
    variants = ("", "linear", "whole", "eights", "linear eights", "sixteens", "linear sixteens")
    # Without loops: few, long runs. With them: threadgroups for all cores from small grids as well.
    default_threads = (1024, 256)
    # Metal's limits of every Apple GPU (Metal feature set tables), so that what runs here has a
    # chance to run there.
    limits = DeviceLimits()

    def __init__(self) -> None:
        self.pool = HostPool()

    @cached_property
    def description(self) -> str:
        return _processor_name()

    def allocate(self, size_bytes: int) -> Buffer:
        capacity = capacity_of(size_bytes)
        block = self.pool.take(capacity, capacity, size_bytes)
        if block is None:
            raise OutOfMemoryError(
                f"the CPU has no memory for {size_bytes} bytes: {available_bytes()} are available,"
                f" {self.memory_info().bytes_in_use} are in use by arrays; delete some, or use"
                " smaller ones"
            )
        return HostBuffer(self, block, size_bytes)

    def wrap(self, host: np.ndarray[Any, Any]) -> Buffer:
        if host.flags.c_contiguous and host.size:
            return NumpyBuffer(self, host)
        low, high = byte_bounds(host) if host.size else (address_of(host),) * 2
        content = np.asarray(_Bytes(host, low, high - low))
        return Buffer(self, low, high - low, host, content)

    def copy_from_host(self, source: np.ndarray[Any, Any], target: Buffer) -> None:
        assert target.host is not None
        target.host[:] = source.reshape(-1).view(np.uint8)

    def copy_to_host(self, source: Buffer, target: np.ndarray[Any, Any]) -> None:
        assert source.host is not None
        target.reshape(-1).view(np.uint8)[:] = source.host

    def synchronize(self) -> None:
        """Return at once: a launch has finished when its call returns."""

    # What compiles is imported when something is compiled: importing LLVM takes a while.

    @cached_property
    def identity(self) -> str:
        from speedmetal.backends.cpu.identity import code_identity

        return code_identity()

    def build(self, kernel: Kernel, options: BuildOptions) -> bytes:
        from speedmetal.backends.cpu.codegen.printer import print_kernel
        from speedmetal.backends.cpu.jit import compile_object, prepare_for_loading, vector_unit

        text = print_kernel(kernel, unit=vector_unit(), rows=_rows_of(options.variant))
        return prepare_for_loading(compile_object(text))

    def variant_for(self, grid: Triple, threads: Triple | None) -> str:
        """What is known of the rows of threadgroups, as words; see `Rows` of the code generator.

        Where a threadgroup may have several rows that are not made of whole simdgroups, simdgroups
        go on from row to row: ``linear``. Threads that are not stated fill rows as far as they go,
        or up to one of ``default_threads``.

        >>> cpu = CpuDevice()
        >>> cpu.variant_for((100, 8, 1), None), cpu.variant_for((2**20, 1, 1), (256, 1, 1))
        ('linear', 'whole')
        >>> cpu.variant_for((2**20, 1, 1), (8, 1, 1)), cpu.variant_for((100, 1, 1), None)
        ('eights', '')
        >>> cpu.variant_for((2**10, 2**10, 1), (16, 16, 1))
        'linear sixteens'
        """
        x, *rest = threads or grid
        row = min(x, grid[0])
        if row % SIMDGROUP_SIZE == 0 and grid[0] % SIMDGROUP_SIZE == 0:
            return "whole"
        words = [] if rest == [1, 1] else ["linear"]
        if row in (8, 24) and grid[0] % row == 0:
            rows = grid[0] // row * grid[1] * grid[2]
            words += ["eights"] if rows >= _FEWEST_EIGHTS else []
        elif row % 16 == 0 and grid[0] % 16 == 0:
            words.append("sixteens")
        return " ".join(words)

    def variants_served(self, kernel: Kernel, variant: str) -> tuple[str, ...]:
        from speedmetal.backends.cpu.codegen.decisions.rows import cut_rows, does_for
        from speedmetal.backends.cpu.jit import vector_unit

        cuttings = {v: cut_rows(kernel, vector_unit(), _rows_of(v)) for v in self.variants}
        code = cuttings[variant]
        return tuple(v for v, rows in cuttings.items() if does_for(code, rows, kernel))

    def suitable_threads(self, kernel: Kernel) -> Triple | None:
        from speedmetal.backends.cpu.codegen.decisions.plan import suitable_threads

        return suitable_threads(kernel)

    @property
    def fewest_groups(self) -> int:
        from speedmetal.backends.cpu.pool import default_threads

        return 2 * default_threads()

    def load(self, code: bytes, kernel: str) -> Program:
        from speedmetal.backends.cpu.driver import CpuProgram

        return CpuProgram(code, kernel)

    def run_with_mailbox(
        self,
        run: Callable[[list[Any]], None],
        values: list[Any],
        words: np.ndarray[Any, np.dtype[np.uint32]],
        deliver: Callable[[np.ndarray[Any, np.dtype[np.uint32]]], None],
    ) -> None:
        values[0] = address_of(words)
        run(values)
        deliver(words)


def _rows_of(variant: str) -> Rows:
    from speedmetal.backends.cpu.codegen.decisions.rows import Rows

    return Rows(**dict.fromkeys(variant.split(), True))


class _Bytes:
    """The bytes in which the elements of a NumPy array lie, as NumPy takes them from others."""

    def __init__(self, host: np.ndarray[Any, Any], low: int, size_bytes: int) -> None:
        self.host = host  # kept alive
        self.__array_interface__ = {
            "version": 3,
            "shape": (size_bytes,),
            "typestr": "|u1",
            "data": (low, not host.flags.writeable),
        }


def _processor_name() -> str:
    """The processor's name: from Linux's table of processors, else what Python knows."""
    with (
        contextlib.suppress(OSError),
        open("/proc/cpuinfo", errors="replace") as table,  # noqa: PTH123 - without pathlib
    ):
        for line in table:
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
