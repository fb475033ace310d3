"""Which devices there are, which one is used, and why others are not there."""

from __future__ import annotations

import copyreg
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache

from speedmetal.backends.cpu.device import CpuDevice
from speedmetal.backends.device import Device, entered_device
from speedmetal.backends.pool import MemoryInfo
from speedmetal.errors import DeviceError, UnknownNameError

_IS_MACOS = sys.platform == "darwin"
_CPU = CpuDevice()


def _metal(_number: int) -> Device:
    if not _IS_MACOS:
        raise DeviceError(
            "Apple GPUs need macOS 14 or later on Apple silicon. On every machine"
            ' sm.code(..., target="metal") shows the Metal source, and sm.device("metal-sim") runs'
            " it in a simulator"
        )
    from speedmetal.backends.metal.driver.device import metal_device

    return metal_device()


def _simulator(_number: int) -> Device:
    from speedmetal.backends.metal.driver.device import simulated_device

    return simulated_device()


def _cuda(number: int) -> Device:
    from speedmetal.backends.cuda.driver.library import library

    found = library()  # before more is imported: most machines have no such driver
    if number >= found.device_count:
        names = ", ".join(_names_of("cuda"))
        raise DeviceError(
            f"NVIDIA's driver finds {found.device_count} GPU(s) here, {names};"
            " CUDA_VISIBLE_DEVICES may hide others"
        )
    from speedmetal.backends.cuda.driver.device import CudaDevice

    made = CudaDevice(found, number)
    if number == 0:  # whether it can be used decides which device is the default
        made.open()
    return made


_MAKERS: dict[str, Callable[[int], Device]] = {
    "metal": _metal,
    "cuda": _cuda,
    "cpu": lambda _number: _CPU,
    "metal-sim": _simulator,
}
"""Every kind of device that is known, best first. A maker gets the device's number among those of
its kind, and raises DeviceError where it is not."""

KNOWN = tuple(_MAKERS)
"""Names of all kinds; each is the name of the first of its devices as well."""

SIMULATED = frozenset({"metal-sim"})
"""For tests, not for speed: found by name alone."""

_NUMBERED = frozenset({"cuda"})
"""Kinds of which a machine may have several devices: "cuda", "cuda:1", "cuda:2"."""


def _names_of(kind: str) -> tuple[str, ...]:
    """The names of all devices of a kind; the first one's where nobody knows of any."""
    count = 1
    if kind in _NUMBERED:
        from speedmetal.backends.cuda.driver.library import library

        with suppress(DeviceError):
            count = library().device_count
    return tuple(_name_of(kind, number) for number in range(count))


def known_names() -> tuple[str, ...]:
    """The names of all devices that can be asked for, simulated ones among them, best first."""
    return tuple(name for kind in KNOWN for name in _names_of(kind))


def _name_of(kind: str, number: int) -> str:
    return f"{kind}:{number}" if number else kind


def _parsed(name: str) -> tuple[str, int] | None:
    """The kind and the number in the name of a device; None: there is none of such a name.

    >>> _parsed("cuda:1"), _parsed("cuda"), _parsed("cpu:1")
    (('cuda', 1), ('cuda', 0), None)
    """
    kind, colon, number = name.partition(":")
    if kind not in _MAKERS:
        return None
    if not colon:
        return kind, 0
    is_number = number.isascii() and number.isdigit()
    return (kind, int(number)) if kind in _NUMBERED and is_number else None


_present: dict[str, Device] = {}
"""The devices that were asked for and are here: one object for each in a process."""


_making = threading.RLock()


def _find_device(kind: str, number: int = 0) -> Device | DeviceError:
    """A device, or why it is not there."""
    return _present.get(_name_of(kind, number)) or _make_device(kind, number)


@cache
def _make_device(kind: str, number: int) -> Device | DeviceError:
    name = _name_of(kind, number)
    with _making:  # two threads that ask at once get the same device
        if name in _present:
            return _present[name]
        try:
            made = _MAKERS[kind](number)
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
    """The kinds of devices that are known but not here, each with the reason."""
    found = ((kind, _find_device(kind)) for kind in KNOWN)
    return {kind: str(reason) for kind, reason in found if isinstance(reason, DeviceError)}


@cache
def devices() -> tuple[Device, ...]:
    """The devices of this machine that kernels can run on, best first.

    Simulated ones are not among them; they are found by name: ``sm.device("metal-sim")``. Each
    NVIDIA GPU is one: ``"cuda"``, ``"cuda:1"`` and so on; those that nothing is asked of stay
    untouched.

    Example:
        >>> [d.name for d in devices()][-1]
        'cpu'
    """
    kinds = (kind for kind in KNOWN if kind not in SIMULATED)
    names = [(kind, number) for kind in kinds for number in range(len(_names_of(kind)))]
    return tuple(found for name in names if isinstance(found := _find_device(*name), Device))


@cache
def _best_device() -> Device:
    """The first of :func:`devices`, without asking for the others."""
    return next(found for kind in KNOWN if isinstance(found := _find_device(kind), Device))


def default_device() -> Device:
    """Where new arrays are made: the innermost ``with sm.device(...)``, else the first device.

    That is a GPU where there is one, and the first of several: ``CUDA_VISIBLE_DEVICES`` says which
    one that is.

    Example:
        >>> default_device().name
        'cpu'
    """
    return entered_device() or _best_device()


def device(name: str | Device) -> Device:
    """The device with this name; as a context manager, the default device of what is inside it.

    Args:
        name: ``"cpu"``, ``"cuda"``, ``"metal"``, or ``"metal-sim"``, which runs kernels for Apple
            GPUs in a simulator. ``"cuda:1"`` is the second NVIDIA GPU, ``"cuda:0"`` the same as
            ``"cuda"``. A device is returned as it is.

    Raises:
        DeviceError: There is no such device, or it is not here; the message says why.

    Example:
        >>> with device("cpu") as here:
        ...     default_device() is here
        True
    """
    if isinstance(name, Device):
        return name
    if type(name) is str and (used := _present.get(name)) is not None:
        return used
    known = _parsed(str(name))
    if known is None:
        reasons = [(known, _find_device(known)) for known in KNOWN if known not in SIMULATED]
        missing = "; ".join(f"{known}: {r}" for known, r in reasons if isinstance(r, DeviceError))
        unknown = UnknownNameError("device", str(name), _names_here())
        raise DeviceError(f"{unknown}. Not available are {missing}")
    found = _find_device(*known)
    if isinstance(found, DeviceError):
        raise DeviceError(
            f"device {name!r} is not available: {found}. Available: {', '.join(_names_here())}"
        ) from found
    return found


def _names_here() -> list[str]:
    return [found.name for found in devices()]


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
