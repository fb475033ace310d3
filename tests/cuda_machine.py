"""A stand-in for NVIDIA's driver: memory is the host's, kernels are loaded and do not run.

What is loaded must be machine code that has the entry; what is launched is kept to be looked at.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np

from speedmetal.backends.cuda.driver.device import CudaDevice
from speedmetal.backends.cuda.driver.library import NOT_READY, SUCCESS, Library

ATTRIBUTES = {1: 1024, 2: 1024, 3: 1024, 4: 64, 5: 2**31 - 1, 6: 65535, 7: 65535, 97: 232448,
              75: 9, 76: 0}  # fmt: skip
"""Of an H100, by their numbers in cuda.h."""
NO_BINARY_FOR_GPU = 209
NOT_FOUND = 500
OUT_OF_MEMORY = 2
MEMORY_BYTES = 1 << 30
ARRAYS_OWN = ("copy", "fill")
"""Kernels that arrays launch by themselves, of which tests are not told."""
CONTEXT = 0x1000
STREAM = 0x2000


@dataclass
class Launched:
    """A launch, as the driver is asked for it."""

    entry: str
    groups: tuple[int, ...]
    threads: tuple[int, ...]
    dynamic_bytes: int
    parameters: tuple[int, ...]

    def bytes_of(self, number: int, size: int) -> bytes:
        """What a parameter of the entry begins with, while the launch goes on."""
        return ctypes.string_at(self.parameters[number], size)


class DryDriver:
    """What ``ctypes.CDLL("libcuda.so.1")`` gives elsewhere.

    Attributes:
        launches: So far.
        busy_polls: How many more times the stream says that it has not finished.
        failures: The ``CUresult`` of the next calls of a function, by its name.
        calls: Names of the functions called so far.
        current: Contexts that are current, the innermost last.
        on_launch: Called with each launch.
    """

    def __init__(self) -> None:
        self.launches: list[Launched] = []
        self.busy_polls = 0
        self.failures: dict[str, list[int]] = {}
        self.calls: list[str] = []
        self.current: list[int] = []
        self.on_launch: Any = self.launches.append
        self.memory: dict[int, Any] = {}
        self.modules: dict[int, bytes] = {}
        self.entries: dict[int, str] = {}
        self.dynamic_limit: dict[int, int] = {}

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("cu"):
            raise AttributeError(name)
        method = getattr(type(self), f"_{name.lower()}")

        def call(*arguments: Any) -> int:
            self.calls.append(name)
            if failures := self.failures.get(name):
                return failures.pop(0)
            return int(method(self, *arguments) or SUCCESS)

        return call

    def _needs_context(self) -> None:
        assert self.current[-1:] == [CONTEXT], "the context is not current"

    def _cuinit(self, flags: int) -> None:
        assert flags == 0

    def _cudrivergetversion(self, found: Any) -> None:
        found._obj.value = 13000

    def _cudevicegetcount(self, found: Any) -> None:
        found._obj.value = 1

    def _cudeviceget(self, found: Any, number: int) -> None:
        found._obj.value = number

    def _cudevicegetname(self, text: Any, size: int, device: int) -> None:
        assert device == 0
        text.value = b"a card that is not there"[: size - 1]

    def _cudevicegetattribute(self, found: Any, number: int, device: int) -> None:
        assert device == 0
        found._obj.value = ATTRIBUTES[number]

    def _cudeviceprimaryctxretain(self, found: Any, device: int) -> None:
        assert device == 0
        found._obj.value = CONTEXT

    def _cuctxpushcurrent_v2(self, context: Any) -> None:
        self.current.append(context.value)

    def _cuctxpopcurrent_v2(self, found: Any) -> None:
        found._obj.value = self.current.pop()

    def _custreamcreate(self, found: Any, flags: int) -> None:
        assert flags == 1
        self._needs_context()
        found._obj.value = STREAM

    def _custreamquery(self, stream: Any) -> int:
        assert stream.value == STREAM
        self._needs_context()
        if self.busy_polls:
            self.busy_polls -= 1
            return NOT_READY
        return SUCCESS

    def _cumemalloc_v2(self, found: Any, size: int) -> int:
        self._needs_context()
        if size > MEMORY_BYTES:
            return OUT_OF_MEMORY
        memory = np.full(size + 256, 0xCD, np.uint8)
        address = memory.ctypes.data + -memory.ctypes.data % 256
        self.memory[address] = memory
        found._obj.value = address
        return SUCCESS

    def _cumemfree_v2(self, address: int) -> None:
        self._needs_context()
        del self.memory[address]

    def _cumemcpyhtodasync_v2(self, target: int, source: int, size: int, stream: Any) -> None:
        assert stream.value == STREAM
        self._needs_context()
        ctypes.memmove(target, source, size)

    def _cumemcpydtohasync_v2(self, target: int, source: int, size: int, stream: Any) -> None:
        assert stream.value == STREAM
        self._needs_context()
        ctypes.memmove(target, source, size)

    def _cumoduleloaddata(self, found: Any, code: bytes) -> int:
        self._needs_context()
        if not code.startswith(b"\x7fELF"):
            return NO_BINARY_FOR_GPU
        number = 0x3000 + len(self.entries)
        self.modules[number] = code
        found._obj.value = number
        return SUCCESS

    def _cumoduleunload(self, module: Any) -> None:
        self._needs_context()
        del self.modules[module.value]

    def _cumodulegetfunction(self, found: Any, module: Any, name: bytes) -> int:
        if b"\0" + name + b"\0" not in self.modules[module.value]:
            return NOT_FOUND
        number = 0x100000 + len(self.entries)
        self.entries[number] = name.decode()
        found._obj.value = number
        return SUCCESS

    def _cufuncgetattribute(self, found: Any, number: int, entry: Any) -> None:
        assert entry.value in self.entries
        found._obj.value = {0: 1024, 1: 0}[number]

    def _cufuncsetattribute(self, entry: Any, number: int, value: int) -> None:
        assert number == 8
        self.dynamic_limit[entry.value] = value

    def _culaunchkernel(self, entry: Any, *rest: Any) -> None:
        *sizes, dynamic, stream, parameters, extra = rest
        self._needs_context()
        assert stream.value == STREAM
        assert extra is None
        assert dynamic == 0 or dynamic <= self.dynamic_limit[entry.value]
        assert all(1 <= size <= ATTRIBUTES[5 + axis] for axis, size in enumerate(sizes[:3]))
        assert all(1 <= size <= ATTRIBUTES[2 + axis] for axis, size in enumerate(sizes[3:]))
        addresses = tuple(parameters)
        assert all(addresses)
        name = self.entries[entry.value]
        if name not in ARRAYS_OWN:
            self.on_launch(Launched(name, tuple(sizes[:3]), tuple(sizes[3:]), dynamic, addresses))

    def _cugeterrorname(self, code: int, text: Any) -> None:
        text._obj.value = f"CUDA_ERROR_{code}".encode()

    def _cugeterrorstring(self, code: int, text: Any) -> None:
        del code
        text._obj.value = b"what the driver says"


def dry_device(driver: DryDriver | None = None) -> CudaDevice:
    """A device behind a driver that runs nothing."""
    return CudaDevice(Library(driver or DryDriver()))
