"""Foundation's part of the interface: errors, file URLs, the system's version."""

# ruff: noqa: N802 - methods have the names of Metal's selectors
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from speedmetal.metal_simulator.api import sdk
from speedmetal.metal_simulator.api.native import Native, System

LOCALIZED_DESCRIPTION = "NSLocalizedDescription"


class Data(bytes):
    """``NSData``: bytes with the two methods that drivers use."""

    __slots__ = ()

    def length(self) -> int:
        return len(self)


class Error(Native):
    """``NSError``."""

    OWNER = "NSError"

    __slots__ = ("_code", "_domain", "_information")

    def __init__(
        self, system: System, domain: str, code: int, information: Mapping[str, Any]
    ) -> None:
        super().__init__(system)
        self._domain = domain
        self._code = code
        self._information = dict(information)

    @staticmethod
    def errorWithDomain_code_userInfo_(
        system: System, domain: str, code: int, information: Mapping[str, Any] | None
    ) -> Error:
        return Error(system, domain, code, information or {})

    def domain(self) -> str:
        return self._domain

    def code(self) -> int:
        return self._code

    def userInfo(self) -> dict[str, Any]:
        return self._information

    def localizedDescription(self) -> str:
        unknown = f"The operation could not be completed. ({self._domain} error {self._code}.)"
        return str(self._information.get(LOCALIZED_DESCRIPTION, unknown))

    def localizedFailureReason(self) -> str | None:
        return None

    def localizedRecoverySuggestion(self) -> str | None:
        return None


def failure(system: System, domain: str, code: str, description: str, **more: Any) -> Error:
    """An error of Metal.

    Args:
        system: Of the object that fails.
        domain: Name of the constant that has the domain.
        code: Name of the constant that has the code.
        description: What ``localizedDescription`` says.
        more: Further entries of ``userInfo``.
    """
    number = sdk.ENUMERATIONS[code]
    return Error(system, domain, number, {LOCALIZED_DESCRIPTION: description, **more})


class URL(Native):
    """``NSURL`` of a file."""

    OWNER = "NSURL"

    __slots__ = ("_path",)

    def __init__(self, system: System, path: str) -> None:
        super().__init__(system)
        self._path = path

    @staticmethod
    def fileURLWithPath_(system: System, path: str) -> URL:
        return URL(system, str(Path(path).absolute()))

    def path(self) -> str:
        return self._path

    def absoluteString(self) -> str:
        return "file://" + quote(self._path)

    def isFileURL(self) -> bool:
        return True


class ProcessInfo(Native):
    """``NSProcessInfo``: which macOS this is."""

    OWNER = "NSProcessInfo"

    __slots__ = ()

    @staticmethod
    def processInfo(system: System) -> ProcessInfo:
        return ProcessInfo(system)

    def operatingSystemVersion(self) -> tuple[int, ...]:
        return (*self.system.configuration.os_version, 0, 0)[:3]

    def operatingSystemVersionString(self) -> str:
        return f"Version {'.'.join(map(str, self.system.configuration.os_version))} (Simulated)"

    def isOperatingSystemAtLeastVersion_(self, version: tuple[int, ...]) -> bool:
        return self.operatingSystemVersion() >= version

    def physicalMemory(self) -> int:
        return self.system.configuration.memory_bytes


NATIVES: tuple[type[Native], ...] = (Native, Error, URL, ProcessInfo)
