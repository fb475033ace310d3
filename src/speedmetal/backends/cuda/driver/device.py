"""The first NVIDIA GPU of the machine as a device."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from speedmetal.backends.cuda.driver.context import Context
from speedmetal.backends.cuda.driver.library import Library
from speedmetal.backends.cuda.driver.memory import Allocation, DevicePool
from speedmetal.backends.cuda.nvrtc import nvrtc_version
from speedmetal.backends.cuda.target import TARGET
from speedmetal.backends.device import Buffer, BuildOptions, Device, DeviceLimits, Program
from speedmetal.backends.forks import EXIT_SECONDS, drain_at_end
from speedmetal.backends.pool import size_class
from speedmetal.errors import DeviceError

if TYPE_CHECKING:
    from speedmetal.ir.nodes import Kernel

Words = np.ndarray[Any, np.dtype[np.uint32]]

_LONGEST_NAME = 256
_LONGEST_GRID = 2**32 - 1

# CUdevice_attribute, cuda.h
_THREADS_PER_BLOCK = 1
_BLOCK_SIZES = (2, 3, 4)
_GRID_SIZES = (5, 6, 7)
_SHARED_BYTES_OPT_IN = 97
_CAPABILITY = (75, 76)


class CudaDevice(Device):
    """One GPU.

    Memory of deleted arrays is kept for later ones. Kernels run later than they are asked for, in
    that order; those that may print or fail are waited for at once.

    Args:
        library: The driver.

    Attributes:
        context: The way to the GPU.
        architecture: What kernels are compiled for: ``"sm_90"``.

    Raises:
        DeviceError: NVRTC is not installed.
    """

    name = "cuda"
    target = TARGET
    shares_host_memory = False
    # Several threadgroups for each multiprocessor, however many registers a kernel takes.
    default_threads = (256, 256)
    pool: DevicePool

    def __init__(self, library: Library) -> None:
        self._compiler = nvrtc_version()
        self._native = library.number("cuDeviceGet", 0)
        self._library = library
        self.context = Context(library, self._native, self.name)
        self.pool = DevicePool(self.context)
        major, minor = map(self._attribute, _CAPABILITY)
        self.architecture = f"sm_{major}{minor}"
        x, y, z = map(self._attribute, _BLOCK_SIZES)
        gx, gy, gz = map(self._attribute, _GRID_SIZES)
        self.limits = DeviceLimits(
            self._attribute(_THREADS_PER_BLOCK),
            self._attribute(_SHARED_BYTES_OPT_IN),
            _LONGEST_GRID,
            (x, y, z),
            (gx, gy, gz),
        )
        drain_at_end(self)

    def _attribute(self, number: int) -> int:
        return self._library.number("cuDeviceGetAttribute", number, self._native)

    # --- What it is ----------------------------------------------------------------------------

    @cached_property
    def description(self) -> str:
        name = ctypes.create_string_buffer(_LONGEST_NAME)
        self._library.call("cuDeviceGetName", name, _LONGEST_NAME, self._native)
        return name.value.decode(errors="replace")

    @cached_property
    def identity(self) -> str:
        facts = {
            "architecture": self.architecture,
            "driver": self._library.number("cuDriverGetVersion"),
            "nvrtc": self._compiler,
        }
        return json.dumps(facts, sort_keys=True)

    @property
    def time_limit_seconds(self) -> float | None:
        """The longest that anything waits for the GPU; None: without limit, until Ctrl-C."""
        return self.context.time_limit_seconds

    @time_limit_seconds.setter
    def time_limit_seconds(self, limit: float | None) -> None:
        self.context.time_limit_seconds = limit

    # --- Memory --------------------------------------------------------------------------------

    def allocate(self, size_bytes: int) -> Buffer:
        return self._allocate_block(size_bytes, size_bytes)

    def _allocate_block(self, size_bytes: int, counted_bytes: int | None) -> Buffer:
        capacity = size_class(size_bytes)
        block = self.pool.take(capacity, capacity, counted_bytes)
        if block is None:
            raise DeviceError(
                f"{self.name} has no memory for {size_bytes} bytes;"
                f" {self.memory_info().bytes_in_use} bytes are in use by arrays: delete some, or"
                " use smaller ones"
            )
        return Buffer(self, block.address, size_bytes, Allocation(block, self.pool), None)

    def copy_from_host(self, source: np.ndarray[Any, Any], target: Buffer) -> None:
        if source.nbytes == 0:
            return
        with self.context as library:
            library.call(
                "cuMemcpyHtoDAsync_v2",
                *(target.address, source.ctypes.data, source.nbytes, self.context.stream),
            )
        self.context.wait()  # the driver may read the host's memory until then

    def copy_to_host(self, source: Buffer, target: np.ndarray[Any, Any]) -> None:
        if target.nbytes == 0:
            return
        with self.context as library:
            library.call(
                "cuMemcpyDtoHAsync_v2",
                *(target.ctypes.data, source.address, target.nbytes, self.context.stream),
            )
        self.context.wait()

    def synchronize(self) -> None:
        """Wait for the GPU.

        Raises:
            KernelError: A kernel failed in a way that ends the process's use of the GPU.
            DeviceError: It did before, or the time limit is over.
        """
        self.context.wait()
        self.pool.collect()
        self.context.free()

    def empty_cache(self) -> None:
        self.pool.trim()
        self.context.free()

    def drain(self) -> None:
        """At the end of the process: let the GPU finish, and tell what failed."""
        if not self.context.problem:
            limit = self.time_limit_seconds
            self.time_limit_seconds = EXIT_SECONDS if limit is None else min(limit, EXIT_SECONDS)
            self.synchronize()

    # --- Kernels: what compiles is imported when something is compiled -------------------------

    def build(self, kernel: Kernel, options: BuildOptions) -> bytes:  # noqa: ARG002 - of the contract
        from speedmetal.backends.cuda.driver.build import built

        return built(kernel, self.architecture)

    def load(self, code: bytes, kernel: str) -> Program:
        from speedmetal.backends.cuda.driver.program import load

        return load(self.context, self.limits, code, kernel)

    def run_with_mailbox(
        self,
        run: Callable[[list[Any]], None],
        values: list[Any],
        words: Words,
        deliver: Callable[[Words], None],
    ) -> None:
        mailbox = self._allocate_block(words.nbytes, None)
        self.copy_from_host(words, mailbox)
        values[0] = mailbox.address
        run(values)
        self.copy_to_host(mailbox, words)
        deliver(words)
