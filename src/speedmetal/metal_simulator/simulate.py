"""Runs Metal Shading Language that was written by hand, on NumPy arrays."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from speedmetal.errors import LaunchError, UnknownNameError
from speedmetal.metal_simulator.execution import Dispatch, Execution, Region, Size, execute
from speedmetal.metal_simulator.language.program import (
    Function,
    Parameter,
    Program,
    compile_source,
)
from speedmetal.metal_simulator.memory import GuardedMemory
from speedmetal.metal_simulator.settings import Order, Settings

MAXIMUM_BYTES = 4096
"""Of an argument that is not an array: as setBytes:length:atIndex: allows."""

_DEFAULT_THREADS = 256

_NUMPY: dict[str, np.dtype[Any]] = {
    name: np.dtype(kind)
    for name, kind in {
        "bool": np.bool_,
        "char": np.int8,
        "uchar": np.uint8,
        "short": np.int16,
        "ushort": np.uint16,
        "int": np.int32,
        "uint": np.uint32,
        "long": np.int64,
        "ulong": np.uint64,
        "half": np.float16,
        "bfloat": ml_dtypes.bfloat16,
        "float": np.float32,
    }.items()
} | {
    f"{sign}int{bits}_t": np.dtype(f"{sign}int{bits}")
    for sign in ("", "u")
    for bits in (8, 16, 32, 64)
}

# float, float4, packed_float3, atomic_uint; groups: the scalar type, the number of components.
_ELEMENT = re.compile(r"(?:metal::)?(?:packed_|atomic_)?([a-z]+(?:\d+_t)?)([234])?")
_AROUND_TYPE = re.compile(r"\b(?:const|volatile|restrict|device|constant|threadgroup)\b|[&*\s]+")


def simulate(
    source: str,
    *,
    language_version: tuple[int, int] = (3, 1),
    defines: Mapping[str, str] | None = None,
    constants: Mapping[int | str, object] | None = None,
    order: Order = "forward",
    check_races: bool = False,
    seed: int = 0,
    flush_denormals: bool = False,
    timeout: float | None = 20.0,
    strict: bool = True,
) -> SimulatedLibrary:
    """Compile the text of Metal kernels for this machine's CPU.

    What passes here is simulated: it has not run on Apple hardware.

    Args:
        source: Metal Shading Language.
        language_version: Of the language, as in MTLCompileOptions.
        defines: Macros of the preprocessor.
        constants: Values of function constants, by index or name.
        order: In which order threads and threadgroups run.
        check_races: Whether to look for accesses that nothing orders (slower).
        seed: Of the random order.
        flush_denormals: Whether numbers below the smallest normal one become 0.
        timeout: Seconds until a launch is ended; None: never.
        strict: Whether a barrier that not all threads reach is an error; else it is counted.

    Raises:
        MslError: The text is not valid.
        DeviceError: There is no compiler for the simulator.

    Example:
        >>> library = simulate('''
        ... #include <metal_stdlib>
        ... using namespace metal;
        ... kernel void scale(device float* x [[buffer(0)]], constant float& by [[buffer(1)]],
        ...                   uint i [[thread_position_in_grid]]) { x[i] *= by; }
        ... ''')
        >>> x = np.arange(4, dtype=np.float32)
        >>> execution = library.function("scale")(x, 3.0, grid=4)
        >>> x
        array([0., 3., 6., 9.], dtype=float32)
    """
    program = compile_source(
        source,
        language_version=language_version,
        defines=defines or {},
        constants=constants or {},
        check_races=check_races,
    )
    settings = Settings(
        order=order,
        seed=seed,
        check_races=check_races,
        flush_denormals=flush_denormals,
        timeout=timeout,
        strict=strict,
    )
    return SimulatedLibrary(program, settings)


@dataclass(frozen=True, slots=True)
class SimulatedLibrary:
    """Compiled kernels.

    Args:
        program: What the text became.
        settings: How its kernels run.
    """

    program: Program
    settings: Settings

    def function(self, name: str) -> SimulatedFunction:
        """A kernel.

        Raises:
            UnknownNameError: The text has no kernel of this name.
        """
        found = self.program.functions.get(name)
        if found is None:
            raise UnknownNameError("kernel", name, self.program.functions)
        return SimulatedFunction(self.program, found, self.settings)


@dataclass(frozen=True, slots=True)
class SimulatedFunction:
    """A kernel; call it to run it.

    Args:
        program: Keeps the code.
        function: The kernel in it.
        settings: How it runs.
    """

    program: Program
    function: Function
    settings: Settings

    def __call__(
        self,
        *arguments: Any,
        grid: int | Sequence[int] | None = None,
        groups: int | Sequence[int] | None = None,
        threads: int | Sequence[int] | None = None,
        threadgroup_bytes: Mapping[int, int] | None = None,
    ) -> Execution:
        """Run the kernel and wait for its end.

        Args:
            arguments: For the kernel's buffers, in the order of their indices. A NumPy array is
                copied to device memory and, unless the kernel cannot write it, back. A number,
                NumPy scalar or ``bytes`` is given as its bytes. None: nothing is bound.
            grid: Threads along each axis.
            groups: Threadgroups along each axis, in place of ``grid``.
            threads: Of a threadgroup along each axis; up to 256 along x where it is left out.
            threadgroup_bytes: Sizes of the ``[[threadgroup(n)]]`` arguments, by index.

        Returns:
            What was counted.

        Raises:
            LaunchError: Arguments, grid or threads do not fit the kernel.
            SimulationError: A fault of the kernel, or a limit exceeded.
        """
        grid_size, threads_size = _sizes(self.function, grid, groups, threads)
        parameters = self._buffers(len(arguments))
        bindings = _bind(self.function.name, parameters, arguments)
        dispatch = Dispatch(
            name=self.function.name,
            entry=self.function.entry,
            uses_fibers=self.function.uses_fibers,
            buffers={binding.parameter.index: binding.region for binding in bindings},
            threadgroup_bytes=self._threadgroup_bytes(threadgroup_bytes or {}),
            static_threadgroup_bytes=self.function.static_threadgroup_bytes,
            grid=grid_size,
            threads=threads_size,
        )
        execution = execute(dispatch, self.settings)
        for binding in bindings:
            binding.read_back()
        return execution

    def _buffers(self, given: int) -> list[Parameter]:
        found = sorted(
            (parameter for parameter in self.function.parameters if parameter.role == "buffer"),
            key=lambda parameter: parameter.index,
        )
        if len(found) != given:
            names = ", ".join(map(_called, found))
            raise LaunchError(
                f"kernel {self.function.name!r} has {len(found)} buffers ({names or 'none'}), got "
                f"{given} arguments; give one for each, in the order of their indices"
            )
        return found

    def _threadgroup_bytes(self, given: Mapping[int, int]) -> dict[int, int]:
        needed = {p.index: p.name for p in self.function.parameters if p.role == "threadgroup"}
        for index in sorted(needed.keys() | given.keys()):
            if index not in needed:
                raise LaunchError(
                    f"threadgroup_bytes has index {index}, but kernel {self.function.name!r} has "
                    f"no [[threadgroup({index})]]; it has {sorted(needed) or 'none'}"
                )
            if index not in given:
                raise LaunchError(
                    f"kernel {self.function.name!r} needs the size of {needed[index]} "
                    f"[[threadgroup({index})]]: threadgroup_bytes={{{index}: ...}}"
                )
        return dict(given)


# ---- sizes


def _sizes(
    function: Function,
    grid: int | Sequence[int] | None,
    groups: int | Sequence[int] | None,
    threads: int | Sequence[int] | None,
) -> tuple[Size, Size]:
    if (grid is None) == (groups is None):
        raise LaunchError(
            f"kernel {function.name!r}: give either grid (threads) or groups (threadgroups), got "
            f"{'neither' if grid is None else 'both'}"
        )
    limit = function.max_threads or 1024
    counted = _triple(
        function.name, "grid" if groups is None else "groups", grid if groups is None else groups
    )
    if threads is None:
        threads = min(_DEFAULT_THREADS, limit, counted[0] if groups is None else limit)
    size = _triple(function.name, "threads", threads)
    if math.prod(size) > limit and function.max_threads:
        raise LaunchError(
            f"kernel {function.name!r}: threads {size} are {math.prod(size)} in a threadgroup, but "
            f"it says [[max_total_threads_per_threadgroup({limit})]]; use fewer"
        )
    if groups is not None:
        x, y, z = (count * extent for count, extent in zip(counted, size, strict=True))
        return (x, y, z), size
    return counted, size


def _triple(name: str, what: str, value: Any) -> Size:
    extents = (value,) if isinstance(value, (int, np.integer)) else tuple(value)
    if not 1 <= len(extents) <= 3 or not all(
        isinstance(extent, (int, np.integer)) and extent >= 1 for extent in extents
    ):
        raise LaunchError(
            f"kernel {name!r}: {what} must be one to three integers of at least 1, got {value!r}"
        )
    x, y, z = (*(int(extent) for extent in extents), 1, 1)[:3]
    return x, y, z


# ---- arguments


@dataclass(frozen=True, slots=True)
class _Binding:
    """An argument in device memory."""

    parameter: Parameter
    memory: GuardedMemory
    array: NDArray[Any] | None  # to be written when the kernel has run

    @property
    def region(self) -> Region:
        return Region(self.memory.address, self.memory.size_bytes, self.parameter.name)

    def read_back(self) -> None:
        if self.array is not None:
            content = self.memory.array.view(np.uint8).data
            self.array[...] = np.frombuffer(content, self.array.dtype).reshape(self.array.shape)


def _bind(name: str, parameters: list[Parameter], arguments: tuple[Any, ...]) -> list[_Binding]:
    bindings: list[_Binding] = []
    arrays: list[tuple[Parameter, NDArray[Any], GuardedMemory]] = []
    for parameter, argument in zip(parameters, arguments, strict=True):
        if argument is None:
            continue
        if not isinstance(argument, np.ndarray):
            content = _content(name, parameter, argument)
            bindings.append(_Binding(parameter, _copied(content), None))
            continue
        _check_array(name, parameter, argument)
        memory = _memory_of(name, parameter, argument, arrays)
        arrays.append((parameter, argument, memory))
        bindings.append(_Binding(parameter, memory, argument if _is_written(parameter) else None))
    return bindings


def _is_written(parameter: Parameter) -> bool:
    return parameter.space == "device" and not parameter.is_const


def _copied(content: Any) -> GuardedMemory:
    memory = GuardedMemory(len(content))
    memory.array[:] = np.frombuffer(content, np.uint8)
    return memory


def _memory_of(
    name: str,
    parameter: Parameter,
    array: NDArray[Any],
    others: list[tuple[Parameter, NDArray[Any], GuardedMemory]],
) -> GuardedMemory:
    """New memory with the array's content; for an array that was given before, that one's."""
    for other_parameter, other, memory in others:
        if _is_same_memory(array, other):
            return memory
        is_written = _is_written(parameter) or _is_written(other_parameter)
        if is_written and np.may_share_memory(array, other):
            raise LaunchError(
                f"kernel {name!r}: {_called(parameter)} and {_called(other_parameter)} share a "
                "part of their memory, and the kernel may write it; give copies, or the same array"
            )
    return _copied(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def _is_same_memory(a: NDArray[Any], b: NDArray[Any]) -> bool:
    is_whole = a.flags.c_contiguous and b.flags.c_contiguous
    return a is b or (is_whole and a.ctypes.data == b.ctypes.data and a.nbytes == b.nbytes)


def _called(parameter: Parameter) -> str:
    return f"{parameter.name} [[buffer({parameter.index})]]"


def _pointee(parameter: Parameter) -> str:
    """The type that the parameter points or refers to: ``uint`` of ``constant uint&``."""
    return _AROUND_TYPE.sub(" ", parameter.type_text).strip()


def _element(parameter: Parameter) -> tuple[np.dtype[Any], int] | None:
    """The scalar type of what the parameter points to, and how many make one; None: a structure."""
    found = _ELEMENT.fullmatch(_pointee(parameter))
    kind = _NUMPY.get(found[1]) if found else None
    return (kind, int(found[2] or 1)) if found and kind is not None else None


def _check_array(name: str, parameter: Parameter, array: NDArray[Any]) -> None:
    element = _element(parameter)
    raw = array.dtype in (np.dtype(np.uint8), np.dtype(np.void))
    if element is not None and not raw and array.dtype.names is None:
        expected = element[0]
        if array.dtype != expected and not _is_twin(array.dtype, expected):
            raise LaunchError(
                f"kernel {name!r}: expected {expected} for {_called(parameter)}, which is "
                f"{_pointee(parameter)}, got {array.dtype}; convert it with x.astype(...)"
            )
    if array.nbytes < parameter.size_bytes and (parameter.is_reference or array.size > 0):
        raise LaunchError(
            f"kernel {name!r}: {_called(parameter)} needs at least {parameter.size_bytes} bytes, "
            f"got an array of {array.nbytes}"
        )
    if _is_written(parameter) and not array.flags.writeable:
        raise LaunchError(
            f"kernel {name!r} may write {_called(parameter)}, but the array is read-only; give a "
            "copy, or declare the parameter const"
        )


def _is_twin(given: np.dtype[Any], expected: np.dtype[Any]) -> bool:
    """Integers that differ in their sign alone, and 16 bits that stand for bfloat."""
    if given.itemsize != expected.itemsize:
        return False
    is_bits = expected == np.dtype(ml_dtypes.bfloat16) and given == np.dtype(np.uint16)
    return is_bits or (given.kind in "iu" and expected.kind in "iu")


def _content(name: str, parameter: Parameter, value: Any) -> bytes:
    """The bytes of an argument that is no array."""
    content = _as_bytes(name, parameter, value)
    if not 0 < len(content) <= MAXIMUM_BYTES:
        raise LaunchError(
            f"kernel {name!r}: {_called(parameter)} got {len(content)} bytes; as setBytes, 1 to "
            f"{MAXIMUM_BYTES} are allowed; give more as a NumPy array"
        )
    if len(content) < parameter.size_bytes:
        raise LaunchError(
            f"kernel {name!r}: {_called(parameter)} is {_pointee(parameter)} and needs "
            f"{parameter.size_bytes} bytes, got {len(content)}"
        )
    return content


def _as_bytes(name: str, parameter: Parameter, value: Any) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if _is_written(parameter):
        raise LaunchError(
            f"kernel {name!r} may write {_called(parameter)}; give a NumPy array, got {value!r}"
        )
    if isinstance(value, np.generic):
        return value.tobytes()
    element = _element(parameter)
    if isinstance(value, (bool, int, float)) and element is not None and element[1] == 1:
        return _number(name, parameter, value, element[0])
    raise LaunchError(
        f"kernel {name!r}: {_called(parameter)} is {_pointee(parameter)}; give a NumPy array, a "
        f"NumPy scalar or bytes, got {value!r}"
    )


def _number(name: str, parameter: Parameter, value: float, kind: np.dtype[Any]) -> bytes:
    is_integer = kind.kind in "iu"
    fits = not is_integer or (
        float(value).is_integer() and np.iinfo(kind).min <= value <= np.iinfo(kind).max
    )
    if not fits:
        raise LaunchError(
            f"kernel {name!r}: {_called(parameter)} is {_pointee(parameter)}, which cannot hold "
            f"{value!r}"
        )
    return np.asarray(int(value) if is_integer else value).astype(kind).tobytes()
