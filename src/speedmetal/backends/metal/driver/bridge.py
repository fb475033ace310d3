"""The way to Apple's Metal: the one module that imports PyObjC, or the simulated modules instead.

Everything else in this package talks to objects that it gets from a :class:`Bridge`, so it cannot
tell a Mac from the simulator. PyObjC's rules: each colon of a selector is an underscore, properties
are methods, ``NSError**`` is passed as None and comes back in a tuple.

**Ownership.** Objective-C gives the caller of a method ``new...`` an object that it owns. Up to
12.2.2 pyobjc-core honours that only for methods of classes, so that each object from
``device.new...`` keeps one reference too many and is never freed. Registering the selectors again
with ``already_retained`` mends this, and changes nothing where it is mended already. Registering
replaces what was known of a selector, hence all arguments are stated in :data:`OWNED`, as the wheel
of pyobjc-framework-Metal 12.2.2 has them.

**Newer calls.** What came after :data:`OLDEST_SYSTEM` stands in :data:`GUARDED`, and is used only
where :meth:`Bridge.has` says so.
"""

from __future__ import annotations

import functools
import importlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from speedmetal.errors import DeviceError, InternalError

Version = tuple[int, int]

OLDEST_SYSTEM: Version = (14, 0)
"""Of macOS: the first with Metal 3.1, and so with bfloat."""

OLDEST_PYOBJC = 11

_INSTALL = "pip install 'pyobjc-framework-Metal>=11'"

_ERROR = {"type": b"^@", "type_modifier": b"o"}
_OBJECT = {"type": b"@"}
_NUMBER = {"type": b"Q"}
_BYTES = {"type": b"^v", "type_modifier": b"n", "c_array_length_in_arg": 3}
_DEALLOCATOR = {
    "type": b"@?",
    "callable": {
        "retval": {"type": b"v"},
        "arguments": {0: {"type": b"^v"}, 1: {"type": b"n^v"}, 2: {"type": b"Q"}},
    },
}

OWNED: Mapping[str, Mapping[int, Mapping[str, Any]]] = {
    "newCommandQueue": {},
    "newCommandQueueWithMaxCommandBufferCount:": {2: _NUMBER},
    "newBufferWithLength:options:": {2: _NUMBER, 3: _NUMBER},
    "newBufferWithBytes:length:options:": {2: _BYTES, 3: _NUMBER, 4: _NUMBER},
    "newBufferWithBytesNoCopy:length:options:deallocator:": {
        2: _BYTES,
        3: _NUMBER,
        4: _NUMBER,
        5: _DEALLOCATOR,
    },
    "newLibraryWithSource:options:error:": {2: _OBJECT, 3: _OBJECT, 4: _ERROR},
    "newFunctionWithName:": {2: _OBJECT},
    "newFunctionWithName:constantValues:error:": {2: _OBJECT, 3: _OBJECT, 4: _ERROR},
    "newComputePipelineStateWithFunction:error:": {2: _OBJECT, 3: _ERROR},
    "newComputePipelineStateWithDescriptor:options:reflection:error:": {
        2: _OBJECT,
        3: _NUMBER,
        4: {"type": b"^@"},
        5: _ERROR,
    },
    "newBinaryArchiveWithDescriptor:error:": {2: _OBJECT, 3: _ERROR},
    "newSharedEvent": {},
    "newCounterSampleBufferWithDescriptor:error:": {2: _OBJECT, 3: _ERROR},
    "newLogStateWithDescriptor:error:": {2: _OBJECT, 3: _ERROR},
    "newResidencySetWithDescriptor:error:": {2: _OBJECT, 3: _ERROR},
}
"""The ``new...`` selectors that speedmetal uses: its arguments (numbered from 2, after the object
and the selector). Every result is an object that the caller owns."""

GUARDED: Mapping[str, Version] = {
    "setMathMode_": (15, 0),
    "setMathFloatingPointFunctions_": (15, 0),
    "setEnableLogging_": (15, 0),
    "newLogStateWithDescriptor_error_": (15, 0),
    "setLogState_": (15, 0),
    "newResidencySetWithDescriptor_error_": (15, 0),
    "addResidencySet_": (15, 0),
    "removeResidencySet_": (15, 0),
    "MTLLanguageVersion3_2": (15, 0),
    "MTLLanguageVersion4_0": (26, 0),
}
"""Calls and constants that came after the oldest system, with the macOS that has them first."""


@dataclass(frozen=True, slots=True, eq=False)
class Bridge:
    """Three modules, and what is known of the system behind them.

    Args:
        Metal: PyObjC's ``Metal``, or the simulated one.
        objc: PyObjC's ``objc``.
        Foundation: PyObjC's ``Foundation``.
        is_simulated: Whether these are the simulator's.
        system_version: The version of macOS.
        system_build: The system in its own words, its build included.
        simulation: The simulated modules with their counters; None on a Mac.
    """

    Metal: Any
    objc: Any
    Foundation: Any
    is_simulated: bool
    system_version: Version
    system_build: str
    simulation: Any = None

    def has(self, name: str) -> bool:
        """Whether this system has a call or a constant of :data:`GUARDED`.

        Raises:
            InternalError: It is not in that table.
        """
        first = GUARDED.get(name)
        if first is None:
            raise InternalError(f"{name} is not in the table of guarded calls")
        return self.system_version >= first


@functools.cache
def pyobjc_bridge() -> Bridge:
    """The bridge to Apple's Metal by PyObjC.

    Raises:
        DeviceError: This is no Mac, or its macOS or PyObjC is missing or too old; the message says
            what to do.
    """
    system = platform.system()
    if system != "Darwin":
        raise DeviceError(f"Metal needs macOS, and this is {system}")
    # Metal's metadata must be there before any object of its kind is touched, so it comes first.
    modules = [_import_module(name) for name in ("Metal", "objc", "Foundation")]
    _check_version(modules[1])
    bridge = _bridge(*modules)
    if bridge.system_version < OLDEST_SYSTEM:
        here, needed = (".".join(map(str, v)) for v in (bridge.system_version, OLDEST_SYSTEM))
        raise DeviceError(f"Metal needs macOS {needed} or newer, and this is {here}; update macOS")
    return bridge


def simulated_bridge(configuration: Any = None) -> Bridge:
    """A bridge to the Metal simulator; every call makes a simulated machine of its own.

    Args:
        configuration: A ``speedmetal.metal_simulator.api.Configuration``; None: the default one.

    Raises:
        DeviceError: The simulator's compiler is missing; the message says what to do.
    """
    from speedmetal.metal_simulator import api, toolchain

    toolchain.find()
    modules = api.modules(api.Configuration() if configuration is None else configuration)
    return _bridge(modules.Metal, modules.objc, modules.Foundation, modules)


def _bridge(metal: Any, objc: Any, foundation: Any, simulation: Any = None) -> Bridge:
    _state_ownership(objc)
    with objc.autorelease_pool():
        process = foundation.NSProcessInfo.processInfo()
        version = process.operatingSystemVersion()
        build = str(process.operatingSystemVersionString())
    return Bridge(
        metal,
        objc,
        foundation,
        simulation is not None,
        (int(version.majorVersion), int(version.minorVersion)),
        build,
        simulation,
    )


def _state_ownership(objc: Any) -> None:
    """Say of every selector in :data:`OWNED` that its result belongs to the caller."""
    for selector, arguments in OWNED.items():
        # Methods of protocols are registered on NSObject.
        objc.registerMetaDataForSelector(
            b"NSObject",
            selector.encode(),
            {
                "required": True,
                "retval": {"type": b"@", "already_retained": True},
                "arguments": {number: dict(facts) for number, facts in arguments.items()},
            },
        )


def _import_module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise DeviceError(
            f"Metal needs PyObjC, whose module {name!r} cannot be imported ({error}): {_INSTALL}"
        ) from error


def _check_version(objc: Any) -> None:
    found = str(getattr(objc, "__version__", "unknown"))
    major = found.partition(".")[0]
    if not major.isdecimal() or int(major) < OLDEST_PYOBJC:
        raise DeviceError(
            f"Metal needs PyObjC {OLDEST_PYOBJC} or newer, and this is {found}: {_INSTALL}"
        )
