"""Runs compiled kernels on the CPU."""

from __future__ import annotations

import ctypes
import struct
import time
from collections.abc import Callable
from typing import Any

from speedmetal.backends.cpu.jit import ENTRY_SYMBOL, load
from speedmetal.backends.cpu.pool import default_pool, default_threads
from speedmetal.backends.device import (
    ArrayParameter,
    BoundLaunch,
    DeviceLimits,
    Launch,
    Program,
    ScalarParameter,
    fitted,
)
from speedmetal.dtypes import (
    DType,
    bfloat16,
    bool_,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)

recorders: list[Callable[[float, float], None]] = []
"""Each is told when a launch began and ended, by ``time.perf_counter``."""

_ENTRY_TYPE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)

_THREADS_PER_CHUNK = 4096
"""The least work worth another core's attention, where threads run no loops: about 3 us."""
_CHUNKS_PER_CORE = 4

SLOT_FORMATS: dict[DType, str] = {
    bool_: "?7x", int8: "b7x", int16: "h6x", int32: "i4x", int64: "q",
    uint8: "B7x", uint16: "H6x", uint32: "I4x", uint64: "Q",
    float16: "e6x", bfloat16: "H6x", float32: "f4x", float64: "d",
}  # fmt: skip
"""How :mod:`struct` packs a scalar into the low end of a slot of 8 bytes; bfloat16 as its bits."""


class CpuProgram(Program):
    """A kernel in memory.

    Args:
        object_bytes: What `speedmetal.backends.cpu.jit.compile_object` made; it defines
            ``void sm_entry(ptr args, i64 begin, i64 end)``.

    Raises:
        InternalError: The object is damaged or needs a symbol that this process has not.
    """

    __slots__ = ("_address", "_code", "_entry")

    threads_per_threadgroup = DeviceLimits().threads_per_threadgroup

    def __init__(self, object_bytes: bytes) -> None:
        self._code = load(object_bytes)
        self._address = self._code.address(ENTRY_SYMBOL)
        self._entry = _ENTRY_TYPE(self._address)

    def bind(self, launch: Launch) -> BoundLaunch:
        constants, formats, dtypes = _slots(launch)
        pack = struct.Struct("=" + "".join(formats)).pack
        groups = launch.sizes.group_count
        chunk = _chunk(launch)

        def run(values: list[Any], _threadgroup_lengths: tuple[int, ...] = ()) -> None:
            slots = constants.copy()
            slots[1::2] = values
            try:
                packed = pack(*slots)
            except OverflowError:  # a float beyond its type
                slots[1::2] = map(fitted, values, dtypes)
                packed = pack(*slots)
            self.launch(packed, groups, chunk)

        return run

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
                record(started, ended)


def _slots(launch: Launch) -> tuple[list[Any], list[str], list[DType]]:
    """What is packed: bytes that stay the same at even places, a launch's values at odd ones.

    Returns:
        The constants, with zeros for the values; the format of each; the values' dtypes.
    """
    sizes = launch.sizes
    prefix = struct.pack("9q", *sizes.grid, *sizes.threads, *sizes.groups)
    constants: list[Any] = [prefix, 0, b""]
    formats = [f"{len(prefix)}s", "q", "0s"]
    dtypes = [int64]
    for parameter in launch.parameters:
        format_, dtype, constant = _slot(parameter)
        constants += (0, constant)
        formats += (format_, f"{len(constant)}s")
        dtypes.append(dtype)
    return constants, formats, dtypes


def _slot(parameter: ArrayParameter | ScalarParameter) -> tuple[str, DType, bytes]:
    """A parameter's format, its dtype and the constant bytes behind it."""
    if isinstance(parameter, ScalarParameter):
        return SLOT_FORMATS[parameter.dtype], parameter.dtype, b""
    words = (*parameter.shape, *parameter.strides)
    return "q", int64, struct.pack(f"{len(words)}q", *words)


def _chunk(launch: Launch) -> int:
    sizes = launch.sizes
    share = -(-sizes.group_count // (default_threads() * _CHUNKS_PER_CORE))
    least = 1 if launch.has_loops else -(-_THREADS_PER_CHUNK // sizes.group_size)
    return max(share, least)
