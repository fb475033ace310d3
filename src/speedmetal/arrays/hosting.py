"""Values for NumPy's functions, and arrays of what they make: where the host does the work."""

from __future__ import annotations

from typing import Any

import numpy as np

from speedmetal.arrays.array import Array, upload
from speedmetal.arrays.creation import asarray
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.backends.device import Device
from speedmetal.dtypes import bfloat16
from speedmetal.errors import UserInputError


def is_on_cpu(x: Array) -> bool:
    """Whether NumPy reads and writes the elements where they are, without waiting for a device."""
    return x.device.kind == "cpu" and x.device.shares_host_memory


def owned(host: HostArray, device: Device) -> Array:
    """A NumPy array that nobody else has as an array, without a copy where that is possible."""
    wrapped = Array.wrap(host, device) if device.takes_numpy_arrays else None
    return upload(host, device) if wrapped is None else wrapped


def comparable(x: Array) -> HostArray:
    """The elements as NumPy compares them: bfloat16 as float32, in the same order."""
    host = x.numpy()
    return host.astype(np.float32) if x.layout.dtype is bfloat16 else host


def restored(host: HostArray, like: Array) -> Array:
    """Elements that :func:`comparable` gave, as an array with the dtype and device of another."""
    return owned(host.astype(like.dtype, copy=False), like.device)


def array_beside(name: str, x: Any, *others: Any) -> Array:
    """An argument as an array, on the device of the first array among all.

    Raises:
        UserInputError: The arrays are on different devices.
    """
    devices = {y.device: None for y in (x, *others) if isinstance(y, Array)}
    if len(devices) > 1:
        names = " and ".join(device.name for device in devices)
        raise UserInputError(
            f"{name}: the arrays are on {names}; move one of them with x.to(device)"
        )
    return asarray(x, device=next(iter(devices), None))
