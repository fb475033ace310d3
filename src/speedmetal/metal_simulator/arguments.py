"""Arguments of a launch become device memory; what does not fit the kernel is told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from speedmetal.errors import LaunchError
from speedmetal.metal_simulator.language.program import Parameter
from speedmetal.metal_simulator.memory import LARGEST_ALIGNMENT, Edge, GuardedMemory
from speedmetal.metal_simulator.runtime.records import Region

MAXIMUM_BYTES = 4096
"""Of an argument that is not an array: as setBytes:length:atIndex: allows."""

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


@dataclass(frozen=True, slots=True)
class Placement:
    """Where buffers lie.

    Args:
        edge: Which end of them touches a page without access.
        is_exact: Whether they are aligned no more than the elements want it, so that this end
            touches the page itself. A kernel that reads them by a pointer to a wider type, as Metal
            allows from a buffer's begin on, cannot have that.
    """

    edge: Edge
    is_exact: bool

    def copied(self, content: Any, alignment: int) -> GuardedMemory:
        """Memory with this content."""
        memory = GuardedMemory(
            len(content),
            alignment=alignment if self.is_exact else LARGEST_ALIGNMENT,
            edge=self.edge,
        )
        memory.array[:] = np.frombuffer(content, np.uint8)
        return memory


@dataclass(frozen=True, slots=True)
class Binding:
    """An argument in device memory."""

    parameter: Parameter
    memory: GuardedMemory
    array: NDArray[Any] | None  # to be written when the kernel has run

    @property
    def region(self) -> Region:
        """The memory, as messages tell of it."""
        return self.parameter.region(self.memory.address, self.memory.size_bytes)

    def read_back(self) -> None:
        """Give the array what the kernel wrote."""
        if self.array is not None:
            content = self.memory.array.view(np.uint8).data
            self.array[...] = np.frombuffer(content, self.array.dtype).reshape(self.array.shape)


_Array = tuple[Parameter, NDArray[Any]]


def bind(
    name: str, parameters: Sequence[Parameter], arguments: Sequence[Any], placement: Placement
) -> list[Binding]:
    """The arguments of a kernel in device memory; None: nothing is bound there.

    Raises:
        LaunchError: One does not fit its parameter.
    """
    bindings: list[Binding] = []
    arrays: list[_Array] = []
    for parameter, argument in zip(parameters, arguments, strict=True):
        if isinstance(argument, np.ndarray):
            _check_array(name, parameter, argument)
            _check_overlap(name, parameter, argument, arrays)
            arrays.append((parameter, argument))
        elif argument is not None:
            content = _content(name, parameter, argument)
            memory = placement.copied(content, _alignment(parameter))
            bindings.append(Binding(parameter, memory, None))
    return bindings + _bound_arrays(arrays, placement)


def _bound_arrays(arrays: list[_Array], placement: Placement) -> list[Binding]:
    """The arrays; one that is given more than once has one memory."""
    bindings: list[Binding] = []
    for parameter, array in arrays:
        same = [(other, of) for other, of in arrays if _is_same_memory(array, of)]
        memory = next((b.memory for b in bindings if b.parameter is same[0][0]), None)
        if memory is None:
            content = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
            memory = placement.copied(content, max(_alignment(other) for other, _ in same))
        bindings.append(Binding(parameter, memory, array if _is_written(parameter) else None))
    return bindings


def _alignment(parameter: Parameter) -> int:
    """What the elements need; the most where they are not known."""
    is_known = parameter.size_bytes > 0
    return min(parameter.alignment, LARGEST_ALIGNMENT) if is_known else LARGEST_ALIGNMENT


def _is_written(parameter: Parameter) -> bool:
    return parameter.space == "device" and not parameter.is_const


def _check_overlap(
    name: str, parameter: Parameter, array: NDArray[Any], others: list[_Array]
) -> None:
    for other_parameter, other in others:
        is_written = _is_written(parameter) or _is_written(other_parameter)
        is_part = not _is_same_memory(array, other) and np.may_share_memory(array, other)
        if is_written and is_part:
            raise LaunchError(
                f"kernel {name!r}: {called(parameter)} and {called(other_parameter)} share a "
                "part of their memory, and the kernel may write it; give copies, or the same array"
            )


def _is_same_memory(a: NDArray[Any], b: NDArray[Any]) -> bool:
    is_whole = a.flags.c_contiguous and b.flags.c_contiguous
    return a is b or (is_whole and a.ctypes.data == b.ctypes.data and a.nbytes == b.nbytes)


def called(parameter: Parameter) -> str:
    """The parameter in messages: ``x [[buffer(0)]]``."""
    return f"{parameter.name} [[buffer({parameter.index})]]"


def _element(parameter: Parameter) -> tuple[np.dtype[Any], int] | None:
    """The scalar type of what the parameter points to, and how many make one; None: a structure."""
    found = _ELEMENT.fullmatch(parameter.pointee)
    kind = _NUMPY.get(found[1]) if found else None
    return (kind, int(found[2] or 1)) if found and kind is not None else None


def _check_array(name: str, parameter: Parameter, array: NDArray[Any]) -> None:
    element = _element(parameter)
    raw = array.dtype in (np.dtype(np.uint8), np.dtype(np.void))
    if element is not None and not raw and array.dtype.names is None:
        expected = element[0]
        if array.dtype != expected and not _is_twin(array.dtype, expected):
            raise LaunchError(
                f"kernel {name!r}: expected {expected} for {called(parameter)}, which is "
                f"{parameter.pointee}, got {array.dtype}; convert it with x.astype(...)"
            )
    if array.dtype.names is not None:
        _check_record(name, parameter, array.dtype)
    if array.nbytes < parameter.size_bytes and (parameter.is_reference or array.size > 0):
        raise LaunchError(
            f"kernel {name!r}: {called(parameter)} needs at least {parameter.size_bytes} bytes, "
            f"got an array of {array.nbytes}{_about_gap(parameter, element)}"
        )
    if _is_written(parameter) and not array.flags.writeable:
        raise LaunchError(
            f"kernel {name!r} may write {called(parameter)}, but the array is read-only; give a "
            "copy, or declare the parameter const"
        )


def _about_gap(parameter: Parameter, element: tuple[np.dtype[Any], int] | None) -> str:
    """What to do about a vector of 3, which is as large as one of 4."""
    if element is None or element[1] != 3 or parameter.size_bytes == 3 * element[0].itemsize:
        return ""
    return (
        f"; {parameter.pointee} is as large as 4 elements: give (x, y, z) as a tuple, or a fourth "
        f"element, or declare it packed_{parameter.pointee}"
    )


def _check_record(name: str, parameter: Parameter, record: np.dtype[Any]) -> None:
    """Records must be as large as the structure; of numbers and vectors they are a whole number."""
    size = parameter.size_bytes
    is_structure = _element(parameter) is None
    is_whole = size > 0 and record.itemsize % size == 0
    if size in (0, record.itemsize) or (is_whole and not is_structure):
        return
    raise LaunchError(
        f"kernel {name!r}: {called(parameter)} is {parameter.pointee} of {size} bytes, got records "
        f"of {record.itemsize}; give the dtype the structure's layout: Metal aligns each field to "
        "its size (float3 is as large as float4), so add fields that fill the gaps, at the end too"
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
            f"kernel {name!r}: {called(parameter)} got {len(content)} bytes; as setBytes, 1 to "
            f"{MAXIMUM_BYTES} are allowed; give more as a NumPy array"
        )
    if isinstance(value, np.void) and value.dtype.names is not None:
        _check_record(name, parameter, value.dtype)
    if len(content) < parameter.size_bytes:
        raise LaunchError(
            f"kernel {name!r}: {called(parameter)} is {parameter.pointee} and needs "
            f"{parameter.size_bytes} bytes, got {len(content)}"
        )
    return content


def _as_bytes(name: str, parameter: Parameter, value: Any) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if _is_written(parameter):
        raise LaunchError(
            f"kernel {name!r} may write {called(parameter)}; give a NumPy array, got {value!r}"
        )
    if isinstance(value, np.generic):
        return value.tobytes()
    element = _element(parameter)
    if isinstance(value, (bool, int, float)) and element is not None and element[1] == 1:
        return _number(name, parameter, value, element[0])
    if isinstance(value, (list, tuple)) and element is not None:
        content = _listed(name, parameter, value, *element)
        if content is not None:
            return content
    raise LaunchError(
        f"kernel {name!r}: {called(parameter)} is {parameter.pointee}; give a NumPy array, a "
        f"NumPy scalar or bytes, got {value!r}"
    )


def _listed(
    name: str, parameter: Parameter, values: Sequence[Any], kind: np.dtype[Any], components: int
) -> bytes | None:
    """The bytes of a list of numbers, or of vectors (one may stand alone); None: it is neither."""
    are_numbers = all(isinstance(value, (bool, int, float)) for value in values)
    if components > 1:
        vectors = [values] if are_numbers else values
        if not all(isinstance(v, (list, tuple)) and len(v) == components for v in vectors):
            return None
        parts = [_listed(name, parameter, vector, kind, 1) for vector in vectors]
        gap = bytes(max(0, parameter.size_bytes - components * kind.itemsize))  # of float3
        return None if None in parts else b"".join(part + gap for part in parts if part)
    if not are_numbers:
        return None
    return b"".join(_number(name, parameter, value, kind) for value in values)


def _number(name: str, parameter: Parameter, value: float, kind: np.dtype[Any]) -> bytes:
    is_integer = kind.kind in "iu"
    fits = not is_integer or (
        float(value).is_integer() and np.iinfo(kind).min <= value <= np.iinfo(kind).max
    )
    if not fits:
        raise LaunchError(
            f"kernel {name!r}: {called(parameter)} is {parameter.pointee}, which cannot hold "
            f"{value!r}"
        )
    return np.asarray(int(value) if is_integer else value).astype(kind).tobytes()
