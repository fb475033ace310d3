"""Conversion of numbers on the host, as the kernel language converts them."""

from __future__ import annotations

from typing import Any

import numpy as np

from speedmetal.dtypes import DType, bfloat16, is_bfloat16_class

HostArray = np.ndarray[Any, Any]


def convert_on_host(host: HostArray, dtype: DType) -> HostArray:
    """NumPy's array in another dtype; itself where it has it.

    What NumPy leaves to the processor has a meaning: floats become integers by being cut towards
    zero and held to their range, NaN becomes 0. Of complex numbers the real part is taken, integers
    wrap, everything but 0 is True.

    >>> from speedmetal.dtypes import int8
    >>> convert_on_host(np.array([-2.9, 1e9, np.nan]), int8)
    array([ -2, 127,   0], dtype=int8)
    """
    wanted = dtype.numpy
    if host.dtype == wanted:
        return host
    if dtype.is_bool:
        return np.asarray(host != 0)
    if host.dtype.kind == "c" and not dtype.is_complex:
        host = host.real
    if dtype.is_integer and (host.dtype.kind == "f" or is_bfloat16_class(host.dtype.type)):
        return _saturate(host, dtype)
    with np.errstate(over="ignore"):  # an infinity, as in a kernel
        if dtype is bfloat16 and host.dtype.itemsize >= 4 and host.dtype != np.float32:
            host = _rounded_to_odd(host)
        return host.astype(wanted)


def _saturate(host: HostArray, dtype: DType) -> HostArray:
    floats = host.astype(np.float64) if host.dtype.itemsize < 8 else host
    least, most = dtype.minimum, 2.0 ** (dtype.bits - dtype.is_signed)
    with np.errstate(invalid="ignore"):  # what is outside is replaced
        if floats.size and floats.min() >= least and floats.max() < most:  # nor is there a NaN
            return floats.astype(dtype.numpy)
        cut = floats.astype(dtype.numpy)
        is_above, is_below = floats >= most, floats < least
    limits = [dtype.maximum, dtype.minimum, 0]
    choices = [np.asarray(limit, dtype.numpy) for limit in limits]
    return np.select([is_above, is_below, np.isnan(floats)], choices, cut)


def _rounded_to_odd(host: HostArray) -> HostArray:
    """Numbers of more than 24 bits as float32, of whose neighbours the odd one is taken.

    Then rounding to bfloat16, of which NumPy's conversion does no more, is as if it were the only
    one: what lies beside the middle of two numbers never falls onto it.
    """
    if host.dtype.kind in "iu" and host.dtype.itemsize == 8:
        shifted = (host >> 10) | (host & 0x3FF != 0)  # fits into the 53 bits of a float64
        is_long = (host >= 1 << 53) | (host <= -(1 << 53) if host.dtype.kind == "i" else False)
        floats = np.where(is_long, shifted * 1024.0, host)
    else:
        floats = host.astype(np.float64)
    nearest = np.asarray(floats, np.float32)
    is_even = nearest.view(np.uint32) & 1 == 0
    beyond = np.where(floats > nearest, np.inf, -np.inf)
    odd = np.nextafter(nearest, beyond.astype(np.float32))
    return np.where((nearest != floats) & is_even, odd, nearest)
