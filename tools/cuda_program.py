"""Kernels on an NVIDIA GPU, through the driver's C interface alone.

:func:`install` makes every launch of this process run there: arrays stay in the host's memory, are
copied to the GPU before a kernel and back behind it. It is slow, and made for checks: what it needs
besides the library is the driver and NVRTC.
"""

from __future__ import annotations

import ctypes
import functools
import os
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from speedmetal.backends import mailbox
from speedmetal.backends.c_family.kernels import entry_name, static_bytes
from speedmetal.backends.c_family.layout import (
    ArgumentField,
    Source,
    argument_layout,
    is_sized_at_launch,
    written_arrays,
)
from speedmetal.backends.cpu.driver import SLOT_FORMATS, CpuProgram
from speedmetal.backends.cuda.codegen.printer import dynamic_arrays
from speedmetal.backends.cuda.codegen.spellings import DIALECT
from speedmetal.backends.cuda.driver.nvrtc import compile_cubin
from speedmetal.backends.device import BuildOptions, Device
from speedmetal.compiler import pipeline
from speedmetal.compiler.inspection import metadata_of
from speedmetal.compiler.metadata import KernelMetadata
from speedmetal.compiler.size_expression import LaunchValues
from speedmetal.dtypes import DType
from speedmetal.ir.analysis import reports_itself
from speedmetal.ir.nodes import Array, Kernel

GUARD = 256
"""Bytes before and behind each piece of memory, which no kernel may change."""
_GUARD_BYTE = 0xA5
_FATAL = {700, 702, 709, *range(714, 721), 999}
"""Results after which a process can do no more on the GPU (cuda.h: illegal address, ...)."""
FATAL_STATUS = 70
"""Exit status of a process that met one of them."""
_DYNAMIC_BYTES_ATTRIBUTE = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
_DRY_ARCHITECTURE = "sm_90"


class CudaError(RuntimeError):
    """The driver refused something."""


class Driver:
    """The first GPU of this machine. ``libcuda`` as the programming guide describes it."""

    def __init__(self) -> None:
        self.library = ctypes.CDLL("libcuda.so.1")
        self.call("cuInit", 0)
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self.call("cuDeviceGet", ctypes.byref(device), 0)
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self.call("cuCtxSetCurrent", context)
        major, minor = self._attribute(75, device), self._attribute(76, device)
        self.architecture = f"sm_{major}{minor}"
        self._modules: dict[str, ctypes.c_void_p] = {}

    def _attribute(self, number: int, device: ctypes.c_int) -> int:
        value = ctypes.c_int()
        self.call("cuDeviceGetAttribute", ctypes.byref(value), number, device)
        return value.value

    def call(self, function: str, *arguments: Any) -> None:
        """Call a function of the driver.

        Raises:
            CudaError: It failed, and others may still work. Where none can, the process ends.
        """
        code = getattr(self.library, function)(*arguments)
        if code == 0:
            return
        text = ctypes.c_char_p()
        self.library.cuGetErrorString(code, ctypes.byref(text))
        message = f"{function}: {code} {(text.value or b'').decode()}"
        if code in _FATAL:
            test = os.environ.get("PYTEST_CURRENT_TEST", "")
            if log := os.environ.get("CUDA_CHECK_LOG"):
                with Path(log).open("a") as file:
                    file.write(f"{message} {test}\n")
            print(message, test, file=sys.stderr, flush=True)
            os._exit(FATAL_STATUS)
        raise CudaError(message)

    def function(self, source: str, name: str, dynamic_bytes: int) -> ctypes.c_void_p:
        """The entry of a source; compiled once in a process."""
        if source not in self._modules:
            module = ctypes.c_void_p()
            code = compile_cubin(source, self.architecture)
            self.call("cuModuleLoadData", ctypes.byref(module), code)
            self._modules[source] = module
        entry = ctypes.c_void_p()
        self.call("cuModuleGetFunction", ctypes.byref(entry), self._modules[source], name.encode())
        if dynamic_bytes:
            self.call("cuFuncSetAttribute", entry, _DYNAMIC_BYTES_ATTRIBUTE, dynamic_bytes)
        return entry


@functools.cache
def driver() -> Driver:
    """The one GPU of this process."""
    return Driver()


@dataclass(frozen=True, slots=True)
class HostArray:
    """An array parameter of a launch: where it is on the host, shape and strides in elements."""

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    itemsize: int

    @property
    def span(self) -> tuple[int, int]:
        """The first byte, and the one behind the last; equal where there are no elements."""
        if 0 in self.shape:
            return self.address, self.address
        reach = [s * (n - 1) * self.itemsize for s, n in zip(self.strides, self.shape, strict=True)]
        low = self.address + sum(min(r, 0) for r in reach)
        return low, self.address + sum(max(r, 0) for r in reach) + self.itemsize


@dataclass(frozen=True, slots=True)
class LaunchRecord:
    """What the slots of a launch (:mod:`speedmetal.launch.plan`) say."""

    grid: tuple[int, int, int]
    threads: tuple[int, int, int]
    groups: tuple[int, int, int]
    mailbox: int
    parameters: tuple[HostArray | bytes, ...]

    @classmethod
    def read(cls, kernel: Kernel, slots: bytes) -> LaunchRecord:
        words = [int(word) for word in np.frombuffer(slots, np.int64)]
        parameters: list[HostArray | bytes] = []
        place = 10
        for parameter in kernel.parameters:
            if isinstance(parameter, Array):
                rank = parameter.type.rank
                shape = tuple(words[place + 1 : place + 1 + rank])
                strides = tuple(words[place + 1 + rank : place + 1 + 2 * rank])
                itemsize = parameter.type.dtype.itemsize
                parameters.append(HostArray(words[place], shape, strides, itemsize))
                place += 1 + 2 * rank
            else:
                parameters.append(slots[8 * place : 8 * place + 8])
                place += 1
        if place != len(words):
            raise AssertionError(f"{len(words)} slots, of which {place} were understood")
        x, y, z, *rest = words
        return cls((x, y, z), (rest[0], rest[1], rest[2]), (rest[3], rest[4], rest[5]),
                   words[9], tuple(parameters))  # fmt: skip

    def value_of(self, field: ArgumentField) -> bytes:
        """The bytes of a field of the arguments."""
        if field.source is Source.SCALAR:
            raw = self.parameters[field.parameter]
            assert isinstance(raw, bytes)
            return raw[: field.dtype.itemsize]
        if field.source is Source.GRID:
            number = self.grid[field.axis]
        else:
            array = self.parameters[field.parameter]
            assert isinstance(array, HostArray)
            sizes = array.shape if field.source is Source.EXTENT else array.strides
            number = sizes[field.axis]
        return number.to_bytes(field.dtype.itemsize, "little", signed=True)


class Region:
    """A piece of the host's memory, with a copy on the GPU between guards."""

    def __init__(self, gpu: Driver, low: int, high: int) -> None:
        self._gpu, self._low, self._size = gpu, low, high - low
        self._before = GUARD + low % 16  # the same alignment as on the host
        self._staging = np.full(self._before + self._size + GUARD, _GUARD_BYTE, np.uint8)
        ctypes.memmove(self._inside, low, self._size)
        self._memory = ctypes.c_uint64()
        gpu.call("cuMemAlloc_v2", ctypes.byref(self._memory), ctypes.c_size_t(self._staging.size))
        gpu.call("cuMemcpyHtoD_v2", self._memory, *self._host())

    @property
    def _inside(self) -> int:
        return int(self._staging.ctypes.data) + self._before

    def _host(self) -> tuple[ctypes.c_void_p, ctypes.c_size_t]:
        return ctypes.c_void_p(self._staging.ctypes.data), ctypes.c_size_t(self._staging.size)

    def contains(self, address: int) -> bool:
        return self._low <= address < self._low + self._size

    def address(self, host: int) -> int:
        return self._memory.value + self._before + host - self._low

    def copy_back(self, *, is_written: bool) -> None:
        """To the host, after a look at what must not have changed."""
        before = self._staging.copy()
        pointer, size = self._host()
        self._gpu.call("cuMemcpyDtoH_v2", pointer, self._memory, size)
        changed = self._staging != before
        if is_written:
            ctypes.memmove(self._low, self._inside, self._size)
            changed[self._before : self._before + self._size] = False
        if changed.any():
            place = int(np.argmax(changed)) - self._before
            raise AssertionError(f"byte {place} of {self._size} changed, which must not")

    def free(self) -> None:
        self._gpu.call("cuMemFree_v2", self._memory)


class CudaProgram(CpuProgram):
    """A kernel for the GPU, given the slots that the CPU's code would get."""

    def __init__(  # the CPU's loads machine code
        self, kernel: Kernel, facts: KernelMetadata, source: str, *, dry: bool
    ) -> None:
        self._kernel, self._facts, self._source, self._dry = kernel, facts, source, dry
        self._layout = argument_layout(kernel)
        self._written = written_arrays(kernel)
        if dry:
            _dry_compile(source)

    def launch(self, slots: bytes, groups: int, chunk: int) -> None:
        """Run all threadgroups, and wait for them."""
        del groups, chunk
        record = LaunchRecord.read(self._kernel, slots)
        arguments = bytearray(self._layout.size)
        for field in self._layout.fields:
            value = record.value_of(field)
            arguments[field.offset : field.offset + len(value)] = value
        dynamic_bytes = self._dynamic_bytes(record)
        if not self._dry:
            self._run(record, bytes(arguments), dynamic_bytes)

    def _dynamic_bytes(self, record: LaunchRecord) -> int:
        sized = {array.name: array for array in self._facts.sized_arrays}
        shapes = tuple(getattr(p, "shape", ()) for p in record.parameters)
        values = LaunchValues(tuple(self._numbers(record)), shapes, record.threads)
        total = 0
        for array in dynamic_arrays(self._kernel):
            size = static_bytes(array) if not is_sized_at_launch(array) else 0
            if not size:
                known = sized[array.name]
                size = int(np.prod(known.extents(values))) * known.itemsize
            total += -(-size // 16) * 16
        return total

    def _numbers(self, record: LaunchRecord) -> list[Any]:
        numbers: list[Any] = []
        for given, parameter in zip(record.parameters, self._kernel.parameters, strict=True):
            if isinstance(given, bytes):
                assert isinstance(parameter.type, DType)
                numbers += struct.unpack("=" + SLOT_FORMATS[parameter.type], given)
            else:
                numbers.append(given.address)
        return numbers

    def _run(self, record: LaunchRecord, arguments: bytes, dynamic_bytes: int) -> None:
        gpu = driver()
        entry = gpu.function(self._source, entry_name(self._kernel, DIALECT), dynamic_bytes)
        arrays = [p for p in record.parameters if isinstance(p, HostArray)]
        written = [
            address_of.span
            for address_of, parameter in zip(
                record.parameters, self._kernel.parameters, strict=True
            )
            if isinstance(address_of, HostArray) and parameter in self._written
        ]
        spans = [array.span for array in arrays]
        if reports_itself(self._kernel):
            spans.append(_mailbox_span(record.mailbox))
            written.append(spans[-1])
        regions = [Region(gpu, low, high) for low, high in _merged(spans)]
        try:
            pointers = [_device_address(regions, array.address, array.span) for array in arrays]
            values: list[Any] = [ctypes.c_uint64(pointer) for pointer in pointers]
            values.append(ctypes.create_string_buffer(arguments, len(arguments)))
            if reports_itself(self._kernel):
                span = _mailbox_span(record.mailbox)
                values.append(ctypes.c_uint64(_device_address(regions, record.mailbox, span)))
            addresses = (ctypes.c_void_p * len(values))(*map(ctypes.addressof, values))
            sizes = map(ctypes.c_uint, (*record.groups, *record.threads, dynamic_bytes))
            gpu.call("cuLaunchKernel", entry, *sizes, None, addresses, None)
            gpu.call("cuCtxSynchronize")
            for region in regions:
                region.copy_back(is_written=any(region.contains(low) for low, _ in written))
        finally:
            for region in regions:
                region.free()


def _mailbox_span(address: int) -> tuple[int, int]:
    head = ctypes.string_at(address, 4 * mailbox.PRINT_AREA)
    capacity = int(np.frombuffer(head, np.uint32)[mailbox.PRINT_CAPACITY])
    return address, address + 4 * (mailbox.PRINT_AREA + capacity)


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that overlap as one, so that arrays which share memory do so on the GPU."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(span for span in spans if span[0] < span[1]):
        if merged and low < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return merged


def _device_address(regions: list[Region], address: int, span: tuple[int, int]) -> int:
    if span[0] == span[1]:
        return 0
    return next(region.address(address) for region in regions if region.contains(span[0]))


@functools.cache
def _dry_compile(source: str) -> None:
    compile_cubin(source, _DRY_ARCHITECTURE)


def install(*, dry: bool = False) -> None:
    """From here on, kernels of this process run on the GPU.

    Args:
        dry: Stop before anything asks the driver: sources are compiled, arguments are packed, and
            arrays stay as they are.
    """

    def compile_for_cuda(
        device: Device, specialisation: pipeline.Specialisation, options: BuildOptions
    ) -> pipeline.CompiledKernel:
        del device, options  # threads are numbered anew in every edge threadgroup
        kernel, dependencies = pipeline.lower(specialisation, "cuda")
        name = specialisation.shown_name
        facts = metadata_of(kernel, name)
        source = pipeline.print_source(kernel, "cuda", name=name)
        program = CudaProgram(kernel, facts, source, dry=dry)
        return pipeline.CompiledKernel(program, facts, dependencies)

    pipeline.compile_for = compile_for_cuda
