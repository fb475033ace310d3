"""What this implementation of the array API is: capabilities, dtypes, devices, constants."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from speedmetal import dtypes as types
from speedmetal.backends.device import Device
from speedmetal.backends.registry import default_device, devices
from speedmetal.backends.registry import device as find_device
from speedmetal.dtypes import DType, Kind
from speedmetal.errors import UserInputError

e = math.e
inf = math.inf
nan = math.nan
pi = math.pi
newaxis = None

_MOST_AXES = 64
"""NumPy's limit: arrays are shown, and shared with it, as arrays of NumPy."""

_BEYOND = ("float16", "bfloat16")
_NAMES = {dtype.name.removesuffix("_"): dtype for dtype in types.ALL if dtype.name not in _BEYOND}
"""The dtypes that the standard knows, by its names."""

_INTEGRAL = (Kind.SIGNED, Kind.UNSIGNED)
_KINDS = {
    "bool": (Kind.BOOL,),
    "signed integer": (Kind.SIGNED,),
    "unsigned integer": (Kind.UNSIGNED,),
    "integral": _INTEGRAL,
    "real floating": (Kind.FLOAT,),
    "complex floating": (Kind.COMPLEX,),
    "numeric": (*_INTEGRAL, Kind.FLOAT, Kind.COMPLEX),
}


class Info:
    """What ``__array_namespace_info__()`` returns: the functions of the standard's inspection."""

    def capabilities(self) -> dict[str, Any]:
        """What the standard asks for: which kinds of indexing, how many axes."""
        return {
            "boolean indexing": True,
            "data-dependent shapes": True,
            "max dimensions": _MOST_AXES,
        }

    def default_device(self) -> Device:
        """The device where arrays are made if none is given."""
        return default_device()

    def devices(self) -> tuple[Device, ...]:
        """All devices of this machine, and the default one, which may be a simulated one."""
        return tuple(dict.fromkeys((*devices(), default_device())))

    def default_dtypes(self, *, device: str | Device | None = None) -> dict[str, DType]:
        """The dtypes of Python's numbers, and of indices; the same on each device.

        Raises:
            DeviceError: There is no such device.
        """
        _target(device)
        return {
            "real floating": types.DEFAULT_FLOAT,
            "complex floating": types.complex64,
            "integral": types.DEFAULT_INT,
            "indexing": types.DEFAULT_INDEX,
        }

    def dtypes(
        self, *, device: str | Device | None = None, kind: str | tuple[str, ...] | None = None
    ) -> dict[str, DType]:
        """The standard's dtypes that a device computes with, by their names.

        Args:
            device: None: the default device.
            kind: ``"bool"``, ``"signed integer"``, ``"unsigned integer"``, ``"integral"``,
                ``"real floating"``, ``"complex floating"``, ``"numeric"``, or a tuple of them;
                None: all.

        Raises:
            UserInputError: There is no such kind.
            DeviceError: There is no such device.

        Example:
            >>> list(Info().dtypes(device="cpu", kind="unsigned integer"))
            ['uint8', 'uint16', 'uint32', 'uint64']
        """
        has_float64 = _target(device).target.has_float64
        wanted = _kinds_of(kind)
        return {
            name: dtype
            for name, dtype in _NAMES.items()
            if dtype.kind in wanted and (has_float64 or not _is_made_of_float64(dtype))
        }


def array_namespace_info() -> Info:
    """What this implementation of the array API can do, see :class:`Info`."""
    return Info()


__array_namespace_info__: Callable[[], Info] = array_namespace_info


def _target(device: str | Device | None) -> Device:
    return default_device() if device is None else find_device(device)


def _kinds_of(kind: str | tuple[str, ...] | None) -> set[Kind]:
    names = tuple(_KINDS) if kind is None else (kind,) if isinstance(kind, str) else kind
    unknown = [name for name in names if name not in _KINDS]
    if unknown:
        raise UserInputError(
            f"there is no kind of dtypes {unknown[0]!r}; allowed are {', '.join(_KINDS)}"
        )
    return {found for name in names for found in _KINDS[name]}


def _is_made_of_float64(dtype: DType) -> bool:
    return dtype.name in ("float64", "complex128")
