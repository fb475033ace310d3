"""Finds kernels whose threads want more memory of their own than threads have."""

from __future__ import annotations

from speedmetal.errors import Diagnostic
from speedmetal.ir.nodes import Kernel
from speedmetal.ir.types import Space

THREAD_MEMORY_BYTES = 16384
"""The most that a thread's own arrays may take, on every target.

On the CPU each core keeps them for a whole threadgroup: 16 MiB for 1,024 threads. GPUs keep what
registers cannot hold in device memory, for all threads that run at once; CUDA allows 512 KiB
(CUDA C++ Programming Guide, "Technical Specifications per Compute Capability"), Metal states no
number and refuses pipelines whose stack is too large.
"""


def check_thread_memory(kernel: Kernel) -> list[Diagnostic]:
    """The fault of a kernel whose thread arrays are too large together."""
    own = [array for array in kernel.arrays if array.type.space is Space.THREAD]
    taken = sum(array.size_bytes for array in own)
    if taken <= THREAD_MEMORY_BYTES:
        return []
    largest = max(own, key=lambda array: array.size_bytes)
    message = (
        f"the thread arrays take {taken} bytes for each thread, of which there are"
        f" {THREAD_MEMORY_BYTES}; make them smaller, or give the threads parts of a device array"
    )
    return [Diagnostic(largest.span, message)]
