"""The one function that chains the stages: source -> typed IR -> target's text -> code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from speedmetal.backends.device import BuildOptions, Device, Program
from speedmetal.backends.target import Target
from speedmetal.backends.targets import find_target
from speedmetal.common.garbage import rare_collections
from speedmetal.common.records import record, replace
from speedmetal.compiler.fingerprint import Fingerprint, UnkeyableError, package_identity
from speedmetal.compiler.long_compiles import warn_if_long
from speedmetal.compiler.metadata import KernelMetadata, metadata_of, pack_entry, unpack_entry
from speedmetal.compiler.source import Specialisation
from speedmetal.errors import CompileError, InternalError, NestingError, SpeedmetalError
from speedmetal.frontend import capture
from speedmetal.source import SourceSpan
from speedmetal.system.deep_stack import with_room
from speedmetal.system.disk_cache import default_cache

if TYPE_CHECKING:
    from speedmetal.ir import nodes as ir

_Result = TypeVar("_Result")

Dependency = tuple[Any, str, Any]
"""Where a name was looked up, the name, and its value then."""


@record(eq=False)
class CompiledKernel:
    """A kernel that can be launched on a device."""

    program: Program
    metadata: KernelMetadata
    dependencies: tuple[Dependency, ...]


def is_current(dependencies: Iterable[Dependency]) -> bool:
    """Whether every name still has the value with which a kernel was compiled."""
    return all(map(capture.is_current, dependencies))


@contextmanager
def _stage(name: str, kernel: str) -> Iterator[None]:
    """Turn an unexpected exception of a stage into an InternalError that names stage and kernel.

    What is the user's fault is told of the kernel by the user's name, which is not the target's
    where that reserves it.
    """
    try:
        yield
    except CompileError as error:
        raise type(error)(kernel, error.diagnostics) from None
    except SpeedmetalError:
        raise
    except (KeyboardInterrupt, MemoryError, RecursionError):
        raise
    except Exception as error:
        raise InternalError(
            f"{name} of kernel {kernel!r}: {type(error).__name__}: {error}; please report this with"
            ' the kernel and the output of sm.code(..., stage="ir")'
        ) from error


def _with_room(function: Callable[[], _Result], kernel: str, place: SourceSpan) -> _Result:
    """Run a stage on a stack that is deep enough for the kernel, without looking for garbage.

    Raises:
        NestingError: No stack is deep enough.
    """
    try:
        with rare_collections():
            return with_room(function)
    except RecursionError:
        raise NestingError.at(kernel, place) from None


def lower(specialisation: Specialisation, target: str) -> tuple[ir.Kernel, tuple[Dependency, ...]]:
    """The typed IR as it goes to a target's printer, and what it depends on.

    Raises:
        CompileError: The kernel is not valid, or the target cannot do what it asks for.
    """
    source = specialisation.source
    return _with_room(lambda: _lower(specialisation, target), source.name, source.place)


def _lower(specialisation: Specialisation, target: str) -> tuple[ir.Kernel, tuple[Dependency, ...]]:
    # Not at the top: where the code comes from disk, all this is not needed.
    from speedmetal import passes
    from speedmetal.frontend.infer import infer_function

    source, record = specialisation.source, find_target(target)
    inferred = source.infer(specialisation, has_float64=record.has_float64)
    with _stage("passes", source.name):
        # Before the passes: in their functions a type that the target lacks would be called by
        # another fault's name.
        _check(inferred.kernel, record)
        kernel = passes.run(inferred.kernel, target=record, compile_function=infer_function)
    return kernel, inferred.dependencies


def _check(kernel: ir.Kernel, target: Target) -> None:
    if faults := target.check(kernel):
        raise CompileError(kernel.name, faults)


def print_source(
    kernel: ir.Kernel, target: str, *, name: str | None = None, math_mode: str = "safe"
) -> str:
    """The target's text of a lowered kernel: LLVM assembly, CUDA C++ or Metal Shading Language.

    Args:
        kernel: As :func:`lower` gives it.
        target: One of :data:`speedmetal.backends.targets.TARGETS`.
        name: The user's name of the kernel, for messages.
        math_mode: Of :func:`speedmetal.launch.modes.math_mode`.
    """
    name = name or kernel.name
    return _with_room(lambda: _print_kernel(kernel, target, name, math_mode), name, kernel.span)


def _print_kernel(kernel: ir.Kernel, target: str, name: str, math_mode: str) -> str:
    with _stage(f"the {target} printer", name):
        found = find_target(target)
        return found.print(kernel, found.mode_for(math_mode))


def compile_for(
    device: Device, specialisation: Specialisation, options: BuildOptions
) -> CompiledKernel:
    """Compile a kernel for a device, and load it there.

    Raises:
        CompileError: The kernel is not valid, or the device cannot do what it asks for.
    """
    source = specialisation.source
    return _with_room(
        lambda: _compile_for(device, specialisation, options), source.name, source.place
    )


def _compile_for(
    device: Device, specialisation: Specialisation, options: BuildOptions
) -> CompiledKernel:
    name = specialisation.source.name
    key, known_dependencies = _disk_key(device, specialisation)
    if key:
        for metadata, code in _stored_entries(device, key, options):
            with suppress(InternalError):  # a bad entry is as good as none
                return CompiledKernel(device.load(code, name), metadata, known_dependencies)
    from speedmetal.ir import analysis

    start = perf_counter()
    kernel, dependencies = lower(specialisation, device.kind)
    variants = device.variants_served(kernel, options.variant)
    threads = device.suitable_threads(kernel)
    metadata = metadata_of(analysis.facts(kernel), name, variants, threads)
    with _stage(f"building for {device.name}", name):
        code = device.build(kernel, options)
        compiled = CompiledKernel(device.load(code, name), metadata, dependencies)
    seconds = perf_counter() - start
    if key:
        default_cache().put(_entry_key(key, options), pack_entry(compiled.metadata, code))
    # Once the code is kept: a filter may make the warning an error.
    warn_if_long(kernel, name, seconds)
    return compiled


def _stored_entries(
    device: Device, key: str, options: BuildOptions
) -> Iterator[tuple[KernelMetadata, bytes]]:
    """What is on disk that does for these options, made for them or for another variant."""
    others = (variant for variant in device.variants if variant != options.variant)
    for variant in (options.variant, *others):
        stored = default_cache().get(_entry_key(key, replace(options, variant=variant)))
        if stored is None:
            continue
        with suppress(ValueError, LookupError):  # damaged
            metadata, code = unpack_entry(stored)
            if options.variant in metadata.variants:
                yield metadata, code


def _entry_key(key: str, options: BuildOptions) -> str:
    return f"{key} {options}"


def _disk_key(device: Device, specialisation: Specialisation) -> tuple[str, tuple[Dependency, ...]]:
    """The key of a kernel's codes on disk, found without parsing, and the names it depends on.

    The key is empty where there is none, or the cache is off.
    """
    if not default_cache().is_on:
        return "", ()
    fingerprint = Fingerprint(with_places=specialisation.debug > 0)
    try:
        specialisation.source.add_key(fingerprint)
        for argument in specialisation.signature:
            fingerprint.add_argument(argument)
    except UnkeyableError:
        return "", ()
    parts = (
        *(device.kind, device.identity, package_identity(), fingerprint.digest()),
        *(specialisation.debug, specialisation.index_type),
    )
    return " ".join(map(str, parts)), tuple(fingerprint.dependencies)
