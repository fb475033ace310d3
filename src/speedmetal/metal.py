"""Metal itself: kernels that are written by hand in Metal's own language, on :class:`sm.Array`.

They run on Apple's GPU (``sm.device("metal")``), and in the simulator on every machine that has its
compiler (``sm.device("metal-sim")``).

Example:
    >>> import speedmetal as sm
    >>> source = '''
    ... #include <metal_stdlib>
    ... using namespace metal;
    ... kernel void scale(device float* x [[buffer(0)]], constant float& factor [[buffer(1)]],
    ...                   uint i [[thread_position_in_grid]]) { x[i] *= factor; }
    ... '''
    >>> if "metal-sim" in available():
    ...     x = sm.array([1.0, 2.0, 3.0], device="metal-sim")
    ...     library(source, device="metal-sim").function("scale")(x, 10.0, grid=3)
    ...     assert x.numpy().tolist() == [10.0, 20.0, 30.0]
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from speedmetal.backends import registry
from speedmetal.backends.device import Device
from speedmetal.backends.metal.driver.bridge import Version
from speedmetal.backends.metal.driver.buffer_pool import storage
from speedmetal.backends.metal.driver.capabilities import OLDEST_LANGUAGE
from speedmetal.backends.metal.driver.device import MetalDevice
from speedmetal.backends.metal.driver.labels import current_prefix
from speedmetal.backends.metal.driver.libraries import (
    MATH_MODES,
    RefusedSourceError,
    compile_library,
)
from speedmetal.backends.metal.driver.pipelines import (
    Pipeline,
    RefusedPipelineError,
    make_pipeline,
    source_key,
)
from speedmetal.backends.metal.handwritten.calls import bind_arguments, threadgroup_lengths
from speedmetal.backends.metal.handwritten.constants import (
    Constants,
    constant_values,
    specialise_function,
)
from speedmetal.errors import (
    CompileError,
    DeviceError,
    Diagnostic,
    LaunchError,
    UnknownNameError,
    UserInputError,
)
from speedmetal.launch.geometry import resolve_geometry
from speedmetal.launch.waiting import WAITING
from speedmetal.msl.declared import Parameters, declared_parameters
from speedmetal.source import SourceSpan, SourceText

if TYPE_CHECKING:
    from speedmetal.metal_simulator.language.lint import lint
    from speedmetal.metal_simulator.simulate import simulate
    from speedmetal.metal_simulator.textures import Sampler

_DEVICES = ("metal", "metal-sim")


class MetalSourceError(CompileError):
    """Metal's compiler refused a source; ``diagnostics`` has every error with its line."""

    def __init__(self, name: str, diagnostics: list[Diagnostic]) -> None:
        super().__init__(name, diagnostics)
        first, _, rest = str(self).partition("\n")
        count = first.partition(" in ")[0]
        self.args = (f"{count} in Metal source\n{rest}",)


# --- Devices -------------------------------------------------------------------------------------


def available() -> tuple[str, ...]:
    """The Metal devices of this machine, Apple's first; empty where there is none.

    Example:
        >>> set(available()) <= {"metal", "metal-sim"}
        True
    """
    return tuple(name for name in _DEVICES if name not in registry.absent_devices())


def device(name: str | Device = "metal") -> MetalDevice:
    """A Metal device.

    Args:
        name: ``"metal"``, Apple's GPU; or ``"metal-sim"``, the simulated one.

    Raises:
        DeviceError: It is not here, or no Metal device; the message says what to do.

    Example:
        >>> device("cpu")
        Traceback (most recent call last):
            ...
        speedmetal.errors.DeviceError: cpu is no Metal device; those are metal, metal-sim
    """
    found = registry.device(name)
    if not isinstance(found, MetalDevice):
        raise DeviceError(f"{found.name} is no Metal device; those are {', '.join(_DEVICES)}")
    return found


def _device_for(given: str | Device | None) -> MetalDevice:
    if given is not None:
        return device(given)
    default = registry.default_device()
    return default if isinstance(default, MetalDevice) else device()


# --- Libraries -----------------------------------------------------------------------------------


def library(
    source: str,
    *,
    device: str | Device | None = None,
    language_version: Version | None = None,
    math_mode: str = "safe",
    constants: Constants | None = None,
    defines: Mapping[str, object] | None = None,
) -> Library:
    """Compile Metal source.

    Args:
        source: In Metal Shading Language, with its kernels.
        device: Where they will run; None: the default device if it is a Metal one, else
            ``"metal"``.
        language_version: Of Metal's language, for example ``(3, 1)``, which is the default.
        math_mode: ``"safe"``, ``"relaxed"`` or ``"fast"``. Metal's own default is fast: it lets the
            compiler take NaN and infinities not to occur, reorder operations, and use functions of
            less precision. In the safe mode IEEE 754 holds.
        constants: Values of function constants, by name or index, for those functions that have
            them.
        defines: Macros for the preprocessor.

    Raises:
        MetalSourceError: The source has errors; the message shows lines and carets.
        DeviceError: There is no such device.
        UserInputError: An option is wrong.

    Example:
        >>> if "metal-sim" in available():
        ...     text = "kernel void nothing() {}"
        ...     assert library(text, device="metal-sim").functions == ("nothing",)
    """
    where = _device_for(device)
    if math_mode not in MATH_MODES:
        raise UnknownNameError("math mode", str(math_mode), MATH_MODES)
    version = (
        OLDEST_LANGUAGE if language_version is None else _check_version(where, language_version)
    )
    head = "".join(_define_lines(defines or {}))
    try:
        native = compile_library(
            where.context,
            head + source,
            language=version,
            math_mode=math_mode,
            label="sm.metal.library",
        )
    except RefusedSourceError as error:
        faults = list(_faults(source, error, lines_before=head.count("\n")))
        raise MetalSourceError("source", faults) from None
    identity = source_key(head, source, version, math_mode)
    return Library(where, native, source, identity, dict(constants or {}))


def _check_version(where: MetalDevice, version: Version) -> Version:
    is_pair = isinstance(version, tuple) and [type(part) for part in version] == [int, int]
    if not is_pair:
        raise UserInputError(f"expected a language version such as (3, 1), got {version!r}")
    newest = where.context.capabilities().language
    if version > newest:
        system = ".".join(map(str, where.bridge.system_version))
        raise UserInputError(
            f"language version {_format_version(version)} is newer than what macOS {system} on"
            f" {where.name} has, {_format_version(newest)}"
        )
    return version


def _format_version(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


def _define_lines(defines: Mapping[str, object]) -> Iterator[str]:
    for name, value in defines.items():
        text = str(int(value) if isinstance(value, bool) else value)
        if not re.fullmatch(r"[A-Za-z_]\w*(\([\w, ]*\))?", name) or "\n" in text:
            raise UserInputError(
                f"defines: expected a macro's name and a text of one line, got {name!r}: {value!r}"
            )
        yield f"#define {name} {text}\n"


def _faults(source: str, error: RefusedSourceError, lines_before: int) -> Iterator[Diagnostic]:
    text = SourceText("program_source", 1, tuple(source.splitlines()))
    if not error.complaints:
        yield Diagnostic(SourceSpan(SourceText(text.name, 1, ()), 1, 0, 1, 1), str(error))
    for complaint in error.complaints:
        line, column = complaint.line - lines_before, max(complaint.column - 1, 0)
        word = re.match(r"\w*", text.line(line)[column:])
        width = max(1, len(word[0]) if word else 1)
        yield Diagnostic(SourceSpan(text, line, column, line, column + width), complaint.message)


class Library:
    """Compiled Metal source; made by :func:`library`.

    Attributes:
        device: Where its kernels run.
        functions: Their names.
    """

    def __init__(
        self,
        device: MetalDevice,
        native: Any,
        source: str,
        identity: str,
        constants: dict[str | int, Any],
    ) -> None:
        self.device = device
        with device.bridge.objc.autorelease_pool():
            self.functions = tuple(str(name) for name in native.functionNames())
        self._native = native
        self._identity = identity
        self._constants = constants
        self._parameters = declared_parameters(source)

    def __repr__(self) -> str:
        return f"<Metal library on {self.device.name}: {', '.join(self.functions)}>"

    def function(self, name: str, constants: Constants | None = None) -> Function:
        """A kernel of the library, ready to be called.

        Args:
            name: One of ``functions``.
            constants: Values of its function constants, by name or index; they go before the
                library's.

        Raises:
            UnknownNameError: There is no such kernel.
            UserInputError: A constant is missing, unknown, or of a wrong type.
            MetalSourceError: The GPU's own compiler refuses it.
        """
        if name not in self.functions:
            raise UnknownNameError("function", str(name), self.functions)
        given = dict(constants or {})
        with self.device.bridge.objc.autorelease_pool():
            native = self._native.newFunctionWithName_(name)
            declared = dict(native.functionConstantsDictionary() or {})
            values = constant_values(name, declared, given, self._constants)
            if declared:
                native = specialise_function(
                    self.device.bridge, self._native, name, declared, values
                )
            key = source_key(self._identity, name, sorted(values.items()))
            try:
                pipeline = make_pipeline(self.device.context, native, name, key)
            except RefusedPipelineError as error:
                raise MetalSourceError(name, list(_pipeline_fault(name, error))) from None
        return Function(self.device, name, pipeline, self._parameters.get(name))


def _pipeline_fault(name: str, error: Exception) -> Iterator[Diagnostic]:
    nowhere = SourceSpan(SourceText("program_source", 1, ()), 1, 0, 1, 1)
    yield Diagnostic(nowhere, f"Metal makes no pipeline of function {name!r}: {error}")


# --- Functions -----------------------------------------------------------------------------------


class Function:
    """A kernel of a :class:`Library`; calling it launches it.

    Attributes:
        device: Where it runs.
        name: In the source.
        threads_per_threadgroup: The most that a launch may ask for: registers limit it.
        threads_per_simdgroup: Width of a simdgroup.
        threadgroup_memory_bytes: Of the arrays whose sizes the source states.
    """

    def __init__(
        self, device: MetalDevice, name: str, pipeline: Pipeline, parameters: Parameters | None
    ) -> None:
        self.device = device
        self.name = name
        self.threads_per_threadgroup = pipeline.threads_per_threadgroup
        self.threads_per_simdgroup = int(pipeline.state.threadExecutionWidth())
        self.threadgroup_memory_bytes = pipeline.threadgroup_bytes
        self._pipeline = pipeline
        self._parameters = parameters

    def __repr__(self) -> str:
        return f"<Metal function {self.name} on {self.device.name}>"

    def __call__(
        self,
        *arguments: Any,
        grid: Any = None,
        threads: Any = None,
        groups: Any = None,
        threadgroup_bytes: Mapping[int, int] | None = None,
    ) -> None:
        """Run the kernel once for every thread of a grid; ``sm.synchronize()`` waits for it.

        Argument ``n`` is bound at ``[[buffer(n)]]``; None leaves an index free, a buffer's too,
        which the kernel must then not touch. Where the source declares the kernel plainly,
        arguments are checked before anything is sent, and gaps among its indices need no None.

        Args:
            arguments: Contiguous arrays of this device, views among them; Python numbers, which
                get the declared type (where it is not plain from the source: bool, int32,
                float32); NumPy numbers and structures of exactly the declared type; up to 4096
                bytes.
            grid: How many threads run: an integer, or up to three (x, y, z). Where one of them is
                0, none does.
            threads: Threads of a threadgroup; None: chosen.
            groups: Instead of ``grid``: how many threadgroups run; needs ``threads``.
            threadgroup_bytes: Bytes for each ``[[threadgroup(n)]]`` by ``n``; rounded up to 16.

        Raises:
            LaunchError: The call is wrong; nothing was launched.
        """
        request = resolve_geometry(self.name, self.device, grid, groups, threads)
        sizes = request.sizes(min(self.device.default_threads[0], self.threads_per_threadgroup))
        if sizes.group_size > self.threads_per_threadgroup:
            raise LaunchError(
                f"kernel {self.name!r}: {sizes.group_size} threads per threadgroup requested;"
                f" {self.device.name} allows {self.threads_per_threadgroup} for this kernel,"
                " because of the registers that it needs; use fewer, or leave threads out"
            )
        lengths = threadgroup_lengths(self.name, self._parameters, threadgroup_bytes or {})
        needed = self.threadgroup_memory_bytes + sum(lengths)
        allowed = self.device.limits.threadgroup_memory_bytes
        if needed > allowed:
            raise LaunchError(
                f"kernel {self.name!r} needs {needed} bytes of threadgroup memory,"
                f" {self.device.name} allows {allowed}; make its threadgroup arrays smaller"
            )
        what = bind_arguments(self.name, self._parameters, self.device, arguments)
        if request.is_empty:
            return
        computed = [array.before_write() for array in what.written] if WAITING else []
        if any(computed):  # memory may be another then
            what = bind_arguments(self.name, self._parameters, self.device, arguments)
        self.device.queue.dispatch(
            self._pipeline.state,
            [],
            [],
            b"",
            None,
            lengths,
            sizes.grid,
            sizes.threads,
            current_prefix() + self.name,
            what.touched_bytes,
            what.bindings,
        )


def __getattr__(name: str) -> Any:
    # The simulator is imported when it is asked for.
    if name == "simulate":
        from speedmetal.metal_simulator.simulate import simulate

        return simulate
    if name == "lint":
        from speedmetal.metal_simulator.language.lint import lint

        return lint
    if name == "Sampler":
        from speedmetal.metal_simulator.textures import Sampler

        return Sampler
    raise AttributeError(f"module 'speedmetal.metal' has no attribute {name!r}")


__all__ = [
    "Function",
    "Library",
    "MetalSourceError",
    "Sampler",
    "available",
    "device",
    "library",
    "lint",
    "simulate",
    "storage",
]
