"""What functions that make arrays are given: shapes, devices, numbers of NumPy's."""

from __future__ import annotations

from typing import Any

from speedmetal.arrays.array import Array, upload
from speedmetal.arrays.memory.conversion import convert_on_host
from speedmetal.arrays.memory.strided import HostArray
from speedmetal.backends.device import Device
from speedmetal.backends.registry import default_device
from speedmetal.backends.registry import device as find_device
from speedmetal.dtypes import as_dtype
from speedmetal.errors import UserInputError

Shape = int | tuple[int, ...]
DeviceLike = str | Device | None


def device_of(device: DeviceLike) -> Device:
    """The device that is meant; None: the default one."""
    return default_device() if device is None else find_device(device)


def from_numbers(numbers: HostArray, dtype: Any, device: DeviceLike) -> Array:
    """A new array of numbers that NumPy has computed with 64 bits, rounded once."""
    return upload(convert_on_host(numbers, as_dtype(dtype)), device_of(device))


def on_host(x: Any) -> Any:
    """Numbers as NumPy's functions take them: an array's as NumPy's array, others as they are."""
    return x.numpy() if isinstance(x, Array) else x


def checked_extents(shape: Any) -> tuple[int, ...]:
    """A shape as a tuple of extents.

    Raises:
        UserInputError: It is no integer of 0 or more, nor a tuple of such.
    """
    if type(shape) is int and shape >= 0:  # the commonest, at once: arrays are made often
        return (shape,)
    extents = (shape,) if not isinstance(shape, (tuple, list)) else tuple(shape)
    for extent in extents:
        if type(extent) is not int or extent < 0:
            return _converted_shape(shape, extents)
    return extents


def _converted_shape(shape: Any, extents: tuple[Any, ...]) -> tuple[int, ...]:
    for extent in extents:
        if isinstance(extent, bool) or not hasattr(extent, "__index__") or extent < 0:
            raise UserInputError(f"expected a shape of integers that are 0 or more, got {shape!r}")
    return tuple(int(extent) for extent in extents)
