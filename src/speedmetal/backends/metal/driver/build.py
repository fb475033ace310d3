"""From typed IR to bytes that can be kept, and from Metal source to pipelines.

The bytes hold the printed source, not machine code: Apple's compiler makes that of it when a
program is loaded, once for each kernel and device. What it made is kept in
:mod:`speedmetal.backends.metal.driver.archive`.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from speedmetal.backends.c_family.layout import ArgumentField, ArgumentLayout, Source
from speedmetal.backends.device import BuildOptions
from speedmetal.backends.metal.codegen.printer import Place, PrintedKernel, printed
from speedmetal.backends.metal.driver import archive
from speedmetal.backends.metal.driver.capabilities import (
    DeviceCapabilities,
    Version,
    abilities,
    features_of,
    language_version,
    missing,
)
from speedmetal.dtypes import named
from speedmetal.errors import CompileError, Diagnostic, InternalError
from speedmetal.ir.nodes import Array, Kernel
from speedmetal.source import NOWHERE, SourceSpan, SourceText

if TYPE_CHECKING:
    from speedmetal.backends.metal.driver.device import MetalDevice

MATH_MODES = {"safe": 0, "relaxed": 1, "fast": 2}
"""Values of ``MTLMathMode``. Before macOS 15 there is one switch, fast or not: relaxed is safe."""


# --- What is kept on disk ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MetalCode:
    """A kernel ready for Metal's compiler: all that a later process needs to load it.

    Args:
        printed: The source, and what a launch must bind.
        element_bytes: Sizes of the arrays' elements, in the order of the buffers.
        math_mode: A key of :data:`MATH_MODES`.
        language: The version of Metal's language.
    """

    printed: PrintedKernel
    element_bytes: tuple[int, ...]
    math_mode: str
    language: Version


def built(device: MetalDevice, kernel: Kernel, options: BuildOptions) -> bytes:
    """Print a kernel for a device.

    Args:
        device: Where it will run.
        kernel: As it comes from the passes.
        options: Of these ``math_mode`` counts.

    Raises:
        CompileError: No Metal GPU can do what it asks for, or not this one.
    """
    text = printed(kernel, math_mode=options.math_mode)
    uses = features_of(kernel)
    if lacking := missing(uses, abilities_of(device)):
        raise CompileError(kernel.name, lacking)
    arrays = (p for p in kernel.parameters if isinstance(p, Array))
    return packed(
        MetalCode(
            text,
            tuple(array.type.dtype.itemsize for array in arrays),
            options.math_mode,
            language_version(list(uses)),
        )
    )


def abilities_of(device: MetalDevice) -> DeviceCapabilities:
    """What decides on features on a device."""
    return abilities(device.description, device.device, device.bridge.system_version)


_MAGIC = b"speedmetal metal 1\n"
"""Begins the bytes of a kernel; the number changes with their form."""


def packed(code: MetalCode) -> bytes:
    """The bytes of a kernel; the inverse of :func:`unpacked`."""
    text = json.dumps(_record(code), separators=(",", ":")).encode()
    return _MAGIC + blake2b(text, digest_size=16).hexdigest().encode() + b"\n" + text


def unpacked(data: bytes) -> MetalCode:
    """The kernel in bytes that :func:`packed` made.

    Raises:
        InternalError: These are others, or damaged.
    """
    head, _, text = data.removeprefix(_MAGIC).partition(b"\n")
    is_whole = (
        data.startswith(_MAGIC) and head == blake2b(text, digest_size=16).hexdigest().encode()
    )
    if not is_whole:
        raise InternalError("metal load: the code of the kernel is damaged, or of another version")
    try:
        return _code(json.loads(text))
    except (ValueError, LookupError, TypeError) as error:
        raise InternalError(f"metal load: the code of the kernel is damaged: {error}") from error


def _record(code: MetalCode) -> dict[str, Any]:
    text = code.printed
    fields = [
        (f.name, f.dtype.name, f.offset, f.source.value, f.parameter, f.axis)
        for f in text.layout.fields
    ]
    return {
        "text": text.text,
        "entry": text.entry,
        "fields": fields,
        "size": text.layout.size,
        "arrays": text.arrays,
        "has_mailbox": text.has_mailbox,
        "sized_arrays": text.sized_arrays,
        "places": [(p.printed_line, p.file, p.line, p.text) for p in text.places],
        "element_bytes": code.element_bytes,
        "math_mode": code.math_mode,
        "language": code.language,
    }


def _code(record: dict[str, Any]) -> MetalCode:
    fields = tuple(
        ArgumentField(name, named(dtype), offset, Source(source), parameter, axis)
        for name, dtype, offset, source, parameter, axis in record["fields"]
    )
    major, minor = record["language"]
    text = PrintedKernel(
        record["text"],
        record["entry"],
        ArgumentLayout(fields, record["size"]),
        tuple(record["arrays"]),
        record["has_mailbox"],
        record["sized_arrays"],
        tuple(Place(*place) for place in record["places"]),
    )
    return MetalCode(text, tuple(record["element_bytes"]), record["math_mode"], (major, minor))


# --- Libraries -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Complaint:
    """One message of Metal's compiler, with its place in the source (from 1)."""

    line: int
    column: int
    message: str


class RefusedSourceError(Exception):
    """Metal's compiler refused a source; for those who know whose fault that is.

    Args:
        text: What it said.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.complaints = tuple(_complaints(text))


_COMPLAINT = re.compile(r"^[^\s:][^:\n]*:(\d+):(\d+): (?:fatal )?error: (.*)$", re.MULTILINE)


def _complaints(text: str) -> Iterator[Complaint]:
    for match in _COMPLAINT.finditer(text):
        yield Complaint(int(match[1]), int(match[2]), match[3])


def compile_library(
    device: MetalDevice,
    source: str,
    *,
    language: Version,
    math_mode: str,
    label: str,
) -> Any:
    """An ``MTLLibrary`` made of Metal source.

    Args:
        device: Where it will run.
        source: In Metal Shading Language.
        language: Version of it.
        math_mode: A key of :data:`MATH_MODES`.
        label: For Apple's tools.

    Raises:
        RefusedSourceError: The compiler found an error.
    """
    bridge = device.bridge
    with bridge.objc.autorelease_pool():
        options = bridge.Metal.MTLCompileOptions.alloc().init()
        options.setLanguageVersion_(language[0] << 16 | language[1])
        if bridge.has("setMathMode_"):
            options.setMathMode_(MATH_MODES[math_mode])
        else:
            options.setFastMathEnabled_(math_mode == "fast")
        library, error = device.device.newLibraryWithSource_options_error_(source, options, None)
        if library is None:  # not the error: warnings set it too, beside a library
            raise RefusedSourceError(described(error))
        library.setLabel_(label)
    return library


def described(error: Any) -> str:
    """What an ``NSError`` says."""
    return "Metal gave no reason" if error is None else str(error.localizedDescription())


# --- Pipelines -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Pipeline:
    """A function ready to be dispatched.

    Args:
        state: The ``MTLComputePipelineState``.
        threads_per_threadgroup: The most that a dispatch may ask for: registers limit it.
        threadgroup_bytes: Memory of arrays whose size the source states.
    """

    state: Any
    threads_per_threadgroup: int
    threadgroup_bytes: int


class RefusedPipelineError(Exception):
    """The device's own compiler, behind that of the language, refused a function."""


def make_pipeline(device: MetalDevice, function: Any, label: str, source_key: str) -> Pipeline:
    """The pipeline of an ``MTLFunction``.

    Args:
        device: Where it runs.
        function: Of a library.
        label: For Apple's tools.
        source_key: What tells its code from that of all other functions.

    Raises:
        RefusedPipelineError: It cannot be made.
    """
    with device.bridge.objc.autorelease_pool():
        descriptor = device.bridge.Metal.MTLComputePipelineDescriptor.alloc().init()
        descriptor.setLabel_(label)
        descriptor.setComputeFunction_(function)
        state, error = archive.pipeline_state(device, descriptor, source_key)
        if state is None:
            raise RefusedPipelineError(described(error))
        return Pipeline(
            state,
            int(state.maxTotalThreadsPerThreadgroup()),
            int(state.staticThreadgroupMemoryLength()),
        )


def source_key(*parts: object) -> str:
    """A digest of everything that the code of a function depends on, the device apart."""
    return blake2b("\0".join(map(str, parts)).encode(), digest_size=20).hexdigest()


@dataclass(frozen=True, slots=True)
class _Pipelines:
    """The pipelines of one device that some program still holds."""

    known: WeakValueDictionary[str, Pipeline] = field(default_factory=WeakValueDictionary)
    lock: threading.Lock = field(default_factory=threading.Lock)


_of_device: WeakKeyDictionary[MetalDevice, _Pipelines] = WeakKeyDictionary()


def pipeline_of(device: MetalDevice, code: MetalCode, kernel: str) -> Pipeline:
    """The pipeline of a kernel: compiled once for a device, as long as a program uses it.

    Args:
        device: Where it runs.
        code: The kernel.
        kernel: The user's name of it.

    Raises:
        CompileError: Metal refused what we printed.
    """
    text = code.printed
    key = source_key(text.text, text.entry, code.language, code.math_mode)
    pipelines = _of_device.setdefault(device, _Pipelines())
    with pipelines.lock:  # so that two threads do not compile the same
        known = pipelines.known.get(key)
        if known is None:
            known = pipelines.known[key] = _compiled(device, code, kernel, key)
    return known


def _compiled(device: MetalDevice, code: MetalCode, kernel: str, key: str) -> Pipeline:
    text = code.printed
    try:
        library = compile_library(
            device,
            text.text,
            language=code.language,
            math_mode=code.math_mode,
            label=kernel,
        )
        function = library.newFunctionWithName_(text.entry)
        if function is None:
            raise InternalError(
                f"metal load: the library of kernel {kernel!r} has no function {text.entry!r}, only"
                f" {list(library.functionNames())}"
            )
        return make_pipeline(device, function, kernel, key)
    except RefusedSourceError as error:
        raise CompileError(kernel, list(_refused(text, error))) from None
    except RefusedPipelineError as error:
        message = f"Metal makes no pipeline of it: {error}"
        raise CompileError(kernel, [Diagnostic(_first_span(text.places), message)]) from None


_OUR_FAULT = (
    "what speedmetal printed should compile, so this is a fault of speedmetal: please report it"
    ' with the kernel and the output of sm.code(..., target="metal")'
)


def _refused(text: PrintedKernel, error: RefusedSourceError) -> Iterator[Diagnostic]:
    """Each complaint at the line of Python that its line of Metal comes from."""
    lines = text.text.splitlines()
    if not error.complaints:
        yield Diagnostic(_first_span(text.places), f"Metal's compiler: {error}; {_OUR_FAULT}")
    for complaint in error.complaints:
        shown = lines[complaint.line - 1].strip() if complaint.line <= len(lines) else ""
        yield Diagnostic(
            _span(text.places, complaint.line),
            f"Metal's compiler: {complaint.message} (line {complaint.line} of the Metal source:"
            f" {shown}); {_OUR_FAULT}",
        )


def _span(places: Sequence[Place], line: int) -> SourceSpan:
    """Where a line of the printed source comes from, or else the nearest line above it."""
    above = [place for place in places if place.printed_line <= line]
    return _span_of(max(above, key=lambda place: place.printed_line)) if above else NOWHERE


def _first_span(places: Sequence[Place]) -> SourceSpan:
    return _span_of(places[0]) if places else NOWHERE


def _span_of(place: Place) -> SourceSpan:
    begin = len(place.text) - len(place.text.lstrip())
    source = SourceText(place.file, place.line, (place.text,))
    return SourceSpan(source, place.line, begin, place.line, len(place.text))
