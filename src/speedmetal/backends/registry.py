"""Which devices there are, which one is used, and why others are not there."""

from __future__ import annotations

import copyreg
from functools import cache
from typing import Any

from speedmetal.backends.base import Device, MemoryInfo, entered_device
from speedmetal.backends.cpu.device import CpuDevice
from speedmetal.errors import DeviceError, UnknownNameError

_CPU = CpuDevice()
# Devices are pickled by name: there is one object for each in a process.
copyreg.pickle(CpuDevice, lambda cpu: (_named, (cpu.name,)))

ABSENT = {
    "metal": "running on Apple GPUs is not part of this release yet (it will need macOS);"
    ' sm.code(..., target="metal") shows the Metal source on every machine',
    "cuda": "running on NVIDIA GPUs is not part of this release yet (it will need NVIDIA's driver);"
    ' sm.code(..., target="cuda") shows the CUDA source on every machine',
}
"""Devices that are known but cannot be used, each with the reason."""


@cache
def devices() -> tuple[Device, ...]:
    """The devices of this machine that kernels can run on, best first.

    Example:
        >>> [d.name for d in devices()]
        ['cpu']
    """
    return (_CPU,)


def default_device() -> Device:
    """Where new arrays are made: the innermost ``with sm.device(...)``, else the first device.

    Example:
        >>> default_device().name
        'cpu'
    """
    return entered_device() or devices()[0]


def device(name: str | Device) -> Device:
    """The device with this name; as a context manager, the default device of what is inside it.

    Args:
        name: ``"cpu"``; a device is returned as it is.

    Raises:
        DeviceError: There is no such device, or it is not here; the message says why.

    Example:
        >>> with device("cpu") as here:
        ...     default_device() is here
        True
    """
    if isinstance(name, Device):
        return name
    for candidate in devices():
        if candidate.name == name:
            return candidate
    names = [candidate.name for candidate in devices()]
    if name in ABSENT:
        raise DeviceError(
            f"device {name!r} is not available: {ABSENT[name]}. Available: {', '.join(names)}"
        )
    absent = "; ".join(f"{known}: {reason}" for known, reason in ABSENT.items())
    raise DeviceError(f"{UnknownNameError('device', str(name), names)}. Not available are {absent}")


def _named(name: str) -> Any:
    return device(name)


def synchronize() -> None:
    """Wait until every device has done what it was asked to do.

    On the CPU a call has finished when it returns; there this returns at once.

    Raises:
        KernelError: A kernel failed since the last call.
    """
    for each in devices():
        each.synchronize()


def memory_info(name: str | Device | None = None) -> MemoryInfo:
    """The memory that speedmetal has allocated on a device (the default one if none is named).

    Example:
        >>> memory_info("cpu").bytes_in_use >= 0
        True
    """
    return (default_device() if name is None else device(name)).memory_info()
