"""Compute pipelines and the archives that keep them on disk."""

# ruff: noqa: N802 - methods have the names of Metal's selectors
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from speedmetal.metal_simulator.api import sdk
from speedmetal.metal_simulator.api.buffers import Allocation
from speedmetal.metal_simulator.api.foundation import URL, Error, failure
from speedmetal.metal_simulator.api.libraries import Function, compile_failure, msl_error
from speedmetal.metal_simulator.api.native import Labelled, Native, System
from speedmetal.metal_simulator.api.validation import require

if TYPE_CHECKING:
    from speedmetal.msl.parameters import Parameter

THREADS_PER_SIMDGROUP = 32
_FAIL_ON_MISS = sdk.ENUMERATIONS["MTLPipelineOptionFailOnBinaryArchiveMiss"]
_FORMAT = "speedmetal simulated binary archive 1"


class ComputePipelineDescriptor(Native):
    """``MTLComputePipelineDescriptor``."""

    OWNER = "MTLComputePipelineDescriptor"
    CREATABLE = True
    PROPERTIES: ClassVar[dict[str, Any]] = {
        "label": None,
        "computeFunction": None,
        "maxTotalThreadsPerThreadgroup": 0,
        "threadGroupSizeIsMultipleOfThreadExecutionWidth": False,
        "supportIndirectCommandBuffers": False,
        "binaryArchives": (),
    }

    __slots__ = ()

    def reset(self) -> None:
        self.properties = self.PROPERTIES.copy()


class ComputePipelineState(Allocation):
    """``MTLComputePipelineState``."""

    OWNER = "MTLComputePipelineState"
    PROPERTIES: ClassVar[dict[str, Any]] = {
        "label": None,
        "supportIndirectCommandBuffers": False,
    }

    __slots__ = (
        "buffers",
        "function",
        "max_threads",
        "multiple",
        "required",
        "static_bytes",
        "threadgroups",
    )

    def __init__(
        self, system: System, device: Native, function: Function, options: Mapping[str, Any]
    ) -> None:
        super().__init__(system, device)
        compiled = function.compile_for_host(check_races=False)
        limits = (
            options["maxTotalThreadsPerThreadgroup"],
            compiled.max_threads,
            system.configuration.max_threads_per_threadgroup,
        )
        self.properties["label"] = options["label"]
        self.function = function
        self.max_threads: int = min(limit for limit in limits if limit)
        self.multiple: bool = options["threadGroupSizeIsMultipleOfThreadExecutionWidth"]
        self.static_bytes = compiled.static_threadgroup_bytes
        # What must be bound when the function is dispatched.
        self.buffers: tuple[Parameter, ...] = tuple(
            parameter for parameter in compiled.parameters if parameter.role == "buffer"
        )
        # The same for each dispatch: index, least bytes, parameter.
        self.required: tuple[tuple[int, int, Parameter], ...] = tuple(
            (parameter.index, parameter.size_bytes if parameter.is_reference else 0, parameter)
            for parameter in self.buffers
        )
        self.threadgroups: tuple[Parameter, ...] = tuple(
            parameter for parameter in compiled.parameters if parameter.role == "threadgroup"
        )

    def threadExecutionWidth(self) -> int:
        return THREADS_PER_SIMDGROUP

    def maxTotalThreadsPerThreadgroup(self) -> int:
        return self.max_threads

    def staticThreadgroupMemoryLength(self) -> int:
        return self.static_bytes

    def allocatedSize(self) -> int:
        return 0


def make_pipeline(
    system: System, device: Native, options: Mapping[str, Any], flags: int
) -> tuple[ComputePipelineState | None, Error | None]:
    """A pipeline of a descriptor's properties, or the error."""
    function: Function | None = options["computeFunction"]
    require(function is not None, "a compute pipeline needs a function")
    assert function is not None
    missing = function.missing_constants
    if missing:
        names = ", ".join(missing)
        return None, compile_failure(
            system, f"function {function.name()!r} needs values of its constants {names}"
        )
    try:
        _ = function.compile_for_host(check_races=False).entry
    except msl_error() as error:
        return None, compile_failure(system, str(error))
    archives: Sequence[BinaryArchive] = options["binaryArchives"] or ()
    if any(function.identity in archive.entries for archive in archives):
        system.archive_hits += 1
    elif flags & _FAIL_ON_MISS:
        text = f"no binary archive has function {function.name()!r}"
        return None, failure(
            system, "MTLBinaryArchiveDomain", "MTLBinaryArchiveErrorCompilationFailure", text
        )
    try:
        state = ComputePipelineState(system, device, function, options)
    except msl_error() as error:
        return None, compile_failure(system, str(error))
    limit = system.configuration.max_threadgroup_memory
    if state.static_bytes > limit:
        text = f"{state.static_bytes} bytes of threadgroup memory, the device has {limit}"
        return None, compile_failure(system, text)
    return state, None


class BinaryArchiveDescriptor(Native):
    """``MTLBinaryArchiveDescriptor``: the URL of a file to read, or nil for an empty archive."""

    OWNER = "MTLBinaryArchiveDescriptor"
    CREATABLE = True
    PROPERTIES: ClassVar[dict[str, Any]] = {"url": None}

    __slots__ = ()


class BinaryArchive(Labelled):
    """``MTLBinaryArchive``: which functions it has, on disk as JSON."""

    OWNER = "MTLBinaryArchive"

    __slots__ = ("entries",)

    def __init__(self, system: System, device: Native, entries: set[str]) -> None:
        super().__init__(system, device)
        self.entries = entries

    def addComputePipelineFunctionsWithDescriptor_error_(
        self, descriptor: ComputePipelineDescriptor
    ) -> tuple[bool, Error | None]:
        function: Function | None = descriptor.properties["computeFunction"]
        if function is None:
            text = "the descriptor has no function"
            return False, _archive_failure(self.system, "UnexpectedElement", text)
        if function.missing_constants:
            text = f"function {function.name()!r} needs values of its constants"
            return False, _archive_failure(self.system, "CompilationFailure", text)
        self.entries.add(function.identity)
        return True, None

    def serializeToURL_error_(self, url: URL | None) -> tuple[bool, Error | None]:
        require(url is not None, "serializeToURL: the URL is nil")
        assert url is not None
        text = json.dumps({"format": _FORMAT, "entries": sorted(self.entries)})
        try:
            Path(url.path()).write_text(text)
        except OSError as error:
            return False, _archive_failure(self.system, "InternalError", str(error))
        return True, None


def open_archive(
    system: System, device: Native, descriptor: BinaryArchiveDescriptor
) -> tuple[BinaryArchive | None, Error | None]:
    """An archive read from the descriptor's file, or an empty one."""
    url: URL | None = descriptor.properties["url"]
    if url is None:
        return BinaryArchive(system, device, set()), None
    try:
        stored = json.loads(Path(url.path()).read_text())
        entries = set(stored["entries"])
        readable = stored["format"] == _FORMAT and not system.configuration.refuse_archives
    except (OSError, ValueError, TypeError, KeyError):
        readable = False
    if not readable:
        text = f"{url.path()} is no binary archive of this system"
        return None, _archive_failure(system, "InvalidFile", text)
    return BinaryArchive(system, device, entries), None


def _archive_failure(system: System, code: str, text: str) -> Error:
    return failure(system, "MTLBinaryArchiveDomain", f"MTLBinaryArchiveError{code}", text)


NATIVES: tuple[type[Native], ...] = (
    ComputePipelineDescriptor,
    ComputePipelineState,
    BinaryArchiveDescriptor,
    BinaryArchive,
)
