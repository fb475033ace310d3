"""Kernels in C, which need the runtime alone, and a short way to run them."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import Any

from speedmetal.metal_simulator import runtime as runtime_package
from speedmetal.metal_simulator import toolchain
from speedmetal.metal_simulator.execution import Dispatch, Execution, Region, execute
from speedmetal.metal_simulator.memory import GuardedMemory
from speedmetal.metal_simulator.runtime import library
from speedmetal.metal_simulator.settings import Settings

FLAGS = (
    "-std=c11",
    "-O1",
    "-g1",
    "-fno-omit-frame-pointer",
    "-fno-optimize-sibling-calls",
    "-fno-strict-aliasing",
    "-ffp-contract=off",
    "-w",
    "-I",
    str(Path(runtime_package.__file__).parent),
)

PRELUDE = """
#include "abi.h"
typedef struct smr_thread Thread;
typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long long ulong;
#define BUFFER(type, index) ((type *)t->buffers[index])
#define ARRAY(type, site, count) \\
    ((type *)__smr_threadgroup_memory(site, sizeof(type) * (count), _Alignof(type)))
#define I (t->position_in_grid[0])
#define L (t->index_in_threadgroup)
#define KERNEL(name) void name(Thread const *t)
#define MEETING __attribute__((convergent, nomerge))
MEETING void __smr_threadgroup_barrier(int);
MEETING void __smr_simdgroup_barrier(int);
MEETING unsigned int __smr_loop_enter(void);
MEETING void __smr_loop_turn(unsigned int);
MEETING void __smr_loop_leave(unsigned int);
MEETING unsigned long long __smr_exchange(unsigned long long, unsigned int, unsigned long long);
enum { NONE, DEVICE, THREADGROUP };
#define barrier() __smr_threadgroup_barrier(THREADGROUP)
MEETING static inline __attribute__((always_inline)) uint *publish(uint value, uint *mask)
{
    return (uint *)__smr_exchange((ulong)&value, sizeof value, (ulong)mask);
}
static uint sum_of(uint *slots, uint mask)
{
    uint sum = 0;
    for (uint lane = 0; lane < 32; lane++)
        sum += mask >> lane & 1 ? slots[lane * (SMR_SLOT_BYTES / sizeof(uint))] : 0;
    return sum;
}
MEETING static inline __attribute__((always_inline)) uint simd_sum(uint value)
{
    uint mask, *slots = publish(value, &mask);
    return sum_of(slots, mask);
}
#line 1 "program_source"
"""


class Kernels:
    """A compiled text."""

    def __init__(self, text: str, *flags: str) -> None:
        library.runtime()
        path = toolchain.scratch_file(".c")
        path.write_text(PRELUDE + text)
        content = toolchain.find().compile_shared_library([path], [*FLAGS, *flags])
        self.loaded = library.load_bytes(content)

    def dispatch(
        self,
        name: str,
        *memories: GuardedMemory | None,
        grid: Any,
        threads: Any,
        fibers: bool = True,
        threadgroup_bytes: dict[int, int] | None = None,
        static: int = 0,
    ) -> Dispatch:
        entry = ctypes.cast(getattr(self.loaded, name), ctypes.c_void_p).value
        assert entry is not None
        return Dispatch(
            name=name,
            entry=entry,
            uses_fibers=fibers,
            buffers={
                index: Region(memory.address, memory.size_bytes, "abcdefgh"[index])
                for index, memory in enumerate(memories)
                if memory is not None
            },
            threadgroup_bytes=threadgroup_bytes or {},
            static_threadgroup_bytes=static,
            grid=triple(grid),
            threads=triple(threads),
        )

    def run(
        self,
        name: str,
        *memories: GuardedMemory | None,
        settings: Settings | None = None,
        **how: Any,
    ) -> Execution:
        return execute(self.dispatch(name, *memories, **how), settings or Settings())


def triple(size: Any) -> Any:
    return (*size, 1, 1)[:3] if isinstance(size, tuple) else (size, 1, 1)


@functools.cache
def compile_kernels(text: str, *flags: str) -> Kernels:
    return Kernels(text, *flags)


def device(dtype: Any, count: int, fill: int = 0) -> tuple[GuardedMemory, Any]:
    """Guarded memory, and its elements."""
    import numpy as np

    memory = GuardedMemory(np.dtype(dtype).itemsize * count, fill)
    return memory, memory.array.view(dtype)
