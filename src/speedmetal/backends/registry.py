"""Which devices there are, which one is used, and why others are not there."""

from __future__ import annotations

import copyreg
import sys
import threading
from collections.abc import Callable
from functools import cache

from speedmetal.backends.cpu.device import CpuDevice
from speedmetal.backends.device import Device, entered_device
from speedmetal.backends.pool import MemoryInfo
from speedmetal.errors import DeviceError, UnknownNameError

_IS_MACOS = sys.platform == "darwin"
_CPU = CpuDevice()


def _metal() -> Device:
    if not _IS_MACOS:
        raise DeviceError(
            "Apple GPUs need macOS 14 or later on Apple silicon. On every machine"
            ' sm.code(..., target="metal") shows the Metal source, and sm.device("metal-sim") runs'
            " it in a simulator"
        )
    from speedmetal.backends.metal.driver.device import metal_device

    return metal_device()


def _simulator() -> Device:
    from speedmetal.backends.metal.driver.device import simulated_device

    return simulated_device()


def _cuda() -> Device:
    from speedmetal.backends.cuda.driver.library import library

    found = library()  # before more is imported: most machines have no such driver
    from speedmetal.backends.cuda.driver.device import CudaDevice

    return CudaDevice(found)


_MAKERS: dict[str, Callable[[], Device]] = {
    "metal": _metal,
    "cuda": _cuda,
    "cpu": lambda: _CPU,
    "metal-sim": _simulator,
}
"""Every device that is known, best first; a maker raises DeviceError where its device is not."""

KNOWN = tuple(_MAKERS)
"""Names of all of them."""

SIMULATED = frozenset({"metal-sim"})
"""For tests, not for speed: found by name alone."""


_present: dict[str, Device] = {}
"""The devices that were asked for and are here: one object for each in a process."""


_making = threading.RLock()


def _find_device(name: str) -> Device | DeviceError:
    """A device, or why it is not there."""
    return _present.get(name) or _make_device(name)


@cache
def _make_device(name: str) -> Device | DeviceError:
    with _making:  # two threads that ask at once get the same device
        if name in _present:
            return _present[name]
        try:
            made = _MAKERS[name]()
        except DeviceError as error:
            return error
        # Devices are pickled by name.
        copyreg.pickle(type(made), lambda pickled: (device, (pickled.name,)))
        _present[name] = made
        return made


def present_devices() -> tuple[Device, ...]:
    """The devices that this process has used or asked for, simulated ones among them."""
    return tuple(_present.values())


def absent_devices() -> dict[str, str]:
    """The devices that are known but not here, each with the reason."""
    return {
        name: str(found) for name in _MAKERS if isinstance(found := _find_device(name), DeviceError)
    }


@cache
def devices() -> tuple[Device, ...]:
    """The devices of this machine that kernels can run on, best first.

    Simulated ones are not among them; they are found by name: ``sm.device("metal-sim")``.

    Example:
        >>> [d.name for d in devices()][-1]
        'cpu'
    """
    names = (name for name in _MAKERS if name not in SIMULATED)
    return tuple(found for name in names if isinstance(found := _find_device(name), Device))


def default_device() -> Device:
    """Where new arrays are made: the innermost ``with sm.device(...)``, else the first device.

    That is a GPU where there is one.

    Example:
        >>> default_device().name
        'cpu'
    """
    return entered_device() or devices()[0]


def device(name: str | Device) -> Device:
    """The device with this name; as a context manager, the default device of what is inside it.

    Args:
        name: ``"cpu"``, ``"cuda"``, ``"metal"``, or ``"metal-sim"``, which runs kernels for Apple
            GPUs in a simulator; a device is returned as it is.

    Raises:
        DeviceError: There is no such device, or it is not here; the message says why.

    Example:
        >>> with device("cpu") as here:
        ...     default_device() is here
        True
    """
    if isinstance(name, Device):
        return name
    names = [candidate.name for candidate in devices()]
    if name not in _MAKERS:
        reasons = [(known, _find_device(known)) for known in KNOWN if known not in SIMULATED]
        missing = "; ".join(f"{known}: {r}" for known, r in reasons if isinstance(r, DeviceError))
        unknown = UnknownNameError("device", str(name), names)
        raise DeviceError(f"{unknown}. Not available are {missing}")
    found = _find_device(name)
    if isinstance(found, DeviceError):
        raise DeviceError(
            f"device {name!r} is not available: {found}. Available: {', '.join(names)}"
        ) from found
    return found


def synchronize() -> None:
    """Wait until every device has done what it was asked to do.

    On the CPU a call has finished when it returns; there this returns at once.

    Raises:
        KernelError: A kernel failed since the last call.
    """
    for each in present_devices():
        each.synchronize()


def memory_info(name: str | Device | None = None) -> MemoryInfo:
    """The memory that speedmetal has allocated on a device (the default one if none is named).

    Example:
        >>> memory_info("cpu").bytes_in_use >= 0
        True
    """
    return (default_device() if name is None else device(name)).memory_info()


def empty_cache() -> None:
    """Give memory that is kept for later arrays back to the system, on every device.

    Arrays keep theirs. On a GPU, memory that running kernels may still use stays for later; call
    :func:`synchronize` before.

    Example:
        >>> empty_cache()
        >>> memory_info("cpu").bytes_cached
        0
    """
    for each in present_devices():
        each.empty_cache()
