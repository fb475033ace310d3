"""Runs compiled kernels on the CPU."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from speedmetal.backends.cpu.jit import ENTRY_SYMBOL, load
from speedmetal.backends.cpu.pool import default_pool, default_threads
from speedmetal.backends.device import (
    BoundLaunch,
    DeviceLimits,
    Launch,
    Program,
    Residency,
    ScalarParameter,
)
from speedmetal.backends.launch_names import name_of
from speedmetal.backends.packing import ADDRESS, Number, pack_numbers, packer
from speedmetal.dtypes import int64

recorders: list[Callable[[str, float, float], None]] = []
"""Each is told a launch's name, and when it began and ended, by ``time.perf_counter``."""

_ENTRY_TYPE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)

_WORK_PER_CHUNK = 1 << 19
"""The least work worth another core's attention, in expressions: 2 to 4 us."""
_CHUNKS_PER_CORE = 4

SLOT_BYTES = 8
"""Of each argument; a scalar is at the low end of its slot."""


class CpuProgram(Program):
    """A kernel in memory.

    Args:
        object_bytes: What `speedmetal.backends.cpu.jit.compile_object` made; it defines
            ``void sm_entry(ptr args, i64 begin, i64 end)``.
        kernel: Its name, for records.

    Raises:
        InternalError: The object is damaged or needs a symbol that this process has not.
    """

    __slots__ = ("_address", "_code", "_entry", "_kernel")

    threads_per_threadgroup = DeviceLimits().threads_per_threadgroup

    def __init__(self, object_bytes: bytes, kernel: str = "") -> None:
        self._kernel = kernel
        self._code = load(object_bytes)
        self._address = self._code.address(ENTRY_SYMBOL)
        self._entry = _ENTRY_TYPE(self._address)

    def bind(self, launch: Launch) -> BoundLaunch:
        pack = packer(_slots(launch))
        groups = launch.sizes.group_count
        chunk = _chunk(launch)
        is_small = groups <= chunk
        entry, run_packed = self._entry, self.launch

        def run(values: list[Any], _threadgroup_lengths: tuple[int, ...] = ()) -> None:
            if is_small and not recorders:  # as `launch` does it, without a call more
                entry(pack(values), 0, groups)
            else:
                run_packed(pack(values), groups, chunk)

        return run

    def residency(self, threads: int, lengths: Sequence[int]) -> Residency:  # noqa: ARG002
        """A core runs one threadgroup after another, whatever the kernel."""
        return Residency(default_threads(), 1, None, (), None, None, None)

    def launch(self, arguments: bytes, groups: int, chunk: int) -> None:
        """Runs threadgroups 0 to ``groups - 1`` and returns when they are done.

        Args:
            arguments: The argument slots, 8 bytes each: grid, threads and groups in x, y, z, the
                mailbox's address, then the kernel's parameters.
            groups: How many threadgroups there are.
            chunk: How many of them a thread takes at a time. Where one chunk has all, they run on
                the calling thread, without the pool.
        """
        started = time.perf_counter() if recorders else None
        if groups <= chunk:
            self._entry(arguments, 0, groups)
        else:
            default_pool().parallel_for(self._address, arguments, groups, chunk)
        if started is not None:
            ended = time.perf_counter()
            for record in tuple(recorders):
                record(name_of(self._kernel), started, ended)


def _slots(launch: Launch) -> Iterator[bytes | Number]:
    """What compiled code expects: sizes, the mailbox's address, then the parameters."""
    sizes = launch.sizes
    yield pack_numbers(int64, *sizes.grid, *sizes.threads, *sizes.groups)
    yield Number(0, ADDRESS)
    for place, parameter in enumerate(launch.parameters, start=1):
        if isinstance(parameter, ScalarParameter):
            yield Number(place, parameter.dtype, SLOT_BYTES - parameter.dtype.itemsize)
        else:
            yield Number(place, ADDRESS)
            yield pack_numbers(int64, *parameter.shape, *parameter.strides)


def _chunk(launch: Launch) -> int:
    """How many threadgroups a thread takes at a time."""
    threads, groups = default_threads(), launch.sizes.group_count
    chunks = threads * _CHUNKS_PER_CORE
    if launch.work is not None:  # else another core is worth a try
        chunks = max(1, min(chunks, launch.work // _WORK_PER_CHUNK))
    if chunks > threads:
        chunks -= chunks % threads  # as many for each
    return -(-groups // chunks)
