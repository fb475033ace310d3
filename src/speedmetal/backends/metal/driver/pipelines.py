"""Functions that can be dispatched, each compiled once for a GPU as long as a program uses it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from speedmetal.backends.metal.codegen.printer import Place, PrintedKernel
from speedmetal.backends.metal.driver import archive
from speedmetal.backends.metal.driver.context import MetalContext
from speedmetal.backends.metal.driver.errors import describe_error
from speedmetal.backends.metal.driver.kernel_code import MetalCode
from speedmetal.backends.metal.driver.libraries import RefusedSourceError, compile_library
from speedmetal.errors import CompileError, Diagnostic, InternalError
from speedmetal.source import NOWHERE, SourceSpan, SourceText


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
    """The GPU's own compiler, behind that of the language, refused a function."""


def make_pipeline(context: MetalContext, function: Any, label: str, source_key: str) -> Pipeline:
    """The pipeline of an ``MTLFunction``.

    Args:
        context: Where it runs.
        function: Of a library.
        label: For Apple's tools.
        source_key: What tells its code from that of all other functions.

    Raises:
        RefusedPipelineError: It cannot be made.
    """
    with context.bridge.objc.autorelease_pool():
        descriptor = context.bridge.Metal.MTLComputePipelineDescriptor.alloc().init()
        descriptor.setLabel_(label)
        descriptor.setComputeFunction_(function)
        state, error = archive.pipeline_state(context, descriptor, source_key)
        if state is None:
            raise RefusedPipelineError(describe_error(error))
        return Pipeline(
            state,
            int(state.maxTotalThreadsPerThreadgroup()),
            int(state.staticThreadgroupMemoryLength()),
        )


def source_key(*parts: object) -> str:
    """A digest of everything that the code of a function depends on, the GPU apart."""
    return blake2b("\0".join(map(str, parts)).encode(), digest_size=20).hexdigest()


@dataclass(frozen=True, slots=True)
class _Pipelines:
    """The pipelines of one GPU that some program still holds."""

    known: WeakValueDictionary[str, Pipeline] = field(default_factory=WeakValueDictionary)
    lock: threading.Lock = field(default_factory=threading.Lock)


_of_context: WeakKeyDictionary[MetalContext, _Pipelines] = WeakKeyDictionary()


def pipeline_of(context: MetalContext, code: MetalCode, kernel: str) -> Pipeline:
    """The pipeline of a kernel: compiled once for a GPU, as long as a program uses it.

    Args:
        context: Where it runs.
        code: The kernel.
        kernel: The user's name of it.

    Raises:
        CompileError: Metal refused what we printed.
    """
    text = code.printed
    key = source_key(text.text, text.entry, code.language, code.math_mode)
    pipelines = _of_context.setdefault(context, _Pipelines())
    with pipelines.lock:  # so that two threads do not compile the same
        known = pipelines.known.get(key)
        if known is None:
            known = pipelines.known[key] = _compile_pipeline(context, code, kernel, key)
    return known


def _compile_pipeline(context: MetalContext, code: MetalCode, kernel: str, key: str) -> Pipeline:
    text = code.printed
    try:
        library = compile_library(
            context,
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
        return make_pipeline(context, function, kernel, key)
    except RefusedSourceError as error:
        raise CompileError(kernel, list(_diagnose_refusal(text, error))) from None
    except RefusedPipelineError as error:
        message = f"Metal makes no pipeline of it: {error}"
        raise CompileError(kernel, [Diagnostic(_first_span(text.places), message)]) from None


_OUR_FAULT = (
    "what speedmetal printed should compile, so this is a fault of speedmetal: please report it"
    ' with the kernel and the output of sm.code(..., target="metal")'
)


def _diagnose_refusal(text: PrintedKernel, error: RefusedSourceError) -> Iterator[Diagnostic]:
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
