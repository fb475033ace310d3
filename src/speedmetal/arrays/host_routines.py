"""What routines of NumPy's (BLAS, LAPACK, pocketfft) need: memory, operands, threads.

They run on the arrays' own memory where the device shares it with the host; else operands are
copied to the host and results back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from speedmetal.arrays.array import Array, upload
from speedmetal.arrays.deferred.graph import common_device
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.arrays.operands import arrays_of
from speedmetal.backends.cpu.pool import default_threads
from speedmetal.backends.device import Device
from speedmetal.backends.forks import call_in_children
from speedmetal.dtypes import DEFAULT_FLOAT, DType

# --- Operands ------------------------------------------------------------------------------------


def operands_of(name: str, *values: Any) -> list[Array]:
    """Operands as arrays of one device; what is none is copied to it.

    Args:
        name: Of the function, for its messages.
        values: Arrays, and what can be one.

    Raises:
        UserInputError: One is no array of numbers, or they are on different devices.
    """
    arrays = arrays_of(name, values)
    common_device(name, arrays)
    return arrays


def computed_type(dtype: DType) -> DType:
    """The type that NumPy's routines compute in: float32 for what is narrower, or no float.

    >>> from speedmetal.dtypes import bfloat16, complex64, float64, int64
    >>> computed_type(bfloat16), computed_type(int64), computed_type(float64)
    (float32, float32, float64)
    """
    is_own = dtype.is_complex or (dtype.is_float and dtype.bits >= DEFAULT_FLOAT.bits)
    return dtype if is_own else DEFAULT_FLOAT


# --- Results -------------------------------------------------------------------------------------


def fresh_from(
    write: Callable[[HostArray], None], shape: tuple[int, ...], dtype: DType, device: Device
) -> Array:
    """A new array whose elements are written by a function, into its own memory where it can."""
    result = Array.allocate(shape, dtype, device)
    if result.is_shared:
        write(result.on_host())
        return result
    host = np.empty(shape, dtype.numpy)
    write(host)
    return upload(host, device)


# --- Threads -------------------------------------------------------------------------------------

LEAST_PART = 1 << 18
"""Operations of a part that is worth a thread: below, handing it over takes longer."""


@cache
def _executor() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(default_threads(), thread_name_prefix="speedmetal-host")


def _forget_executor() -> None:
    _executor.cache_clear()


call_in_children(_forget_executor)  # whose threads the child does not have


def in_parts(work: Callable[[slice], Any], count: int, operations: int) -> list[Any]:
    """Do work on parts of a range, on all cores; NumPy's routines let other threads run meanwhile.

    Args:
        work: Gets a part as a slice; it **must** bear to be called by several threads at once.
        count: The length of the range.
        operations: Of the whole work, about; where there are few, it is done here in one piece.

    Returns:
        What it returned for each part, in order.
    """
    parts = min(count, default_threads(), operations // LEAST_PART)
    if parts < 2:
        return [work(slice(0, count))]
    ends = [count * part // parts for part in range(parts + 1)]
    slices = [slice(start, stop) for start, stop in pairwise(ends)]
    return list(_executor().map(work, slices))


def longest_axis(shape: Sequence[int]) -> int:
    """The axis along which work is best cut into parts."""
    return max(range(len(shape)), key=shape.__getitem__)
