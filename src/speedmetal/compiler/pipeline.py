"""The one function that chains the stages: Python function -> typed IR -> target's text -> code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from speedmetal.backends.device import BuildOptions, Device, Program
from speedmetal.backends.target import Target
from speedmetal.backends.targets import target_named
from speedmetal.compiler.fingerprint import Fingerprint, UnkeyableError, package_identity
from speedmetal.compiler.metadata import KernelMetadata, pack_entry, unpack_entry
from speedmetal.dtypes import DType, int32, int64
from speedmetal.errors import CompileError, InternalError, NestingError, SpeedmetalError
from speedmetal.frontend import capture
from speedmetal.frontend.signature import Argument
from speedmetal.ir.types import greatest_index
from speedmetal.records import record
from speedmetal.source import SourceSpan
from speedmetal.system.deep_stack import with_room
from speedmetal.system.disk_cache import default_cache

if TYPE_CHECKING:
    from speedmetal.ir import nodes as ir

_Result = TypeVar("_Result")

Dependency = tuple[Any, str, Any]
"""Where a name was looked up, the name, and its value then."""


@record
class Specialisation:
    """What one compiled kernel is made from.

    Args:
        function: The user's.
        name: Of the kernel; None: the function's.
        signature: The types of its arguments.
        debug: Level 0, 1 or 2.
        index_type: int32, or int64 where sizes need it.
    """

    function: Any
    name: str | None
    signature: tuple[Argument, ...]
    debug: int = 0
    index_type: DType = int32

    @property
    def shown_name(self) -> str:
        """The kernel's name in messages."""
        return self.name or str(self.function.__name__)

    @property
    def place(self) -> SourceSpan:
        """Where the function starts."""
        return capture.first_line(self.function.__code__)


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
    """Whatever goes wrong in a stage unexpectedly is our fault, and says where.

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
    """Run a stage on a stack that is deep enough for the kernel.

    Raises:
        NestingError: There is none.
    """
    try:
        return with_room(function)
    except RecursionError:
        raise NestingError.at(kernel, place) from None


def lower(specialisation: Specialisation, target: str) -> tuple[ir.Kernel, tuple[Dependency, ...]]:
    """The typed IR as it goes to a target's printer, and what it depends on.

    Raises:
        CompileError: The kernel is not valid, or the target cannot do what it asks for.
    """
    return _with_room(
        lambda: _lower(specialisation, target), specialisation.shown_name, specialisation.place
    )


def _lower(specialisation: Specialisation, target: str) -> tuple[ir.Kernel, tuple[Dependency, ...]]:
    # Not at the top: where the code comes from disk, all this is not needed.
    from speedmetal import passes
    from speedmetal.frontend.infer import infer_function, infer_kernel

    inferred = infer_kernel(
        specialisation.function,
        specialisation.signature,
        name=specialisation.name,
        index_type=specialisation.index_type,
        debug=specialisation.debug,
        has_float64=target_named(target).has_float64,
    )
    with _stage("passes", specialisation.shown_name):
        # Before the passes: in their functions a type that the target lacks would be called by
        # another fault's name.
        _check(inferred.kernel, target_named(target))
        kernel = passes.run(inferred.kernel, target=target, compile_function=infer_function)
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
        math_mode: ``"safe"`` or ``"fast"``; only Metal makes a difference.
    """
    name = name or kernel.name
    return _with_room(lambda: _printed(kernel, target, name, math_mode), name, kernel.span)


def _printed(kernel: ir.Kernel, target: str, name: str, math_mode: str) -> str:
    with _stage(f"the {target} printer", name):
        return target_named(target).print(kernel, math_mode)


def compile_for(
    device: Device, specialisation: Specialisation, options: BuildOptions
) -> CompiledKernel:
    """Compile a kernel for a device, and load it there.

    Raises:
        CompileError: The kernel is not valid, or the device cannot do what it asks for.
    """
    return _with_room(
        lambda: _compile_for(device, specialisation, options),
        specialisation.shown_name,
        specialisation.place,
    )


def _compile_for(
    device: Device, specialisation: Specialisation, options: BuildOptions
) -> CompiledKernel:
    name = specialisation.shown_name
    key, known_dependencies = _disk_key(device, specialisation, options)
    stored = default_cache().get(key) if key else None
    if stored is not None:
        with suppress(InternalError, ValueError, LookupError):  # a bad entry is as good as none
            metadata, code = unpack_entry(stored)
            return CompiledKernel(device.load(code, name), metadata, known_dependencies)
    from speedmetal.compiler.inspection import metadata_of

    kernel, dependencies = lower(specialisation, device.kind)
    metadata = metadata_of(kernel, name)
    with _stage(f"building for {device.name}", name):
        code = device.build(kernel, options)
        compiled = CompiledKernel(device.load(code, name), metadata, dependencies)
    if key:
        default_cache().put(key, pack_entry(compiled.metadata, code))
    return compiled


def _disk_key(
    device: Device, specialisation: Specialisation, options: BuildOptions
) -> tuple[str, tuple[Dependency, ...]]:
    """The key of the code on disk, found without parsing, and the names that it depends on.

    The key is empty where there is none, or the cache is off.
    """
    if default_cache().folder is None:
        return "", ()
    fingerprint = Fingerprint(with_places=specialisation.debug > 0)
    try:
        fingerprint.add(specialisation.function)
        for argument in specialisation.signature:
            fingerprint.add_argument(argument)
    except UnkeyableError:
        return "", ()
    parts = (
        *(device.kind, device.identity, package_identity(), fingerprint.digest()),
        *(specialisation.name, specialisation.debug, specialisation.index_type, options),
    )
    return " ".join(map(str, parts)), tuple(fingerprint.dependencies)


def index_type_for(largest: int) -> DType:
    """The narrower type that holds the greatest position or extent of a launch, with headroom.

    >>> index_type_for(2**31 - 2**16 - 1), index_type_for(2**31 - 2**16)
    (int32, int64)
    """
    return int32 if largest <= greatest_index(int32) else int64
