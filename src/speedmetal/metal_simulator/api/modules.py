"""Stand-ins of PyObjC's modules ``Metal``, ``objc`` and ``Foundation``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any, NoReturn

from speedmetal.metal_simulator.api import (
    buffers,
    command_buffers,
    compute_passes,
    counters,
    devices,
    encoders,
    events,
    foundation,
    instruments,
    libraries,
    pipelines,
    sdk,
)
from speedmetal.metal_simulator.api.configuration import Configuration
from speedmetal.metal_simulator.api.conversions import Place, to_uint
from speedmetal.metal_simulator.api.native import Native, Pool, System
from speedmetal.metal_simulator.api.ownership import check_metadata
from speedmetal.metal_simulator.api.proxies import Bridge
from speedmetal.metal_simulator.api.structures import STRUCTURES

_PARTS = (
    foundation,
    devices,
    libraries,
    pipelines,
    buffers,
    events,
    command_buffers,
    encoders,
    counters,
    compute_passes,
    instruments,
)
NATIVES: Mapping[str, type[Native]] = {
    native.OWNER: native for part in _PARTS for native in part.NATIVES
}


class SimulatedModule(ModuleType):
    """A module of PyObjC: it has the names of the table that this macOS has."""

    def __getattr__(self, name: str) -> NoReturn:
        near = difflib.get_close_matches(name, vars(self), n=2)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}{hint}")


class Modules:
    """One simulated Mac, as a Python program sees it.

    Attributes:
        Metal: Stands in for PyObjC's module of this name; so do ``objc`` and ``Foundation``.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._system = System(configuration)
        self._bridge = Bridge(self._system, NATIVES)
        self._devices = [
            devices.Device(self._system, index) for index in range(configuration.device_count)
        ]
        self.Foundation = self._foundation()
        self.Metal = self._metal(self.Foundation)
        self.objc = self._objc()

    @property
    def configuration(self) -> Configuration:
        """What the machine is, and which faults it has now."""
        return self._system.configuration

    def configure(self, **changes: Any) -> None:
        """Change faults and limits while programs run; waiting command buffers see it at once.

        Args:
            changes: Fields of :class:`Configuration`.
        """
        with self._system.changed:
            self._system.configuration = replace(self._system.configuration, **changes)
            self._system.changed.notify_all()

    @property
    def messages(self) -> int:
        """Messages sent to objects and classes so far."""
        return self._system.messages

    @property
    def compilations(self) -> int:
        """MSL texts compiled so far."""
        return self._system.compilations

    @property
    def commits(self) -> int:
        """Command buffers committed so far."""
        return self._system.commits

    @property
    def archive_hits(self) -> int:
        """Pipelines whose function an archive had."""
        return self._system.archive_hits

    @property
    def live_buffers(self) -> int:
        """Buffers that were not released."""
        return self._system.live_buffers

    @property
    def live_bytes(self) -> int:
        """Bytes of the live buffers."""
        return self._system.live_bytes

    @property
    def over_retained(self) -> int:
        """Objects that live for ever since an old bridge retained them once too often."""
        return len(self._system.over_retained)

    @property
    def unpooled(self) -> int:
        """Objects that were autoreleased outside of any pool, and so live for ever."""
        return len(self._system.unpooled)

    @property
    def reports(self) -> tuple[str, ...]:
        """Faults that had no call to raise from."""
        self._system.settle()
        return tuple(self._system.reports)

    @property
    def violations(self) -> tuple[str, ...]:
        """Every :class:`MetalValidationError` that a message raised, caught or not."""
        return tuple(self._system.violations)

    def _foundation(self) -> SimulatedModule:
        module = SimulatedModule("Foundation", "Stands in for PyObjC's Foundation.")
        self._add_classes(module, "Foundation")
        names = vars(module)
        names["NSLocalizedDescriptionKey"] = foundation.LOCALIZED_DESCRIPTION
        names["NSMakeRange"] = self._maker("NSMakeRange")
        names["NSRange"] = STRUCTURES["NSRange"]
        names["NSOperatingSystemVersion"] = STRUCTURES["NSOperatingSystemVersion"]
        return module

    def _metal(self, parent: SimulatedModule) -> SimulatedModule:
        # PyObjC's Metal offers what Foundation has, too.
        module = SimulatedModule("Metal", "Stands in for PyObjC's Metal.")
        names = vars(module)
        names.update({name: item for name, item in vars(parent).items() if name[:2] == "NS"})
        self._add_classes(module, "Metal")
        names.update(sdk.ENUMERATIONS)
        system = self._system.configuration.os_version
        for constant in sdk.STRINGS.values():
            if constant.introduced <= system:
                names[constant.name] = constant.name
        names.update({name: value for name, value in STRUCTURES.items() if name[:3] == "MTL"})
        names["MTLSizeMake"] = self._maker("MTLSizeMake")
        names["MTLOriginMake"] = self._maker("MTLOriginMake")
        names["MTLCreateSystemDefaultDevice"] = self._default_device
        names["MTLCopyAllDevices"] = self._all_devices
        return module

    def _objc(self) -> SimulatedModule:
        module = SimulatedModule("objc", "Stands in for PyObjC's core.")
        names = vars(module)
        names["__version__"] = self._system.configuration.core_version
        names["NULL"] = buffers.NULL
        names["varlist"] = buffers.VarList
        names["autorelease_pool"] = self._autorelease_pool
        names["registerMetaDataForSelector"] = self._register_metadata
        names["macos_available"] = self._macos_available
        names["lookUpClass"] = self._look_up_class
        names["nosuchclass_error"] = NoSuchClassError
        names["error"] = ObjectiveCError
        return module

    def _add_classes(self, module: SimulatedModule, name: str) -> None:
        for owner, proxy in self._bridge.classes.items():
            if sdk.MODULES[owner] == name and sdk.OWNERS[owner].is_class:
                vars(module)[owner] = proxy

    def _maker(self, name: str) -> Any:
        function = sdk.FUNCTIONS[name]
        structure = STRUCTURES[function.result]

        def make(*values: Any) -> Any:
            if len(values) != len(function.arguments):
                raise TypeError(f"{name} takes {len(function.arguments)} arguments")
            places = (Place("", name, index, "uint") for index in range(len(values)))
            return structure(*(to_uint(v, place) for v, place in zip(values, places, strict=True)))

        return make

    def _default_device(self) -> Any:
        return self._bridge.wrap(self._devices[0]) if self._devices else None

    def _all_devices(self) -> tuple[Any, ...]:
        return tuple(self._bridge.wrap(device) for device in self._devices)

    def _autorelease_pool(self) -> Pool:
        return self._system.autorelease_pool()

    def _register_metadata(self, owner: bytes, selector: bytes, metadata: dict[Any, Any]) -> None:
        if check_metadata(owner, selector, metadata):
            self._bridge.already_retained.add(selector.decode())

    def _macos_available(self, major: int, minor: int = 0, patch: int = 0) -> bool:
        version = (*self._system.configuration.os_version, 0, 0)[:3]
        return version >= (major, minor, patch)

    def _look_up_class(self, name: str) -> Any:
        if name not in self._bridge.classes:
            raise NoSuchClassError(name)
        return self._bridge.classes[name]


class ObjectiveCError(Exception):
    """``objc.error``: an Objective-C exception."""


class NoSuchClassError(ObjectiveCError):
    """``objc.nosuchclass_error``."""
